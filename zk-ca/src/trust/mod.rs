//! What a verifier trusts about issuers, VRF keys and circuits (protocol.md §10).
//!
//! [`ProofTrust`] and its parts are plain data, as a trust root's `sigveil` section embeds them: byte strings are
//! base64 in JSON, kinds, modes and profiles stand by name, times are Unix seconds. [`CheckedTrust`] is the form that
//! [`crate::verify`] and the CA work with: decoded, and with every rule of §10 checked once.

mod checked;
mod wire;

pub use checked::{CheckedTrust, Issuer, ListedKey, TrustError, VrfPeriod};
pub use wire::{
    Allowance, Base64Bytes, Binding, CircuitTrust, Interval, IssuerKey, IssuerTrust, ProofTrust,
    TokenCircuit, VrfEpochs,
};
