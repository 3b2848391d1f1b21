//! Map keys: `SHA-256(kind byte ‖ value)` (protocol.md §8).
//!
//! A key says what was looked for and hides nothing: labels are pseudonymous already, digests and key
//! fingerprints are public in the log. Values of different kinds, or of one kind and different lengths,
//! cannot collide.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// What a map key stands for; the number is the kind byte that is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// A pseudonymous label: its 32 bytes.
    Label = 1,
    /// An artifact's digest, signed under a certificate of a trusted CA.
    SignedDigest = 2,
    /// An artifact's digest, under any key at all: anybody can add entries here.
    AnyDigest = 3,
    /// SHA-256 of the signer's `SubjectPublicKeyInfo`, DER.
    KeyFingerprint = 4,
    /// The digest of one sealed claim of a certificate (protocol.md §6).
    SealedClaim = 5,
}

impl KeyKind {
    /// All kinds, in the order of their bytes.
    pub const ALL: [Self; 5] =
        [Self::Label, Self::SignedDigest, Self::AnyDigest, Self::KeyFingerprint, Self::SealedClaim];

    /// The kind with this byte, if there is one.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A key of the map: 32 bytes that are uniform in all that matters to the trie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapKey([u8; 32]);

impl MapKey {
    /// `SHA-256(kind byte ‖ value)`.
    pub fn new(kind: KeyKind, value: &[u8]) -> Self {
        Self(Sha256::new_with_prefix([kind as u8]).chain_update(value).finalize().into())
    }

    /// The key of a label's 32 bytes.
    pub fn label(label: &[u8; 32]) -> Self {
        Self::new(KeyKind::Label, label)
    }

    /// A key as received: any 32 bytes are one.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Bit `index` (0 is the most significant bit of the first byte).
    pub(crate) fn bit(&self, index: u8) -> bool {
        self.0[usize::from(index / 8)] >> (7 - index % 8) & 1 == 1
    }

    /// Index of the first bit in which the two keys differ; `None` when they are equal.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<u8> {
        let byte = self.0.iter().zip(&other.0).position(|(a, b)| a != b)?;
        let bit = (self.0[byte] ^ other.0[byte]).leading_zeros() as usize;
        Some((byte * 8 + bit) as u8)
    }

    /// The first `bits` bits, the rest zero.
    pub(crate) fn prefix(&self, bits: u8) -> Self {
        let mut out = [0; 32];
        let (whole, rest) = (usize::from(bits / 8), bits % 8);
        out[..whole].copy_from_slice(&self.0[..whole]);
        out[whole] = self.0[whole] & !(0xff_u8 >> rest);
        Self(out)
    }
}

impl fmt::Debug for MapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapKey({})", hex::encode(self.0))
    }
}

impl fmt::Display for MapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn key_is_the_hash_of_kind_and_value() {
        // printf '\x01abc' | sha256sum
        let expected = "1e18834c426d00e57788444cb3ccd62c771b420c095bb0c4e040a8c122c4570d";
        let key = MapKey::new(KeyKind::Label, b"abc");
        assert_eq!(key.to_string(), expected);
        assert_ne!(key, MapKey::new(KeyKind::SignedDigest, b"abc"));
        assert_eq!(KeyKind::from_byte(0), None);
        assert_eq!(KeyKind::from_byte(6), None);
    }

    proptest! {
        #[test]
        fn bits_prefixes_and_differences_agree(a: [u8; 32], b: [u8; 32], bits: u8) {
            let (a, b) = (MapKey(a), MapKey(b));
            if let Some(at) = a.first_difference(&b) {
                prop_assert_ne!(a.bit(at), b.bit(at));
                prop_assert_eq!(a.prefix(at), b.prefix(at));
            }
            let prefix = a.prefix(bits);
            for i in 0..=255u8 {
                prop_assert_eq!(prefix.bit(i), i < bits && a.bit(i));
            }
        }
    }
}
