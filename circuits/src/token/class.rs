//! Classes: one circuit each, chosen by the length of what the issuer signed and of the modulus it signed under.

pub use crate::gadgets::rsa::Size as ModulusSize;

use std::fmt;

/// The longest signing input that a circuit of this class takes, in bytes before the padding of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeClass {
    /// 768 bytes.
    B768,
    /// 1,024 bytes.
    B1024,
    /// 1,536 bytes.
    B1536,
    /// 2,048 bytes.
    B2048,
    /// 2,560 bytes: tokens of CI services have that many.
    B2560,
}

impl SizeClass {
    /// Every class, smallest first.
    pub const ALL: [SizeClass; 5] = [Self::B768, Self::B1024, Self::B1536, Self::B2048, Self::B2560];

    /// The smallest class that takes a signing input of this length; `None` above 2,560 bytes.
    #[must_use]
    pub fn of(signing_input_bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|class| signing_input_bytes <= class.bytes())
    }

    /// The class named by its number of bytes.
    #[must_use]
    pub fn from_bytes(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.bytes() == bytes)
    }

    /// Most bytes of signing input.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::B768 => 768,
            Self::B1024 => 1024,
            Self::B1536 => 1536,
            Self::B2048 => 2048,
            Self::B2560 => 2560,
        }
    }

    /// Blocks of SHA-256 that hold the longest signing input, its padding and its length.
    #[must_use]
    pub const fn blocks(self) -> usize {
        (self.bytes() + 9).div_ceil(64)
    }

    /// Bytes that so many characters decode to: at least as many as the claims' automaton has positions.
    #[must_use]
    pub const fn decoded_bytes(self) -> usize {
        self.bytes() / 4 * 3
    }
}

/// A circuit of the statement: tokens of a size class, signed under a modulus of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// How long what is signed may be.
    pub size: SizeClass,
    /// How long the issuer's modulus is.
    pub modulus: ModulusSize,
}

impl Class {
    /// Every class, by modulus and then by size.
    pub const ALL: [Class; SizeClass::ALL.len() * ModulusSize::ALL.len()] = {
        let mut all = [Self::rsa2048(SizeClass::B768); SizeClass::ALL.len() * ModulusSize::ALL.len()];
        let mut i = 0;
        while i < all.len() {
            let size = SizeClass::ALL[i % SizeClass::ALL.len()];
            all[i] = Self { size, modulus: ModulusSize::ALL[i / SizeClass::ALL.len()] };
            i += 1;
        }
        all
    };

    /// The class for tokens of this size under a modulus of 2,048 bits, which most issuers have.
    #[must_use]
    pub const fn rsa2048(size: SizeClass) -> Self {
        Self { size, modulus: ModulusSize::Rsa2048 }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes under RSA-{}", self.size.bytes(), self.modulus.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_class_that_fits() {
        assert_eq!(SizeClass::of(1), Some(SizeClass::B768));
        assert_eq!(SizeClass::of(768), Some(SizeClass::B768));
        assert_eq!(SizeClass::of(769), Some(SizeClass::B1024));
        assert_eq!(SizeClass::of(2048), Some(SizeClass::B2048));
        assert_eq!(SizeClass::of(2049), Some(SizeClass::B2560));
        assert_eq!(SizeClass::of(2560), Some(SizeClass::B2560));
        assert_eq!(SizeClass::of(2561), None);
        assert_eq!(SizeClass::from_bytes(1536), Some(SizeClass::B1536));
        assert_eq!(SizeClass::from_bytes(1535), None);
    }

    /// What `gadgets::strings` and `gadgets::json` count fits their fields: quotes, depth and escapes have 11 bits.
    #[test]
    fn no_payload_has_more_positions_than_can_be_counted() {
        assert!(SizeClass::ALL.into_iter().all(|class| class.decoded_bytes() < 1 << 11));
    }

    #[test]
    fn every_class_is_listed_once() {
        let distinct: std::collections::BTreeSet<_> = Class::ALL.into_iter().collect();
        assert_eq!(distinct.len(), 15);
        assert_eq!(ModulusSize::from_bits(3072), Some(ModulusSize::Rsa3072));
        assert_eq!(ModulusSize::from_bits(1024), None);
    }
}
