//! Signed certificate timestamps of a static-ct-api log (RFC 6962 §3.2, C2SP static-ct-api 1.1): made over a
//! certificate or precertificate whose chain ends in an accepted root ([`Submission`]), embedded in the
//! certificate, verified from it.

pub(crate) mod chain;
mod embedded;
mod tile_leaf;
mod wire;

pub use chain::{AcceptedRoots, ChainError, EntryKind, Submission};
pub use embedded::{embedded, extension_value, issuer_key_hash, parse_list, precertificate_tbs};
pub use tile_leaf::TileLeaf;
pub use wire::{AddChain, AddChainAnswer};

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};

use crate::hash::Hash;

/// What a certificate log signs for a precertificate: the certificate to be issued, without poison and SCT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrecertEntry {
    /// SHA-256 of the issuer's DER `SubjectPublicKeyInfo`.
    pub issuer_key_hash: Hash,
    /// DER of the `TBSCertificate`.
    pub tbs: Vec<u8>,
}

/// What a certificate log keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedCertificate {
    /// DER of a final certificate.
    Certificate(Vec<u8>),
    /// A precertificate.
    Precertificate {
        /// What is signed.
        entry: PrecertEntry,
        /// DER as submitted.
        der: Vec<u8>,
    },
}

impl LoggedCertificate {
    /// What the log signs of it.
    pub fn signed(&self) -> SignedEntry<'_> {
        match self {
            Self::Certificate(der) => SignedEntry::Certificate(der),
            Self::Precertificate { entry, .. } => SignedEntry::Precertificate(entry),
        }
    }

    /// DER as submitted.
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Certificate(der) | Self::Precertificate { der, .. } => der,
        }
    }
}

/// What an SCT is over (RFC 6962 §3.2 `signed_entry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedEntry<'a> {
    /// DER of a final certificate.
    Certificate(&'a [u8]),
    /// The certificate that a precertificate stands for.
    Precertificate(&'a PrecertEntry),
}

impl<'a> From<&'a PrecertEntry> for SignedEntry<'a> {
    fn from(entry: &'a PrecertEntry) -> Self {
        Self::Precertificate(entry)
    }
}

/// Why an SCT is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// The certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// Not exactly one SCT is embedded.
    #[error("not exactly one SCT is embedded")]
    Count,
    /// The SCT cannot be read.
    #[error("the SCT cannot be read")]
    Malformed,
    /// By another log.
    #[error("the SCT is by another log")]
    OtherLog,
    /// The signature does not verify.
    #[error("the SCT's signature does not verify")]
    BadSignature,
}

impl SctError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Certificate => "sct-certificate",
            Self::Count => "sct-count",
            Self::Malformed => "sct-malformed",
            Self::OtherLog => "sct-other-log",
            Self::BadSignature => "sct-bad-signature",
        }
    }
}

/// A version 1 SCT, with an ECDSA P-256 signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificateTimestamp {
    /// SHA-256 of the log's DER `SubjectPublicKeyInfo`.
    pub log_id: Hash,
    /// Unix milliseconds.
    pub timestamp: u64,
    /// Extensions as they stand.
    pub extensions: Vec<u8>,
    /// DER of the signature.
    pub signature: Vec<u8>,
}

