//! The stock bundle v0.3: one certificate, one log entry, one RFC 3161 timestamp, one signature over a file.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{KindVersion, MediaType, SignatureContent};

/// What a signer has in hand when everything has answered.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The leaf certificate, DER.
    pub certificate: Vec<u8>,
    /// The log's answer, as its HTTP face gave it (a `TransparencyLogEntry` in protobuf JSON).
    pub log_entry: Value,
    /// The timestamp response, DER.
    pub timestamp: Vec<u8>,
    /// SHA-256 of the artifact.
    pub digest: [u8; 32],
    /// ECDSA signature over that digest, DER.
    pub signature: Vec<u8>,
}

/// Why a bundle was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not a stock bundle.
    #[error("the bundle is malformed: {0}")]
    Malformed(String),
    /// It is a stock bundle of another shape than a signed file's.
    #[error("the bundle is not of the kind this tool signs and verifies: {0}")]
    Unsupported(&'static str),
}

impl BundleError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "bundle-malformed",
            Self::Unsupported(_) => "bundle-unsupported",
        }
    }
}

crate::failure::failures!(BundleError);

/// A stock bundle v0.3 that parsed and has the one shape of a signed file.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub(super) inner: sigstore_types::Bundle,
}

impl Bundle {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When a part (the log's answer, above all) is not what a bundle may hold.
    pub fn build(parts: &Parts) -> Result<(Self, String), BundleError> {
        let value = json!({
            "mediaType": MediaType::Bundle0_3.as_str(),
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(&parts.certificate)},
                "tlogEntries": [parts.log_entry],
                "timestampVerificationData": {
                    "rfc3161Timestamps": [{"signedTimestamp": STANDARD.encode(&parts.timestamp)}],
                },
            },
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(parts.digest)},
                "signature": STANDARD.encode(&parts.signature),
            },
        });
        let json = format!("{value}\n");
        Ok((Self::from_json(&json)?, json))
    }

    /// Parses a bundle and demands the shape of a signed file: version 0.3, a certificate, exactly one
    /// `hashedrekord/0.0.2` entry with its proof, exactly one timestamp, a message signature.
    ///
    /// # Errors
    /// When it does not parse or has another shape.
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        let inner =
            sigstore_types::Bundle::from_json(json).map_err(|e| BundleError::Malformed(e.to_string()))?;
        let unsupported = |what| Err(BundleError::Unsupported(what));
        let material = &inner.verification_material;
        if inner.media_type != MediaType::Bundle0_3 {
            return unsupported("another version than 0.3");
        }
        if !matches!(material.content, VerificationMaterialContent::Certificate(_)) {
            return unsupported("no single certificate");
        }
        let [entry] = material.tlog_entries.as_slice() else {
            return unsupported("not exactly one log entry");
        };
        if entry.kind_version != KindVersion::HashedRekordV002 || entry.inclusion_proof.is_none() {
            return unsupported("no hashedrekord 0.0.2 entry with its inclusion proof");
        }
        if material.timestamp_verification_data.rfc3161_timestamps.len() != 1 {
            return unsupported("not exactly one timestamp");
        }
        if !matches!(inner.content, SignatureContent::MessageSignature(_)) {
            return unsupported("no signature over a file");
        }
        Ok(Self { inner })
    }

    /// The leaf certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.inner.signing_certificate().map_or(&[], |certificate| certificate.as_bytes())
    }

    /// SHA-256 of the signed file, as the bundle claims it.
    ///
    /// # Errors
    /// When the bundle claims none.
    pub fn message_digest(&self) -> Result<[u8; 32], BundleError> {
        let SignatureContent::MessageSignature(signature) = &self.inner.content else {
            return Err(BundleError::Unsupported("no signature over a file"));
        };
        let digest = signature.message_digest.as_ref().map(|digest| digest.digest.as_bytes());
        digest
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(BundleError::Unsupported("no SHA-256 of the file"))
    }

    fn entry(&self) -> Option<&sigstore_types::TransparencyLogEntry> {
        self.inner.verification_material.tlog_entries.first()
    }

    /// The log entry's body, as it is hashed into the tree.
    pub fn entry_body(&self) -> &[u8] {
        self.entry().map_or(&[], |entry| entry.canonicalized_body.as_bytes())
    }

    /// The log entry's index.
    pub fn entry_index(&self) -> u64 {
        self.entry().map_or(0, |entry| entry.log_index.get())
    }

    /// The checkpoint that the inclusion proof leads to, as a signed note.
    pub fn checkpoint(&self) -> &str {
        let proof = self.entry().and_then(|entry| entry.inclusion_proof.as_ref());
        proof.map_or("", |proof| proof.checkpoint.envelope())
    }

    /// The inclusion proof's hashes, leaf side first.
    pub fn inclusion_hashes(&self) -> Vec<[u8; 32]> {
        let proof = self.entry().and_then(|entry| entry.inclusion_proof.as_ref());
        proof.map_or_else(Vec::new, |proof| proof.hashes.iter().map(|hash| *hash.as_bytes()).collect())
    }
}
