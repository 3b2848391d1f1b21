//! Scalar multiplication: one way for secrets, one for what everybody may know.

use ark_ec::AdditiveGroup;
use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

use super::{EdwardsAffine, EdwardsProjective, SCALAR_BITS, Scalar};
use crate::Fr;

/// Bits of a window.
const WINDOW: usize = 4;
const TABLE: usize = 1 << WINDOW;

/// `scalar·base`, for a secret scalar: the same sequence of complete additions for each, and tables read whole.
pub fn multiply(base: &EdwardsAffine, scalar: &Scalar) -> EdwardsProjective {
    let mut table = [EdwardsProjective::zero(); TABLE];
    for i in 1..TABLE {
        table[i] = table[i - 1] + base;
    }
    let mut limbs = scalar.limbs();
    let mut product = EdwardsProjective::zero();
    for window in (0..SCALAR_BITS.div_ceil(WINDOW)).rev() {
        for _ in 0..WINDOW {
            product.double_in_place();
        }
        let position = window * WINDOW;
        let digit = (limbs[position / 64] >> (position % 64)) as u8 & (TABLE as u8 - 1);
        product += &select(&table, digit);
    }
    limbs.zeroize();
    product
}

/// `a·p + b·q`, for public scalars; its time depends on them.
pub fn multiply_two_public(
    a: &Scalar,
    p: &EdwardsAffine,
    b: &Scalar,
    q: &EdwardsAffine,
) -> EdwardsProjective {
    let both = EdwardsProjective::from(*p) + q;
    let (a, b) = (BigInt::new(a.limbs()), BigInt::new(b.limbs()));
    let mut sum = EdwardsProjective::zero();
    for i in (0..SCALAR_BITS).rev() {
        sum.double_in_place();
        match (a.get_bit(i), b.get_bit(i)) {
            (false, false) => {}
            (true, false) => sum += p,
            (false, true) => sum += q,
            (true, true) => sum += both,
        }
    }
    sum
}

/// The affine form, by z^(r−2) rather than by Euclid's algorithm: z depends on the scalar.
pub fn normalise(point: &EdwardsProjective) -> EdwardsAffine {
    let mut exponent = Fr::MODULUS;
    exponent.sub_with_borrow(&BigInt::from(2u64));
    let inverse = point.z.pow(exponent);
    EdwardsAffine::new_unchecked(point.x * inverse, point.y * inverse)
}

fn select(table: &[EdwardsProjective; TABLE], digit: u8) -> EdwardsProjective {
    let mut selected = table[0];
    for (entry, i) in table.iter().zip(0u8..) {
        let chosen = i.ct_eq(&digit);
        for (to, from) in [
            (&mut selected.x, &entry.x),
            (&mut selected.y, &entry.y),
            (&mut selected.t, &entry.t),
            (&mut selected.z, &entry.z),
        ] {
            assign_if(chosen, to, from);
        }
    }
    selected
}

fn assign_if(chosen: Choice, to: &mut Fr, from: &Fr) {
    for (to, from) in to.0.0.iter_mut().zip(&from.0.0) {
        to.conditional_assign(from, chosen);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::tests::order_eight;
    use super::super::{Point, generator};
    use super::*;
    use ark_ec::{AffineRepr, CurveGroup};
    use proptest::prelude::*;

    fn by_arkworks(base: &EdwardsAffine, scalar: &Scalar) -> EdwardsAffine {
        base.mul_bigint(scalar.limbs()).into_affine()
    }

    #[test]
    fn smallest_and_largest_scalars() {
        let base = generator().affine();
        let one = Scalar::from_field(&Fr::from(1u64));
        assert!(multiply(&base, &Scalar::ZERO).is_zero());
        assert_eq!(normalise(&multiply(&base, &one)), base);
        assert_eq!(normalise(&multiply(&base, &one.negated())), -base);
        assert_eq!(generator().multiply(&Scalar::ZERO), Err(super::super::CurveError::Identity));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn agrees_with_arkworks(bytes in prop::array::uniform32(any::<u8>()), other in prop::array::uniform32(any::<u8>())) {
            let wide = |bytes: [u8; 32]| {
                let mut wide = [0; 64];
                wide[32..].copy_from_slice(&bytes);
                Scalar::from_wide_bytes(&wide)
            };
            let (a, b) = (wide(bytes), wide(other));
            let p = generator().affine();
            let q = (by_arkworks(&p, &b) + order_eight()).into_affine();
            prop_assert_eq!(normalise(&multiply(&q, &a)), by_arkworks(&q, &a));
            let expected = (by_arkworks(&p, &a) + by_arkworks(&q, &b)).into_affine();
            prop_assert_eq!(normalise(&multiply_two_public(&a, &p, &b, &q)), expected);
            if !a.is_zero() {
                let multiple = generator().multiply(&a).unwrap();
                prop_assert_eq!(Point::from_affine(multiple.affine()), Ok(multiple));
            }
        }
    }
}
