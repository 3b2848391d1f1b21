//! `a·b ≡ r modulo n`, as an identity of integers.
//!
//! With A, B, Q, N, R the polynomials whose coefficients are the limbs, let `P = A·B − Q·N − R`, of degree 2m − 2.
//! The claim is `P(2^24) = 0` over the integers.
//!
//! 1. The values of D = A·B − Q·N at 2m − 1 small points determine D, hence every coefficient of P is a fixed linear
//!    form in those values and the limbs of R: two rows a point, no row for interpolation.
//! 2. Schoolbook carrying from the low end, several coefficients to a carry: the carry out of the coefficients below
//!    `end` is `2^(−24·end)·Σ_{i<end} 2^(24·i)·P_i`, in the field a linear form again. Forced into its exact signed
//!    range, it is the integer quotient: see [`super::layout`] for the bound. At the top nothing may be left.

use num_integer::Integer as _;
use num_traits::Zero;

use super::integer::{Integer, integer_of, limbs_of, range_check};
use super::layout::{Carry, Layout};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// An integer and the values of its polynomial at the layout's points.
pub(super) struct Evaluated<N> {
    integer: Integer<N>,
    values: Vec<N>,
}

impl<N: Num> Evaluated<N> {
    /// Evaluates at 0, 1, −1, 2, −2, …: with P(x) = E(x²) + x·O(x²), a point and its negative share their work.
    pub(super) fn new(layout: &Layout, integer: Integer<N>) -> Self {
        let limbs = integer.limbs();
        let mut values = vec![limbs[0].clone()];
        for powers in &layout.powers {
            let (even, odd) = (combine(limbs, powers, 0), combine(limbs, powers, 1));
            values.extend([even.plus(&odd), even.minus(&odd)]);
        }
        Self { integer, values }
    }

    /// The values, in the order of the points.
    pub(super) fn values(&self) -> &[N] {
        &self.values
    }
}

/// The sum over every second limb from `first`.
fn combine<N: Num>(limbs: &[N], powers: &[Fr], first: usize) -> N {
    let mut out = N::zero();
    for (limb, power) in limbs.iter().zip(powers).skip(first).step_by(2) {
        out.add_scaled(limb, *power);
    }
    out
}

/// A number r below 2^bits with `a·b ≡ r` modulo n, allocated; the honest prover's is below n.
pub(super) fn remainder<C: Cs>(
    cs: &mut C,
    layout: &Layout,
    a: &Evaluated<C::Num>,
    b: &Evaluated<C::Num>,
    n: &Evaluated<C::Num>,
) -> Integer<C::Num> {
    let (quotient, remainder) = divide(cs, layout, (a, b), n);
    cs.family("rsa.remainder-range", |cs| remainder.range_check(cs, layout));
    identity(cs, layout, (a, b), (quotient, n), &remainder);
    remainder
}

/// Enforces `a·b ≡ r` modulo n for a number r whose limbs are in range.
pub(super) fn congruent<C: Cs>(
    cs: &mut C,
    layout: &Layout,
    (a, b): (&Evaluated<C::Num>, &Evaluated<C::Num>),
    n: &Evaluated<C::Num>,
    r: &Integer<C::Num>,
) {
    let quotient = cs.family("rsa.quotient", |cs| {
        let inputs = inputs(&[a, b, n]);
        Integer::of_limbs(cs.hint_many(layout.limbs, &inputs, |v| quotient_and_remainder(layout, v).0))
    });
    identity(cs, layout, (a, b), (quotient, n), r);
}

/// Allocates the limbs of quotient and remainder; their ranges are open.
fn divide<C: Cs>(
    cs: &mut C,
    layout: &Layout,
    (a, b): (&Evaluated<C::Num>, &Evaluated<C::Num>),
    n: &Evaluated<C::Num>,
) -> (Integer<C::Num>, Integer<C::Num>) {
    let mut quotient = cs.family("rsa.quotient", |cs| {
        cs.hint_many(2 * layout.limbs, &inputs(&[a, b, n]), |v| {
            let (quotient, remainder) = quotient_and_remainder(layout, v);
            [quotient, remainder].concat()
        })
    });
    let remainder = quotient.split_off(layout.limbs);
    (Integer::of_limbs(quotient), Integer::of_limbs(remainder))
}

fn inputs<'a, N: Num>(integers: &[&'a Evaluated<N>]) -> Vec<&'a N> {
    integers.iter().flat_map(|x| x.integer.limbs()).collect()
}

/// From the limbs of a, b and n, those of ⌊a·b/n⌋ and of the remainder; zeros for a modulus of zero.
fn quotient_and_remainder(layout: &Layout, inputs: &[Fr]) -> (Vec<Fr>, Vec<Fr>) {
    let [a, b, n] = std::array::from_fn(|i| integer_of(&inputs[i * layout.limbs..(i + 1) * layout.limbs]));
    let (quotient, remainder) = if n.is_zero() { Default::default() } else { (a * b).div_rem(&n) };
    (limbs_of(layout, &quotient), limbs_of(layout, &remainder))
}

/// Enforces `a·b = q·n + r` over the integers, for a, b, n and r in range; checks the range of q.
fn identity<C: Cs>(
    cs: &mut C,
    layout: &Layout,
    (a, b): (&Evaluated<C::Num>, &Evaluated<C::Num>),
    (q, n): (Integer<C::Num>, &Evaluated<C::Num>),
    r: &Integer<C::Num>,
) {
    cs.family("rsa.quotient-range", |cs| q.range_check(cs, layout));
    let q = Evaluated::new(layout, q);
    let products: Vec<_> = cs.family("rsa.product", |cs| {
        a.values().iter().zip(b.values()).map(|(a, b)| cs.product(a, b)).collect()
    });
    let differences: Vec<_> = cs.family("rsa.quotient-product", |cs| {
        let factors = q.values().iter().zip(n.values()).zip(&products);
        factors
            .map(|((q, n), product)| {
                let difference = cs.hint(&[product, q, n], |v| v[0] - v[1] * v[2]);
                cs.enforce(q, n, &product.minus(&difference));
                difference
            })
            .collect()
    });
    for carry in &layout.carries {
        let value = carried(carry, &differences, r);
        match &carry.range {
            Some(range) => cs.family("rsa.carry-range", |cs| {
                range_check(cs, &value.minus(&C::Num::constant(range.low)), range.bits);
            }),
            None => cs.family("rsa.identity", |cs| cs.is_zero(&value)),
        }
    }
}

/// What the coefficients below `carry.end` leave to those above.
fn carried<N: Num>(carry: &Carry, differences: &[N], r: &Integer<N>) -> N {
    let mut out = N::zero();
    for (limb, weight) in r.limbs().iter().zip(&carry.remainder) {
        out.add_scaled(limb, -*weight);
    }
    for (difference, weight) in differences.iter().zip(&carry.differences) {
        out.add_scaled(difference, *weight);
    }
    out
}
