//! Baby Jubjub, the curve embedded in BN254's scalar field (protocol.md §3).
//!
//! The form is x² + y² = 1 + d·x²·y² with d = 168696/168700, arkworks' `ark-ed-on-bn254`; a = 1 is a square and d
//! is none, so the addition law is complete. ERC-2494 writes the same curve as 168700·x² + y² = 1 + 168696·x²·y²:
//! its points are ours by (x, y) ↦ (w·x, y), w being the smaller root of 168700. Order 8·l. The generator of order l
//! is ERC-2494's base point, which is not the one that arkworks' crate has; the Montgomery form is in
//! [`crate::elligator`].
//!
//! [`Point`] is the checked form: on the curve, in the subgroup of order l, not the identity. [`EdwardsAffine`] is
//! only what its coordinates say.
//!
//! # Secrets
//! [`multiply`] does the same additions, doublings and table reads for every scalar, and normalises by a fixed
//! exponentiation. What remains: arkworks' field arithmetic ends with a conditional subtraction of the modulus, a
//! branch on intermediate values that is small and masked by nothing. Whoever can measure it on the machine that
//! holds a key is outside of what this crate defends against.

mod encoding;
mod multiply;
mod scalar;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::MontFp;
use thiserror::Error;

use crate::Fr;

pub use ark_ed_on_bn254::{EdwardsAffine, EdwardsProjective};
pub use encoding::POINT_BYTES;
pub use multiply::{multiply, multiply_two_public, normalise};
pub use scalar::{SCALAR_BITS, SCALAR_BYTES, Scalar, ScalarError};

/// Why this is no point of the prime-order subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CurveError {
    /// An encoding that no point has: wrong length, y not below r, or a sign for x = 0.
    #[error("the point's encoding is not canonical")]
    NotCanonical,
    /// The coordinates do not satisfy the curve's equation.
    #[error("the point is not on the curve")]
    OffCurve,
    /// The identity.
    #[error("the point is the identity")]
    Identity,
    /// An order of 2, 4 or 8.
    #[error("the point has small order")]
    SmallOrder,
    /// A point of the subgroup plus one of small order.
    #[error("the point is outside of the prime-order subgroup")]
    WrongSubgroup,
}

impl CurveError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotCanonical => "point-not-canonical",
            Self::OffCurve => "point-off-curve",
            Self::Identity => "point-identity",
            Self::SmallOrder => "point-small-order",
            Self::WrongSubgroup => "point-wrong-subgroup",
        }
    }
}

/// A point of order l.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Point(EdwardsAffine);

impl Point {
    /// Checks affine coordinates.
    ///
    /// # Errors
    /// Every [`CurveError`] but [`CurveError::NotCanonical`].
    pub fn from_coordinates(x: Fr, y: Fr) -> Result<Self, CurveError> {
        Self::from_affine(EdwardsAffine::new_unchecked(x, y))
    }

    /// Checks a point.
    ///
    /// # Errors
    /// As [`Point::from_coordinates`].
    pub fn from_affine(point: EdwardsAffine) -> Result<Self, CurveError> {
        if !point.is_on_curve() {
            return Err(CurveError::OffCurve);
        }
        if point.is_zero() {
            return Err(CurveError::Identity);
        }
        if clear_cofactor(&point).is_zero() {
            return Err(CurveError::SmallOrder);
        }
        if !point.is_in_correct_subgroup_assuming_on_curve() {
            return Err(CurveError::WrongSubgroup);
        }
        Ok(Self(point))
    }

    /// A point that is eight times another, or a multiple of a [`Point`]: in the subgroup by construction.
    pub(crate) fn from_subgroup(point: EdwardsAffine) -> Result<Self, CurveError> {
        if point.is_zero() { Err(CurveError::Identity) } else { Ok(Self(point)) }
    }

    /// The affine coordinates (x, y).
    #[must_use]
    pub fn coordinates(&self) -> (Fr, Fr) {
        (self.0.x, self.0.y)
    }

    /// The point without its guarantee.
    pub fn affine(&self) -> EdwardsAffine {
        self.0
    }

    /// `scalar·self`, the same steps for every scalar; [`CurveError::Identity`] for zero.
    ///
    /// # Errors
    /// [`CurveError::Identity`] if the scalar is zero.
    pub fn multiply(&self, scalar: &Scalar) -> Result<Self, CurveError> {
        Self::from_subgroup(normalise(&multiply(&self.0, scalar)))
    }
}

