//! Making keys, by one party: development keys (see [`crate::keys`]).
//!
//! The equations are those of Groth16 §3.2 with the reduction of R1CS that ark-groth16's prover uses: the domain
//! has a point for each row and then one for each public input, the constant one included. Written here rather than
//! taken from there, so that the matrices are read in place, progress is seen and the trapdoor is wiped; a test
//! compares the result with theirs.

use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::scalar_mul::{BatchMulPreprocessing, ScalarMul};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, UniformRand, Zero};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use rand_core::CryptoRngCore;
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::verify::Points;
use super::{Error, ProvingKey, VerifyingKey};
use crate::Fr;
use crate::r1cs::{Lc, Shape};

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
pub(super) struct Trapdoor {
    pub(super) alpha: Fr,
    pub(super) beta: Fr,
    pub(super) gamma: Fr,
    pub(super) delta: Fr,
    pub(super) tau: Fr,
}

/// Makes the keys of a circuit with exactly one public input and reports progress every few ten thousand points.
pub fn setup(
    shape: &Shape,
    rng: &mut dyn CryptoRngCore,
    progress: &mut dyn FnMut(Stage),
) -> Result<ProvingKey, Error> {
    let domain = domain(shape)?;
    let nonzero = |rng: &mut dyn CryptoRngCore| loop {
        let scalar = Fr::rand(rng);
        if !scalar.is_zero() {
            break scalar;
        }
    };
    let tau = loop {
        let tau = Fr::rand(rng);
        if !domain.evaluate_vanishing_polynomial(tau).is_zero() {
            break tau;
        }
    };
    let trapdoor =
        Trapdoor { alpha: nonzero(rng), beta: nonzero(rng), gamma: nonzero(rng), delta: nonzero(rng), tau };
    with_trapdoor(shape, &trapdoor, progress)
}

/// The evaluation domain: a point per row and per input, and the constant one.
fn domain(shape: &Shape) -> Result<GeneralEvaluationDomain<Fr>, Error> {
    if shape.publics() != 1 {
        return Err(Error::UnsupportedCircuit);
    }
    GeneralEvaluationDomain::new(shape.constraints() + 2).ok_or(Error::UnsupportedCircuit)
}

/// As [`setup`], with a trapdoor that is given.
pub(super) fn with_trapdoor(
    shape: &Shape,
    trapdoor: &Trapdoor,
    progress: &mut dyn FnMut(Stage),
) -> Result<ProvingKey, Error> {
    const INPUTS: usize = 2;
    let domain = domain(shape)?;
    let [a, b, c] = polynomials(shape, &domain, trapdoor.tau);
    let gamma_inverse = trapdoor.gamma.inverse().ok_or(Error::UnsupportedCircuit)?;
    let delta_inverse = trapdoor.delta.inverse().ok_or(Error::UnsupportedCircuit)?;
    // (β·a_i + α·b_i + c_i), over γ for the inputs and over δ for the witness.
    let combined = Zeroizing::new(
        (0..a.len())
            .into_par_iter()
            .map(|i| {
                let over = if i < INPUTS { gamma_inverse } else { delta_inverse };
                (trapdoor.beta * a[i] + trapdoor.alpha * b[i] + c[i]) * over
            })
            .collect::<Vec<Fr>>(),
    );
    let powers = Zeroizing::new(vanishing_powers(&domain, trapdoor.tau, delta_inverse));

    let g1_elements = a.len() + b.len() + combined.len() + powers.len();
    let mut report = Report { stage: Stage { done: 0, of: g1_elements + b.len() }, progress };
    let g2 = BatchMulPreprocessing::new(G2Projective::generator(), b.len());
    let b_g2_query = multiply(&g2, &b, &mut report);
    drop(g2);
    let g1 = BatchMulPreprocessing::new(G1Projective::generator(), g1_elements);
    let a_query = multiply(&g1, &a, &mut report);
    let b_g1_query = multiply(&g1, &b, &mut report);
    let h_query = multiply(&g1, &powers, &mut report);
    let mut inputs = multiply(&g1, &combined, &mut report);
    drop(g1);
    let l_query = inputs.split_off(INPUTS);

    let in_g1 = |scalar: Fr| (G1Projective::generator() * scalar).into_affine();
    let in_g2 = |scalar: Fr| (G2Projective::generator() * scalar).into_affine();
    let vk = ark_groth16::VerifyingKey::<Bn254> {
        alpha_g1: in_g1(trapdoor.alpha),
        beta_g2: in_g2(trapdoor.beta),
        gamma_g2: in_g2(trapdoor.gamma),
        delta_g2: in_g2(trapdoor.delta),
        gamma_abc_g1: inputs,
    };
    let verifying = VerifyingKey::new(Points {
        alpha: vk.alpha_g1,
        beta: vk.beta_g2,
        gamma: vk.gamma_g2,
        delta: vk.delta_g2,
        inputs: [vk.gamma_abc_g1[0], vk.gamma_abc_g1[1]],
    });
    let inner = ark_groth16::ProvingKey {
        vk,
        beta_g1: in_g1(trapdoor.beta),
        delta_g1: in_g1(trapdoor.delta),
        a_query,
        b_g1_query,
        b_g2_query,
        h_query,
        l_query,
    };
    Ok(ProvingKey { inner, verifying })
}

