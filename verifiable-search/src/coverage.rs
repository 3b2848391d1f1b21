//! Coverage: proof that re-executors have confirmed an index that holds an entry, and under which keys.
//!
//! An entry may be redacted only once its owner has had it indexed (protocol.md §9). What shows that is an
//! output-log checkpoint with enough re-executors' cosignatures whose last leaf covers the entry; the same
//! leaf commits to the entry's key list, which the redaction record must carry.

use crate::answer::{AnswerError, Place, Policy, State, VerifiedState};
use serde::{Deserialize, Serialize};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{leaf_hash, verify_inclusion};

/// The proof as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoverageProof {
    /// The entry.
    pub place: Place,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// Proof that this leaf stands there, under the input's root.
    pub inclusion: Vec<Hash>,
    /// Digest of its key list.
    pub key_list_digest: Hash,
    /// Proof of that, under the input's key-list root.
    pub key_list_inclusion: Vec<Hash>,
    /// The state of the index.
    pub state: State,
}

/// Why coverage is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    /// The state of the index is refused.
    #[error(transparent)]
    State(#[from] AnswerError),
    /// Redaction without a re-executor's word would rest on the operator's alone.
    #[error("the policy demands no re-executor")]
    NoReexecutorDemanded,
    /// The log is no input, or the entry lies beyond the size indexed.
    #[error("the index does not cover the entry yet")]
    NotCovered,
    /// The leaf does not stand where the proof says.
    #[error("the entry is not the one in the log")]
    EntryInclusion,
    /// The digest is not the one committed to for this entry.
    #[error("the key list is not the one committed to")]
    KeyList,
}

impl CoverageError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::State(error) => error.reason(),
            Self::NoReexecutorDemanded => "coverage-no-reexecutor-demanded",
            Self::NotCovered => "coverage-not-covered",
            Self::EntryInclusion => "coverage-entry-inclusion",
            Self::KeyList => "coverage-key-list",
        }
    }
}

/// An entry that a re-executed index covers. There is no other way to one than [`CoverageProof::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    place: Place,
    leaf_hash: Hash,
    key_list_digest: Hash,
    state: VerifiedState,
}

impl Covered {
    /// Where the entry stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        self.leaf_hash
    }

    /// The key-list digest that its redaction record must carry.
    pub fn key_list_digest(&self) -> Hash {
        self.key_list_digest
    }

    /// The state that covers it.
    pub fn state(&self) -> &VerifiedState {
        &self.state
    }
}

impl CoverageProof {
    /// Checks the proof.
    ///
    /// # Errors
    /// [`CoverageError`].
    pub fn verify(&self, policy: &Policy) -> Result<Covered, CoverageError> {
        if policy.reexecutors.threshold == 0 {
            return Err(CoverageError::NoReexecutorDemanded);
        }
        let state = self.state.verify(policy)?;
        let (place, leaf) = (&self.place, state.leaf());
        let input = leaf
            .input(&place.log)
            .filter(|input| place.index < input.size)
            .ok_or(CoverageError::NotCovered)?;
        verify_inclusion(&self.leaf_hash, place.index, input.size, &self.inclusion, &input.root)
            .map_err(|_| CoverageError::EntryInclusion)?;
        let element = leaf_hash(&self.key_list_digest.0);
        verify_inclusion(&element, place.index, input.size, &self.key_list_inclusion, &input.key_lists)
            .map_err(|_| CoverageError::KeyList)?;
        Ok(Covered {
            place: place.clone(),
            leaf_hash: self.leaf_hash,
            key_list_digest: self.key_list_digest,
            state,
        })
    }
}
