//! That a polynomial with small coefficients, known by its values, is zero at 2^21 over the integers.
//!
//! 1. Its values at as many small points as it has coefficients determine them: every coefficient is a fixed linear form
//!    in the values, no row for interpolation.
//! 2. Schoolbook carrying from the low end, several coefficients to a carry: the carry out of the coefficients below
//!    `end` is `2^(−21·end)·Σ_{i<end} 2^(21·i)·P_i`, in the field a linear form again. Forced into its exact signed
//!    range, it is the integer quotient. At the top nothing may be left.
//!
//! # Bound
//! With all limbs in range, coefficient i is an integer in a known interval. For the coefficients `start..end` between
//! two carries let `S = carry_in + Σ 2^(21·(i − start))·P_i`, an integer in `[S_low, S_high]` by those intervals and that
//! of the carry in. The carry out is forced to be `low + u`, `0 ≤ u < 2^bits`, and equals `S·2^(−21·(end − start))` modulo
//! r, that is: r divides `S − 2^(21·(end − start))·carry_out`, which lies between
//!
//! ```text
//! S_low − 2^(21·(end − start))·(low + 2^bits − 1)   and   S_high − 2^(21·(end − start))·low.
//! ```
//!
//! Both are less than r in size, so it is zero, over the integers. Here `low = ⌈S_low / 2^(21·(end − start))⌉`, and
//! `bits` is the length of `⌊S_high / 2^(21·(end − start))⌋ − low`: every honest carry fits. After the last
//! coefficients S = P(2^21)/2^(21·start) itself is less than r in size, and is zero modulo r.

use ark_ff::{AdditiveGroup, Field, PrimeField, batch_inversion};
use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;

use super::integer::range_check;
use super::layout::LIMB_BITS;
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Least and greatest value of a coefficient.
pub(super) type Interval = (BigInt, BigInt);

/// The coefficients of a product of two polynomials.
pub(super) fn product(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut out = vec![Interval::default(); a.len() + b.len() - 1];
    for (i, (a_low, a_high)) in a.iter().enumerate() {
        for (j, (b_low, b_high)) in b.iter().enumerate() {
            let corners = [a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high];
            let [least, most] = [corners.iter().min(), corners.iter().max()];
            let (low, high) = &mut out[i + j];
            *low += least.expect("there are four");
            *high += most.expect("there are four");
        }
    }
    out
}

/// The coefficients of a difference of two polynomials.
pub(super) fn difference(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let at = |p: &[Interval], i: usize| p.get(i).cloned().unwrap_or_default();
    let minus = |(a_low, a_high): Interval, (b_low, b_high): Interval| (a_low - b_high, a_high - b_low);
    (0..a.len().max(b.len())).map(|i| minus(at(a, i), at(b, i))).collect()
}

/// A polynomial's coefficients and how they are carried.
pub(super) struct Identity {
    /// The ranges of the coefficients.
    pub(super) coefficients: Vec<Interval>,
    /// From the low end; the last is what must be zero.
    pub(super) carries: Vec<Carry>,
}

/// The carry out of the coefficients below `end`, as a linear form.
pub(super) struct Carry {
    #[cfg_attr(not(test), expect(dead_code, reason = "the weights hold it; tests bound the carries by it"))]
    pub(super) end: usize,
    /// Weights of the values at the points.
    weights: Vec<Fr>,
    /// Where it must lie; `None` after the last coefficient, where it must be zero.
    pub(super) range: Option<Range>,
}

/// The numbers `low..low + 2^bits`.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) low: Fr,
    pub(super) bits: usize,
}

impl Identity {
    /// Plans the carries of a polynomial of these coefficients, which is given at the first of these points.
    pub(super) fn new(coefficients: Vec<Interval>, points: &[Fr]) -> Self {
        let basis = lagrange_basis(&points[..coefficients.len()]);
        let plan = plan(&coefficients);
        let carries = plan.into_iter().map(|(end, range)| Carry::new(&basis, end, range)).collect();
        Self { coefficients, carries }
    }

    /// Coefficients, and as many points.
    pub(super) fn points(&self) -> usize {
        self.coefficients.len()
    }

    /// Enforces that the polynomial with these values is zero at 2^21.
    pub(super) fn enforce<C: Cs>(&self, cs: &mut C, values: &[C::Num]) {
        for carry in &self.carries {
            let value = carry.of(values);
            match &carry.range {
                Some(range) => cs.family("rsa.carry-range", |cs| {
                    range_check(cs, &value.minus(&C::Num::constant(range.low)), range.bits);
                }),
                None => cs.family("rsa.identity", |cs| cs.is_zero(&value)),
            }
        }
    }
}

