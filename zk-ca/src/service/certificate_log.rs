//! The certificate log, as the CA asks it for an SCT (RFC 6962 §4.2).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use p256::ecdsa::VerifyingKey;
use sigveil_log::ct::CertificateLog as CtLog;
use sigveil_log::sct::{
    AddChain, AddChainAnswer, EntryKind, PrecertEntry, SctError, SignedCertificateTimestamp,
};

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
        let request =
            self.client.post(&self.address).json(&AddChain::new(chain.iter().map(CertificateDer::as_bytes)));
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
        let sct = SignedCertificateTimestamp::try_from(answer).map_err(|_| CertificateLogError::Malformed)?;
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

/// A log in the same process, which signs for itself.
impl CertificateLog for CtLog {
    fn add_precertificate<'a>(
        &'a self,
        chain: &'a [CertificateDer; 3],
        _: &'a PrecertEntry,
    ) -> SctFuture<'a> {
        Box::pin(async move {
            let chain = chain.iter().map(|certificate| certificate.as_bytes().to_vec()).collect();
            let issued = self.issue(chain, EntryKind::Precertificate).await;
            issued.map_err(|error| {
                tracing::warn!(reason = error.reason(), "the certificate log refused a precertificate");
                CertificateLogError::Unavailable
            })
        })
    }
}
