//! Keys of the statements: their names, and behind the feature `prover` where they are kept.
//!
//! A proving key is made once per statement and machine, and read from a [`KeyStore`] afterwards. What a trust root
//! names is the digest of the *verifying* key ([`crate::groth16::VerifyingKeyDigest`]).
//!
//! # Trust
//! Keys made here are [`Provenance::Development`] keys: one party drew the trapdoor, and only its word says that it
//! is gone. That is stored in the file and shown wherever a key is described.
//!
//! The store's folder is trusted like the program itself: whoever can write there can replace a key by a sound-looking
//! one. Its digest guards against truncation and decay, not against that; who needs more passes the digest that the
//! trust root names to [`Keys::expect`]: what then is proven verifies under that key and is blinded, or is not handed
//! out.

#[cfg(feature = "prover")]
mod file;
#[cfg(feature = "prover")]
mod store;

use std::fmt;

use crate::token::SizeClass;

#[cfg(feature = "prover")]
pub use store::{KeyError, KeyStore, Keys};

/// A statement with its own circuit and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    /// `token` (protocol.md §5.1), for signing inputs up to this class.
    Token(SizeClass),
    /// `nym` (protocol.md §5.2).
    Nym,
    /// `query` (protocol.md §5.2).
    Query,
}

impl Statement {
    /// Every statement.
    pub const ALL: [Statement; 6] = [
        Statement::Nym,
        Statement::Query,
        Statement::Token(SizeClass::B768),
        Statement::Token(SizeClass::B1024),
        Statement::Token(SizeClass::B1536),
        Statement::Token(SizeClass::B2048),
    ];

    /// Name and version, such as `token_1024.v1`. A circuit that changes gets another version.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token(SizeClass::B768) => "token_768.v1",
            Self::Token(SizeClass::B1024) => "token_1024.v1",
            Self::Token(SizeClass::B1536) => "token_1536.v1",
            Self::Token(SizeClass::B2048) => "token_2048.v1",
            Self::Nym => "nym.v1",
            Self::Query => "query.v1",
        }
    }

    /// The statement of a [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statement| statement.name() == name)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a key came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Provenance {
    /// Made by one party on one machine: whoever it was could prove anything.
    Development = 1,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Development => f.write_str("development key"),
        }
    }
}

/// SHA-256 of a key file: format, provenance, statement, shape and all points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
