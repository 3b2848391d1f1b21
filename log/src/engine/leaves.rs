//! Leaves read from the tiles of a tree, of which none is taken at its word: a tile that is damaged has an entry stand twice.

use std::ops::Range;
use std::sync::mpsc;

use super::OpenError;
use crate::hash::Hash;
use crate::merkle::NodeSource as _;
use crate::tile::{HashTile, TILE_HEIGHT, TILE_WIDTH, TileError, TileKind, TilePath, TileSource, TileTree};

/// Tiles that are read before they are asked for: enough that neither side waits for the other at each.
const AHEAD: usize = 64;

/// Reads a tile of leaves as it stands there.
fn read(tree: &TileTree<impl TileSource>, number: u64) -> Result<(TilePath, Vec<u8>), TileError> {
    let path = TilePath::in_tree(TileKind::Hashes(0), number, tree.size())
        .ok_or(TileError::OutsideTree { level: 0, index: number.saturating_mul(TILE_WIDTH) })?;
    Ok((path, tree.source().read_tile(&path)?))
}

/// The tile, which is as wide as its place demands and, if it is full, what the tile above it says.
fn checked(tree: &TileTree<impl TileSource>, path: &TilePath, bytes: &[u8]) -> Result<HashTile, TileError> {
    let tile = HashTile::parse(path, bytes)?;
    if path.is_full() && tile.node(TILE_HEIGHT, 0) != Some(tree.node(TILE_HEIGHT, path.number)?) {
        let cause = "it is not what the tile above it was made of".to_owned();
        return Err(TileError::Unreadable { path: path.to_string(), cause });
    }
    Ok(tile)
}

/// A tile of leaves, compared with the one above it if it is full.
pub(super) fn tile(tree: &TileTree<impl TileSource>, number: u64) -> Result<HashTile, TileError> {
    let (path, bytes) = read(tree, number)?;
    checked(tree, &path, &bytes)
}

/// Whether this leaf stands at an index. Where another does, the tile is looked at whole.
pub(super) fn stands_at(
    tree: &TileTree<impl TileSource>,
    index: u64,
    leaf: &Hash,
) -> Result<bool, TileError> {
    let (path, bytes) = read(tree, index / TILE_WIDTH)?;
    let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
    let is_it = bytes.chunks_exact(32).nth(at).is_some_and(|found| found == leaf.0);
    Ok(is_it || checked(tree, &path, &bytes).map(|_| false)?)
}

/// Hands on these leaves, from the first of a tile to the last of one, or of all. Another thread reads ahead and looks at what
/// it reads: four million are in sixteen thousand files.
pub(super) fn each(
    tree: &TileTree<impl TileSource + Sync>,
    which: Range<u64>,
    mut take: impl FnMut(u64, &Hash),
) -> Result<(), OpenError> {
    let numbers = which.start / TILE_WIDTH..which.end.div_ceil(TILE_WIDTH);
    let begun = numbers.start;
    let (sender, tiles) = mpsc::sync_channel(AHEAD);
    let ahead = move || {
        for number in numbers {
            let tile = tile(tree, number);
            let is_last = tile.is_err();
            if sender.send(tile).is_err() || is_last {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new().name("reading ahead".to_owned()).spawn_scoped(scope, ahead)?;
        for (number, tile) in (begun..).zip(tiles) {
            (number * TILE_WIDTH..).zip(tile?.hashes()).for_each(|(index, leaf)| take(index, leaf));
        }
        Ok(())
    })
}
