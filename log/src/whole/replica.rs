//! A read replica: a copy that follows its log and serves readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::{Identity, LocalCopy, Source, WholeError};
use crate::http::{Feed, Tiles, checkpoint, guard, issuer, problem, tile};
use crate::store::Reader;
use crate::tile::TileKind;

/// A copy that is kept up to date by a thread of its own, until the last clone is dropped.
#[derive(Clone)]
pub struct Replica {
    reader: Reader,
    bundles: TileKind,
    published: watch::Receiver<u64>,
    /// Whether the last look at the log succeeded.
    follows: Arc<AtomicBool>,
    _stop: Arc<Sender<()>>,
}

impl Replica {
    /// Begins to follow; `every` is how long after one look at the log the next is. What the folder holds is served at once.
    ///
    /// # Errors
    /// When what the folder holds is not of this log, or no thread can be started.
    pub fn start(
        copy: LocalCopy,
        identity: &Identity,
        log: impl Source + Send + 'static,
        every: Duration,
    ) -> Result<Self, WholeError> {
        let (published, seen) = watch::channel(copy.size()?);
        let (stop, stopped) = channel();
        let follows = Arc::new(AtomicBool::new(false));
        let replica = Self {
            reader: copy.reader().clone(),
            bundles: identity.layout.bundle_kind(),
            published: seen,
            follows: Arc::clone(&follows),
            _stop: Arc::new(stop),
        };
        let follow = move || {
            let mut copy = copy;
            loop {
                let followed = copy.follow(&log);
                follows.store(followed.is_ok(), Ordering::SeqCst);
                match followed {
                    Ok(copied) => drop(published.send_replace(copied.checkpoint.checkpoint().size)),
                    Err(error) => tracing::error!(%error, reason = error.reason(), "the log is not followed"),
                }
                if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("log replica".to_owned()).spawn(follow)?;
        Ok(replica)
    }

    /// Size of the tree that is served, as it grows.
    pub fn published(&self) -> watch::Receiver<u64> {
        self.published.clone()
    }

    /// The reading faces: of a certificate log and C2SP tlog-tiles at the root, of Rekor v2 below `/api/v2`; the feed;
    /// `/healthz`, and `/readyz`, which is 503 while the log cannot be followed.
    pub fn router(&self) -> Router {
        let reading = |prefix: &str| {
            Router::new()
                .route(&format!("{prefix}/checkpoint"), get(read_checkpoint))
                .route(&format!("{prefix}/tile/{{*path}}"), get(read_tile))
        };
        let routes = reading("")
            .merge(reading("/api/v2"))
            .route("/issuer/{fingerprint}", get(read_issuer))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self.clone());
        guard(routes.merge(Feed::new(self.reader.clone(), self.published()).router()))
    }
}

async fn read_checkpoint(State(replica): State<Replica>) -> Response {
    checkpoint(replica.reader).await
}

async fn read_tile(State(replica): State<Replica>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    let published = *replica.published.borrow();
    // What its log may withhold it does not know.
    let tiles = Tiles { reader: replica.reader, published, bundles: replica.bundles, may_withhold: true };
    tile(tiles, format!("tile/{path}"), &asked).await
}

async fn read_issuer(State(replica): State<Replica>, Path(fingerprint): Path<String>) -> Response {
    issuer(replica.reader, fingerprint).await
}

async fn ready(State(replica): State<Replica>) -> Response {
    // Whoever follows has the channel's other end until its thread is gone.
    if replica.follows.load(Ordering::SeqCst) && replica.published.has_changed().is_ok() {
        "ready\n".into_response()
    } else {
        problem(503, "log-unavailable", "the log cannot be followed now")
    }
}
