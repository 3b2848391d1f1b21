//! Why nothing is issued.

use sigveil_circuits::token::Refusal;
use sigveil_log::engine::AppendError;
use sigveil_log::sct::SctError;
use sigveil_vrf_identity::label::Profile;
use sigveil_vrf_identity::service::EvaluatorError;

use crate::key::KeyError;
use crate::profile::ProfileError;
use crate::service::certificate_log::CertificateLogError;
use crate::service::fulcio::RequestError;
use crate::service::oidc::OidcError;
use crate::service::prover::ProverError;
use crate::verify::VerifyError;

/// Why a certificate is not issued, or keys are not told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IssueError {
    /// The request itself.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The token.
    #[error("the identity token is not accepted: {0}")]
    Token(#[from] Refusal),
    /// The token's issuer is not configured.
    #[error("the identity token's issuer is not accepted here")]
    IssuerUnknown,
    /// The issuer's keys.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// The issuer uses this key and header, but no verifier knows them yet.
    #[error("the issuer's key or the token's header is not in the trust root yet")]
    KeyUnlisted,
    /// A salt for an issuer whose tokens cannot be bound.
    #[error("tokens of this issuer cannot be bound to a key")]
    BindingUnsupported,
    /// The proof of possession.
    #[error(transparent)]
    Possession(#[from] KeyError),
    /// The profile is not allowed.
    #[error("profile {0} is not allowed for this issuer")]
    ProfileNotAllowed(Profile),
    /// No VRF key at this time.
    #[error("there is no VRF key for this time")]
    NoVrfKey,
    /// The nym service.
    #[error("the nym service refused: {0}")]
    Evaluator(#[from] EvaluatorError),
    /// The nym service's answer is under another key, or does not verify.
    #[error("the nym service's answer does not verify")]
    Evaluation,
    /// An identity that a certificate in clear has no name type for.
    #[error("scheme clear certifies e-mail addresses only")]
    ClearKind,
    /// Proofs were asked of a scheme that makes none.
    #[error("this authority's certificates carry no proofs")]
    NoProofs,
    /// No proof.
    #[error(transparent)]
    Prover(#[from] ProverError),
    /// As many requests are worked on, or receipts remembered, as may be.
    #[error("too many requests: try again later")]
    Busy,
    /// No SCT.
    #[error(transparent)]
    CertificateLog(#[from] CertificateLogError),
    /// The receipt of a deferred certificate was not logged.
    #[error("the receipt was not logged: {0}")]
    Receipt(AppendError),
    /// The certificate cannot be built.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// What was made does not verify under the trust root: wrong proving keys, most likely.
    #[error("the certificate would not verify: {0}")]
    SelfCheck(VerifyError),
    /// The precertificate cannot be read back.
    #[error(transparent)]
    Sct(#[from] SctError),
}

impl IssueError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Request(error) => error.reason(),
            Self::Token(refusal) => refusal.reason(),
            Self::IssuerUnknown => "issuer-untrusted",
            Self::Oidc(error) => error.reason(),
            Self::KeyUnlisted => "issuer-key-unlisted",
            Self::BindingUnsupported => "binding-unsupported",
            Self::Possession(error) => error.reason(),
            Self::ProfileNotAllowed(_) => "profile-not-allowed",
            Self::NoVrfKey => "vrf-key-missing",
            Self::Evaluator(error) => error.reason(),
            Self::Evaluation => "evaluation-invalid",
            Self::ClearKind => "clear-identity-kind",
            Self::NoProofs => "proofs-unavailable",
            Self::Prover(error) => error.reason(),
            Self::Busy => "ca-busy",
            Self::CertificateLog(error) => error.reason(),
            Self::Receipt(error) => error.reason(),
            Self::Profile(error) => error.reason(),
            Self::SelfCheck(_) => "issuance-self-check",
            Self::Sct(error) => error.reason(),
        }
    }
}
