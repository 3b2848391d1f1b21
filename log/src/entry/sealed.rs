//! Sealed entries: signed commitments in the log, values and salts outside it (`protocol.md §7, §9`).
//!
//! Field `i` is committed to as
//! `SHA-256("sigveil-sealed-field" ‖ salt(32) ‖ u16 len ‖ name ‖ u32 len ‖ value)`, integers big-endian. The
//! signer signs [`sealed_digest`] of the list of commitments, so that the log takes no unsigned content and
//! the entry is found under its signer's label. Once a salt is erased, its commitment says nothing about the
//! value, however few values are possible.

use std::fmt;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::body::{Distinct, base64_bytes, canonical, malformed, spec_member, to_value};
use super::signature::{Signature, WireSignature};
use super::{Entry, EntryError, MAX_BODY};
use crate::hash::Hash;

const FIELD_DOMAIN: &[u8] = b"sigveil-sealed-field";
const LIST_DOMAIN: &[u8] = b"sigveil-sealed";
/// Most fields of one sealed entry.
pub const MAX_FIELDS: usize = 64;

/// A signed list of field commitments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// Commitments, in the order of the payload's fields; 1 to 64.
    pub commitments: Vec<Hash>,
    /// Signature over [`sealed_digest`] of the commitments, by a key whose hash is SHA-256.
    pub signature: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    commitments: Vec<Hash>,
    signature: WireSignature,
}

/// What the signer of a sealed entry signs.
pub fn sealed_digest(commitments: &[Hash]) -> Hash {
    let count = u16::try_from(commitments.len()).unwrap_or(u16::MAX).to_be_bytes();
    let flat: Vec<u8> = commitments.iter().flat_map(|commitment| commitment.0).collect();
    Hash::of(&[LIST_DOMAIN, &count, &flat])
}

impl SealedEntry {
    /// Verifies the signature over the commitments.
    ///
    /// # Errors
    /// As [`Signature::verify`].
    pub fn verify(&self) -> Result<(), EntryError> {
        self.signature.verify(&sealed_digest(&self.commitments).0)
    }

    pub(super) fn from_spec(spec: Value) -> Result<Self, EntryError> {
        let spec: Spec = spec_member(spec, "sealed")?;
        if spec.commitments.is_empty() || spec.commitments.len() > MAX_FIELDS {
            return Err(EntryError::Malformed(format!("1 to {MAX_FIELDS} fields are required")));
        }
        Ok(Self { commitments: spec.commitments, signature: spec.signature.try_into()? })
    }

    pub(super) fn to_spec(&self) -> Value {
        let spec = Spec { commitments: self.commitments.clone(), signature: (&self.signature).into() };
        to_value("sealed", &spec)
    }
}

/// One field's opening.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct SealedField {
    /// Name of the field.
    pub name: String,
    /// 32 random bytes.
    #[serde(with = "base64_bytes")]
    pub salt: Vec<u8>,
    /// The value.
    #[serde(with = "base64_bytes")]
    pub value: Vec<u8>,
}

impl fmt::Debug for SealedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedField(…)")
    }
}

impl SealedField {
    /// A field with a fresh salt.
    pub fn new(name: &str, value: &[u8], rng: &mut impl CryptoRngCore) -> Self {
        let mut salt = vec![0; 32];
        rng.fill_bytes(&mut salt);
        Self { name: name.to_owned(), salt, value: value.to_vec() }
    }

    /// The commitment that goes into the log.
    pub fn commitment(&self) -> Hash {
        let name_length = u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_be_bytes();
        let value_length = u32::try_from(self.value.len()).unwrap_or(u32::MAX).to_be_bytes();
        let name = self.name.as_bytes();
        Hash::of(&[FIELD_DOMAIN, &self.salt, &name_length, name, &value_length, &self.value])
    }
}

/// The openings of a sealed entry, kept beside the log until they are redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPayload {
    /// The fields, in the order of the commitments.
    pub fields: Vec<SealedField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    entry: Distinct,
    payload: SealedPayload,
}

impl SealedPayload {
    /// Parses the body of `POST /api/sigveil/v1/sealed`: an entry and its payload. The entry is read from its canonical form,
    /// so that what is signed and logged is what was sent.
    ///
    /// # Errors
    /// As [`Entry::parse`] and [`SealedPayload::parse`].
    pub fn from_request(body: &[u8]) -> Result<(Entry, Self), EntryError> {
        if body.len() > 2 * MAX_BODY {
            return Err(EntryError::TooLarge);
        }
        let Request { entry: Distinct(entry), payload } = serde_json::from_slice(body).map_err(malformed)?;
        let entry = serde_json_canonicalizer::to_vec(&entry).map_err(malformed)?;
        Ok((Entry::parse(&entry)?, Self::parse(&payload.to_bytes())?))
    }

    /// Parses a payload; `MAX_BODY` bounds it as it bounds bodies.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`], [`EntryError::Malformed`], also for a salt that is not 32 bytes, and
    /// [`EntryError::NotCanonical`], as of a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_BODY {
            return Err(EntryError::TooLarge);
        }
        let payload: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        if payload.fields.iter().any(|field| field.salt.len() != 32 || field.name.len() > 255) {
            return Err(EntryError::Malformed("salts have 32 bytes, names at most 255".to_owned()));
        }
        if payload.to_bytes() == bytes { Ok(payload) } else { Err(EntryError::NotCanonical) }
    }

    /// The bytes that [`SealedPayload::parse`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical(self)
    }

    /// The commitments of its fields.
    pub fn commitments(&self) -> Vec<Hash> {
        self.fields.iter().map(SealedField::commitment).collect()
    }

    /// Checks that it opens exactly the commitments of `entry`.
    ///
    /// # Errors
    /// [`EntryError::CommitmentMismatch`].
    pub fn verify(&self, entry: &SealedEntry) -> Result<(), EntryError> {
        if self.commitments() == entry.commitments { Ok(()) } else { Err(EntryError::CommitmentMismatch) }
    }
}
