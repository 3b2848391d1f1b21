//! The points of a key from powers of tau alone, with δ = 1.

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::Field;

use super::phase1::Powers;
use super::points::{Columns, Inverse, combined, packed, scaled, unpacked};
use super::transform::reciprocal;
use crate::Fr;
use crate::groth16::{Points, VerifyingKey};
use crate::prover::{Domain, PackedG1, PackedG2, Parts};
use crate::r1cs::Shape;

/// The points for a domain that the powers were read for.
pub(super) fn parts(shape: &Shape, domain: Domain, powers: &Powers) -> Parts {
    let inputs = 1 + shape.publics();
    let [a, b, c] = [0, 1, 2].map(|matrix| Columns::of(shape, matrix));
    let inverse = Inverse::<PackedG1>::new(domain);
    let at_tau = |powers: &[G1Affine]| inverse.apply(&packed(powers));
    let lagrange = at_tau(&powers.tau_g1[..domain.size()]);
    let beta_a = a.apply(&at_tau(&powers.beta));
    let alpha_b = b.apply(&at_tau(&powers.alpha));
    // C_j(τ)·(τⁿ + 1)/2 for the witness. For the inputs C_j(τ)·(τⁿ − 1)/2, and C_j(τ) in the verifying key.
    let c_even = c.apply(&even(&inverse, &powers.tau_g1, domain.size()));
    let c_whole = c.apply_some(&lagrange, inputs);
    let mut l = combined(&[(&beta_a[..], false), (&alpha_b, false), (&c_even, false)]);
    l[..inputs].copy_from_slice(&combined(&[(&c_even[..inputs], false), (&c_whole, true)]));
    let of_inputs = combined(&[(&beta_a[..inputs], false), (&alpha_b[..inputs], false), (&c_whole, false)]);
    let points = Points {
        alpha: powers.alpha[0],
        beta: powers.beta_g2,
        gamma: G2Affine::generator(),
        delta: G2Affine::generator(),
        inputs: unpacked(&of_inputs),
    };
    let in_g2 = Inverse::<PackedG2>::new(domain).apply(&packed(&powers.tau_g2));
    Parts {
        verifying: VerifyingKey::new(points),
        domain,
        beta: powers.beta[0],
        delta: G1Affine::generator(),
        a: unpacked(&a.apply(&lagrange)),
        b_g1: unpacked(&b.apply(&lagrange)),
        b_g2: unpacked(&b.apply(&in_g2)),
        l: unpacked(&l),
        h: unpacked(&odd(&inverse, domain, &powers.tau_g1)),
    }
}

/// L²ⁿ_{2i}(τ) = (1/2n)·Σ_{j<n} ω^(−ij)·(τ^j + τ^(j+n)).
fn even(inverse: &Inverse<PackedG1>, powers: &[G1Affine], size: usize) -> Vec<PackedG1> {
    let (low, high) = halves(powers, size);
    inverse.apply_times(&combined(&[(&low[..], false), (&high, false)]), reciprocal(2 * size))
}

/// L²ⁿ_{2i+1}(τ) = (1/2n)·Σ_{j<n} ω^(−ij)·ψ^(−j)·(τ^j − τ^(j+n)).
fn odd(inverse: &Inverse<PackedG1>, domain: Domain, powers: &[G1Affine]) -> Vec<PackedG1> {
    let twist = domain.half_generator().inverse().expect("a root of unity is not zero");
    let first = reciprocal(2 * domain.size());
    let twists: Vec<Fr> =
        std::iter::successors(Some(first), |factor| Some(*factor * twist)).take(domain.size()).collect();
    let (low, high) = halves(powers, domain.size());
    let differences = unpacked(&combined(&[(&low[..], false), (&high, true)]));
    inverse.apply_times(&scaled::<PackedG1>(&differences, |j| twists[j]), Fr::ONE)
}

/// τ^j and τ^(j+n) for j < n, with τ^(n−1) in the place of τ^(2n−1).
fn halves(powers: &[G1Affine], size: usize) -> (Vec<PackedG1>, Vec<PackedG1>) {
    let (low, high) = powers.split_at(size);
    let last = low.last().expect("a domain has points");
    (packed(low), packed(&[high, &[*last]].concat()))
}
