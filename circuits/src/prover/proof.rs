//! From values to the three points of a proof.

use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::fft;
use super::lanes::Path;
use super::point::Packed;
use super::{Matrices, ProvingKey};
use crate::Fr;

/// What hides the witness: drawn afresh for each proof.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Blinding {
    pub(crate) r: Fr,
    pub(crate) s: Fr,
}

/// A, B and C of the proof for these values: with blinding r and s,
///
/// ```text
/// A = α + Σ z_j·A_j + r·δ    B = β + Σ z_j·B_j + s·δ    C = Σ z_j·L_j + Σ u_i·H_i + s·A + r·B − r·s·δ
/// ```
pub(crate) fn proof(
    path: Path,
    key: &ProvingKey,
    matrices: &Matrices,
    values: &[Fr],
    blinding: &Blinding,
) -> (G1Affine, G2Affine, G1Affine) {
    let Blinding { r, s } = blinding;
    let quotient = || {
        let odd = fft::odd_products(path, key.domain, matrices.evaluate(key.domain.size(), values));
        multiply(&key.h, &odd)
    };
    let linear = || {
        let query = |at: &[u32]| Zeroizing::new(at.iter().map(|j| values[*j as usize]).collect::<Vec<Fr>>());
        let b = query(&key.b.at);
        let (l, (a, (b_g1, b_g2))) = rayon::join(
            || multiply(&key.l.points, &query(&key.l.at)),
            || {
                rayon::join(
                    || multiply(&key.a.points, &query(&key.a.at)),
                    || rayon::join(|| multiply(&key.b.points, &b), || multiply(&key.b_g2, &b)),
                )
            },
        );
        (l, a, b_g1, b_g2)
    };
    let (h, (l, a, b_g1, b_g2)): (G1Projective, (G1Projective, G1Projective, G1Projective, G2Projective)) =
        rayon::join(quotient, linear);
    let points = &key.verifying.points;
    let a = a + points.alpha + key.delta * r;
    let b = b_g2 + points.beta + points.delta * s;
    let b_g1 = b_g1 + key.beta + key.delta * s;
    let c = l + h + a * s + b_g1 * r - key.delta * (*r * s);
    (a.into_affine(), b.into_affine(), c.into_affine())
}

fn multiply<P: Packed>(points: &[P], scalars: &[Fr]) -> <P::Affine as ark_ec::AffineRepr>::Group
where
    <P::Affine as ark_ec::AffineRepr>::Group: VariableBaseMSM<ScalarField = Fr, MulBase = P::Affine>,
{
    let points: Vec<_> = points.par_iter().map(Packed::unpack).collect();
    VariableBaseMSM::msm_unchecked(&points, scalars)
}
