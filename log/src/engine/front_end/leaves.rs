//! The leaves by which the order tells duplicates, compared with it when a front end starts, and made anew from the tree
//! where somebody else has changed them.

use std::io;

use super::FrontEnd;
use super::leading::published_and_ordered;
use crate::engine::{Layout, OpenError, leaves};
use crate::hash::Hash;
use crate::store::Reader;
use crate::store::shared::{Ordered, Piece};
use crate::tile::{HashTile, TILE_WIDTH, TileError, TileKind, TilePath, TileSource as _, TileTree};

/// Tiles of a piece: few enough to be read before the order takes who has the turn for gone.
const TILES: usize = 16;

impl FrontEnd {
    /// Has the leaves agree with the order. Nobody orders anything while they are made anew.
    pub(super) fn check_leaves(&mut self) -> Result<(), OpenError> {
        // The leaves of a certificate log differ all.
        let Some(journal) = self.journal.as_deref_mut().filter(|_| self.config.layout == Layout::TlogTiles)
        else {
            return Ok(());
        };
        let turn = journal.begin(&[])?;
        journal.pass()?;
        // Of an order that has ended nobody asks for duplicates.
        if turn.ended || journal.leaves_agree()? {
            return Ok(());
        }
        // The last tiles have no full one above them; whether they are damaged the published root tells, of what is under it.
        // It may take longer than a turn.
        published_and_ordered(&self.config, journal)?;
        journal.begin(&[])?;
        // Another front end may have begun as this one did.
        if journal.leaves_agree()? {
            return Ok(journal.pass()?);
        }
        tracing::warn!(
            "the leaves of the order were changed by somebody else, and are made anew from the tree"
        );
        let Ordered { batches, size, .. } = journal.read(None)?;
        // What the order does not have any more is in full tiles.
        let stored = batches.first().map_or(size, |batch| batch.first);
        let reader = self.config.reader();
        let ordered = batches
            .iter()
            .map(|batch| Ok((batch.first, batch.entries.iter().map(|entry| entry.leaf).collect())));
        Ok(journal.renew_leaves(&mut pieces(&reader, stored).chain(ordered))?)
    }
}

/// The first leaves, which are in full tiles.
fn pieces(reader: &Reader, size: u64) -> impl Iterator<Item = io::Result<Piece>> {
    let covered = TileTree::new(reader, size - size % (TILE_WIDTH * TILE_WIDTH));
    let last = size.div_ceil(TILE_WIDTH);
    (0..last).step_by(TILES).map(move |from| {
        let tiles = (from..last).take(TILES).map(|number| read(&covered, size, number));
        let tiles = tiles.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
        Ok((from * TILE_WIDTH, tiles.iter().flat_map(HashTile::hashes).copied().collect::<Vec<Hash>>()))
    })
}

/// A tile of the first `size` leaves; where a full one is above it, compared with that.
fn read(covered: &TileTree<&Reader>, size: u64, number: u64) -> Result<HashTile, TileError> {
    if number < covered.size() / TILE_WIDTH {
        return leaves::tile(covered, number);
    }
    let path = TilePath::in_tree(TileKind::Hashes(0), number, size).expect("the tile is in the tree");
    HashTile::parse(&path, &covered.source().read_tile(&path)?)
}
