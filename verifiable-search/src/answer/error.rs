//! Why an answer is refused.

use crate::output::OutputError;
use crate::proof::ProofError;
use sigveil_log::checkpoint::CheckpointError;
use sigveil_log::entry::EntryError;

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
