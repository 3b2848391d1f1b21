//! The record of a redaction (`protocol.md §9`): a statement about one entry, signed by redaction
//! authorities, and the map keys under which that entry stays findable.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EntryError;
use super::body::{base64_bytes, decimal, spec_member, to_value};
use crate::hash::Hash;

const DOMAIN: &[u8] = b"sigveil-redaction/v2\n";
const KEY_LIST_DOMAIN: &[u8] = b"sigveil-key-list/v1\n";

/// Digest of the list of map keys of one entry:
/// `SHA-256("sigveil-key-list/v1\n" ‖ u32 count ‖ keys)`, keys in the order of indexing.
///
/// The output log commits to the root of these, one per entry, so that an index can be re-executed after
/// bodies are gone.
pub fn key_list_digest(keys: &[Hash]) -> Hash {
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX).to_be_bytes();
    let flat: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
    Hash::of(&[KEY_LIST_DOMAIN, &count, &flat])
}

/// What is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Withholding {
    /// The entry's body, and for a sealed entry its payload too.
    WholeBody,
    /// These fields of a sealed entry's payload, by position, ascending; the body stays.
    Fields(Vec<u16>),
}

/// Why content is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// Data about a person, at that person's demand.
    PersonalData,
    /// A secret was published by mistake.
    LeakedSecret,
    /// A court or authority demands it.
    LegalOrder,
    /// Content that may not be distributed.
    UnlawfulContent,
}

impl ReasonCode {
    fn byte(self) -> u8 {
        match self {
            Self::PersonalData => 1,
            Self::LeakedSecret => 2,
            Self::LegalOrder => 3,
            Self::UnlawfulContent => 4,
        }
    }
}

/// What the authorities sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedactionStatement {
    /// Origin of the log that holds the entry.
    pub origin: String,
    /// Index of the entry.
    #[serde(with = "decimal")]
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// What is withheld of it.
    pub withheld: Withholding,
    /// [`key_list_digest`] of the entry's map keys.
    pub key_list_digest: Hash,
    /// Why.
    pub reason: ReasonCode,
    /// When it was decided, Unix seconds.
    #[serde(with = "decimal")]
    pub time: u64,
    /// Index of the certificate's own redaction in the certificate log; `None` says that there is none, and
    /// that the certificate stays published there.
    #[serde(with = "decimal::optional")]
    pub certificate_record: Option<u64>,
}

impl RedactionStatement {
    /// The signed bytes: domain ‖ u16 length ‖ origin ‖ u64 index ‖ leaf hash ‖ what is withheld ‖ key-list
    /// digest ‖ reason byte ‖ u64 time ‖ the certificate's record. What is withheld is the byte 0 for the whole body, or
    /// 1, a u16 count and that many u16 positions; the certificate's record is the byte 0 for none, or 1 and its u64 index.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend(u16::try_from(self.origin.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(self.origin.as_bytes());
        bytes.extend(self.index.to_be_bytes());
        bytes.extend(self.leaf_hash.0);
        match &self.withheld {
            Withholding::WholeBody => bytes.push(0),
            Withholding::Fields(fields) => {
                bytes.push(1);
                bytes.extend(u16::try_from(fields.len()).unwrap_or(u16::MAX).to_be_bytes());
                bytes.extend(fields.iter().flat_map(|field| field.to_be_bytes()));
            }
        }
        bytes.extend(self.key_list_digest.0);
        bytes.push(self.reason.byte());
        bytes.extend(self.time.to_be_bytes());
        match self.certificate_record {
            None => bytes.push(0),
            Some(index) => {
                bytes.push(1);
                bytes.extend(index.to_be_bytes());
            }
        }
        bytes
    }

    /// An authority's signature.
    pub fn sign(&self, authority: &SigningKey) -> AuthoritySignature {
        let signature = authority.sign(&self.to_bytes()).to_bytes().to_vec();
        AuthoritySignature { key: authority.verifying_key().to_bytes().to_vec(), signature }
    }
}

