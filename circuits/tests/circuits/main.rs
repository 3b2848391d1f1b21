//! One binary for all tests that need proofs: instantiating the prover twice would double the build.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod groth16;
mod keys;
mod query;
mod snarkjs;
mod token;
