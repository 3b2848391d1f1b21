//! The way through a tree from its root down, tile by tile.

use std::collections::BTreeSet;

use super::entries::{Entries, Found};
use super::issuers::Issuers;
use super::source::first_sound;
use super::together::{Held, in_parallel};
use super::{Source, WholeError};
use crate::checkpoint::Checkpoint;
use crate::engine::Layout;
use crate::hash::Hash;
use crate::store::ReadError;
use crate::tile::{HashTile, TILE_HEIGHT, TILE_WIDTH, TileError, TileKind, TilePath, TileTree};

/// Tiles that are handed on together at most, with their bundles.
const TOGETHER: u64 = 64;

/// What was found in a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries that were compared with their leaf.
    pub entries: u64,
    /// How many of them are tombstones.
    pub withheld: u64,
    /// Entries whose body is here though a record says that it is withheld.
    pub to_withhold: BTreeSet<u64>,
    /// Certificates that a certificate log keeps beside its entries.
    pub issuers: BTreeSet<Hash>,
    /// Those of them that are nowhere, so that what they issued was compared with its leaf only.
    pub missing_issuers: BTreeSet<Hash>,
}

/// A tile or bundle that is what the root demands, or why there is none.
pub(super) struct Piece {
    pub path: TilePath,
    /// Which source had it.
    pub from: usize,
    pub content: Result<Vec<u8>, ReadError>,
    pub found: Found,
}

impl Held for Piece {
    fn bytes(&self) -> usize {
        self.content.as_ref().map_or(0, Vec::capacity)
    }
}

/// Reads what `sources` hold of the tree of a checkpoint, each piece from the first that has it as it should be. Full tiles
/// whose leaves all lie before `known` are passed over. No bundle is handed on that withholds an entry without its record:
/// that lies behind the entry, so never before `known` either.
pub(super) fn walk(
    sources: &[&dyn Source],
    checkpoint: &Checkpoint,
    layout: Layout,
    known: u64,
    mut each: impl FnMut(Vec<Piece>) -> Result<(), WholeError>,
) -> Result<Tally, WholeError> {
    let size = checkpoint.size;
    let (from, edge) = right_edge(sources, checkpoint)?;
    let mut tally = Tally::default();
    let (mut withheld, mut records) = (BTreeSet::<u64>::new(), BTreeSet::<u64>::new());
    let mut take = |pieces: &[Piece]| {
        for Piece { path, content, found, .. } in pieces {
            if !matches!(path.kind, TileKind::Hashes(_)) && content.is_ok() {
                tally.entries += u64::from(path.width);
                withheld.extend(&found.withheld);
                records.extend(&found.records);
                tally.issuers.extend(&found.issuers);
                tally.missing_issuers.extend(&found.missing);
            }
        }
    };
    // Hashes of the level above from `above.0` on; `None` below what could not be had.
    let mut above: (u64, Vec<Option<Hash>>) = (0, Vec::new());
    let issuers = Issuers::new(sources);
    let levels = (0..=crate::tile::MAX_LEVEL).filter(|level| size >> (TILE_HEIGHT * u32::from(*level)) > 0);
    for level in levels.rev() {
        let items = size >> (TILE_HEIGHT * u32::from(level));
        let (full, begin) = (items / TILE_WIDTH, (known >> (TILE_HEIGHT * u32::from(level))) / TILE_WIDTH);
        let mut hashes = Vec::new();
        let tile = |number: u64| {
            let path = TilePath { kind: TileKind::Hashes(level), number, width: 256 };
            let place = number.checked_sub(above.0).and_then(|place| usize::try_from(place).ok());
            hash_tile(sources, path, place.and_then(|place| above.1.get(place).copied().flatten()))
        };
        // Of the lowest level, where the one above says what each tile is.
        let leaves = |number: u64| -> Result<Vec<u8>, ReadError> {
            if number < full { tile(number).content } else { Ok(bytes_of(edge.tile(0, number)?.as_ref())) }
        };
        let origin = checkpoint.origin.as_str();
        let entries = Entries { sources, layout, origin, size, leaves: &leaves, issuers: &issuers };
        let mut first = begin;
        while first < full {
            let (pieces, next) =
                in_parallel(first..full.min(first + TOGETHER), |number| with_bundle(&entries, tile(number)));
            note_hashes(level, &pieces, &mut hashes);
            take(&pieces);
            each(pieces)?;
            first = next;
        }
        if !items.is_multiple_of(TILE_WIDTH) {
            let path = TilePath::in_tree(TileKind::Hashes(level), full, size).expect("it is in the tree");
            let content = Ok(bytes_of(edge.tile(level, full)?.as_ref()));
            let pieces = with_bundle(&entries, Piece { path, from, content, found: Found::default() });
            note_hashes(level, &pieces, &mut hashes);
            take(&pieces);
            each(pieces)?;
        }
        above = (begin * TILE_WIDTH, hashes);
    }
    tally.withheld = withheld.len() as u64;
    tally.to_withhold = records.difference(&withheld).copied().collect();
    Ok(tally)
}

