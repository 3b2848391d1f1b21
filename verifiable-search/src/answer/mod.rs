//! Search answers that verify offline: one key, everything under it or nothing, against a checkpoint of the
//! output log that witnesses and re-executors have cosigned (protocol.md §8).
//!
//! The chain that [`Answer::verify`] walks, each link with its own reason when it breaks:
//!
//! ```text
//! items ── list root ── map proof ── map root ─┐
//! tombstone's record ── inclusion ── input root ┼─ output leaf ── inclusion ── output checkpoint
//! input checkpoints (signed, witnessed) ────────┘                              (log, witnesses, re-executors)
//! ```
//!
//! "Absent" means: absent from the logs and sizes that [`VerifiedState::inputs`] names, and nothing beyond.
//!
//! Here is the form in which it travels; what it is checked against is [`Policy`], what comes out is
//! [`VerifiedAnswer`].

mod error;
mod policy;
mod verified;
mod verify;

pub use error::AnswerError;
pub use policy::{Policy, Quorum};
pub use verified::{FoundEntry, VerifiedAnswer, VerifiedState};

use serde::{Deserialize, Serialize};
use sigveil_log::hash::Hash;

/// Version of the JSON form.
pub const FORMAT: &str = "sigveil-search-answer-v1";

/// An answer as it travels: nothing in it is checked but its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// [`FORMAT`].
    pub format: String,
    /// The map key that was asked for, hexadecimal.
    pub key: String,
    /// Map proof, base64 of its wire form.
    pub proof: String,
    /// What stands under the key; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<AnswerList>,
    /// The output log's checkpoint and its last leaf.
    pub state: State,
    /// Redactions of entries in the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tombstones: Vec<Tombstone>,
}

/// A state of the index: the output log's last leaf, its checkpoint, and the checkpoints of the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The leaf, base64.
    pub leaf: String,
    /// Inclusion proof of the leaf, which is the checkpoint's last.
    pub inclusion: Vec<Hash>,
    /// Signed and cosigned checkpoint of the output log.
    pub checkpoint: String,
    /// For each input of the leaf, the signed and witnessed checkpoint of that log at that size.
    pub inputs: Vec<String>,
}

/// The list under a key, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerList {
    /// Items in the whole list.
    pub count: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// Pages, ascending.
    pub pages: Vec<Page>,
}

/// A run of items, with the proof that they stand at their place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Page {
    /// Position of the first item.
    pub first: u64,
    /// The items.
    pub items: Vec<Place>,
    /// Range proof: [`crate::list::range_proof`].
    pub proof: Vec<Hash>,
}

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Origin of the log.
    pub log: String,
    /// Index of the entry.
    pub index: u64,
}

/// An entry whose content was redacted, with the record that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tombstone {
    /// The redacted entry.
    pub place: Place,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// Proof that this leaf stands at that place.
    pub inclusion: Vec<Hash>,
    /// Index of the record in the same log.
    pub record: u64,
    /// Body of the record, base64.
    pub body: String,
    /// Proof that the record is in the log.
    pub record_inclusion: Vec<Hash>,
}

impl Answer {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`AnswerError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<Self, AnswerError> {
        let answer: Self = serde_json::from_slice(json).map_err(|_| AnswerError::Malformed("JSON"))?;
        if answer.format == FORMAT { Ok(answer) } else { Err(AnswerError::Malformed("format")) }
    }
}
