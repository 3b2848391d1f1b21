//! Making of roots and proofs from stored nodes.

use super::{ProofError, empty_root, node_hash};
use crate::hash::Hash;

/// Where complete subtrees come from.
pub trait NodeSource {
    /// What goes wrong when a node cannot be read.
    type Error: From<ProofError>;

    /// Root of the complete subtree of `2^level` leaves that begins at leaf `index · 2^level`. Asked only for
    /// subtrees that lie wholly inside the tree.
    ///
    /// # Errors
    /// When the node cannot be read.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        (**self).node(level, index)
    }
}

/// Root of the first `size` leaves.
///
/// # Errors
/// Those of the source.
pub fn root<S: NodeSource>(source: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { range_root(source, 0, size) }
}

/// RFC 6962 `MTH(D[begin:end])` for a non-empty range that the recursion of that section can reach.
///
/// # Errors
/// Those of the source.
pub fn range_root<S: NodeSource>(source: &S, begin: u64, end: u64) -> Result<Hash, S::Error> {
    let count = end - begin;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return source.node(level, begin >> level);
    }
    let middle = begin + split(count);
    Ok(node_hash(&range_root(source, begin, middle)?, &range_root(source, middle, end)?))
}

/// RFC 6962 §2.1.1 audit path of leaf `index` in the tree of `size` leaves, leaf side first.
///
/// # Errors
/// [`ProofError::IndexBeyondSize`], and those of the source.
pub fn inclusion_proof<S: NodeSource>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    if index >= size {
        return Err(ProofError::IndexBeyondSize { index, size }.into());
    }
    let (mut begin, mut end) = (0, size);
    let mut path = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// RFC 6962 §2.1.2 proof that the first `old_size` leaves are a prefix of the first `new_size`.
///
/// # Errors
/// [`ProofError::Sizes`] unless `0 < old_size ≤ new_size`, and those of the source.
pub fn consistency_proof<S: NodeSource>(
    source: &S,
    old_size: u64,
    new_size: u64,
) -> Result<Vec<Hash>, S::Error> {
    if old_size == 0 || old_size > new_size {
        return Err(ProofError::Sizes { old: old_size, new: new_size }.into());
    }
    let (mut begin, mut end) = (0, new_size);
    // True while the old tree is a complete subtree that begins at 0: the verifier has its root already.
    let mut known = true;
    let mut path = Vec::new();
    while end != old_size {
        let middle = begin + split(end - begin);
        if old_size <= middle {
            path.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(source, begin, middle)?);
            begin = middle;
            known = false;
        }
    }
    if !known {
        path.push(range_root(source, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `count`, for `count > 1`.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}
