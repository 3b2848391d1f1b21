//! The whole system from outside: the real binary, the demo's own folder, and clients that know nothing of us.
//!
//! One demo run serves every test that only reads what it left; tests that change something work on a copy.
#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]

mod support;

mod alteration;
mod ceremony;
mod command_line;
mod export;
mod leak;
mod log_serve;
mod outside_issuer;
mod restart;
mod schemes;
mod search;
mod service;
mod shape;
mod stock_clients;
mod tokens;
mod verification;
mod whole_logs;
