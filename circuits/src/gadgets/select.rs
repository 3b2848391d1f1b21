//! Where things are: cuts, shifts and tests that hold only where they are asked for.

use ark_ff::{AdditiveGroup, Field, PrimeField};

use crate::Fr;
use crate::r1cs::{Cs, Num};

/// One cut of the positions 0..=n: the flags before it are one, those from it on zero.
pub struct Cut<N> {
    before: Vec<N>,
    at: N,
}

impl<N: Num> Cut<N> {
    /// A cut at the number `at`, which is thereby forced to be one of 0, …, n: n + 1 rows.
    ///
    /// With the flag before the first one and that behind the last zero, `(before[k−1] − before[k])·(at − k) = 0` lets the
    /// flags change at k = at only. `at` is a number and never a sum of the flags, so it cannot wrap around.
    pub fn new<C: Cs<Num = N>>(cs: &mut C, n: usize, at: &N) -> Self {
        Self::with_steps(cs, n, at, |_| true)
    }

    /// As [`Cut::new`], but the cut may lie only where `allowed`; n is always allowed.
    pub fn with_steps<C: Cs<Num = N>>(cs: &mut C, n: usize, at: &N, allowed: impl Fn(usize) -> bool) -> Self {
        let mut before: Vec<N> = Vec::with_capacity(n);
        let mut last = N::one();
        for k in 0..=n {
            if k < n && !allowed(k) {
                before.push(last.clone());
                continue;
            }
            let next = if k < n { cs.hint(&[at], |v| Fr::from(is_below(k, &v[0]))) } else { N::zero() };
            let distance = at.minus(&N::constant(Fr::from(k as u64)));
            cs.enforce(&last.minus(&next), &distance, &N::zero());
            last = next.clone();
            before.push(next);
        }
        before.truncate(n);
        Self { before, at: at.clone() }
    }

    /// Where the cut is.
    pub fn at(&self) -> &N {
        &self.at
    }

    /// Whether position k lies before the cut; zero beyond n.
    pub fn is_before(&self, k: usize) -> N {
        self.before.get(k).cloned().unwrap_or_else(N::zero)
    }

    /// Whether the cut is at k: one for exactly one k of 0..=n.
    pub fn is_at(&self, k: usize) -> N {
        let previous = k.checked_sub(1).map_or_else(N::one, |k| self.is_before(k));
        previous.minus(&self.is_before(k))
    }
}

fn is_below(k: usize, at: &Fr) -> bool {
    at.into_bigint() > Fr::from(k as u64).into_bigint()
}

/// `gate ∧ [x = 0]` for a bit `gate`: two rows.
///
/// x·m = 0 and x·inverse = gate − m: where x is zero m = gate, elsewhere m = 0 and the inverse makes good.
pub fn zero_where<C: Cs>(cs: &mut C, x: &C::Num, gate: &C::Num) -> C::Num {
    let m = cs.hint(&[x, gate], |v| if v[0] == Fr::ZERO { v[1] } else { Fr::ZERO });
    let inverse = cs.hint(&[x, gate], |v| if v[1] == Fr::ZERO { Fr::ZERO } else { inverse(v[0]) * v[1] });
    cs.enforce(x, &m, &C::Num::zero());
    cs.enforce(x, &inverse, &gate.minus(&m));
    m
}

/// Enforces x ≠ 0 where the bit `gate` is one: one row.
pub fn nonzero_where<C: Cs>(cs: &mut C, x: &C::Num, gate: &C::Num) {
    let inverse = cs.hint(&[x, gate], |v| inverse(v[0]) * v[1]);
    cs.enforce(x, &inverse, gate);
}

/// 1/x, and 0 for 0.
fn inverse(x: Fr) -> Fr {
    x.inverse().unwrap_or(Fr::ZERO)
}

/// Enforces a = b where `gate` is not zero: one row.
pub fn equal_where<C: Cs>(cs: &mut C, gate: &C::Num, a: &C::Num, b: &C::Num) {
    cs.enforce(gate, &a.minus(b), &C::Num::zero());
}

/// Allocates the `n` bits of a number that only the prover knows, lowest first: n rows.
pub fn bits_of<C: Cs>(cs: &mut C, n: usize, number: u64) -> Vec<C::Num> {
    let bits = cs.hint_many(n, &[], |_| (0..n).map(|i| Fr::from(number >> i & 1)).collect());
    for bit in &bits {
        cs.enforce(bit, &bit.not(), &C::Num::zero());
    }
    bits
}

/// Enforces 0 ≤ x < 2^n, n < 254: n + 1 rows.
pub fn range<C: Cs>(cs: &mut C, n: usize, x: &C::Num) -> Vec<C::Num> {
    let bits = cs.hint_many(n, &[x], |v| {
        use ark_ff::BigInteger;
        let number = v[0].into_bigint();
        (0..n).map(|i| Fr::from(number.get_bit(i))).collect()
    });
    for bit in &bits {
        cs.enforce(bit, &bit.not(), &C::Num::zero());
    }
    let sum = weighted(&bits);
    cs.equal(&sum, x);
    bits
}

/// The number whose bits, lowest first, these are.
pub fn weighted<N: Num>(bits: &[N]) -> N {
    let mut sum = N::zero();
    let mut weight = Fr::ONE;
    for bit in bits {
        sum.add_scaled(bit, weight);
        weight.double_in_place();
    }
    sum
}

