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

use crate::index::fitting_record;
use crate::key::MapKey;
use crate::list::{Item, Value, root_from_range};
use crate::output::{OutputError, OutputLeaf};
use crate::proof::{MapProof, ProofError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use sigveil_log::checkpoint::{Checkpoint, CheckpointError, Cosignature, VerifiedCheckpoint};
use sigveil_log::entry::{EntryError, RedactionRecord};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{self, leaf_hash};
use sigveil_log::note::NoteKey;
use std::collections::BTreeMap;

/// Version of the JSON form.
pub const FORMAT: &str = "sigveil-search-answer-v1";
/// Most items that one answer may list.
const MAX_ITEMS: usize = 1 << 20;

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

/// Keys of which a number must have signed.
#[derive(Clone, Debug, Default)]
pub struct Quorum {
    /// The keys.
    pub keys: Vec<NoteKey>,
    /// How many of them are demanded.
    pub threshold: usize,
}

/// What an answer is checked against: from the trust root and the verifier's demands.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The output log.
    pub output: NoteKey,
    /// Witnesses, of the output log and of the inputs alike.
    pub witnesses: Quorum,
    /// Re-executors, of the output log only.
    pub reexecutors: Quorum,
    /// All logs whose entries the verifier accepts: the map must cover each.
    pub inputs: Vec<NoteKey>,
    /// Redaction authorities, and how many of them a record needs.
    pub authorities: (Vec<VerifyingKey>, usize),
}

/// Why an answer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not the JSON form, or of another version of it.
    #[error("the search answer is malformed: {0}")]
    Malformed(&'static str),
    /// Answers another question.
    #[error("the answer is about another key")]
    OtherKey,
    /// The output log's checkpoint is refused.
    #[error("the output log's checkpoint is refused: {0}")]
    OutputCheckpoint(CheckpointError),
    /// Too few re-executors have cosigned.
    #[error("the output log's checkpoint lacks re-executors' cosignatures: {0}")]
    NotReexecuted(CheckpointError),
    /// The leaf cannot be read.
    #[error(transparent)]
    Leaf(#[from] OutputError),
    /// The leaf is not the checkpoint's last.
    #[error("the leaf is not the last one of the output log's checkpoint")]
    LeafInclusion,
    /// A log that the verifier accepts is not among the inputs.
    #[error("the index does not cover {0}")]
    LogNotCovered(String),
    /// The leaf names an input that the verifier does not know, or its checkpoint is missing, surplus or refused.
    #[error("the checkpoint of input {0} is missing or refused")]
    InputCheckpoint(String),
    /// An input's checkpoint is of another size or root than the leaf says.
    #[error("the checkpoint of input {0} is not the one indexed")]
    InputMismatch(String),
    /// The map proof fails.
    #[error(transparent)]
    Map(#[from] ProofError),
    /// A page is not part of the list, or pages overlap or are out of order.
    #[error("the list is not the one in the map")]
    List,
    /// An item names a log that is no input, or an index beyond its size.
    #[error("the list names a place that was not indexed")]
    Place,
    /// A tombstone is about no entry in the list, or its record or a proof is wrong.
    #[error("a tombstone does not hold")]
    Tombstone,
    /// A tombstone's record lacks the signatures of redaction authorities.
    #[error("a redaction record is not signed as it must be: {0}")]
    Record(EntryError),
}

impl AnswerError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "search-answer-malformed",
            Self::OtherKey => "search-other-key",
            Self::OutputCheckpoint(_) => "search-output-checkpoint",
            Self::NotReexecuted(_) => "search-not-reexecuted",
            Self::Leaf(error) => error.reason(),
            Self::LeafInclusion => "search-leaf-inclusion",
            Self::LogNotCovered(_) => "search-log-not-covered",
            Self::InputCheckpoint(_) => "search-input-checkpoint",
            Self::InputMismatch(_) => "search-input-mismatch",
            Self::Map(error) => error.reason(),
            Self::List => "search-list-mismatch",
            Self::Place => "search-place-not-indexed",
            Self::Tombstone => "search-tombstone-invalid",
            Self::Record(_) => "search-record-invalid",
        }
    }
}

/// An entry found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEntry {
    /// Where it stands.
    pub place: Place,
    /// The record of its redaction, if its content or parts of it are gone.
    pub redaction: Option<RedactionRecord>,
}

