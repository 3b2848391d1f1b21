//! Making proofs from values and fixed matrices.

use ark_ff::UniformRand;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::{Error, Proof, verify_inputs};
use crate::Fr;
use crate::prover::lanes::Path;
use crate::prover::{Blinding, Matrices, ProvingKey, Work, proof};
use crate::r1cs::Assignment;

/// Proves the statement for the values in `assignment`, blinding with `rng`, and checks the proof before it is
/// returned. The matrices must be those that the key was made for.
///
/// # Errors
/// [`Error::WitnessUnsatisfied`] for values that fail a row; [`Error::KeyMismatch`] for a key of another circuit.
pub fn prove(
    key: &ProvingKey,
    matrices: &Matrices,
    assignment: &Assignment,
    rng: &mut dyn CryptoRngCore,
) -> Result<Proof, Error> {
    prove_on(Path::detect(), key, matrices, assignment, rng)
}

/// As [`prove`], by this implementation of the arithmetic: the proof is the same.
///
/// # Errors
/// As [`prove`].
pub fn prove_on(
    path: Path,
    key: &ProvingKey,
    matrices: &Matrices,
    assignment: &Assignment,
    rng: &mut dyn CryptoRngCore,
) -> Result<Proof, Error> {
    if let Some(violation) = assignment.violations().first() {
        return Err(Error::WitnessUnsatisfied { row: violation.row, family: violation.family });
    }
    if assignment.publics().len() + 1 != matrices.inputs()
        || assignment.constraints() != matrices.constraints()
    {
        return Err(Error::KeyMismatch);
    }
    of_satisfying(path, key, matrices, &Zeroizing::new(assignment.full()), rng)
}

/// As [`prove`], for values from elsewhere: one, then the public inputs, then the witness.
///
/// # Errors
/// As [`prove`]; the row that fails has no family.
pub fn prove_values(
    key: &ProvingKey,
    matrices: &Matrices,
    values: &[Fr],
    rng: &mut dyn CryptoRngCore,
) -> Result<Proof, Error> {
    if values.len() != matrices.variables() || values[0] != Fr::from(1u64) {
        return Err(Error::KeyMismatch);
    }
    if let Some(row) = matrices.violation(values) {
        return Err(Error::WitnessUnsatisfied { row, family: "" });
    }
    of_satisfying(Path::detect(), key, matrices, values, rng)
}

fn of_satisfying(
    path: Path,
    key: &ProvingKey,
    matrices: &Matrices,
    values: &[Fr],
    rng: &mut dyn CryptoRngCore,
) -> Result<Proof, Error> {
    if values.len() != matrices.variables() || !key.fits(matrices) {
        return Err(Error::KeyMismatch);
    }
    let blinding = Blinding { r: Fr::rand(rng), s: Fr::rand(rng) };
    let (a, b, c) = proof(&Work { path, key, matrices, values }, &blinding);
    let proof = Proof { a, b, c };
    // A key of another circuit of the same size, or memory gone bad: never hand out what does not verify.
    verify_inputs(key.verifying_key(), &values[1..matrices.inputs()], &proof)
        .map_err(|_| Error::KeyMismatch)?;
    Ok(proof)
}
