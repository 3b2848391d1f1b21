//! How an authority turns identities into subjects of certificates (protocol.md §6).

use serde::{Deserialize, Serialize};

/// What a certificate of an authority says of who signs. An authority's key has one scheme, which the trust root names, so
/// that no certificate of one scheme passes for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The e-mail address, as Fulcio has it. Nothing is private and nothing proven: for comparison.
    Clear,
    /// The label of protocol.md §4.3 and no proof that it is the right one: the authority is believed. For comparison.
    Hashed,
    /// Proven pseudonyms; the authority sees the token.
    Zk,
    /// Proven pseudonyms; the authority does not see the token.
    ZkBlind,
}

impl Scheme {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Hashed => "hashed",
            Self::Zk => "zk",
            Self::ZkBlind => "zk-blind",
        }
    }
}
