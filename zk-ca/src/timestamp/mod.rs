//! An RFC 3161 timestamp authority as a function: request, time and serial in, response out.
//!
//! Beside the DER request there is the JSON form that one stock client posts ([`TimestampRequest::from_json`]). The
//! signature is CMS SignedData with ESSCertIDv2 (RFC 5035), ECDSA P-256 over SHA-256. Clock and randomness are passed
//! in; the HTTP face is `service::tsa`.

mod request;
mod response;

use der::Encode;

pub use request::{ImprintAlgorithm, TimestampError, TimestampRequest};

use crate::authority::CertificateDer;
use crate::key::SigningKeyP256;
use crate::profile::{ProfileError, Serial};

/// Accuracy that every timestamp states, in seconds.
pub const ACCURACY_SECONDS: u64 = 1;

/// A timestamp authority's key and chain.
#[derive(Clone)]
pub struct TimestampAuthority {
    key: SigningKeyP256,
    chain: [CertificateDer; 2],
}

impl TimestampAuthority {
    /// Takes the key and the chain, leaf first, as [`crate::authority::create_timestamp_chain`] makes it. Refuses a
    /// leaf of another key.
    pub fn open(key: SigningKeyP256, chain: [CertificateDer; 2]) -> Result<Self, ProfileError> {
        let certified = chain[0].decode().tbs_certificate.subject_public_key_info;
        if certified.to_der().map_err(|_| ProfileError::Malformed)? != key.public_key().der() {
            return Err(ProfileError::SubjectKeyId);
        }
        Ok(Self { key, chain })
    }

    /// Leaf and root.
    pub fn chain(&self) -> &[CertificateDer; 2] {
        &self.chain
    }

    /// The DER TimeStampResp that grants a request: `time` in Unix seconds, a serial never used before.
    pub fn grant(
        &self,
        request: &TimestampRequest,
        time: u64,
        serial: Serial,
    ) -> Result<Vec<u8>, TimestampError> {
        response::granted(self, request, time, serial).map_err(|_| TimestampError::Encoding)
    }
}

/// The DER TimeStampResp that refuses a request (RFC 3161 §2.4.2).
pub fn rejection(error: TimestampError) -> Vec<u8> {
    response::rejected(error)
}
