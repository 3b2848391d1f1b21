//! Identities as points: Elligator 2 with cofactor clearing (protocol.md §4.1).
//!
//! RFC 9380 §6.7.1 on the Montgomery form of Baby Jubjub, K·t² = s³ + J·s² + s with J = 168698 and K = 168700, then
//! the rational map of RFC 9380 appendix D.1 to the form of [`crate::curve`], then ·8. The field element that is
//! mapped is itself a Poseidon digest, so this is an `encode_to_curve` (nonuniform), not a `hash_to_curve`.
//!
//! The constants are exported for the circuit, which proves the same map.

use ark_ff::{BigInteger, Field, MontFp, One, PrimeField};

use crate::curve::{CurveError, EdwardsAffine, Point, clear_cofactor};
use crate::domain::Domain;
use crate::identity::Idf;
use crate::label::Mode;
use crate::{Fr, poseidon};

/// J, the Montgomery form's coefficient of s².
pub const MONTGOMERY_J: Fr = MontFp!("168698");
/// K, the Montgomery form's coefficient of t².
pub const MONTGOMERY_K: Fr = MontFp!("168700");
/// Z, the non-square nearest to zero by RFC 9380 appendix H.3 (`find_z_ell2`).
pub const ELLIGATOR_Z: Fr = MontFp!("5");

/// Where [`map_to_montgomery`] leads, with the branch it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MontgomeryPoint {
    /// The abscissa on K·t² = s³ + J·s² + s.
    pub s: Fr,
    /// The ordinate.
    pub t: Fr,
    /// Whether g(x1) was a square, so that x = x1 and y is odd; else x = x2 and y is even.
    pub first_branch: bool,
}

/// `H = 8·map(Poseidon(DOM_H, μ, idf))`.
///
/// # Errors
/// [`CurveError::Identity`] if the map leads to a point of small order, as u = 0 does: an identity with such a digest
/// cannot be found without inverting Poseidon.
pub fn encode_to_curve(mode: Mode, idf: &Idf) -> Result<Point, CurveError> {
    map_to_subgroup(&poseidon::hash(Domain::EncodeToCurve, &[mode.to_field(), idf.0]))
}

/// `8·map(u)`, a point of the prime-order subgroup.
///
/// # Errors
/// [`CurveError::Identity`] if `u` maps to a point of small order.
pub fn map_to_subgroup(u: &Fr) -> Result<Point, CurveError> {
    Point::from_subgroup(clear_cofactor(&montgomery_to_edwards(&map_to_montgomery(u))))
}

/// RFC 9380 §6.7.1, steps as numbered there. Its time depends on `u`.
#[must_use]
pub fn map_to_montgomery(u: &Fr) -> MontgomeryPoint {
    let inverse_k = MONTGOMERY_K.inverse().expect("K is not zero");
    let j_over_k = MONTGOMERY_J * inverse_k;
    let g = |x: Fr| x.square() * x + j_over_k * x.square() + x * inverse_k.square();

    // 1. x1 = -(J / K) · inv0(1 + Z·u²); 2. if x1 = 0, x1 = -(J / K). As Z and -1/Z are no squares, 2 never applies.
    let denominator = Fr::one() + ELLIGATOR_Z * u.square();
    let x1 = denominator.inverse().map_or(-j_over_k, |inverse| -j_over_k * inverse);
    // 3. gx1 = g(x1); 6. if it is a square, x = x1 and y its root with sgn0(y) = 1.
    if let Some(root) = g(x1).sqrt() {
        return scale(x1, with_sign(root, true), true);
    }
    // 4. x2 = -x1 - (J / K); 5. gx2 = g(x2); 7. else x = x2 and y its root with sgn0(y) = 0.
    let x2 = -x1 - j_over_k;
    let root = g(x2).sqrt().expect("one of g(x1) and g(x2) = Z·u²·g(x1) is a square");
    scale(x2, with_sign(root, false), false)
}

/// 8. s = x·K; 9. t = y·K.
fn scale(x: Fr, y: Fr, first_branch: bool) -> MontgomeryPoint {
    MontgomeryPoint { s: x * MONTGOMERY_K, t: y * MONTGOMERY_K, first_branch }
}

/// sgn0 of RFC 9380 §4.1: the parity of the number below r.
#[must_use]
pub fn sgn0(element: &Fr) -> bool {
    element.into_bigint().is_odd()
}

fn with_sign(root: Fr, odd: bool) -> Fr {
    if sgn0(&root) == odd { root } else { -root }
}

