//! The certificate log, as the CA asks it for an SCT (RFC 6962 §4.2).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::VerifyingKey;
use serde::{Deserialize, Serialize};
use sigveil_log::sct::{PrecertEntry, SctError, SignedCertificateTimestamp};

use crate::authority::CertificateDer;

/// Most bytes of an answer: an SCT is a few hundred.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Why there is no SCT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateLogError {
    /// No connection, no answer in time, or an answer other than 200.
    #[error("the certificate log did not answer")]
    Unavailable,
    /// An answer that is no SCT.
    #[error("the certificate log's answer is malformed")]
    Malformed,
    /// An SCT that does not verify.
    #[error("the certificate log's answer does not verify: {0}")]
    Sct(#[from] SctError),
}

impl CertificateLogError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable => "certificate-log-unavailable",
            Self::Malformed => "certificate-log-answer",
            Self::Sct(error) => error.reason(),
        }
    }
}

/// The answer to come.
pub type SctFuture<'a> =
    Pin<Box<dyn Future<Output = Result<SignedCertificateTimestamp, CertificateLogError>> + Send + 'a>>;

/// A log that takes precertificates.
pub trait CertificateLog: Send + Sync + 'static {
    /// Logs a precertificate; `chain` is the precertificate and the certificates above it, root last.
    fn add_precertificate<'a>(
        &'a self,
        chain: &'a [CertificateDer; 3],
        entry: &'a PrecertEntry,
    ) -> SctFuture<'a>;
}

/// A log over HTTP, by the key it must sign with.
pub struct HttpCertificateLog {
    client: reqwest::Client,
    address: String,
    key: VerifyingKey,
}

impl HttpCertificateLog {
    /// The log whose submission prefix this is; `add-pre-chain` is under its `/ct/v1/`.
    pub fn new(prefix: &str, key: VerifyingKey, timeout: Duration) -> Result<Self, CertificateLogError> {
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().timeout(timeout).redirect(redirects).no_proxy();
        let client = client.build().map_err(|_| CertificateLogError::Unavailable)?;
        Ok(Self { client, address: format!("{}/ct/v1/add-pre-chain", prefix.trim_end_matches('/')), key })
    }

    async fn submit(
        &self,
        chain: &[CertificateDer; 3],
        entry: &PrecertEntry,
    ) -> Result<SignedCertificateTimestamp, CertificateLogError> {
        let chain = chain.iter().map(|certificate| BASE64_STANDARD.encode(certificate.as_bytes())).collect();
        let request = self.client.post(&self.address).json(&AddChain { chain });
        let mut response = request.send().await.map_err(|_| CertificateLogError::Unavailable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(CertificateLogError::Unavailable);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| CertificateLogError::Unavailable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(CertificateLogError::Malformed);
            }
        }
        let answer: AddChainAnswer =
            serde_json::from_slice(&body).map_err(|_| CertificateLogError::Malformed)?;
        let sct = answer.sct().ok_or(CertificateLogError::Malformed)?;
        sct.verify(&self.key, entry)?;
        Ok(sct)
    }
}

impl CertificateLog for HttpCertificateLog {
    fn add_precertificate<'a>(
        &'a self,
        chain: &'a [CertificateDer; 3],
        entry: &'a PrecertEntry,
    ) -> SctFuture<'a> {
        Box::pin(self.submit(chain, entry))
    }
}

#[derive(Serialize)]
struct AddChain {
    chain: Vec<String>,
}

#[derive(Deserialize)]
struct AddChainAnswer {
    sct_version: u8,
    id: String,
    timestamp: u64,
    extensions: String,
    signature: String,
}

impl AddChainAnswer {
    /// Puts the parts into the TLS encoding, which the strict parser reads.
    fn sct(&self) -> Option<SignedCertificateTimestamp> {
        let decode = |text: &str| BASE64_STANDARD.decode(text).ok();
        let extensions = decode(&self.extensions)?;
        let mut bytes = vec![self.sct_version];
        bytes.extend(decode(&self.id)?);
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(u16::try_from(extensions.len()).ok()?.to_be_bytes());
        bytes.extend(extensions);
        bytes.extend(decode(&self.signature)?);
        SignedCertificateTimestamp::parse(&bytes).ok()
    }
}
