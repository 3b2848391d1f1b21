//! ark-groth16 on the identical constraint system.

use std::hint::black_box;

use anyhow::Context as _;
use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::VariableBaseMSM as _;
use ark_ff::{PrimeField as _, UniformRand as _};
use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP as _};
use ark_groth16::{Groth16, ProvingKey};
use ark_poly::GeneralEvaluationDomain;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::r1cs::{Assignment, Lc, Matrix, Shape, Var};

use super::Samples;
use crate::Effort;
use crate::row::Row;

/// Their prover, with a key that it made and values to prove.
pub(super) struct Prover {
    key: ProvingKey<Bn254>,
    matrices: [Matrix; 3],
    values: Vec<Fr>,
    inputs: usize,
}

impl Prover {
    pub(super) fn new(shape: &Shape, values: &Assignment) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let key = Groth16::<Bn254>::generate_random_parameters_with_reduction(Fed(shape), &mut rng);
        let key = key.context("ark-groth16 made no key")?;
        Ok(Self { key, matrices: shape.matrices(), values: values.full(), inputs: 1 + shape.publics() })
    }

    pub(super) fn prove(&self) -> anyhow::Result<()> {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let proof = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
            &self.key,
            Fr::rand(&mut rng),
            Fr::rand(&mut rng),
            &self.matrices,
            self.inputs,
            self.matrices[0].len(),
            &self.values,
        );
        black_box(proof.context("ark-groth16 made no proof")?);
        Ok(())
    }

    /// The same stages as those of [`sigveil_circuits::prover::stages`]; theirs takes rows and transforms together.
    pub(super) fn stages(&self, name: &str, effort: Effort) -> anyhow::Result<Vec<Row>> {
        let quotient = || {
            LibsnarkReduction::witness_map_from_matrices::<Fr, GeneralEvaluationDomain<Fr>>(
                &self.matrices,
                self.inputs,
                self.matrices[0].len(),
                &self.values,
            )
        };
        let h: Vec<_> =
            quotient().context("the domain is too small")?.iter().map(|h| h.into_bigint()).collect();
        let all: Vec<_> = self.values.iter().map(|value| value.into_bigint()).collect();
        let mut spent_in = Samples::default();
        for _ in 0..effort.times(3, 9) {
            let key = &self.key;
            spent_in.add("stage_transforms", &mut || _ = black_box(quotient()));
            spent_in.add("stage_msm_h", &mut || _ = black_box(G1Projective::msm_bigint(&key.h_query, &h)));
            let witness = &all[self.inputs..];
            spent_in
                .add("stage_msm_l", &mut || _ = black_box(G1Projective::msm_bigint(&key.l_query, witness)));
            spent_in.add("stage_msm_a", &mut || _ = black_box(G1Projective::msm_bigint(&key.a_query, &all)));
            spent_in
                .add("stage_msm_b1", &mut || _ = black_box(G1Projective::msm_bigint(&key.b_g1_query, &all)));
            spent_in
                .add("stage_msm_b2", &mut || _ = black_box(G2Projective::msm_bigint(&key.b_g2_query, &all)));
        }
        Ok(spent_in.rows(name))
    }
}

/// Feeds a shape to their generator.
struct Fed<'a>(&'a Shape);

impl ConstraintSynthesizer<Fr> for Fed<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let zero = || Ok(Fr::from(0u64));
        let publics = (0..self.0.publics()).map(|_| cs.new_input_variable(zero));
        let publics = publics.collect::<Result<Vec<_>, _>>()?;
        let witness = (0..self.0.witnesses()).map(|_| cs.new_witness_variable(zero));
        let witness = witness.collect::<Result<Vec<_>, _>>()?;
        let form = |lc: &Lc| {
            let terms = lc.terms().iter().map(|(var, k)| match var {
                Var::One => (*k, Variable::One),
                Var::Public(i) => (*k, publics[*i as usize]),
                Var::Witness(i) => (*k, witness[*i as usize]),
            });
            LinearCombination(terms.collect())
        };
        for [a, b, c] in self.0.rows() {
            cs.enforce_r1cs_constraint(|| form(a), || form(b), || form(c))?;
        }
        Ok(())
    }
}
