//! The signature log and the index over it, as their owner runs them; also without the other roles.

use std::sync::Arc;

use sigveil_log::engine::{Config as LogConfig, Log, RedactionPolicy};
use sigveil_log::witness::{Cosigner, Witness};
use sigveil_verifiable_search::rule;
use sigveil_verifiable_search::service::{EngineLog, FolderLog, Indexer, Inputs, LocalReexecutor};

use super::{InstanceError, clock};
use crate::service::config::{Config, WitnessConfig};
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
    /// Opens both over the config's store, under these trust roots, the current one last. The index has read nothing yet. The witness
    /// cosigns these logs and others' that the config names, and these logs ask it and others' witnesses.
    ///
    /// # Errors
    /// When a folder is in use or damaged.
    pub fn open(
        config: &Config,
        material: &Material,
        trust: &Trust,
        history: Vec<rule::Trust>,
    ) -> Result<Self, InstanceError> {
        let (store, clock) = (&config.store, clock());
        let own = [&material.rekor, &material.output].map(|signer| signer.public().clone());
        let others = config.witness_for.iter().map(|key| key.note_key().clone());
        let logs = own.into_iter().chain(others).collect();
        let witness =
            Arc::new(Witness::open(&store.join("witness"), material.witness.clone(), logs, clock.clone())?);
        // Of one log's each, since it asks them on a thread of its own.
        let cosigners = || -> Result<Vec<_>, InstanceError> {
            let own = Arc::clone(&witness) as Arc<dyn Cosigner>;
            let elsewhere = config.witnesses.iter().map(WitnessConfig::open);
            [Ok(own)].into_iter().chain(elsewhere).collect::<Result<_, _>>().map_err(InstanceError::Witness)
        };
        let rekor = Log::open(LogConfig {
            witnesses: cosigners()?,
            witness_threshold: trust.witnesses.threshold,
            redaction: Some(RedactionPolicy {
                authorities: trust.redaction_authorities.keys.clone(),
                threshold: trust.redaction_authorities.threshold,
                witnesses: trust.witnesses.threshold,
            }),
            ..LogConfig::new(&store.join("rekor"), material.rekor.clone(), clock.clone())
        })?;
        let output = Log::open(LogConfig {
            witnesses: cosigners()?,
            witness_threshold: trust.witnesses.threshold,
            ..LogConfig::new(&store.join("index"), material.output.clone(), clock.clone())
        })?;
        let inputs = Inputs::new(vec![Arc::new(FolderLog::of(&rekor))], history)?;
        let reexecutor = LocalReexecutor::new(inputs.clone(), material.reexecutor.clone(), clock);
        let indexer = Indexer::new(inputs, Arc::new(EngineLog(output)), vec![Arc::new(reexecutor)], 1);
        Ok(Self { rekor, indexer: Arc::new(indexer), witness })
    }
}
