//! The running index: it follows logs, publishes its output log and answers over HTTP.
//!
//! All of its state is derived. An [`Indexer`] starts by replaying the output log over the input logs, so what
//! it serves is what re-execution gives; a failure while publishing makes it do that again.
//! Reading files and indexing run on the runtime's threads for blocking work, never on those that answer.

mod engine;
mod http;
mod indexer;
mod inputs;
mod reexecutor;

pub use engine::{EngineLog, FolderLog};
pub use http::router;
pub use indexer::Indexer;
pub use inputs::{Inputs, Snapshot};
pub use reexecutor::{LocalReexecutor, Reexecutor};

use crate::index::{IndexError, LogEntries};
use crate::reexecute::ReexecuteError;
use sigveil_log::checkpoint::{Checkpoint, CheckpointError};
use sigveil_log::note::NoteKey;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The time in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A log or folder that cannot be read or written, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A log that is indexed.
pub trait InputLog: Send + Sync {
    /// The log's key, whose name is the origin.
    fn key(&self) -> &NoteKey;

    /// The published checkpoint.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn checkpoint(&self) -> Result<Vec<u8>, Unavailable>;

    /// What stands at `begin..end` of the tree of this checkpoint, each compared with its leaf in it, with the
    /// records that tombstones among them point to.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn entries(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<LogEntries, Unavailable>;
}

/// The output log, as its owner has it.
pub trait OutputLog: Send + Sync {
    /// The log's key.
    fn key(&self) -> &NoteKey;

    /// Appends a leaf; done once it is in a published, witnessed checkpoint.
    fn append(&self, leaf: Vec<u8>) -> Pending<'_, Result<(), Unavailable>>;

    /// The published checkpoint; `None` before the first.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Leaves `begin..end` of the tree of this checkpoint, each compared with it.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn leaves(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<Vec<Vec<u8>>, Unavailable>;

    /// A tile by its path (`tile/…`).
    ///
    /// # Errors
    /// [`Unavailable`].
    fn tile(&self, path: &sigveil_log::tile::TilePath) -> Result<Vec<u8>, Unavailable>;
}

/// Why the index cannot do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// A log cannot be read or written.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A log's checkpoint is refused.
    #[error("the checkpoint of {origin} is refused: {error}")]
    Checkpoint {
        /// Origin of the log.
        origin: String,
        /// Why.
        error: CheckpointError,
    },
    /// An input is smaller than what has been indexed of it.
    #[error("log {0} is smaller than what was indexed")]
    InputShrank(String),
    /// Indexing stopped.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The output log cannot be reproduced.
    #[error(transparent)]
    Reexecute(#[from] ReexecuteError),
    /// Fewer re-executors than demanded confirmed the new leaf.
    #[error("{confirmed} of {required} re-executors confirmed the index")]
    NotReexecuted {
        /// Confirmations demanded.
        required: usize,
        /// Confirmations received.
        confirmed: usize,
    },
    /// The work on an update ended by a panic, or with the runtime.
    #[error("the index stopped in the middle of its work")]
    Stopped,
    /// Nothing has been published yet.
    #[error("the index has not published anything yet")]
    NotReady,
    /// Not a key, place or page of an index.
    #[error("the request is malformed: {0}")]
    Request(&'static str),
    /// The entry is not indexed.
    #[error("the entry is not indexed")]
    NotIndexed,
    /// Asked for something that later versions serve.
    #[error("{0} are not served by this version")]
    NotServed(&'static str),
}

impl ServiceError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "index-log-unavailable",
            Self::Checkpoint { error, .. } => error.reason(),
            Self::InputShrank(_) => "log-shrank",
            Self::Index(error) => error.reason(),
            Self::Reexecute(error) => error.reason(),
            Self::NotReexecuted { .. } => "index-not-reexecuted",
            Self::Stopped => "index-stopped",
            Self::NotReady => "index-not-ready",
            Self::Request(_) => "index-request-malformed",
            Self::NotIndexed => "index-entry-not-indexed",
            Self::NotServed(_) => "not-served-yet",
        }
    }

    /// HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Request(_) => 400,
            Self::NotIndexed => 404,
            Self::NotServed(_) => 501,
            _ => 503,
        }
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ServiceError::Stopped))
}
