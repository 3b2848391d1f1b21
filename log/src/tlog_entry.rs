//! Sigstore's `TransparencyLogEntry` in its JSON form, as the Rekor face answers it and bundles carry it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::entry::Entry;
use crate::hash::Hash;
use crate::note::NoteKey;

/// What stands in a log at one index, as proven by a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry<'a> {
    /// Index of the entry.
    pub index: u64,
    /// Size of the tree.
    pub tree_size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Inclusion proof, leaf side first.
    pub proof: &'a [Hash],
    /// The checkpoint, with its signatures.
    pub checkpoint: &'a str,
}

/// The `TransparencyLogEntry` of `entry` in the log with key `log`: 64-bit integers as strings, time zero and
/// no inclusion promise, as Rekor v2 gives them.
pub fn transparency_log_entry(log: &NoteKey, entry: &Entry, proven: &ProvenEntry<'_>) -> Value {
    let (kind, version) = entry.kind_version();
    json!({
        "logIndex": proven.index.to_string(),
        "logId": {"keyId": log.log_id()},
        "kindVersion": {"kind": kind, "version": version},
        "integratedTime": "0",
        "inclusionPromise": null,
        "inclusionProof": {
            "logIndex": proven.index.to_string(),
            "rootHash": proven.root,
            "treeSize": proven.tree_size.to_string(),
            "hashes": proven.proof,
            "checkpoint": {"envelope": proven.checkpoint},
        },
        "canonicalizedBody": STANDARD.encode(entry.body()),
    })
}
