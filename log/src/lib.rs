//! Transparency log: Merkle tree, tiles, checkpoints, engine, Rekor v2 and static-ct faces, redaction.
//!
//! The pure part (no IO, clock or async) is what verifiers use: [`merkle`], [`tile`], [`bundle`], [`note`],
//! [`checkpoint`], [`entry`], [`sct`], and the witness's rules. The feature `service` adds what runs: the
//! store in a folder, the engine, and the HTTP faces.

pub mod bundle;
pub mod checkpoint;
pub mod entry;
pub mod hash;
pub mod merkle;
pub mod note;
pub mod sct;
pub mod tile;

pub use hash::Hash;
