//! Log entries: stock `hashedrekord/0.0.2` bodies and the project's own kinds (`protocol.md §7`).
//!
//! An entry's body is the RFC 8785 canonical JSON of
//! `{"apiVersion":…,"kind":…,"spec":{<kind>:{…}}}`; the Merkle leaf is `SHA-256(0x00 ‖ body)`. Parsing is
//! strict: unknown and doubled members are refused, and so is a body that is not its own canonical form, so
//! every entry has one spelling. Kinds and versions not named here are refused with a reason of their own,
//! because a re-executor has to stop at them.
//!
//! A place in the log may hold a [`Withheld`] tombstone instead of its entry (`protocol.md §9`): that is
//! never accepted as a submission.

mod body;
pub mod hashedrekord;
mod issuer_keys;
mod proof_receipt;
mod redaction;
mod sealed;
mod signature;

pub use hashedrekord::HashedRekord;
pub use issuer_keys::{IssuerKey, IssuerKeys};
pub use proof_receipt::ProofReceipt;
pub use redaction::{
    AuthoritySignature, ReasonCode, RedactionRecord, RedactionStatement, Withholding, key_list_digest,
};
pub use sealed::{SealedEntry, SealedField, SealedPayload, sealed_digest};
pub use signature::{HashAlgorithm, KeyDetails, Signature, Verifier};

use body::{Envelope, canonical, parse_envelope};
pub(crate) use body::{base64_bytes, decimal};

use crate::hash::Hash;
use crate::merkle::leaf_hash;

/// Largest entry body, and largest request: what an entry bundle's 16-bit length can hold.
pub const MAX_BODY: usize = 65_535;

/// Why an entry or a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not well-formed, or with unknown, doubled or missing members.
    #[error("the entry cannot be read: {0}")]
    Malformed(String),
    /// Over [`MAX_BODY`] bytes.
    #[error("the entry is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// Not the canonical form of its own content.
    #[error("the entry is not in canonical form")]
    NotCanonical,
    /// A kind or version that this log does not know.
    #[error("entries of kind {kind} and version {version} are unknown")]
    UnknownKind {
        /// Kind found.
        kind: String,
        /// Version found.
        version: String,
    },
    /// A known kind that this log does not take yet.
    #[error("entries of kind {0} are not accepted by this log")]
    KindNotServed(&'static str),
    /// A key type that is not supported. Pure Ed25519 is not, because its signature is over the message
    /// itself (RFC 8032 §5.1), of which the log sees only a digest.
    #[error(
        "the key type {0} is not supported: it must verify from a digest, and be ECDSA or RSA PKCS #1 v1.5"
    )]
    UnsupportedKey(String),
    /// The digest's length is not that of its algorithm.
    #[error("the digest has the wrong length")]
    DigestLength,
    /// The certificate or key cannot be read.
    #[error("the certificate or public key cannot be read")]
    BadKey,
    /// The key is of another type than stated.
    #[error("the key is not of the stated type")]
    KeyMismatch,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
    /// Fewer valid signatures by known authorities than demanded.
    #[error("{actual} valid signatures by known authorities where {required} are required")]
    Threshold {
        /// Signatures demanded.
        required: usize,
        /// Signatures that verified.
        actual: usize,
    },
    /// The map keys in a redaction record do not hash to the digest that is signed.
    #[error("the record's map keys do not match their digest")]
    KeyListMismatch,
    /// A redaction record about an entry of another log.
    #[error("the record is about another log")]
    OtherLog,
    /// The payload does not open the commitments.
    #[error("the payload does not open the commitments of the entry")]
    CommitmentMismatch,
}

impl EntryError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "entry-malformed",
            Self::TooLarge => "entry-too-large",
            Self::NotCanonical => "entry-not-canonical",
            Self::UnknownKind { .. } => "entry-unknown-kind",
            Self::KindNotServed(_) => "entry-kind-not-served",
            Self::UnsupportedKey(_) => "entry-unsupported-key",
            Self::DigestLength => "entry-digest-length",
            Self::BadKey => "entry-bad-key",
            Self::KeyMismatch => "entry-key-mismatch",
            Self::BadSignature => "entry-bad-signature",
            Self::Threshold { .. } => "entry-threshold",
            Self::KeyListMismatch => "entry-key-list-mismatch",
            Self::OtherLog => "entry-other-log",
            Self::CommitmentMismatch => "entry-commitment-mismatch",
        }
    }
}

