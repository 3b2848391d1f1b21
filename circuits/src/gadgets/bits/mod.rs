//! Numbers known to be 0 or 1, and what is built of them.

mod canonical;

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};

use super::numbers;
use crate::Fr;
use crate::r1cs::{Cs, Num};

pub use canonical::canonical;

/// A number that rows before it force to be 0 or 1.
#[derive(Clone, Debug)]
pub struct Bit<N>(N);

impl<N: Num> Bit<N> {
    /// A constant.
    pub fn constant(bit: bool) -> Self {
        Self(N::constant(numbers::bit(bit)))
    }

    /// Allocates a bit that the prover chooses: one row.
    pub fn hint<C: Cs<Num = N>>(cs: &mut C, inputs: &[&N], value: impl FnOnce(&[Fr]) -> bool) -> Self {
        let bit = cs.hint(inputs, |v| numbers::bit(value(v)));
        Self::enforced(cs, bit)
    }

    /// Allocates `n` bits that the prover chooses: one row each.
    pub fn hint_many<C: Cs<Num = N>>(
        cs: &mut C,
        n: usize,
        inputs: &[&N],
        values: impl FnOnce(&[Fr]) -> Vec<bool>,
    ) -> Vec<Self> {
        let bits = cs.hint_many(n, inputs, |v| values(v).into_iter().map(numbers::bit).collect());
        bits.into_iter().map(|bit| Self::enforced(cs, bit)).collect()
    }

    /// Enforces that a number is a bit: one row.
    pub fn enforced<C: Cs<Num = N>>(cs: &mut C, number: N) -> Self {
        cs.enforce(&number, &number.not(), &N::zero());
        Self(number)
    }

    /// Takes a number for a bit without a row. The caller says beside the call which rows force it.
    pub fn forced_elsewhere(number: N) -> Self {
        Self(number)
    }

    /// The bit as a number.
    pub fn num(&self) -> &N {
        &self.0
    }

    /// ¬self.
    #[must_use]
    pub fn not(&self) -> Self {
        Self(self.0.not())
    }

    /// self ∧ other: one row.
    #[must_use]
    pub fn and<C: Cs<Num = N>>(&self, cs: &mut C, other: &Self) -> Self {
        Self(cs.product(&self.0, &other.0))
    }

    /// self ∨ other = a + b − a·b: one row.
    #[must_use]
    pub fn or<C: Cs<Num = N>>(&self, cs: &mut C, other: &Self) -> Self {
        let both = cs.product(&self.0, &other.0);
        Self(self.0.plus(&other.0).minus(&both))
    }

    /// self ⊕ other = a + b − 2·a·b: one row.
    #[must_use]
    pub fn xor<C: Cs<Num = N>>(&self, cs: &mut C, other: &Self) -> Self {
        let out = cs.hint(&[&self.0, &other.0], |v| v[0] + v[1] - (v[0] * v[1]).double());
        let sum = self.0.plus(&other.0);
        cs.enforce(&self.0.times(numbers::small(2)), &other.0, &sum.minus(&out));
        Self(out)
    }

    /// `if self { one } else { zero }`: one row.
    pub fn select<C: Cs<Num = N>>(&self, cs: &mut C, one: &N, zero: &N) -> N {
        let difference = one.minus(zero);
        let out = cs.hint(&[&self.0, one, zero], |v| if v[0].is_zero() { v[2] } else { v[1] });
        cs.enforce(&self.0, &difference, &out.minus(zero));
        out
    }
}

/// The number whose binary digits are `bits`, the lowest first: a linear form.
pub fn pack<'a, N: Num + 'a>(bits: impl IntoIterator<Item = &'a Bit<N>>) -> N {
    let mut out = N::zero();
    let mut weight = Fr::ONE;
    for bit in bits {
        out.add_scaled(&bit.0, weight);
        weight.double_in_place();
    }
    out
}

