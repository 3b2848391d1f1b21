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

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

use crate::engine::{AppendError, Clock, Config, FreezeError, Log, OpenError};

/// How long a period has to be over before its log is ended, which is for ever: by then a clock that was ahead, as after a
/// start of the machine, was set right. The face takes nothing meanwhile.
const SETTLED: Duration = Duration::from_secs(30);

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

    /// Whether its period is over at this time, Unix milliseconds.
    fn is_past(&self, now: u64) -> bool {
        self.until <= now
    }
}

/// Since when each period has been over, by a clock that nobody sets.
#[derive(Default)]
struct Over(HashMap<String, Instant>);

impl Over {
    /// Whether a shard's period was over each time this was asked, for long enough.
    fn is_settled(&mut self, name: &str, is_past: bool, moment: Instant) -> bool {
        if !is_past {
            self.0.remove(name);
            return false;
        }
        moment.duration_since(*self.0.entry(name.to_owned()).or_insert(moment)) >= SETTLED
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
        self.freeze(|shard| shard.is_past((self.clock)())).await
    }

    async fn freeze(&self, mut is_due: impl FnMut(&Shard) -> bool) -> Result<(), FreezeError> {
        let mut outcome = Ok(());
        for shard in self.shards.iter() {
            if !is_due(shard) {
                continue;
            }
            let frozen = shard.log.freeze().await;
            if let Err(error) = &frozen {
                tracing::error!(shard = shard.name, %error, "its period is over and it is not frozen yet");
            }
            outcome = outcome.and(frozen);
        }
        outcome
    }

    /// Freezes shards once their periods have been over for half a minute, until the task is dropped.
    pub async fn tend(&self, every: Duration) {
        let mut over = Over::default();
        loop {
            let (now, moment) = ((self.clock)(), Instant::now());
            // What went wrong was said, and is tried again.
            let _ = self.freeze(|shard| over.is_settled(&shard.name, shard.is_past(now), moment)).await;
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
        Method::POST if shard.is_past(now) => crate::rekor::refuse(&AppendError::Frozen),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_for_a_moment_ends_nothing() {
        let (mut over, begun) = (Over::default(), Instant::now());
        let mut at = |name: &str, seconds: u64, is_past| {
            over.is_settled(name, is_past, begun + Duration::from_secs(seconds))
        };
        assert!(!at("a", 0, true) && !at("a", 29, true));
        assert!(!at("a", 30, false));
        assert!(!at("a", 31, true) && !at("a", 60, true) && !at("b", 60, true));
        assert!(at("a", 61, true) && at("a", 62, true) && !at("b", 62, true));
    }
}
