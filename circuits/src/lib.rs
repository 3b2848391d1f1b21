//! Arithmetic circuits, the statements proven, keys and the prover (protocol.md §5).
//!
//! Without the feature `prover` only statements, their native checks and verification remain.

mod binfile;
#[cfg(feature = "prover")]
pub mod ceremony;
#[cfg(feature = "prover")]
pub mod constraints;
pub mod export;
pub mod gadgets;
pub mod groth16;
pub mod keys;
pub mod nym;
#[cfg(feature = "prover")]
pub mod prover;
pub mod query;
pub mod r1cs;
#[cfg(feature = "prover")]
pub mod soundness;
#[doc(hidden)]
pub mod testing;
pub mod token;

/// The scalar field of BN254: the field of every circuit here (protocol.md §3).
pub use ark_bn254::Fr;
