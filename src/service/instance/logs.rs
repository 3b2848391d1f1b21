//! The signature log and the index over it, as their owner runs them; also without the other roles.

use std::path::Path;
use std::sync::Arc;

use sigveil_log::engine::{Config as LogConfig, Log, RedactionPolicy};
use sigveil_log::note::NoteKey;
use sigveil_log::witness::{Cosigner, Witness};
use sigveil_verifiable_search::rule;
use sigveil_verifiable_search::service::{EngineLog, FolderLog, Indexer, Inputs, LocalReexecutor};

use super::{InstanceError, clock};
use crate::service::material::Material;
use crate::trust::Trust;

/// The log, and the index that follows it.
pub struct LogSide {
    /// The signature log.
    pub rekor: Log,
    /// The index.
    pub indexer: Arc<Indexer>,
    /// The embedded witness.
    pub witness: Arc<Witness>,
}

impl LogSide {
    /// Opens both over a store, under these trust roots, the current one last. The index has read nothing yet. The witness
    /// cosigns these logs and `others`.
    ///
    /// # Errors
    /// When a folder is in use or damaged.
    pub fn open(
        store: &Path,
        material: &Material,
        trust: &Trust,
        history: Vec<rule::Trust>,
        others: impl IntoIterator<Item = NoteKey>,
    ) -> Result<Self, InstanceError> {
        let clock = clock();
        let own = [&material.rekor, &material.output].map(|signer| signer.public().clone());
        let logs = own.into_iter().chain(others).collect();
        let witness =
            Arc::new(Witness::open(&store.join("witness"), material.witness.clone(), logs, clock.clone())?);
        let cosigner = || vec![Arc::clone(&witness) as Arc<dyn Cosigner>];
        let rekor = Log::open(LogConfig {
            witnesses: cosigner(),
            witness_threshold: 1,
            redaction: Some(RedactionPolicy {
                authorities: trust.redaction_authorities.keys.clone(),
                threshold: trust.redaction_authorities.threshold,
                witnesses: trust.witnesses.threshold,
            }),
            ..LogConfig::new(&store.join("rekor"), material.rekor.clone(), clock.clone())
        })?;
        let output = Log::open(LogConfig {
            witnesses: cosigner(),
            witness_threshold: 1,
            ..LogConfig::new(&store.join("index"), material.output.clone(), clock.clone())
        })?;
        let inputs = Inputs::new(vec![Arc::new(FolderLog::of(&rekor))], history)?;
        let reexecutor = LocalReexecutor::new(inputs.clone(), material.reexecutor.clone(), clock);
        let indexer = Indexer::new(inputs, Arc::new(EngineLog(output)), vec![Arc::new(reexecutor)], 1);
        Ok(Self { rekor, indexer: Arc::new(indexer), witness })
    }
}
