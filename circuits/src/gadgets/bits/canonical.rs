//! The bits of the number below r that a field element is.

use ark_ff::{BigInteger, Field, PrimeField};

use super::{Bit, pack};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bits of a field element.
const BITS: usize = Fr::MODULUS_BIT_SIZE as usize;

/// The 254 bits of the one number below r that `value` is, the lowest first.
///
/// Without the comparison a value below 2^254 − r had a second decomposition, value + r, whose parity is the other.
/// 256 rows, and one for each further bit set in r − 1.
pub fn canonical<C: Cs>(cs: &mut C, value: &C::Num) -> Vec<Bit<C::Num>> {
    cs.family("canonical-bits", |cs| {
        let digits = cs.hint_many(BITS, &[value], |v| {
            let number = v[0].into_bigint();
            (0..BITS).map(|i| Fr::from(number.get_bit(i))).collect()
        });
        // Forced to be bits by the comparison.
        let bits: Vec<_> = digits.into_iter().map(Bit::forced_elsewhere).collect();
        cs.equal(&pack(&bits), value);
        at_most_largest(cs, &bits);
        bits
    })
}

/// Enforces that bits are bits, and that their number is at most r − 1.
///
/// `equal_so_far` is one while every bit above equals that of r − 1. There, where r − 1 has a zero, the bit must be
/// zero; else it need only be a bit: (1 − equal_so_far − bit)·bit = 0 says both.
fn at_most_largest<C: Cs>(cs: &mut C, bits: &[Bit<C::Num>]) {
    let largest = (-Fr::ONE).into_bigint();
    let mut equal_so_far: Option<Bit<C::Num>> = None;
    for (i, bit) in bits.iter().enumerate().rev() {
        if largest.get_bit(i) {
            let bit = Bit::enforced(cs, bit.num().clone());
            equal_so_far = Some(match equal_so_far {
                None => bit,
                Some(so_far) => so_far.and(cs, &bit),
            });
        } else {
            let so_far = equal_so_far.as_ref().expect("the highest bit of r is one").num();
            cs.enforce(&so_far.plus(bit.num()).not(), bit.num(), &C::Num::zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::{Assignment, Shape};

    fn circuit<C: Cs>(cs: &mut C, value: Fr) -> Vec<Bit<C::Num>> {
        let value = cs.hint(&[], |_| value);
        canonical(cs, &value)
    }

    /// Decomposes `value` as the bits of the 254-bit `number`.
    fn holds(value: Fr, number: <Fr as PrimeField>::BigInt) -> bool {
        let decompose = move |_: &str, at: usize, honest| match at {
            1..=BITS => Fr::from(number.get_bit(at - 1)),
            _ => honest,
        };
        Assignment::tampered(decompose, |cs| {
            circuit(cs, value);
        })
        .is_satisfied()
    }

    #[test]
    fn bits_are_those_of_the_number() {
        for value in [Fr::from(0u64), Fr::ONE, Fr::from(u64::MAX).square(), -Fr::ONE, -Fr::from(1u64 << 40)] {
            let mut bits = Vec::new();
            let values = Assignment::of(|cs| bits = circuit(cs, value));
            assert!(values.is_satisfied());
            let number = value.into_bigint();
            assert!(bits.iter().enumerate().all(|(i, bit)| *bit.num() == Fr::from(number.get_bit(i))));
        }
    }

    #[test]
    fn a_number_from_r_on_is_refused() {
        for small in [0u64, 1, 5, u64::MAX] {
            let value = Fr::from(small);
            let mut aliased = value.into_bigint();
            assert!(!aliased.add_with_carry(&Fr::MODULUS));
            assert!(aliased.num_bits() as usize <= BITS);
            assert!(!holds(value, aliased), "{small} + r");
        }
    }

    #[test]
    fn what_is_no_bit_is_refused() {
        // Two in a place and one less in the next: the sum is right.
        for place in 0..BITS - 1 {
            let tamper = move |_: &str, at: usize, honest| match at {
                _ if at == place + 1 => Fr::from(2u64),
                _ if at == place + 2 => Fr::from(0u64),
                _ => honest,
            };
            let value = Fr::from(2u64).pow([place as u64 + 1]);
            let values = Assignment::tampered(tamper, |cs| {
                circuit(cs, value);
            });
            assert!(!values.is_satisfied(), "place {place}");
        }
    }

    #[test]
    fn each_row_of_the_comparison_is_needed_or_a_bit() {
        let shape = Shape::of(|cs| {
            circuit(cs, Fr::ONE);
        });
        let ones = (0..BITS).filter(|i| (-Fr::ONE).into_bigint().get_bit(*i)).count();
        assert_eq!(shape.constraints(), 1 + BITS + ones - 1);
    }
}
