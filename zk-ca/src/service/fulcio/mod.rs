//! Fulcio's v2 HTTP face, and our own endpoint for owners of identities.

mod request;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sigveil_vrf_identity::identity::Kind;
use sigveil_vrf_identity::label::Mode;
use zeroize::Zeroize;

pub use request::{MAX_REQUEST_BYTES, RequestError, RequestedKey, SigningRequest, Timing};

use super::issue::{Ca, IssueError, NoReceipt};
use super::oidc::OidcError;
use super::problem::Problem;
use super::prover::ProverError;
use crate::jwks::JwksError;
use crate::receipt::LoggedReceipt;

/// Path of the endpoint that tells the holder of a token its identity's evaluation.
pub const IDENTITY_PATH: &str = "/api/sigveil/v1/identity";

/// Path below which the receipt of a deferred certificate is, by SHA-256 of its DER in hexadecimal.
pub const RECEIPTS_PATH: &str = "/api/sigveil/v1/receipts";

/// The CA's routes.
pub fn router(ca: Arc<Ca>) -> Router {
    Router::new()
        .route("/api/v2/signingCert", post(signing_certificate))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v2/configuration", get(configuration))
        .route(IDENTITY_PATH, post(identity))
        .route(&format!("{RECEIPTS_PATH}/{{certificate}}"), get(receipt))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(ca)
}

async fn signing_certificate(
    State(ca): State<Arc<Ca>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let request = read(&headers, body)?;
    let issued = ca.issue(request).await?;
    let certificates: Vec<String> = issued.chain.iter().map(|certificate| certificate.to_pem()).collect();
    Ok(Json(json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": certificates } } })))
}

/// Reads a request and wipes its body, which holds a bearer token. A body that shares its memory with the
/// connection's buffer cannot be wiped, nor can the headers: hyper reuses or frees those.
fn read(headers: &HeaderMap, body: Bytes) -> Result<SigningRequest, IssueError> {
    let request = SigningRequest::parse(headers, &body);
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
    Ok(request?)
}

async fn trust_bundle(State(ca): State<Arc<Ca>>) -> Json<Value> {
    let chain = [ca.authority().certificate().to_pem(), ca.authority().root().to_pem()];
    Json(json!({ "chains": [{ "certificates": chain }] }))
}

async fn configuration(State(ca): State<Arc<Ca>>) -> Json<Value> {
    let issuers: Vec<Value> = ca
        .trust()
        .issuers()
        .iter()
        .map(|issuer| {
            let challenge = if issuer.kind() == Kind::Email { "email" } else { "sub" };
            json!({
                "issuerUrl": issuer.issuer(),
                "audience": issuer.audience(),
                "challengeClaim": challenge,
                "spiffeTrustDomain": "",
            })
        })
        .collect();
    Json(json!({ "issuers": issuers }))
}

async fn receipt(
    State(ca): State<Arc<Ca>>,
    Path(certificate): Path<String>,
) -> Result<Json<LoggedReceipt>, Problem> {
    let mut digest = [0; 32];
    hex::decode_to_slice(&certificate, &mut digest).map_err(|_| NoReceipt::Unknown)?;
    Ok(Json(ca.receipt(&digest)?))
}

/// Γ (32 bytes), its proof (63 bytes) and the VRF key (32 bytes), each in base64: the token's holder checks the proof
/// and derives the keys, so that nobody has to be believed. Whoever has Γ can open the identity's events.
async fn identity(
    State(ca): State<Arc<Ca>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let request = read(&headers, body)?;
    let owner = ca.owner_evaluation(request).await?;
    Ok(Json(json!({
        "mode": Mode::Open.name(),
        "gamma": BASE64_STANDARD.encode(owner.evaluation.gamma.to_bytes()),
        "proof": BASE64_STANDARD.encode(owner.evaluation.proof.to_bytes()),
        "vrfPublicKey": BASE64_STANDARD.encode(owner.public_key.to_bytes()),
    })))
}

impl From<NoReceipt> for Problem {
    fn from(error: NoReceipt) -> Self {
        Self { status: StatusCode::NOT_FOUND, reason: error.reason(), detail: error.to_string() }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        let status = match &error {
            IssueError::Request(RequestError::TokenMissing)
            | IssueError::Token(_)
            | IssueError::IssuerUnknown
            | IssueError::KeyUnlisted => StatusCode::UNAUTHORIZED,
            IssueError::Request(_)
            | IssueError::Possession(_)
            | IssueError::BindingUnsupported
            | IssueError::ClearKind
            | IssueError::NoProofs
            | IssueError::ProfileNotAllowed(_) => StatusCode::BAD_REQUEST,
            IssueError::Oidc(OidcError::Keys(JwksError::Malformed)) => StatusCode::BAD_GATEWAY,
            IssueError::Oidc(OidcError::Keys(_)) => StatusCode::UNAUTHORIZED,
            IssueError::Oidc(_) | IssueError::CertificateLog(_) => StatusCode::BAD_GATEWAY,
            IssueError::Prover(ProverError::QueueFull | ProverError::NoKey(_)) | IssueError::Busy => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            IssueError::NoVrfKey
            | IssueError::Evaluator(_)
            | IssueError::Evaluation
            | IssueError::Prover(_)
            | IssueError::Receipt(_)
            | IssueError::Profile(_)
            | IssueError::SelfCheck(_)
            | IssueError::Sct(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, reason: error.reason(), detail: error.to_string() }
    }
}
