//! The stock trust root (`application/vnd.dev.sigstore.trustedroot+json;version=0.1`), written and parsed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::pkcs8::DecodePublicKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sigveil_log::note::NoteKey;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// The key types that appear in our trust roots, by their protobuf-specs names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDetails {
    /// Ed25519: signature log.
    Ed25519,
    /// ECDSA P-256 with SHA-256: certificate log.
    EcdsaP256,
}

impl KeyDetails {
    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "PKIX_ED25519",
            Self::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
        }
    }
}

/// A log as the trust root names it.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its URL; its host name is the origin that stock clients expect on checkpoints.
    pub base_url: String,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// The key's type.
    pub details: KeyDetails,
    /// The log's identifier: SHA-256 as its specification says.
    pub key_id: [u8; 32],
    /// Since when the key is valid, Unix seconds.
    pub valid_from: i64,
}

/// A certificate or timestamp authority as the trust root names it.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Organisation of the subject.
    pub organization: String,
    /// Common name of the subject.
    pub common_name: String,
    /// Its URL.
    pub uri: String,
    /// The chain, DER, leaf-most first and root last.
    pub chain: Vec<Vec<u8>>,
    /// Since when it is valid, Unix seconds.
    pub valid_from: i64,
}

/// What a trust root of this system holds in its stock part.
#[derive(Clone, Debug)]
pub struct RootContents {
    /// Signature logs.
    pub tlogs: Vec<Log>,
    /// Certificate authorities.
    pub certificate_authorities: Vec<Authority>,
    /// Certificate logs.
    pub ctlogs: Vec<Log>,
    /// Timestamp authorities.
    pub timestamp_authorities: Vec<Authority>,
}

/// Why a trust root was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TrustedRootError {
    /// It is no trust root of the stock format.
    #[error("the trust root is malformed: {0}")]
    Malformed(String),
    /// A time in it lies outside what RFC 3339 can say.
    #[error("the trust root names an impossible time")]
    Time,
}

impl TrustedRootError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        "trust-root-malformed"
    }
}

crate::failure::failures!(TrustedRootError);

/// A stock trust root that parsed, with the JSON it came from and its digest.
#[derive(Clone, Debug)]
pub struct TrustedRoot {
    pub(super) inner: sigstore_trust_root::TrustedRoot,
    value: Value,
    digest: [u8; 32],
}

impl TrustedRoot {
    /// Parses a `trusted_root.json`.
    ///
    /// # Errors
    /// When it is not that format.
    pub fn from_json(json: &str) -> Result<Self, TrustedRootError> {
        let value = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        Self::from_value(value)
    }

    /// Takes the trust root out of a client trust configuration (sigstore-python's `--trust-config`).
    ///
    /// # Errors
    /// When it is not that format.
    pub fn from_trust_config(json: &str) -> Result<Self, TrustedRootError> {
        let mut value: Value = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        let root = value.get_mut("trustedRoot").map(Value::take);
        Self::from_value(root.ok_or_else(|| TrustedRootError::Malformed("no member trustedRoot".into()))?)
    }

    /// Writes the contents in the stock form.
    ///
    /// # Errors
    /// When a time is impossible, or the result would not parse again.
    pub fn build(contents: &RootContents) -> Result<Self, TrustedRootError> {
        Self::from_value(json!({
            "mediaType": MEDIA_TYPE,
            "tlogs": each(&contents.tlogs, log)?,
            "certificateAuthorities": each(&contents.certificate_authorities, authority)?,
            "ctlogs": each(&contents.ctlogs, log)?,
            "timestampAuthorities": each(&contents.timestamp_authorities, authority)?,
        }))
    }

