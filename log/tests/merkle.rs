//! RFC 6962 proofs against published vectors and against a naive reading of the RFC.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;
use sigveil_log::Hash;
use sigveil_log::merkle::*;

fn vectors(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/merkle").join(folder), &mut files);
    files
}

/// Bytes that are no hash at all are refused where they enter, as they are by [`Hash::from_slice`].
fn hash(text: &str) -> Option<Hash> {
    Hash::from_slice(&STANDARD.decode(text).unwrap())
}

/// Some vectors have roots that are no hashes, and only compare them: their SHA-256 stands for them.
fn root_of(text: &str) -> Hash {
    hash(text).unwrap_or_else(|| Hash::of(&[&STANDARD.decode(text).unwrap()]))
}

fn proof(hashes: Option<Vec<String>>) -> Option<Vec<Hash>> {
    hashes.unwrap_or_default().iter().map(|text| hash(text)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[test]
fn published_inclusion_vectors() {
    let files = vectors("inclusion");
    assert_eq!(files.len(), 98);
    for file in files {
        let case: Inclusion = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let accepted = (|| {
            let (root, leaf) = (hash(&case.root?)?, hash(&case.leaf_hash?)?);
            verify_inclusion(&leaf, case.leaf_idx, case.tree_size, &proof(case.proof)?, &root).ok()
        })();
        assert_eq!(accepted.is_none(), case.want_err, "{}", file.display());
    }
}

#[derive(Deserialize)]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    #[serde(rename = "wantErr")]
    want_err: bool,
}

#[test]
fn published_consistency_vectors() {
    let files = vectors("consistency");
    assert_eq!(files.len(), 98);
    for file in files {
        let case: Consistency = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let accepted = (|| {
            let (old, new) = (root_of(&case.root1?), root_of(&case.root2?));
            verify_consistency(case.size1, &old, case.size2, &new, &proof(case.proof)?).ok()
        })();
        assert_eq!(accepted.is_none(), case.want_err, "{}", file.display());
    }
}

/// RFC 6962 §2.1 read literally, over leaves in memory.
struct Naive(Vec<Hash>);

fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

impl NodeSource for Naive {
    type Error = ProofError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let (begin, count) = ((index << level) as usize, 1 << level);
        Ok(naive_root(&self.0[begin..begin + count]))
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

proptest! {
    #[test]
    fn proofs_verify_and_only_as_they_are(old in 1u64..600, more in 0u64..600, at in any::<u64>(), flip in any::<u16>()) {
        let new = old + more;
        let tree = Naive(leaves(new));
        let (old_root, new_root) = (naive_root(&tree.0[..old as usize]), naive_root(&tree.0));
        prop_assert_eq!(root(&tree, new).unwrap(), new_root);

        let mut proof = consistency_proof(&tree, old, new).unwrap();
        prop_assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()));
        if !proof.is_empty() {
            let at = usize::from(flip) % proof.len();
            proof[at].0[usize::from(flip) % 32] ^= 1;
            prop_assert_eq!(
                verify_consistency(old, &old_root, new, &new_root, &proof), Err(ProofError::RootMismatch));
            proof.pop();
            let shorter = verify_consistency(old, &old_root, new, &new_root, &proof);
            prop_assert_eq!(shorter.unwrap_err().reason(), "proof-length");
        }

        let index = at % new;
        let mut proof = inclusion_proof(&tree, index, new).unwrap();
        let leaf = tree.0[index as usize];
        prop_assert_eq!(verify_inclusion(&leaf, index, new, &proof, &new_root), Ok(()));
        prop_assert!(verify_inclusion(&leaf, index ^ 1, new, &proof, &new_root).is_err() || new == 1);
        proof.push(leaf);
        let longer = verify_inclusion(&leaf, index, new, &proof, &new_root);
        prop_assert_eq!(longer.unwrap_err().reason(), "proof-length");
    }

    #[test]
    fn any_input_is_answered(index in any::<u64>(), size in any::<u64>(), count in 0usize..70) {
        let zero = Hash([0; 32]);
        let proof = vec![zero; count];
        prop_assert!(verify_inclusion(&zero, index, size, &proof, &zero).is_err());
        prop_assert!(index == size || verify_consistency(index, &zero, size, &zero, &proof).is_err());
    }
}
