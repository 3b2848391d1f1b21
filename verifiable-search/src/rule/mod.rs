//! Indexing rule, version 2: from a log entry to its map keys (protocol.md §8).
//!
//! An entry with a certificate is found under every label that stands anywhere in what the CA signed, after ASCII
//! lower-casing: 52 characters of base32 behind a colon, behind `urn:sigveil:`, if the
//! certificate's signature verifies under a CA key that is, or ever was, in the trust root. Without a known
//! CA's signature only the keys that anybody may add to are made: the artifact's digest under any key, and the
//! fingerprint of the key. Times, SCT, the number of names and their canonical form are no conditions: what
//! fails them is indexed all the same and [`Flags`] say so, since stock clients accept what a strict rule
//! would hide.
//!
//! So that nothing hides behind a parser, the rule decides these cases generously, each a superset of what
//! any client would take for the label:
//!
//! - mode and profile may be anything, or missing;
//! - 52 characters that are base32 stand for the 32 bytes they spell, the four slack bits dropped; bytes that
//!   are a number not below the field's order r, which no label is, are reduced modulo r;
//! - more than 52 characters begin with a label;
//! - the highest bit of a byte counts for nothing, since some clients read names as ASCII without it;
//! - the tags around what was signed, which nobody signs, may be any of one byte, and the label may stand anywhere in it;
//!   a certificate whose structure cannot be walked is flagged.
//!
//! The rule does not verify SCTs (the flag counts their lists): that needs log keys, and decides nothing here.
//!
//! Sealed claims are read from the certificate's extension [`SEALED_CLAIMS`], a SEQUENCE OF OCTET STRING, as
//! `sigveil-zk-ca` writes it.

mod certificate;
mod der;
mod label;

pub use sigveil_log::ca_key::{CaKey, CaKeyError};

use crate::key::{KeyKind, MapKey};
use crate::key_list::{EntryKeys, Flags};
use ::der::asn1::ObjectIdentifier;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};
use sigveil_log::entry::{Entry, EntryError, Signature, sealed_digest};
use sigveil_log::hash::Hash;

/// The version of this rule, as output-log leaves state it.
pub const RULE_VERSION: u16 = 2;

/// Identifier of the extension that lists the digests of sealed claims (protocol.md §6); the same constant
/// stands in the certificate profile of `sigveil-zk-ca`.
pub const SEALED_CLAIMS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.6");

/// Keys that may sign redaction records, and how many of them it takes.
pub type Redactors = (Vec<VerifyingKey>, usize);

/// One trust root as far as the rule uses it.
#[derive(Clone)]
pub struct Trust {
    digest: Hash,
    ca_keys: Vec<CaKey>,
    redactors: Redactors,
}

impl Trust {
    /// The trust root with these bytes, whose CA keys are these `SubjectPublicKeyInfo`s (DER), and whose redaction
    /// authorities these. The caller parses the document: the keys of *every* certificate in its chains, since stock clients
    /// take a leaf from each of them.
    ///
    /// # Errors
    /// [`CaKeyError`] for a key that cannot be used.
    pub fn new<'a>(
        document: &[u8],
        ca_spkis: impl IntoIterator<Item = &'a [u8]>,
        redactors: Redactors,
    ) -> Result<Self, CaKeyError> {
        let ca_keys = ca_spkis.into_iter().map(CaKey::from_spki).collect::<Result<_, _>>()?;
        Ok(Self { digest: Hash(Sha256::digest(document).into()), ca_keys, redactors })
    }

    /// SHA-256 of the document.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The CA keys in it.
    pub fn ca_keys(&self) -> &[CaKey] {
        &self.ca_keys
    }

    /// Who may have content withheld.
    pub fn redactors(&self) -> &Redactors {
        &self.redactors
    }
}

/// An entry that this version of the rule cannot judge: indexing stops there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A kind or version that protocol.md §7 does not name.
    #[error("entries of kind {kind} and version {version} cannot be indexed")]
    UnknownKind {
        /// Kind found.
        kind: String,
        /// Version found.
        version: String,
    },
    /// Bytes that are no entry at all.
    #[error("the entry cannot be read")]
    Malformed(#[source] EntryError),
}

impl RuleError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "index-unknown-entry-kind",
            Self::Malformed(_) => "index-entry-malformed",
        }
    }
}

/// The map keys of the entry with this body, judged under the CA keys known so far.
///
/// # Errors
/// [`RuleError`], at which indexing and cosigning stop.
pub fn keys_of(body: &[u8], ca_keys: &[CaKey]) -> Result<EntryKeys, RuleError> {
    let entry = Entry::parse(body).map_err(|error| match error {
        EntryError::UnknownKind { kind, version } => RuleError::UnknownKind { kind, version },
        other => RuleError::Malformed(other),
    })?;
    Ok(match entry {
        Entry::HashedRekord(entry) => signed_keys(entry.digest(), entry.signature(), ca_keys),
        Entry::Sealed(entry) => signed_keys(&sealed_digest(&entry.commitments).0, &entry.signature, ca_keys),
        Entry::Redaction(_) | Entry::IssuerKeys(_) | Entry::ProofReceipt(_) => EntryKeys::none(),
    })
}

fn signed_keys(digest: &[u8], signature: &Signature, ca_keys: &[CaKey]) -> EntryKeys {
    let mut keys = vec![MapKey::new(KeyKind::AnyDigest, digest)];
    let Some(der) = signature.verifier.certificate() else {
        if let sigveil_log::entry::Verifier::PublicKey(spki) = &signature.verifier {
            keys.push(MapKey::new(KeyKind::KeyFingerprint, &Sha256::digest(spki)));
        }
        return EntryKeys::new(Flags::NONE, 0, keys);
    };
    let reading = certificate::read(der, ca_keys, SEALED_CLAIMS.as_bytes());
    if let Some(spki) = &reading.spki {
        keys.push(MapKey::new(KeyKind::KeyFingerprint, &Sha256::digest(spki)));
    }
    if !reading.trusted {
        return EntryKeys::new(reading.flags | Flags::UNTRUSTED, reading.not_before, keys);
    }
    keys.push(MapKey::new(KeyKind::SignedDigest, digest));
    keys.extend(reading.labels.iter().map(|label| MapKey::new(KeyKind::Label, label)));
    keys.extend(reading.sealed_claims.iter().map(|claim| MapKey::new(KeyKind::SealedClaim, claim)));
    EntryKeys::new(reading.flags, reading.not_before, keys)
}
