//! Sigstore's `TransparencyLogEntry` in its JSON form, as the Rekor face answers it and bundles carry it.

use serde::Serialize;

use crate::entry::{base64_bytes, decimal};
use crate::hash::Hash;
use crate::note::NoteKey;

/// What stands in a log at one index, as proven by a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry<'a> {
    /// Kind and version of the entry.
    pub kind_version: (&'static str, &'static str),
    /// Its canonical body.
    pub body: &'a [u8],
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransparencyLogEntry<'a> {
    #[serde(with = "decimal")]
    log_index: u64,
    log_id: LogId,
    kind_version: KindVersion,
    integrated_time: &'static str,
    inclusion_promise: (),
    inclusion_proof: InclusionProof<'a>,
    #[serde(with = "base64_bytes")]
    canonicalized_body: &'a [u8],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Hash,
}

#[derive(Serialize)]
struct KindVersion {
    kind: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof<'a> {
    #[serde(with = "decimal")]
    log_index: u64,
    root_hash: Hash,
    #[serde(with = "decimal")]
    tree_size: u64,
    hashes: &'a [Hash],
    checkpoint: Checkpoint<'a>,
}

#[derive(Serialize)]
struct Checkpoint<'a> {
    envelope: &'a str,
}

/// The `TransparencyLogEntry` of an entry in the log with key `log`: 64-bit integers as strings, time zero and
/// no inclusion promise, as Rekor v2 gives them.
pub fn transparency_log_entry(log: &NoteKey, proven: &ProvenEntry<'_>) -> String {
    let (kind, version) = proven.kind_version;
    let entry = TransparencyLogEntry {
        log_index: proven.index,
        log_id: LogId { key_id: log.log_id() },
        kind_version: KindVersion { kind, version },
        integrated_time: "0",
        inclusion_promise: (),
        inclusion_proof: InclusionProof {
            log_index: proven.index,
            root_hash: proven.root,
            tree_size: proven.tree_size,
            hashes: proven.proof,
            checkpoint: Checkpoint { envelope: proven.checkpoint },
        },
        canonicalized_body: proven.body,
    };
    serde_json::to_string(&entry).expect("strings, lists and structures serialise")
}
