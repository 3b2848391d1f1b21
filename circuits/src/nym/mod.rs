//! The statement `nym`: a certificate's label and commitment are those of the identity whose token was proven
//! (protocol.md §5.2).
//!
//! Read in this order: [`instance`] (public inputs), [`witness`], [`native`] (the check without a circuit),
//! [`circuit`] (the same check as rows). Verifying a proof needs the instance only: its digest is the one public
//! input, see [`crate::groth16::verify`].
//!
//! # What the circuit leaves to whom
//! A verifier recomputes every public input (§5.3), with types that cannot hold what is out of range: PK in the
//! prime-order subgroup, SLOTS ≤ 2^16, epoch < 2^64. The circuit shows nothing about those.
//!
//! # Points outside of the prime-order subgroup
//! H is eight times a point and B a multiple of H, so both are inside. Z and Γ are only shown to be on the curve.
//! That is enough: k_id is hashed from 8·Γ, and whatever small-order parts T, T' a prover manages to get through,
//! β·Γ = Z = sk·B + T leaves Γ = sk·H + T', because β is invertible modulo l (B is not the identity); so 8·Γ is
//! 8·sk·H. An honest challenge refuses Z + T but for one challenge in the order of T, and β, being odd, refuses a Γ
//! with another small-order part than Z has. The native check refuses both by type.

pub mod circuit;
pub mod instance;
pub mod native;
#[doc(hidden)]
pub mod sample;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
pub mod witness;

pub use instance::Instance;
pub use native::{Refusal, check};
pub use witness::Witness;
