//! Requests: the DER form of RFC 3161 §2.4.1 and the JSON form of the Sigstore timestamp authority.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use der::asn1::{Any, Int, ObjectIdentifier};
use der::{Decode, Encode};
use serde::Deserialize;
use spki::AlgorithmIdentifier;
use x509_tsp::{MessageImprint, TimeStampReq};

use crate::oid;

/// Most bytes of a nonce, as an INTEGER's content.
const MAX_NONCE_BYTES: usize = 32;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// No TimeStampReq, or no JSON request.
    #[error("the timestamp request cannot be decoded")]
    Malformed,
    /// Neither of the two forms.
    #[error("the media type is not accepted: send application/timestamp-query or application/json")]
    MediaType,
    /// The digest's algorithm is not SHA-256, SHA-384 or SHA-512.
    #[error("the digest algorithm is not accepted: use SHA-256, SHA-384 or SHA-512")]
    Algorithm,
    /// The digest's length is not that of its algorithm.
    #[error("the digest's length does not fit its algorithm")]
    DigestLength,
    /// A policy other than this authority's was demanded.
    #[error("the demanded timestamp policy is not served here")]
    Policy,
    /// The request carries extensions.
    #[error("the timestamp request carries an extension")]
    Extension,
    /// The response could not be encoded: the time is out of range.
    #[error("the timestamp cannot be encoded")]
    Encoding,
}

impl TimestampError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "timestamp-request-malformed",
            Self::MediaType => "media-type-unsupported",
            Self::Algorithm => "timestamp-algorithm-unsupported",
            Self::DigestLength => "timestamp-digest-length",
            Self::Policy => "timestamp-policy-unsupported",
            Self::Extension => "timestamp-extension-unsupported",
            Self::Encoding => "timestamp-unencodable",
        }
    }

    /// Bit of PKIFailureInfo (RFC 3161 §2.4.2).
    pub(super) fn failure_bit(&self) -> usize {
        match self {
            Self::Algorithm => 0,
            Self::Malformed | Self::MediaType | Self::DigestLength => 5,
            Self::Policy => 15,
            Self::Extension => 16,
            Self::Encoding => 25,
        }
    }
}

/// Digest algorithms of a message imprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImprintAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl ImprintAlgorithm {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => const_oid::db::rfc5912::ID_SHA_256,
            Self::Sha384 => const_oid::db::rfc5912::ID_SHA_384,
            Self::Sha512 => const_oid::db::rfc5912::ID_SHA_512,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn digest_length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A checked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampRequest {
    pub(super) imprint: MessageImprint,
    pub(super) nonce: Option<Int>,
    pub(super) certificates: bool,
}

impl TimestampRequest {
    /// Reads a DER TimeStampReq.
    pub fn from_der(der: &[u8]) -> Result<Self, TimestampError> {
        let request = TimeStampReq::from_der(der).map_err(|_| TimestampError::Malformed)?;
        let TimeStampReq { version: _, message_imprint: imprint, req_policy, nonce, cert_req, extensions } =
            request;
        let AlgorithmIdentifier { oid, parameters } = &imprint.hash_algorithm;
        let algorithm = ImprintAlgorithm::ALL
            .into_iter()
            .find(|known| known.oid() == *oid)
            .ok_or(TimestampError::Algorithm)?;
        if parameters.as_ref().is_some_and(|parameters| *parameters != Any::null()) {
            return Err(TimestampError::Algorithm);
        }
        if imprint.hashed_message.as_bytes().len() != algorithm.digest_length() {
            return Err(TimestampError::DigestLength);
        }
        if req_policy.is_some_and(|policy| policy != oid::TIMESTAMP_POLICY) {
            return Err(TimestampError::Policy);
        }
        if extensions.is_some_and(|extensions| !extensions.is_empty()) {
            return Err(TimestampError::Extension);
        }
        if nonce.as_ref().is_some_and(|nonce| nonce.as_bytes().len() > MAX_NONCE_BYTES) {
            return Err(TimestampError::Malformed);
        }
        Ok(Self { imprint, nonce, certificates: cert_req })
    }

    /// Reads the JSON form: `artifactHash` in base64, `hashAlgorithm` by name, and optionally `certificates`, `nonce`
    /// and `tsaPolicyOID`.
    pub fn from_json(json: &[u8]) -> Result<Self, TimestampError> {
        let request: JsonRequest = serde_json::from_slice(json).map_err(|_| TimestampError::Malformed)?;
        let digest = BASE64_STANDARD.decode(request.artifact_hash).map_err(|_| TimestampError::Malformed)?;
        let algorithm = ImprintAlgorithm::ALL
            .into_iter()
            .find(|known| known.name() == request.hash_algorithm)
            .ok_or(TimestampError::Algorithm)?;
        let nonce = request.nonce.map(|nonce| nonce.to_der().and_then(|der| Int::from_der(&der)));
        let policy = request.tsa_policy_oid.filter(|policy| !policy.is_empty());
        let wire = TimeStampReq {
            version: x509_tsp::TspVersion::V1,
            message_imprint: imprint(algorithm, &digest).ok_or(TimestampError::DigestLength)?,
            req_policy: policy.map(|text| text.parse()).transpose().map_err(|_| TimestampError::Policy)?,
            nonce: nonce.transpose().map_err(|_| TimestampError::Malformed)?,
            cert_req: request.certificates,
            extensions: None,
        };
        Self::from_der(&wire.to_der().map_err(|_| TimestampError::Malformed)?)
    }
}

fn imprint(algorithm: ImprintAlgorithm, digest: &[u8]) -> Option<MessageImprint> {
    let hash_algorithm = AlgorithmIdentifier { oid: algorithm.oid(), parameters: Some(Any::null()) };
    Some(MessageImprint { hash_algorithm, hashed_message: der::asn1::OctetString::new(digest).ok()? })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRequest {
    artifact_hash: String,
    hash_algorithm: String,
    #[serde(default)]
    certificates: bool,
    #[serde(default)]
    nonce: Option<u64>,
    #[serde(default, rename = "tsaPolicyOID")]
    tsa_policy_oid: Option<String>,
}
