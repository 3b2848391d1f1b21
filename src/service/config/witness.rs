//! Witnesses elsewhere, as configs name them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigveil_log::witness::{CosignError, Cosigner, HttpWitness};

use super::{ConfigError, WitnessKey};

/// A witness elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// URL below which `add-checkpoint` is.
    pub url: String,
    /// Its verifier key.
    pub key: WitnessKey,
    /// Milliseconds that it has for an answer.
    #[serde(default = "two_seconds")]
    pub timeout_ms: u64,
}

fn two_seconds() -> u64 {
    2_000
}

impl WitnessConfig {
    /// The witness, for one log to ask.
    ///
    /// # Errors
    /// When nobody can be asked at all.
    pub fn open(&self) -> Result<Arc<dyn Cosigner>, CosignError> {
        let (key, timeout) = (self.key.note_key().clone(), Duration::from_millis(self.timeout_ms));
        Ok(Arc::new(HttpWitness::new(&self.url, key, timeout)?))
    }
}

/// A log of this name can have so many cosignatures, of these witnesses and `own` more, and each is of another.
pub(crate) fn check_witnesses(
    log: &str,
    cosignatures: usize,
    own: usize,
    witnesses: &[WitnessConfig],
) -> Result<(), ConfigError> {
    if cosignatures > own + witnesses.len() {
        return Err(ConfigError::Malformed(format!("{log} asks fewer witnesses than must cosign")));
    }
    // Asked twice, one witness would be counted for two.
    let mut keys = BTreeSet::new();
    match witnesses.iter().find(|witness| !keys.insert(witness.key.note_key().encode())) {
        Some(twice) => {
            let name = twice.key.note_key().name();
            Err(ConfigError::Malformed(format!("{log} asks {name} twice")))
        }
        None => Ok(()),
    }
}
