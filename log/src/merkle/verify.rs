//! Verification of inclusion and consistency proofs, by the shape that index and size dictate.

use super::{ProofError, node_hash};
use crate::hash::Hash;

/// Checks that `leaf` stands at `index` of the tree with `size` leaves and this `root`.
///
/// # Errors
/// [`ProofError`] when index and size do not fit, the proof has another length than they demand, or it
/// leads to another root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_from_inclusion(leaf, index, size, proof)? == *root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}

/// The root to which an inclusion proof leads.
///
/// # Errors
/// As [`verify_inclusion`], without the comparison of the root.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash]) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::IndexBeyondSize { index, size });
    }
    let (inner, border) = shape(index, size);
    check_length(inner + border, proof)?;
    let seed = chain_inner(*leaf, &proof[..inner], index);
    Ok(chain_border(seed, &proof[inner..]))
}

/// Checks that the tree of `old_size` leaves is a prefix of the one of `new_size` leaves.
///
/// Equal sizes demand equal roots and an empty proof. An empty old tree is refused: such a proof says nothing.
///
/// # Errors
/// [`ProofError`] when the sizes do not fit, the length is wrong, or either root is not reached.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size || old_size == 0 {
        return Err(ProofError::Sizes { old: old_size, new: new_size });
    }
    if old_size == new_size {
        check_length(0, proof)?;
        return if old_root == new_root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    let (inner, border) = shape(old_size - 1, new_size);
    let shift = old_size.trailing_zeros() as usize;
    let inner = inner - shift;
    // A complete old tree is itself a node of the new one: its root seeds the chain and is not sent.
    let (seed, proof) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (seed, rest) =
            proof.split_first().ok_or(ProofError::Length { expected: 1 + inner + border, actual: 0 })?;
        (*seed, rest)
    };
    check_length(inner + border, proof)?;
    let mask = (old_size - 1) >> shift;
    let (inner_proof, border_proof) = proof.split_at(inner);
    let old = chain_border(chain_inner_right(seed, inner_proof, mask), border_proof);
    let new = chain_border(chain_inner(seed, inner_proof, mask), border_proof);
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Number of proof nodes below and above the point where the paths of `index` and of the last leaf meet.
fn shape(index: u64, size: u64) -> (usize, usize) {
    let inner = 64 - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner as usize, border as usize)
}

fn check_length(expected: usize, proof: &[Hash]) -> Result<(), ProofError> {
    if proof.len() == expected { Ok(()) } else { Err(ProofError::Length { expected, actual: proof.len() }) }
}

fn chain_inner(seed: Hash, proof: &[Hash], index: u64) -> Hash {
    proof.iter().enumerate().fold(seed, |seed, (level, sibling)| {
        if (index >> level) & 1 == 0 { node_hash(&seed, sibling) } else { node_hash(sibling, &seed) }
    })
}

fn chain_inner_right(seed: Hash, proof: &[Hash], index: u64) -> Hash {
    proof.iter().enumerate().fold(seed, |seed, (level, sibling)| {
        if (index >> level) & 1 == 1 { node_hash(sibling, &seed) } else { seed }
    })
}

fn chain_border(seed: Hash, proof: &[Hash]) -> Hash {
    proof.iter().fold(seed, |seed, sibling| node_hash(sibling, &seed))
}
