//! The statement `query`: a blinded point is that of the identity whose token was proven (protocol.md §5.2).
//!
//! It goes to the holder of a VRF key together with a `token` statement of the same `c_id`, and shows that what the
//! holder is asked to evaluate is the asker's own identity: without it anybody could have anybody evaluated.
//!
//! Read in this order: [`instance`] (public inputs), [`witness`], [`native`] (the check without a circuit),
//! [`circuit`] (the same check as rows). Verifying a proof needs the instance only: its digest is the one public
//! input, see [`crate::groth16::verify`].
//!
//! # What the circuit leaves to whom
//! Nothing about B: it is computed, H being eight times a point, so it is in the prime-order subgroup. That the
//! token was bound to this B (`bind`), that it is fresh, and whether its identity was evaluated before, is for the
//! holder of the key (§4.1, §5.3).

pub mod circuit;
pub mod instance;
pub mod native;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
pub mod witness;

pub use instance::Instance;
pub use native::{Refusal, check};
pub use witness::Witness;
