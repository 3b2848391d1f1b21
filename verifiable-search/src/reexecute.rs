//! Re-execution: recompute every leaf of an output log from the entries, and cosign only what came out the
//! same (protocol.md §8).
//!
//! A [`Replay`] is fed leaves in order. It trusts nothing in them but what they *ask* for (sizes, trust root);
//! everything they claim is recomputed and compared. [`Replay::cosign`] signs a checkpoint only if the replay
//! has recomputed all of its leaves: that is what a re-executor's cosignature says, and the key is used for
//! nothing else.

use crate::index::{Index, IndexError, LogEntries, Step};
use crate::output::{OutputError, OutputLeaf};
use crate::rule::{Redactors, Trust};
use crate::tree::Tree;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::hash::Hash;
use sigveil_log::merkle::leaf_hash;
use sigveil_log::note::{NoteSignature, NoteSigner};

/// Where a replay finds what leaves ask for.
pub trait Source {
    /// The trust root with this SHA-256, if it is known to the re-executor from elsewhere.
    fn trust(&self, digest: &Hash) -> Option<Trust>;

    /// The redaction authorities of every trust root that is known.
    fn redactors(&self) -> Vec<Redactors>;

    /// Entries `begin..end` of the log with this origin, with the records that tombstones among them need.
    fn entries(&self, origin: &str, begin: u64, end: u64) -> Option<LogEntries>;
}

/// Why a leaf, or a checkpoint, is not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReexecuteError {
    /// Not a leaf, or one that may not follow the last.
    #[error(transparent)]
    Leaf(#[from] OutputError),
    /// The leaf names a trust root that this re-executor does not know.
    #[error("the leaf names an unknown trust root {0:?}")]
    UnknownTrustRoot(Hash),
    /// The last leaf names a trust root that another has taken the place of: entries are judged once, and what is signed by
    /// keys of the newer one would be hidden for good.
    #[error("the last leaf names a trust root that is not the newest")]
    OldTrustRoot,
    /// The source does not have the entries that the leaf covers.
    #[error("entries of {0} are missing")]
    EntriesMissing(String),
    /// Indexing stopped.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// An input log's root is not that of its entries.
    #[error("the root of input {0} is not that of its entries")]
    InputRoot(String),
    /// The key lists recomputed for an input are others.
    #[error("the key-list root of input {0} differs")]
    KeyLists(String),
    /// The recomputed map has another root.
    #[error("the map root differs")]
    MapRoot,
    /// The recomputed map has another number of keys.
    #[error("the number of keys differs")]
    KeyCount,
    /// A tombstone's record was promised and has not come.
    #[error("a redaction record is missing from the log")]
    RecordMissing,
    /// The checkpoint is not over exactly the leaves recomputed.
    #[error("the checkpoint is not over the leaves recomputed")]
    Checkpoint,
}

impl ReexecuteError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Leaf(error) => error.reason(),
            Self::UnknownTrustRoot(_) => "reexecute-unknown-trust-root",
            Self::OldTrustRoot => "reexecute-old-trust-root",
            Self::EntriesMissing(_) => "reexecute-entries-missing",
            Self::Index(error) => error.reason(),
            Self::InputRoot(_) => "reexecute-input-root",
            Self::KeyLists(_) => "reexecute-key-lists",
            Self::MapRoot => "reexecute-map-root",
            Self::KeyCount => "reexecute-key-count",
            Self::RecordMissing => "reexecute-record-missing",
            Self::Checkpoint => "reexecute-checkpoint",
        }
    }
}

/// A replay in progress. After an error it confirms nothing more.
#[derive(Default)]
pub struct Replay {
    index: Index,
    output: Tree,
    failed: bool,
}

impl Replay {
    /// The replay of no leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves recomputed.
    pub fn len(&self) -> u64 {
        self.output.len()
    }

    /// True before the first leaf.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index as recomputed.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Recomputes the next leaf.
    ///
    /// # Errors
    /// [`ReexecuteError`]: the first thing that differs. Nothing is confirmed after it.
    pub fn leaf(&mut self, bytes: &[u8], source: &impl Source) -> Result<(), ReexecuteError> {
        if self.failed {
            return Err(ReexecuteError::Checkpoint);
        }
        self.failed = true;
        let claimed = OutputLeaf::from_bytes(bytes)?;
        if let Some(previous) = self.index.leaf() {
            claimed.check_follows(previous)?;
        }
        let computed = self.index.step(&self.asked_for(&claimed, source)?)?;
        compare(&claimed, &computed)?;
        self.output.push(leaf_hash(bytes));
        self.failed = false;
        Ok(())
    }

