//! Issuers whose keys are found by discovery: what the trust root lists of them, and where the authority looks.
//!
//! A trust root lists each key with the exact header of its tokens, which the config's template gives. Every key ever
//! seen is remembered in the store, since certificates outlive rotations; an issuer that cannot be reached at a later
//! start is listed as it was seen last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sigveil_zk_ca::observed::{HeaderTemplate, ObservedKeys};
use sigveil_zk_ca::service::oidc::{FetchPolicy, IssuerKeys};
use sigveil_zk_ca::trust::IssuerKey;

use super::{EMBEDDED, InstanceError, now};
use crate::files;
use crate::service::config::{Config, IssuerConfig};

/// The header of most issuers' tokens.
const USUAL_HEADER: &str = r#"{"alg":"RS256","kid":"{kid}","typ":"JWT"}"#;

/// A key counts from this much before it was seen: certificates begin a few seconds before their issuance.
const SKEW_SECONDS: u64 = 60;

/// An issuer whose keys were discovered.
pub(super) struct Discovered {
    /// Where the authority asks for them.
    pub(super) keys: IssuerKeys,
    /// What the trust root lists.
    pub(super) listed: Vec<IssuerKey>,
}

/// Every configured issuer that is neither embedded nor given as a file, by its URL. Must be called where blocking is
/// allowed, inside a runtime.
///
/// # Errors
/// When one was never reached, or its keys have no header under its template.
pub(super) fn discover(config: &Config) -> Result<BTreeMap<String, Discovered>, InstanceError> {
    let outside = config.issuers.iter().filter(|issuer| issuer.url != EMBEDDED && issuer.jwks.is_none());
    outside.map(|issuer| Ok((issuer.url.clone(), one(&config.store, issuer, policy(config))?))).collect()
}

/// Who embeds an identity provider develops, and may have another on loopback.
pub(super) fn policy(config: &Config) -> FetchPolicy {
    FetchPolicy { allow_loopback_http: config.embedded_issuer, ..FetchPolicy::default() }
}

fn one(store: &Path, issuer: &IssuerConfig, policy: FetchPolicy) -> Result<Discovered, InstanceError> {
    let template = HeaderTemplate::parse(issuer.header.as_deref().unwrap_or(USUAL_HEADER))?;
    let keys = IssuerKeys::discover(&issuer.url, policy)?;
    let path = file(store, &issuer.url)?;
    let mut observed = read(&path)?;
    match tokio::runtime::Handle::current().block_on(keys.key_set(now())) {
        Ok(set) => {
            observed.observe(&set, &template, now().saturating_sub(SKEW_SECONDS))?;
            let json = serde_json::to_vec(&observed).expect("plain data always has a JSON form");
            files::write(&path, &json)?;
        }
        Err(error) if observed.keys.is_empty() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(issuer = issuer.url, reason = error.reason(), "listed as it was seen last");
        }
    }
    Ok(Discovered { keys, listed: observed.listed() })
}

fn file(store: &Path, url: &str) -> Result<PathBuf, InstanceError> {
    let folder = store.join("issuers");
    files::make_folder(&folder)?;
    Ok(folder.join(format!("{}.json", hex::encode(Sha256::digest(url)))))
}

/// What was seen before: nothing where there is no file. A damaged one is no reason to forget keys.
fn read(path: &Path) -> Result<ObservedKeys, InstanceError> {
    if !path.exists() {
        return Ok(ObservedKeys::default());
    }
    let text = files::read_text(path, files::JSON_LIMIT)?;
    serde_json::from_str(&text).map_err(|error| InstanceError::Store(format!("{}: {error}", path.display())))
}
