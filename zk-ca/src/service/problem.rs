//! Errors as RFC 9457 problem documents: the one place where a reason gets a status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What went wrong, for a client: a status, a stable reason code, one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable reason code.
    pub reason: &'static str,
    /// One sentence for people. Never holds a claim or any other part of a token.
    pub detail: String,
}

impl Problem {
    /// The request itself is wrong: 400.
    pub fn bad_request(reason: &'static str, detail: impl ToString) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason, detail: detail.to_string() }
    }

    /// A fault of this server: 500.
    pub fn internal(reason: &'static str, detail: impl ToString) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, reason, detail: detail.to_string() }
    }
}

/// `message` repeats the detail: stock clients show that member.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            reason: self.reason,
            message: &self.detail,
        };
        let mut response = (self.status, Json(document)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
