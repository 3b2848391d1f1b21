//! Elligator 2: the twin of [`sigveil_vrf_identity::elligator::map_to_subgroup`].

use ark_ff::{AdditiveGroup, Field};
use sigveil_vrf_identity::elligator::{ELLIGATOR_Z, MONTGOMERY_J, MONTGOMERY_K, map_to_montgomery};

use super::super::bits::{canonical, enforce_not_zero};
use super::Point;
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// `8·map(u)`, by RFC 9380 §6.7.1 and appendix D.1, for u ≠ 0, which is enforced.
///
/// The result is the only one: for u ≠ 0 exactly one of g(x1) and g(x2) = Z·u²·g(x1) is a square, because Z is none
/// and g(x1) ≠ 0 (x1 ≠ 0, and x² + (J/K)·x + 1/K² has no root). The ordinate y must be odd with g(x1) and even with
/// g(x2), so its own parity says which: the other branch and the other sign have no y. Neither t = 0 nor s = −1
/// occurs, so the rational map divides by zero nowhere.
pub fn map_to_subgroup<C: Cs>(cs: &mut C, u: &C::Num) -> Point<C::Num> {
    let point = cs.family("map-to-curve", |cs| {
        let (x, y) = map_to_short_montgomery(cs, u);
        to_edwards(cs, &x.times(MONTGOMERY_K), &y.times(MONTGOMERY_K))
    });
    point.clear_cofactor(cs)
}

/// The point (x, y) = (s, t)/K, with the steps numbered as in RFC 9380 §6.7.1.
fn map_to_short_montgomery<C: Cs>(cs: &mut C, u: &C::Num) -> (C::Num, C::Num) {
    let inverse_k = MONTGOMERY_K.inverse().expect("K is not zero");
    let j_over_k = MONTGOMERY_J * inverse_k;
    enforce_not_zero(cs, u);

    // 1. x1 = -(J / K) / (1 + Z·u²); the denominator is not zero, as -1/Z is no square. 2. So x1 is not zero.
    let uu = cs.product(u, u);
    let denominator = C::Num::one().plus(&uu.times(ELLIGATOR_Z));
    let minus_j_over_k = C::Num::constant(-j_over_k);
    let x1 = cs.hint(&[&denominator], |v| -j_over_k * v[0].inverse().unwrap_or(Fr::ZERO));
    cs.enforce(&x1, &denominator, &minus_j_over_k);
    // 3. gx1 = x1³ + (J / K)·x1² + x1/K².
    let xx1 = cs.product(&x1, &x1);
    let rest = xx1.plus(&x1.times(j_over_k)).plus(&C::Num::constant(inverse_k.square()));
    let gx1 = cs.product(&x1, &rest);
    // 4. x2 = -x1 - (J / K). 5. gx2 = Z·u²·gx1.
    let x2 = minus_j_over_k.minus(&x1);
    let gx2 = cs.product(&uu.times(ELLIGATOR_Z), &gx1);
    // 6. and 7. x = x1 with y odd, or x = x2 with y even.
    let y = cs.hint(&[u], |v| map_to_montgomery(&v[0]).t * inverse_k);
    let odd = canonical(cs, &y).swap_remove(0);
    let x = cs.product(odd.num(), &x1.minus(&x2)).plus(&x2);
    let gx = cs.product(odd.num(), &gx1.minus(&gx2)).plus(&gx2);
    cs.enforce(&y, &y, &gx);
    (x, y)
}

/// (s/t, (s − 1)/(s + 1)).
fn to_edwards<C: Cs>(cs: &mut C, s: &C::Num, t: &C::Num) -> Point<C::Num> {
    let (one, numerator) = (C::Num::one(), s.minus(&C::Num::one()));
    let denominator = s.plus(&one);
    let x = cs.hint(&[s, t], |v| v[0] * v[1].inverse().unwrap_or(Fr::ZERO));
    let y = cs.hint(&[&numerator, &denominator], |v| v[0] * v[1].inverse().unwrap_or(Fr::ZERO));
    cs.enforce(&x, t, s);
    cs.enforce(&y, &denominator, &numerator);
    Point { x, y }
}
