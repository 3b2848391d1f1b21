//! Tiles of a tlog-tiles or static-ct-api log: their paths, their content, and the tree read from them.
//!
//! A hash tile of level `L` holds up to 256 roots of complete subtrees of `256^L` leaves (C2SP tlog-tiles,
//! "Merkle Tree"). Beside them stand the bundles of entries, 256 to a bundle. Paths are parsed strictly: only
//! the spelling that its `Display` gives is accepted, so nothing in a path can leave the folder.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hash::Hash;
use crate::merkle::{NodeSource, ProofError, node_hash};

/// Height of a hash tile: levels of the tree that one tile spans.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Highest tile level: `256^8` leaves do not fit in the sizes used here.
pub const MAX_LEVEL: u8 = 7;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// Subtree roots of this level.
    Hashes(u8),
    /// Entries as tlog-tiles bundles them: `tile/entries`.
    Entries,
    /// Entries as static-ct-api bundles them: `tile/data`.
    Data,
}

/// The name of one full or partial tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TilePath {
    /// What it holds.
    pub kind: TileKind,
    /// Position among the tiles of its kind and level.
    pub number: u64,
    /// Items in it, 1 to 256; 256 is a full tile.
    pub width: u16,
}

impl TilePath {
    /// The tile at this place in a tree of `size` leaves; `None` when the tree has nothing there.
    pub fn in_tree(kind: TileKind, number: u64, size: u64) -> Option<Self> {
        let items = match kind {
            TileKind::Hashes(level) if level > MAX_LEVEL => 0,
            TileKind::Hashes(level) => size >> (TILE_HEIGHT * u32::from(level)),
            TileKind::Entries | TileKind::Data => size,
        };
        let width = items.saturating_sub(number.checked_mul(TILE_WIDTH)?).min(TILE_WIDTH);
        (width > 0).then(|| Self { kind, number, width: u16::try_from(width).expect("at most 256") })
    }

    /// Whether nothing will ever be added to it.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// Parses a path as in a URL, without a leading slash: `tile/<kind>/<N>[.p/<W>]`.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (kind, rest) = rest.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            "data" => TileKind::Data,
            level => TileKind::Hashes(level.parse().ok().filter(|level| *level <= MAX_LEVEL)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| (1..256).contains(width))?),
            None => (rest, 256),
        };
        let digits: String = number.split('/').map(|part| part.strip_prefix('x').unwrap_or(part)).collect();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let parsed = Self { kind, number: digits.parse().ok()?, width };
        (parsed.to_string() == path).then_some(parsed)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Data => f.write_str("tile/data/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// Why tiles cannot be read as a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The tile has another length than its place in the tree demands.
    #[error("tile {path} has {actual} bytes where {expected} belong")]
    Length {
        /// Which tile.
        path: String,
        /// Bytes its width demands.
        expected: usize,
        /// Bytes found.
        actual: usize,
    },
    /// The tile could not be had: it is not there, or who was asked for it did not give it.
    #[error("tile {path} cannot be read: {cause}")]
    Unavailable {
        /// Which tile.
        path: String,
        /// Why, in words.
        cause: String,
    },
    /// What the tile lies on failed, or holds it damaged: whether the tile is there is unknown.
    #[error("tile {path} cannot be read: {cause}")]
    Unreadable {
        /// Which tile.
        path: String,
        /// Why, in words.
        cause: String,
    },
    /// Node outside the tree.
    #[error("node {index} of level {level} is outside the tree")]
    OutsideTree {
        /// Level of the node.
        level: u32,
        /// Its index.
        index: u64,
    },
    /// Tiles do not hash to the root of the checkpoint.
    #[error("tiles do not hash to the checkpoint's root")]
    RootMismatch,
    /// Sizes or index do not fit.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TileError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Length { .. } => "tile-length",
            Self::Unavailable { .. } => "tile-unavailable",
            Self::Unreadable { .. } => "log-unreadable",
            Self::OutsideTree { .. } => "tile-outside-tree",
            Self::RootMismatch => "tile-root-mismatch",
            Self::Proof(error) => error.reason(),
        }
    }
}

