//! Keys of the statements: their names, and behind the feature `prover` where they are kept.
//!
//! A proving key is made once per statement and machine, and read from a [`KeyStore`] afterwards. What a trust root
//! names is the digest of the *verifying* key ([`crate::groth16::VerifyingKeyDigest`]).
//!
//! # Trust
//! Keys made here are [`Provenance::Development`] keys: one party drew the trapdoor, and only its word says that it
//! is gone. Those of a [ceremony](crate::ceremony) name its transcript, which anybody can check against the verifying
//! key. Both is stored in the file and shown wherever a key is described.
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

use crate::token::Class;

#[cfg(feature = "prover")]
pub use store::{KeyError, KeyStore, Keys};

/// A statement with its own circuit and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    /// `token` (protocol.md §5.1), for the tokens of this class.
    Token(Class),
    /// `nym` (protocol.md §5.2).
    Nym,
    /// `query` (protocol.md §5.2).
    Query,
}

/// Names of `token`, by modulus and size.
const TOKEN_NAMES: [[&str; 5]; 3] = [
    ["token_768.v4", "token_1024.v4", "token_1536.v4", "token_2048.v4", "token_2560.v4"],
    [
        "token_768_rsa3072.v4",
        "token_1024_rsa3072.v4",
        "token_1536_rsa3072.v4",
        "token_2048_rsa3072.v4",
        "token_2560_rsa3072.v4",
    ],
    [
        "token_768_rsa4096.v4",
        "token_1024_rsa4096.v4",
        "token_1536_rsa4096.v4",
        "token_2048_rsa4096.v4",
        "token_2560_rsa4096.v4",
    ],
];

impl Statement {
    /// Every statement.
    pub const ALL: [Statement; 2 + Class::ALL.len()] = {
        let mut all = [Self::Nym; 2 + Class::ALL.len()];
        all[1] = Self::Query;
        let mut i = 0;
        while i < Class::ALL.len() {
            all[2 + i] = Self::Token(Class::ALL[i]);
            i += 1;
        }
        all
    };

    /// Name and version, such as `token_1024.v4` or `token_1024_rsa4096.v4`; a modulus of 2,048 bits is not said. A
    /// circuit that changes gets another version.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token(Class { size, modulus }) => TOKEN_NAMES[modulus as usize][size as usize],
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
pub enum Provenance {
    /// Made by one party on one machine: whoever it was could prove anything.
    Development,
    /// Made by a ceremony, whose transcript has this digest: nobody can prove anything false if one of those who
    /// contributed to it, and one of those who contributed to its powers of τ, was honest.
    Ceremony([u8; 32]),
}

impl Provenance {
    /// Whether one party made the key.
    #[must_use]
    pub fn is_development(self) -> bool {
        self == Self::Development
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Development => f.write_str("development key"),
            Self::Ceremony(transcript) => write!(f, "key of the ceremony {}", hex::encode(transcript)),
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
