//! What a verifier trusts: a stock trust root, and beside it what this system adds (protocol.md §10).
//!
//! The addition is a file of its own, `trusted_root.sigveil.json`, and no member of the stock file: sigstore-python
//! and the Go clients refuse a trust root with a member they do not know. It names the stock root it belongs to by
//! that root's SHA-256 (over its RFC 8785 form), so the two cannot be mixed; the digest of the pair is what an index
//! commits to as "the trust root".
//!
//! [`Section`] is the wire form; [`Trust`] is both files decoded and checked once.

mod checked;
mod wire;

pub use checked::{Quorum, Trust, TrustError};
pub use wire::{AuthorityKeys, CaKey, LogKey, MEDIA_TYPE, Scheme, Section};