impl FoundEntry {
    /// True when a record that verifies says that its content, or parts of it, are gone.
    pub fn is_redacted(&self) -> bool {
        self.redaction.is_some()
    }
}

/// A state of the index whose whole chain has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedState {
    leaf: OutputLeaf,
    output: VerifiedCheckpoint,
    inputs: Vec<VerifiedCheckpoint>,
}

impl VerifiedState {
    /// The output log's last leaf.
    pub fn leaf(&self) -> &OutputLeaf {
        &self.leaf
    }

    /// The output log's checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.output.checkpoint()
    }

    /// Checkpoints of the inputs, in the order of the leaf, with the witnesses' cosignatures.
    pub fn inputs(&self) -> &[VerifiedCheckpoint] {
        &self.inputs
    }

    /// The latest time by which at least `threshold` witnesses had cosigned *every* input, Unix seconds: an
    /// owner refuses a state in which this lies more than 24 h back. `None` when some input has fewer.
    pub fn witnessed_at(&self, threshold: usize) -> Option<u64> {
        let times = self.inputs.iter().map(|input| {
            let mut times: Vec<u64> =
                input.cosignatures().iter().map(|line: &Cosignature| line.time).collect();
            times.sort_unstable_by(|a, b| b.cmp(a));
            times.get(threshold.checked_sub(1)?).copied()
        });
        times.min().flatten()
    }
}

/// An answer that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAnswer {
    key: MapKey,
    value: Option<Value>,
    entries: Vec<FoundEntry>,
    state: VerifiedState,
}

impl VerifiedAnswer {
    /// The key asked for.
    pub fn key(&self) -> &MapKey {
        &self.key
    }

    /// True when something stands under the key.
    pub fn is_present(&self) -> bool {
        self.value.is_some()
    }

    /// Commitment to the whole list; `None` when the key is absent.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// The entries listed, in the order of indexing.
    pub fn entries(&self) -> &[FoundEntry] {
        &self.entries
    }

    /// True when [`VerifiedAnswer::entries`] is the complete list.
    pub fn is_complete(&self) -> bool {
        self.value.is_none_or(|value| value.count == self.entries.len() as u64)
    }

    /// The state of the index that answered.
    pub fn state(&self) -> &VerifiedState {
        &self.state
    }
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

    /// Checks the answer to a question for `key`.
    ///
    /// # Errors
    /// [`AnswerError`], one for each link of the chain.
    pub fn verify(&self, key: &MapKey, policy: &Policy) -> Result<VerifiedAnswer, AnswerError> {
        if self.format != FORMAT {
            return Err(AnswerError::Malformed("format"));
        }
        if self.key != key.to_string() {
            return Err(AnswerError::OtherKey);
        }
        let state = self.state.verify(policy)?;
        let proof = MapProof::from_bytes(&decode(&self.proof)?)?;
        let (value, places) = match &self.list {
            None => {
                proof.verify_absence(key, &state.leaf.map_root.0)?;
                (None, Vec::new())
            }
            Some(list) => {
                let value = Value { count: list.count, root: list.root };
                proof.verify_presence(key, &value.digest(), &state.leaf.map_root.0)?;
                (Some(value), list.verify(&state.leaf)?)
            }
        };
        let entries = self.with_tombstones(places, &state.leaf, policy)?;
        Ok(VerifiedAnswer { key: *key, value, entries, state })
    }

    fn with_tombstones(
        &self,
        places: Vec<Place>,
        leaf: &OutputLeaf,
        policy: &Policy,
    ) -> Result<Vec<FoundEntry>, AnswerError> {
        let mut records = BTreeMap::new();
        for tombstone in &self.tombstones {
            let record = tombstone.verify(leaf, policy)?;
            if records.insert(tombstone.place.clone(), record).is_some() {
                return Err(AnswerError::Tombstone);
            }
        }
        let found = places.into_iter().map(|place| {
            let redaction = records.remove(&place);
            FoundEntry { place, redaction }
        });
        let found = found.collect();
        if records.is_empty() { Ok(found) } else { Err(AnswerError::Tombstone) }
    }
}

