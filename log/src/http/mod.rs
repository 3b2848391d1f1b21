//! What the HTTP faces share: problem documents (RFC 9457), limits, and the serving of tiles.
//!
//! [`serve`] is where a face meets the network: whoever sends slowly or nothing loses the connection, not a place that
//! others wait for.

mod bodies;
mod clients;
mod connections;
mod feed;
mod held;
mod tiles;

pub use clients::{ClientLimits, Rate};
pub use connections::{Limits, Shutdown, serve, serve_until};
pub use feed::Feed;
#[cfg(feature = "nats")]
pub(crate) use feed::{entry_event, leaves};
pub(crate) use tiles::{Tiles, tile};

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::engine::Log;
use crate::hash::Hash;
use crate::store::{ReadError, Reader};

/// Largest request body: a sealed entry with its payload. What other faces take is smaller.
const MAX_REQUEST: usize = 256 << 10;
/// For caches: what is here never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Longer than any batch and witness takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Limits that every face has.
pub fn guard(router: Router) -> Router {
    router
        .fallback(|| async { problem(404, "not-found", "there is nothing here") })
        .layer((
            CatchPanicLayer::new(),
            TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT),
            DefaultBodyLimit::max(MAX_REQUEST),
        ))
        .layer(axum::middleware::map_response(as_problem))
}

/// Turns what the framework refuses in its own words into a problem document.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let plain = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    if !plain || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (reason, detail) = match status {
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "this address takes another method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("request-too-large", "the request's body is too large"),
        StatusCode::SERVICE_UNAVAILABLE => ("request-timeout", "the answer took too long"),
        status if status.is_client_error() => ("request-malformed", "the request cannot be read"),
        _ => ("internal-error", "the request could not be answered"),
    };
    let mut answer = problem(status.as_u16(), reason, detail);
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

/// A problem document; `type` is the stable reason code.
pub fn problem(status: u16, reason: &str, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // What is not there now may be there in a moment, and what failed may not fail again: no cache may keep it.
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, problem_body(status, reason, detail)).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn problem_body(status: StatusCode, reason: &str, detail: &str) -> String {
    let body = serde_json::json!({
        "type": format!("urn:sigveil:reason:{reason}"),
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": detail,
        "reason": reason,
    });
    body.to_string()
}

/// What is watched of a log: `/healthz`, `/readyz` and `/metrics`, and its feed.
pub(crate) fn watched(log: &Log) -> Router {
    let (ready, metrics) = (log.clone(), log.clone());
    let readiness = move || async move {
        if ready.is_ready() {
            "ready\n".into_response()
        } else {
            problem(503, "log-unavailable", "the log does not accept entries now, or has some to publish")
        }
    };
    let text = move || async move {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (kind, metrics.metrics().to_text(metrics.key().name())).into_response()
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(text))
        .merge(Feed::of(log).router())
}

/// Answers with what lies in storage, read where waiting for it holds nobody up: as `found` says, 404 as `missing` says, or
/// 503 where storage failed, so that nobody takes that for "not there".
pub(crate) async fn answer<T: Send + 'static>(
    read: impl FnOnce() -> Result<Option<T>, ReadError> + Send + 'static,
    found: impl FnOnce(T) -> Response,
    missing: (&str, &str),
) -> Response {
    match held::read(read).await {
        Ok(Ok(Some(content))) => return found(content),
        Ok(Ok(None)) => return problem(404, missing.0, missing.1),
        Ok(Err(error)) => tracing::warn!(%error, reason = error.reason(), "a log cannot be read"),
        Err(error) => tracing::warn!(%error, "a log cannot be read"),
    }
    problem(503, "log-unreadable", "the log cannot be read now")
}

/// `None` where it is known not to be there.
fn optional<T>(read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match read {
        Err(error) if error.is_missing() => Ok(None),
        read => read.map(Some),
    }
}

/// The published checkpoint.
pub(crate) async fn checkpoint(reader: Reader) -> Response {
    let found = |bytes: Vec<u8>| {
        let headers =
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
        (headers, bytes).into_response()
    };
    let missing = ("checkpoint-unavailable", "no checkpoint is published yet");
    answer(move || optional(reader.checkpoint()), found, missing).await
}

/// A certificate that a certificate log keeps beside its entries.
pub(crate) async fn issuer(reader: Reader, fingerprint: String) -> Response {
    let canonical =
        fingerprint.len() == 64 && fingerprint.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let fingerprint = hex::decode(fingerprint).ok().filter(|_| canonical);
    let fingerprint = fingerprint.and_then(|bytes| Hash::from_slice(&bytes));
    let read = move || fingerprint.map_or(Ok(None), |fingerprint| reader.issuer(&fingerprint));
    let found = |bytes: Vec<u8>| {
        let headers = [(header::CONTENT_TYPE, "application/pkix-cert"), (header::CACHE_CONTROL, IMMUTABLE)];
        (headers, bytes).into_response()
    };
    answer(read, found, ("ct-no-issuer", "there is no such issuer")).await
}
