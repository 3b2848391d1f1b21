//! The stock verdict on a bundle, by `sigstore-verify`, and the checks it leaves out.

use sigstore_verify::{
    CertificateError, Error, SubjectAltName, TimestampError, TransparencyLogError, VerificationPolicy,
    Verifier,
};

use sigveil_log::checkpoint::VerifiedCheckpoint;

use super::timestamp::nothing_unsigned;
use super::{Bundle, TrustedRoot};

/// What a bundle that the stock checks accepted says.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The certificate's only SAN, a URI.
    pub san: String,
    /// The issuer of extension 1.3.6.1.4.1.57264.1.8.
    pub issuer: String,
    /// The RFC 3161 time, Unix seconds.
    pub signed_at: i64,
}

/// Why the stock checks refused a bundle.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// The signature was made over another file.
    #[error("the file is not the one that was signed")]
    ArtifactMismatch,
    /// A stock check refused.
    #[error("{what}: {detail}")]
    Refused {
        /// The stable reason code.
        reason: &'static str,
        /// Which check.
        what: &'static str,
        /// What it said.
        detail: String,
    },
    /// The log that the bundle names did not sign its checkpoint.
    #[error("the bundle names another log than the one that signed its checkpoint")]
    LogId,
    /// The certificate's subject is not one URI.
    #[error("the certificate does not name exactly one URI as its subject")]
    Subject,
    /// The certificate names no issuer.
    #[error("the certificate does not name its issuer")]
    Issuer,
}

impl StockError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ArtifactMismatch => "artifact-mismatch",
            Self::Refused { reason, .. } => reason,
            Self::LogId => "log-id-mismatch",
            Self::Subject => "certificate-subject",
            Self::Issuer => "certificate-issuer",
        }
    }
}

crate::failure::failures!(StockError);

/// Runs every stock check on the bundle for a file with this SHA-256, except the two policy comparisons (identity and
/// issuer), which [`crate::verify`] makes byte for byte; and two that stock verifiers leave out: that the log which the
/// bundle names signed the checkpoint, and that the timestamp holds nothing which nobody signed.
///
/// # Errors
/// The first check that refuses.
pub fn verify(digest: [u8; 32], bundle: &Bundle, root: &TrustedRoot) -> Result<Evidence, StockError> {
    let verifier = Verifier::new(&root.inner).map_err(refused)?;
    let digest = sigstore_types::Sha256Hash::new(digest);
    let result =
        verifier.verify(digest, &bundle.inner, &VerificationPolicy::any_identity()).map_err(refused)?;
    let log = root.log_key(&bundle.log_id).ok_or(StockError::LogId)?;
    VerifiedCheckpoint::open(bundle.checkpoint().as_bytes(), &log, &[]).map_err(|_| StockError::LogId)?;
    nothing_unsigned(&bundle.timestamp, &root.timestamp_certificates()).map_err(|what| {
        let (reason, detail) = ("timestamp-unsigned-part", what.to_owned());
        StockError::Refused { reason, what: "the timestamp holds what nobody vouches for", detail }
    })?;
    let Some(SubjectAltName::Uri(san)) = result.identity().cloned() else { return Err(StockError::Subject) };
    let issuer = result.issuer().ok_or(StockError::Issuer)?.to_owned();
    // Exactly one timestamp stands in a parsed bundle, and a log entry of this version carries no time of its own.
    let signed_at = result.verified_timestamps().first().map(|time| time.as_second());
    let signed_at = signed_at.ok_or_else(|| StockError::Refused {
        reason: "timestamp-invalid",
        what: "the timestamp was not accepted",
        detail: "no verified time".into(),
    })?;
    Ok(Evidence { san, issuer, signed_at })
}

fn refused(error: Error) -> StockError {
    let (reason, what) = match &error {
        Error::ArtifactMismatch(_) => return StockError::ArtifactMismatch,
        Error::SignatureInvalid(_) => ("signature-invalid", "the signature does not verify"),
        Error::Certificate(CertificateError::Sct(_)) => {
            ("sct-invalid", "the certificate's SCT was not accepted")
        }
        Error::Certificate(CertificateError::Expired { .. } | CertificateError::NotYetValid { .. }) => {
            ("signed-outside-validity", "the file was signed outside the certificate's ten minutes")
        }
        Error::Certificate(_) => ("certificate-untrusted", "the certificate was not accepted"),
        Error::TransparencyLog(TransparencyLogError::InclusionProof(_)) => {
            ("inclusion-proof-invalid", "the log entry is not proven to be in the log")
        }
        Error::TransparencyLog(TransparencyLogError::Checkpoint(_)) => {
            ("checkpoint-invalid", "the log's checkpoint was not accepted")
        }
        Error::TransparencyLog(_) => ("log-entry-mismatch", "the log entry does not belong to this bundle"),
        Error::Timestamp(TimestampError::Invalid(_) | TimestampError::OutsideAuthorityValidity { .. })
        | Error::Timestamp(_) => ("timestamp-invalid", "the timestamp was not accepted"),
        Error::InvalidTrustRoot(_) | Error::TrustRoot(_) | Error::TrustedCertificate(_) => {
            ("trust-root-malformed", "the trust root was not accepted")
        }
        _ => ("bundle-malformed", "the bundle was not accepted"),
    };
    StockError::Refused { reason, what, detail: error.to_string() }
}
