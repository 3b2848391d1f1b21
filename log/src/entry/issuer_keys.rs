//! `issuer-keys`: an identity provider's key as observers saw it (`protocol.md §7`). The form is fixed here;
//! this log accepts none yet.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::{base64_bytes, decimal, spec_member, to_value};
use super::{AuthoritySignature, EntryError};

/// One signing key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerKey {
    /// RSA modulus, big-endian.
    #[serde(with = "base64_bytes")]
    pub modulus: Vec<u8>,
    /// Exact bytes of the token header used with it.
    #[serde(with = "base64_bytes")]
    pub header: Vec<u8>,
    /// When it was first seen, Unix seconds.
    #[serde(with = "decimal")]
    pub first_seen: u64,
    /// When it was last seen, Unix seconds.
    #[serde(with = "decimal")]
    pub last_seen: u64,
}

/// Keys of one issuer, signed by observers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerKeys {
    /// The `iss` claim.
    pub iss: String,
    /// Its keys.
    pub keys: Vec<IssuerKey>,
    /// Signatures of observers.
    pub signatures: Vec<AuthoritySignature>,
}

impl IssuerKeys {
    pub(super) fn from_spec(spec: Value) -> Result<Self, EntryError> {
        spec_member(spec, "issuerKeys")
    }

    pub(super) fn to_spec(&self) -> Value {
        to_value("issuerKeys", self)
    }
}