/// Ends and ranges of the carries: always as many coefficients to a carry as the bound allows.
fn plan(coefficients: &[Interval]) -> Vec<(usize, Option<PlannedRange>)> {
    let mut plan = Vec::new();
    let (mut start, mut carry) = (0, Interval::default());
    while start < coefficients.len() {
        let (end, range) = longest(coefficients, start, &carry);
        if let Some(range) = &range {
            carry = (range.low.clone(), range.high());
        }
        plan.push((end, range));
        start = end;
    }
    plan
}

/// The farthest end that the bound allows from `start` with a carry in of this range.
fn longest(coefficients: &[Interval], start: usize, carry: &Interval) -> (usize, Option<PlannedRange>) {
    let fits = |low: &BigInt, high: &BigInt| low.magnitude().max(high.magnitude()) < &field_order();
    let (mut low, mut high) = carry.clone();
    let mut best = None;
    for end in start + 1..=coefficients.len() {
        let (least, most) = &coefficients[end - 1];
        low += least << (LIMB_BITS * (end - 1 - start));
        high += most << (LIMB_BITS * (end - 1 - start));
        if end == coefficients.len() {
            if fits(&low, &high) {
                best = Some((end, None));
            }
            break;
        }
        let shift = LIMB_BITS * (end - start);
        let range = PlannedRange::between(&low, &high, shift);
        if !fits(&(&low - (range.high() << shift)), &(&high - (&range.low << shift))) {
            break;
        }
        best = Some((end, Some(range)));
    }
    best.expect("one coefficient has 101 bits and its carry fewer than r has beyond them")
}

impl Carry {
    fn new(basis: &[Vec<Fr>], end: usize, range: Option<PlannedRange>) -> Self {
        let base = Fr::from(1u64 << LIMB_BITS);
        let shift = base.pow([end as u64]).inverse().expect("a power of two is not zero");
        let powers: Vec<Fr> = std::iter::successors(Some(shift), |p| Some(*p * base)).take(end).collect();
        let weight = |poly: &Vec<Fr>| poly.iter().zip(&powers).map(|(c, w)| *c * w).sum();
        let range = range.map(|range| Range { low: signed(&range.low), bits: range.bits });
        Self { end, weights: basis.iter().map(weight).collect(), range }
    }

    /// What the coefficients below `end` leave to those above.
    fn of<N: Num>(&self, values: &[N]) -> N {
        let mut out = N::zero();
        for (value, weight) in values.iter().zip(&self.weights) {
            out.add_scaled(value, *weight);
        }
        out
    }
}

struct PlannedRange {
    low: BigInt,
    bits: usize,
}

impl PlannedRange {
    /// The carries that sums from `low` to `high` leave when the lowest `shift` bits are zero.
    fn between(low: &BigInt, high: &BigInt, shift: usize) -> Self {
        let modulus = BigInt::from(1) << shift;
        let low = low.div_ceil(&modulus);
        let bits = (high.div_floor(&modulus) - &low).bits() as usize;
        Self { low, bits }
    }

    /// The highest number that the rows allow.
    fn high(&self) -> BigInt {
        &self.low + (BigInt::from(1) << self.bits) - 1
    }
}

/// The order r of the field.
pub(super) fn field_order() -> BigUint {
    Fr::MODULUS.into()
}

fn signed(number: &BigInt) -> Fr {
    let magnitude = Fr::from(number.magnitude().clone());
    if number.sign() == Sign::Minus { -magnitude } else { magnitude }
}

/// For each point the coefficients of the polynomial that is one there and zero at all others.
fn lagrange_basis(points: &[Fr]) -> Vec<Vec<Fr>> {
    let mut vanishing = vec![Fr::ONE];
    for x in points {
        vanishing.insert(0, Fr::ZERO);
        for i in 0..vanishing.len() - 1 {
            let above = vanishing[i + 1];
            vanishing[i] -= above * x;
        }
    }
    let mut basis: Vec<Vec<Fr>> = points.iter().map(|x| quotient(&vanishing, *x)).collect();
    let value = |(poly, x): (&Vec<Fr>, &Fr)| poly.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
    let mut scales: Vec<Fr> = basis.iter().zip(points).map(value).collect();
    batch_inversion(&mut scales);
    for (poly, scale) in basis.iter_mut().zip(scales) {
        poly.iter_mut().for_each(|c| *c *= scale);
    }
    basis
}

/// The polynomial divided by X − x, which divides it.
fn quotient(polynomial: &[Fr], x: Fr) -> Vec<Fr> {
    let mut out = vec![Fr::ZERO; polynomial.len() - 1];
    let mut above = Fr::ZERO;
    for i in (0..out.len()).rev() {
        above = polynomial[i + 1] + above * x;
        out[i] = above;
    }
    out
}
