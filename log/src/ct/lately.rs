//! What a certificate log was sent lately, so that a chain that comes again is answered as before.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::hash::Hash;
use crate::sct::{LoggedCertificate, TileLeaf, merkle_tree_leaf};
use crate::tile::{TILE_WIDTH, TileError, TileKind, TilePath, TileSource};

/// Submissions that are remembered: some eight megabytes.
const ROOM: usize = 65_536;

/// What is known of the leaf that a submission became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in a published checkpoint, as this process has seen.
    Published,
    /// It is durable, and was not published when that was last known.
    Durable,
    /// It was read from a tile, which anybody may have altered, or storage failed: another leaf may have its index.
    Unknown,
}

/// When a submission was logged and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    /// Unix milliseconds.
    pub timestamp: u64,
    pub index: u64,
    pub standing: Standing,
}

/// Submissions by [`name`], the oldest forgotten when there is no room.
#[derive(Debug)]
pub(super) struct Lately {
    logged: HashMap<Hash, Logged>,
    order: VecDeque<Hash>,
    room: usize,
}

impl Default for Lately {
    fn default() -> Self {
        Self { logged: HashMap::new(), order: VecDeque::new(), room: ROOM }
    }
}

impl Lately {
    pub(super) fn find(&self, name: &Hash) -> Option<Logged> {
        self.logged.get(name).copied()
    }

    /// Remembers those that a log published last, of a tree of `size` leaves, as far as there is room. They are not compared
    /// with the tree, since of few it will be asked.
    ///
    /// # Errors
    /// [`TileError`], and what was read before is remembered.
    pub(super) fn recall(&mut self, source: &impl TileSource, size: u64) -> Result<(), TileError> {
        for number in (0..size.div_ceil(TILE_WIDTH)).rev() {
            let path = TilePath::in_tree(TileKind::Data, number, size).expect("the tile is in the tree");
            let bytes = source.read_tile(&path)?;
            let in_place = |leaves: &Vec<TileLeaf>| {
                (number * TILE_WIDTH..).zip(leaves).all(|(place, leaf)| leaf.leaf_index == place)
            };
            let leaves = TileLeaf::parse_first(&bytes, usize::from(path.width)).filter(in_place);
            let unreadable = || TileError::Unreadable {
                path: path.to_string(),
                cause: "it does not hold the certificates of its place".to_owned(),
            };
            for leaf in leaves.ok_or_else(unreadable)?.into_iter().rev() {
                if self.order.len() == self.room {
                    return Ok(());
                }
                let (timestamp, index) = (leaf.timestamp, leaf.leaf_index);
                let logged = Logged { timestamp, index, standing: Standing::Unknown };
                // Of several the last, which came first here.
                if let Entry::Vacant(place) = self.logged.entry(name(&leaf.entry)) {
                    self.order.push_front(*place.key());
                    place.insert(logged);
                }
            }
        }
        Ok(())
    }

    /// Remembers a submission. Of two that were under way at once, the one that was published first.
    pub(super) fn note(&mut self, name: Hash, logged: Logged) {
        let had = self.logged.get(&name);
        if had.is_some_and(|had| had.standing == Standing::Published && had.index != logged.index) {
            return;
        }
        if self.logged.insert(name, logged).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.logged.remove(&oldest);
        }
    }
}

/// What two submissions have in common that one timestamp is good for: everything that is signed but time and index.
pub(super) fn name(entry: &LoggedCertificate) -> Hash {
    Hash::of(&[&merkle_tree_leaf(entry.signed(), 0, &[])])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// A log of so many certificates that have their index for a body, and twice that for a time; the one at 5 comes again at
    /// 290. One may say of itself that it stands elsewhere.
    struct Tiles(u64, Option<u64>);

    impl TileSource for Tiles {
        fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
            let first = path.number * TILE_WIDTH;
            assert_eq!(TilePath::in_tree(TileKind::Data, path.number, self.0), Some(*path));
            let leaf = |leaf_index: u64| {
                let entry = certificate(if leaf_index == 290 { 5 } else { leaf_index });
                let timestamp = 2 * leaf_index;
                let leaf_index = if self.1 == Some(leaf_index) { leaf_index - 1 } else { leaf_index };
                TileLeaf { entry, timestamp, leaf_index, chain: Vec::new() }.to_bytes()
            };
            Ok((first..first + u64::from(path.width)).flat_map(leaf).collect())
        }
    }

    fn certificate(number: u64) -> LoggedCertificate {
        LoggedCertificate::Certificate(number.to_be_bytes().to_vec())
    }

    #[test]
    fn what_was_published_last_is_recalled() {
        let mut lately = Lately { room: 280, ..Lately::default() };
        lately.recall(&Tiles(300, None), 300).unwrap();
        let found = |lately: &Lately, number| lately.find(&name(&certificate(number)));
        let recalled = |index| Logged { timestamp: 2 * index, index, standing: Standing::Unknown };
        assert_eq!(found(&lately, 19), None, "there is no room for it");
        for number in (20..300).filter(|number| *number != 290) {
            assert_eq!(found(&lately, number), Some(recalled(number)));
        }
        assert_eq!(found(&lately, 5), Some(recalled(290)));
        // The oldest makes room.
        lately.note(name(&certificate(300)), recalled(300));
        assert_eq!((found(&lately, 20), found(&lately, 21)), (None, Some(recalled(21))));
        Lately::default().recall(&Tiles(0, None), 0).unwrap();
    }

    #[test]
    fn a_tile_with_a_certificate_out_of_its_place_is_not_recalled() {
        let found = |lately: &Lately, number| lately.find(&name(&certificate(number))).is_some();
        let mut lately = Lately::default();
        lately.recall(&Tiles(600, None), 600).unwrap();
        assert!((0..600).all(|number| found(&lately, number) == (number != 290)));
        let mut lately = Lately::default();
        let error = lately.recall(&Tiles(600, Some(300)), 600).unwrap_err();
        assert_eq!(error.reason(), "log-unreadable");
        assert!((0..600).all(|number| found(&lately, number) == (number >= 512)));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut lately = Lately { room: 2, ..Lately::default() };
        let [first, second, third] = [b"1", b"2", b"3"].map(|name| Hash::of(&[name]));
        let logged = |index| Logged { timestamp: 7, index, standing: Standing::Durable };
        lately.note(first, logged(0));
        lately.note(second, logged(1));
        lately.note(first, Logged { standing: Standing::Published, ..logged(0) });
        assert_eq!(lately.find(&first).unwrap().standing, Standing::Published);
        lately.note(first, Logged { standing: Standing::Published, ..logged(9) });
        assert_eq!(lately.find(&first).unwrap().index, 0, "published before");
        lately.note(third, logged(2));
        assert_eq!((lately.find(&first), lately.find(&second)), (None, Some(logged(1))));
        assert_eq!((lately.logged.len(), lately.order.len()), (2, 2));
    }
}
