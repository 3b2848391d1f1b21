//! The right edge of a growing tree: the tiles that are not full yet.

use crate::hash::Hash;
use crate::tile::{HashTile, TILE_HEIGHT, TILE_WIDTH, TileError, TileKind, TilePath, TileSource};

/// A tile or its state after an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EdgeTile {
    pub path: TilePath,
    pub bytes: Vec<u8>,
}

/// The hashes of the last tile of each level.
#[derive(Debug, Default, Clone)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves whose full tiles `source` holds. Partial tiles are not read:
    /// what they hold follows from full ones, except at level 0, where `size` must lie inside a full tile.
    pub(crate) fn recover(source: &impl TileSource, size: u64) -> Result<Self, TileError> {
        let full = |level, number| {
            let path = TilePath { kind: TileKind::Hashes(level), number, width: 256 };
            HashTile::parse(&path, &source.read_tile(&path)?)
        };
        let mut levels = Vec::new();
        for level in 0u8.. {
            let items = size >> (TILE_HEIGHT * u32::from(level));
            if items == 0 {
                break;
            }
            let (number, width) = (items / TILE_WIDTH, items % TILE_WIDTH);
            let hashes = match level.checked_sub(1) {
                None if width == 0 => Vec::new(),
                None => full(0, number)?.hashes()[..usize::try_from(width).unwrap_or(0)].to_vec(),
                Some(below) => (items - width..items)
                    .map(|number| Ok(root_of(&full(below, number)?)))
                    .collect::<Result<_, TileError>>()?,
            };
            levels.push(hashes);
        }
        Ok(Self { size, levels })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and hands every tile that became full to `filled`.
    pub(crate) fn push(&mut self, leaf: Hash, filled: &mut Vec<EdgeTile>) {
        let mut hash = leaf;
        self.size += 1;
        for level in 0u8.. {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::new());
            }
            self.levels[at].push(hash);
            if (self.levels[at].len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(&mut self.levels[at]);
            let number = (self.size >> (TILE_HEIGHT * u32::from(level))) / TILE_WIDTH - 1;
            filled.push(tile(level, number, &hashes));
            hash = root_of(&HashTile::new(&hashes));
        }
    }

    /// The tiles that are not full.
    pub(crate) fn partial(&self) -> Vec<EdgeTile> {
        let levels = (0u8..).zip(&self.levels).filter(|(_, hashes)| !hashes.is_empty());
        levels
            .map(|(level, hashes)| {
                let number = (self.size >> (TILE_HEIGHT * u32::from(level))) / TILE_WIDTH;
                tile(level, number, hashes)
            })
            .collect()
    }
}

fn tile(level: u8, number: u64, hashes: &[Hash]) -> EdgeTile {
    let width = u16::try_from(hashes.len()).expect("a tile holds at most 256 hashes");
    let path = TilePath { kind: TileKind::Hashes(level), number, width };
    EdgeTile { path, bytes: hashes.iter().flat_map(|hash| hash.0).collect() }
}

fn root_of(tile: &HashTile) -> Hash {
    tile.node(TILE_HEIGHT, 0).expect("a full tile has a root")
}
