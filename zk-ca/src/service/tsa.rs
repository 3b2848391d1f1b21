//! HTTP face of the timestamp authority: one URL, `POST /api/v1/timestamp`, DER (RFC 3161 §3.4) or JSON.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rand_core::OsRng;

use super::clock::SharedClock;
use super::problem::Problem;
use crate::profile::Serial;
use crate::timestamp::{TimestampAuthority, TimestampError, TimestampRequest, rejection};

/// Path of the service, as in the `tsaUrls` of a SigningConfig.
pub const TIMESTAMP_PATH: &str = "/api/v1/timestamp";
/// Most bytes of a request.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

struct Shared {
    authority: TimestampAuthority,
    clock: SharedClock,
}

/// The timestamp authority's routes.
pub fn router(authority: TimestampAuthority, clock: SharedClock) -> Router {
    Router::new()
        .route(TIMESTAMP_PATH, post(timestamp))
        .route("/api/v1/timestamp/certchain", get(certificate_chain))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(Arc::new(Shared { authority, clock }))
}

/// The media type decides the form. A DER request gets a DER answer in any case: RFC 3161 has its own form of refusal.
/// A JSON one that is refused gets a problem document.
async fn timestamp(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let answer = |request: TimestampRequest| {
        shared.authority.grant(&request, shared.clock.now(), Serial::draw(&mut OsRng))
    };
    if media_type.eq_ignore_ascii_case("application/json") {
        return match TimestampRequest::from_json(&body).and_then(answer) {
            Ok(der) => reply(StatusCode::CREATED, der),
            Err(error) => problem(error).into_response(),
        };
    }
    if !media_type.eq_ignore_ascii_case("application/timestamp-query") {
        return problem(TimestampError::MediaType).into_response();
    }
    match TimestampRequest::from_der(&body).and_then(answer) {
        Ok(der) => reply(StatusCode::CREATED, der),
        Err(error) => reply(problem(error).status, rejection(error)),
    }
}

async fn certificate_chain(State(shared): State<Arc<Shared>>) -> Response {
    let chain: String = shared.authority.chain().iter().map(|certificate| certificate.to_pem()).collect();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/pem-certificate-chain"))], chain)
        .into_response()
}

fn reply(status: StatusCode, der: Vec<u8>) -> Response {
    let media_type = HeaderValue::from_static("application/timestamp-reply");
    (status, [(header::CONTENT_TYPE, media_type)], der).into_response()
}

fn problem(error: TimestampError) -> Problem {
    match error {
        TimestampError::MediaType => Problem {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ..Problem::bad_request(error.reason(), error)
        },
        TimestampError::Encoding => Problem::internal(error.reason(), error),
        _ => Problem::bad_request(error.reason(), error),
    }
}
