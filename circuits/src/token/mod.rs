//! The statement `token`: a certain issuer signed a token that names a certain identity (protocol.md §5.1).
//!
//! Reads in the order: public inputs ([`instance`]), witness ([`Witness`]), native check ([`native`]), circuit
//! ([`circuit`]). The native check and the circuit agree on every token whose payload is well-formed JSON and whose
//! header is sound; malformed ones the native check refuses alone, and the circuit's claim rests on the assumption
//! that the issuer signs well-formed JSON only (RFC 8259).
//!
//! # Rules beyond protocol.md
//! - A top-level key that holds any backslash is refused, whatever it spells.
//! - The identity claim is not empty.
//! - `nonce`, where present, is a string without a backslash.
//! - The header digest is over the header's base64url characters as signed, which binds the encoding too.
//! - Where the issuer binds by audience, the public audience digest is a hash of the configured audience's digest
//!   ([`instance::bound_audience_digest`]) instead of one constant: a token bound for one CA is then of no use at
//!   another, which a constant would not show to verifiers.
//!
//! # Who checks what
//! The issuer's key (`kid`, validity, exponent), whether `time` is now, and every public input are the caller's
//! (§5.3). Refusals and their codes: [`Refusal`].

pub mod circuit;
mod class;
pub mod instance;
pub mod json;
mod jwt;
mod layout;
pub mod native;
mod refusal;
mod witness;

pub use class::{Class, ModulusSize, SizeClass};
pub use instance::{Binding, BindingSalt, Instance, LinkingRandomness, Modulus, Usage};
pub use jwt::{Compact, Jwt};
pub use native::{CheckedToken, Expectation, check};
pub use refusal::{ClaimName, Refusal};
pub use witness::Witness;
