//! The CA and the timestamp authority from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod extensions;
mod issuance;
mod keys;
mod profile;
mod timestamps;
mod trust;
mod verdict;
mod world;
