//! The checked form and its look-ups (protocol.md §5.3, §10).

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sigveil_circuits::groth16::VerifyingKey;
use sigveil_circuits::keys::Statement;
use sigveil_circuits::token::instance::MAX_AUDIENCE_BYTES;
use sigveil_circuits::token::native::RESERVED_PREFIX;
use sigveil_circuits::token::{Class, Jwt, Modulus, ModulusSize, Refusal, SizeClass};
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Epoch, Mode, Profile, SlotCount};
use sigveil_vrf_identity::vrf::PublicKey;

use super::wire::{Binding, CircuitTrust, Interval, IssuerKey, IssuerTrust, ProofTrust, VrfEpochs};
use crate::profile::IssuerKeyId;

/// Why trust data is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Two entries for one issuer.
    #[error("issuer {0} is listed twice")]
    IssuerDuplicate(String),
    /// The issuer is empty, too long, or holds what a token's string cannot hold unescaped.
    #[error("issuer {0:?} cannot be an identity's issuer")]
    Issuer(String),
    /// The audience is empty, too long, holds a backslash, or begins with `sigveil`, which marks bindings.
    #[error("audience {0:?} is not usable")]
    Audience(String),
    /// Binding by audience, which comes with blind issuance.
    #[error("binding by audience is not supported yet")]
    BindingUnsupported,
    /// Not an odd modulus of 2,048, 3,072 or 4,096 bits.
    #[error("a key of issuer {0} is no RSA modulus of 2,048, 3,072 or 4,096 bits")]
    Modulus(String),
    /// A header that is no sound RS256 header.
    #[error("a header of issuer {0} is not accepted")]
    Header(String),
    /// A VRF key that is no point.
    #[error("a VRF key is malformed")]
    VrfKey,
    /// Slots outside of 1 to 2^16, or epochs of no length.
    #[error("slots or epoch length are out of range")]
    VrfEpochs,
    /// Two VRF intervals overlap.
    #[error("two VRF key intervals overlap")]
    VrfOverlap,
    /// An epoch number would be used twice.
    #[error("two VRF key intervals share an epoch number")]
    EpochReused,
    /// A verifying key that is none.
    #[error("a circuit's verifying key is malformed")]
    VerifyingKey,
    /// A class that no circuit has.
    #[error("there is no circuit for {0} bytes under RSA-{1}")]
    SizeClassUnknown(u16, u16),
    /// Two verifying keys of one class.
    #[error("the class of {0} has two verifying keys")]
    SizeClassDuplicate(Class),
}

impl TrustError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::IssuerDuplicate(_) => "trust-issuer-duplicate",
            Self::Issuer(_) => "trust-issuer-malformed",
            Self::Audience(_) => "trust-audience-malformed",
            Self::BindingUnsupported => "binding-unsupported",
            Self::Modulus(_) => "trust-issuer-modulus",
            Self::Header(_) => "trust-issuer-header",
            Self::VrfKey => "trust-vrf-key",
            Self::VrfEpochs => "trust-vrf-epochs",
            Self::VrfOverlap => "trust-vrf-overlap",
            Self::EpochReused => "trust-epoch-reused",
            Self::VerifyingKey => "trust-verifying-key",
            Self::SizeClassUnknown(..) => "trust-size-class-unknown",
            Self::SizeClassDuplicate(_) => "trust-size-class-duplicate",
        }
    }
}

/// Trust data that keeps every rule of protocol.md §10.
#[derive(Clone, Debug)]
pub struct CheckedTrust {
    issuers: Vec<Issuer>,
    vrf: Vec<VrfPeriod>,
    token: BTreeMap<Class, VerifyingKey>,
    nym: Option<VerifyingKey>,
    development: bool,
}

impl CheckedTrust {
    /// Checks and decodes trust data.
    pub fn new(trust: &ProofTrust) -> Result<Self, TrustError> {
        let mut issuers: Vec<Issuer> = Vec::with_capacity(trust.issuers.len());
        for entry in &trust.issuers {
            if issuers.iter().any(|known| known.issuer() == entry.issuer) {
                return Err(TrustError::IssuerDuplicate(entry.issuer.clone()));
            }
            issuers.push(Issuer::new(entry)?);
        }
        let (token, nym) = circuits(&trust.circuits)?;
        Ok(Self { issuers, vrf: periods(&trust.vrf)?, token, nym, development: trust.circuits.development })
    }

