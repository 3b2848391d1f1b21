//! Groth16 over BN254 (protocol.md §5). The statements have one public input; a key may have any number.
//!
//! [`VerifyingKey`] and [`Proof`] are types of our own with one strict encoding each; checking needs pairings and
//! nothing of a prover. Behind the feature `prover`: [`setup`] makes the keys of a [`Shape`](crate::r1cs::Shape),
//! and [`prove`] takes the values of an [`Assignment`](crate::r1cs::Assignment) to a proof. No circuit is
//! synthesised for a proof: its matrices are made once per key. How that is done fast is [`crate::prover`]'s.
//!
//! BN254 is about 100-bit secure. Whoever made a key with [`setup`] could have kept the trapdoor and can then prove
//! anything: such keys are for development, and [`crate::keys`] marks them so.
//!
//! Points are encoded as arkworks' compressed form: the x coordinate little-endian (32 bytes in G1, 64 in G2), the
//! sign of y in the highest bit. A decoder takes the one encoding of a point that is on the curve, in the subgroup
//! of prime order and not the identity.
//!
//! Out of scope: what the public input means (see the statements), where keys are kept (see [`crate::keys`]).

#[cfg(test)]
mod arkworks;
pub(crate) mod encoding;
mod proof;
#[cfg(feature = "prover")]
mod prove;
#[cfg(feature = "prover")]
pub(crate) mod setup;
mod verify;

#[cfg(feature = "prover")]
pub use crate::prover::{Matrices, ProvingKey};
pub use proof::{PROOF_LEN, Proof};
#[cfg(feature = "prover")]
pub use prove::{prove, prove_on, prove_values};
#[cfg(feature = "prover")]
pub use setup::{Stage, setup, setup_matrices};
pub(crate) use verify::Points;
pub use verify::{VERIFYING_KEY_LEN, VerifyingKey, VerifyingKeyDigest, verify, verify_batch, verify_inputs};

/// Why a proof or key was refused or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not the one encoding of a proof.
    #[error("malformed proof: {0}")]
    ProofMalformed(&'static str),
    /// The proof does not hold for this key and public input.
    #[error("the proof does not hold for this key and public input")]
    ProofInvalid,
    /// The bytes are not the one encoding of a verifying key.
    #[error("malformed verifying key: {0}")]
    VerifyingKeyMalformed(&'static str),
    /// The statement does not hold for the witness: this row is the first that fails.
    #[error("the witness does not satisfy row {row} ({family})")]
    WitnessUnsatisfied {
        /// Index of the row.
        row: usize,
        /// Family of the row.
        family: &'static str,
    },
    /// The circuit does not fit the key: other numbers of rows or variables.
    #[error("the key is of another circuit")]
    KeyMismatch,
    /// The field has no domain of that size, or the circuit is no rank-1 constraint system.
    #[error("no key can be made for this circuit")]
    UnsupportedCircuit,
}

impl Error {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ProofMalformed(_) => "proof-malformed",
            Self::ProofInvalid => "proof-invalid",
            Self::VerifyingKeyMalformed(_) => "verifying-key-malformed",
            Self::WitnessUnsatisfied { .. } => "witness-unsatisfied",
            Self::KeyMismatch => "key-mismatch",
            Self::UnsupportedCircuit => "unsupported-circuit",
        }
    }
}