/// One authority's Ed25519 signature over [`RedactionStatement::to_bytes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthoritySignature {
    /// The authority's public key, 32 bytes.
    #[serde(with = "base64_bytes")]
    pub key: Vec<u8>,
    /// The signature, 64 bytes.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

/// A redaction as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedactionRecord {
    /// What is withheld and why.
    pub statement: RedactionStatement,
    /// Map keys under which the entry stays findable. There is no bound on their number but the record's
    /// length: as one string they take 43 bytes each, so that they fit for every entry whose own bytes name
    /// each of them.
    #[serde(with = "concatenated")]
    pub map_keys: Vec<Hash>,
    /// Signatures of authorities, ascending by key and one for each: as few as are needed stand in the log, since with
    /// more anybody could make other records of one decision by leaving some out.
    pub signatures: Vec<AuthoritySignature>,
}

impl RedactionRecord {
    /// Checks the map keys against their digest, and that at least `threshold` distinct keys of
    /// `authorities` signed the statement. A known authority's bad signature refuses the record.
    ///
    /// # Errors
    /// [`EntryError::KeyListMismatch`], [`EntryError::BadSignature`] or [`EntryError::Threshold`].
    pub fn verify(&self, authorities: &[VerifyingKey], threshold: usize) -> Result<(), EntryError> {
        if key_list_digest(&self.map_keys) != self.statement.key_list_digest {
            return Err(EntryError::KeyListMismatch);
        }
        let message = self.statement.to_bytes();
        let mut signed = Vec::new();
        for line in &self.signatures {
            let Some(key) = authorities.iter().find(|key| key.as_bytes()[..] == line.key[..]) else {
                continue;
            };
            let signature = ed25519_dalek::Signature::from_slice(&line.signature);
            let signature = signature.map_err(|_| EntryError::BadSignature)?;
            key.verify_strict(&message, &signature).map_err(|_| EntryError::BadSignature)?;
            if !signed.contains(&key) {
                signed.push(key);
            }
        }
        // A threshold of nothing would accept everybody's record.
        let required = threshold.max(1);
        if signed.len() < required {
            return Err(EntryError::Threshold { required, actual: signed.len() });
        }
        Ok(())
    }

    /// The record with no more signatures than it needs, in their order: the one form in which a log takes it.
    #[must_use]
    pub fn minimal(mut self, authorities: &[VerifyingKey], threshold: usize) -> Self {
        let known =
            |line: &AuthoritySignature| authorities.iter().any(|key| key.as_bytes()[..] == line.key[..]);
        self.signatures.retain(known);
        self.signatures.sort_by(|a, b| a.key.cmp(&b.key));
        self.signatures.dedup_by(|a, b| a.key == b.key);
        self.signatures.truncate(threshold.max(1));
        self
    }

    pub(super) fn from_spec(spec: Value) -> Result<Self, EntryError> {
        let record: Self = spec_member(spec, "redaction")?;
        let malformed = |what: &str| Err(EntryError::Malformed(what.to_owned()));
        if record.signatures.len() > 64 {
            return malformed("too many signatures");
        }
        if !record.signatures.is_sorted_by(|a, b| a.key < b.key) {
            return malformed("signatures must be ascending by key, one for each");
        }
        if record.statement.origin.len() > 255 {
            return malformed("origin");
        }
        if let Withholding::Fields(fields) = &record.statement.withheld
            && (fields.is_empty() || !fields.is_sorted_by(|a, b| a < b))
        {
            return malformed("fields must be ascending and at least one");
        }
        Ok(record)
    }

    pub(super) fn to_spec(&self) -> Value {
        to_value("redaction", self)
    }
}

/// Hashes as the base64 of their bytes one after the other.
mod concatenated {
    use super::{Hash, base64_bytes};
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        base64_bytes::serialize(&hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let bytes = base64_bytes::deserialize(deserializer)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(D::Error::custom("not a number of whole hashes"));
        }
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::entry::{Entry, MAX_BODY};

