//! What an owner's monitor makes of answers: new events under the keys it watches, and alerts.
//!
//! Pure: the caller fetches answers, entries and consistency proofs and keeps the [`Memory`]; which keys to
//! watch follows from the owner's monitoring keys, which never come here. An [`Alert`] is evidence against an
//! operator, or at least something that its owner must look at; it never stops the others from being checked.

mod memory;

pub use memory::{Memory, MemoryError};

use crate::answer::{FoundEntry, Place, VerifiedAnswer};
use crate::key::MapKey;
use crate::rule::{CaKey, keys_of};
use sigveil_log::entry::{Stored, Withholding};
use sigveil_log::hash::Hash;

/// Something that happened under a watched key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry that was not there before.
    Signed {
        /// The key under which it was found.
        key: MapKey,
        /// Where it stands.
        place: Place,
    },
    /// An entry's content was redacted, by a record that verifies.
    Redacted {
        /// The entry.
        place: Place,
    },
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alert {
    /// Two checkpoints of one log that are no prefix of one another.
    #[error("log {0} shows two histories")]
    LogFork(String),
    /// A log's checkpoint is smaller than one seen before.
    #[error("log {0} has shrunk")]
    LogShrank(String),
    /// A list no longer begins with what it held before.
    #[error("the list under {0} is not a continuation of what it was")]
    ListRewritten(MapKey),
    /// An entry in a list is not what the rule indexes under that key.
    #[error("entry {index} of {log} does not belong under {key}", log = .place.log, index = .place.index)]
    WrongEntry {
        /// The key.
        key: MapKey,
        /// The entry.
        place: Place,
    },
    /// An entry that belongs under a key, lies inside the indexed size, and is not in the list.
    #[error("entry {index} of {log} is missing under {key}", log = .place.log, index = .place.index)]
    OmittedEntry {
        /// The key.
        key: MapKey,
        /// The entry.
        place: Place,
    },
    /// Content is withheld and no record says so.
    #[error("entry {} of {} is withheld without a record", .0.index, .0.log)]
    WithheldWithoutRecord(Place),
    /// A record says that content is withheld, and it is still served.
    #[error("entry {} of {} is redacted and still served", .0.index, .0.log)]
    RedactedContentServed(Place),
    /// The log does not serve an entry that the index lists.
    #[error("entry {} of {} is not served", .0.index, .0.log)]
    NotServed(Place),
    /// The inputs of the answer were witnessed too long ago, or not at all.
    #[error("the index's inputs have no recent witness times")]
    Stale,
}

impl Alert {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::LogFork(_) => "log-fork",
            Self::LogShrank(_) => "log-shrank",
            Self::ListRewritten(_) => "list-rewritten",
            Self::WrongEntry { .. } => "index-wrong-entry",
            Self::OmittedEntry { .. } => "index-omitted-entry",
            Self::WithheldWithoutRecord(_) => "withheld-without-record",
            Self::RedactedContentServed(_) => "redacted-content-served",
            Self::NotServed(_) => "entry-not-served",
            Self::Stale => "index-stale",
        }
    }
}

/// Events and alerts, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub events: Vec<Event>,
    /// What must not be.
    pub alerts: Vec<Alert>,
}

/// Compares an entry found under `key` with what the log serves in its place (`None`: nothing). `ca_keys` are
/// all CA keys that are or were in the trust root.
pub fn check_entry(
    key: &MapKey,
    found: &FoundEntry,
    served: Option<&Stored>,
    ca_keys: &[CaKey],
) -> Option<Alert> {
    let place = found.place.clone();
    let whole = found.redaction.as_ref().filter(|r| r.statement.withheld == Withholding::WholeBody);
    match (served, whole) {
        (None, _) => Some(Alert::NotServed(place)),
        (Some(Stored::Withheld(_)), None) => Some(Alert::WithheldWithoutRecord(place)),
        (Some(Stored::Body(_)), Some(_)) => Some(Alert::RedactedContentServed(place)),
        (Some(Stored::Body(body)), None) => {
            let belongs = keys_of(body, ca_keys).is_ok_and(|keys| keys.keys().contains(key));
            (!belongs).then_some(Alert::WrongEntry { key: *key, place })
        }
        (Some(Stored::Withheld(_)), Some(record)) => {
            let belongs = record.map_keys.contains(&Hash(*key.as_bytes()));
            (!belongs).then_some(Alert::WrongEntry { key: *key, place })
        }
    }
}

/// Checks that the entries which the owner knows of, or has found by reading the log, are in the answer:
/// those inside the indexed sizes. The answer must be complete.
pub fn check_omissions(answer: &VerifiedAnswer, known: &[Place]) -> Vec<Alert> {
    let leaf = answer.state().leaf();
    let indexed = |place: &&Place| leaf.input(&place.log).is_some_and(|input| place.index < input.size);
    let missing = |place: &&Place| answer.entries().iter().all(|entry| entry.place != **place);
    let omitted = known.iter().filter(indexed).filter(missing);
    omitted.map(|place| Alert::OmittedEntry { key: *answer.key(), place: place.clone() }).collect()
}

/// Checks that `threshold` witnesses have cosigned every input within the last `max_age` seconds before `now`
/// (Unix seconds); protocol.md §8 sets 24 h.
///
/// # Errors
/// [`Alert::Stale`].
pub fn check_fresh(answer: &VerifiedAnswer, threshold: usize, now: u64, max_age: u64) -> Result<(), Alert> {
    let witnessed = answer.state().witnessed_at(threshold);
    if witnessed.is_some_and(|time| now.saturating_sub(time) <= max_age) { Ok(()) } else { Err(Alert::Stale) }
}
