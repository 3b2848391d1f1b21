//! What stands under a key: an append-only list of (log, index), committed to by its RFC 6962 root.
//!
//! ```text
//! item         = SHA-256(log origin) (32) ‖ index (u64, big-endian)
//! list root    = RFC 6962 tree hash over the items
//! value digest = SHA-256("sigveil-map-value-v1" ‖ count (u64) ‖ list root)
//! ```
//!
//! A list is served in pages of [`PAGE`] items, each with its [`range_proof`], so that a busy key makes no
//! other answer large. A client that knew the list at `n` items checks by a consistency proof that those `n`
//! still stand ([`Growth`]).

use sha2::{Digest as _, Sha256};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{self, NodeSource, ProofError, leaf_hash, node_hash};

/// Items in a full page.
pub const PAGE: u64 = 256;

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// SHA-256 of the log's origin.
    pub log: Hash,
    /// Index of the entry in that log.
    pub index: u64,
}

impl Item {
    /// Entry `index` of the log with this origin.
    pub fn new(origin: &str, index: u64) -> Self {
        Self { log: Hash::of(&[origin.as_bytes()]), index }
    }

    /// Hash of the list's leaf.
    pub fn leaf(&self) -> Hash {
        let mut data = [0; 40];
        data[..32].copy_from_slice(&self.log.0);
        data[32..].copy_from_slice(&self.index.to_be_bytes());
        leaf_hash(&data)
    }
}

/// The commitment to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Items in the list, at least one.
    pub count: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Value {
    /// What the map holds under the key.
    pub fn digest(&self) -> [u8; 32] {
        let domain = b"sigveil-map-value-v1";
        Sha256::new_with_prefix(domain)
            .chain_update(self.count.to_be_bytes())
            .chain_update(self.root.0)
            .finalize()
            .into()
    }
}

/// Proof that the leaves `begin..end` are those of the tree of `size` leaves: the roots of the subtrees beside
/// them, in the order of the leaves.
///
/// # Errors
/// Those of the source.
pub fn range_proof<S: NodeSource>(
    source: &S,
    begin: u64,
    end: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    prove_within(source, (begin, end), (0, size), &mut proof)?;
    Ok(proof)
}

fn prove_within<S: NodeSource>(
    source: &S,
    wanted: (u64, u64),
    (low, high): (u64, u64),
    proof: &mut Vec<Hash>,
) -> Result<(), S::Error> {
    if low == high || wanted.0 <= low && high <= wanted.1 {
        return Ok(());
    }
    if high <= wanted.0 || wanted.1 <= low {
        proof.push(merkle::range_root(source, low, high)?);
        return Ok(());
    }
    let middle = low + split(high - low);
    prove_within(source, wanted, (low, middle), proof)?;
    prove_within(source, wanted, (middle, high), proof)
}

/// The root of the tree of `size` leaves that these leaves, from `begin` on, and this proof lead to; `None`
/// when they do not fit together.
pub fn root_from_range(leaves: &[Hash], begin: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    let end = begin.checked_add(leaves.len() as u64).filter(|end| *end <= size && !leaves.is_empty())?;
    let mut proof = proof.iter();
    let root = climb_within(leaves, (begin, end), (0, size), &mut proof)?;
    proof.next().is_none().then_some(root)
}

fn climb_within(
    leaves: &[Hash],
    wanted: (u64, u64),
    (low, high): (u64, u64),
    proof: &mut std::slice::Iter<'_, Hash>,
) -> Option<Hash> {
    if high <= wanted.0 || wanted.1 <= low {
        return proof.next().copied();
    }
    if high - low == 1 {
        return leaves.get(usize::try_from(low - wanted.0).ok()?).copied();
    }
    let middle = low + split(high - low);
    let left = climb_within(leaves, wanted, (low, middle), proof)?;
    let right = climb_within(leaves, wanted, (middle, high), proof)?;
    Some(node_hash(&left, &right))
}

/// The largest power of two below `count`, for `count > 1`.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// Proof that a list has only been appended to since a client last saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// RFC 6962 consistency proof between the two roots; empty when the list was empty or has not grown.
    pub consistency: Vec<Hash>,
}

impl Growth {
    /// Checks that the list of `new` begins with the list of `old`; `old` is `None` where the key was proven
    /// absent. Both values must have been proven against map roots that the caller trusts.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, old: Option<&Value>, new: &Value) -> Result<(), ProofError> {
        let Some(old) = old else {
            let actual = self.consistency.len();
            return if actual == 0 { Ok(()) } else { Err(ProofError::Length { expected: 0, actual }) };
        };
        merkle::verify_consistency(old.count, &old.root, new.count, &new.root, &self.consistency)
    }
}
