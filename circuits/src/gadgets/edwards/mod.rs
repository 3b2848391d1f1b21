//! Baby Jubjub in a circuit: the twin of [`sigveil_vrf_identity::curve`] and [`sigveil_vrf_identity::elligator`].
//!
//! Everything is done with the addition law of x² + y² = 1 + d·x²·y², which is complete because d is no square: its
//! denominators vanish for no two points of the curve, whatever their order. So a sum is determined by its summands
//! always, with no exceptional case to exclude, also for points that a dishonest prover chose outside of the
//! prime-order subgroup. The shorter Montgomery formulas (3 rows for a sum in place of 6) leave the slope free where
//! two abscissas meet, and would need a proof at each call that they cannot.
//!
//! Whoever takes a point from a witness calls [`Point::on_curve`] on it. None of the gadgets shows that a point is in
//! the subgroup; a statement says where it needs that and why it holds.

mod elligator;
mod fixed_base;
mod variable_base;

use ark_ec::twisted_edwards::TECurveConfig;
use ark_ed_on_bn254::{EdwardsAffine, EdwardsConfig};
use ark_ff::{AdditiveGroup, Field};

use super::bits::Bit;
use crate::Fr;
use crate::r1cs::{Cs, Num};

pub use elligator::map_to_subgroup;
pub use fixed_base::FixedBase;
pub use variable_base::{Digits, GivenScalar, OddScalar, Term, multiply};

const D: Fr = EdwardsConfig::COEFF_D;

/// An affine point.
#[derive(Clone)]
pub struct Point<N> {
    /// The abscissa.
    pub x: N,
    /// The ordinate.
    pub y: N,
}

impl<N: Num> Point<N> {
    /// The constant point.
    pub fn constant(point: &EdwardsAffine) -> Self {
        Self { x: N::constant(point.x), y: N::constant(point.y) }
    }

    /// Allocates a point that the prover chooses and enforces the curve's equation: 3 rows.
    pub fn witness<C: Cs<Num = N>>(cs: &mut C, point: &EdwardsAffine) -> Self {
        let x = cs.hint(&[], |_| point.x);
        let y = cs.hint(&[], |_| point.y);
        let point = Self { x, y };
        point.on_curve(cs);
        point
    }

    /// Enforces x² + y² = 1 + d·x²·y².
    pub fn on_curve<C: Cs<Num = N>>(&self, cs: &mut C) {
        cs.family("point-on-curve", |cs| {
            let xx = cs.product(&self.x, &self.x);
            let yy = cs.product(&self.y, &self.y);
            cs.enforce(&xx.times(D), &yy, &xx.plus(&yy).minus(&N::one()));
        });
    }

    /// The point's negative (−x, y): no row.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { x: self.x.times(-Fr::ONE), y: self.y.clone() }
    }

    /// The sum of two points on the curve: 6 rows.
    #[must_use]
    pub fn add<C: Cs<Num = N>>(&self, cs: &mut C, other: &Self) -> Self {
        cs.family("point-addition", |cs| {
            // β = x1·y2, γ = y1·x2, δ = (y1 − x1)·(x2 + y2), so y1·y2 − x1·x2 = δ + β − γ.
            let beta = cs.product(&self.x, &other.y);
            let gamma = cs.product(&self.y, &other.x);
            let delta = cs.product(&self.y.minus(&self.x), &other.x.plus(&other.y));
            let tau = cs.product(&beta, &gamma);
            quotients(cs, &beta.plus(&gamma), &delta.plus(&beta).minus(&gamma), &tau)
        })
    }

    /// Twice a point on the curve: 5 rows.
    #[must_use]
    pub fn double<C: Cs<Num = N>>(&self, cs: &mut C) -> Self {
        cs.family("point-doubling", |cs| {
            let product = cs.product(&self.x, &self.y);
            let tau = cs.product(&product, &product);
            let difference = cs.product(&self.y.minus(&self.x), &self.y.plus(&self.x));
            quotients(cs, &product.times(Fr::from(2u64)), &difference, &tau)
        })
    }

    /// Eight times a point on the curve, which has no small-order part: 15 rows.
    #[must_use]
    pub fn clear_cofactor<C: Cs<Num = N>>(&self, cs: &mut C) -> Self {
        self.double(cs).double(cs).double(cs)
    }

    /// The point where `bit` is one, the identity where it is zero: 2 rows.
    #[must_use]
    pub fn only_if<C: Cs<Num = N>>(&self, cs: &mut C, bit: &Bit<N>) -> Self {
        cs.family("point-selection", |cs| {
            let x = cs.product(bit.num(), &self.x);
            let y = cs.product(bit.num(), &self.y.minus(&N::one()));
            Self { x, y: y.plus(&N::one()) }
        })
    }
}

/// x = `over_plus`/(1 + d·τ), y = `over_minus`/(1 − d·τ). Neither denominator is zero for points on the curve.
fn quotients<C: Cs>(cs: &mut C, over_plus: &C::Num, over_minus: &C::Num, tau: &C::Num) -> Point<C::Num> {
    let plus = C::Num::one().plus(&tau.times(D));
    let minus = C::Num::one().minus(&tau.times(D));
    let mut xy = cs.hint_many(2, &[over_plus, over_minus, &plus, &minus], |v| {
        let (plus, minus) = (v[2], v[3]);
        let inverse = (plus * minus).inverse().unwrap_or(Fr::ZERO);
        vec![v[0] * inverse * minus, v[1] * inverse * plus]
    });
    let y = xy.pop().expect("two were asked for");
    let x = xy.pop().expect("two were asked for");
    cs.enforce(&x, &plus, over_plus);
    cs.enforce(&y, &minus, over_minus);
    Point { x, y }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
