//! The points of a key from powers of τ alone, with δ = 1.

use ark_bn254::{G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, PrimeField, Zero};
use rayon::prelude::*;

use super::phase1::Powers;
use super::transform::{Element, inverse, inverse_unscaled, reciprocal};
use crate::Fr;
use crate::groth16::{Points, VerifyingKey};
use crate::prover::{Domain, Parts};
use crate::r1cs::Shape;

/// The points for a domain that the powers were read for.
pub(super) fn parts(shape: &Shape, domain: Domain, powers: &Powers) -> Parts {
    let inputs = 1 + shape.publics();
    let [a, b, c] = [0, 1, 2].map(|matrix| Columns::of(shape, matrix));
    let lagrange = at_tau::<G1Projective>(domain, &powers.tau_g1[..domain.size()]);
    let even = even(domain, &powers.tau_g1);
    let beta_a = a.apply(&at_tau::<G1Projective>(domain, &powers.beta));
    let alpha_b = b.apply(&at_tau::<G1Projective>(domain, &powers.alpha));
    // C_j(τ)·(τⁿ + 1)/2 for the witness. For the inputs C_j(τ)·(τⁿ − 1)/2, and C_j(τ) in the verifying key.
    let (c_even, c_whole) = (c.apply(&even), c.apply_some(&lagrange, inputs));
    let mut l = sums(&[&beta_a, &alpha_b, &c_even]);
    let c_below: Vec<_> = c_even.iter().zip(&c_whole).map(|(even, whole)| *even - whole).collect();
    l[..inputs].copy_from_slice(&G1Projective::normalize_batch(&c_below));
    let points = Points {
        alpha: powers.alpha[0],
        beta: powers.beta_g2,
        gamma: G2Affine::generator(),
        delta: G2Affine::generator(),
        inputs: sums(&[&beta_a[..inputs], &alpha_b[..inputs], &c_whole]),
    };
    Parts {
        verifying: VerifyingKey::new(points),
        domain,
        beta: powers.beta[0],
        delta: G1Affine::generator(),
        a: G1Projective::normalize_batch(&a.apply(&lagrange)),
        b_g1: G1Projective::normalize_batch(&b.apply(&lagrange)),
        b_g2: G2Projective::normalize_batch(&b.apply(&at_tau::<G2Projective>(domain, &powers.tau_g2))),
        l,
        h: odd(domain, &powers.tau_g1),
    }
}

/// Lⁿ_i(τ), times what the powers are times.
fn at_tau<G>(domain: Domain, powers: &[G::Affine]) -> Vec<G::Affine>
where
    G: CurveGroup<ScalarField = Fr> + Element,
{
    let powers: Vec<G> = powers.iter().map(|point| (*point).into()).collect();
    G::normalize_batch(&inverse(domain, &powers))
}

/// L²ⁿ_{2i}(τ) = (1/2n)·Σ_{j<n} ω^(−ij)·(τ^j + τ^(j+n)).
fn even(domain: Domain, powers: &[G1Affine]) -> Vec<G1Affine> {
    let half = reciprocal(2);
    let sums: Vec<_> = pairs(domain, powers).into_par_iter().map(|(low, high)| (low + high) * half).collect();
    G1Projective::normalize_batch(&inverse(domain, &sums))
}

/// L²ⁿ_{2i+1}(τ) = (1/2n)·Σ_{j<n} ω^(−ij)·ψ^(−j)·(τ^j − τ^(j+n)).
fn odd(domain: Domain, powers: &[G1Affine]) -> Vec<G1Affine> {
    let twist = domain.half_generator().inverse().expect("a root of unity is not zero");
    let first = reciprocal(2 * domain.size());
    let twists: Vec<Fr> =
        std::iter::successors(Some(first), |factor| Some(*factor * twist)).take(domain.size()).collect();
    let pairs = pairs(domain, powers).into_par_iter().zip(twists);
    let twisted: Vec<_> = pairs.map(|((low, high), twist)| (low - high) * twist).collect();
    G1Projective::normalize_batch(&inverse_unscaled(domain, &twisted))
}

/// (τ^j, τ^(j+n)) for j < n, with τ^(n−1) in the place of τ^(2n−1).
fn pairs(domain: Domain, powers: &[G1Affine]) -> Vec<(G1Projective, G1Affine)> {
    let (low, high) = powers.split_at(domain.size());
    let last = low.last().expect("a domain has points");
    low.iter().map(|point| point.into_group()).zip(high.iter().chain([last]).copied()).collect()
}

fn sums(parts: &[&[G1Projective]]) -> Vec<G1Affine> {
    let sum = |i: usize| parts.iter().map(|part| part[i]).sum::<G1Projective>();
    let sums: Vec<_> = (0..parts[0].len()).map(sum).collect();
    G1Projective::normalize_batch(&sums)
}

/// A matrix by columns: for each variable the rows that it is in, with its coefficients there.
struct Columns<'a>(Vec<Vec<(u32, &'a Fr)>>);

static ONE: Fr = Fr::ONE;

impl<'a> Columns<'a> {
    fn of(shape: &'a Shape, matrix: usize) -> Self {
        let mut columns = vec![Vec::new(); 1 + shape.publics() + shape.witnesses()];
        for (i, row) in shape.rows().iter().enumerate() {
            for (var, coefficient) in row[matrix].terms() {
                columns[shape.column(*var)].push((i as u32, coefficient));
            }
        }
        // A has a row of its own for each input, so that their columns are linearly independent.
        if matrix == 0 {
            for (input, column) in columns.iter_mut().take(1 + shape.publics()).enumerate() {
                column.push(((shape.constraints() + input) as u32, &ONE));
            }
        }
        Self(columns)
    }

    /// Σ_i basis_i·M_ij for every variable j.
    fn apply<G>(&self, basis: &[G]) -> Vec<G::Group>
    where
        G: AffineRepr<ScalarField = Fr>,
    {
        self.apply_some(basis, self.0.len())
    }

    /// As [`Columns::apply`], for the first `count` variables.
    fn apply_some<G>(&self, basis: &[G], count: usize) -> Vec<G::Group>
    where
        G: AffineRepr<ScalarField = Fr>,
    {
        self.0[..count]
            .par_iter()
            .map(|column| column.iter().map(|(row, k)| scaled(&basis[*row as usize], k)).sum())
            .collect()
    }
}

/// k·P, by way of −k where that is shorter: most coefficients are small.
fn scaled<G: AffineRepr<ScalarField = Fr>>(point: &G, k: &Fr) -> G::Group {
    let (magnitude, negative) = {
        let (positive, negated) = (k.into_bigint(), (-*k).into_bigint());
        if negated < positive { (negated, true) } else { (positive, false) }
    };
    let limbs = magnitude.0.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
    let product = match limbs {
        0 => G::Group::zero(),
        1 if magnitude.0[0] == 1 => point.into_group(),
        _ => point.mul_bigint(&magnitude.0[..limbs]),
    };
    if negative { -product } else { product }
}
