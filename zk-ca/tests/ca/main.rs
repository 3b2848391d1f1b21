//! The CA and the timestamp authority from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod issuance;
mod profile;
mod timestamps;
mod world;
