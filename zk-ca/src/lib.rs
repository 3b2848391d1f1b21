//! Certificate authority: token checking, certificate profile, issuance, timestamps.
//!
//! The pure part first: [`profile`] builds and strictly reads the certificate of protocol.md §6, [`authority`] the
//! chain above it, [`key`] the keys in both. The running CA and timestamp authority stand behind the feature
//! `service`.

pub mod authority;
pub mod jwks;
pub mod key;
pub mod observed;
pub mod oid;
pub mod profile;
pub mod receipt;
pub mod scheme;
pub mod sealed;
#[cfg(feature = "service")]
pub mod service;
pub mod timestamp;
pub mod trust;
pub mod verify;
