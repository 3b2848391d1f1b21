//! Making proofs from values and fixed matrices.

use ark_bn254::Bn254;
use ark_ff::UniformRand;
use ark_groth16::Groth16;
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use rand_core::CryptoRngCore;

use super::{Error, Proof, VerifyingKey, verify};
use crate::Fr;
use crate::r1cs::{Assignment, Matrix, Shape};

/// The key that makes proofs of one circuit.
pub struct ProvingKey {
    pub(crate) inner: ark_groth16::ProvingKey<Bn254>,
    pub(crate) verifying: VerifyingKey,
}

impl ProvingKey {
    /// The key that checks what this one proves.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Whether the key has as many points as a key of these matrices.
    pub(crate) fn fits(&self, matrices: &Matrices) -> bool {
        let key = &self.inner;
        let queries = [&key.a_query, &key.b_g1_query, &key.h_query, &key.l_query].map(Vec::len);
        let variables = matrices.variables;
        let domain =
            GeneralEvaluationDomain::<Fr>::compute_size_of_domain(matrices.constraints() + matrices.inputs);
        domain.is_some_and(|size| queries == [variables, variables, size - 1, variables - matrices.inputs])
            && key.b_g2_query.len() == variables
    }
}

/// The matrices of a circuit as the prover reads them.
pub struct Matrices {
    rows: [Matrix; 3],
    /// Public inputs and the constant one.
    inputs: usize,
    variables: usize,
}

impl Matrices {
    /// The matrices of `shape`.
    pub fn new(shape: &Shape) -> Self {
        let inputs = shape.publics() + 1;
        Self { rows: shape.matrices(), inputs, variables: inputs + shape.witnesses() }
    }

    /// Number of rows.
    pub fn constraints(&self) -> usize {
        self.rows[0].len()
    }
}

/// Proves the statement for the values in `assignment`, blinding with `rng`, and checks the proof before it is
/// returned. The matrices must be those that the key was made for.
pub fn prove(
    key: &ProvingKey,
    matrices: &Matrices,
    assignment: &Assignment,
    rng: &mut dyn CryptoRngCore,
) -> Result<Proof, Error> {
    if let Some(violation) = assignment.violations().first() {
        return Err(Error::WitnessUnsatisfied { row: violation.row, family: violation.family });
    }
    let values = zeroize::Zeroizing::new(assignment.full());
    let &[public] = assignment.publics() else { return Err(Error::UnsupportedCircuit) };
    if values.len() != matrices.variables
        || assignment.constraints() != matrices.constraints()
        || !key.fits(matrices)
    {
        return Err(Error::KeyMismatch);
    }
    let proof = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
        &key.inner,
        Fr::rand(rng),
        Fr::rand(rng),
        &matrices.rows,
        matrices.inputs,
        matrices.constraints(),
        &values,
    )
    .map_err(|_| Error::UnsupportedCircuit)?;
    let proof = Proof { a: proof.a, b: proof.b, c: proof.c };
    // A key of another circuit of the same size, or memory gone bad: never hand out what does not verify.
    verify(&key.verifying, public, &proof).map_err(|_| Error::KeyMismatch)?;
    Ok(proof)
}