/// The `n` lowest binary digits of `value`, the lowest first; enforces `value < 2^n`: `n + 1` rows.
///
/// # Panics
/// Unless `n < 254`: from there on a number has two decompositions modulo r; see [`canonical`].
pub fn decompose<C: Cs>(cs: &mut C, value: &C::Num, n: usize) -> Vec<Bit<C::Num>> {
    assert!(n < Fr::MODULUS_BIT_SIZE as usize, "a decomposition this long is not unique");
    let bits = Bit::hint_many(cs, n, &[value], |v| {
        let number = v[0].into_bigint();
        (0..n).map(|i| number.get_bit(i)).collect()
    });
    cs.equal(&pack(&bits), value);
    bits
}

/// Whether `value` is zero: two rows.
///
/// With out = 1 − value·inverse and value·out = 0: a value other than zero forces out = 0, zero forces out = 1.
pub fn is_zero<C: Cs>(cs: &mut C, value: &C::Num) -> Bit<C::Num> {
    let inverse = cs.hint(&[value], |v| v[0].inverse().unwrap_or(Fr::ZERO));
    let out = cs.hint(&[value], |v| Fr::from(v[0].is_zero()));
    cs.enforce(value, &inverse, &out.not());
    cs.enforce(value, &out, &C::Num::zero());
    Bit(out)
}

/// Enforces that `value` is not zero: one row.
pub fn enforce_not_zero<C: Cs>(cs: &mut C, value: &C::Num) {
    let inverse = cs.hint(&[value], |v| v[0].inverse().unwrap_or(Fr::ZERO));
    cs.enforce(value, &inverse, &C::Num::one());
}

/// Whether `value` is this constant: two rows.
pub fn is<C: Cs>(cs: &mut C, value: &C::Num, constant: u64) -> Bit<C::Num> {
    is_zero(cs, &value.minus(&C::Num::constant(Fr::from(constant))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    fn number<C: Cs>(cs: &mut C, value: u64) -> C::Num {
        cs.hint(&[], |_| Fr::from(value))
    }

    #[test]
    fn gates_have_their_truth_tables() {
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let values = Assignment::of(|cs| {
                let (x, y) = (Bit::hint(cs, &[], |_| a), Bit::hint(cs, &[], |_| b));
                assert_eq!(*x.and(cs, &y).num(), Fr::from(a && b));
                assert_eq!(*x.or(cs, &y).num(), Fr::from(a || b));
                assert_eq!(*x.xor(cs, &y).num(), Fr::from(a != b));
                assert_eq!(*x.not().num(), Fr::from(!a));
                let (one, zero) = (number(cs, 7), number(cs, 9));
                assert_eq!(x.select(cs, &one, &zero), Fr::from(if a { 7u64 } else { 9 }));
            });
            assert!(values.is_satisfied());
        }
    }

    #[test]
    fn every_hint_is_forced() {
        // Whichever single value a prover changes, a row fails: the outputs are functions of the inputs.
        let circuit = |cs: &mut Assignment| {
            let (x, y) = (Bit::constant(true), Bit::constant(false));
            let _ = (x.and(cs, &y), x.or(cs, &y), x.xor(cs, &y));
            let five = Fr::from(5u64);
            x.select(cs, &five, &Fr::from(6u64));
            is(cs, &five, 5);
            is(cs, &five, 4);
            decompose(cs, &five, 8);
        };
        let hints = Assignment::of(circuit).full().len() - 1;
        // The inverse of zero is free, and nothing depends on it: the first of the two hints of `is(5, 5)`.
        for at in (0..hints).filter(|at| *at != 4) {
            let values = Assignment::tampered(move |_, i, v| if i == at { v + Fr::ONE } else { v }, circuit);
            assert!(!values.is_satisfied(), "hint {at} is free");
        }
    }

    #[test]
    fn a_number_too_large_has_no_decomposition() {
        for (value, n, holds) in [(255, 8, true), (256, 8, false), (0, 0, true), (1, 0, false)] {
            let values = Assignment::of(|cs| {
                let x = number(cs, value);
                decompose(cs, &x, n);
            });
            assert_eq!(values.is_satisfied(), holds, "{value} in {n} bits");
        }
    }

    #[test]
    fn what_is_no_bit_is_refused() {
        let values = Assignment::of(|cs| {
            let two = number(cs, 2);
            Bit::enforced(cs, two);
        });
        assert!(!values.is_satisfied());
    }
}
