//! Transparency log: Merkle tree, tiles, checkpoints, engine, Rekor v2 and static-ct faces, redaction.
//!
//! The pure part (no IO, clock or async) is what verifiers use: [`merkle`], [`tile`], [`bundle`], [`batch`], [`note`],
//! [`checkpoint`], [`entry`], [`sct`], [`ca_key`], [`der_sets`], and the witness's rules. The feature `service` adds what
//! runs: the store in a folder, the engine, the HTTP faces, and the copying and checking of whole logs.

#[cfg(test)]
extern crate self as sigveil_log;

pub mod batch;
pub mod bundle;
pub mod ca_key;
pub mod checkpoint;
#[cfg(feature = "service")]
pub mod ct;
pub mod der_sets;
#[cfg(feature = "service")]
pub mod engine;
pub mod entry;
pub mod hash;
#[cfg(feature = "service")]
pub mod http;
pub mod merkle;
#[cfg(feature = "nats")]
pub mod nats;
pub mod note;
#[cfg(feature = "service")]
pub mod rekor;
pub mod sct;
#[cfg(feature = "service")]
pub mod shards;
#[cfg(feature = "service")]
pub mod store;
pub mod tile;
pub mod tlog_entry;
#[cfg(feature = "service")]
pub mod whole;
pub mod witness;

pub use hash::Hash;
