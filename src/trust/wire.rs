//! The plain data of `trusted_root.sigveil.json`.

use serde::{Deserialize, Serialize};
pub use sigveil_zk_ca::scheme::Scheme;
use sigveil_zk_ca::trust::{Base64Bytes, Interval, ProofTrust};

/// The media type of this version.
pub const MEDIA_TYPE: &str = "application/vnd.sigveil.trustedroot+json;version=0.1";

/// What this system adds to a stock trust root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Section {
    /// [`MEDIA_TYPE`].
    pub media_type: String,
    /// SHA-256, hex, of the RFC 8785 form of the stock trust root that this belongs to.
    pub trusted_root_sha256: String,
    /// The keys that issue certificates, each with its one scheme.
    pub certificate_authority_keys: Vec<CaKey>,
    /// Issuers, VRF keys and circuits.
    pub proofs: ProofTrust,
    /// The signature log's key; the stock root has it too, without its name.
    pub signature_log: LogKey,
    /// The index's output log.
    pub output_log: LogKey,
    /// Who witnesses both logs, by verifier keys (C2SP tlog-cosignature).
    pub witnesses: AuthorityKeys<String>,
    /// Who recomputes the index, by verifier keys used for nothing else.
    pub reexecutors: AuthorityKeys<String>,
    /// Who may have content withheld, by Ed25519 public keys.
    pub redaction_authorities: AuthorityKeys<Base64Bytes>,
    /// Seconds after a certificate's end by which witnesses must have seen its entry (D of protocol.md §5.3).
    pub witness_delay_seconds: u64,
    /// Seconds after a deferred certificate's end by which witnesses must have seen its receipt (the deferral delay of
    /// protocol.md §6). Without it no proof may be deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferral_delay_seconds: Option<u64>,
}

/// A key that issues certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaKey {
    /// SHA-256, hex, of its SubjectPublicKeyInfo.
    pub key_sha256: String,
    /// The only scheme it issues.
    pub scheme: Scheme,
    /// The notBefore of certificates for which it counts.
    pub valid_for: Interval,
}

/// A log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogKey {
    /// Where it answers.
    pub base_url: String,
    /// Its key, as a signed-note verifier key, whose name is the origin.
    pub verifier_key: String,
}

/// A set of keys of which some number must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorityKeys<K> {
    /// How many.
    pub threshold: usize,
    /// The keys.
    pub keys: Vec<K>,
}