    /// Takes a step of this index's own making and returns the leaf to publish. Until that leaf has come back
    /// from the output log ([`Replay::adopt`]) nothing is confirmed.
    ///
    /// # Errors
    /// [`ReexecuteError::Index`]; then nothing has changed.
    #[cfg(feature = "service")]
    pub(crate) fn propose(&mut self, step: &Step) -> Result<OutputLeaf, ReexecuteError> {
        let leaf = self.index.step(step)?;
        self.failed = true;
        Ok(leaf)
    }

    /// The leaf proposed last, as the output log now holds it.
    ///
    /// # Errors
    /// [`ReexecuteError::Checkpoint`] when it holds something else.
    #[cfg(feature = "service")]
    pub(crate) fn adopt(&mut self, bytes: &[u8]) -> Result<(), ReexecuteError> {
        let proposed = self.index.leaf().map(OutputLeaf::to_bytes);
        if !self.failed || proposed.as_deref() != Some(bytes) {
            return Err(ReexecuteError::Checkpoint);
        }
        self.output.push(leaf_hash(bytes));
        self.failed = false;
        Ok(())
    }

    /// The last leaf and its inclusion proof under `checkpoint`.
    ///
    /// # Errors
    /// [`ReexecuteError::Checkpoint`] unless that is over exactly the leaves here.
    #[cfg(feature = "service")]
    pub(crate) fn last_leaf(&self, checkpoint: &Checkpoint) -> Result<(Vec<u8>, Vec<Hash>), ReexecuteError> {
        self.check(checkpoint)?;
        let (size, leaf) = (self.output.len(), self.index.leaf().ok_or(ReexecuteError::Checkpoint)?);
        let proof =
            self.output.inclusion(size.saturating_sub(1), size).map_err(|_| ReexecuteError::Checkpoint)?;
        Ok((leaf.to_bytes(), proof))
    }

    fn check(&self, checkpoint: &Checkpoint) -> Result<(), ReexecuteError> {
        let root = self.output.root(self.output.len()).map_err(|_| ReexecuteError::Checkpoint)?;
        if self.failed || checkpoint.size != self.output.len() || checkpoint.root != root {
            return Err(ReexecuteError::Checkpoint);
        }
        Ok(())
    }

    fn asked_for(&self, claimed: &OutputLeaf, source: &impl Source) -> Result<Step, ReexecuteError> {
        let trust = source.trust(&claimed.trust_root).filter(|trust| trust.digest() == claimed.trust_root);
        let trust = trust.ok_or(ReexecuteError::UnknownTrustRoot(claimed.trust_root))?;
        let mut logs = Vec::with_capacity(claimed.inputs.len());
        for input in &claimed.inputs {
            let begin = self.index.size(&input.origin);
            let entries = source.entries(&input.origin, begin, input.size).filter(|entries| {
                entries.origin == input.origin && entries.entries.len() as u64 == input.size - begin
            });
            logs.push(entries.ok_or_else(|| ReexecuteError::EntriesMissing(input.origin.clone()))?);
        }
        Ok(Step { trust, redactors: source.redactors(), logs })
    }

    /// Cosigns a checkpoint of the output log, `time` in Unix milliseconds.
    ///
    /// # Errors
    /// [`ReexecuteError::Checkpoint`] unless it commits to exactly the leaves recomputed here;
    /// [`ReexecuteError::RecordMissing`] while a tombstone's record has not been seen in its log.
    pub fn cosign(
        &self,
        checkpoint: &Checkpoint,
        key: &NoteSigner,
        time: u64,
    ) -> Result<NoteSignature, ReexecuteError> {
        self.check(checkpoint)?;
        if !self.index.records_complete() {
            return Err(ReexecuteError::RecordMissing);
        }
        Ok(key.sign(checkpoint, time))
    }
}

/// Recomputes a whole output log.
///
/// # Errors
/// [`ReexecuteError`]: the first leaf that differs, and how.
pub fn reexecute<'a>(
    leaves: impl IntoIterator<Item = &'a [u8]>,
    source: &impl Source,
) -> Result<Replay, ReexecuteError> {
    let mut replay = Replay::new();
    for leaf in leaves {
        replay.leaf(leaf, source)?;
    }
    Ok(replay)
}

fn compare(claimed: &OutputLeaf, computed: &OutputLeaf) -> Result<(), ReexecuteError> {
    for (claimed, computed) in claimed.inputs.iter().zip(&computed.inputs) {
        if claimed.root != computed.root {
            return Err(ReexecuteError::InputRoot(claimed.origin.clone()));
        }
        if claimed.key_lists != computed.key_lists {
            return Err(ReexecuteError::KeyLists(claimed.origin.clone()));
        }
    }
    if claimed.map_root != computed.map_root {
        return Err(ReexecuteError::MapRoot);
    }
    if claimed.keys != computed.keys {
        return Err(ReexecuteError::KeyCount);
    }
    Ok(())
}
