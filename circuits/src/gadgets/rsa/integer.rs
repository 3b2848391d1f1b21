//! Long integers as limbs of 24 bits, the lowest first.

use ark_ff::{BigInteger, PrimeField};
use num_bigint::BigUint;

use super::layout::{LIMB_BITS, Layout};
use crate::Fr;
use crate::gadgets::bits::{Bit, pack};
use crate::r1cs::{Cs, Num};

/// Numbers whose sum, each times 2^(24·index), is meant; ranges are what rows force.
pub(super) struct Integer<N> {
    limbs: Vec<N>,
}

impl<N: Num> Integer<N> {
    /// An integer of these limbs.
    pub(super) fn of_limbs(limbs: Vec<N>) -> Self {
        Self { limbs }
    }

    /// Allocates the limbs of an integer that the prover reads from bytes, big-endian; their ranges are open.
    pub(super) fn allocate<C: Cs<Num = N>>(cs: &mut C, layout: &Layout, bytes: &[u8]) -> Self {
        Self { limbs: cs.hint_many(layout.limbs, &[], |_| limbs_of(layout, &BigUint::from_bytes_be(bytes))) }
    }

    /// The limbs.
    pub(super) fn limbs(&self) -> &[N] {
        &self.limbs
    }

    /// Forces every limb into its range, and so the integer below 2^bits; returns all bits, the lowest first. One row
    /// for each bit.
    pub(super) fn range_check<C: Cs<Num = N>>(&self, cs: &mut C, layout: &Layout) -> Vec<Bit<N>> {
        let limbs = self.limbs.iter().enumerate();
        limbs.flat_map(|(i, limb)| range_check(cs, limb, layout.limb_bits(i))).collect()
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

/// The limbs of a number, cut to the layout's length.
pub(super) fn limbs_of(layout: &Layout, number: &BigUint) -> Vec<Fr> {
    let mut bytes = number.to_bytes_le();
    bytes.resize(layout.size.bytes(), 0);
    let limb = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |limb, byte| limb << 8 | u64::from(*byte));
    bytes.chunks(LIMB_BITS / 8).map(|bytes| Fr::from(limb(bytes))).collect()
}

/// The integer that limbs mean, in range or not.
pub(super) fn integer_of(limbs: &[Fr]) -> BigUint {
    let horner = |sum: BigUint, limb: &Fr| (sum << LIMB_BITS) + BigUint::from(limb.into_bigint());
    limbs.iter().rev().fold(BigUint::default(), horner)
}
