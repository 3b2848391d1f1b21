//! The CA and the timestamp authority from outside.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod extensions;
mod faces;
mod fetching;
mod issuance;
mod keys;
mod logging;
mod observing;
mod profile;
mod proving;
mod readers;
mod schemes;
mod timestamps;
mod trust;
mod verdict;
mod world;
