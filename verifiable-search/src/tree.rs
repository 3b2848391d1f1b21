//! RFC 6962 trees in memory: every complete node is kept, so proofs at any size need no hashing of leaves.

use sigveil_log::hash::Hash;
use sigveil_log::merkle::{self, NodeSource, ProofError, node_hash};

/// A tree of leaf hashes that only grows. About 64 bytes per leaf.
#[derive(Default)]
pub(crate) struct Tree {
    /// `levels[l][i]` is the root of leaves `i·2^l .. (i+1)·2^l`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(node);
            match row.len() % 2 {
                0 => node = node_hash(&row[row.len() - 2], &row[row.len() - 1]),
                _ => return,
            }
        }
    }

    pub(crate) fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// Root of the first `size` leaves.
    pub(crate) fn root(&self, size: u64) -> Result<Hash, ProofError> {
        self.check(size)?;
        merkle::root(self, size)
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        self.check(size)?;
        merkle::inclusion_proof(self, index, size)
    }

    fn check(&self, size: u64) -> Result<(), ProofError> {
        if size <= self.len() { Ok(()) } else { Err(ProofError::Sizes { old: size, new: self.len() }) }
    }
}

impl NodeSource for Tree {
    type Error = ProofError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let row = self.levels.get(level as usize);
        let node = row.and_then(|row| row.get(usize::try_from(index).ok()?));
        node.copied().ok_or(ProofError::IndexBeyondSize { index, size: self.len() })
    }
}
