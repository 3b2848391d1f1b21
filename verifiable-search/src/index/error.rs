//! Why a step is refused.

use crate::map::MapError;
use crate::rule::RuleError;

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The rule cannot judge an entry.
    #[error("entry {index} of {origin}: {source}")]
    Rule {
        /// Origin of the log.
        origin: String,
        /// Index of the entry.
        index: u64,
        /// Why.
        source: RuleError,
    },
    /// A tombstone whose record is missing, of another entry, or not what stands in the log.
    #[error("entry {index} of {origin} is withheld without a fitting record")]
    Record {
        /// Origin of the log.
        origin: String,
        /// Index of the withheld entry.
        index: u64,
    },
    /// One log twice in a step, an origin that no leaf can hold, or more logs or entries than can be told apart.
    #[error("input {0} cannot be indexed")]
    Input(String),
    /// The map refused.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl IndexError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rule { source, .. } => source.reason(),
            Self::Record { .. } => "withheld-without-record",
            Self::Input(_) => "index-input-refused",
            Self::Map(error) => error.reason(),
        }
    }
}
