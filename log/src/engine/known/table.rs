//! Leaves in memory: eight bytes for each, in tables that are at most seven eighths full.

use std::ops::Range;

use super::{OpenError, PREFIX_BITS, leaves};
use crate::hash::Hash;
use crate::tile::TileSource;

const SHARD_BITS: u32 = 8;
/// Of the bits of a hash, those that a slot holds.
const TAG_BITS: u32 = PREFIX_BITS - SHARD_BITS;

/// Indices by leaf hash, from some index on.
#[derive(Debug)]
pub(super) struct Table {
    first: u64,
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    /// `tag ‖ index − first + 1`, or zero; in the order of tags, but for what linear probing moved.
    slots: Vec<u64>,
    used: usize,
}

/// The shard, and what the shard knows of the hash.
fn split(leaf: &Hash) -> (usize, u32) {
    let [shard, a, b, c, d, ..] = leaf.0;
    (usize::from(shard), u32::from_be_bytes([a, b, c, d]))
}

impl Table {
    /// Empty, for leaves from `first` on, with space for so many.
    pub(super) fn new(first: u64, leaves: u64) -> Self {
        let each = usize::try_from(leaves >> SHARD_BITS).unwrap_or(0);
        let shard = |_| Shard { slots: vec![0; each + each / 4 + 8], used: 0 };
        Self { first, shards: (0..1 << SHARD_BITS).map(shard).collect() }
    }

    /// Those leaves of a tree of `size`.
    pub(super) fn of(
        which: Range<u64>,
        tiles: &(impl TileSource + Sync),
        size: u64,
    ) -> Result<Self, OpenError> {
        let mut table = Self::new(which.start, which.end - which.start);
        leaves(tiles, size, which, |index, leaf| table.insert(&leaf, index))?;
        Ok(table)
    }

    /// Indices at which the leaf may be.
    pub(super) fn candidates(&self, leaf: &Hash) -> Vec<u64> {
        let (shard, tag) = split(leaf);
        self.shards[shard].candidates(tag).map(|number| self.first + u64::from(number)).collect()
    }

    /// Notes a leaf.
    pub(super) fn insert(&mut self, leaf: &Hash, index: u64) {
        let (shard, tag) = split(leaf);
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

    /// How many are before `end`.
    pub(super) fn count_before(&self, end: u64) -> usize {
        self.shards.iter().flat_map(Shard::used).filter(|slot| self.index(*slot) < end).count()
    }

    fn index(&self, slot: u64) -> u64 {
        self.first + u64::from(number(slot))
    }

    /// Those before `end`, with the first bits of their hashes and the number of each from the first on, in this order.
    pub(super) fn before(&self, end: u64) -> impl Iterator<Item = (u64, u32)> {
        let below = move |slot: &u64| self.index(*slot) < end;
        (0u64..).zip(&self.shards).flat_map(move |(at, shard)| {
            let mut slots: Vec<u64> = shard.used().filter(below).collect();
            slots.sort_unstable();
            slots.into_iter().map(move |slot| (at << TAG_BITS | u64::from(tag(slot)), number(slot)))
        })
    }

    /// Those from `first` on.
    pub(super) fn behind(&self, first: u64) -> Self {
        let mut table = Self::new(first, 0);
        for (at, shard) in self.shards.iter().enumerate() {
            for slot in shard.used() {
                if self.index(slot) >= first {
                    table.put(at, tag(slot), self.index(slot));
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
    use super::super::prefix;
    use super::*;

    fn leaf(number: u64) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn every_leaf_is_found_and_hardly_another() {
        let mut table = Table::new(1_000, 1_000);
        (0..50_000).for_each(|number| table.insert(&leaf(number), 1_000 + number));
        table.insert(&leaf(7), 51_000);
        for number in 0..50_000 {
            let mut found = table.candidates(&leaf(number));
            found.sort_unstable();
            let expected = if number == 7 { vec![1_007, 51_000] } else { vec![1_000 + number] };
            assert_eq!(found, expected);
        }
        assert!((50_000..90_000).all(|number| table.candidates(&leaf(number)).is_empty()));
        let slots: usize = table.shards.iter().map(|shard| shard.slots.len()).sum();
        assert!(slots < 50_001 * 3 / 2, "{slots} slots");
    }

    #[test]
    fn what_is_before_and_what_is_behind_is_all() {
        let mut table = Table::new(100, 0);
        (100..1_100).for_each(|index| table.insert(&leaf(index), index));
        let before: Vec<_> = table.before(600).collect();
        assert!(before.is_sorted() && before.len() == 500 && table.count_before(600) == 500);
        for index in 100..600 {
            let number = u32::try_from(index - 100).unwrap_or(u32::MAX);
            assert!(before.contains(&(prefix(&leaf(index)), number)), "{index}");
        }
        let behind = table.behind(600);
        assert!((100..600).all(|index| behind.candidates(&leaf(index)).is_empty()));
        assert!((600..1_100).all(|index| behind.candidates(&leaf(index)) == [index]));
        assert_eq!(behind.before(u64::MAX).count(), 500);
    }
}