/// (v, w) = (s/t, (s−1)/(s+1)), and the identity where t = 0 or s = −1 (RFC 9380 appendix D.1).
pub fn montgomery_to_edwards(point: &MontgomeryPoint) -> EdwardsAffine {
    let denominator = point.t * (point.s + Fr::one());
    match denominator.inverse() {
        None => EdwardsAffine::zero(),
        Some(inverse) => EdwardsAffine::new_unchecked(
            point.s * (point.s + Fr::one()) * inverse,
            (point.s - Fr::one()) * point.t * inverse,
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use ark_ec::twisted_edwards::{MontCurveConfig, TECurveConfig};
    use ark_ed_on_bn254::EdwardsConfig;
    use ark_ff::{LegendreSymbol, Zero};
    use proptest::prelude::*;

    #[test]
    fn constants_are_those_of_the_curve() {
        assert_eq!(MONTGOMERY_J, <EdwardsConfig as MontCurveConfig>::COEFF_A);
        assert_eq!(MONTGOMERY_K, <EdwardsConfig as MontCurveConfig>::COEFF_B);
        let inverse_k = MONTGOMERY_K.inverse().unwrap();
        let two = Fr::from(2u64);
        assert_eq!((MONTGOMERY_J + two) * inverse_k, <EdwardsConfig as TECurveConfig>::COEFF_A);
        assert_eq!((MONTGOMERY_J - two) * inverse_k, <EdwardsConfig as TECurveConfig>::COEFF_D);
    }

    #[test]
    fn z_is_the_first_non_square() {
        let first = (1u64..)
            .flat_map(|n| [Fr::from(n), -Fr::from(n)])
            .find(|z| z.legendre() == LegendreSymbol::QuadraticNonResidue);
        assert_eq!(first, Some(ELLIGATOR_Z));
    }

    /// §6.7.1 demands that (J² − 4)/K² be non-zero and no square.
    #[test]
    fn montgomery_form_fits_elligator() {
        let discriminant = MONTGOMERY_J.square() - Fr::from(4u64);
        assert_eq!(discriminant.legendre(), LegendreSymbol::QuadraticNonResidue);
    }

    /// The one exceptional input: u = 0 takes the second branch to x2 = 0, where t = 0, and so to the identity.
    #[test]
    fn zero_is_refused() {
        let expected = MontgomeryPoint { s: Fr::zero(), t: Fr::zero(), first_branch: false };
        assert_eq!(map_to_montgomery(&Fr::zero()), expected);
        assert_eq!(map_to_subgroup(&Fr::zero()), Err(CurveError::Identity));
    }

    #[test]
    fn rational_map_sends_exceptions_to_the_identity() {
        let minus_one = -Fr::one();
        for (s, t) in [(Fr::zero(), Fr::zero()), (minus_one, Fr::one())] {
            let point = MontgomeryPoint { s, t, first_branch: true };
            assert_eq!(montgomery_to_edwards(&point), EdwardsAffine::zero());
        }
    }

    #[test]
    fn modes_of_one_identity_are_unrelated_points() {
        let idf = Idf(Fr::from(7u64));
        let open = encode_to_curve(Mode::Open, &idf).unwrap();
        let blind = encode_to_curve(Mode::Blind, &idf).unwrap();
        assert_ne!(open, blind);
    }

    fn assert_on_montgomery(point: &MontgomeryPoint) {
        let MontgomeryPoint { s, t, .. } = point;
        assert_eq!(MONTGOMERY_K * t.square(), s.square() * s + MONTGOMERY_J * s.square() + s);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn map_reaches_the_subgroup(bytes: [u8; 32]) {
            let u = Fr::from_be_bytes_mod_order(&bytes);
            let mapped = map_to_montgomery(&u);
            assert_on_montgomery(&mapped);
            let y = mapped.t * MONTGOMERY_K.inverse().unwrap();
            prop_assert_eq!(sgn0(&y), mapped.first_branch);
            prop_assert!(montgomery_to_edwards(&mapped).is_on_curve());
            let point = map_to_subgroup(&u).unwrap();
            prop_assert_eq!(Point::from_affine(point.affine()), Ok(point));
        }

        /// RFC 9380 §6.7: u and −u share an image.
        #[test]
        fn sign_of_the_input_does_not_matter(bytes: [u8; 32]) {
            let u = Fr::from_be_bytes_mod_order(&bytes);
            prop_assert_eq!(map_to_montgomery(&u), map_to_montgomery(&-u));
        }
    }
}
