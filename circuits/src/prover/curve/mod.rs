//! The groups of BN254 on lanes: additions of points in batches, sums of groups of points.
//!
//! Points lie in memory as in a key ([`Packed`]), which is one [`Line`] in G1 and two in G2 (real and imaginary part
//! of x, then of y), infinity all zero: (0, 0) is on neither curve. Between steps a coordinate may be any
//! representative below 2p, so that sums are lines until [`Group::sum`] takes them for a point.
//!
//! Additions are exact for all inputs: equal points, opposite ones and infinity are found and given their results,
//! so that no choice of points or scalars makes a sum wrong. Nothing relies on points being in the subgroup.

use ark_bn254::{Fq, Fq2, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Zero;
use zerocopy::{FromBytes, IntoBytes};

use super::lanes::{Base, Cpu, Line};
use super::point::{Packed, PackedG1, PackedG2};
use crate::Fr;

mod coordinate;
mod pairs;
mod scale;
mod several;
mod sums;
#[cfg(test)]
mod tests;

pub use coordinate::{Coordinate, Quadratic};
pub use pairs::Signed;
pub use scale::{Factor, scale};
pub use several::Several;
pub use sums::sums;

/// G1 or G2, by their points in memory.
pub trait Group: Packed {
    /// Points as arkworks calculates with them.
    type Curve: CurveGroup<ScalarField = Fr, Affine = Self::Affine>;
    /// Coordinates on lanes.
    type Coordinate<C: Cpu>: Coordinate<C::Lanes<Fq>, Element = <Self::Affine as AffineRepr>::BaseField>;
    /// Lines of a point.
    const LINES: usize = size_of::<Self>() / size_of::<Line>();

    /// The lines of points.
    fn lines(points: &[Self]) -> &[Line] {
        <[Line]>::ref_from_bytes(points.as_bytes())
            .expect("a point is so many lines, and aligned as they are")
    }

    /// The point of [`Group::LINES`] lines. Whether it is on the curve is not checked.
    fn sum(lines: &[Line]) -> Self::Affine;

    /// Negates the point of [`Group::LINES`] lines.
    fn negate(lines: &mut [Line]);

    /// What [`scale`] multiplies a point by for a scalar.
    fn factor(scalar: &Fr) -> Factor;

    /// The cube root of one by which x is multiplied where a point is by λ (see [`scale`]).
    fn beta() -> <Self::Affine as AffineRepr>::BaseField;
}

impl Group for PackedG1 {
    type Curve = G1Projective;
    type Coordinate<C: Cpu> = C::InStep;

    fn sum(lines: &[Line]) -> G1Affine {
        let [x, y] = lines[0].0.map(Fq::from_limbs);
        if x.is_zero() && y.is_zero() { G1Affine::identity() } else { G1Affine::new_unchecked(x, y) }
    }

    #[inline(always)]
    fn negate(lines: &mut [Line]) {
        lines[0].0[1] = negated(lines[0].0[1]);
    }

    fn factor(scalar: &Fr) -> Factor {
        Factor::halved::<ark_bn254::g1::Config>(scalar)
    }

    fn beta() -> Fq {
        ark_bn254::g1::Config::ENDO_COEFFS[0]
    }
}

impl Group for PackedG2 {
    type Curve = G2Projective;
    type Coordinate<C: Cpu> = Quadratic<C::Lanes<Fq>>;

    fn sum(lines: &[Line]) -> G2Affine {
        let [x, y] = [&lines[0], &lines[1]].map(|line| {
            let [real, imaginary] = line.0.map(Fq::from_limbs);
            Fq2::new(real, imaginary)
        });
        if x.is_zero() && y.is_zero() { G2Affine::identity() } else { G2Affine::new_unchecked(x, y) }
    }

    #[inline(always)]
    fn negate(lines: &mut [Line]) {
        lines[1].0 = lines[1].0.map(negated);
    }

    fn factor(scalar: &Fr) -> Factor {
        Factor::halved::<ark_bn254::g2::Config>(scalar)
    }

    fn beta() -> Fq2 {
        ark_bn254::g2::Config::ENDO_COEFFS[0]
    }
}

/// The limbs of −x, for any representative below 2p.
#[inline(always)]
fn negated(limbs: [u64; 4]) -> [u64; 4] {
    (-Fq::from_limbs(limbs)).to_limbs()
}
