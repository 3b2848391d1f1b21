//! What the prover of a `token` statement knows and nobody else.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::instance::{Binding, BindingSalt, LinkingRandomness, Modulus};
use super::{Class, Compact, ModulusSize, SizeClass};
use crate::Fr;

/// How a witness claims that its token is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Not at all.
    Not,
    /// By its nonce.
    ByNonce,
    /// By its audience.
    ByAudience,
}

impl Zeroize for Bound {
    fn zeroize(&mut self) {
        *self = Self::Not;
    }
}

/// The witness of a `token` statement: the token, ρ_1 and the binding's salt. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Witness {
    pub(crate) signing_input: Vec<u8>,
    pub(crate) header_length: usize,
    pub(crate) payload: Vec<u8>,
    #[zeroize(skip)]
    pub(crate) modulus_size: ModulusSize,
    pub(crate) modulus: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) bound: Bound,
    /// Digest of the configured audience; the circuit reads it only where the token is bound by its audience.
    pub(crate) audience: Fr,
    pub(crate) salt: Fr,
    pub(crate) randomness: Fr,
}

impl Witness {
    /// The witness that a token gives; whether the statement holds for it is not asked here. A signature that is not
    /// as long as the modulus is cut, or filled with zeros, and then is no signature.
    #[must_use]
    pub fn new(
        compact: &Compact,
        modulus: &Modulus,
        audience: Fr,
        binding: &Binding,
        randomness: LinkingRandomness,
    ) -> Self {
        let BindingSalt(salt) = binding.salt();
        let mut signature = compact.signature().to_vec();
        signature.resize(modulus.as_bytes().len(), 0);
        Self {
            signing_input: compact.signing_input().as_bytes().to_vec(),
            header_length: compact.encoded_header().len(),
            payload: compact.payload().to_vec(),
            modulus_size: modulus.size(),
            modulus: modulus.as_bytes().to_vec(),
            signature,
            bound: match binding {
                Binding::Unbound => Bound::Not,
                Binding::Nonce { .. } => Bound::ByNonce,
                Binding::Audience { .. } => Bound::ByAudience,
            },
            audience,
            salt,
            randomness: randomness.0,
        }
    }

    /// Any witness, for whoever only wants the shape.
    pub(crate) fn placeholder() -> Self {
        let zero = Fr::from(0u64);
        Self {
            signing_input: Vec::new(),
            header_length: 0,
            payload: Vec::new(),
            modulus_size: ModulusSize::Rsa2048,
            modulus: Vec::new(),
            signature: Vec::new(),
            bound: Bound::Not,
            audience: zero,
            salt: zero,
            randomness: zero,
        }
    }

    /// The class of circuits that takes this witness.
    #[must_use]
    pub fn class(&self) -> Class {
        let size = SizeClass::of(self.signing_input.len());
        let size = size.expect("a compact token is no longer than the largest class");
        Class { size, modulus: self.modulus_size }
    }
}