/// A parsed entry. Parsing checks form only; each kind's `verify` checks its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Stock entry: a signature over an artifact's digest.
    HashedRekord(HashedRekord),
    /// Record of a redaction.
    Redaction(RedactionRecord),
    /// Commitments to fields whose values stand outside the log.
    Sealed(SealedEntry),
    /// An issuer's keys as observers saw them.
    IssuerKeys(IssuerKeys),
    /// Proof of a certificate that was issued before its proof was made.
    ProofReceipt(ProofReceipt),
}

impl Entry {
    /// Parses a body as it stands in the log.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`], [`EntryError::Malformed`], [`EntryError::UnknownKind`],
    /// [`EntryError::NotCanonical`], and errors of form of the kind.
    pub fn parse(body: &[u8]) -> Result<Self, EntryError> {
        let envelope = parse_envelope(body)?;
        let entry = match (envelope.kind.as_str(), envelope.api_version.as_str()) {
            ("hashedrekord", "0.0.2") => Self::HashedRekord(HashedRekord::from_spec(envelope.spec)?),
            ("redaction", "0.0.1") => Self::Redaction(RedactionRecord::from_spec(envelope.spec)?),
            ("sealed", "0.0.1") => Self::Sealed(SealedEntry::from_spec(envelope.spec)?),
            ("issuer-keys", "0.0.1") => Self::IssuerKeys(IssuerKeys::from_spec(envelope.spec)?),
            ("proof-receipt", "0.0.1") => Self::ProofReceipt(ProofReceipt::from_spec(envelope.spec)?),
            _ => return Err(EntryError::UnknownKind { kind: envelope.kind, version: envelope.api_version }),
        };
        if entry.body() == body { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    /// The canonical body.
    pub fn body(&self) -> Vec<u8> {
        let (kind, version) = self.kind_version();
        let spec = match self {
            Self::HashedRekord(entry) => entry.to_spec(),
            Self::Redaction(entry) => entry.to_spec(),
            Self::Sealed(entry) => entry.to_spec(),
            Self::IssuerKeys(entry) => entry.to_spec(),
            Self::ProofReceipt(entry) => entry.to_spec(),
        };
        canonical(&Envelope { api_version: version.to_owned(), kind: kind.to_owned(), spec })
    }

    /// Kind and version, as `kindVersion` of a `TransparencyLogEntry` states them.
    pub fn kind_version(&self) -> (&'static str, &'static str) {
        match self {
            Self::HashedRekord(_) => ("hashedrekord", "0.0.2"),
            Self::Redaction(_) => ("redaction", "0.0.1"),
            Self::Sealed(_) => ("sealed", "0.0.1"),
            Self::IssuerKeys(_) => ("issuer-keys", "0.0.1"),
            Self::ProofReceipt(_) => ("proof-receipt", "0.0.1"),
        }
    }

    /// Merkle leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.body())
    }
}

/// What stands in the log where an entry's body was withheld: the leaf hash, which keeps the tree whole, and
/// where the record of the redaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Leaf hash of the body that was here.
    pub leaf_hash: Hash,
    /// Index, in the same log, of the redaction record.
    pub record: u64,
}

impl Withheld {
    /// The tombstone's bytes, in the place of the body.
    pub fn body(&self) -> Vec<u8> {
        let spec =
            serde_json::json!({"withheld": {"leafHash": self.leaf_hash, "record": self.record.to_string()}});
        let (api_version, kind) = ("0.0.1".to_owned(), "withheld".to_owned());
        canonical(&Envelope { api_version, kind, spec })
    }

    /// Parses [`Withheld::body`]; `None` for anything else.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let envelope = parse_envelope(body).ok().filter(|envelope| envelope.kind == "withheld")?;
        let spec = envelope.spec.get("withheld")?;
        let leaf_hash = Hash::from_base64(spec.get("leafHash")?.as_str()?)?;
        let record = crate::checkpoint::parse_decimal(spec.get("record")?.as_str()?)?;
        let parsed = Self { leaf_hash, record };
        (parsed.body() == body).then_some(parsed)
    }
}

/// What a bundle holds at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The entry's body, which hashes to the leaf.
    Body(Vec<u8>),
    /// A tombstone for the leaf.
    Withheld(Withheld),
}

impl Stored {
    /// Reads an item of a bundle and compares it with the leaf hash in the tree.
    ///
    /// # Errors
    /// [`EntryError::Malformed`] when it is neither that leaf's body nor a tombstone for it.
    pub fn parse(item: Vec<u8>, leaf: &Hash) -> Result<Self, EntryError> {
        if leaf_hash(&item) == *leaf {
            return Ok(Self::Body(item));
        }
        match Withheld::parse(&item) {
            Some(withheld) if withheld.leaf_hash == *leaf => Ok(Self::Withheld(withheld)),
            _ => Err(EntryError::Malformed("the bundle's item is not that of the leaf".to_owned())),
        }
    }
}
