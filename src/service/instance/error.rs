//! Why an instance does not start.

use std::path::PathBuf;

use sigveil_log::engine::OpenError;
use sigveil_log::note::KeyError as NoteKeyError;
use sigveil_log::witness::CosignError;
use sigveil_verifiable_search::rule::CaKeyError;
use sigveil_verifiable_search::service::ServiceError;
use sigveil_zk_ca::jwks::JwksError;
use sigveil_zk_ca::observed::ObservedError;
use sigveil_zk_ca::service::oidc::OidcError;

use crate::files::FileError;
use crate::service::issuer::IssuerError;
use crate::service::material::MaterialError;
use crate::stock::TrustedRootError;
use crate::trust::TrustError;

/// Why an instance does not start.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store cannot be used.
    #[error("the store cannot be used: {0}")]
    Store(String),
    /// Another process runs on the store.
    #[error("another process runs on {0}")]
    InUse(PathBuf),
    /// A port is taken or may not be used.
    #[error("a port cannot be listened on: {0}")]
    Port(std::io::Error),
    /// Keys, chains or the beginning.
    #[error(transparent)]
    Material(#[from] MaterialError),
    /// The embedded identity provider.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The stock trust root.
    #[error(transparent)]
    TrustedRoot(#[from] TrustedRootError),
    /// What is added to it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A configured issuer is not understood.
    #[error("the config of issuer {0} is not understood: {1}")]
    IssuerConfig(String, &'static str),
    /// The configured certificate log, or a root for the own one.
    #[error("the config of the certificate log is not understood: {0}")]
    CertificateLog(String),
    /// An issuer's key set.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// An issuer's documents.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// What is listed of an issuer's keys.
    #[error(transparent)]
    Observed(#[from] ObservedError),
    /// A log or the witness.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// Witnesses elsewhere cannot be asked at all.
    #[error("no witness can be asked: {0}")]
    Witness(CosignError),
    /// A log's name.
    #[error(transparent)]
    Name(#[from] NoteKeyError),
    /// The index.
    #[error(transparent)]
    Index(#[from] ServiceError),
    /// The authority's key as the index uses it.
    #[error(transparent)]
    CaKey(#[from] CaKeyError),
}

impl InstanceError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::File(error) => error.reason(),
            Self::Store(_) => "store-unusable",
            Self::InUse(_) => "store-in-use",
            Self::Port(_) => "port-unavailable",
            Self::Material(error) => error.reason(),
            Self::Issuer(error) => error.reason(),
            Self::TrustedRoot(error) => error.reason(),
            Self::Trust(error) => error.reason(),
            Self::IssuerConfig(..) => "config-issuer",
            Self::CertificateLog(_) => "config-certificate-log",
            Self::Jwks(error) => error.reason(),
            Self::Oidc(error) => error.reason(),
            Self::Observed(error) => error.reason(),
            Self::Log(error) => error.reason(),
            Self::Witness(_) => "runtime-unavailable",
            Self::Name(error) => error.reason(),
            Self::Index(error) => error.reason(),
            Self::CaKey(error) => error.reason(),
        }
    }
}

crate::failure::failures!(InstanceError);
