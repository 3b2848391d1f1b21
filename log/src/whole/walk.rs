//! The way through a tree from its root down, tile by tile.

use std::collections::BTreeSet;

use super::together::{Held, in_parallel};
use super::{Source, WholeError};
use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::engine::Layout;
use crate::entry::{Entry, EntryError, Stored, Withholding};
use crate::hash::Hash;
use crate::sct::TileLeaf;
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
}

/// A tile or bundle that is what the root demands, or why there is none.
pub(super) struct Piece {
    pub path: TilePath,
    /// Which source had it.
    pub from: usize,
    pub content: Result<Vec<u8>, ReadError>,
    found: Found,
}

impl Held for Piece {
    fn bytes(&self) -> usize {
        self.content.as_ref().map_or(0, Vec::capacity)
    }
}

/// What the entries of one bundle say.
#[derive(Default)]
struct Found {
    withheld: BTreeSet<u64>,
    /// Entries that a record in this bundle withholds.
    records: Vec<u64>,
    issuers: BTreeSet<Hash>,
}

/// Reads what `sources` hold of the tree of a checkpoint, each piece from the first that has it as it should be. Full tiles
/// whose leaves all lie before `known` are passed over.
pub(super) fn walk(
    sources: &[&dyn Source],
    checkpoint: &Checkpoint,
    layout: Layout,
    known: u64,
    mut each: impl FnMut(Vec<Piece>) -> Result<(), WholeError>,
) -> Result<Tally, WholeError> {
    let size = checkpoint.size;
    let (from, edge) = right_edge(sources, checkpoint)?;
    let (mut tally, mut withheld, mut records) = (Tally::default(), BTreeSet::new(), BTreeSet::new());
    let mut take = |pieces: &mut [Piece]| {
        for Piece { path, content, found, .. } in pieces {
            if !matches!(path.kind, TileKind::Hashes(_)) && content.is_ok() {
                tally.entries += u64::from(path.width);
                withheld.append(&mut found.withheld);
                records.extend(found.records.drain(..));
                tally.issuers.append(&mut found.issuers);
            }
        }
    };
    // Hashes of the level above from `above.0` on; `None` below what could not be had.
    let mut above: (u64, Vec<Option<Hash>>) = (0, Vec::new());
    let levels = (0..=crate::tile::MAX_LEVEL).filter(|level| size >> (TILE_HEIGHT * u32::from(*level)) > 0);
    for level in levels.rev() {
        let items = size >> (TILE_HEIGHT * u32::from(level));
        let (full, begin) = (items / TILE_WIDTH, (known >> (TILE_HEIGHT * u32::from(level))) / TILE_WIDTH);
        let mut hashes = Vec::new();
        let mut first = begin;
        while first < full {
            let expected = |number: u64| above.1[usize::try_from(number - above.0).unwrap_or(0)];
            let (mut pieces, next) = in_parallel(first..full.min(first + TOGETHER), |number| {
                let path = TilePath { kind: TileKind::Hashes(level), number, width: 256 };
                with_bundle(sources, layout, hash_tile(sources, path, expected(number)))
            });
            note_hashes(level, &pieces, &mut hashes);
            take(&mut pieces);
            each(pieces)?;
            first = next;
        }
        if !items.is_multiple_of(TILE_WIDTH) {
            let tile = edge.tile(level, full)?;
            let path = TilePath::in_tree(TileKind::Hashes(level), full, size).expect("it is in the tree");
            let content = Ok(tile.hashes().iter().flat_map(|hash| hash.0).collect());
            let mut pieces =
                with_bundle(sources, layout, Piece { path, from, content, found: Found::default() });
            note_hashes(level, &pieces, &mut hashes);
            take(&mut pieces);
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

/// What the first source gives that holds up.
fn first_sound<T>(
    sources: &[&dyn Source],
    read: impl Fn(&dyn Source) -> Result<T, ReadError>,
) -> (usize, Result<T, ReadError>) {
    let last = sources.len() - 1;
    let sound =
        sources[..last].iter().enumerate().find_map(|(from, source)| Some((from, read(*source).ok()?)));
    match sound {
        Some((from, value)) => (from, Ok(value)),
        None => (last, read(sources[last])),
    }
}

fn not_checked(path: &TilePath) -> ReadError {
    let cause = "not checked, because the tile above it could not be read".to_owned();
    TileError::Unavailable { path: path.to_string(), cause }.into()
}

fn hash_tile(sources: &[&dyn Source], path: TilePath, expected: Option<Hash>) -> Piece {
    let (from, content) = match expected {
        None => (0, Err(not_checked(&path))),
        Some(expected) => first_sound(sources, |source| {
            let bytes = source.read_tile(&path)?;
            match HashTile::parse(&path, &bytes)?.node(TILE_HEIGHT, 0) {
                Some(root) if root == expected => Ok(bytes),
                _ => Err(TileError::RootMismatch.into()),
            }
        }),
    };
    Piece { path, from, content, found: Found::default() }
}

/// A tile, and if it is of the lowest level the bundle that goes with it.
fn with_bundle(sources: &[&dyn Source], layout: Layout, tile: Piece) -> Vec<Piece> {
    if tile.path.kind != TileKind::Hashes(0) {
        return vec![tile];
    }
    let path = TilePath { kind: layout.bundle_kind(), ..tile.path };
    let (from, content) = match &tile.content {
        Err(_) => (0, Err(not_checked(&path))),
        Ok(leaves) => first_sound(sources, |source| {
            let bytes = source.read_tile(&path)?;
            let found = check_bundle(layout, &path, &bytes, leaves)?;
            Ok((bytes, found))
        }),
    };
    let (content, found) = match content {
        Ok((bytes, found)) => (Ok(bytes), found),
        Err(error) => (Err(error), Found::default()),
    };
    vec![tile, Piece { path, from, content, found }]
}

/// Compares a bundle with the leaves of its tile.
fn check_bundle(layout: Layout, path: &TilePath, bytes: &[u8], leaves: &[u8]) -> Result<Found, ReadError> {
    let leaves = leaves.chunks_exact(32).filter_map(Hash::from_slice);
    let places = (path.number * TILE_WIDTH..).zip(leaves);
    let mut found = Found::default();
    match layout {
        Layout::TlogTiles => {
            let items = bundle::split(bytes, usize::from(path.width))?;
            for ((index, leaf), item) in places.zip(items) {
                match Stored::parse(item.to_vec(), &leaf)? {
                    Stored::Withheld(_) => drop(found.withheld.insert(index)),
                    // A record is about what is before it; one that says otherwise withholds nothing.
                    Stored::Body(body) => {
                        found.records.extend(withheld_by(&body).filter(|withheld| *withheld < index));
                    }
                }
            }
        }
        Layout::StaticCt => {
            let other = || EntryError::Malformed("the bundle's item is not that of the leaf".to_owned());
            let mut rest = bytes;
            for (_, leaf) in places {
                let (item, tail) = TileLeaf::parse_prefix(rest).ok_or(bundle::BundleError)?;
                if item.leaf_hash() != leaf {
                    return Err(other().into());
                }
                found.issuers.extend(item.chain);
                rest = tail;
            }
            if !rest.is_empty() {
                return Err(bundle::BundleError.into());
            }
        }
    }
    Ok(found)
}

/// The index of the entry that a body withholds, if it is a record of that.
fn withheld_by(body: &[u8]) -> Option<u64> {
    // Few entries are records: the others are not parsed.
    const KIND: &[u8] = br#""kind":"redaction""#;
    body.windows(KIND.len()).any(|window| window == KIND).then_some(())?;
    match Entry::parse(body) {
        Ok(Entry::Redaction(record)) if record.statement.withheld == Withholding::WholeBody => {
            Some(record.statement.index)
        }
        _ => None,
    }
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

/// The bundle in which an entry lies, if this source withholds the entry.
pub(super) fn withholding_bundle(
    source: &dyn Source,
    leaves: &dyn Source,
    size: u64,
    index: u64,
) -> Result<Option<(TilePath, Vec<u8>)>, ReadError> {
    let number = index / TILE_WIDTH;
    let within =
        |kind| TilePath::in_tree(kind, number, size).ok_or(TileError::OutsideTree { level: 0, index });
    let (tile, path) = (within(TileKind::Hashes(0))?, within(TileKind::Entries)?);
    let bytes = source.read_tile(&path)?;
    let found = check_bundle(Layout::TlogTiles, &path, &bytes, &leaves.read_tile(&tile)?)?;
    Ok(found.withheld.contains(&index).then_some((path, bytes)))
}
