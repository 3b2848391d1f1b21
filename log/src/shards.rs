//! Several logs in one process, one after the other in time: each takes entries in its own period, and when that is over
//! it is frozen and goes on being read. Each shard is a log of its own, with its own origin, key and address, as clients
//! of Rekor v2 know them: its origin and period stand in their trust root, and a bundle names its log by the key.
//!
//! | request | answer |
//! |---|---|
//! | `GET /shards` | the shards, with their periods |
//! | `…/{name}/…` | the Rekor face of one ([`crate::rekor`]); 410 to whoever submits after its period, 503 before |
//!
//! Certificate logs are not cut by this: theirs are cut by when certificates end, which is not built.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

use crate::engine::{AppendError, Clock, Config, FreezeError, Log, OpenError};

/// A shard that is to be opened.
pub struct Period {
    /// Its part of the address.
    pub name: String,
    /// From when on it takes entries, Unix milliseconds.
    pub from: u64,
    /// When it does not any more.
    pub until: u64,
    /// The log.
    pub config: Config,
}

/// One of the logs.
#[derive(Clone)]
pub struct Shard {
    name: String,
    from: u64,
    until: u64,
    log: Log,
}

impl Shard {
    /// Its part of the address.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

/// Running shards.
#[derive(Clone)]
pub struct Shards {
    shards: Arc<Vec<Shard>>,
    clock: Clock,
}

impl Shards {
    /// Opens all of them; those that are frozen, for reading.
    ///
    /// # Errors
    /// The first log's that does not open.
    pub fn open(periods: Vec<Period>, clock: Clock) -> Result<Self, OpenError> {
        let open = |Period { name, from, until, config }| {
            Ok::<_, OpenError>(Shard { name, from, until, log: Log::open(config)? })
        };
        let shards = periods.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { shards: Arc::new(shards), clock })
    }

    /// All of them.
    pub fn all(&self) -> &[Shard] {
        &self.shards
    }

    /// The one that takes entries now.
    pub fn current(&self) -> Option<&Shard> {
        let now = (self.clock)();
        self.shards.iter().find(|shard| shard.from <= now && now < shard.until && !shard.log.is_frozen())
    }

    /// Freezes those whose period is over, each whether or not another can be.
    ///
    /// # Errors
    /// Of the first that could not be frozen; it takes nothing through the face, and is frozen when this is called again.
    pub async fn freeze_past(&self) -> Result<(), FreezeError> {
        let now = (self.clock)();
        let mut outcome = Ok(());
        for shard in self.shards.iter().filter(|shard| shard.until <= now) {
            let frozen = shard.log.freeze().await;
            if let Err(error) = &frozen {
                tracing::error!(shard = shard.name, %error, "its period is over and it is not frozen yet");
            }
            outcome = outcome.and(frozen);
        }
        outcome
    }

    /// Freezes shards as their periods end, until the task is dropped.
    pub async fn tend(&self, every: Duration) {
        loop {
            // What went wrong was said, and is tried again.
            let _ = self.freeze_past().await;
            tokio::time::sleep(every).await;
        }
    }

    /// The faces of all.
    pub fn router(&self) -> Router {
        let list = crate::http::guard(Router::new().route("/shards", get(list)).with_state(self.clone()));
        self.shards.iter().fold(list, |router, shard| {
            let admitted = from_fn_with_state((shard.clone(), Arc::clone(&self.clock)), admit);
            let face = crate::rekor::router(shard.log.clone()).layer(admitted);
            router.nest(&format!("/{}", shard.name), face)
        })
    }
}

/// Lets entries pass in the shard's period, and everything else always.
async fn admit(State((shard, clock)): State<(Shard, Clock)>, request: Request, next: Next) -> Response {
    let now = clock();
    match *request.method() {
        Method::POST if now >= shard.until => crate::rekor::refuse(&AppendError::Frozen),
        Method::POST if now < shard.from => crate::rekor::refuse(&AppendError::Unavailable),
        _ => next.run(request).await,
    }
}

async fn list(State(shards): State<Shards>) -> Json<serde_json::Value> {
    let shard = |shard: &Shard| {
        serde_json::json!({
            "name": shard.name, "origin": shard.log.key().name(), "verifierKey": shard.log.key().encode(),
            "from": shard.from, "until": shard.until, "frozen": shard.log.is_frozen(),
        })
    };
    Json(shards.shards.iter().map(shard).collect())
}
