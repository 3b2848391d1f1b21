//! The end of a log: the last checkpoint is written down as such, and nothing is appended after it. Of several front ends
//! it is the order that ends.

use std::io;

use super::{Config, OpenError, redact};
use crate::merkle::root;
use crate::store::files::FolderLock;
use crate::tile::TileTree;

/// The file that says so.
const FROZEN: &str = "frozen";

/// Why a log was not frozen.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// Too few witnesses cosigned the last checkpoint.
    #[error("too few witnesses cosigned the last checkpoint")]
    Unwitnessed,
    /// Storage failed, or the log has stopped.
    #[error("the log cannot be frozen now")]
    Unavailable,
    /// From the file system.
    #[error("the log cannot be frozen: {0}")]
    Io(#[from] io::Error),
}

impl FreezeError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unwitnessed => "log-unwitnessed",
            Self::Unavailable => "log-unavailable",
            Self::Io(_) => "log-unreadable",
        }
    }
}

/// Writes down that this checkpoint is the last.
pub(super) fn freeze(config: &Config, note: &str) -> Result<(), FreezeError> {
    Ok(config.files.write_durable(&config.folder.join(FROZEN), note.as_bytes())?)
}

/// Takes back what its own failed attempt to freeze may have left, before a log goes on.
pub(super) fn forget_attempt(config: &Config) -> io::Result<()> {
    config.files.erase(&config.folder.join(FROZEN), None)
}

/// The size of the tree, if it is the last. What readers see must then be that tree. That it is written there need not be
/// durable yet; after this it is. Only whoever has the folder may ask: another can be at an attempt that fails, or end the log
/// before its lock is free.
pub(super) fn is_frozen(config: &Config, _lock: &FolderLock) -> Result<Option<u64>, OpenError> {
    let (files, path) = (&config.files, config.folder.join(FROZEN));
    let Some(bytes) = files.read_optional(&path)? else { return Ok(None) };
    let (last, reader) = (config.open_checkpoint(&bytes)?.checkpoint().clone(), config.reader());
    let published = config.objects().read("checkpoint")?.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
    let tree = TileTree::new(reader, last.size);
    if *config.open_checkpoint(&published)?.checkpoint() != last || root(&tree, last.size)? != last.root {
        return Err(OpenError::PublishedDiffers);
    }
    files.ensure_durable(&path, &bytes)?;
    // What was withheld may be back, from a copy of which the folder was completed.
    redact::complete_frozen(config)?;
    Ok(Some(last.size))
}
