//! Leaves in memory: eight bytes for each, in tables that are at most seven eighths full.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use crate::engine::{OpenError, leaves};
use crate::hash::Hash;
use crate::tile::{TileSource, TileTree};

const SHARD_BITS: u32 = 8;

/// Indices by leaf hash, from some index on.
#[derive(Debug)]
pub(super) struct Table {
    /// So that nobody who chooses leaves chooses where they lie.
    key: RandomState,
    first: u64,
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    /// `tag ‖ index − first + 1`, or zero; in the order of tags, but for what linear probing moved.
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    /// Empty, for leaves from `first` on, with space for so many.
    pub(super) fn new(first: u64, leaves: u64) -> Self {
        Self::keyed(RandomState::new(), first, leaves)
    }

    fn keyed(key: RandomState, first: u64, leaves: u64) -> Self {
        let each = usize::try_from(leaves >> SHARD_BITS).unwrap_or(0);
        let shard = |_| Shard { slots: vec![0; each + each / 4 + 8], used: 0 };
        Self { key, first, shards: (0..1 << SHARD_BITS).map(shard).collect() }
    }

    /// Those leaves of a tree.
    pub(super) fn of(which: Range<u64>, tree: &TileTree<impl TileSource + Sync>) -> Result<Self, OpenError> {
        let mut table = Self::new(which.start, which.end - which.start);
        leaves::each(tree, which, |index, leaf| table.insert(leaf, index))?;
        Ok(table)
    }

    /// The shard, and what the shard knows of the leaf.
    fn split(&self, leaf: &Hash) -> (usize, u32) {
        let [shard, a, b, c, d, ..] = self.key.hash_one(leaf.0).to_be_bytes();
        (usize::from(shard), u32::from_be_bytes([a, b, c, d]))
    }

    /// Indices at which the leaf may be.
    pub(super) fn candidates(&self, leaf: &Hash) -> Vec<u64> {
        let (shard, tag) = self.split(leaf);
        self.shards[shard].candidates(tag).map(|number| self.first + u64::from(number)).collect()
    }

    /// Notes a leaf.
    pub(super) fn insert(&mut self, leaf: &Hash, index: u64) {
        let (shard, tag) = self.split(leaf);
        self.put(shard, tag, index);
    }

    fn put(&mut self, shard: usize, tag: u32, index: u64) {
        let number = index.checked_sub(self.first).and_then(|number| u32::try_from(number + 1).ok());
        let number = number.expect("behind the first, and a segment is written before there are 2^32");
        let shard = &mut self.shards[shard];
        if (shard.used + 1) * 8 > shard.slots.len() * 7 {
            shard.grow();
        }
        shard.put(u64::from(tag) << u32::BITS | u64::from(number));
    }

    /// Those from `first` on.
    pub(super) fn behind(&self, first: u64) -> Self {
        let mut table = Self::keyed(self.key.clone(), first, 0);
        for (at, shard) in self.shards.iter().enumerate() {
            for slot in shard.used() {
                let index = self.first + u64::from(number(slot));
                if index >= first {
                    table.put(at, tag(slot), index);
                }
            }
        }
        table
    }
}

impl Shard {
    fn home(&self, tag: u32) -> usize {
        let place = (u64::from(tag) * self.slots.len() as u64) >> u32::BITS;
        usize::try_from(place).expect("below the number of slots")
    }

    fn put(&mut self, slot: u64) {
        let mut at = self.home(tag(slot));
        while self.slots[at] != 0 {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        self.slots[at] = slot;
        self.used += 1;
    }

    fn candidates(&self, wanted: u32) -> impl Iterator<Item = u32> {
        let home = self.home(wanted);
        let run = self.slots[home..].iter().chain(&self.slots[..home]).take_while(|slot| **slot != 0);
        run.filter(move |slot| tag(**slot) == wanted).map(|slot| number(*slot))
    }

    fn used(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().copied().filter(|slot| *slot != 0)
    }

    fn grow(&mut self) {
        let larger = self.slots.len() + self.slots.len() / 4 + 8;
        let old = std::mem::replace(self, Self { slots: vec![0; larger], used: 0 });
        old.used().for_each(|slot| self.put(slot));
    }
}

fn tag(slot: u64) -> u32 {
    u32::try_from(slot >> u32::BITS).expect("the upper half")
}

fn number(slot: u64) -> u32 {
    u32::try_from((slot & u64::from(u32::MAX)) - 1).expect("the lower half, which is not zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(number: u64) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn every_leaf_is_found_and_hardly_another() {
        let mut table = Table::new(1_000, 1_000);
        (0..50_000).for_each(|number| table.insert(&leaf(number), 1_000 + number));
        table.insert(&leaf(7), 51_000);
        let mut found = 0;
        for number in 0..90_000 {
            let candidates = table.candidates(&leaf(number));
            found += candidates.len();
            assert!(number >= 50_000 || candidates.contains(&(1_000 + number)));
            assert!(number != 7 || candidates.contains(&51_000));
        }
        // Of forty bits one pair in a million million has all the same.
        assert!((50_001..50_005).contains(&found), "{found}");
        let slots: usize = table.shards.iter().map(|shard| shard.slots.len()).sum();
        assert!(slots < 50_001 * 3 / 2, "{slots} slots");
    }

    #[test]
    fn what_is_behind_stays_and_what_is_before_goes() {
        let mut table = Table::new(100, 0);
        (100..1_100).for_each(|index| table.insert(&leaf(index), index));
        let behind = table.behind(600);
        assert!((100..600).all(|index| behind.candidates(&leaf(index)).is_empty()));
        assert!((600..1_100).all(|index| behind.candidates(&leaf(index)) == [index]));
    }

    /// Leaves are chosen by whoever sends entries, as many as they like: those that lie together in one log do not in another.
    #[test]
    fn leaves_that_were_chosen_lie_apart() {
        let (one, mut other) = (Table::new(0, 0), Table::new(0, 0));
        let chosen = (0..200_000).map(leaf).filter(|leaf| one.split(leaf).0 == 0);
        chosen.zip(0..).for_each(|(leaf, index)| other.insert(&leaf, index));
        // Some 780 in 256 shards, three in each.
        let most = other.shards.iter().map(|shard| shard.used).max();
        assert!((1..30).contains(&most.unwrap_or(0)), "{most:?}");
    }
}
