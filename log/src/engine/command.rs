//! What a log's thread is sent.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::freeze::FreezeError;
use super::redact::{Coverage, RedactError, Redacted};
use super::{AppendError, Receipt};
use crate::batch::Sequenced;
use crate::hash::Hash;
use crate::merkle::leaf_hash;

/// An entry before it has its index.
pub(super) enum Draft {
    /// Refused when the log holds the same leaf: anywhere, or, if it may recur, in the last place.
    Fixed { entry: Sequenced, recurring: bool },
    /// Of some bytes.
    Indexed { bytes: usize, build: Box<dyn FnOnce(u64) -> (Vec<u8>, Hash) + Send> },
}

impl Draft {
    pub(super) fn fixed(item: Vec<u8>, attachment: Vec<u8>) -> Self {
        Self::Fixed { entry: Sequenced { leaf: leaf_hash(&item), item, attachment }, recurring: false }
    }

    pub(super) fn recurring(item: Vec<u8>) -> Self {
        Self::Fixed {
            entry: Sequenced { leaf: leaf_hash(&item), item, attachment: Vec::new() },
            recurring: true,
        }
    }

    /// What it takes while it waits.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fixed { entry, .. } => entry.item.len() + entry.attachment.len(),
            Self::Indexed { bytes, .. } => *bytes,
        }
    }
}

pub(super) type Answer = oneshot::Sender<Result<Receipt, AppendError>>;

pub(super) enum Command {
    Append {
        draft: Draft,
        answer: Answer,
        /// What is given back once it waits no more.
        room: OwnedSemaphorePermit,
    },
    Interlude(Interlude),
}

/// What is not appended, and ends a batch.
pub(super) enum Interlude {
    Redact {
        record: u64,
        coverage: Box<dyn Coverage + Send>,
        answer: oneshot::Sender<Result<Redacted, RedactError>>,
    },
    /// What was sent before is processed, and what comes after is not.
    Stop { answer: oneshot::Sender<()> },
    /// The same for ever.
    Freeze { ended: Arc<AtomicBool>, answer: oneshot::Sender<Result<(), FreezeError>> },
}