    fn from_value(value: Value) -> Result<Self, TrustedRootError> {
        let inner: sigstore_trust_root::TrustedRoot =
            serde_json::from_value(value.clone()).map_err(|error| malformed(&error))?;
        if inner.media_type != MEDIA_TYPE {
            return Err(TrustedRootError::Malformed(format!("media type {}", inner.media_type)));
        }
        // Whoever can build a verifier from it finds every key and certificate in it sound.
        sigstore_verify::Verifier::new(&inner).map_err(|error| malformed(&error))?;
        let canonical = serde_json_canonicalizer::to_vec(&value).map_err(|error| malformed(&error))?;
        Ok(Self { inner, value, digest: Sha256::digest(canonical).into() })
    }

    /// SHA-256 of the RFC 8785 form: the same whether the root stands alone or inside a trust configuration.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The JSON as a file, with a final newline.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.value)
    }

    /// The JSON value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The certificates of every certificate authority, DER, chain by chain.
    pub fn certificate_authorities(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        self.inner.certificate_authorities.iter().map(|ca| {
            ca.cert_chain.certificates.iter().map(|certificate| certificate.raw_bytes.as_bytes()).collect()
        })
    }

    /// The certificates of every timestamp authority, DER.
    pub(super) fn timestamp_certificates(&self) -> Vec<&[u8]> {
        let chains = self.inner.timestamp_authorities.iter().flat_map(|tsa| &tsa.cert_chain.certificates);
        chains.map(|certificate| certificate.raw_bytes.as_bytes()).collect()
    }

    /// The key of the Ed25519 signature log with this identifier, under the name that its checkpoints carry.
    pub(super) fn log_key(&self, id: &[u8; 32]) -> Option<NoteKey> {
        let mut keys = self.tlogs().filter_map(|(origin, spki)| {
            let key = ed25519_dalek::VerifyingKey::from_public_key_der(spki).ok()?;
            NoteKey::ed25519(origin, key).ok()
        });
        keys.find(|key| key.log_id().0 == *id)
    }

    /// (host name of the base URL, SubjectPublicKeyInfo) of every signature log.
    pub fn tlogs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.inner.tlogs.iter().map(|log| (host(&log.base_url), log.public_key.raw_bytes.as_bytes()))
    }

    /// SubjectPublicKeyInfo of every certificate log.
    pub fn ctlogs(&self) -> impl Iterator<Item = &[u8]> {
        self.inner.ctlogs.iter().map(|log| log.public_key.raw_bytes.as_bytes())
    }
}

/// The host name of a URL, without scheme, port and path: the origin of a stock log's checkpoints.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

fn malformed(error: &impl ToString) -> TrustedRootError {
    TrustedRootError::Malformed(error.to_string())
}

fn each<T>(
    items: &[T],
    write: impl Fn(&T) -> Result<Value, TrustedRootError>,
) -> Result<Vec<Value>, TrustedRootError> {
    items.iter().map(write).collect()
}

fn log(log: &Log) -> Result<Value, TrustedRootError> {
    Ok(json!({
        "baseUrl": log.base_url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(&log.public_key),
            "keyDetails": log.details.name(),
            "validFor": {"start": rfc3339(log.valid_from)?},
        },
        "logId": {"keyId": STANDARD.encode(log.key_id)},
    }))
}

fn authority(authority: &Authority) -> Result<Value, TrustedRootError> {
    let certificates: Vec<Value> =
        authority.chain.iter().map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect();
    Ok(json!({
        "subject": {"organization": authority.organization, "commonName": authority.common_name},
        "uri": authority.uri,
        "certChain": {"certificates": certificates},
        "validFor": {"start": rfc3339(authority.valid_from)?},
    }))
}

pub(super) fn rfc3339(unix: i64) -> Result<String, TrustedRootError> {
    OffsetDateTime::from_unix_timestamp(unix)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .ok_or(TrustedRootError::Time)
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn the_origin_is_the_host_name_alone() {
        assert_eq!(host("http://localhost:8080/a"), "localhost");
        assert_eq!(host("https://log.example"), "log.example");
        assert_eq!(host("log.example/path:1"), "log.example");
    }
}