/// The generator G of the subgroup of order l: ERC-2494's base point, in our form.
#[must_use]
pub fn generator() -> Point {
    Point(EdwardsAffine::new_unchecked(GENERATOR_X, GENERATOR_Y))
}

const GENERATOR_X: Fr =
    MontFp!("15863623088992515880085393097393553694825975317405843389771115419751650972659");
const GENERATOR_Y: Fr =
    MontFp!("16950150798460657717958625567821834550301663161624707787222815936182638968203");

/// `8·point`, which removes every small-order part.
pub fn clear_cofactor(point: &EdwardsAffine) -> EdwardsAffine {
    let mut multiple = EdwardsProjective::from(*point);
    for _ in 0..3 {
        multiple += multiple;
    }
    multiple.into_affine()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod tests {
    use super::*;
    use ark_ec::PrimeGroup;
    use ark_ec::twisted_edwards::TECurveConfig;
    use ark_ed_on_bn254::EdwardsConfig;
    use ark_ff::{Field, One, PrimeField, Zero};

    /// A point of order 8: ERC-2494's generator of the whole curve, times l.
    pub(crate) fn order_eight() -> EdwardsAffine {
        let x: Fr = MontFp!("995203441582195749578291179787384436505546430278305826713579947235728471134");
        let y: Fr = MontFp!("5472060717959818805561601436314318772137091100104008585924551046643952123905");
        let whole = from_erc_2494(x, y);
        assert!(whole.is_on_curve());
        whole.mul_bigint(ark_ed_on_bn254::Fr::MODULUS).into_affine()
    }

    fn from_erc_2494(x: Fr, y: Fr) -> EdwardsAffine {
        let root = Fr::from(168_700u64).sqrt().unwrap();
        let smaller = if root.into_bigint() < (-root).into_bigint() { root } else { -root };
        EdwardsAffine::new_unchecked(smaller * x, y)
    }

    /// Base point, order l, and that the base point is eight times the generator of the whole curve: ERC-2494.
    #[test]
    fn generator_is_the_one_of_erc_2494() {
        let x: Fr = MontFp!("5299619240641551281634865583518297030282874472190772894086521144482721001553");
        let y: Fr = MontFp!("16950150798460657717958625567821834550301663161624707787222815936182638968203");
        assert_eq!(from_erc_2494(x, y), generator().affine());
        let x: Fr = MontFp!("995203441582195749578291179787384436505546430278305826713579947235728471134");
        let y: Fr = MontFp!("5472060717959818805561601436314318772137091100104008585924551046643952123905");
        assert_eq!(clear_cofactor(&from_erc_2494(x, y)), generator().affine());
        let order = "2736030358979909402780800718157159386076813972158567259200215660948447373041";
        assert_eq!(ark_ed_on_bn254::Fr::MODULUS.to_string(), order);
        assert!(generator().affine().mul_bigint(ark_ed_on_bn254::Fr::MODULUS).is_zero());
        assert_ne!(EdwardsProjective::generator().into_affine(), generator().affine());
    }

    #[test]
    fn addition_law_is_complete() {
        assert!(EdwardsConfig::COEFF_A.is_one());
        assert_eq!(EdwardsConfig::COEFF_D * Fr::from(168_700u64), Fr::from(168_696u64));
        assert!(EdwardsConfig::COEFF_D.sqrt().is_none());
    }

    #[test]
    fn each_refusal_by_its_own_check() {
        let (x, y) = generator().coordinates();
        assert_eq!(Point::from_coordinates(x, y), Ok(generator()));
        assert_eq!(Point::from_coordinates(x, y + Fr::one()), Err(CurveError::OffCurve));
        assert_eq!(Point::from_coordinates(Fr::zero(), Fr::one()), Err(CurveError::Identity));
        let torsion = order_eight();
        let mut multiple = torsion;
        for _ in 1..8 {
            assert_eq!(Point::from_affine(multiple), Err(CurveError::SmallOrder));
            multiple = (multiple + torsion).into_affine();
        }
        assert!(multiple.is_zero(), "order exactly 8");
        for _ in 0..7 {
            multiple = (multiple + torsion).into_affine();
            let shifted = (generator().affine() + multiple).into_affine();
            assert_eq!(Point::from_affine(shifted), Err(CurveError::WrongSubgroup));
        }
    }
}
