//! ark-groth16 on the identical constraint system.

use std::hint::black_box;

use anyhow::Context as _;
use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::{PrimeGroup as _, VariableBaseMSM as _};
use ark_ff::{PrimeField as _, UniformRand as _};
use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP as _};
use ark_groth16::{Groth16, Proof, ProvingKey, prepare_verifying_key};
use ark_poly::{EvaluationDomain as _, GeneralEvaluationDomain, Radix2EvaluationDomain};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::{ProvingKey as ProvingKeyOfOurs, VerifyingKey, prove, verify_inputs};
use sigveil_circuits::prover::Matrices;
use sigveil_circuits::r1cs::{Assignment, Lc, Matrix, Shape, Var};

use super::subject::Samples;
use crate::row::Row;

/// Their prover, with a key that it made and values to prove.
pub(super) struct Prover {
    key: ProvingKey<Bn254>,
    matrices: [Matrix; 3],
    values: Vec<Fr>,
    inputs: usize,
}

impl Prover {
    /// With a key from the trapdoor that our setup draws from this seed: α, β, γ, δ, and then τ, which theirs draws itself.
    pub(super) fn new(shape: &Shape, values: &Assignment, seed: u64) -> anyhow::Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let [alpha, beta, gamma, delta] = std::array::from_fn(|_| Fr::rand(&mut rng));
        let (one, two) = (G1Projective::generator(), G2Projective::generator());
        let key = Groth16::<Bn254>::generate_parameters_with_qap(
            Fed(shape),
            alpha,
            beta,
            gamma,
            delta,
            one,
            two,
            &mut rng,
        );
        let key = key.context("ark-groth16 made no key")?;
        Ok(Self { key, matrices: shape.matrices(), values: values.full(), inputs: 1 + shape.publics() })
    }

    /// Whether their verifying key is ours, as it is wherever both take the same domain. Then each must accept the
    /// other's proof; and theirs must accept ours under our key in any case.
    pub(super) fn agrees(
        &self,
        key: &ProvingKeyOfOurs,
        matrices: &Matrices,
        values: &Assignment,
    ) -> anyhow::Result<bool> {
        let (ours, publics) = (key.verifying_key(), values.publics());
        let proof = prove(key, matrices, values, &mut ChaCha20Rng::seed_from_u64(8))?;
        let theirs = Proof::<Bn254>::deserialize_compressed(&proof.to_bytes()[..])?;
        let prepared = prepare_verifying_key(&in_their_form(ours)?);
        let held = Groth16::<Bn254>::verify_proof(&prepared, &theirs, publics);
        anyhow::ensure!(held.is_ok_and(|held| held), "ark-groth16 refuses our proof");
        let domain = Radix2EvaluationDomain::<Fr>::new(matrices.points()).context("no domain of theirs")?;
        let same = in_their_form(ours)? == self.key.vk;
        if domain.size() == key.domain().size() {
            anyhow::ensure!(same, "the same trapdoor and domain gave another verifying key");
            let mut bytes = Vec::new();
            self.prove()?.serialize_compressed(&mut bytes)?;
            verify_inputs(ours, publics, &sigveil_circuits::groth16::Proof::from_bytes(&bytes)?)?;
        }
        Ok(same)
    }

    pub(super) fn prove(&self) -> anyhow::Result<Proof<Bn254>> {
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
        proof.map(black_box).context("ark-groth16 made no proof")
    }

    /// The same stages as those of [`sigveil_circuits::prover::stages`]; theirs takes rows and transforms together.
    pub(super) fn stages(&self, name: &str, times: usize) -> anyhow::Result<Vec<Row>> {
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
        for _ in 0..times {
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

/// Their encoding of a verifying key is ours with the number of inputs before those.
fn in_their_form(key: &VerifyingKey) -> anyhow::Result<ark_groth16::VerifyingKey<Bn254>> {
    let (bytes, count) = (key.to_bytes(), key.inputs());
    let (fixed, inputs) = bytes.split_at(bytes.len() - 32 * count);
    let bytes = [fixed, &(count as u64).to_le_bytes(), inputs].concat();
    Ok(ark_groth16::VerifyingKey::deserialize_compressed(&bytes[..])?)
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
