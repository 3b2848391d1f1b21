//! Where things are: cuts, shifts and tests that hold only where they are asked for.

use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};

use super::numbers::{bit, small};
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
            let next = if k < n { cs.hint(&[at], |v| bit(is_below(k, &v[0]))) } else { N::zero() };
            let distance = at.minus(&N::constant(small(k as i64)));
            cs.enforce(&last.minus(&next), &distance, &N::zero());
            last = next.clone();
            before.push(next);
        }
        before.truncate(n);
        Self { before, at: at.clone() }
    }

    /// The cut at the one k of 0, …, n where `distance(k)` is zero, there being *no other*: n + 2 rows.
    ///
    /// `(before[k−1] − before[k])·distance(k) = 0` keeps the flags as they are everywhere else: one up to there, and from
    /// there on zero as behind the last. Were there two such k, flags between them would be free.
    pub fn found<C: Cs<Num = N>>(cs: &mut C, n: usize, at: usize, distance: impl Fn(usize) -> N) -> Self {
        let mut before: Vec<N> = Vec::with_capacity(n);
        let (mut last, mut count) = (N::one(), N::zero());
        for k in 0..=n {
            let next = if k < n { cs.hint(&[], |_| bit(k < at)) } else { N::zero() };
            cs.enforce(&last.minus(&next), &distance(k), &N::zero());
            count.add_scaled(&next, Fr::ONE);
            last = next.clone();
            before.push(next);
        }
        before.truncate(n);
        let at = cs.hint(&[&count], |v| v[0]);
        cs.equal(&at, &count);
        Self { before, at }
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
    at.into_bigint() > BigInt::from(k as u64)
}

/// `gate ∧ [x = 0]` for a bit `gate`: two rows.
///
/// x·m = 0 and x·inverse = gate − m: where x is zero m = gate, elsewhere m = 0 and the inverse makes good.
pub fn zero_where<C: Cs>(cs: &mut C, x: &C::Num, gate: &C::Num) -> C::Num {
    let m = cs.hint(&[x, gate], |v| if v[0] == Fr::ZERO { v[1] } else { Fr::ZERO });
    let inverse = cs.quotient(gate, x);
    cs.enforce(x, &m, &C::Num::zero());
    cs.enforce(x, &inverse, &gate.minus(&m));
    m
}

/// Enforces x ≠ 0 where the bit `gate` is one: one row.
pub fn nonzero_where<C: Cs>(cs: &mut C, x: &C::Num, gate: &C::Num) {
    let inverse = cs.quotient(gate, x);
    cs.enforce(x, &inverse, gate);
}

/// Enforces a = b where `gate` is not zero: one row.
pub fn equal_where<C: Cs>(cs: &mut C, gate: &C::Num, a: &C::Num, b: &C::Num) {
    cs.enforce(gate, &a.minus(b), &C::Num::zero());
}

