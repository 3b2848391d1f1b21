//! `proof-receipt`: the proof of a certificate that was issued in deferred mode (`protocol.md §6`). A log takes one only
//! from a certificate authority in the same process.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EntryError;
use super::body::{base64_bytes, spec_member, to_value};
use crate::hash::Hash;

/// The proof that a deferred certificate promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProofReceipt {
    /// SHA-256 of the certificate's DER.
    pub certificate: Hash,
    /// Instance digest that the certificate carries, 32 bytes.
    pub instance: Hash,
    /// The `token` proof with its instance data.
    #[serde(with = "base64_bytes")]
    pub token_proof: Vec<u8>,
    /// The `nym` proof.
    #[serde(with = "base64_bytes")]
    pub nym_proof: Vec<u8>,
}

impl ProofReceipt {
    pub(super) fn from_spec(spec: Value) -> Result<Self, EntryError> {
        spec_member(spec, "proofReceipt")
    }

    pub(super) fn to_spec(&self) -> Value {
        to_value("proofReceipt", self)
    }
}
