//! Long integers as limbs of 21 bits, the lowest first.

use ark_ff::{BigInteger, PrimeField};
use num_bigint::{BigInt, BigUint, Sign};

use super::layout::{LIMB_BITS, Width};
use crate::Fr;
use crate::gadgets::bits::{Bit, pack};
use crate::r1cs::{Cs, Num};

/// Numbers whose sum, each times 2^(21·index), is meant; ranges are what rows force.
pub(super) struct Integer<N> {
    limbs: Vec<N>,
}

impl<N: Num> Integer<N> {
    /// An integer of these limbs.
    pub(super) fn of_limbs(limbs: Vec<N>) -> Self {
        Self { limbs }
    }

    /// The limbs.
    pub(super) fn limbs(&self) -> &[N] {
        &self.limbs
    }

    /// Forces every limb into its range, and so the integer into that of its width; returns all bits, the lowest first,
    /// of what each limb is above its least value. One row for each bit.
    pub(super) fn range_check<C: Cs<Num = N>>(&self, cs: &mut C, width: Width) -> Vec<Bit<N>> {
        let limbs = self.limbs.iter().enumerate();
        let above_least = |i: usize, limb: &N| limb.plus(&N::constant(Fr::from(width.limb_offset(i))));
        limbs.flat_map(|(i, limb)| range_check(cs, &above_least(i, limb), width.limb_bits(i))).collect()
    }
}

/// Forces `value` below 2^bits and returns its bits, the lowest first: `bits` rows.
///
/// Only the higher bits are variables. The lowest is what they leave of the value, `value − Σ 2^i·b_i`, and if that is
/// a bit too, then the value is the number that the bits write.
///
/// # Panics
/// Unless `bits` is from 1 to 253: beyond, a number has two decompositions modulo r.
pub(super) fn range_check<C: Cs>(cs: &mut C, value: &C::Num, bits: usize) -> Vec<Bit<C::Num>> {
    assert!((1..Fr::MODULUS_BIT_SIZE as usize).contains(&bits), "a decomposition this long is not unique");
    let higher = Bit::hint_many(cs, bits - 1, &[value], |v| {
        let number = v[0].into_bigint();
        (1..bits).map(|i| number.get_bit(i)).collect()
    });
    let lowest = value.minus(&pack(&higher).times(Fr::from(2u64)));
    let lowest = Bit::enforced(cs, lowest);
    std::iter::once(lowest).chain(higher).collect()
}

/// The limbs of a number, which is cut where it does not fit.
pub(super) fn limbs_of(width: Width, number: &BigInt) -> Vec<Fr> {
    let top = width.limbs() - 1;
    let least = BigInt::from(width.limb_offset(top)) << (LIMB_BITS * top);
    let above_least = (number + least).to_biguint().unwrap_or_default();
    let limb = |i: usize| {
        let bits = (0..width.limb_bits(i)).rev();
        let value =
            bits.fold(0u64, |limb, k| limb << 1 | u64::from(above_least.bit((LIMB_BITS * i + k) as u64)));
        Fr::from(value) - Fr::from(width.limb_offset(i))
    };
    (0..=top).map(limb).collect()
}

/// The integer that limbs mean, in range or not; those in the upper half of the field are negative.
pub(super) fn integer_of(limbs: &[Fr]) -> BigInt {
    let horner = |sum: BigInt, limb: &Fr| (sum << LIMB_BITS) + signed(*limb);
    limbs.iter().rev().fold(BigInt::default(), horner)
}

fn signed(limb: Fr) -> BigInt {
    let is_negative = limb.into_bigint() > Fr::MODULUS_MINUS_ONE_DIV_TWO;
    let magnitude = if is_negative { -limb } else { limb };
    let sign = if is_negative { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, BigUint::from(magnitude.into_bigint()))
}
