//! Whole logs: every tile and entry of one read and checked, a copy made of it, and what a copy or a log's own folder
//! lost put back.
//!
//! Nothing that is read is believed. The checkpoint is the log's by its signature; its root gives the right edge of the
//! tree, each tile gives those below it, and the lowest level the entries. So tiles are checked one by one, from the root
//! down, in memory that does not hold the tree, and each may come from anywhere. What a leaf does not cover is held to what
//! the log demanded: content is withheld where a record says so, and a chain begins with who issued what is logged.
//!
//! A [`LocalCopy`] is a folder that anybody can read as the log's own, and that nobody can append to: it has no write-ahead
//! log, and an engine refuses to start on it. It has the openings of no sealed entry.

mod copy;
mod entries;
mod examine;
mod issuers;
mod replica;
mod source;
mod together;
mod walk;

pub use copy::{Copied, LocalCopy, complete};
pub use examine::{Examined, Finding, examine};
pub use replica::Replica;
pub use source::{Remote, Source};
pub use walk::Tally;

use std::io;

use crate::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::engine::Layout;
use crate::note::NoteKey;
use crate::store::ReadError;
use crate::tile::TileError;

/// Which log is meant, and whom it must have convinced.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The log's key; its name is the origin.
    pub key: NoteKey,
    /// Which bundles it keeps.
    pub layout: Layout,
    /// Keys of witnesses.
    pub witnesses: Vec<NoteKey>,
    /// How many of them must have cosigned a checkpoint.
    pub threshold: usize,
}

impl Identity {
    /// A log of which its own signature is enough. A certificate log is one whose key signs tree heads.
    pub fn new(key: NoteKey) -> Self {
        let layout = if key.is_rfc6962() { Layout::StaticCt } else { Layout::TlogTiles };
        Self { key, layout, witnesses: Vec::new(), threshold: 0 }
    }

    pub(crate) fn open(&self, bytes: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        VerifiedCheckpoint::open_witnessed(bytes, &self.key, &self.witnesses, self.threshold)
    }
}

/// Why a log was not read, copied or completed.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// What it serves cannot be read, or does not hold together.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It is smaller than its copy.
    #[error("the log has {now} entries, and its copy {had}")]
    Shrank {
        /// Entries of the copy.
        had: u64,
        /// Entries of the log.
        now: u64,
    },
    /// It does not continue its copy.
    #[error("the log of {now} entries is no continuation of its copy of {had}")]
    Fork {
        /// Entries of the copy.
        had: u64,
        /// Entries of the log.
        now: u64,
    },
    /// The folder is that of a log, not of a copy.
    #[error("a log writes to this folder: a copy needs one of its own")]
    NotACopy,
    /// Somebody writes to the folder.
    #[error("another process writes to this folder")]
    Locked,
    /// The folder.
    #[error("the folder cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl WholeError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read(error) => error.reason(),
            Self::Checkpoint(error) => error.reason(),
            Self::Shrank { .. } => "log-shrank",
            Self::Fork { .. } => "log-fork",
            Self::NotACopy => "log-not-a-copy",
            Self::Locked => "log-locked",
            Self::Io(_) => "log-unreadable",
        }
    }
}

impl From<TileError> for WholeError {
    fn from(error: TileError) -> Self {
        Self::Read(error.into())
    }
}

/// Reads and checks every tile and every entry, and of a certificate log the certificates of its chains.
///
/// # Errors
/// [`WholeError`]: the first thing that does not hold.
pub fn verify(source: &dyn Source, identity: &Identity) -> Result<(VerifiedCheckpoint, Tally), WholeError> {
    let opened = identity.open(&source.checkpoint()?)?;
    let tally = walk::walk(&[source], opened.checkpoint(), identity.layout, 0, |pieces| {
        pieces.into_iter().try_for_each(|piece| piece.content.map(drop).map_err(WholeError::from))
    })?;
    match tally.missing_issuers.first() {
        Some(fingerprint) => Err(issuers::unavailable(fingerprint).into()),
        None => Ok((opened, tally)),
    }
}
