//! A Groth16 prover of our own, for any rank-1 constraint system over BN254's scalar field.
//!
//! Verifying keys and proofs are the usual ones; what differs is the proving key's basis (protocol.md §5.5), and with it
//! the work:
//!
//! | stage | what | module |
//! |---|---|---|
//! | rows | A·z and B·z from fixed sparse matrices; C is in the key | `matrices` |
//! | transforms | both to the odd coset of the domain, four transforms instead of seven; their product | `fft` |
//! | sums | Σ sᵢ·Pᵢ for H over the products, for A, B (in both groups) and L over the values | [`msm`] |
//!
//! Domains have 2^k, 3·2^k or 9·2^k points ([`Domain`]): the smallest that holds a point for each row and input.
//! Arithmetic is by eight lanes of AVX-512 IFMA where the processor has them, by one elsewhere; both give the same bytes
//! ([`lanes`]). Stages and sums are tasks of one rayon pool, and two proofs at once share it.
//!
//! Out of scope: who may make a key and where it is kept (see [`crate::groth16`] and [`crate::keys`]); constant time,
//! which is not claimed. Values and openings are wiped when they are dropped; which points were added
//! to which while sums were taken is not.

pub mod curve;
mod domain;
mod fft;
mod key;
pub mod lanes;
mod map;
mod matrices;
pub mod msm;
mod point;
mod proof;

pub use domain::Domain;
pub use key::{Parts, ProvingKey};
pub(crate) use key::{Query, Section};
pub(crate) use map::map;
pub use matrices::Matrices;
pub use point::{Packed, PackedG1, PackedG2};
pub use proof::stages;
pub(crate) use proof::{Blinding, Work, proof};
