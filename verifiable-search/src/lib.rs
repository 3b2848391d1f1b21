//! Verifiable search: the Merkle map over the logs, its proofs, the indexer and monitors (protocol.md §8).
//!
//! A log proves that an entry is in it; it does not prove that an owner has been shown *every* entry under
//! a name. The map does: whoever asks for a [`key::MapKey`] gets the complete list of entries under it, or a
//! proof that there is none, against a map root that a witnessed and re-executed [`output`] log has
//! committed to.
//!
//! Reading order, which is also the order of dependence:
//!
//! 1. [`key`]: what can be looked up. [`list`]: what stands under a key. [`map`], [`proof`]: the
//!    path-compressed binary trie from the one to the other.
//! 2. [`rule`]: from a log entry to its keys; [`key_list`]: that result as committed to.
//! 3. [`output`]: the leaf that commits to one state of the map. [`index`]: the deterministic state
//!    machine from entries to leaves, and [`reexecute`](mod@reexecute), which recomputes them.
//! 4. [`answer`]: what a client holds and checks with no network. [`monitor`]: what an owner derives from
//!    a series of answers.
//! 5. `service` (feature): the running indexer and its HTTP face.
//!
//! Nothing outside `service` reads a clock, a file or the network.

pub mod answer;
mod assemble;
pub mod coverage;
pub mod index;
pub mod key;
pub mod key_list;
pub mod list;
mod lists;
pub mod map;
pub mod monitor;
pub mod output;
pub mod proof;
pub mod reexecute;
pub mod rule;
#[cfg(feature = "service")]
pub mod service;
mod tree;