/// The hashes of one tile, with the interior nodes above them where complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashTile {
    /// `rows[k]` holds the complete subtrees of `2^k` of the tile's hashes.
    rows: Vec<Vec<Hash>>,
}

impl HashTile {
    /// The tile with these hashes, at most 256.
    pub fn new(hashes: &[Hash]) -> Self {
        let mut rows = vec![hashes.to_vec()];
        while let Some(last) = rows.last().filter(|row| row.len() > 1) {
            let next = last.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            rows.push(next);
        }
        Self { rows }
    }

    /// Parses the bytes served under `path`.
    ///
    /// # Errors
    /// [`TileError::Length`] unless there are exactly `32 · width` bytes.
    pub fn parse(path: &TilePath, bytes: &[u8]) -> Result<Self, TileError> {
        let expected = 32 * usize::from(path.width);
        if bytes.len() != expected {
            return Err(TileError::Length { path: path.to_string(), expected, actual: bytes.len() });
        }
        let hashes: Vec<_> = bytes.chunks_exact(32).filter_map(Hash::from_slice).collect();
        Ok(Self::new(&hashes))
    }

    /// The tile's own hashes.
    pub fn hashes(&self) -> &[Hash] {
        &self.rows[0]
    }

    /// Root of the complete subtree of `2^row` of its hashes at position `index`.
    pub fn node(&self, row: u32, index: u64) -> Option<Hash> {
        self.rows.get(row as usize)?.get(usize::try_from(index).ok()?).copied()
    }
}

/// Where tiles come from: a folder, a web server, memory.
pub trait TileSource {
    /// The bytes of exactly this tile, of exactly this width.
    ///
    /// # Errors
    /// [`TileError::Unavailable`] when they cannot be had, [`TileError::Unreadable`] when storage failed.
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        (**self).read_tile(path)
    }
}

/// The tree of `size` leaves, read from tiles. Tiles are remembered for as long as the value lives.
#[derive(Debug)]
pub struct TileTree<S> {
    source: S,
    size: u64,
    tiles: Mutex<HashMap<(u8, u64), Arc<HashTile>>>,
}

impl<S: TileSource> TileTree<S> {
    /// The tree of the first `size` leaves that `source` holds. Its root is not yet compared with anything.
    pub fn new(source: S, size: u64) -> Self {
        Self { source, size, tiles: Mutex::default() }
    }

    /// The tree, once its tiles hash to `root`.
    ///
    /// # Errors
    /// [`TileError::RootMismatch`], or what reading the right edge gives.
    pub fn open(source: S, size: u64, root: &Hash) -> Result<Self, TileError> {
        let tree = Self::new(source, size);
        if crate::merkle::root(&tree, size)? == *root { Ok(tree) } else { Err(TileError::RootMismatch) }
    }

    /// Leaves in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the tiles come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The tile of this level and number, as wide as the tree's size makes it.
    ///
    /// # Errors
    /// [`TileError`] when it lies outside the tree or cannot be read.
    pub fn tile(&self, level: u8, number: u64) -> Result<Arc<HashTile>, TileError> {
        if let Some(tile) = self.tiles.lock().unwrap_or_else(PoisonError::into_inner).get(&(level, number)) {
            return Ok(Arc::clone(tile));
        }
        let path = TilePath::in_tree(TileKind::Hashes(level), number, self.size)
            .ok_or(TileError::OutsideTree { level: u32::from(level) * TILE_HEIGHT, index: number })?;
        let tile = Arc::new(HashTile::parse(&path, &self.source.read_tile(&path)?)?);
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tiles.entry((level, number)).or_insert(tile)))
    }

    /// Leaf hash at `index`.
    ///
    /// # Errors
    /// As [`TileTree::tile`].
    pub fn leaf(&self, index: u64) -> Result<Hash, TileError> {
        self.node(0, index)
    }
}

impl<S: TileSource> NodeSource for TileTree<S> {
    type Error = TileError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TileError> {
        let outside = TileError::OutsideTree { level, index };
        let tile_level = u8::try_from(level / TILE_HEIGHT).map_err(|_| outside.clone())?;
        let row = level % TILE_HEIGHT;
        let per_tile = TILE_WIDTH >> row;
        self.tile(tile_level, index / per_tile)?.node(row, index % per_tile).ok_or(outside)
    }
}
