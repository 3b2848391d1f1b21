//! Code signing with transparency, without publishing who signs: the client library and the one command.
//!
//! What lives here is what a signer or a verifier holds in hand. [`stock`] speaks the formats that every Sigstore
//! client speaks and asks the stock verifier for its verdict; [`trust`] adds to a stock trust root what this system
//! needs beside it; [`verify`] recomputes everything that protocol.md §5.3 lists and gives one typed verdict;
//! [`companion`] is the file that travels beside a bundle. None of them opens a socket or reads a clock.
//! The command line is [`cli`]; what runs or proves is under `service`, behind the feature of that name.

pub mod cli;
pub mod companion;
pub mod disclose;
pub mod failure;
pub mod files;
pub mod keyfile;
#[cfg(feature = "service")]
pub mod service;
pub mod stock;
pub mod trust;
pub mod verify;
