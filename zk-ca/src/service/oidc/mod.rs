//! OpenID Connect discovery and key sets over HTTP (OpenID Connect Discovery 1.0 §4, RFC 7517).
//!
//! An [`IssuerKeys`] belongs to one configured issuer: no address is ever taken from a token. What comes back is
//! limited in size and time, redirects are not followed, plain HTTP is refused except on loopback where the operator
//! allows it.

mod fetch;

use std::time::Duration;

use serde::Deserialize;
use sigveil_circuits::token::Modulus;
use tokio::sync::Mutex;

pub use fetch::{FetchError, FetchPolicy};

use crate::jwks::{JwksError, KeySet, MAX_KEY_SET_BYTES};
use fetch::Fetcher;

/// Seconds after which keys are fetched anew.
const MAX_AGE: u64 = 600;
/// Seconds for which keys are used while the issuer cannot be reached.
const MAX_STALE: u64 = 3600;
/// Seconds between two attempts to fetch.
const MIN_REFRESH_INTERVAL: u64 = 30;
/// Most bytes of a discovery document that are read.
const MAX_DISCOVERY_BYTES: usize = 64 * 1024;

/// Why an issuer's key could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// A document could not be fetched.
    #[error("the issuer's documents could not be fetched: {0}")]
    Fetch(FetchError),
    /// The discovery document is no JSON object with `issuer` and `jwks_uri`.
    #[error("the issuer's discovery document is malformed")]
    Discovery,
    /// The discovery document names another issuer.
    #[error("the issuer's discovery document names another issuer")]
    IssuerMismatch,
    /// The key set, or the key.
    #[error(transparent)]
    Keys(#[from] JwksError),
}

impl OidcError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.reason(),
            Self::Discovery => "oidc-discovery-malformed",
            Self::IssuerMismatch => "oidc-issuer-mismatch",
            Self::Keys(error) => error.reason(),
        }
    }
}

/// One issuer's keys, fetched when needed.
pub struct IssuerKeys {
    issuer: String,
    /// None where the keys were given and are never fetched.
    fetcher: Option<Fetcher>,
    /// Held while fetching, so that many requests with an unknown key id cause one fetch.
    cache: Mutex<Cache>,
}

/// Seconds between two moments; of one that is to come, as when the clock was set back, nobody knows how long ago it was.
fn since(then: u64, now: u64) -> u64 {
    now.checked_sub(then).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct Cache {
    keys: Option<KeySet>,
    fetched: u64,
    attempted: Option<u64>,
    /// Why the last attempt failed, if it did.
    failure: Option<OidcError>,
}

impl Cache {
    /// Whether to fetch: there are no keys, they are old, or the one wanted is unknown; and the last attempt, whatever
    /// came of it, is some time ago.
    fn wants_fetch(&self, unknown: bool, now: u64) -> bool {
        let rested = self.attempted.is_none_or(|at| since(at, now) >= MIN_REFRESH_INTERVAL);
        rested && (unknown || self.keys.is_none() || self.age(now) >= MAX_AGE)
    }

    fn lacks(&self, key_id: Option<&str>) -> bool {
        let keys = self.keys.as_ref();
        keys.is_none_or(|keys| matches!(keys.modulus(key_id), Err(JwksError::UnknownKey)))
    }

    fn age(&self, now: u64) -> u64 {
        since(self.fetched, now)
    }

    fn answer(&self, key_id: Option<&str>, now: u64) -> Result<Modulus, OidcError> {
        let known =
            self.keys.as_ref().map_or(Err(JwksError::UnknownKey), |keys| keys.modulus(key_id).cloned());
        match (&self.failure, known) {
            (None, known) => Ok(known?),
            // Of an id that is unknown nobody can say that it is none while the issuer does not answer.
            (Some(failure), Err(JwksError::UnknownKey)) => Err(failure.clone()),
            (Some(_), known) if self.age(now) < MAX_STALE => Ok(known?),
            (Some(failure), _) => Err(failure.clone()),
        }
    }
}

impl IssuerKeys {
    /// Keys of the issuer with this `iss`, which is also the base of its discovery address.
    pub fn discover(issuer: &str, policy: FetchPolicy) -> Result<Self, OidcError> {
        let fetcher = Fetcher::new(policy).map_err(OidcError::Fetch)?;
        Ok(Self { issuer: issuer.to_owned(), fetcher: Some(fetcher), cache: Mutex::default() })
    }

    /// Keys that the operator gives; they are never fetched.
    pub fn fixed(keys: KeySet) -> Self {
        let cache = Cache { keys: Some(keys), ..Cache::default() };
        Self { issuer: String::new(), fetcher: None, cache: Mutex::new(cache) }
    }

    /// The key with this id. Fetches when there are no keys, when they are old, and when the id is unknown, at most
    /// every 30 s: neither unknown ids nor an issuer that does not answer make requests wait behind one another.
    /// While the issuer is unreachable its known keys serve for an hour.
    pub async fn modulus(&self, key_id: Option<&str>, now: u64) -> Result<Modulus, OidcError> {
        let mut cache = self.cache.lock().await;
        if cache.wants_fetch(cache.lacks(key_id), now) {
            self.refresh(&mut cache, now).await;
        }
        cache.answer(key_id, now)
    }

    /// The whole set, for an operator who lists its keys ([`crate::observed`]). Fetched under the same limits.
    pub async fn key_set(&self, now: u64) -> Result<KeySet, OidcError> {
        let mut cache = self.cache.lock().await;
        if cache.wants_fetch(false, now) {
            self.refresh(&mut cache, now).await;
        }
        match (&cache.failure, &cache.keys) {
            (None, Some(keys)) => Ok(keys.clone()),
            (Some(failure), _) => Err(failure.clone()),
            (None, None) => Err(JwksError::UnknownKey.into()),
        }
    }

    async fn refresh(&self, cache: &mut Cache, now: u64) {
        let Some(fetcher) = &self.fetcher else { return };
        cache.attempted = Some(now);
        match self.fetch(fetcher).await {
            Ok(keys) => (cache.keys, cache.fetched, cache.failure) = (Some(keys), now, None),
            Err(error) => {
                tracing::warn!(issuer = %self.issuer, reason = error.reason(), "no keys from the issuer");
                cache.failure = Some(error);
            }
        }
    }

    async fn fetch(&self, fetcher: &Fetcher) -> Result<KeySet, OidcError> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = fetcher.get(&address, MAX_DISCOVERY_BYTES).await.map_err(OidcError::Fetch)?;
        let discovery: Discovery = serde_json::from_slice(&document).map_err(|_| OidcError::Discovery)?;
        if discovery.issuer != self.issuer {
            return Err(OidcError::IssuerMismatch);
        }
        let keys = fetcher.get(&discovery.jwks_uri, MAX_KEY_SET_BYTES).await.map_err(OidcError::Fetch)?;
        Ok(KeySet::parse(&keys)?)
    }
}

/// The two members of a discovery document that are read.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Time limit of one fetch unless the operator sets another.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
