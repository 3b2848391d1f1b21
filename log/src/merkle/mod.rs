//! RFC 6962 §2.1 Merkle trees: hashes, proofs, and the verification of proofs.
//!
//! Nothing here knows where nodes are stored: proofs are made over a [`NodeSource`], which tiles
//! ([`crate::tile`]) implement. Sizes and indices come from untrusted input everywhere.

mod prove;
mod verify;

pub use prove::{NodeSource, consistency_proof, inclusion_proof, range_root, root};
pub use verify::{root_from_inclusion, verify_consistency, verify_inclusion};

use crate::hash::Hash;

/// Leaf hash `SHA-256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::of(&[&[0], entry])
}

/// Interior node hash `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

/// Root of the tree without leaves, `SHA-256("")`.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// Why a Merkle proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf index is not below the tree size.
    #[error("leaf index {index} is not in a tree of {size}")]
    IndexBeyondSize {
        /// Index asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one, or empty while the newer one is not.
    #[error("no consistency can be proven from size {old} to size {new}")]
    Sizes {
        /// Size of the older tree.
        old: u64,
        /// Size of the newer tree.
        new: u64,
    },
    /// The proof has the wrong number of hashes for its position and size.
    #[error("proof has {actual} hashes where {expected} belong")]
    Length {
        /// Hashes that this position and size demand.
        expected: usize,
        /// Hashes given.
        actual: usize,
    },
    /// The proof leads to another root.
    #[error("proof leads to another root")]
    RootMismatch,
}

impl ProofError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::IndexBeyondSize { .. } => "proof-index-beyond-size",
            Self::Sizes { .. } => "proof-sizes",
            Self::Length { .. } => "proof-length",
            Self::RootMismatch => "proof-root-mismatch",
        }
    }
}
