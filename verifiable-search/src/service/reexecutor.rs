//! Re-executors as an indexer asks them.

use super::{Clock, Inputs, OutputLog, ServiceError};
use crate::reexecute::{ReexecuteError, Replay};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::note::{NoteSignature, NoteSigner};
use std::sync::{Mutex, PoisonError};

/// Somebody who recomputes the output log.
pub trait Reexecutor: Send + Sync {
    /// Recomputes what `checkpoint` adds and cosigns it.
    ///
    /// # Errors
    /// [`ServiceError`].
    fn cosign(&self, output: &dyn OutputLog, checkpoint: &Checkpoint) -> Result<NoteSignature, ServiceError>;
}

/// A re-executor in this process. It shares nothing with the indexer but the code: it reads the logs itself.
pub struct LocalReexecutor {
    inputs: Inputs,
    signer: NoteSigner,
    clock: Clock,
    replay: Mutex<Replay>,
}

impl LocalReexecutor {
    /// With a key that cosigns nothing else.
    pub fn new(inputs: Inputs, signer: NoteSigner, clock: Clock) -> Self {
        Self { inputs, signer, clock, replay: Mutex::default() }
    }
}

impl Reexecutor for LocalReexecutor {
    fn cosign(&self, output: &dyn OutputLog, checkpoint: &Checkpoint) -> Result<NoteSignature, ServiceError> {
        // Held for the whole replay: one at a time.
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = (|| {
            for leaf in output.leaves(checkpoint, replay.len(), checkpoint.size)? {
                replay.leaf(&leaf, &self.inputs)?;
            }
            let newest = self.inputs.current_trust().digest();
            if replay.index().leaf().is_some_and(|leaf| leaf.trust_root != newest) {
                return Err(ReexecuteError::OldTrustRoot.into());
            }
            Ok(replay.cosign(checkpoint, &self.signer, (self.clock)())?)
        })();
        if outcome.is_err() {
            // What failed may have been a log out of reach: the next attempt starts anew.
            *replay = Replay::new();
        }
        outcome
    }
}
