//! Identities, verifiable random functions, labels, commitments and disclosures.
//!
//! The ground floor of the workspace: what an identity *is* ([`identity`]), how it becomes a pseudonym that only
//! its owner can follow ([`vrf`], [`label`]), and how the owner later shows who it was ([`commitment`],
//! [`disclosure`]). Every value that enters a zero-knowledge proof is defined here natively; the circuits' gadgets
//! are the twins of these functions and are tested against them.
//!
//! The identity VRF runs on the suite BN254 with Baby Jubjub: about 100 bits of security, for a proof of 128 bytes.
//! The standard suites beside it ([`standard`]) have no circuit and about 128 bits.
//!
//! Out of scope: tokens and who may ask for an evaluation (`zk-ca`), proofs about these values (`circuits`). Nothing
//! here reads a clock or a source of randomness by itself; both are passed in.

pub mod commitment;
pub mod curve;
pub mod disclosure;
pub mod domain;
pub mod elligator;
pub mod field;
pub mod identity;
pub mod label;
pub mod poseidon;
#[cfg(feature = "service")]
pub mod service;
pub mod standard;
pub mod vrf;

pub use ark_bn254::Fr;