/// The tree of the checkpoint, from the first source whose right edge has its root.
fn right_edge<'a>(
    sources: &[&'a dyn Source],
    checkpoint: &Checkpoint,
) -> Result<(usize, TileTree<&'a dyn Source>), WholeError> {
    let mut last = TileError::RootMismatch;
    for (from, source) in sources.iter().enumerate() {
        match TileTree::open(*source, checkpoint.size, &checkpoint.root) {
            Ok(tree) => return Ok((from, tree)),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn bytes_of(tile: &HashTile) -> Vec<u8> {
    tile.hashes().iter().flat_map(|hash| hash.0).collect()
}

fn not_checked(path: &TilePath) -> ReadError {
    let cause = "not checked, because the tile above it could not be read".to_owned();
    TileError::Unavailable { path: path.to_string(), cause }.into()
}

fn hash_tile(sources: &[&dyn Source], path: TilePath, expected: Option<Hash>) -> Piece {
    let (from, content) = match expected {
        None => (0, Err(not_checked(&path))),
        Some(expected) => {
            let read = |source: &dyn Source| -> Result<Vec<u8>, ReadError> {
                let bytes = source.read_tile(&path)?;
                match HashTile::parse(&path, &bytes)?.node(TILE_HEIGHT, 0) {
                    Some(root) if root == expected => Ok(bytes),
                    _ => Err(TileError::RootMismatch.into()),
                }
            };
            first_sound(sources, read, |_| true)
        }
    };
    Piece { path, from, content, found: Found::default() }
}

/// A tile, and if it is of the lowest level the bundle that goes with it.
fn with_bundle(entries: &Entries<'_>, tile: Piece) -> Vec<Piece> {
    if tile.path.kind != TileKind::Hashes(0) {
        return vec![tile];
    }
    let path = TilePath { kind: entries.layout.bundle_kind(), ..tile.path };
    let (from, content) = match &tile.content {
        Err(_) => (0, Err(not_checked(&path))),
        Ok(leaves) => {
            let read = |source: &dyn Source| -> Result<(Vec<u8>, Found), ReadError> {
                let bytes = source.read_tile(&path)?;
                let found = entries.check(&path, &bytes, leaves)?;
                Ok((bytes, found))
            };
            // A chain that names what nobody has may be altered: rather one that is to be had whole.
            first_sound(entries.sources, read, |(_, found)| found.missing.is_empty())
        }
    };
    let (content, found) = match content {
        Ok((bytes, found)) => (Ok(bytes), found),
        Err(error) => (Err(error), Found::default()),
    };
    vec![tile, Piece { path, from, content, found }]
}

fn note_hashes(level: u8, pieces: &[Piece], hashes: &mut Vec<Option<Hash>>) {
    if level == 0 {
        return;
    }
    for Piece { path, content, .. } in pieces {
        match content {
            Ok(bytes) => hashes.extend(bytes.chunks_exact(32).map(Hash::from_slice)),
            Err(_) => hashes.extend(std::iter::repeat_n(None, usize::from(path.width))),
        }
    }
}

/// The bundle in which an entry lies, if this source withholds the entry. Leaves and records are read in a copy that was
/// brought up to date.
pub(super) fn withholding_bundle(
    source: &dyn Source,
    copy: &dyn Source,
    tree: &Checkpoint,
    index: u64,
) -> Result<Option<(TilePath, Vec<u8>)>, ReadError> {
    let within = |kind, number| {
        let outside = TileError::OutsideTree { level: 0, index };
        TilePath::in_tree(kind, number, tree.size).ok_or(outside)
    };
    let leaves = |number: u64| -> Result<Vec<u8>, ReadError> {
        Ok(copy.read_tile(&within(TileKind::Hashes(0), number)?)?)
    };
    let (number, sources) = (index / TILE_WIDTH, [copy]);
    let entries = Entries {
        sources: &sources,
        layout: Layout::TlogTiles,
        origin: &tree.origin,
        size: tree.size,
        leaves: &leaves,
        issuers: &Issuers::new(&sources),
    };
    let path = within(TileKind::Entries, number)?;
    let bytes = source.read_tile(&path)?;
    let found = entries.check(&path, &bytes, &leaves(number)?)?;
    Ok(found.withheld.contains(&index).then_some((path, bytes)))
}
