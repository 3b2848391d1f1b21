//! The running CA and timestamp authority.
//!
//! [`issue`] is the CA, [`fulcio`] its HTTP face, [`tsa`] that of the timestamp authority. Each face is a function
//! that returns an [`axum::Router`]. Clock, nym service, prover and certificate log are passed in; [`local_prover`] and a
//! log in the same process serve where nothing else does.

pub mod certificate_log;
pub mod clock;
pub mod fulcio;
pub mod issue;
pub mod local_prover;
pub mod oidc;
pub mod problem;
pub mod prover;
pub mod tsa;
