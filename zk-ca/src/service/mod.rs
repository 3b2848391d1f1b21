//! The running CA and timestamp authority.

pub mod clock;
pub mod fulcio;
pub mod oidc;
pub mod problem;
pub mod tsa;
