//! Why a verdict is no.

use sigveil_log::checkpoint::CheckpointError;
use sigveil_verifiable_search::answer::AnswerError;
use sigveil_vrf_identity::disclosure::DisclosureError;
use sigveil_vrf_identity::label::SanError;
use sigveil_zk_ca::profile::ProfileError;
use sigveil_zk_ca::receipt::ReceiptError;

use crate::stock::StockError;

/// The check that refused, with what it found.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A stock check.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The SAN is another one.
    #[error("signed by {actual}, expected {expected}")]
    Identity {
        /// What the policy demands.
        expected: String,
        /// The certificate's SAN.
        actual: String,
    },
    /// The issuer is another one.
    #[error("the identity is of issuer {actual}, expected {expected}")]
    Issuer {
        /// What the policy demands.
        expected: String,
        /// The certificate's issuer.
        actual: String,
    },
    /// More than stock checks is demanded of a stock trust root alone.
    #[error("the trust root has no sigveil part, which the demanded checks need")]
    NoTrustSection,
    /// The certificate is not of the profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The stock verifier and this one read different subjects.
    #[error("the certificate reads in two ways")]
    TwoReadings,
    /// No key that the trust root allows issued the certificate.
    #[error("no certificate authority key of the sigveil trust root issued the certificate")]
    NoAuthority,
    /// The key issues another scheme.
    #[error("the certificate is of another scheme than its authority's")]
    Scheme,
    /// The key issues a scheme that proves nothing.
    #[error("the certificate is of scheme {0}, which proves nothing")]
    Unproven(&'static str),
    /// Proofs were deferred where the trust root allows none.
    #[error("the certificate's proofs were deferred, which the trust root does not allow")]
    DeferralNotAllowed,
    /// The receipt does not hold.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The receipt was in the log too late.
    #[error("the witnesses saw the certificate's receipt too late")]
    LateReceipt,
    /// The trust root names no certificate log of a known type.
    #[error("the trust root names no certificate log with a P-256 key")]
    NoCertificateLog,
    /// The timestamp lies outside of the certificate's time.
    #[error("the timestamp is outside of the certificate's ten minutes")]
    TimestampTime,
    /// A proof, or what it is about.
    #[error(transparent)]
    Proof(#[from] sigveil_zk_ca::verify::VerifyError),
    /// The subject is no label.
    #[error(transparent)]
    San(#[from] SanError),
    /// Search is demanded and no answer came along.
    #[error("no search answer came with the bundle")]
    NoSearchAnswer,
    /// The answer does not hold.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The entry is not in the list.
    #[error("the index does not list the bundle's log entry under its label")]
    NotListed,
    /// The log's checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Not as many witnesses as demanded.
    #[error("{found} witnesses saw the log entry, {demanded} are demanded")]
    TooFewWitnesses {
        /// How many are demanded.
        demanded: usize,
        /// How many there are.
        found: usize,
    },
    /// As many witnesses as demanded, but not in time.
    #[error("the witnesses saw the log entry too late")]
    LateEntry,
    /// The disclosure does not hold.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// The disclosure names another issuer than the certificate.
    #[error("the disclosure names another issuer than the certificate")]
    DisclosedIssuer,
    /// The disclosure holds and says something else.
    #[error("the disclosure holds, and names another identity than the expected one")]
    DisclosedValue,
}

impl VerifyError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Stock(error) => error.reason(),
            Self::Identity { .. } => "identity-mismatch",
            Self::Issuer { .. } => "issuer-mismatch",
            Self::NoTrustSection => "trust-section-missing",
            Self::Profile(error) => error.reason(),
            Self::TwoReadings => "certificate-ambiguous",
            Self::NoAuthority => "certificate-authority-untrusted",
            Self::Scheme => "certificate-scheme",
            Self::Unproven(_) => "certificate-unproven",
            Self::DeferralNotAllowed => "deferral-not-allowed",
            Self::Receipt(error) => error.reason(),
            Self::LateReceipt => "late-receipt",
            Self::NoCertificateLog => "certificate-log-missing",
            Self::TimestampTime => "timestamp-time",
            Self::Proof(error) => error.reason(),
            Self::San(error) => error.reason(),
            Self::NoSearchAnswer => "search-answer-missing",
            Self::Answer(error) => error.reason(),
            Self::NotListed => "search-not-listed",
            Self::Checkpoint(error) => error.reason(),
            Self::TooFewWitnesses { .. } => "witnesses-too-few",
            Self::LateEntry => "late-entry",
            Self::Disclosure(error) => error.reason(),
            Self::DisclosedIssuer => "disclosure-other-issuer",
            Self::DisclosedValue => "disclosure-other-value",
        }
    }
}

crate::failure::failures!(VerifyError);
