//! What a certificate log was sent lately, so that a chain that comes again is answered as before.

use std::collections::{HashMap, VecDeque};

use crate::hash::Hash;
use crate::sct::{LoggedCertificate, merkle_tree_leaf};

/// Submissions that are remembered: some eight megabytes.
const ROOM: usize = 65_536;

/// What is known of the leaf that a submission became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in a published checkpoint.
    Published,
    /// It is durable, and was not published when that was last known.
    Durable,
    /// Storage failed: another leaf may have its index.
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
