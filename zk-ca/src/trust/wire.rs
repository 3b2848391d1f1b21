//! The plain data, with its serde form.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sigveil_vrf_identity::identity::Kind;
use sigveil_vrf_identity::label::{Mode, Profile};

/// A half-open interval of time; without `end` it is still running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// First second, Unix time.
    pub start: u64,
    /// First second after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
}

impl Interval {
    /// From `start` on.
    pub fn from(start: u64) -> Self {
        Self { start, end: None }
    }

    /// Whether `time` lies in it.
    pub fn contains(&self, time: u64) -> bool {
        self.start <= time && self.end.is_none_or(|end| time < end)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let before = |a: &Self, b: &Self| a.end.is_some_and(|end| end <= b.start);
        !before(self, other) && !before(other, self)
    }
}

/// How an issuer's tokens can be bound to a key (protocol.md §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// Not at all: such an issuer has no blind mode.
    None,
    /// By the `nonce` claim. In open mode unbound tokens are accepted beside it.
    Nonce,
    /// By the audience. Comes with blind issuance: refused until then.
    Audience,
}

/// Everything that verifying the proofs of a certificate needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProofTrust {
    /// The issuers whose tokens are accepted, each once.
    pub issuers: Vec<IssuerTrust>,
    /// VRF key, slots and epochs, one entry per interval, disjoint.
    pub vrf: Vec<VrfEpochs>,
    /// Verifying keys of the circuits.
    pub circuits: CircuitTrust,
}

/// One issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerTrust {
    /// The token's `iss`, exactly.
    pub issuer: String,
    /// The audience that tokens must name, exactly.
    pub audience: String,
    /// Which claim is the identity.
    #[serde(with = "by_name")]
    pub kind: Kind,
    /// How tokens are bound to a key.
    pub binding: Binding,
    /// The profile that stock clients get, which cannot ask for one.
    #[serde(with = "by_name")]
    pub default_profile: Profile,
    /// Modes and profiles that certificates of this issuer may have, by notBefore.
    pub allowed: Vec<Allowance>,
    /// Its keys.
    pub keys: Vec<IssuerKey>,
}

/// Modes and profiles allowed in an interval of notBefore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowance {
    /// The modes.
    #[serde(with = "by_names")]
    pub modes: Vec<Mode>,
    /// The profiles.
    #[serde(with = "by_names")]
    pub profiles: Vec<Profile>,
    /// When.
    pub valid_for: Interval,
}

/// One key of an issuer with one exact header under which it signs ID tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerKey {
    /// The RSA modulus, big-endian, of 2,048, 3,072 or 4,096 bits; the exponent is 65537.
    pub modulus: Base64Bytes,
    /// The decoded bytes of the JWS protected header.
    pub header: Base64Bytes,
    /// When tokens under it are accepted.
    pub valid_for: Interval,
}

/// VRF key, slots and epoch length of one interval of notBefore (protocol.md §10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VrfEpochs {
    /// The VRF's public key, encoded as `sigveil_vrf_identity::vrf::PublicKey` encodes it.
    pub public_key: Base64Bytes,
    /// Slots of an epoch, 1 to 2^16.
    pub slots: u32,
    /// Seconds of an epoch.
    pub epoch_seconds: u64,
    /// Number of the interval's first epoch.
    pub first_epoch: u64,
    /// When.
    pub valid_for: Interval,
}

/// Verifying keys of the circuits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitTrust {
    /// Of the `token` circuit, one per class.
    pub token: Vec<TokenCircuit>,
    /// Of the `nym` circuit. Empty, with no circuit of `token`, where nothing is proven.
    pub nym: Base64Bytes,
    /// Whether the keys were made by one party for development: whoever made them could forge proofs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub development: bool,
}

/// The verifying key of one class of the `token` circuit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenCircuit {
    /// Bytes of the signing input.
    pub size_class: u16,
    /// Bits of the issuer's modulus; 2,048 where the file does not say.
    #[serde(default = "rsa2048", skip_serializing_if = "is_rsa2048")]
    pub modulus_bits: u16,
    /// The key, encoded as `sigveil_circuits::groth16::VerifyingKey` encodes it.
    pub verifying_key: Base64Bytes,
}

fn rsa2048() -> u16 {
    2048
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_rsa2048(bits: &u16) -> bool {
    *bits == rsa2048()
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base64Bytes(pub Vec<u8>);

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A type of the ground floor that stands by its name in JSON.
trait Named: Sized {
    fn name(&self) -> &'static str;
    fn named(name: &str) -> Option<Self>;
}

impl Named for Kind {
    fn name(&self) -> &'static str {
        Kind::name(*self)
    }

    fn named(name: &str) -> Option<Self> {
        Kind::from_name(name).ok()
    }
}

impl Named for Mode {
    fn name(&self) -> &'static str {
        Mode::name(*self)
    }

    fn named(name: &str) -> Option<Self> {
        Mode::from_name(name)
    }
}

impl Named for Profile {
    fn name(&self) -> &'static str {
        Profile::name(*self)
    }

    fn named(name: &str) -> Option<Self> {
        Profile::from_name(name)
    }
}

fn find<T: Named, E: serde::de::Error>(name: &str) -> Result<T, E> {
    T::named(name).ok_or_else(|| E::custom(format!("unknown name {name:?}")))
}

mod by_name {
    use super::*;

    pub fn serialize<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }

    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        find(&String::deserialize(deserializer)?)
    }
}

mod by_names {
    use super::*;

    pub fn serialize<T: Named, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Named::name))
    }

    pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Vec::<String>::deserialize(deserializer)?.iter().map(|name| find(name)).collect()
    }
}
