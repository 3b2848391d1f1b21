//! The HTTP face.
//!
//! | path | answer |
//! |---|---|
//! | `GET /healthz` | 200 once a state is published |
//! | `GET /search/<key, hex>[?begin=<page>&end=<page>]` | [`crate::answer::Answer`] |
//! | `GET /state` | [`crate::answer::State`] |
//! | `GET /growth/<key, hex>?old=<count>` | consistency proof of the list |
//! | `GET /coverage?log=<origin>&index=<n>` | [`crate::coverage::CoverageProof`] |
//! | `GET /key-list?log=<origin>&index=<n>` | the entry's key list |
//! | `GET /checkpoint`, `GET /tile/…` | the output log (C2SP tlog-tiles) |
//! | `/epochs/…`, `/buckets/…`, `/pir` | 501: not served by this version |
//!
//! Refusals are problem documents ([`sigveil_log::http`]).

use super::{Indexer, ServiceError};
use crate::answer::Place;
use crate::key::MapKey;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde::Deserialize;
use sigveil_log::http::{guard, problem};
use sigveil_log::tile::TilePath;
use std::sync::Arc;

/// The index's routes.
pub fn router(indexer: Arc<Indexer>) -> Router {
    let routes = Router::new()
        .route("/healthz", get(health))
        .route("/search/{key}", get(search))
        .route("/state", get(state))
        .route("/growth/{key}", get(growth))
        .route("/coverage", get(coverage))
        .route("/key-list", get(key_list))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/epochs/{*path}", any(|| async { ServiceError::NotServed("epoch lists") }))
        .route("/buckets/{*path}", any(|| async { ServiceError::NotServed("bucket queries") }))
        .route("/pir", any(|| async { ServiceError::NotServed("private queries") }))
        .with_state(indexer);
    guard(routes)
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        problem(self.status(), self.reason(), &self.to_string())
    }
}

type Shared = State<Arc<Indexer>>;

#[derive(Deserialize)]
struct Pages {
    begin: Option<u64>,
    end: Option<u64>,
}

#[derive(Deserialize)]
struct Old {
    old: u64,
}

fn parse_key(text: &str) -> Result<MapKey, ServiceError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ServiceError::Request("key"))?;
    Ok(MapKey::from_bytes(bytes))
}

async fn health(State(indexer): Shared) -> Result<&'static str, ServiceError> {
    indexer.state().await.map(|_| "ok\n")
}

async fn search(
    State(indexer): Shared,
    Path(key): Path<String>,
    Query(pages): Query<Pages>,
) -> Result<Response, ServiceError> {
    let pages = match (pages.begin, pages.end) {
        (None, None) => None,
        (begin, end) => Some(begin.unwrap_or(0)..end.unwrap_or(u64::MAX)),
    };
    Ok(Json(indexer.answer(&parse_key(&key)?, pages).await?).into_response())
}

async fn state(State(indexer): Shared) -> Result<Response, ServiceError> {
    Ok(Json(indexer.state().await?).into_response())
}

async fn growth(
    State(indexer): Shared,
    Path(key): Path<String>,
    Query(Old { old }): Query<Old>,
) -> Result<Response, ServiceError> {
    let growth = indexer.growth(&parse_key(&key)?, old).await?;
    Ok(Json(serde_json::json!({ "consistency": growth.consistency })).into_response())
}

async fn coverage(State(indexer): Shared, Query(place): Query<Place>) -> Result<Response, ServiceError> {
    Ok(Json(indexer.coverage(&place).await?).into_response())
}

async fn key_list(State(indexer): Shared, Query(place): Query<Place>) -> Result<Response, ServiceError> {
    let keys = indexer.entry_keys(&place).await?;
    Ok(Json(serde_json::json!({ "mapKeys": keys.elements(), "digest": keys.digest() })).into_response())
}

async fn checkpoint(State(indexer): Shared) -> Result<String, ServiceError> {
    Ok(indexer.state().await?.checkpoint)
}

async fn tile(State(indexer): Shared, Path(path): Path<String>) -> Result<Vec<u8>, ServiceError> {
    let path = TilePath::parse(&format!("tile/{path}")).ok_or(ServiceError::Request("tile"))?;
    indexer.tile(path).await
}
