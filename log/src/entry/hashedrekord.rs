//! The stock entry `hashedrekord/0.0.2`: a signature over an artifact's digest, and its verifier.
//!
//! Stock clients rebuild the body from a bundle and hash it, so [`crate::entry::Entry::body`] is byte-exact.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::{base64_bytes, malformed, spec_member, to_value};
use super::signature::{HashAlgorithm, Signature, WireSignature};
use super::{EntryError, MAX_BODY};

/// A signature over an artifact's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedRekord {
    digest: Vec<u8>,
    signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    data: Data,
    signature: WireSignature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    algorithm: HashAlgorithm,
    #[serde(with = "base64_bytes")]
    digest: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateEntryRequest {
    hashed_rekord_request_v002: Option<Request>,
    dsse_request_v002: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(with = "base64_bytes")]
    digest: Vec<u8>,
    signature: WireSignature,
}

impl HashedRekord {
    /// An entry of these parts; form is checked, the signature is not ([`HashedRekord::verify`]).
    ///
    /// # Errors
    /// [`EntryError::DigestLength`] unless the digest has the length that the key type's hash demands.
    pub fn new(digest: Vec<u8>, signature: Signature) -> Result<Self, EntryError> {
        if digest.len() != signature.key_details.hash().length() {
            return Err(EntryError::DigestLength);
        }
        Ok(Self { digest, signature })
    }

    /// Parses the body of `POST /api/v2/log/entries`. Form only; the signature is not verified here.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`], [`EntryError::Malformed`], [`EntryError::UnsupportedKey`],
    /// [`EntryError::DigestLength`], and [`EntryError::KindNotServed`] for a DSSE request.
    pub fn from_request(request: &[u8]) -> Result<Self, EntryError> {
        if request.len() > MAX_BODY {
            return Err(EntryError::TooLarge);
        }
        let request: CreateEntryRequest = serde_json::from_slice(request).map_err(malformed)?;
        match (request.hashed_rekord_request_v002, request.dsse_request_v002) {
            (Some(request), None) => Self::new(request.digest, request.signature.try_into()?),
            (None, Some(_)) => Err(EntryError::KindNotServed("dsse")),
            _ => Err(EntryError::Malformed("exactly one request is required".to_owned())),
        }
    }

    /// The request that a client posts for this entry.
    pub fn to_request(&self) -> Vec<u8> {
        let Spec { data, signature } = self.wire();
        let digest = serde_json::to_value(&data).expect("strings serialise")["digest"].take();
        let request = serde_json::json!({"digest": digest, "signature": signature});
        serde_json::to_vec(&to_value("hashedRekordRequestV002", &request)).expect("strings serialise")
    }

    /// Digest of the artifact.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Algorithm of [`HashedRekord::digest`].
    pub fn algorithm(&self) -> HashAlgorithm {
        self.signature.key_details.hash()
    }

    /// Signature and verifier.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Verifies the signature over the digest.
    ///
    /// # Errors
    /// As [`Signature::verify`].
    pub fn verify(&self) -> Result<(), EntryError> {
        self.signature.verify(&self.digest)
    }

    pub(super) fn from_spec(spec: Value) -> Result<Self, EntryError> {
        let spec: Spec = spec_member(spec, "hashedRekordV002")?;
        let entry = Self::new(spec.data.digest, spec.signature.try_into()?)?;
        if entry.algorithm() == spec.data.algorithm { Ok(entry) } else { Err(EntryError::DigestLength) }
    }

    fn wire(&self) -> Spec {
        let data = Data { algorithm: self.algorithm(), digest: self.digest.clone() };
        Spec { data, signature: (&self.signature).into() }
    }

    pub(super) fn to_spec(&self) -> Value {
        to_value("hashedRekordV002", &self.wire())
    }
}