impl SignedCertificateTimestamp {
    /// Signs `entry`, which the log holds at `leaf_index`.
    pub fn sign<'a>(
        key: &SigningKey,
        entry: impl Into<SignedEntry<'a>>,
        timestamp: u64,
        leaf_index: u64,
    ) -> Self {
        let extensions = leaf_index_extension(leaf_index);
        let signature: DerSignature = key.sign(&merkle_tree_leaf(entry.into(), timestamp, &extensions));
        let log_id = crate::note::rfc6962_log_id(key.verifying_key());
        Self { log_id, timestamp, extensions, signature: signature.as_bytes().to_vec() }
    }

    /// Verifies the SCT over `entry` under a log's key.
    ///
    /// # Errors
    /// [`SctError::OtherLog`], [`SctError::Malformed`] or [`SctError::BadSignature`].
    pub fn verify<'a>(&self, key: &VerifyingKey, entry: impl Into<SignedEntry<'a>>) -> Result<(), SctError> {
        if self.log_id != crate::note::rfc6962_log_id(key) {
            return Err(SctError::OtherLog);
        }
        let signature = p256::ecdsa::Signature::from_der(&self.signature).map_err(|_| SctError::Malformed)?;
        let signed = merkle_tree_leaf(entry.into(), self.timestamp, &self.extensions);
        key.verify(&signed, &signature).map_err(|_| SctError::BadSignature)
    }

    /// Index of the entry in the log, from the `leaf_index` extension; `None` without one, or with more. Beside it there may
    /// be extensions that are not known here.
    pub fn leaf_index(&self) -> Option<u64> {
        parse_leaf_index(&self.extensions)
    }

    /// TLS encoding (RFC 6962 §3.2).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(self.log_id.0);
        bytes.extend(self.timestamp.to_be_bytes());
        push_u16(&mut bytes, &self.extensions);
        bytes.extend(self.digitally_signed());
        bytes
    }

    /// TLS `DigitallySigned`: SHA-256, ECDSA, and the signature with its length (RFC 5246 §4.7).
    fn digitally_signed(&self) -> Vec<u8> {
        let mut bytes = vec![4, 3];
        push_u16(&mut bytes, &self.signature);
        bytes
    }

    /// Parses [`SignedCertificateTimestamp::to_bytes`]; trailing bytes are refused.
    ///
    /// # Errors
    /// [`SctError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SctError> {
        let mut reader = Reader(bytes);
        let parse = |reader: &mut Reader<'_>| {
            let [0] = reader.array::<1>()? else { return None };
            let log_id = Hash(reader.array()?);
            let timestamp = u64::from_be_bytes(reader.array()?);
            let extensions = reader.opaque_u16()?.to_vec();
            let [4, 3] = reader.array::<2>()? else { return None };
            let signature = reader.opaque_u16()?.to_vec();
            Some(Self { log_id, timestamp, extensions, signature })
        };
        parse(&mut reader).filter(|_| reader.0.is_empty()).ok_or(SctError::Malformed)
    }
}

/// The one extension of static-ct-api: type 0, length 5, the index in 40 bits.
pub(crate) fn leaf_index_extension(index: u64) -> Vec<u8> {
    [&[0, 0, 5][..], &index.to_be_bytes()[3..]].concat()
}

pub(crate) fn parse_leaf_index(extensions: &[u8]) -> Option<u64> {
    let mut reader = Reader(extensions);
    let mut index = None;
    while !reader.0.is_empty() {
        let [kind] = reader.array::<1>()?;
        let value = reader.opaque_u16()?;
        if kind == 0 {
            let [a, b, c, d, e] = value.try_into().ok()?;
            // Of one type there is one extension (static-ct-api, "SCT Extension").
            if index.replace(u64::from_be_bytes([0, 0, 0, a, b, c, d, e])).is_some() {
                return None;
            }
        }
    }
    index
}

/// RFC 6962 §3.4 `TimestampedEntry`.
pub(crate) fn timestamped_entry(entry: SignedEntry<'_>, timestamp: u64, extensions: &[u8]) -> Vec<u8> {
    let mut bytes = timestamp.to_be_bytes().to_vec();
    match entry {
        SignedEntry::Certificate(der) => {
            bytes.extend([0, 0]);
            push_u24(&mut bytes, der);
        }
        SignedEntry::Precertificate(entry) => {
            bytes.extend([0, 1]);
            bytes.extend(entry.issuer_key_hash.0);
            push_u24(&mut bytes, &entry.tbs);
        }
    }
    push_u16(&mut bytes, extensions);
    bytes
}

/// RFC 6962 §3.4 `MerkleTreeLeaf`. The SCT signs the same bytes: version and type are zero in both.
pub(crate) fn merkle_tree_leaf(entry: SignedEntry<'_>, timestamp: u64, extensions: &[u8]) -> Vec<u8> {
    [&[0, 0][..], &timestamped_entry(entry, timestamp, extensions)].concat()
}

pub(crate) fn push_u16(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend(u16::try_from(value.len()).expect("callers bound the length").to_be_bytes());
    bytes.extend(value);
}

pub(crate) fn push_u24(bytes: &mut Vec<u8>, value: &[u8]) {
    let length = u32::try_from(value.len()).expect("callers bound the length").to_be_bytes();
    bytes.extend(&length[1..]);
    bytes.extend(value);
}

/// Reads TLS presentation language.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn opaque_u16(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    pub(crate) fn opaque_u24(&mut self) -> Option<&'a [u8]> {
        let [a, b, c] = self.array()?;
        self.take(u32::from_be_bytes([0, a, b, c]) as usize)
    }
}
