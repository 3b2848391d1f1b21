//! Making keys, by one party: development keys (see [`crate::keys`]).
//!
//! The equations are those of Groth16 §3.2 with the reduction of R1CS that ark-groth16's prover uses: the domain
//! has a point for each row and then one for each public input, the constant one included. The points that the prover
//! needs are those of [`crate::prover`]; the verifying key is the usual one, and on a domain of 2^k points equal to
//! ark-groth16's for the same trapdoor.

use ark_bn254::{G1Projective, G2Projective};
use ark_ec::scalar_mul::{BatchMulPreprocessing, ScalarMul};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, UniformRand, Zero};
use rand_core::CryptoRngCore;
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Error, Points, VerifyingKey};
use crate::Fr;
use crate::prover::{Domain, Matrices, Parts, ProvingKey};
use crate::r1cs::Shape;

/// How far [`setup`] is: group elements made so far, of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Group elements made.
    pub done: usize,
    /// Group elements to make.
    pub of: usize,
}

/// What must not be known to anybody: with it every false statement can be proven.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Trapdoor {
    pub(crate) alpha: Fr,
    pub(crate) beta: Fr,
    pub(crate) gamma: Fr,
    pub(crate) delta: Fr,
    pub(crate) tau: Fr,
}

/// Makes the keys of a circuit and reports progress every few ten thousand points.
///
/// # Errors
/// As [`setup_matrices`].
pub fn setup(
    shape: &Shape,
    rng: &mut dyn CryptoRngCore,
    progress: &mut dyn FnMut(Stage),
) -> Result<ProvingKey, Error> {
    setup_matrices(&Matrices::new(shape), rng, progress)
}

/// As [`setup`], of the matrices of a circuit.
///
/// # Errors
/// [`Error::UnsupportedCircuit`] if F has no domain that is large enough.
pub fn setup_matrices(
    matrices: &Matrices,
    rng: &mut dyn CryptoRngCore,
    progress: &mut dyn FnMut(Stage),
) -> Result<ProvingKey, Error> {
    let domain = Domain::holding(matrices.points()).ok_or(Error::UnsupportedCircuit)?;
    let mut nonzero = || loop {
        let scalar = Fr::rand(rng);
        if !scalar.is_zero() {
            break scalar;
        }
    };
    let [alpha, beta, gamma, delta] = std::array::from_fn(|_| nonzero());
    let tau = loop {
        let tau = nonzero();
        // Neither on the domain nor on its odd coset, where polynomials of the key would vanish.
        if !domain.vanishing(tau.square()).is_zero() {
            break tau;
        }
    };
    with_trapdoor(matrices, domain, &Trapdoor { alpha, beta, gamma, delta, tau }, progress)
}

/// As [`setup_matrices`], with a domain and a trapdoor that are given.
pub(crate) fn with_trapdoor(
    matrices: &Matrices,
    domain: Domain,
    trapdoor: &Trapdoor,
    progress: &mut dyn FnMut(Stage),
) -> Result<ProvingKey, Error> {
    let Scalars { a, b, inputs, l, h } =
        scalars(matrices, domain, trapdoor).ok_or(Error::UnsupportedCircuit)?;
    let in_g1 = a.len() + b.len() + inputs.len() + l.len() + h.len();
    let mut report = Report { stage: Stage { done: 0, of: in_g1 + b.len() }, progress };
    let g2 = BatchMulPreprocessing::new(G2Projective::generator(), b.len());
    let b_g2 = multiply(&g2, &b, &mut report);
    drop(g2);
    let g1 = BatchMulPreprocessing::new(G1Projective::generator(), in_g1);
    let [a, b_g1, inputs, l, h] = [a, b, inputs, l, h].map(|scalars| multiply(&g1, &scalars, &mut report));
    drop(g1);
    let in_g1 = |scalar: Fr| (G1Projective::generator() * scalar).into_affine();
    let in_g2 = |scalar: Fr| (G2Projective::generator() * scalar).into_affine();
    let verifying = VerifyingKey::new(Points {
        alpha: in_g1(trapdoor.alpha),
        beta: in_g2(trapdoor.beta),
        gamma: in_g2(trapdoor.gamma),
        delta: in_g2(trapdoor.delta),
        inputs,
    });
    let (beta, delta) = (in_g1(trapdoor.beta), in_g1(trapdoor.delta));
    ProvingKey::from_parts(Parts { verifying, domain, beta, delta, a, b_g1, b_g2, l, h })
}

/// The discrete logarithms of a key's points: as secret as the trapdoor.
struct Scalars {
    a: Zeroizing<Vec<Fr>>,
    b: Zeroizing<Vec<Fr>>,
    inputs: Zeroizing<Vec<Fr>>,
    l: Zeroizing<Vec<Fr>>,
    h: Zeroizing<Vec<Fr>>,
}

/// As [`crate::prover`] has them; `None` if τ is on the domain or its odd coset, or γ or δ is zero.
fn scalars(matrices: &Matrices, domain: Domain, trapdoor: &Trapdoor) -> Option<Scalars> {
    let Trapdoor { alpha, beta, gamma, delta, tau } = *trapdoor;
    let (over_gamma, over_delta) = (gamma.inverse()?, delta.inverse()?);
    let lagrange = Zeroizing::new(domain.lagrange(tau)?);
    let [mut a, b, c] = [0, 1, 2].map(|matrix| matrices.columns(matrix, &lagrange));
    // The extra points make the polynomials of the inputs in A linearly independent, which soundness needs.
    a.iter_mut()
        .zip(&lagrange[matrices.constraints()..])
        .take(matrices.inputs())
        .for_each(|(a, at)| *a += at);

    let half_vanishing = domain.vanishing(tau) * Fr::from(2u64).inverse()?;
    let all = |scalar: &(dyn Fn(usize) -> Fr + Sync)| {
        Zeroizing::new((0..matrices.variables()).into_par_iter().map(scalar).collect::<Vec<Fr>>())
    };
    let inputs = (0..matrices.inputs()).map(|j| (beta * a[j] + alpha * b[j] + c[j]) * over_gamma).collect();
    let l = all(&|j| {
        // C_j·(τⁿ − 1)/2 is what H leaves out.
        let rest = c[j] * half_vanishing;
        if j < matrices.inputs() {
            rest * over_delta
        } else {
            (beta * a[j] + alpha * b[j] + c[j] + rest) * over_delta
        }
    });
    let mut h = Zeroizing::new(domain.odd_lagrange(tau)?);
    h.par_iter_mut().for_each(|scalar| *scalar *= over_delta);
    Some(Scalars { a, b, inputs: Zeroizing::new(inputs), l, h })
}

struct Report<'a> {
    stage: Stage,
    progress: &'a mut dyn FnMut(Stage),
}

/// Multiplies the table's base by each scalar.
fn multiply<G: ScalarMul<ScalarField = Fr>>(
    table: &BatchMulPreprocessing<G>,
    scalars: &[Fr],
    report: &mut Report<'_>,
) -> Vec<G::MulBase> {
    const CHUNK: usize = 1 << 15;
    let mut out = Vec::with_capacity(scalars.len());
    for chunk in scalars.chunks(CHUNK) {
        out.extend(table.batch_mul(chunk));
        report.stage.done += chunk.len();
        (report.progress)(report.stage);
    }
    out
}
