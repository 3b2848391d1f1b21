//! The keys of an issuer that rotates them, as an operator lists them in a trust root.
//!
//! A certificate's proof shows that a token was signed under a listed key with a listed header, so what is listed
//! decides what can be forged: nobody may add to it from a token, the authority that issues least of all. It comes
//! from two sources that no token reaches: the issuer's published key set, and the [`HeaderTemplate`] that the operator
//! states once per issuer, since the header's members and their order are the issuer's habit and only `kid` and `x5t`
//! change with the key. [`ObservedKeys`] remembers every key seen, since certificates outlive rotations.
//!
//! Verifiers learn of a new key by a new trust root, or later by `issuer-keys` entries of observers (protocol.md §7).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sigveil_circuits::token::{Jwt, Refusal};

use crate::jwks::KeySet;
use crate::trust::{Base64Bytes, Interval, IssuerKey};

/// Seconds for which a key is still good after it was last in the issuer's set: longer than any token lives, and than
/// caches of key sets keep it.
const GRACE_SECONDS: u64 = 86_400;
/// Most keys remembered of an issuer.
const MAX_KEYS: usize = 256;

/// Why keys cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObservedError {
    /// The template with a key's values in it is no header of an ID token.
    #[error("the header template does not give a header: {0}")]
    Header(#[from] Refusal),
    /// `{x5t}` in the template of an issuer whose keys have none.
    #[error("the header template names x5t, and a key of the issuer has none")]
    Thumbprint,
    /// The template does not name `{kid}` once, in the header's `kid`, or a key's id needs escapes in JSON.
    #[error("the header template does not carry the key's id")]
    KeyId,
    /// An issuer with more keys than are remembered.
    #[error("more than 256 keys of one issuer have been seen")]
    TooMany,
}

impl ObservedError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Header(refusal) => refusal.reason(),
            Self::Thumbprint | Self::KeyId => "header-template",
            Self::TooMany => "issuer-keys-too-many",
        }
    }
}

/// The exact header of an issuer's tokens, with `{kid}` and perhaps `{x5t}` in place of what the key has there, such
/// as `{"alg":"RS256","kid":"{kid}","typ":"JWT"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderTemplate(String);

impl HeaderTemplate {
    /// Checks the template with plain values in it.
    ///
    /// # Errors
    /// [`ObservedError::KeyId`] and [`ObservedError::Header`].
    pub fn parse(text: &str) -> Result<Self, ObservedError> {
        if text.matches("{kid}").count() != 1 {
            return Err(ObservedError::KeyId);
        }
        let template = Self(text.to_owned());
        template.header("kid", Some("x5t")).map(|_| template)
    }

    /// The header of the key with these values, held to the rules for tokens' headers (protocol.md §5.1).
    ///
    /// # Errors
    /// [`ObservedError`].
    pub fn header(&self, key_id: &str, thumbprint: Option<&str>) -> Result<Vec<u8>, ObservedError> {
        let mut header = self.0.clone();
        if header.contains("{x5t}") {
            let plain =
                |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
            header = header.replace("{x5t}", thumbprint.filter(plain).ok_or(ObservedError::Thumbprint)?);
        }
        let header = header.replacen("{kid}", key_id, 1);
        let token = format!("{}.e30.AA", BASE64_URL_SAFE_NO_PAD.encode(&header));
        match Jwt::parse(&token)?.key_id() {
            Some(named) if named == key_id => Ok(header.into_bytes()),
            _ => Err(ObservedError::KeyId),
        }
    }
}

/// One key with the times at which it was in the issuer's set, Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedKey {
    /// The RSA modulus, big-endian.
    pub modulus: Base64Bytes,
    /// The exact header.
    pub header: Base64Bytes,
    /// First time.
    pub first_seen: u64,
    /// Last time.
    pub last_seen: u64,
}

/// Every key of one issuer that was ever seen, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservedKeys {
    /// When the issuer's set was last seen, Unix seconds.
    pub observed: u64,
    /// The keys.
    pub keys: Vec<ObservedKey>,
}

impl ObservedKeys {
    /// Notes what the issuer's set holds now; true if a key came or went, so that the trust root changes. Keys that
    /// cannot be proven under (other types, other sizes, without an id) are passed over.
    ///
    /// # Errors
    /// [`ObservedError`]; nothing is noted then.
    pub fn observe(
        &mut self,
        set: &KeySet,
        template: &HeaderTemplate,
        now: u64,
    ) -> Result<bool, ObservedError> {
        // A clock that went back shortens nothing that was stated before.
        let now = now.max(self.observed);
        let mut keys = self.keys.clone();
        for key in set.named() {
            let modulus = Base64Bytes(key.modulus.as_bytes().to_vec());
            let header = Base64Bytes(template.header(key.id, key.thumbprint)?);
            let known = keys.iter_mut().find(|known| {
                // One that comes back after it had lapsed is listed anew: no interval is widened backwards.
                known.modulus == modulus && known.header == header && now < known.lapses()
            });
            match known {
                Some(known) => known.last_seen = now,
                None => keys.push(ObservedKey { modulus, header, first_seen: now, last_seen: now }),
            }
        }
        if keys.len() > MAX_KEYS {
            return Err(ObservedError::TooMany);
        }
        let before = self.listed();
        (self.observed, self.keys) = (now, keys);
        Ok(self.listed() != before)
    }

    /// The keys as a trust root lists them: open-ended while they are in the set, closed a day after they left.
    pub fn listed(&self) -> Vec<IssuerKey> {
        let listed = |key: &ObservedKey| IssuerKey {
            modulus: key.modulus.clone(),
            header: key.header.clone(),
            valid_for: Interval {
                start: key.first_seen,
                end: (key.last_seen < self.observed).then(|| key.lapses()),
            },
        };
        self.keys.iter().map(listed).collect()
    }
}

impl ObservedKey {
    /// When it lapses if it is not seen again.
    fn lapses(&self) -> u64 {
        self.last_seen.saturating_add(GRACE_SECONDS)
    }
}