/// `taken` elements of `items` from a position on that the prover chooses, zeros beyond the end: the position is
/// nothing but its bits, so there is no number to alias.
///
/// A barrel shifter, largest step first, each step as wide as the steps after it can still reach: per step 2^k at most
/// taken + 2^k − 1 rows.
pub fn window<C: Cs>(cs: &mut C, items: &[C::Num], taken: usize, position: usize) -> Vec<C::Num> {
    let steps = usize::BITS - items.len().saturating_sub(1).leading_zeros();
    let bits = bits_of(cs, steps as usize, position as u64);
    let mut items = items.to_vec();
    for (k, bit) in bits.iter().enumerate().rev() {
        let step = 1 << k;
        let width = items.len().min(taken + step - 1);
        items = (0..width).map(|i| shifted(cs, &items, i, step, bit)).collect();
    }
    items.resize(taken, C::Num::zero());
    items
}

/// `bit ? items[i + step] : items[i]`: one row.
fn shifted<C: Cs>(cs: &mut C, items: &[C::Num], i: usize, step: usize, bit: &C::Num) -> C::Num {
    let Some(far) = items.get(i + step) else {
        return cs.product(&bit.not(), &items[i]);
    };
    let near = &items[i];
    let out = cs.hint(&[bit, near, far], |v| if v[0] == Fr::ZERO { v[1] } else { v[2] });
    let difference = far.minus(near);
    cs.enforce(bit, &difference, &out.minus(near));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;
    use proptest::prelude::*;

    fn number(x: u64) -> Fr {
        Fr::from(x)
    }

    proptest! {
        #[test]
        fn a_window_is_a_slice(length in 1usize..70, taken in 1usize..40, at in 0usize..70) {
            let at = at % length;
            let items: Vec<Fr> = (1..=length as u64).map(number).collect();
            let mut out = Vec::new();
            let values = Assignment::of(|cs| out = window(cs, &items, taken, at));
            prop_assert!(values.is_satisfied());
            let mut expected = items[at..].to_vec();
            expected.resize(taken.max(expected.len()), Fr::ZERO);
            prop_assert_eq!(out, &expected[..taken]);
        }
    }

    #[test]
    fn a_cut_is_where_it_says_and_nowhere_else() {
        for at in 0..=5u64 {
            let values = Assignment::of(|cs| {
                let cut = Cut::new(cs, 5, &number(at));
                for k in 0..=5 {
                    assert_eq!(cut.is_at(k as usize), Fr::from(k == at));
                    assert_eq!(cut.is_before(k as usize), Fr::from(k < at));
                }
            });
            assert!(values.is_satisfied());
        }
    }

    #[test]
    fn no_flags_fit_a_cut_out_of_range() {
        for at in [number(6), -number(1), number(1 << 40)] {
            for flags in 0..32u32 {
                let tamper = move |_: &str, i: usize, _| Fr::from(flags >> i & 1);
                let values = Assignment::tampered(tamper, |cs| drop(Cut::new(cs, 5, &at)));
                assert!(!values.is_satisfied(), "{flags:b}");
            }
        }
    }

    #[test]
    fn no_other_flags_fit_a_cut_in_range() {
        for at in 0..=5u64 {
            for flags in 0..32u32 {
                let tamper = move |_: &str, i: usize, _| Fr::from(flags >> i & 1);
                let values = Assignment::tampered(tamper, |cs| drop(Cut::new(cs, 5, &number(at))));
                assert_eq!(values.is_satisfied(), flags == (1 << at) - 1, "{at} {flags:b}");
            }
        }
    }

    #[test]
    fn a_step_that_is_not_allowed_is_no_cut() {
        for at in 0..=6u64 {
            let values = Assignment::of(|cs| drop(Cut::with_steps(cs, 6, &number(at), |k| k % 4 != 1)));
            assert_eq!(values.is_satisfied(), at % 4 != 1);
        }
    }

    #[test]
    fn gated_tests_hold_where_they_are_asked_for() {
        for (x, gate, expected) in [(0, 1, 1), (0, 0, 0), (7, 1, 0), (7, 0, 0)] {
            let mut m = Fr::ZERO;
            let values = Assignment::of(|cs| m = zero_where(cs, &number(x), &number(gate)));
            assert!(values.is_satisfied());
            assert_eq!(m, number(expected));
            let lie = move |_: &str, i: usize, honest| if i == 0 { number(1 - expected) } else { honest };
            let values = Assignment::tampered(lie, |cs| _ = zero_where(cs, &number(x), &number(gate)));
            assert!(!values.is_satisfied());
        }
        assert!(Assignment::of(|cs| nonzero_where(cs, &number(3), &number(1))).is_satisfied());
        assert!(Assignment::of(|cs| nonzero_where(cs, &number(0), &number(0))).is_satisfied());
        assert!(!Assignment::of(|cs| nonzero_where(cs, &number(0), &number(1))).is_satisfied());
    }

    #[test]
    fn a_range_ends_where_it_says() {
        assert!(Assignment::of(|cs| drop(range(cs, 4, &number(15)))).is_satisfied());
        assert!(!Assignment::of(|cs| drop(range(cs, 4, &number(16)))).is_satisfied());
        assert!(!Assignment::of(|cs| drop(range(cs, 4, &-number(1)))).is_satisfied());
    }
}
