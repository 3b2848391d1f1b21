//! Which leaves the log holds, for refusing them a second time: eight bytes for each, in tables that are at most seven
//! eighths full.
//!
//! A slot holds the leaf's index and 32 bits of its hash; whether a leaf with those bits is the one asked for, the tree
//! itself says. So the table can be wrong about nothing: it is made from the tree at each start, and what it proposes is
//! compared with the tree. Beyond 2³² leaves nothing is remembered.

use crate::hash::Hash;

const SHARDS: usize = 256;

/// Indices by leaf hash.
#[derive(Debug)]
pub(super) struct Known {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    /// `tag ‖ index + 1`, or zero; in the order of tags, but for what linear probing moved.
    slots: Vec<u64>,
    used: usize,
}

/// The shard, and what the shard knows of the hash.
fn split(hash: &Hash) -> (usize, u32) {
    let [shard, a, b, c, d, ..] = hash.0;
    (usize::from(shard), u32::from_be_bytes([a, b, c, d]))
}

impl Known {
    /// Empty, with space for so many leaves.
    pub(super) fn with_capacity(leaves: u64) -> Self {
        let each = usize::try_from(leaves).unwrap_or(0) / SHARDS;
        let shard = |_| Shard { slots: vec![0; each + each / 4 + 8], used: 0 };
        Self { shards: (0..SHARDS).map(shard).collect() }
    }

    /// The last index whose leaf `is` this one.
    pub(super) fn find(&self, hash: &Hash, is: impl Fn(u64) -> bool) -> Option<u64> {
        let (shard, tag) = split(hash);
        let mut found: Vec<u64> = self.shards[shard].candidates(tag).collect();
        found.sort_unstable();
        found.into_iter().rev().find(|index| is(*index))
    }

    /// Notes a leaf.
    pub(super) fn insert(&mut self, hash: &Hash, index: u64) {
        let Some(number) = u32::try_from(index).ok().and_then(|index| index.checked_add(1)) else { return };
        let (shard, tag) = split(hash);
        let shard = &mut self.shards[shard];
        if (shard.used + 1) * 8 > shard.slots.len() * 7 {
            shard.grow();
        }
        shard.put(u64::from(tag) << 32 | u64::from(number));
    }
}

impl Shard {
    fn home(&self, tag: u32) -> usize {
        let place = (u64::from(tag) * self.slots.len() as u64) >> 32;
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

    fn candidates(&self, wanted: u32) -> impl Iterator<Item = u64> {
        let home = self.home(wanted);
        let run = self.slots[home..].iter().chain(&self.slots[..home]).take_while(|slot| **slot != 0);
        run.filter(move |slot| tag(**slot) == wanted).map(|slot| (slot & u64::from(u32::MAX)) - 1)
    }

    fn grow(&mut self) {
        let larger = self.slots.len() + self.slots.len() / 4 + 8;
        let old = std::mem::replace(self, Self { slots: vec![0; larger], used: 0 });
        old.slots.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.put(slot));
    }
}

fn tag(slot: u64) -> u32 {
    u32::try_from(slot >> 32).expect("the upper half")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn every_leaf_is_found_at_its_last_index_and_no_other_is() {
        let mut known = Known::with_capacity(1000);
        (0..50_000).for_each(|number| known.insert(&hash(number), number));
        known.insert(&hash(7), 50_000);
        let leaf = |index: u64| if index == 50_000 { hash(7) } else { hash(index) };
        for number in 0..50_000 {
            let expected = if number == 7 { 50_000 } else { number };
            assert_eq!(known.find(&hash(number), |index| leaf(index) == hash(number)), Some(expected));
        }
        assert!((50_000..90_000).all(|n| known.find(&hash(n), |index| leaf(index) == hash(n)).is_none()));
        let slots: usize = known.shards.iter().map(|shard| shard.slots.len()).sum();
        assert!(slots < 50_001 * 3 / 2, "{slots} slots");
    }

    #[test]
    fn leaves_of_equal_bits_are_told_apart() {
        let mut known = Known::with_capacity(0);
        let twins: Vec<_> = (0..40u8)
            .map(|last| Hash([[1; 31].as_slice(), &[last]].concat().try_into().unwrap_or([0; 32])))
            .collect();
        twins.iter().zip(0..).for_each(|(twin, index)| known.insert(twin, index));
        for (twin, index) in twins.iter().zip(0u8..) {
            assert_eq!(
                known.find(twin, |at| twins[usize::try_from(at).unwrap_or(0)] == *twin),
                Some(u64::from(index))
            );
        }
        assert_eq!(known.find(&Hash([1; 32]), |at| at == 99), None);
        known.insert(&Hash([2; 32]), u64::from(u32::MAX));
        assert_eq!(known.find(&Hash([2; 32]), |_| true), None, "beyond what a slot holds");
    }
}
