//! The stock signing configuration (v0.2) and sigstore-python's client trust configuration.

use serde_json::{Value, json};

use super::trusted_root::{TrustedRoot, TrustedRootError, rfc3339};

/// Where the services of one instance answer.
#[derive(Clone, Debug)]
pub struct Services {
    /// The certificate authority's base URL.
    pub ca: String,
    /// The identity provider's URL.
    pub oidc: String,
    /// The signature log's base URL.
    pub rekor: String,
    /// The timestamp authority's full URL.
    pub tsa: String,
    /// Who runs them.
    pub operator: String,
    /// Since when, Unix seconds.
    pub valid_from: i64,
}

/// `signing_config.json`: where stock clients send what they sign.
///
/// # Errors
/// When the time is impossible.
pub fn signing_config(services: &Services) -> Result<Value, TrustedRootError> {
    let start = rfc3339(services.valid_from)?;
    let service = |url: &str, version: u32| {
        json!([{
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": start},
            "operator": services.operator,
        }])
    };
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(&services.ca, 1),
        "oidcUrls": service(&services.oidc, 1),
        "rekorTlogUrls": service(&services.rekor, 2),
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": service(&services.tsa, 1),
        "tsaConfig": {"selector": "ANY"},
    }))
}

/// `trust_config.json`: trust root and signing configuration in one file, as sigstore-python takes them.
pub fn client_trust_config(root: &TrustedRoot, signing_config: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": root.value(),
        "signingConfig": signing_config,
    })
}
