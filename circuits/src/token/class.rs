//! Size classes: one circuit per class, chosen by the length of what the issuer signed.

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
}

impl SizeClass {
    /// Every class, smallest first.
    pub const ALL: [SizeClass; 4] = [Self::B768, Self::B1024, Self::B1536, Self::B2048];

    /// The smallest class that takes a signing input of this length; `None` above 2,048 bytes.
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
        }
    }

    /// Blocks of SHA-256 that hold the longest signing input, its padding and its length.
    #[must_use]
    pub const fn blocks(self) -> usize {
        (self.bytes() + 9).div_ceil(64)
    }

    /// Bytes that the whole class decodes to: the positions of the claims' automaton.
    #[must_use]
    pub const fn decoded_bytes(self) -> usize {
        self.bytes() / 4 * 3
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
        assert_eq!(SizeClass::of(2049), None);
        assert_eq!(SizeClass::from_bytes(1536), Some(SizeClass::B1536));
        assert_eq!(SizeClass::from_bytes(1535), None);
    }
}