    /// The issuer with this `iss`.
    pub fn issuer(&self, iss: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.issuer() == iss)
    }

    /// All issuers.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// The VRF period that notBefore falls into.
    pub fn vrf_at(&self, time: u64) -> Option<&VrfPeriod> {
        self.vrf.iter().find(|period| period.valid_for.contains(time))
    }

    /// All VRF periods, in order of time.
    pub fn vrf_periods(&self) -> &[VrfPeriod] {
        &self.vrf
    }

    /// The verifying key of a class of the `token` circuit.
    pub fn token_circuit(&self, class: Class) -> Option<&VerifyingKey> {
        self.token.get(&class)
    }

    /// The smallest class with a verifying key that takes the tokens of this one: its own, or a larger one for a modulus
    /// of the same size.
    pub fn smallest_class(&self, class: Class) -> Option<Class> {
        let takes = |other: &&Class| other.modulus == class.modulus && other.size >= class.size;
        self.token.keys().filter(takes).min_by_key(|other| other.size).copied()
    }

    /// The verifying key of the `nym` circuit; none where nothing is proven, and then there is none of `token` either.
    pub fn nym_circuit(&self) -> Option<&VerifyingKey> {
        self.nym.as_ref()
    }

    /// The verifying key of a statement, if this names one.
    pub fn circuit(&self, statement: Statement) -> Option<&VerifyingKey> {
        match statement {
            Statement::Token(class) => self.token.get(&class),
            Statement::Nym => self.nym.as_ref(),
            Statement::Query => None,
        }
    }

    /// Whether the circuits' keys are development keys, which prove nothing against whoever made them.
    pub fn development_keys(&self) -> bool {
        self.development
    }
}

/// A checked issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    wire: IssuerTrust,
    keys: Vec<ListedKey>,
}

impl Issuer {
    fn new(wire: &IssuerTrust) -> Result<Self, TrustError> {
        let identity = Identity::new(&wire.issuer, Kind::Sub, "");
        if wire.issuer.is_empty() || identity.is_err() {
            return Err(TrustError::Issuer(wire.issuer.clone()));
        }
        let audience = &wire.audience;
        let forbidden = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        if audience.is_empty()
            || audience.len() > MAX_AUDIENCE_BYTES
            || audience.starts_with(RESERVED_PREFIX)
            || audience.bytes().any(forbidden)
        {
            return Err(TrustError::Audience(audience.clone()));
        }
        if wire.binding == Binding::Audience {
            return Err(TrustError::BindingUnsupported);
        }
        let keys = wire.keys.iter().map(|key| ListedKey::new(key, &wire.issuer)).collect::<Result<_, _>>()?;
        Ok(Self { wire: wire.clone(), keys })
    }

    /// Its `iss`.
    pub fn issuer(&self) -> &str {
        &self.wire.issuer
    }

    /// The audience its tokens must name.
    pub fn audience(&self) -> &str {
        &self.wire.audience
    }

    /// Which claim is the identity.
    pub fn kind(&self) -> Kind {
        self.wire.kind
    }

    /// How its tokens are bound to keys.
    pub fn binding(&self) -> Binding {
        self.wire.binding
    }

    /// The profile that clients get which ask for none.
    pub fn default_profile(&self) -> Profile {
        self.wire.default_profile
    }

    /// Whether a certificate with this notBefore may have this mode and profile.
    pub fn allows(&self, mode: Mode, profile: Profile, time: u64) -> bool {
        self.wire.allowed.iter().any(|allowance| {
            allowance.valid_for.contains(time)
                && allowance.modes.contains(&mode)
                && allowance.profiles.contains(&profile)
        })
    }

    /// The listed key of this name, valid at `time`.
    pub fn key(&self, id: &IssuerKeyId, time: u64) -> Option<&ListedKey> {
        self.keys.iter().find(|key| key.id == *id && key.valid_for.contains(time))
    }

    /// Its listed keys.
    pub fn keys(&self) -> &[ListedKey] {
        &self.keys
    }
}

/// A checked issuer key with one header.
#[derive(Clone, Debug)]
pub struct ListedKey {
    id: IssuerKeyId,
    modulus: Modulus,
    header: Vec<u8>,
    valid_for: Interval,
}

impl ListedKey {
    fn new(wire: &IssuerKey, issuer: &str) -> Result<Self, TrustError> {
        let modulus = Modulus::new(&wire.modulus.0, &[1, 0, 1]);
        let modulus = modulus.map_err(|_| TrustError::Modulus(issuer.to_owned()))?;
        let header = wire.header.0.clone();
        check_header(&header).map_err(|_| TrustError::Header(issuer.to_owned()))?;
        let id = IssuerKeyId::new(&modulus, &header);
        Ok(Self { id, modulus, header, valid_for: wire.valid_for })
    }

