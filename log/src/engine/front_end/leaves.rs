//! The leaves by which the order tells duplicates, compared with it when a front end starts, and made anew from the tree
//! where somebody else has changed them.

use std::io;

use super::FrontEnd;
use crate::engine::Layout;
use crate::hash::Hash;
use crate::store::Reader;
use crate::store::shared::{Ordered, Piece};
use crate::tile::{TILE_WIDTH, TileKind, TilePath, TileSource as _};

/// Tiles of a piece: few enough to be read before the order takes who has the turn for gone.
const TILES: usize = 16;

impl FrontEnd {
    /// Has the leaves agree with the order. Nobody orders anything while they are made anew.
    pub(super) fn check_leaves(&mut self) -> io::Result<()> {
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
        journal.begin(&[])?;
        // Another front end may have begun as this one did.
        if journal.leaves_agree()? {
            return journal.pass();
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
        journal.renew_leaves(&mut pieces(&reader, stored).chain(ordered))
    }
}

/// The leaves of a tree that is in full tiles.
fn pieces(reader: &Reader, size: u64) -> impl Iterator<Item = io::Result<Piece>> {
    (0..size.div_ceil(TILE_WIDTH)).step_by(TILES).map(move |from| {
        let mut leaves = Vec::new();
        for number in (from..size.div_ceil(TILE_WIDTH)).take(TILES) {
            let path = TilePath::in_tree(TileKind::Hashes(0), number, size).expect("the tile is in the tree");
            let tile = reader.read_tile(&path).map_err(io::Error::other)?;
            leaves.extend(tile.chunks_exact(32).filter_map(Hash::from_slice));
        }
        Ok((from * TILE_WIDTH, leaves))
    })
}
