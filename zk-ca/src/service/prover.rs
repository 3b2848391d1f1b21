//! Making proofs: what a prover is, and the bounded pool that runs it.

use std::sync::Arc;

use sigveil_circuits::groth16::Proof;
use sigveil_circuits::token::Class;
use sigveil_circuits::{groth16, nym, token};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProverError {
    /// This prover has no key of the token's class.
    #[error("there is no proving key for tokens of {0}")]
    NoKey(Class),
    /// This prover has no keys at all: its authority's scheme proves nothing.
    #[error("there are no proving keys here")]
    NoKeys,
    /// The statement does not hold, or the key is of another circuit.
    #[error(transparent)]
    Proof(#[from] groth16::Error),
    /// As many proofs as allowed are waiting already.
    #[error("too many proofs are waiting: try again later")]
    QueueFull,
    /// The prover broke down.
    #[error("the prover stopped")]
    Stopped,
}

impl ProverError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoKey(_) | Self::NoKeys => "proving-key-missing",
            Self::Proof(error) => error.reason(),
            Self::QueueFull => "proving-queue-full",
            Self::Stopped => "prover-stopped",
        }
    }
}

/// Proves both statements. Calls block, for seconds, and use many cores.
pub trait Prover: Send + Sync + 'static {
    /// Proves a `token` statement in the circuit of its class.
    fn token(
        &self,
        class: Class,
        instance: &token::Instance,
        witness: &token::Witness,
    ) -> Result<Proof, ProverError>;

    /// Proves a `nym` statement.
    fn nym(&self, instance: &nym::Instance, witness: &nym::Witness) -> Result<Proof, ProverError>;
}

/// Runs blocking work on a few threads, with a bounded number of callers waiting.
pub struct ProverPool {
    places: usize,
    /// One permit per caller, working or waiting.
    admitted: Arc<Semaphore>,
    /// One permit per worker.
    workers: Arc<Semaphore>,
}

impl ProverPool {
    /// A pool that does `workers` things at once and lets `waiting` more callers wait.
    pub fn new(workers: usize, waiting: usize) -> Self {
        Self {
            places: workers + waiting,
            admitted: Arc::new(Semaphore::new(workers + waiting)),
            workers: Arc::new(Semaphore::new(workers)),
        }
    }

    /// Runs `work` on a blocking thread, or refuses at once when too many wait.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ProverError> {
        self.admit()?.run(work).await
    }

    /// A place among those who work or wait, or a refusal at once when there is none.
    pub fn admit(&self) -> Result<Admitted, ProverError> {
        let place = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| ProverError::QueueFull)?;
        Ok(Admitted { place, workers: Arc::clone(&self.workers) })
    }

    /// Returns once nobody works or waits: later callers do not hold it up.
    pub async fn idle(&self) {
        let all = u32::try_from(self.places).unwrap_or(u32::MAX);
        drop(self.admitted.acquire_many(all).await);
    }
}

/// A place in a pool, kept until the work is done or this is dropped.
pub struct Admitted {
    place: OwnedSemaphorePermit,
    workers: Arc<Semaphore>,
}

impl Admitted {
    /// Runs `work` on a blocking thread when its turn comes.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ProverError> {
        let worker = self.workers.acquire_owned().await.map_err(|_| ProverError::Stopped)?;
        // The permits go with the work: it cannot be interrupted, not even when its caller has gone.
        let task = tokio::task::spawn_blocking(move || {
            let _permits = (self.place, worker);
            work()
        });
        task.await.map_err(|_| ProverError::Stopped)
    }
}
