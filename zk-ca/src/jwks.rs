//! JSON Web Key Sets (RFC 7517, RFC 7518 §6.3): which RSA keys an issuer signs ID tokens with.
//!
//! Keys of other types and sizes stay in the set with the reason for which they are refused, so that a token under
//! one of them is told why.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use sigveil_circuits::token::{Modulus, Refusal};

/// Most bytes of a key set that are read.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;
/// Most keys of a set.
const MAX_KEYS: usize = 64;

/// Why a key set, or one key of it, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// No JSON key set, too large, or with too many keys.
    #[error("the issuer's key set is malformed")]
    Malformed,
    /// No key of this id.
    #[error("the issuer has no key with this key id")]
    UnknownKey,
    /// Several keys that the token could mean.
    #[error("several of the issuer's keys have this key id")]
    DuplicateKey,
    /// `kty` is not RSA.
    #[error("the key's type is not RSA")]
    KeyType,
    /// `alg` is present and not RS256.
    #[error("the key is not for RS256")]
    Algorithm,
    /// `use` is present and not `sig`, or `key_ops` is present without `verify`.
    #[error("the key is not for signatures")]
    Use,
    /// `n` or `e` is missing or no base64url.
    #[error("the key's modulus or exponent is malformed")]
    Encoding,
    /// Modulus or exponent of a kind that cannot be proven.
    #[error(transparent)]
    Modulus(Refusal),
}

impl JwksError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "jwks-malformed",
            Self::UnknownKey => "issuer-key-unknown",
            Self::DuplicateKey => "issuer-key-duplicate",
            Self::KeyType => "issuer-key-type",
            Self::Algorithm => "issuer-key-algorithm",
            Self::Use => "issuer-key-use",
            Self::Encoding => "issuer-key-malformed",
            Self::Modulus(refusal) => refusal.reason(),
        }
    }
}

/// An issuer's keys by key id.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<KeyEntry>,
}

#[derive(Clone, Debug)]
struct KeyEntry {
    id: Option<String>,
    thumbprint: Option<String>,
    modulus: Result<Modulus, JwksError>,
}

/// A key of a set that tokens can be proven under and can name.
#[derive(Clone, Copy, Debug)]
pub struct NamedKey<'a> {
    /// Its `kid`.
    pub id: &'a str,
    /// Its certificate's thumbprint `x5t`, if it states one.
    pub thumbprint: Option<&'a str>,
    /// Its modulus.
    pub modulus: &'a Modulus,
}

impl KeySet {
    /// Reads a key set.
    pub fn parse(json: &[u8]) -> Result<Self, JwksError> {
        if json.len() > MAX_KEY_SET_BYTES {
            return Err(JwksError::Malformed);
        }
        let wire: KeySetWire = serde_json::from_slice(json).map_err(|_| JwksError::Malformed)?;
        if wire.keys.len() > MAX_KEYS {
            return Err(JwksError::Malformed);
        }
        let entry = |key: KeyWire| KeyEntry { modulus: key.modulus(), id: key.kid, thumbprint: key.x5t };
        Ok(Self { keys: wire.keys.into_iter().map(entry).collect() })
    }

    /// The modulus of the key with this id. A token without a key id can only mean the set's one key.
    pub fn modulus(&self, key_id: Option<&str>) -> Result<&Modulus, JwksError> {
        let mut found = self.keys.iter().filter(|key| key_id.is_none() || key.id.as_deref() == key_id);
        match (found.next(), found.next()) {
            (None, _) => Err(JwksError::UnknownKey),
            (Some(_), Some(_)) => Err(JwksError::DuplicateKey),
            (Some(key), None) => key.modulus.as_ref().map_err(Clone::clone),
        }
    }

    /// The keys that a token can name and be proven under; those that share their id are none.
    pub fn named(&self) -> impl Iterator<Item = NamedKey<'_>> {
        self.keys.iter().filter_map(|key| {
            let id = key.id.as_deref()?;
            let modulus = self.modulus(Some(id)).ok()?;
            Some(NamedKey { id, thumbprint: key.thumbprint.as_deref(), modulus })
        })
    }
}

#[derive(Deserialize)]
struct KeySetWire {
    keys: Vec<KeyWire>,
}

#[derive(Deserialize)]
struct KeyWire {
    kty: String,
    kid: Option<String>,
    x5t: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
}

impl KeyWire {
    fn modulus(&self) -> Result<Modulus, JwksError> {
        if self.kty != "RSA" {
            return Err(JwksError::KeyType);
        }
        if self.alg.as_deref().is_some_and(|alg| alg != "RS256") {
            return Err(JwksError::Algorithm);
        }
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") || !verifies {
            return Err(JwksError::Use);
        }
        let decode = |text: &Option<String>| {
            let text = text.as_deref().ok_or(JwksError::Encoding)?;
            BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| JwksError::Encoding)
        };
        Modulus::new(&decode(&self.n)?, &decode(&self.e)?).map_err(JwksError::Modulus)
    }
}
