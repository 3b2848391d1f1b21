//! The stock bundle v0.3: one certificate, one log entry, one RFC 3161 timestamp, one signature over a file.

mod wire;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{KindVersion, MediaType, SignatureContent};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::entry::Entry as Body;
use sigveil_log::note::SignedNote;
use sigveil_zk_ca::trust::Base64Bytes;
use wire::Wire;

/// SHA-256 by its protobuf-specs name.
const SHA256: &str = "SHA2_256";

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
    /// A member that nobody signed says something else than what was signed.
    #[error("the bundle contradicts itself: {member} is not what {authority} says")]
    Contradiction {
        /// The member.
        member: &'static str,
        /// What is signed, or hashed into the log.
        authority: &'static str,
    },
}

impl BundleError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "bundle-malformed",
            Self::Unsupported(_) => "bundle-unsupported",
            Self::Contradiction { .. } => "bundle-contradiction",
        }
    }
}

crate::failure::failures!(BundleError);

/// A stock bundle v0.3 that parsed, has the one shape of a signed file, and says nothing twice in different ways.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub(super) inner: sigstore_types::Bundle,
    pub(super) timestamp: Vec<u8>,
    pub(super) log_id: [u8; 32],
    certificate: Vec<u8>,
    message_digest: [u8; 32],
    entry_index: u64,
    checkpoint: String,
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
                "messageDigest": {"algorithm": SHA256, "digest": STANDARD.encode(parts.digest)},
                "signature": STANDARD.encode(&parts.signature),
            },
        });
        let json = format!("{value}\n");
        Ok((Self::from_json(&json)?, json))
    }

    /// Parses a bundle and demands the shape of a signed file: version 0.3, a certificate, exactly one
    /// `hashedrekord/0.0.2` entry with its proof, exactly one timestamp, a message signature with its digest; no member
    /// that this tool does not know; and that what repeats the checkpoint or the entry's body repeats it rightly.
    ///
    /// # Errors
    /// When it does not parse, has another shape or contradicts itself.
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        let inner = sigstore_types::Bundle::from_json(json).map_err(|error| malformed(&error))?;
        demand_shape(&inner)?;
        let wire: Wire = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        wire.agrees()?;
        let Wire { verification_material: material, message_signature, .. } = wire;
        let ([entry], [timestamp]) =
            (material.tlog_entries, material.timestamp_verification_data.rfc3161_timestamps);
        Ok(Self {
            inner,
            timestamp: timestamp.signed_timestamp.0,
            log_id: sha256_sized(entry.log_id.key_id)?,
            certificate: material.certificate.raw_bytes.0,
            message_digest: sha256_sized(message_signature.message_digest.digest)?,
            entry_index: entry.log_index.0,
            checkpoint: entry.inclusion_proof.checkpoint.envelope,
        })
    }

    /// The leaf certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of the signed file, which the log entry states too.
    pub fn message_digest(&self) -> [u8; 32] {
        self.message_digest
    }

    /// The log entry's index.
    pub fn entry_index(&self) -> u64 {
        self.entry_index
    }

    /// The checkpoint that the inclusion proof leads to, as a signed note.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }
}

fn malformed(error: &impl ToString) -> BundleError {
    BundleError::Malformed(error.to_string())
}

fn sha256_sized(bytes: Base64Bytes) -> Result<[u8; 32], BundleError> {
    bytes.0.try_into().map_err(|_| BundleError::Malformed("a SHA-256 of another length".into()))
}

fn demand_shape(bundle: &sigstore_types::Bundle) -> Result<(), BundleError> {
    let unsupported = |what| Err(BundleError::Unsupported(what));
    let material = &bundle.verification_material;
    if bundle.media_type != MediaType::Bundle0_3 {
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
    let SignatureContent::MessageSignature(signature) = &bundle.content else {
        return unsupported("no signature over a file");
    };
    if signature.message_digest.is_none() {
        return unsupported("no SHA-256 of the file");
    }
    Ok(())
}

impl Wire {
    /// Stock verifiers take index, size and root from where they are signed and pass over the copies; here each copy
    /// says the same. The checkpoint's signature and the body's place in the tree are the verdict's matter.
    fn agrees(&self) -> Result<(), BundleError> {
        let [entry] = &self.verification_material.tlog_entries;
        let proof = &entry.inclusion_proof;
        let note =
            SignedNote::parse(proof.checkpoint.envelope.as_bytes()).map_err(|error| malformed(&error))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|error| malformed(&error))?;
        let Ok(Body::HashedRekord(body)) = Body::parse(&entry.canonicalized_body.0) else {
            return Err(BundleError::Malformed("the log entry's body is no hashedrekord".into()));
        };
        let digest = &self.message_signature.message_digest;
        let log = "a log of this version";
        for (agrees, member, authority) in [
            (proof.log_index == entry.log_index, "inclusionProof.logIndex", "the entry"),
            (proof.tree_size.0 == checkpoint.size, "inclusionProof.treeSize", "the checkpoint"),
            (proof.root_hash.0 == checkpoint.root.0, "inclusionProof.rootHash", "the checkpoint"),
            (entry.integrated_time.0 == 0, "integratedTime", log),
            (entry.inclusion_promise.is_none(), "inclusionPromise", log),
            (digest.algorithm == SHA256, "messageDigest.algorithm", "the entry's body"),
            (digest.digest.0 == body.digest(), "messageDigest.digest", "the entry's body"),
        ] {
            if !agrees {
                return Err(BundleError::Contradiction { member, authority });
            }
        }
        Ok(())
    }
}