    fn record(keys: u16, signatures: u8) -> Entry {
        let map_keys: Vec<Hash> = (0..keys).map(|key| Hash::of(&[&key.to_be_bytes()])).collect();
        let statement = RedactionStatement {
            origin: "o".repeat(255),
            index: u64::MAX,
            leaf_hash: Hash([0xff; 32]),
            withheld: Withholding::WholeBody,
            key_list_digest: key_list_digest(&map_keys),
            reason: ReasonCode::UnlawfulContent,
            time: u64::MAX,
            certificate_record: Some(u64::MAX),
        };
        let mut signatures: Vec<_> =
            (1..=signatures).map(|seed| statement.sign(&SigningKey::from_bytes(&[seed; 32]))).collect();
        signatures.sort_by(|a, b| a.key.cmp(&b.key));
        Entry::Redaction(RedactionRecord { statement, map_keys, signatures })
    }

    /// A certificate inside a body of 65,535 bytes has less than 49,152 bytes, and a label or sealed claim
    /// that is there takes at least 33 of them for each key: a claim 34, a label 53.
    #[test]
    fn the_keys_of_the_largest_entry_fit_into_one_record() {
        let full = record(49_152 / 33, 8);
        assert!(full.body().len() <= MAX_BODY, "{}", full.body().len());
        assert_eq!(Entry::parse(&full.body()).unwrap(), full);
    }

    /// What anybody could make of a record that is published: none of it is another record that a log takes.
    #[test]
    fn of_a_record_there_is_one_form() {
        let Entry::Redaction(whole) = record(1, 3) else { unreachable!("it was just made") };
        let keys = |record: &RedactionRecord| -> Vec<VerifyingKey> {
            record.signatures.iter().map(|line| line.key[..].try_into().unwrap()).collect()
        };
        let authorities = keys(&whole);
        let least = whole.clone().minimal(&authorities, 2);
        assert_eq!(least.signatures, whole.signatures[..2]);
        least.verify(&authorities, 2).unwrap();
        let form = |change: &dyn Fn(&mut RedactionRecord)| {
            let mut record = whole.clone();
            change(&mut record);
            let same = record.clone().minimal(&authorities, 2) == record;
            (same, Entry::parse(&Entry::Redaction(record).body()).is_ok())
        };
        assert_eq!(form(&|record| record.signatures.truncate(2)), (true, true));
        assert_eq!(form(&|_| {}), (false, true), "more than it needs");
        assert_eq!(form(&|record| record.signatures.swap(0, 1)), (false, false));
        assert_eq!(form(&|record| record.signatures[1] = record.signatures[0].clone()), (false, false));
        let stranger = whole.statement.sign(&SigningKey::from_bytes(&[9; 32]));
        assert!(!form(&|record| record.signatures = vec![stranger.clone()]).0);
    }

    /// The certificate's record is signed with the rest.
    #[test]
    fn nobody_but_the_authorities_says_where_the_certificate_is_redacted() {
        let Entry::Redaction(mut record) = record(1, 1) else { unreachable!("it was just made") };
        let authority = SigningKey::from_bytes(&[1; 32]).verifying_key();
        record.verify(&[authority], 1).unwrap();
        for other in [None, Some(7)] {
            record.statement.certificate_record = other;
            assert_eq!(record.verify(&[authority], 1).unwrap_err().reason(), "entry-bad-signature");
        }
    }

    #[test]
    fn map_keys_are_whole_hashes() {
        let body = String::from_utf8(record(1, 1).body()).unwrap();
        let key = Hash::of(&[&0u16.to_be_bytes()]).to_base64();
        let cut = body.replace(&format!("\"mapKeys\":\"{key}\""), "\"mapKeys\":\"AAAA\"");
        assert_ne!(cut, body);
        assert_eq!(Entry::parse(cut.as_bytes()).unwrap_err().reason(), "entry-malformed");
    }
}
