//! The indexer: from new checkpoints of the input logs to a published, re-executed state.

use super::{Inputs, OutputLog, Reexecutor, ServiceError, Snapshot};
use crate::answer::{Answer, Place, State};
use crate::coverage::CoverageProof;
use crate::index::{Index, LogEntries, Step};
use crate::key::MapKey;
use crate::key_list::EntryKeys;
use crate::list::Growth;
use crate::reexecute::Replay;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::entry::Stored;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::RwLock;

/// An index over some logs. Share it in an [`Arc`].
pub struct Indexer {
    inputs: Inputs,
    output: Arc<dyn OutputLog>,
    reexecutors: Vec<Arc<dyn Reexecutor>>,
    required: usize,
    /// Written for as long as a step and its publication take, so that no answer mixes two states.
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    replay: Replay,
    state: Option<State>,
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
        Self { inputs, output, reexecutors, required, inner: RwLock::default() }
    }

    /// Brings the index up to the logs' published checkpoints and publishes; true when there was anything new.
    ///
    /// # Errors
    /// [`ServiceError`]; then nothing is served until an update succeeds, which first replays the output log.
    pub async fn update(&self) -> Result<bool, ServiceError> {
        let mut inner = self.inner.write().await;
        let snapshots = self.inputs.snapshots()?;
        let outcome = self.update_locked(&mut inner, snapshots).await;
        if outcome.is_err() {
            *inner = Inner::default();
        }
        outcome
    }

    async fn update_locked(&self, inner: &mut Inner, snapshots: Vec<Snapshot>) -> Result<bool, ServiceError> {
        self.catch_up(inner)?;
        let step = self.step(inner.replay.index(), &snapshots)?;
        let trust = step.trust.digest();
        let renamed = inner.replay.index().leaf().is_none_or(|leaf| leaf.trust_root != trust);
        let grown = step.logs.iter().any(|log| !log.entries.is_empty());
        if !grown && !renamed && inner.state.is_some() {
            return Ok(false);
        }
        let new = grown || renamed;
        if new {
            // Should this future be dropped half-way, nothing is served from an index that is ahead.
            inner.state = None;
            let leaf = inner.replay.propose(&step)?;
            self.output.append(leaf.to_bytes()).await?;
        }
        inner.state = Some(self.published(&mut inner.replay, &snapshots)?);
        Ok(new)
    }

    /// Replays what the output log holds beyond what this index has.
    fn catch_up(&self, inner: &mut Inner) -> Result<(), ServiceError> {
        let Some(checkpoint) = self.output_checkpoint()? else { return Ok(()) };
        let checkpoint = checkpoint.checkpoint();
        for leaf in self.output.leaves(checkpoint, inner.replay.len(), checkpoint.size)? {
            inner.replay.leaf(&leaf, &self.inputs)?;
            inner.state = None;
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
        Ok(Step { trust: self.inputs.current_trust().clone(), logs })
    }

    /// The state just published, with the re-executors' lines added to its checkpoint.
    fn published(&self, replay: &mut Replay, snapshots: &[Snapshot]) -> Result<State, ServiceError> {
        let opened = self.output_checkpoint()?.ok_or(ServiceError::NotReady)?;
        let checkpoint = opened.checkpoint();
        let leaves = self.output.leaves(checkpoint, replay.len(), checkpoint.size)?;
        for leaf in &leaves {
            replay.adopt(leaf)?;
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
                    tracing::warn!(reason = error.reason(), %error, "a re-executor did not confirm")
                }
            }
        }
        if confirmed < self.required {
            return Err(ServiceError::NotReexecuted { required: self.required, confirmed });
        }
        let (leaf, inclusion) = replay.last_leaf(checkpoint)?;
        let inputs = snapshots.iter().map(|snapshot| snapshot.note.clone()).collect();
        Ok(State { leaf: STANDARD.encode(leaf), inclusion, checkpoint: note.to_string(), inputs })
    }

    /// The published state.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`].
    pub async fn state(&self) -> Result<State, ServiceError> {
        self.inner.read().await.state.clone().ok_or(ServiceError::NotReady)
    }

    /// The answer for a key, with all pages of its list or those asked for.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`].
    pub async fn answer(&self, key: &MapKey, pages: Option<Range<u64>>) -> Result<Answer, ServiceError> {
        let inner = self.inner.read().await;
        let state = inner.state.clone().ok_or(ServiceError::NotReady)?;
        Ok(inner.replay.index().answer(key, pages, state))
    }

    /// Proof that the published state covers an entry.
    ///
    /// # Errors
    /// [`ServiceError::NotReady`], [`ServiceError::NotIndexed`].
    pub async fn coverage(&self, place: &Place) -> Result<CoverageProof, ServiceError> {
        let inner = self.inner.read().await;
        let state = inner.state.clone().ok_or(ServiceError::NotReady)?;
        inner.replay.index().coverage(place, state).ok_or(ServiceError::NotIndexed)
    }

    /// The key list of an entry, as its redaction record must carry it.
    ///
    /// # Errors
    /// [`ServiceError::NotIndexed`], also when the body is gone.
    pub async fn entry_keys(&self, place: &Place) -> Result<EntryKeys, ServiceError> {
        let snapshots = self.inputs.snapshots()?;
        let tree =
            snapshots.iter().map(|snapshot| &snapshot.checkpoint).find(|tree| tree.origin == place.log);
        let tree: &Checkpoint = tree.ok_or(ServiceError::NotIndexed)?;
        if place.index >= tree.size {
            return Err(ServiceError::NotIndexed);
        }
        let read = self.inputs.read(tree, place.index, place.index + 1)?;
        let Some(Stored::Body(body)) = read.entries.first() else { return Err(ServiceError::NotIndexed) };
        let inner = self.inner.read().await;
        inner.replay.index().entry_keys(&place.log, place.index, body).ok_or(ServiceError::NotIndexed)
    }

    /// Proof that the list under `key` still begins with its first `old` items.
    ///
    /// # Errors
    /// [`ServiceError::Request`] when it never had that many.
    pub async fn growth(&self, key: &MapKey, old: u64) -> Result<Growth, ServiceError> {
        let inner = self.inner.read().await;
        inner.replay.index().growth(key, old).map_err(|_| ServiceError::Request("size of the old list"))
    }

    /// The output log.
    pub fn output(&self) -> &dyn OutputLog {
        self.output.as_ref()
    }
}
