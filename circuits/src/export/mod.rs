//! Statements, witnesses, keys and proofs in the formats of snarkjs and the iden3 tools, so that others can check what
//! is proven here with programs of their own, and prove our statements with provers of their own.
//!
//! - [`write_r1cs`], [`read_r1cs`]: the rows of a circuit, `.r1cs`.
//! - [`write_witness`]: the values of a circuit, `.wtns`. As secret as the witness.
//! - [`VerifyingKey::to_snarkjs`](crate::groth16::VerifyingKey::to_snarkjs), the same of
//!   [`Proof`](crate::groth16::Proof), and [`publics_to_snarkjs`]: JSON with numbers in decimal; and back, refusing
//!   whatever [`Proof::from_bytes`](crate::groth16::Proof::from_bytes) refuses and every number that is not below its
//!   modulus or not in its one spelling.
//!
//! Wires are our columns: one, the public inputs, the witness in order of allocation. A setup by snarkjs on an exported
//! circuit gives a key for the same relation, on a domain of a power of two points.
//!
//! Out of scope: snarkjs's own proving keys (`.zkey`), and circuits with custom gates.

mod json;
mod r1cs;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

use std::io;

pub use json::{publics_from_snarkjs, publics_to_snarkjs};
pub use r1cs::{read_r1cs, write_r1cs, write_witness};

use crate::binfile;

/// Why a file of another tool was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no circuit that can be taken.
    #[error("malformed .r1cs: {0}")]
    R1cs(&'static str),
    /// It is no key, proof or list of public inputs as snarkjs writes them.
    #[error("malformed snarkjs JSON: {0}")]
    Json(&'static str),
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl Error {
    /// Stable reason code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::R1cs(_) => "r1cs-malformed",
            Self::Json(_) => "snarkjs-malformed",
            Self::Io(_) => "file-unreadable",
        }
    }
}

impl From<binfile::Error> for Error {
    fn from(error: binfile::Error) -> Self {
        match error {
            binfile::Error::Malformed(why) => Self::R1cs(why),
            binfile::Error::Io(error) => Self::Io(error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        binfile::Error::from(error).into()
    }
}
