//! Why a log does not start, or an entry is not acknowledged.

use std::io;

use super::RedactError;
use crate::checkpoint::CheckpointError;
use crate::entry::EntryError;
use crate::tile::TileError;

/// Why a log does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another writer has the folder.
    #[error("another process writes to this log")]
    Locked,
    /// From the file system.
    #[error("what the log lies on: {0}")]
    Io(#[from] io::Error),
    /// The published checkpoint is not this log's.
    #[error("the published checkpoint is not of this log: {0}")]
    Published(#[from] CheckpointError),
    /// More was published than is committed: the write-ahead log was lost or rolled back.
    #[error("a tree of {published} entries was published and only {committed} are committed")]
    PublishedAhead {
        /// Size of the published checkpoint.
        published: u64,
        /// Entries recovered.
        committed: u64,
    },
    /// Tiles stand there, and nothing is committed or published: what they were made of is lost, or lies elsewhere.
    #[error("tiles stand there, and nothing that they were made of is committed")]
    Uncommitted,
    /// Keys that cannot sign for one log together, or witnesses' keys that cannot.
    #[error("{0}")]
    Keys(&'static str),
    /// A certificate log over shared stores, which is not built.
    #[error("a certificate log has one writer, over a folder")]
    CertificatesShared,
    /// The published root is not that of the committed tree.
    #[error("the committed tree does not have the published root")]
    PublishedDiffers,
    /// A full tile is missing or damaged.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// A full bundle is missing or damaged.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::BundleError),
    /// A checkpoint could not be published.
    #[error("the recovered tree could not be published: {0}")]
    Publish(#[from] AppendError),
    /// A redaction that a crash interrupted could not be completed.
    #[error("an interrupted redaction could not be completed: {0}")]
    Redact(#[from] RedactError),
}

impl OpenError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Locked => "log-locked",
            Self::Io(_) => "log-unreadable",
            Self::Published(error) => error.reason(),
            Self::PublishedAhead { .. } | Self::Uncommitted => "log-published-ahead",
            Self::PublishedDiffers => "log-published-differs",
            Self::Keys(_) => "log-keys-differ",
            Self::CertificatesShared => "ct-shared",
            Self::Tile(error) => error.reason(),
            Self::Bundle(error) => error.reason(),
            Self::Publish(error) => error.reason(),
            Self::Redact(error) => error.reason(),
        }
    }
}

/// Why an entry was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log holds it already.
    #[error("the log holds this entry at index {0}")]
    Duplicate(u64),
    /// Refused as it is.
    #[error(transparent)]
    Refused(#[from] EntryError),
    /// Too few witnesses cosigned; the entry is durable, and published once enough do: they are asked again
    /// at intervals, and whoever submits it again then gets [`AppendError::Duplicate`].
    #[error("too few witnesses cosigned the checkpoint")]
    Unwitnessed,
    /// More entries wait than may; this one does not, and can be sent again later.
    #[error("too many entries wait already")]
    Busy,
    /// The log takes no entries any more, for ever.
    #[error("the log is frozen")]
    Frozen,
    /// Storage failed, or the log is shutting down. Whether the entry is in it is unknown; once storage works again,
    /// whoever submits it again gets a receipt or [`AppendError::Duplicate`].
    #[error("the log does not accept entries now")]
    Unavailable,
}

impl AppendError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "log-duplicate",
            Self::Refused(error) => error.reason(),
            Self::Unwitnessed => "log-unwitnessed",
            Self::Busy => "log-busy",
            Self::Frozen => "log-frozen",
            Self::Unavailable => "log-unavailable",
        }
    }
}
