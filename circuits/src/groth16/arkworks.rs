//! Keys and proofs held against ark-groth16's, for the same trapdoor and blinding.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_groth16::{Groth16, prepare_verifying_key};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::setup::{Trapdoor, with_trapdoor};
use super::*;
use crate::Fr;
use crate::prover::lanes::Path;
use crate::prover::{Blinding, Domain, Packed, Work, proof};
use crate::r1cs::{Assignment, Cs, Lc, Num, Shape, Var};

/// A chain of products with so many rows and public inputs; values are bits, small and wide, zero and one.
fn circuit<C: Cs>(cs: &mut C, rows: usize, publics: usize) {
    let x = cs.hint(&[], |_| Fr::from(3u64));
    let zero = cs.product(&x.minus(&x), &x);
    let mut wide = cs.product(&x.plus(&C::Num::constant(Fr::from(7u64))), &x.times(-Fr::from(5u64)));
    // In no row at all.
    cs.hint(&[], |_| Fr::from(8u64));
    for i in 0..rows - publics - 2 {
        wide = if i % 3 == 0 { cs.product(&zero.not(), &x) } else { cs.product(&wide, &wide.minus(&zero)) };
    }
    for i in 0..publics {
        cs.public(&wide.times(Fr::from(i as u64)));
    }
}

/// Feeds a shape to arkworks' own generator.
struct Fed<'a>(&'a Shape);

impl ConstraintSynthesizer<Fr> for Fed<'_> {
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

fn trapdoor(tau: Fr) -> Trapdoor {
    let [alpha, beta, gamma, delta] = [2u64, 3, 5, 7].map(Fr::from);
    Trapdoor { alpha, beta, gamma, delta, tau }
}

fn in_their_form(key: &VerifyingKey) -> ark_groth16::VerifyingKey<Bn254> {
    let points = &key.points;
    ark_groth16::VerifyingKey {
        alpha_g1: points.alpha,
        beta_g2: points.beta,
        gamma_g2: points.gamma,
        delta_g2: points.delta,
        gamma_abc_g1: points.inputs.clone(),
    }
}

fn holds_for_them(key: &VerifyingKey, publics: &[Fr], proof: &Proof) -> bool {
    let prepared = prepare_verifying_key(&in_their_form(key));
    let proof = ark_groth16::Proof { a: proof.a, b: proof.b, c: proof.c };
    Groth16::<Bn254>::verify_proof(&prepared, &proof, publics).unwrap()
}

#[test]
fn keys_and_proofs_are_those_of_arkworks_on_a_domain_of_theirs() {
    for (rows, publics) in [(13, 1), (14, 1), (62, 1), (509, 2), (8, 0)] {
        let rng = ChaCha20Rng::seed_from_u64(1);
        let shape = Shape::of(|cs| circuit(cs, rows, publics));
        let matrices = Matrices::new(&shape);
        assert_eq!(matrices.constraints(), rows);
        // Their generator draws τ itself, from the state that it is handed.
        let theirs = GeneralEvaluationDomain::<Fr>::new(matrices.points()).unwrap();
        let trapdoor = trapdoor(theirs.sample_element_outside_domain(&mut rng.clone()));
        let domain = Domain::of_size(theirs.size()).unwrap();
        let ours = with_trapdoor(&matrices, domain, &trapdoor, &mut |_| {}).unwrap();
        let theirs = Groth16::<Bn254>::generate_parameters_with_qap(
            Fed(&shape),
            trapdoor.alpha,
            trapdoor.beta,
            trapdoor.gamma,
            trapdoor.delta,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut rng.clone(),
        )
        .unwrap();
        assert!(in_their_form(ours.verifying_key()) == theirs.vk);
        assert_eq!((ours.beta, ours.delta), (theirs.beta_g1, theirs.delta_g1));
        for (j, point) in ours.a.at.iter().zip(ours.a.points.iter()) {
            assert_eq!(point.unpack(), theirs.a_query[*j as usize]);
        }

        let values = Assignment::of(|cs| circuit(cs, rows, publics));
        let (r, s) = (Fr::from(11u64), -Fr::from(13u64));
        let made = |path: Path| {
            let work = Work { path, key: &ours, matrices: &matrices, values: &values.full() };
            let (a, b, c) = proof(&work, &Blinding { r, s });
            Proof { a, b, c }
        };
        let proof = made(Path::detect());
        assert_eq!(made(Path::Portable).to_bytes(), proof.to_bytes());
        let other = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
            &theirs,
            r,
            s,
            &shape.matrices(),
            matrices.inputs(),
            rows,
            &values.full(),
        )
        .unwrap();
        let other = Proof { a: other.a, b: other.b, c: other.c };
        assert_eq!(proof.to_bytes(), other.to_bytes());
        assert!(holds_for_them(ours.verifying_key(), values.publics(), &proof));
        assert_eq!(verify_inputs(ours.verifying_key(), values.publics(), &other), Ok(()));
    }
}

