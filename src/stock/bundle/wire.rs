//! A signed file's bundle as it is written: every member that it may have, and none beside them.
//!
//! Protobuf's JSON leaves out what is zero or empty and may write `null` for what is absent; stock clients do both, so
//! an absent member is its zero. Members with an underscore are the stock verifier's matter, and only read strictly here.

use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use sigveil_zk_ca::trust::Base64Bytes;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wire {
    #[serde(rename = "mediaType")]
    _media_type: IgnoredAny,
    pub(super) verification_material: Material,
    pub(super) message_signature: MessageSignature,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Material {
    pub(super) certificate: Certificate,
    pub(super) tlog_entries: [Entry; 1],
    pub(super) timestamp_verification_data: Timestamps,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    pub(super) raw_bytes: Base64Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timestamps {
    pub(super) rfc3161_timestamps: [Timestamp; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timestamp {
    pub(super) signed_timestamp: Base64Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(default)]
    pub(super) log_index: Decimal,
    pub(super) log_id: LogId,
    #[serde(rename = "kindVersion")]
    _kind_version: KindVersion,
    #[serde(default)]
    pub(super) integrated_time: Decimal,
    #[serde(default)]
    pub(super) inclusion_promise: Option<IgnoredAny>,
    pub(super) inclusion_proof: Proof,
    pub(super) canonicalized_body: Base64Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogId {
    pub(super) key_id: Base64Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersion {
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(rename = "version")]
    _version: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(default)]
    pub(super) log_index: Decimal,
    pub(super) root_hash: Base64Bytes,
    #[serde(default)]
    pub(super) tree_size: Decimal,
    #[serde(default, rename = "hashes")]
    _hashes: Vec<Base64Bytes>,
    pub(super) checkpoint: Checkpoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub(super) envelope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MessageSignature {
    pub(super) message_digest: MessageDigest,
    #[serde(rename = "signature")]
    _signature: Base64Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageDigest {
    pub(super) algorithm: String,
    pub(super) digest: Base64Bytes,
}

/// A 64-bit number: a decimal without sign or leading zeros, as a string or, as the JSON mapping also allows, a number.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decimal(pub(super) u64);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(u64),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(number) => return Ok(Self(number)),
            Form::Text(text) => text,
        };
        let number = text.parse().ok().filter(|number: &u64| number.to_string() == text);
        number.map(Self).ok_or_else(|| D::Error::custom("not a decimal of 64 bits"))
    }
}
