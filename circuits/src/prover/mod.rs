//! A Groth16 prover of our own, for any rank-1 constraint system over BN254's scalar field.

mod domain;
pub mod lanes;

pub use domain::Domain;
