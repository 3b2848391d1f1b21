//! A log, an output log and a witness in one folder, and an indexer with a re-executor over them.

use super::{Ca, NOW, cosigner, signer, trust};
use ed25519_dalek::SigningKey;
use sigveil_log::engine::{Config, Log, RedactionPolicy};
use sigveil_log::witness::{Cosigner, Witness};
use sigveil_verifiable_search::answer::{Policy, Quorum};
use sigveil_verifiable_search::rule::Trust;
use sigveil_verifiable_search::service::{
    EngineLog, FolderLog, Indexer, InputLog, Inputs, LocalReexecutor, Reexecutor,
};
use std::path::Path;
use std::sync::Arc;

pub const LOG: &str = "log.example";
pub const OUTPUT: &str = "index.example";

pub struct Running {
    pub log: Log,
    pub output: Log,
}

pub fn clock() -> Arc<dyn Fn() -> u64 + Send + Sync> {
    Arc::new(|| NOW * 1000)
}

pub fn authority() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

impl Running {
    /// Both logs publish only what the witness has cosigned.
    pub fn start(folder: &Path) -> Self {
        let signers = [signer(LOG, 2), signer(OUTPUT, 1)];
        let known = signers.iter().map(|signer| signer.public().clone()).collect();
        let state = folder.join("witness");
        std::fs::create_dir_all(&state).unwrap();
        let witness = Witness::open(&state, cosigner("witness.example", 3), known, clock()).unwrap();
        let witness: Arc<dyn Cosigner> = Arc::new(witness);
        let [log, output] = signers.map(|signer| {
            let folder = folder.join(signer.public().name());
            std::fs::create_dir_all(&folder).unwrap();
            let mut config = Config::new(&folder, signer, clock());
            config.witnesses = vec![Arc::clone(&witness)];
            config.witness_threshold = 1;
            config.batch_age = std::time::Duration::from_millis(1);
            let authorities = vec![authority().verifying_key()];
            config.redaction = Some(RedactionPolicy { authorities, threshold: 1, witnesses: 1 });
            Log::open(config).unwrap()
        });
        Self { log, output }
    }

    pub fn inputs(&self, trusts: Vec<Trust>) -> Inputs {
        let input: Arc<dyn InputLog> = Arc::new(FolderLog::of(&self.log));
        Inputs::new(vec![input], trusts).unwrap()
    }

    /// A new indexer, and a new re-executor that has to confirm it.
    pub fn indexer(&self) -> Arc<Indexer> {
        self.indexer_under(vec![trust(b"trust root", &[&Ca::new(1)])])
    }

    pub fn indexer_under(&self, trusts: Vec<Trust>) -> Arc<Indexer> {
        let inputs = self.inputs(trusts);
        let signer = cosigner("reexecutor.example", 4);
        let reexecutor: Arc<dyn Reexecutor> = Arc::new(LocalReexecutor::new(inputs.clone(), signer, clock()));
        let output = Arc::new(EngineLog(self.output.clone()));
        Arc::new(Indexer::new(inputs, output, vec![reexecutor], 1))
    }

    pub fn policy(&self) -> Policy {
        let one = |key| Quorum { keys: vec![key], threshold: 1 };
        Policy {
            output: self.output.key().clone(),
            witnesses: one(cosigner("witness.example", 3).public().clone()),
            reexecutors: one(cosigner("reexecutor.example", 4).public().clone()),
            inputs: vec![self.log.key().clone()],
            authorities: (vec![authority().verifying_key()], 1),
        }
    }
}
