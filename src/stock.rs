//! The stock Sigstore formats, and the only module that knows the `sigstore-*` crates.
//!
//! What a stock client reads (trust root, signing configuration, client trust configuration, bundle v0.3) is written
//! and parsed here, and the stock verifier of `sigstore-verify` gives its verdict on a bundle here: chain, SCT,
//! inclusion proof and checkpoint, RFC 3161 timestamp, artifact signature, identity and issuer. Where that verifier is
//! laxer than this system needs, [`verify()`] asks for more; what is specific to this system is checked in
//! [`crate::verify`].

mod bundle;
mod signing_config;
mod timestamp;
mod trusted_root;
mod verdict;

pub use bundle::{Bundle, BundleError, Parts};
pub use signing_config::{Services, client_trust_config, signing_config};
pub use trusted_root::{Authority, KeyDetails, Log, RootContents, TrustedRoot, TrustedRootError};
pub use verdict::{Evidence, StockError, verify};
