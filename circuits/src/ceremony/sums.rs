//! Sums of scaled points.

use ark_bn254::{Bn254, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::CurveGroup;
use ark_ec::pairing::Pairing;
use ark_ff::{One, UniformRand};
use rand_core::CryptoRngCore;

use crate::Fr;
use crate::prover::curve::Group;
use crate::prover::lanes::Path;
use crate::prover::msm::msm;
use crate::prover::{PackedG1, PackedG2};

/// Σ scalars_i·points_i in G1, of the first points if there are more. Exact for all points of the curve.
///
/// # Panics
/// If there are more scalars than points.
pub(super) fn sum(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    packed_sum::<PackedG1>(points, scalars)
}

/// As [`sum`], in G2.
pub(super) fn sum_g2(points: &[G2Affine], scalars: &[Fr]) -> G2Projective {
    packed_sum::<PackedG2>(points, scalars)
}

fn packed_sum<P: Group>(points: &[P::Affine], scalars: &[Fr]) -> P::Curve {
    let points: Vec<P> = points[..scalars.len()].iter().map(P::pack).collect();
    msm(Path::detect(), &points, scalars)
}

/// Factors of a random combination, from the system's generator: unknown to whoever made the points.
pub(super) fn factors(count: usize, rng: &mut dyn CryptoRngCore) -> Vec<Fr> {
    (0..count).map(|_| Fr::rand(rng)).collect()
}

/// Whether e(a, b) = e(c, d).
pub(super) fn same_product((a, b): (G1Projective, G2Affine), (c, d): (G1Projective, G2Affine)) -> bool {
    Bn254::multi_pairing([a.into_affine(), (-c).into_affine()], [b, d]).0.is_one()
}
