//! The certificate of protocol.md §6: how it is built and the one form in which it is accepted.
//!
//! [`Precertificate`] makes precertificate and certificate from a [`CertificateContent`]; [`CertificateView::parse`] reads one
//! and refuses everything else, one reason per check. Neither decides whether the certificate is *true*: chain and
//! timestamps are the stock verifier's business, proofs are [`crate::verify`]'s.

mod build;
mod content;
mod error;
mod extensions;
mod view;

pub use build::{CertificateContent, PlainContent, PlainSubject, Precertificate};
pub use content::{
    InstanceDigest, IssuerKeyId, MAX_ISSUER_BYTES, MAX_SEALED_CLAIMS, PROOF_BYTES, ProofPair, Proofs, Serial,
    SuiteVersion, TokenEvidence, VALIDITY_SECONDS,
};
pub use error::ProfileError;
pub use view::CertificateView;
