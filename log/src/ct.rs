//! The certificate log: static-ct-api over the same engine.
//!
//! [`CertificateLog::issue`] is what a CA in the same process calls: the SCT exists only once the entry is
//! durable and in a published checkpoint. Submission over HTTP (`add-pre-chain`) is not served: the one
//! submitter is the instance's own CA.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use p256::ecdsa::SigningKey;

use crate::engine::{AppendError, Config, Layout, Log, OpenError};
use crate::hash::Hash;
use crate::http::{guard, problem};
use crate::note::NoteSigner;
use crate::sct::{PrecertEntry, SignedCertificateTimestamp, TileLeaf};
use crate::store::files;
use crate::tile::TileKind;

/// Largest precertificate, in bytes.
pub const MAX_CERTIFICATE: usize = 65_535;

/// Why there is no SCT.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Over [`MAX_CERTIFICATE`] bytes, or a chain of more than 16.
    #[error("the precertificate or its chain is too large")]
    TooLarge,
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl IssueError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "ct-too-large",
            Self::Append(error) => error.reason(),
        }
    }
}

/// A running certificate log.
#[derive(Clone)]
pub struct CertificateLog {
    log: Log,
    key: SigningKey,
    /// Held while issuers are written: two writers of one file would share its temporary file.
    issuers: Arc<Mutex<()>>,
}

impl CertificateLog {
    /// Opens the log `origin` with a P-256 key. Of `config`, layout and signer are replaced.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(mut config: Config, key: SigningKey) -> Result<Self, OpenError> {
        let signer = NoteSigner::rfc6962(config.signer.public().name(), key.clone());
        config.signer = signer.expect("the name of a signer is a valid name");
        config.layout = Layout::StaticCt;
        Ok(Self { log: Log::open(config)?, key, issuers: Arc::default() })
    }

    /// The log under it.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Logs a precertificate and returns its SCT, with the leaf's index in its extension.
    ///
    /// `entry` is what is signed; `precertificate` is the DER kept beside it, and `chain` the DER of the
    /// certificates above it, issuer first; `timestamp` is in Unix milliseconds.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        entry: PrecertEntry,
        precertificate: Vec<u8>,
        chain: &[Vec<u8>],
        timestamp: u64,
    ) -> Result<SignedCertificateTimestamp, IssueError> {
        let sizes = [entry.tbs.len(), precertificate.len()];
        if sizes.iter().any(|size| *size == 0 || *size > MAX_CERTIFICATE) || chain.len() > 16 {
            return Err(IssueError::TooLarge);
        }
        let chain = self.keep_issuers(chain)?;
        let logged = entry.clone();
        let build = move |leaf_index| {
            let leaf = TileLeaf { entry: logged, timestamp, leaf_index, precertificate, chain };
            (leaf.to_bytes(), leaf.leaf_hash())
        };
        let receipt = self.log.append_indexed(build).await?;
        Ok(SignedCertificateTimestamp::sign(&self.key, &entry, timestamp, receipt.index))
    }

    /// Keeps the chain's certificates under `issuer/<sha256>`, once each.
    fn keep_issuers(&self, chain: &[Vec<u8>]) -> Result<Vec<Hash>, IssueError> {
        let _turn = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fingerprints = Vec::new();
        for certificate in chain {
            let fingerprint = Hash::of(&[certificate]);
            let path = self.log.reader().folder().join("issuer").join(fingerprint.to_hex());
            if !path.exists() {
                files::write_durable(&path, certificate).map_err(|_| AppendError::Unavailable)?;
            }
            fingerprints.push(fingerprint);
        }
        Ok(fingerprints)
    }
}

/// `GET /checkpoint`, `/tile/…`, `/issuer/<sha256>` and `/healthz`.
pub fn router(log: CertificateLog) -> Router {
    let routes = Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/issuer/{fingerprint}", get(issuer))
        .route("/healthz", get(|| async { "ok\n" }));
    guard(routes.with_state(log))
}

async fn checkpoint(State(log): State<CertificateLog>) -> Response {
    crate::http::checkpoint(log.log.reader().clone()).await
}

async fn tile(State(log): State<CertificateLog>, Path(path): Path<String>) -> Response {
    crate::http::tile(log.log.reader().clone(), format!("tile/{path}"), TileKind::Data).await
}

async fn issuer(State(log): State<CertificateLog>, Path(fingerprint): Path<String>) -> Response {
    let canonical =
        fingerprint.len() == 64 && fingerprint.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let path = log.log.reader().folder().join("issuer").join(&fingerprint);
    let read = move || if canonical { std::fs::read(path).ok() } else { None };
    match tokio::task::spawn_blocking(read).await {
        Ok(Some(bytes)) => ([(header::CONTENT_TYPE, "application/pkix-cert")], bytes).into_response(),
        _ => problem(404, "ct-no-issuer", "there is no such issuer"),
    }
}
