//! What runs or proves: the embedded identity provider, the client's network, all roles in one process, the demo.

pub mod client;
pub mod config;
pub mod issuer;
pub mod keys;
