//! Sums of scaled points.

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{One, UniformRand};
use rand_core::CryptoRngCore;

use crate::Fr;

/// Σ scalars_i·points_i.
///
/// # Panics
/// If there are more scalars than points.
pub(super) fn sum<G>(points: &[G], scalars: &[Fr]) -> G::Group
where
    G: AffineRepr<ScalarField = Fr>,
    G::Group: VariableBaseMSM<MulBase = G>,
{
    G::Group::msm_unchecked(&points[..scalars.len()], scalars)
}

/// Factors of a random combination, from the system's generator: unknown to whoever made the points.
pub(super) fn factors(count: usize, rng: &mut dyn CryptoRngCore) -> Vec<Fr> {
    (0..count).map(|_| Fr::rand(rng)).collect()
}

/// Whether e(a, b) = e(c, d).
pub(super) fn same_product(
    (a, b): (impl CurveGroup<Affine = G1Affine>, G2Affine),
    (c, d): (impl CurveGroup<Affine = G1Affine>, G2Affine),
) -> bool {
    Bn254::multi_pairing([a.into_affine(), (-c).into_affine()], [b, d]).0.is_one()
}