impl AnswerList {
    fn verify(&self, leaf: &OutputLeaf) -> Result<Vec<Place>, AnswerError> {
        if self.pages.iter().map(|page| page.items.len()).sum::<usize>() > MAX_ITEMS {
            return Err(AnswerError::Malformed("too many items"));
        }
        let mut next = 0;
        let mut places = Vec::new();
        for page in &self.pages {
            let items: Vec<Hash> =
                page.items.iter().map(|place| Item::new(&place.log, place.index).leaf()).collect();
            if page.first < next
                || root_from_range(&items, page.first, self.count, &page.proof) != Some(self.root)
            {
                return Err(AnswerError::List);
            }
            next = page.first + items.len() as u64;
            places.extend(page.items.iter().cloned());
        }
        let indexed = |place: &Place| leaf.input(&place.log).is_some_and(|input| place.index < input.size);
        if places.iter().all(indexed) { Ok(places) } else { Err(AnswerError::Place) }
    }
}

impl State {
    /// Checks the output log's checkpoint, that the leaf is its last, and the checkpoints of all inputs.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn verify(&self, policy: &Policy) -> Result<VerifiedState, AnswerError> {
        let Quorum { keys, threshold } = &policy.witnesses;
        let output =
            VerifiedCheckpoint::open_witnessed(self.checkpoint.as_bytes(), &policy.output, keys, *threshold)
                .map_err(AnswerError::OutputCheckpoint)?;
        let Quorum { keys, threshold } = &policy.reexecutors;
        VerifiedCheckpoint::open_witnessed(self.checkpoint.as_bytes(), &policy.output, keys, *threshold)
            .map_err(AnswerError::NotReexecuted)?;
        let bytes = decode(&self.leaf)?;
        let Checkpoint { size, root, .. } = output.checkpoint();
        let last = size.checked_sub(1).ok_or(AnswerError::LeafInclusion)?;
        merkle::verify_inclusion(&leaf_hash(&bytes), last, *size, &self.inclusion, root)
            .map_err(|_| AnswerError::LeafInclusion)?;
        let leaf = OutputLeaf::from_bytes(&bytes)?;
        if let Some(missing) = policy.inputs.iter().find(|log| leaf.input(log.name()).is_none()) {
            return Err(AnswerError::LogNotCovered(missing.name().to_owned()));
        }
        let inputs = self.verify_inputs(&leaf, policy)?;
        Ok(VerifiedState { leaf, output, inputs })
    }

    fn verify_inputs(
        &self,
        leaf: &OutputLeaf,
        policy: &Policy,
    ) -> Result<Vec<VerifiedCheckpoint>, AnswerError> {
        if self.inputs.len() != leaf.inputs.len() {
            return Err(AnswerError::Malformed("number of input checkpoints"));
        }
        let Quorum { keys, threshold } = &policy.witnesses;
        let pairs = leaf.inputs.iter().zip(&self.inputs);
        pairs
            .map(|(input, note)| {
                let refused = || AnswerError::InputCheckpoint(input.origin.clone());
                let log = policy.inputs.iter().find(|log| log.name() == input.origin).ok_or_else(refused)?;
                let opened = VerifiedCheckpoint::open_witnessed(note.as_bytes(), log, keys, *threshold)
                    .map_err(|_| refused())?;
                let Checkpoint { size, root, .. } = opened.checkpoint();
                if (*size, *root) != (input.size, input.root) {
                    return Err(AnswerError::InputMismatch(input.origin.clone()));
                }
                Ok(opened)
            })
            .collect()
    }
}

impl Tombstone {
    fn verify(&self, leaf: &OutputLeaf, policy: &Policy) -> Result<RedactionRecord, AnswerError> {
        let input = leaf.input(&self.place.log).ok_or(AnswerError::Tombstone)?;
        let included = |hash: &Hash, index: u64, proof: &[Hash]| {
            merkle::verify_inclusion(hash, index, input.size, proof, &input.root)
                .map_err(|_| AnswerError::Tombstone)
        };
        included(&self.leaf_hash, self.place.index, &self.inclusion)?;
        let body = decode(&self.body)?;
        included(&leaf_hash(&body), self.record, &self.record_inclusion)?;
        let record = fitting_record(&body, &self.place.log, self.place.index, &self.leaf_hash)
            .ok_or(AnswerError::Tombstone)?;
        let (authorities, threshold) = &policy.authorities;
        record.verify(authorities, *threshold).map_err(AnswerError::Record)?;
        Ok(record)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, AnswerError> {
    STANDARD.decode(text).map_err(|_| AnswerError::Malformed("base64"))
}
