//! The Rekor v2 face: what stock clients write to and read from, and the project's own kinds beside it.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/v2/log/entries` | 201 with a `TransparencyLogEntry`; 409 with `x-log-index` for a duplicate |
//! | `GET /api/v2/checkpoint`, `/api/v2/tile/…` | tlog-tiles |
//! | `POST /api/sigveil/v1/entries` | 201; the body of a `redaction` entry |
//! | `POST /api/sigveil/v1/sealed` | 201; `{"entry": body, "payload": {…}}` |
//! | `GET /api/sigveil/v1/entries/{index}` | the body, or 410 with the tombstone where it is withheld |
//! | `GET /api/sigveil/v1/sealed/{index}` | the openings, or 404 |
//! | `GET /api/sigveil/v1/events` | the feed ([`crate::http::Feed`]) |
//! | `GET /healthz`, `/readyz`, `/metrics` | as in `docs/metrics.md` |
//!
//! Entry tiles serve tombstones in place of withheld bodies ([`crate::entry::Withheld`]): stock clients do
//! not read entry tiles to verify, and whoever mirrors them finds the leaf hash and the record's index there.

use std::io;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::checkpoint::{VerifiedCheckpoint, parse_decimal};
use crate::engine::{AppendError, Log, Receipt};
use crate::entry::{Entry, EntryError, HashedRekord, SealedPayload, Stored};
use crate::http::{Tiles, answer as read, guard, problem, watched};
use crate::store::ReadError;
use crate::tile::{TileKind, TileTree};
use crate::tlog_entry::{ProvenEntry, transparency_log_entry};

/// The face over a running log.
pub fn router(log: Log) -> Router {
    router_with(log, Router::new())
}

/// As [`router`], with further routes under the same limits.
pub fn router_with(log: Log, further: Router) -> Router {
    let routes = Router::new()
        .route("/api/v2/log/entries", post(create))
        .route("/api/v2/checkpoint", get(checkpoint))
        .route("/api/v2/tile/{*path}", get(tile))
        .route("/api/sigveil/v1/entries", post(create_own))
        .route("/api/sigveil/v1/sealed", post(create_sealed))
        .route("/api/sigveil/v1/entries/{index}", get(read_entry))
        .route("/api/sigveil/v1/sealed/{index}", get(read_sealed));
    let watched = watched(&log);
    guard(routes.with_state(log).merge(watched).merge(further))
}

async fn create(State(log): State<Log>, body: Bytes) -> Response {
    match HashedRekord::from_request(&body).map(Entry::HashedRekord) {
        Ok(entry) => append(&log, &entry).await,
        Err(error) => refuse(&error.into()),
    }
}

async fn create_own(State(log): State<Log>, body: Bytes) -> Response {
    match Entry::parse(&body) {
        Ok(Entry::HashedRekord(_)) => {
            refuse(&EntryError::KindNotServed("hashedrekord at this address").into())
        }
        Ok(entry) => append(&log, &entry).await,
        Err(error) => refuse(&error.into()),
    }
}

async fn create_sealed(State(log): State<Log>, body: Bytes) -> Response {
    match SealedPayload::from_request(&body) {
        Ok((entry, payload)) => {
            answer(&log, &entry, &entry.body(), log.append_sealed(&entry, &payload).await)
        }
        Err(error) => refuse(&error.into()),
    }
}

async fn append(log: &Log, entry: &Entry) -> Response {
    match log.verified(entry) {
        Ok(body) => answer(log, entry, &body, log.append_opaque(body.clone()).await),
        Err(error) => refuse(&error),
    }
}

fn answer(log: &Log, entry: &Entry, body: &[u8], receipt: Result<Receipt, AppendError>) -> Response {
    match receipt {
        Err(error) => refuse(&error),
        Ok(Receipt { index, tree_size, root, proof, checkpoint, .. }) => {
            let (proof, checkpoint) = (&proof[..], &checkpoint[..]);
            let kind_version = entry.kind_version();
            let proven = ProvenEntry { kind_version, body, index, tree_size, root, proof, checkpoint };
            let answer = transparency_log_entry(log.key(), &proven);
            (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], answer).into_response()
        }
    }
}

/// The one mapping from why an entry was not acknowledged to HTTP.
pub fn refuse(error: &AppendError) -> Response {
    let status = match error {
        AppendError::Duplicate(_) => 409,
        AppendError::Frozen => 410,
        AppendError::Refused(EntryError::TooLarge) => 413,
        AppendError::Refused(EntryError::KindNotServed(_)) => 422,
        AppendError::Refused(_) => 400,
        AppendError::Unwitnessed | AppendError::Busy | AppendError::Unavailable => 503,
    };
    let mut response = problem(status, error.reason(), &error.to_string());
    if let AppendError::Duplicate(index) = error {
        response.headers_mut().insert("x-log-index", (*index).into());
    }
    response
}

async fn checkpoint(State(log): State<Log>) -> Response {
    crate::http::checkpoint(log.reader().clone()).await
}

async fn tile(State(log): State<Log>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    let tiles = Tiles {
        reader: log.reader().clone(),
        published: *log.published().borrow(),
        bundles: TileKind::Entries,
        may_withhold: log.may_withhold(),
    };
    crate::http::tile(tiles, format!("tile/{path}"), &asked).await
}

/// What the published tree holds at `index`; `None` beyond its size.
fn stored(log: &Log, index: u64) -> Result<Option<Stored>, ReadError> {
    let opened = VerifiedCheckpoint::open_by_any(&log.checkpoint()?, log.keys());
    let opened = opened.map_err(|error| ReadError::Io {
        path: log.reader().objects().locate("checkpoint"),
        error: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    let checkpoint = opened.checkpoint();
    if index >= checkpoint.size {
        return Ok(None);
    }
    let tree = TileTree::open(log.reader().clone(), checkpoint.size, &checkpoint.root)?;
    log.reader().entry(&tree, index).map(Some)
}

/// Of what a redaction erases: no cache may keep it.
const KEPT_NOWHERE: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];

/// An index as it stands in an address, in its one form.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Index(u64);

impl TryFrom<String> for Index {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_decimal(&text).map(Self).ok_or("an index is a decimal number")
    }
}

async fn read_entry(State(log): State<Log>, Path(Index(index)): Path<Index>) -> Response {
    let found = |stored| match stored {
        Stored::Body(body) => (KEPT_NOWHERE, body).into_response(),
        Stored::Withheld(tombstone) => (StatusCode::GONE, KEPT_NOWHERE, tombstone.body()).into_response(),
    };
    let missing = ("log-no-entry", "the published tree has no such entry");
    read(move || stored(&log, index), found, missing).await
}

async fn read_sealed(State(log): State<Log>, Path(Index(index)): Path<Index>) -> Response {
    let reader = log.reader().clone();
    let found = |payload: Vec<u8>| (KEPT_NOWHERE, payload).into_response();
    read(move || reader.sealed(index), found, ("sealed-none", "no openings are kept for this entry")).await
}
