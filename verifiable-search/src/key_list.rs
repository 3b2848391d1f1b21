//! The key list of one entry: what the rule made of it, as the output log commits to it.
//!
//! ```text
//! descriptor = "sigveil-entry/v1" (16) ‖ rule version (u16) ‖ 0 (u16) ‖ flags (u32) ‖ notBefore (u64)
//! key list   = descriptor, then the map keys, ascending, each once
//! digest     = SHA-256("sigveil-key-list/v1\n" ‖ u32 count ‖ elements of 32 bytes)
//! ```
//!
//! A redaction record carries the list as its map keys. The descriptor travels in front because flags and
//! notBefore cannot be recomputed once the body is gone, and the epoch lists of protocol.md §8 need both.

use crate::key::MapKey;
use crate::rule::RULE_VERSION;
use sigveil_log::entry::key_list_digest;
use sigveil_log::hash::Hash;
use std::ops::{BitOr, BitOrAssign};

const DESCRIPTOR: &[u8; 16] = b"sigveil-entry/v1";

/// Conditions that the rule does not demand and an entry's certificate fails (protocol.md §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Nothing to remark; also for entries without a certificate.
    pub const NONE: Self = Self(0);
    /// The certificate's structure could not be walked, or bytes follow it.
    pub const MALFORMED: Self = Self(1);
    /// Not exactly one subject alternative name.
    pub const NAME_COUNT: Self = Self(2);
    /// A name that is no URI, or no label in its canonical form.
    pub const NOT_CANONICAL: Self = Self(4);
    /// notAfter is not notBefore + 600 s.
    pub const VALIDITY: Self = Self(8);
    /// Not exactly one list of SCTs.
    pub const SCT: Self = Self(16);
    /// No known CA signed the certificate.
    pub const UNTRUSTED: Self = Self(32);
    const ALL: u32 = 63;

    /// True when every flag of `other` is set here.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A key list that is not in its one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key list is malformed")]
pub struct KeyListError;

impl KeyListError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        "key-list-malformed"
    }
}

/// What the rule made of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryKeys {
    flags: Flags,
    not_before: u64,
    keys: Vec<MapKey>,
}

impl EntryKeys {
    /// Keys of an entry, put in order, each once.
    pub fn new(flags: Flags, not_before: u64, mut keys: Vec<MapKey>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Self { flags, not_before, keys }
    }

    /// Of an entry of a kind that is not searched for.
    pub fn none() -> Self {
        Self::new(Flags::NONE, 0, Vec::new())
    }

    /// The map keys, ascending.
    pub fn keys(&self) -> &[MapKey] {
        &self.keys
    }

    /// What the certificate fails.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// notBefore of the certificate, Unix seconds; 0 where there is none.
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The list as a redaction record carries it: descriptor, then keys.
    pub fn elements(&self) -> Vec<Hash> {
        let mut descriptor = [0; 32];
        descriptor[..16].copy_from_slice(DESCRIPTOR);
        descriptor[16..18].copy_from_slice(&RULE_VERSION.to_be_bytes());
        descriptor[20..24].copy_from_slice(&self.flags.0.to_be_bytes());
        descriptor[24..].copy_from_slice(&self.not_before.to_be_bytes());
        std::iter::once(Hash(descriptor)).chain(self.keys.iter().map(|key| Hash(*key.as_bytes()))).collect()
    }

    /// Reads [`EntryKeys::elements`].
    ///
    /// # Errors
    /// [`KeyListError`] for anything that it would not write.
    pub fn from_elements(elements: &[Hash]) -> Result<Self, KeyListError> {
        let (Hash(descriptor), keys) = elements.split_first().ok_or(KeyListError)?;
        let mut flags = [0; 4];
        flags.copy_from_slice(&descriptor[20..24]);
        let mut not_before = [0; 8];
        not_before.copy_from_slice(&descriptor[24..]);
        let keys = keys.iter().map(|key| MapKey::from_bytes(key.0)).collect();
        let list = Self::new(Flags(u32::from_be_bytes(flags)), u64::from_be_bytes(not_before), keys);
        if list.flags.0 <= Flags::ALL && list.elements() == elements { Ok(list) } else { Err(KeyListError) }
    }

    /// The digest that the output log commits to.
    pub fn digest(&self) -> Hash {
        key_list_digest(&self.elements())
    }
}
