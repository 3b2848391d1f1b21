//! Labels: the pseudonyms under which signing events stand (protocol.md §4.3).
//!
//! `L = Poseidon(DOM_LABEL, profile, k_id, epoch, slot)`. The profile says who can link events: everybody, everybody
//! within one epoch, or only whoever holds k_id. [`Scope`] is a profile with exactly the epoch and slot that it has,
//! so a label outside of its profile's bounds cannot be written down. [`San`] is the form in a certificate,
//! [`watch_list`] what an owner looks for.

mod san;
mod watch;

use std::fmt;

use thiserror::Error;

use crate::domain::Domain;
use crate::field::{self, FieldError};
use crate::vrf::MonitoringKey;
use crate::{Fr, poseidon};

pub use san::{LABEL_CHARACTERS, San, SanError};
pub use watch::{WatchedLabel, watch_list};

/// Most slots in one epoch.
pub const MAX_SLOTS: u32 = 1 << 16;

/// How the evaluation was made: by an issuer that saw the token, or blindly (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The CA has seen the token and knows the identity.
    Open,
    /// Nobody but the signer has.
    Blind,
}

impl Mode {
    /// Both modes.
    pub const ALL: [Mode; 2] = [Mode::Open, Mode::Blind];

    /// μ as a hash's or statement's input: 0 for open, 1 for blind.
    #[must_use]
    pub fn to_field(self) -> Fr {
        Fr::from(self == Self::Blind)
    }

    /// The name in a SAN.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blind => "blind",
        }
    }

    /// The mode of a [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who can link the events of one identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Profile {
    /// Everybody.
    Stable = 1,
    /// Everybody, within one epoch.
    Epoch = 2,
    /// The owner, and whoever holds its monitoring key.
    Unlinkable = 3,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 3] = [Profile::Stable, Profile::Epoch, Profile::Unlinkable];

    /// The number as a hash's or statement's input.
    #[must_use]
    pub fn to_field(self) -> Fr {
        Fr::from(self as u8)
    }

    /// The name in a SAN.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Epoch => "epoch",
            Self::Unlinkable => "unlinkable",
        }
    }

    /// The profile of a [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Number of an epoch, never reused (§10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A slot within an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot as a number, below 2^16.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

/// `SLOTS`: how many slots an epoch has, 1 to 2^16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotCount(u32);

impl SlotCount {
    /// A number of slots.
    ///
    /// # Errors
    /// [`LabelError::SlotCount`] unless it is 1 to 2^16.
    pub fn new(count: u32) -> Result<Self, LabelError> {
        if (1..=MAX_SLOTS).contains(&count) { Ok(Self(count)) } else { Err(LabelError::SlotCount) }
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The slot with this number.
    ///
    /// # Errors
    /// [`LabelError::SlotOutOfRange`] if the epoch has no such slot.
    pub fn slot(self, number: u32) -> Result<Slot, LabelError> {
        match u16::try_from(number) {
            Ok(slot) if number < self.0 => Ok(Slot(slot)),
            _ => Err(LabelError::SlotOutOfRange),
        }
    }

    /// Every slot.
    pub fn slots(self) -> impl Iterator<Item = Slot> + Clone {
        (0..self.0).filter_map(|number| u16::try_from(number).ok().map(Slot))
    }
}

/// Why this is no label, or no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// A number of slots outside of 1 to 2^16.
    #[error("an epoch has 1 to {MAX_SLOTS} slots")]
    SlotCount,
    /// A slot that the epoch does not have.
    #[error("the slot is not below the number of slots")]
    SlotOutOfRange,
    /// Bytes that are no field element.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl LabelError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::SlotCount => "slot-count",
            Self::SlotOutOfRange => "slot-out-of-range",
            Self::Field(error) => error.reason(),
        }
    }
}

/// A profile with the epoch and slot that it has; the others are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One label for ever.
    Stable,
    /// One label per epoch: that of notBefore.
    Epoch(Epoch),
    /// One label per slot of the epoch of notBefore.
    Unlinkable(Epoch, Slot),
}

