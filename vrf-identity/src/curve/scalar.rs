//! Integers modulo l.

use ark_ed_on_bn254::Fr as Residue;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::Fr;
use crate::field::{limbs_from_bytes, limbs_to_bytes};

/// Bits of l, and so of every scalar.
pub const SCALAR_BITS: usize = 251;
/// Bytes of a scalar on the wire, big-endian.
pub const SCALAR_BYTES: usize = 32;

/// Why bytes are no scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScalarError {
    /// Not exactly 32 bytes.
    #[error("a scalar has 32 bytes, these are {0}")]
    Length(usize),
    /// The number is not below l.
    #[error("the number is not below the subgroup's order")]
    NotReduced,
}

impl ScalarError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Length(_) => "scalar-length",
            Self::NotReduced => "scalar-not-reduced",
        }
    }
}

/// An integer modulo l. It may be a secret: it has no `Debug`, and its owners zeroize it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scalar(Residue);

impl Scalar {
    /// Zero.
    pub const ZERO: Self = Self(Residue::ZERO);

    /// Reads 32 big-endian bytes of a number below l.
    ///
    /// # Errors
    /// [`ScalarError::Length`] for another length, [`ScalarError::NotReduced`] for a number not below l.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ScalarError> {
        let bytes: &[u8; SCALAR_BYTES] = bytes.try_into().map_err(|_| ScalarError::Length(bytes.len()))?;
        Residue::from_bigint(limbs_from_bytes(bytes)).map(Self).ok_or(ScalarError::NotReduced)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SCALAR_BYTES] {
        limbs_to_bytes(&self.0.into_bigint())
    }

    /// 64 uniform bytes modulo l, big-endian: a uniform scalar, up to 2^-260.
    #[must_use]
    pub fn from_wide_bytes(bytes: &[u8; 64]) -> Self {
        let radix = Residue::from(1u128 << 64).square();
        let mut sum = Residue::ZERO;
        for chunk in bytes.chunks_exact(16) {
            let limb = chunk.iter().fold(0u128, |limb, byte| limb << 8 | u128::from(*byte));
            sum = sum * radix + Residue::from(limb);
        }
        Self(sum)
    }

    /// A field element's number modulo l. A uniform element gives a uniform scalar up to 2^-123, since r = 8·l + ε.
    #[must_use]
    pub fn from_field(element: &Fr) -> Self {
        let mut wide = [0; 64];
        wide[32..].copy_from_slice(&crate::field::to_bytes(element));
        Self::from_wide_bytes(&wide)
    }

    /// A random scalar other than zero.
    pub fn random_nonzero(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        loop {
            rng.fill_bytes(&mut *wide);
            let scalar = Self::from_wide_bytes(&wide);
            if !scalar.is_zero() {
                return scalar;
            }
        }
    }

    /// The number's bits, the lowest first; those of every circuit that multiplies by a scalar.
    #[must_use]
    pub fn bits(&self) -> [bool; SCALAR_BITS] {
        let limbs = self.0.into_bigint();
        std::array::from_fn(|i| limbs.get_bit(i))
    }

    /// The number as an element of the curve's base field: l < r, so nothing is lost.
    #[must_use]
    pub fn to_field(&self) -> Fr {
        Fr::from_bigint(self.0.into_bigint()).expect("l is below r")
    }

    /// Whether this is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// `self + factor·other`.
    #[must_use]
    pub fn plus_product(&self, factor: &Self, other: &Self) -> Self {
        Self(self.0 + factor.0 * other.0)
    }

    /// `−self`.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self(-self.0)
    }

    /// The inverse, or `None` for zero: the power l − 2, so the same steps for every scalar.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let mut exponent = Residue::MODULUS;
        exponent.sub_with_borrow(&2u64.into());
        (!self.is_zero()).then(|| Self(self.0.pow(exponent)))
    }

    /// The number's 64-bit limbs, the lowest first.
    pub(super) fn limbs(&self) -> [u64; 4] {
        self.0.into_bigint().0
    }
}

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use ark_ff::BigInt;
    use proptest::prelude::*;

    #[test]
    fn order_is_refused_and_its_predecessor_accepted() {
        let order = limbs_to_bytes(&Residue::MODULUS);
        assert!(Scalar::from_bytes(&order) == Err(ScalarError::NotReduced));
        let mut below = order;
        below[31] -= 1;
        let minus_one = Scalar::from_bytes(&below).unwrap();
        assert!(minus_one == Scalar(-Residue::from(1u64)));
        assert_eq!(minus_one.to_bytes(), below);
        assert!(Scalar::from_bytes(&below[1..]) == Err(ScalarError::Length(31)));
    }

    #[test]
    fn bits_are_those_of_the_order() {
        assert_eq!(Residue::MODULUS_BIT_SIZE as usize, SCALAR_BITS);
        let mut bytes = [0; 32];
        bytes[0] = 4; // 2^250
        bytes[31] = 1;
        let bits = Scalar::from_bytes(&bytes).unwrap().bits();
        assert!(bits[0] && bits[250]);
        assert_eq!(bits.iter().filter(|bit| **bit).count(), 2);
    }

    #[test]
    fn field_elements_wrap_at_l() {
        let order = Fr::from_bigint(Residue::MODULUS).unwrap();
        assert!(Scalar::from_field(&order).is_zero());
        assert!(Scalar::from_field(&(order + Fr::from(5u64))) == Scalar(Residue::from(5u64)));
    }

    proptest! {
        #[test]
        fn wide_reduction_is_the_residue(bytes in prop::collection::vec(any::<u8>(), 64)) {
            let wide: [u8; 64] = bytes.try_into().unwrap();
            prop_assert!(Scalar::from_wide_bytes(&wide) == Scalar(Residue::from_be_bytes_mod_order(&wide)));
        }

        #[test]
        fn inverse_is_the_residues(bytes in prop::collection::vec(any::<u8>(), 64)) {
            let scalar = Scalar::from_wide_bytes(&bytes.try_into().unwrap());
            prop_assert!(scalar.inverse() == scalar.0.inverse().map(Scalar));
            prop_assert!(Scalar::ZERO.inverse().is_none());
        }

        #[test]
        fn field_and_bytes_agree(low: u64, high in 0u64..1 << 58) {
            let number = BigInt::new([low, 0, 0, high]);
            if let Some(residue) = Residue::from_bigint(number) {
                let scalar = Scalar(residue);
                prop_assert_eq!(crate::field::to_bytes(&scalar.to_field()), scalar.to_bytes());
            }
        }
    }
}
