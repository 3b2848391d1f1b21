//! From values to the three points of a proof.

use std::hint::black_box;

use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::CurveGroup;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::fft;
use super::lanes::Path;
use super::msm::msm;
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
pub(crate) fn proof(work: &Work<'_>, blinding: &Blinding) -> (G1Affine, G2Affine, G1Affine) {
    let Blinding { r, s } = blinding;
    let (h, ((l, a), (b_g1, b_g2))) = rayon::join(
        || work.h(&work.odd_products(work.rows())),
        || {
            rayon::join(
                || rayon::join(|| work.l(), || work.a()),
                || {
                    let values = work.b_values();
                    rayon::join(|| work.b_g1(&values), || work.b_g2(&values))
                },
            )
        },
    );
    let (key, points) = (work.key, &work.key.verifying.points);
    let a = a + points.alpha + key.delta * r;
    let b = b_g2 + points.beta + points.delta * s;
    let b_g1 = b_g1 + key.beta + key.delta * s;
    let c = l + h + a * s + b_g1 * r - key.delta * (*r * s);
    (a.into_affine(), b.into_affine(), c.into_affine())
}

/// Runs the stages of a proof one after another, each by a call of `run` with its name: for measurement.
///
/// # Panics
/// If there are not as many values as the matrices have columns.
pub fn stages(
    path: Path,
    key: &ProvingKey,
    matrices: &Matrices,
    values: &[Fr],
    run: &mut dyn FnMut(&'static str, &mut dyn FnMut()),
) {
    let work = Work { path, key, matrices, values };
    let (mut rows, mut odd) = (None, None);
    run("stage_rows", &mut || rows = Some(work.rows()));
    run("stage_transforms", &mut || odd = rows.take().map(|rows| work.odd_products(rows)));
    run("stage_msm_h", &mut || _ = odd.as_ref().map(|odd| black_box(work.h(odd))));
    run("stage_msm_l", &mut || _ = black_box(work.l()));
    run("stage_msm_a", &mut || _ = black_box(work.a()));
    run("stage_msm_b1", &mut || _ = black_box(work.b_g1(&work.b_values())));
    run("stage_msm_b2", &mut || _ = black_box(work.b_g2(&work.b_values())));
}

/// What a proof is made of.
pub(crate) struct Work<'a> {
    pub(crate) path: Path,
    pub(crate) key: &'a ProvingKey,
    pub(crate) matrices: &'a Matrices,
    /// One, the public inputs, the witness.
    pub(crate) values: &'a [Fr],
}

impl Work<'_> {
    /// A·z and B·z on the domain.
    fn rows(&self) -> [Zeroizing<Vec<Fr>>; 2] {
        self.matrices.evaluate(self.key.domain.size(), self.values)
    }

    /// u_i for i < n.
    fn odd_products(&self, rows: [Zeroizing<Vec<Fr>>; 2]) -> Zeroizing<Vec<Fr>> {
        fft::odd_products(self.path, self.key.domain, rows)
    }

    fn h(&self, odd: &[Fr]) -> G1Projective {
        msm(self.path, &self.key.h, odd)
    }

    fn l(&self) -> G1Projective {
        msm(self.path, &self.key.l.points, &self.values_at(&self.key.l.at))
    }

    fn a(&self) -> G1Projective {
        msm(self.path, &self.key.a.points, &self.values_at(&self.key.a.at))
    }

    fn b_values(&self) -> Zeroizing<Vec<Fr>> {
        self.values_at(&self.key.b.at)
    }

    fn b_g1(&self, values: &[Fr]) -> G1Projective {
        msm(self.path, &self.key.b.points, values)
    }

    fn b_g2(&self, values: &[Fr]) -> G2Projective {
        msm(self.path, &self.key.b_g2, values)
    }

    fn values_at(&self, columns: &[u32]) -> Zeroizing<Vec<Fr>> {
        Zeroizing::new(columns.iter().map(|j| self.values[*j as usize]).collect())
    }
}