impl Scope {
    /// The profile.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Stable => Profile::Stable,
            Self::Epoch(_) => Profile::Epoch,
            Self::Unlinkable(..) => Profile::Unlinkable,
        }
    }

    /// The epoch that enters the label: 0 for `stable`.
    #[must_use]
    pub fn epoch(self) -> Epoch {
        match self {
            Self::Stable => Epoch(0),
            Self::Epoch(epoch) | Self::Unlinkable(epoch, _) => epoch,
        }
    }

    /// The slot that enters the label: 0 but for `unlinkable`.
    #[must_use]
    pub fn slot(self) -> Slot {
        match self {
            Self::Stable | Self::Epoch(_) => Slot(0),
            Self::Unlinkable(_, slot) => slot,
        }
    }
}

/// A label L: what a certificate shows in place of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(Fr);

impl Label {
    /// `Poseidon(DOM_LABEL, profile, k_id, epoch, slot)`.
    #[must_use]
    pub fn derive(key: &MonitoringKey, scope: Scope) -> Self {
        let (epoch, slot) = (Fr::from(scope.epoch().0), Fr::from(scope.slot().0));
        Self(poseidon::hash(Domain::Label, &[scope.profile().to_field(), key.to_field(), epoch, slot]))
    }

    /// The label as a statement's input.
    #[must_use]
    pub fn to_field(&self) -> Fr {
        self.0
    }

    /// The 32 big-endian bytes; also the value that the index keys it by (§8).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        field::to_bytes(&self.0)
    }

    /// Reads 32 big-endian bytes of a number below r.
    ///
    /// # Errors
    /// [`LabelError::Field`] for any others.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LabelError> {
        Ok(Self(field::from_bytes(bytes)?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use ark_ff::PrimeField;

    pub(super) fn key(mode: Mode, number: u64) -> MonitoringKey {
        MonitoringKey::from_bytes(mode, &field::to_bytes(&Fr::from(number))).unwrap()
    }

    #[test]
    fn every_scope_has_its_own_label() {
        let slots = SlotCount::new(4).unwrap();
        let scopes = [
            Scope::Stable,
            Scope::Epoch(Epoch(0)),
            Scope::Epoch(Epoch(1)),
            Scope::Unlinkable(Epoch(0), slots.slot(0).unwrap()),
            Scope::Unlinkable(Epoch(0), slots.slot(1).unwrap()),
            Scope::Unlinkable(Epoch(1), slots.slot(0).unwrap()),
        ];
        let mut labels: Vec<_> =
            scopes.iter().map(|scope| Label::derive(&key(Mode::Open, 7), *scope)).collect();
        labels.push(Label::derive(&key(Mode::Open, 8), Scope::Stable));
        for (i, label) in labels.iter().enumerate() {
            assert!(labels[i + 1..].iter().all(|other| other != label));
        }
    }

    #[test]
    fn label_is_the_hash_of_section_4_3() {
        let slots = SlotCount::new(9).unwrap();
        let scope = Scope::Unlinkable(Epoch(5), slots.slot(8).unwrap());
        let inputs = [3u64, 7, 5, 8].map(Fr::from);
        assert_eq!(
            Label::derive(&key(Mode::Blind, 7), scope).to_field(),
            poseidon::hash(Domain::Label, &inputs)
        );
    }

    #[test]
    fn slots_end_before_their_count() {
        let slots = SlotCount::new(MAX_SLOTS).unwrap();
        assert_eq!(slots.slot(MAX_SLOTS - 1).unwrap().number(), u16::MAX);
        assert_eq!(slots.slot(MAX_SLOTS), Err(LabelError::SlotOutOfRange));
        assert_eq!(SlotCount::new(3).unwrap().slot(3), Err(LabelError::SlotOutOfRange));
        assert_eq!(SlotCount::new(0), Err(LabelError::SlotCount));
        assert_eq!(SlotCount::new(MAX_SLOTS + 1), Err(LabelError::SlotCount));
        assert_eq!(slots.slots().count(), 1 << 16);
    }

    #[test]
    fn label_not_below_r_is_refused() {
        let order = field::limbs_to_bytes(&Fr::MODULUS);
        assert_eq!(Label::from_bytes(&order), Err(LabelError::Field(FieldError::NotReduced)));
    }
}