/// The polynomials a_i, b_i, c_i of every variable at τ.
fn polynomials(shape: &Shape, domain: &GeneralEvaluationDomain<Fr>, tau: Fr) -> [Zeroizing<Vec<Fr>>; 3] {
    let lagrange = Zeroizing::new(domain.evaluate_all_lagrange_coefficients(tau));
    let variables = 1 + shape.publics() + shape.witnesses();
    let mut out: [_; 3] = std::array::from_fn(|_| Zeroizing::new(vec![Fr::zero(); variables]));
    let add = |into: &mut Vec<Fr>, form: &Lc, at: Fr| {
        for (var, coefficient) in form.terms() {
            into[shape.column(*var)] += at * coefficient;
        }
    };
    for (row, at) in shape.rows().iter().zip(lagrange.iter()) {
        for (form, into) in row.iter().zip(&mut out) {
            add(into, form, *at);
        }
    }
    // The extra points make the a_i of the inputs linearly independent, which soundness needs.
    for (input, at) in lagrange[shape.constraints()..].iter().take(1 + shape.publics()).enumerate() {
        out[0][input] += at;
    }
    out
}

/// τ^i·Z(τ)/δ for every i below the degree of Z, less one.
fn vanishing_powers(domain: &GeneralEvaluationDomain<Fr>, tau: Fr, delta_inverse: Fr) -> Vec<Fr> {
    let first = domain.evaluate_vanishing_polynomial(tau) * delta_inverse;
    std::iter::successors(Some(first), |power| Some(*power * tau)).take(domain.size() - 1).collect()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use ark_groth16::Groth16;
    use ark_relations::gr1cs::{
        ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
    };
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::r1cs::{Cs, Num, Var};

    fn circuit<C: Cs>(cs: &mut C) {
        let x = cs.hint(&[], |_| Fr::from(3u64));
        let y = cs.product(&x, &x.plus(&C::Num::constant(Fr::from(7u64))));
        let mut z = cs.product(&y.minus(&x), &x.times(Fr::from(5u64)));
        for _ in 0..9 {
            z = cs.product(&z, &y);
        }
        cs.public(&z);
    }

    /// Feeds a shape to arkworks' own generator.
    struct Fed(Shape);

    impl ConstraintSynthesizer<Fr> for Fed {
        fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
            let zero = || Ok(Fr::from(0u64));
            let publics: Vec<_> =
                (0..self.0.publics()).map(|_| cs.new_input_variable(zero)).collect::<Result<_, _>>()?;
            let witness: Vec<_> =
                (0..self.0.witnesses()).map(|_| cs.new_witness_variable(zero)).collect::<Result<_, _>>()?;
            let form = |lc: &Lc| {
                let terms = lc.terms().iter().map(|(var, k)| match var {
                    Var::One => (*k, Variable::One),
                    Var::Public(i) => (*k, publics[*i as usize]),
                    Var::Witness(i) => (*k, witness[*i as usize]),
                });
                LinearCombination(terms.collect())
            };
            for [a, b, c] in self.0.rows() {
                let (a, b, c) = (form(a), form(b), form(c));
                cs.enforce_r1cs_constraint(|| a.clone(), || b.clone(), || c.clone())?;
            }
            Ok(())
        }
    }

    #[test]
    fn keys_are_those_of_arkworks_for_the_same_trapdoor() {
        let rng = ChaCha20Rng::seed_from_u64(1);
        let shape = Shape::of(circuit);
        // Their generator draws τ itself, from the state that it is handed.
        let tau = domain(&shape).unwrap().sample_element_outside_domain(&mut rng.clone());
        let scalar = |v: u64| Fr::from(v);
        let trapdoor =
            Trapdoor { alpha: scalar(2), beta: scalar(3), gamma: scalar(5), delta: scalar(7), tau };
        let ours = with_trapdoor(&shape, &trapdoor, &mut |_| {}).unwrap();
        let theirs = Groth16::<Bn254>::generate_parameters_with_qap(
            Fed(shape),
            trapdoor.alpha,
            trapdoor.beta,
            trapdoor.gamma,
            trapdoor.delta,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut rng.clone(),
        )
        .unwrap();
        assert!(ours.inner == theirs);
    }
}