    /// Its name in certificates.
    pub fn id(&self) -> &IssuerKeyId {
        &self.id
    }

    /// The modulus.
    pub fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The decoded header.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The header as it stands in tokens: base64url without padding.
    pub fn encoded_header(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.header)
    }

    /// When tokens under it are accepted.
    pub fn valid_for(&self) -> Interval {
        self.valid_for
    }
}

/// A VRF key with the slots and epochs of its interval.
#[derive(Clone, Debug)]
pub struct VrfPeriod {
    public_key: PublicKey,
    slots: SlotCount,
    epoch_seconds: NonZeroU64,
    first_epoch: u64,
    valid_for: Interval,
}

impl VrfPeriod {
    fn new(wire: &VrfEpochs) -> Result<Self, TrustError> {
        Ok(Self {
            public_key: PublicKey::from_bytes(&wire.public_key.0).map_err(|_| TrustError::VrfKey)?,
            slots: SlotCount::new(wire.slots).map_err(|_| TrustError::VrfEpochs)?,
            epoch_seconds: NonZeroU64::new(wire.epoch_seconds).ok_or(TrustError::VrfEpochs)?,
            first_epoch: wire.first_epoch,
            valid_for: wire.valid_for,
        })
    }

    /// The VRF's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Slots of an epoch.
    pub fn slots(&self) -> SlotCount {
        self.slots
    }

    /// When this period's key is used.
    pub fn valid_for(&self) -> Interval {
        self.valid_for
    }

    /// The epoch of a time in this period: first epoch + ⌊(time − start) / length⌋.
    pub fn epoch(&self, time: u64) -> Epoch {
        Epoch(self.first_epoch.saturating_add(time.saturating_sub(self.valid_for.start) / self.epoch_seconds))
    }

    /// The last epoch, if the period has an end.
    fn last_epoch(&self) -> Option<Epoch> {
        self.valid_for.end.map(|end| self.epoch(end.saturating_sub(1)))
    }
}

fn periods(wire: &[VrfEpochs]) -> Result<Vec<VrfPeriod>, TrustError> {
    let mut periods = wire.iter().map(VrfPeriod::new).collect::<Result<Vec<_>, _>>()?;
    periods.sort_by_key(|period| period.valid_for.start);
    for pair in periods.windows(2) {
        if pair[0].valid_for.overlaps(&pair[1].valid_for) {
            return Err(TrustError::VrfOverlap);
        }
        if pair[0].last_epoch().is_none_or(|last| last.0 >= pair[1].first_epoch) {
            return Err(TrustError::EpochReused);
        }
    }
    Ok(periods)
}

/// No keys at all are those of an instance whose scheme proves nothing.
fn circuits(
    wire: &CircuitTrust,
) -> Result<(BTreeMap<Class, VerifyingKey>, Option<VerifyingKey>), TrustError> {
    if wire.token.is_empty() && wire.nym.0.is_empty() {
        return Ok((BTreeMap::new(), None));
    }
    let decode = |bytes: &[u8]| VerifyingKey::from_bytes(bytes).map_err(|_| TrustError::VerifyingKey);
    let mut token = BTreeMap::new();
    for circuit in &wire.token {
        let key = decode(&circuit.verifying_key.0)?;
        let class = class(circuit.size_class, circuit.modulus_bits)?;
        if token.insert(class, key).is_some() {
            return Err(TrustError::SizeClassDuplicate(class));
        }
    }
    Ok((token, Some(decode(&wire.nym.0)?)))
}

fn class(size_class: u16, modulus_bits: u16) -> Result<Class, TrustError> {
    let unknown = TrustError::SizeClassUnknown(size_class, modulus_bits);
    let class = SizeClass::from_bytes(size_class.into()).zip(ModulusSize::from_bits(modulus_bits.into()));
    class.map(|(size, modulus)| Class { size, modulus }).ok_or(unknown)
}

/// The rules for headers are the token statement's; it states them for whole tokens.
fn check_header(header: &[u8]) -> Result<(), Refusal> {
    let token = format!("{}.e30.", BASE64_URL_SAFE_NO_PAD.encode(header));
    Jwt::parse(&token).map(|_| ())
}
