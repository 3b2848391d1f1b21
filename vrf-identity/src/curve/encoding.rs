//! Points in 32 bytes: y big-endian, and in the highest bit whether x, below r, is odd.

use ark_ec::twisted_edwards::TECurveConfig;
use ark_ed_on_bn254::EdwardsConfig;
use ark_ff::{BigInteger, Field, One, PrimeField, Zero};

use super::{CurveError, Point};
use crate::{Fr, field};

/// Bytes of an encoded point.
pub const POINT_BYTES: usize = 32;

const SIGN: u8 = 0x80;

impl Point {
    /// The 32 bytes: y big-endian (254 bits), the parity of x in the highest bit.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; POINT_BYTES] {
        let (x, y) = self.coordinates();
        let mut bytes = field::to_bytes(&y);
        if x.into_bigint().is_odd() {
            bytes[0] |= SIGN;
        }
        bytes
    }

    /// Reads and checks the 32 bytes of a point; each point has one encoding.
    ///
    /// # Errors
    /// Every [`CurveError`], the first that applies.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CurveError> {
        let mut bytes: [u8; POINT_BYTES] = bytes.try_into().map_err(|_| CurveError::NotCanonical)?;
        let odd = bytes[0] & SIGN != 0;
        bytes[0] &= !SIGN;
        let y = field::from_bytes(&bytes).map_err(|_| CurveError::NotCanonical)?;
        let x = abscissa(&y, odd)?;
        Self::from_coordinates(x, y)
    }
}

/// x with x² = (1 − y²) / (1 − d·y²) and the stated parity; the denominator is never 0, d being no square.
fn abscissa(y: &Fr, odd: bool) -> Result<Fr, CurveError> {
    let square = y.square();
    let denominator = Fr::one() - EdwardsConfig::COEFF_D * square;
    let inverse = denominator.inverse().ok_or(CurveError::OffCurve)?;
    let x = ((Fr::one() - square) * inverse).sqrt().ok_or(CurveError::OffCurve)?;
    if x.is_zero() && odd {
        return Err(CurveError::NotCanonical);
    }
    Ok(if x.into_bigint().is_odd() == odd { x } else { -x })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::tests::order_eight;
    use super::super::{EdwardsAffine, Scalar, generator};
    use super::*;
    use ark_ec::CurveGroup;
    use proptest::prelude::*;

    fn bytes_of(point: EdwardsAffine) -> [u8; 32] {
        Point(point).to_bytes()
    }

    #[test]
    fn sign_of_zero_is_not_canonical() {
        let mut identity = bytes_of(EdwardsAffine::zero());
        assert_eq!(Point::from_bytes(&identity), Err(CurveError::Identity));
        identity[0] |= SIGN;
        assert_eq!(Point::from_bytes(&identity), Err(CurveError::NotCanonical));
    }

    #[test]
    fn ordinate_above_r_is_not_canonical() {
        // y = 2 lies on the curve, or else y = 3 …: take the first multiple of G whose y + r still has 254 bits.
        let mut point = generator();
        let two = Scalar::from_field(&Fr::from(2u64));
        let (aliased, encoded) = loop {
            let mut y = point.coordinates().1.into_bigint();
            let carry = y.add_with_carry(&Fr::MODULUS);
            if !carry && y.num_bits() <= 255 {
                break (field::limbs_to_bytes(&y), point.to_bytes());
            }
            point = point.multiply(&two).unwrap();
        };
        assert_eq!(Point::from_bytes(&encoded), Ok(point));
        let mut aliased = aliased;
        aliased[0] |= encoded[0] & SIGN;
        assert_eq!(Point::from_bytes(&aliased), Err(CurveError::NotCanonical));
    }

    #[test]
    fn each_refusal_by_its_own_check() {
        let good = generator().to_bytes();
        assert_eq!(Point::from_bytes(&good[1..]), Err(CurveError::NotCanonical));
        let torsion = order_eight();
        assert_eq!(Point::from_bytes(&bytes_of(torsion)), Err(CurveError::SmallOrder));
        let shifted = (generator().affine() + torsion).into_affine();
        assert_eq!(Point::from_bytes(&bytes_of(shifted)), Err(CurveError::WrongSubgroup));
        let off = (2u64..).find(|y| abscissa(&Fr::from(*y), false).is_err()).unwrap();
        assert_eq!(Point::from_bytes(&field::to_bytes(&Fr::from(off))), Err(CurveError::OffCurve));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn points_round_trip(number in 1u64..) {
            let point = generator().multiply(&Scalar::from_field(&Fr::from(number))).unwrap();
            prop_assert_eq!(Point::from_bytes(&point.to_bytes()), Ok(point));
            let (x, y) = point.coordinates();
            let mirrored = Point::from_coordinates(-x, y).unwrap();
            prop_assert_ne!(mirrored.to_bytes(), point.to_bytes());
        }
    }
}
