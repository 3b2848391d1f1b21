//! Points as they lie in a proving key, in memory and on disk alike.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Memory and disk agree on little-endian machines only.
const _: () = assert!(cfg!(target_endian = "little"), "proving keys are read in place");

/// A point of G1: x and y as four limbs each of their Montgomery form (factor 2²⁵⁶), the least significant first.
/// The identity is all zeros, which is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct PackedG1(pub [u64; 8]);

/// A point of G2: x and y, each the two components c0 and c1, as in [`PackedG1`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct PackedG2(pub [u64; 16]);

/// What both have in common.
pub trait Packed: Copy + Send + Sync + FromBytes + IntoBytes + Immutable + KnownLayout + 'static {
    /// The point as arkworks has it.
    type Affine: AffineRepr;

    /// Packs a point.
    fn pack(point: &Self::Affine) -> Self;

    /// The point, if the coordinates are reduced field elements and it is on the curve or the identity.
    fn checked(&self) -> Result<Self::Affine, &'static str>;

    /// As [`Packed::checked`], for points that have been checked.
    fn unpack(&self) -> Self::Affine;
}

/// The limbs of a field element in Montgomery form.
fn limbs(x: &Fq) -> [u64; 4] {
    x.0.0
}

/// The element of which these are the limbs.
fn element(limbs: &[u64]) -> Fq {
    Fq::new_unchecked(BigInt([limbs[0], limbs[1], limbs[2], limbs[3]]))
}

fn is_reduced(limbs: &[u64]) -> bool {
    limbs.chunks_exact(4).all(|x| BigInt([x[0], x[1], x[2], x[3]]) < Fq::MODULUS)
}

impl Packed for PackedG1 {
    type Affine = G1Affine;

    fn pack(point: &G1Affine) -> Self {
        let mut out = [0; 8];
        if !point.is_zero() {
            out[..4].copy_from_slice(&limbs(&point.x));
            out[4..].copy_from_slice(&limbs(&point.y));
        }
        Self(out)
    }

    fn checked(&self) -> Result<G1Affine, &'static str> {
        if !is_reduced(&self.0) {
            return Err("malformed point");
        }
        let point = self.unpack();
        if point.is_on_curve() { Ok(point) } else { Err("point off the curve") }
    }

    fn unpack(&self) -> G1Affine {
        if self.0.iter().all(|limb| *limb == 0) {
            return G1Affine::identity();
        }
        G1Affine::new_unchecked(element(&self.0[..4]), element(&self.0[4..]))
    }
}

impl Packed for PackedG2 {
    type Affine = G2Affine;

    fn pack(point: &G2Affine) -> Self {
        let mut out = [0; 16];
        if !point.is_zero() {
            let coordinates = [point.x.c0, point.x.c1, point.y.c0, point.y.c1];
            out.chunks_exact_mut(4).zip(coordinates).for_each(|(out, x)| out.copy_from_slice(&limbs(&x)));
        }
        Self(out)
    }

    fn checked(&self) -> Result<G2Affine, &'static str> {
        if !is_reduced(&self.0) {
            return Err("malformed point");
        }
        let point = self.unpack();
        if point.is_on_curve() { Ok(point) } else { Err("point off the curve") }
    }

    fn unpack(&self) -> G2Affine {
        if self.0.iter().all(|limb| *limb == 0) {
            return G2Affine::identity();
        }
        let [x, y] =
            [0, 8].map(|at| Fq2::new(element(&self.0[at..at + 4]), element(&self.0[at + 4..at + 8])));
        G2Affine::new_unchecked(x, y)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use ark_ec::CurveGroup;

    use super::*;
    use crate::Fr;

    #[test]
    fn what_is_packed_is_unpacked() {
        for scalar in [0u64, 1, 77] {
            let (one, two) =
                (G1Affine::generator() * Fr::from(scalar), G2Affine::generator() * Fr::from(scalar));
            let (one, two) = (one.into_affine(), two.into_affine());
            assert_eq!(PackedG1::pack(&one).checked(), Ok(one));
            assert_eq!(PackedG2::pack(&two).checked(), Ok(two));
        }
    }

    #[test]
    fn what_is_no_point_is_refused() {
        let (one, two) = (PackedG1::pack(&G1Affine::generator()), PackedG2::pack(&G2Affine::generator()));
        for limb in 0..16 {
            let (mut one, mut two) = (one, two);
            one.0[limb % 8] ^= 1;
            two.0[limb] ^= 1;
            assert_eq!(one.checked(), Err("point off the curve"));
            assert_eq!(two.checked(), Err("point off the curve"));
            if limb % 4 == 3 {
                one.0[limb % 8] = u64::MAX;
                two.0[limb] = u64::MAX;
                assert_eq!(one.checked(), Err("malformed point"));
                assert_eq!(two.checked(), Err("malformed point"));
            }
        }
        // The same residue spelt a second time.
        let modulus = Fq::MODULUS.0;
        assert_eq!(
            PackedG1([&modulus[..], &modulus].concat().try_into().unwrap()).checked(),
            Err("malformed point")
        );
    }
}
