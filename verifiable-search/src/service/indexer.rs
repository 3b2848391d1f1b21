//! The indexer: from new checkpoints of the input logs to a published, re-executed state.

use super::{Inputs, OutputLog, Reexecutor, ServiceError, Snapshot, blocking};
use crate::answer::{Answer, Place, State};
use crate::coverage::CoverageProof;
use crate::index::{Index, LogEntries, Step};
use crate::key::MapKey;
use crate::key_list::EntryKeys;
use crate::list::Growth;
use crate::reexecute::{Replay, Source as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::entry::Stored;
use sigveil_log::tile::TilePath;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::RwLock;

/// An index over some logs. Share it in an [`Arc`].
pub struct Indexer {
    sources: Arc<Sources>,
    /// Written for as long as a step and its publication take, so that no answer mixes two states.
    current: RwLock<Current>,
}

/// Where entries come from and leaves go.
struct Sources {
    inputs: Inputs,
    output: Arc<dyn OutputLog>,
    reexecutors: Vec<Arc<dyn Reexecutor>>,
    required: usize,
}

#[derive(Default)]
struct Current {
    replay: Replay,
    state: Option<State>,
}

/// An update whose leaf, if there is one, has not been appended yet.
struct Prepared {
    current: Current,
    snapshots: Vec<Snapshot>,
    leaf: Option<Vec<u8>>,
}

impl Indexer {
    /// Over `inputs`, publishing to `output`, where `required` of the re-executors have to confirm each state
    /// before it is served. Nothing is read before the first [`Indexer::update`].
    pub fn new(
        inputs: Inputs,
        output: Arc<dyn OutputLog>,
        reexecutors: Vec<Arc<dyn Reexecutor>>,
        required: usize,
    ) -> Self {
        let sources = Arc::new(Sources { inputs, output, reexecutors, required });
        Self { sources, current: RwLock::default() }
    }

    /// Brings the index up to the logs' published checkpoints and publishes; true when there was anything new.
    ///
    /// # Errors
    /// [`ServiceError`]; then nothing is served until an update succeeds, which first replays the output log.
    /// Only where the logs' checkpoints themselves cannot be read, the last state stands.
    pub async fn update(&self) -> Result<bool, ServiceError> {
        let mut guard = self.current.write().await;
        let sources = Arc::clone(&self.sources);
        let snapshots = blocking(move || sources.inputs.snapshots()).await?;
        // What an error, a panic or the dropping of this future interrupts is gone with it: nothing is ever
        // served from an index that is ahead of its output log.
        let current = std::mem::take(&mut *guard);
        let sources = Arc::clone(&self.sources);
        let prepared = blocking(move || sources.prepare(current, snapshots)).await?;
        let new = prepared.leaf.is_some();
        if let Some(leaf) = &prepared.leaf {
            self.sources.output.append(leaf.clone()).await?;
        }
        let sources = Arc::clone(&self.sources);
        *guard = blocking(move || sources.publish(prepared)).await?;
        Ok(new)
    }

    /// The published state.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`].
    pub async fn state(&self) -> Result<State, ServiceError> {
        self.current.read().await.state.clone().ok_or(ServiceError::NotReady)
    }

    /// The answer for a key, with all pages of its list or those asked for.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`].
    pub async fn answer(&self, key: &MapKey, pages: Option<Range<u64>>) -> Result<Answer, ServiceError> {
        let current = self.current.read().await;
        let state = current.state.clone().ok_or(ServiceError::NotReady)?;
        Ok(current.replay.index().answer(key, pages, state))
    }

    /// Proof that the published state covers an entry.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`], [`ServiceError::NotIndexed`].
    pub async fn coverage(&self, place: &Place) -> Result<CoverageProof, ServiceError> {
        let current = self.current.read().await;
        let state = current.state.clone().ok_or(ServiceError::NotReady)?;
        current.replay.index().coverage(place, state).ok_or(ServiceError::NotIndexed)
    }

    /// The key list of an entry, as its redaction record must carry it.
    ///
    /// # Errors
    /// [`ServiceError::NotIndexed`], also when the body is gone.
    pub async fn entry_keys(&self, place: &Place) -> Result<EntryKeys, ServiceError> {
        let (sources, at) = (Arc::clone(&self.sources), place.clone());
        let body = blocking(move || sources.body(&at)).await?;
        let current = self.current.read().await;
        current.replay.index().entry_keys(&place.log, place.index, &body).ok_or(ServiceError::NotIndexed)
    }

    /// Proof that the list under `key` still begins with its first `old` items.
    ///
    /// # Errors
    /// [`ServiceError::Request`] when it never had that many.
    pub async fn growth(&self, key: &MapKey, old: u64) -> Result<Growth, ServiceError> {
        let current = self.current.read().await;
        current.replay.index().growth(key, old).map_err(|_| ServiceError::Request("size of the old list"))
    }

    /// A tile of the output log.
    ///
    /// # Errors
    /// [`ServiceError::NotIndexed`] when it has none there.
    pub async fn tile(&self, path: TilePath) -> Result<Vec<u8>, ServiceError> {
        let sources = Arc::clone(&self.sources);
        blocking(move || sources.output.tile(&path).map_err(|_| ServiceError::NotIndexed)).await
    }
}

/// All of this reads files or hashes for long: it runs on threads that may block.
impl Sources {
    /// Follows the output log, then takes the step that the snapshots allow.
    fn prepare(&self, mut current: Current, snapshots: Vec<Snapshot>) -> Result<Prepared, ServiceError> {
        self.catch_up(&mut current)?;
        let step = self.step(current.replay.index(), &snapshots)?;
        let trust = step.trust.digest();
        let renamed = current.replay.index().leaf().is_none_or(|leaf| leaf.trust_root != trust);
        let grown = step.logs.iter().any(|log| !log.entries.is_empty());
        let mut leaf = None;
        if grown || renamed {
            current.state = None;
            leaf = Some(current.replay.propose(&step)?.to_bytes());
        }
        Ok(Prepared { current, snapshots, leaf })
    }

    /// Replays what the output log holds beyond what this index has.
    fn catch_up(&self, current: &mut Current) -> Result<(), ServiceError> {
        let Some(checkpoint) = self.output_checkpoint()? else { return Ok(()) };
        let checkpoint = checkpoint.checkpoint();
        for leaf in self.output.leaves(checkpoint, current.replay.len(), checkpoint.size)? {
            current.replay.leaf(&leaf, &self.inputs)?;
            current.state = None;
        }
        Ok(())
    }

    fn output_checkpoint(&self) -> Result<Option<VerifiedCheckpoint>, ServiceError> {
        let Some(bytes) = self.output.checkpoint()? else { return Ok(None) };
        let origin = || self.output.key().name().to_owned();
        let opened = VerifiedCheckpoint::open(&bytes, self.output.key(), &[])
            .map_err(|error| ServiceError::Checkpoint { origin: origin(), error })?;
        Ok((opened.checkpoint().size > 0).then_some(opened))
    }

    fn step(&self, index: &Index, snapshots: &[Snapshot]) -> Result<Step, ServiceError> {
        let logs = snapshots.iter().map(|Snapshot { checkpoint, .. }| {
            let begin = index.size(&checkpoint.origin);
            if checkpoint.size < begin {
                return Err(ServiceError::InputShrank(checkpoint.origin.clone()));
            }
            self.inputs.read(checkpoint, begin, checkpoint.size)
        });
        let logs: Vec<LogEntries> = logs.collect::<Result<_, _>>()?;
        let trust = self.inputs.current_trust().clone();
        Ok(Step { trust, redactors: self.inputs.redactors(), logs })
    }

    /// Takes the leaf back from the output log, and makes the state that is served: its checkpoint with the
    /// re-executors' lines.
    fn publish(&self, prepared: Prepared) -> Result<Current, ServiceError> {
        let Prepared { mut current, snapshots, .. } = prepared;
        if let Some(state) = &mut current.state {
            // Nothing is new but until when that is so: witnesses have cosigned the logs' checkpoints again.
            state.inputs = snapshots.into_iter().map(|snapshot| snapshot.note).collect();
            return Ok(current);
        }
        let opened = self.output_checkpoint()?.ok_or(ServiceError::NotReady)?;
        let checkpoint = opened.checkpoint();
        for leaf in self.output.leaves(checkpoint, current.replay.len(), checkpoint.size)? {
            current.replay.adopt(&leaf)?;
        }
        let mut note = opened.note().clone();
        let mut confirmed = 0;
        for reexecutor in &self.reexecutors {
            match reexecutor.cosign(self.output.as_ref(), checkpoint) {
                Ok(line) => {
                    note.add(line);
                    confirmed += 1;
                }
                Err(error) => {
                    tracing::warn!(reason = error.reason(), %error, "a re-executor did not confirm");
                }
            }
        }
        if confirmed < self.required {
            return Err(ServiceError::NotReexecuted { required: self.required, confirmed });
        }
        let (leaf, inclusion) = current.replay.last_leaf(checkpoint)?;
        let inputs = snapshots.into_iter().map(|snapshot| snapshot.note).collect();
        let leaf = STANDARD.encode(leaf);
        current.state = Some(State { leaf, inclusion, checkpoint: note.to_string(), inputs });
        Ok(current)
    }

    /// Body of an entry, as its log serves it.
    fn body(&self, place: &Place) -> Result<Vec<u8>, ServiceError> {
        let snapshots = self.inputs.snapshots()?;
        let mut trees = snapshots.iter().map(|snapshot| &snapshot.checkpoint);
        let tree = trees.find(|tree| tree.origin == place.log && place.index < tree.size);
        let tree = tree.ok_or(ServiceError::NotIndexed)?;
        match self.inputs.read(tree, place.index, place.index + 1)?.entries.pop() {
            Some(Stored::Body(body)) => Ok(body),
            _ => Err(ServiceError::NotIndexed),
        }
    }
}
