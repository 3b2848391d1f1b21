//! The input logs and trust roots, as an indexer or re-executor reads them.

use super::{InputLog, ServiceError};
use crate::index::LogEntries;
use crate::reexecute::Source;
use crate::rule::{Redactors, Trust};
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::hash::Hash;
use std::sync::Arc;

/// Input logs, and every trust root so far, the current one last.
#[derive(Clone)]
pub struct Inputs {
    logs: Vec<Arc<dyn InputLog>>,
    trusts: Vec<Trust>,
}

/// One input's published checkpoint, as it stands and as opened.
pub struct Snapshot {
    /// The signed note.
    pub note: String,
    /// The checkpoint in it, signed by the log.
    pub checkpoint: Checkpoint,
}

impl Inputs {
    /// These logs, under these trust roots: all that output leaves name, the current one last.
    ///
    /// # Errors
    /// [`ServiceError::Request`] without a trust root.
    pub fn new(mut logs: Vec<Arc<dyn InputLog>>, trusts: Vec<Trust>) -> Result<Self, ServiceError> {
        if trusts.is_empty() {
            return Err(ServiceError::Request("no trust root"));
        }
        logs.sort_by(|a, b| a.key().name().cmp(b.key().name()));
        Ok(Self { logs, trusts })
    }

    pub(super) fn current_trust(&self) -> &Trust {
        self.trusts.last().expect("the constructor demands one")
    }

    /// Published checkpoints of all logs, ascending by origin.
    pub(super) fn snapshots(&self) -> Result<Vec<Snapshot>, ServiceError> {
        self.logs.iter().map(|log| snapshot(log.as_ref())).collect()
    }

    pub(super) fn read(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<LogEntries, ServiceError> {
        let log = self.logs.iter().find(|log| log.key().name() == tree.origin);
        let log = log.ok_or(ServiceError::NotIndexed)?;
        Ok(log.entries(tree, begin, end)?)
    }
}

fn snapshot(log: &dyn InputLog) -> Result<Snapshot, ServiceError> {
    let bytes = log.checkpoint()?;
    let opened = VerifiedCheckpoint::open(&bytes, log.key(), &[])
        .map_err(|error| ServiceError::Checkpoint { origin: log.key().name().to_owned(), error })?;
    Ok(Snapshot { note: opened.note().to_string(), checkpoint: opened.checkpoint().clone() })
}

impl Source for Inputs {
    fn trust(&self, digest: &Hash) -> Option<Trust> {
        self.trusts.iter().find(|trust| trust.digest() == *digest).cloned()
    }

    fn redactors(&self) -> Vec<Redactors> {
        let mut all: Vec<Redactors> = Vec::new();
        for trust in &self.trusts {
            if !all.contains(trust.redactors()) {
                all.push(trust.redactors().clone());
            }
        }
        all
    }

    fn entries(&self, origin: &str, begin: u64, end: u64) -> Option<LogEntries> {
        let log = self.logs.iter().find(|log| log.key().name() == origin)?;
        let tree = snapshot(log.as_ref()).ok()?.checkpoint;
        (end <= tree.size).then(|| log.entries(&tree, begin, end).ok()).flatten()
    }
}