/// Allocates the `n` bits of a number that only the prover knows, lowest first: n rows.
pub fn bits_of<C: Cs>(cs: &mut C, n: usize, number: u64) -> Vec<C::Num> {
    let bits = cs.hint_many(n, &[], |_| (0..n).map(|i| bit(number >> i & 1 == 1)).collect());
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
        (0..n).map(|i| bit(number.get_bit(i))).collect()
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
/// nothing but bits, each of which stands for one step, so there is no number to alias.
///
/// A barrel shifter. Each step halves what is left to move: with at most `reach` left, a step of ⌈reach/2⌉ taken or not
/// leaves at most ⌊reach/2⌋, and as many items as `taken` and what is left: that many rows. In all about as many as
/// there are items, and `taken` for each step.
pub fn window<C: Cs>(cs: &mut C, items: &[C::Num], taken: usize, position: usize) -> Vec<C::Num> {
    let steps = steps(items.len().saturating_sub(1));
    let taken_steps = steps_to(items.len(), position);
    let bits =
        bits_of(cs, steps.len(), taken_steps.iter().rev().fold(0, |sum, bit| sum << 1 | u64::from(*bit)));
    let mut reach = items.len().saturating_sub(1);
    let mut items = items.to_vec();
    for (bit, step) in bits.iter().zip(steps) {
        reach /= 2;
        let width = items.len().min(taken + reach);
        items = (0..width).map(|i| shifted(cs, &items, i, step, bit)).collect();
    }
    items.resize(taken, C::Num::zero());
    items
}

/// The steps of [`window`], the largest first.
fn steps(reach: usize) -> Vec<usize> {
    let reaches = std::iter::successors(Some(reach), |reach| Some(reach / 2)).take_while(|reach| *reach > 0);
    reaches.map(|reach| reach.div_ceil(2)).collect()
}

/// Which steps of a [`window`] over so many items lead to a position.
pub(crate) fn steps_to(items: usize, position: usize) -> Vec<bool> {
    let mut left = position;
    let is_taken = |step: usize| {
        let is_taken = left >= step;
        left -= if is_taken { step } else { 0 };
        is_taken
    };
    steps(items.saturating_sub(1)).into_iter().map(is_taken).collect()
}

/// `taken` elements of `items` from the position on whose bits, lowest first, these are; zeros beyond the end.
pub fn moved<C: Cs>(cs: &mut C, mut items: Vec<C::Num>, taken: usize, bits: &[C::Num]) -> Vec<C::Num> {
    for (i, bit) in bits.iter().enumerate().rev() {
        let step = 1 << i;
        let width = items.len().min(taken + step - 1);
        items = (0..width).map(|i| shifted(cs, &items, i, step, bit)).collect();
    }
    items.resize(taken, C::Num::zero());
    items
}

/// `bit ? items[i + step] : items[i]`: one row.
fn shifted<C: Cs>(cs: &mut C, items: &[C::Num], i: usize, step: usize, bit: &C::Num) -> C::Num {
    match items.get(i + step) {
        Some(far) => either(cs, bit, &items[i], far),
        None => cs.product(&bit.not(), &items[i]),
    }
}

/// `bit ? far : near`: one row.
pub fn either<C: Cs>(cs: &mut C, bit: &C::Num, near: &C::Num, far: &C::Num) -> C::Num {
    let out = cs.hint(&[bit, near, far], |v| if v[0] == Fr::ZERO { v[1] } else { v[2] });
    let difference = far.minus(near);
    cs.enforce(bit, &difference, &out.minus(near));
    out
}

/// Enforces that of no pair of bits both are one: one row for two pairs.
///
/// Of bits, 2·a·b = u² − u with u = a + b. So with v = c + d the row (u − 2v)·(u + 2v) = u − 4v says
/// 2·a·b = 8·c·d: both are zero.
pub fn never_both<C: Cs>(cs: &mut C, pairs: &[(C::Num, C::Num)]) {
    for pairs in pairs.chunks(2) {
        let u = pairs[0].0.plus(&pairs[0].1);
        let v = pairs.get(1).map_or_else(C::Num::zero, |(c, d)| c.plus(d));
        let double = v.plus(&v);
        cs.enforce(&u.minus(&double), &u.plus(&double), &u.minus(&double.plus(&double)));
    }
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
    fn what_is_moved_is_a_slice() {
        let items: Vec<Fr> = (1..=13).map(number).collect();
        for at in 0..16 {
            for taken in [1, 4, 13] {
                let bits: Vec<Fr> = (0..4).map(|i| number(at >> i & 1)).collect();
                let mut out = Vec::new();
                let values = Assignment::of(|cs| out = moved(cs, items.clone(), taken, &bits));
                assert!(values.is_satisfied());
                let expected = |k: usize| items.get(at as usize + k).copied().unwrap_or_default();
                assert_eq!(out, (0..taken).map(expected).collect::<Vec<_>>());
            }
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
    fn a_cut_is_found_where_the_distance_is_zero_and_nowhere_else() {
        for zero in 0..=6u64 {
            let distance = |k| number(zero) - number(k as u64);
            for flags in 0..32u32 {
                let tamper =
                    move |_: &str, i: usize, honest| if i < 5 { Fr::from(flags >> i & 1) } else { honest };
                let values = Assignment::tampered(tamper, |cs| {
                    let cut = Cut::found(cs, 5, 0, distance);
                    assert_eq!(*cut.at(), number(u64::from(flags.count_ones())));
                });
                assert_eq!(values.is_satisfied(), zero <= 5 && flags == (1 << zero) - 1, "{zero} {flags:b}");
            }
        }
        let another_count = |_: &str, i: usize, honest| if i == 5 { honest + Fr::ONE } else { honest };
        let values = Assignment::tampered(another_count, |cs| {
            Cut::found(cs, 5, 2, |k| number(2) - number(k as u64));
        });
        assert!(!values.is_satisfied());
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
    fn one_row_keeps_two_pairs_of_bits_apart() {
        for bits in 0..16u64 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| number(bits >> i & 1));
            let holds = |pairs: &[(Fr, Fr)]| Assignment::of(|cs| never_both(cs, pairs)).is_satisfied();
            let both = [bits & 3 == 3, bits >> 2 == 3];
            assert_eq!(holds(&[(a, b), (c, d)]), both == [false; 2], "{bits:04b}");
            assert_eq!(holds(&[(a, b)]), !both[0]);
        }
    }

    #[test]
    fn a_range_ends_where_it_says() {
        assert!(Assignment::of(|cs| drop(range(cs, 4, &number(15)))).is_satisfied());
        assert!(!Assignment::of(|cs| drop(range(cs, 4, &number(16)))).is_satisfied());
        assert!(!Assignment::of(|cs| drop(range(cs, 4, &-number(1)))).is_satisfied());
    }
}