#[test]
fn proofs_on_other_domains_hold_for_arkworks() {
    for (rows, size) in [(4, 6), (7, 9), (10, 12), (15, 18), (94, 96), (140, 144)] {
        let shape = Shape::of(|cs| circuit(cs, rows, 1));
        let matrices = Matrices::new(&shape);
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = setup_matrices(&matrices, &mut rng, &mut |_| {}).unwrap();
        assert_eq!(key.domain().size(), size);
        let values = Assignment::of(|cs| circuit(cs, rows, 1));
        let proof = prove(&key, &matrices, &values, &mut rng).unwrap();
        assert!(holds_for_them(key.verifying_key(), values.publics(), &proof));
        assert!(!holds_for_them(key.verifying_key(), &[values.publics()[0] + Fr::from(1u64)], &proof));
    }
}

#[test]
fn rows_of_arkworks_are_proven() {
    let shape = Shape::of(|cs| circuit(cs, 40, 3));
    let [a, b, c] = shape.matrices();
    let variables = 1 + shape.publics() + shape.witnesses();
    let matrices = Matrices::from_rows(4, variables, [&a, &b, &c]).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let key = setup_matrices(&matrices, &mut rng, &mut |_| {}).unwrap();
    let mut values = Assignment::of(|cs| circuit(cs, 40, 3)).full();
    let proof = prove_values(&key, &matrices, &values, &mut rng).unwrap();
    assert_eq!(verify_inputs(key.verifying_key(), &values[1..4], &proof), Ok(()));
    // Other numbers of inputs hold for nothing.
    for wrong in [&values[1..3], &values[1..5], &[]] {
        assert_eq!(verify_inputs(key.verifying_key(), wrong, &proof), Err(Error::ProofInvalid));
    }
    assert_eq!(verify(key.verifying_key(), values[1], &proof), Err(Error::ProofInvalid));
    assert_eq!(verify_batch(key.verifying_key(), &[(values[1], proof)], &mut rng), Err(Error::ProofInvalid));
    assert_eq!(prove_values(&key, &matrices, &values[1..], &mut rng), Err(Error::KeyMismatch));
    // The input that stands in the last row.
    values[3] += Fr::from(1u64);
    let refused = prove_values(&key, &matrices, &values, &mut rng);
    assert_eq!(refused, Err(Error::WitnessUnsatisfied { row: 39, family: "" }));
    values[0] = Fr::from(2u64);
    assert_eq!(prove_values(&key, &matrices, &values, &mut rng), Err(Error::KeyMismatch));
}

#[test]
fn rows_that_are_no_constraint_system_are_refused() {
    let row = |column| vec![vec![(Fr::from(1u64), column)]];
    let (good, beyond, longer) = (row(1), row(2), [row(1), row(1)].concat());
    assert!(Matrices::from_rows(1, 2, [&good, &good, &good]).is_ok());
    for rows in [[&beyond, &good, &good], [&good, &good, &beyond], [&good, &longer, &good]] {
        assert_eq!(Matrices::from_rows(1, 2, rows).err(), Some(Error::UnsupportedCircuit));
    }
    for (inputs, variables) in [(0, 2), (3, 2), (1, usize::MAX)] {
        assert_eq!(
            Matrices::from_rows(inputs, variables, [&good, &good, &good]).err(),
            Some(Error::UnsupportedCircuit)
        );
    }
}
