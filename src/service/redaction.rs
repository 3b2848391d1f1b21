//! Withdrawing an entry's content: record in the log first, then erasure, then the index says so (protocol.md §9).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use sigveil_log::engine::{AppendError, Log, RedactError, Redacted};
use sigveil_log::entry::{Entry, ReasonCode, RedactionRecord, RedactionStatement, Withholding};
use sigveil_log::http::problem;
use sigveil_verifiable_search::answer::Place;
use sigveil_verifiable_search::coverage::CoverageError;
use sigveil_verifiable_search::service::{Indexer, ServiceError};

use crate::trust::Trust;
use crate::verify::search_policy;

/// Path of the endpoint that takes a signed record and carries it out.
pub const APPLY_PATH: &str = "/api/sigveil/v1/redactions";

/// Why a redaction was not prepared or carried out.
#[derive(Debug, thiserror::Error)]
pub enum RedactionError {
    /// The index.
    #[error(transparent)]
    Index(#[from] ServiceError),
    /// The proof that the index covers the entry.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
    /// The log did not take the record.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log did not withhold the content.
    #[error(transparent)]
    Redact(#[from] RedactError),
}

impl RedactionError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Index(error) => error.reason(),
            Self::Coverage(error) => error.reason(),
            Self::Append(error) => error.reason(),
            Self::Redact(error) => error.reason(),
        }
    }
}

crate::failure::failures!(RedactionError);

/// The record for one entry, without signatures yet: what the index has committed to about it, the whole body.
///
/// # Errors
/// When no re-executed index covers the entry.
pub async fn prepare(
    indexer: &Indexer,
    trust: &Trust,
    place: &Place,
    reason: ReasonCode,
    time: u64,
) -> Result<RedactionRecord, RedactionError> {
    let covered = indexer.coverage(place).await?.verify(&search_policy(trust, 0, 0))?;
    let keys = indexer.entry_keys(place).await?;
    let statement = RedactionStatement {
        origin: place.log.clone(),
        index: place.index,
        leaf_hash: covered.leaf_hash(),
        withheld: Withholding::WholeBody,
        key_list_digest: covered.key_list_digest(),
        reason,
        time,
        // Redaction in the certificate log is not built: the certificate stays published there.
        certificate_record: None,
    };
    Ok(RedactionRecord { statement, map_keys: keys.elements(), signatures: Vec::new() })
}

/// Puts a signed record into the log, withholds what it names, and brings the index up to date. Repeating it after a
/// kill is harmless: the record is then found where it is.
///
/// # Errors
/// When the record is not signed as it must be, or the index does not cover the entry.
pub async fn apply(
    rekor: &Log,
    indexer: &Indexer,
    trust: &Trust,
    record: RedactionRecord,
) -> Result<Redacted, RedactionError> {
    let place = Place { log: record.statement.origin.clone(), index: record.statement.index };
    let covered = indexer.coverage(&place).await?.verify(&search_policy(trust, 0, 0))?;
    let authorities = &trust.redaction_authorities;
    let record = record.minimal(&authorities.keys, authorities.threshold);
    let index = match rekor.append(&Entry::Redaction(record)).await {
        Ok(receipt) => receipt.index,
        Err(AppendError::Duplicate(index)) => index,
        Err(error) => return Err(error.into()),
    };
    let redacted = rekor.redact(index, covered).await?;
    indexer.update().await?;
    Ok(redacted)
}

#[derive(Clone)]
struct Shared {
    rekor: Log,
    indexer: Arc<Indexer>,
    trust: Arc<Trust>,
}

/// The endpoint, for the signature log's port: further routes of its face.
pub fn router(rekor: Log, indexer: Arc<Indexer>, trust: Arc<Trust>) -> Router {
    Router::new().route(APPLY_PATH, post(handle)).with_state(Shared { rekor, indexer, trust })
}

async fn handle(State(shared): State<Shared>, body: Bytes) -> Response {
    let record = match serde_json::from_slice(&body) {
        Ok(record) => record,
        Err(error) => return problem(400, "redaction-request-malformed", &error.to_string()),
    };
    // Begun, it is carried out, whether whoever sent it waits or not.
    let carried_out =
        tokio::spawn(async move { apply(&shared.rekor, &shared.indexer, &shared.trust, record).await });
    match carried_out.await {
        Ok(Ok(redacted)) => Json(json!({"index": redacted.index, "record": redacted.record})).into_response(),
        Ok(Err(error)) => refuse(&error),
        Err(_) => problem(500, "internal-error", "the request could not be answered"),
    }
}

/// The one mapping from why a redaction was not carried out to HTTP.
fn refuse(error: &RedactionError) -> Response {
    let status = match error {
        RedactionError::Append(error) => return sigveil_log::rekor::refuse(error),
        RedactionError::Index(error) => error.status(),
        // The index does not cover the entry, or not yet.
        RedactionError::Coverage(CoverageError::NotCovered | CoverageError::NoReexecutorDemanded) => 409,
        // What it says does not hold now.
        RedactionError::Coverage(_) => 503,
        RedactionError::Redact(error) => match error {
            RedactError::Record(_) => 400,
            RedactError::NoRecord(_)
            | RedactError::Mismatch
            | RedactError::NotRedactable
            | RedactError::NotCovered => 409,
            RedactError::NoPolicy => 501,
            RedactError::Unwitnessed(_)
            | RedactError::Read(_)
            | RedactError::Io(_)
            | RedactError::Unavailable => 503,
        },
    };
    problem(status, error.reason(), &error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use sigveil_log::entry::EntryError;

    use super::*;

    #[test]
    fn a_refusal_says_whether_to_come_again() {
        let cases: [(RedactionError, u16, bool); 9] = [
            (AppendError::Busy.into(), 503, true),
            (AppendError::Frozen.into(), 410, false),
            (AppendError::from(EntryError::TooLarge).into(), 413, false),
            (ServiceError::NotIndexed.into(), 404, false),
            (ServiceError::NotReady.into(), 503, true),
            (CoverageError::NotCovered.into(), 409, false),
            (RedactError::Mismatch.into(), 409, false),
            (RedactError::NoPolicy.into(), 501, false),
            (RedactError::Unavailable.into(), 503, true),
        ];
        for (error, status, again) in cases {
            let refused = refuse(&error);
            assert_eq!(refused.status(), status, "{error}");
            assert_eq!(refused.headers().contains_key("retry-after"), again, "{error}");
            assert_eq!(refused.headers()["content-type"], "application/problem+json");
        }
    }
}
