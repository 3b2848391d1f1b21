//! What an evaluation gives: the monitoring key and the opening key (protocol.md §4.1).

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::curve::{EdwardsAffine, clear_cofactor};
use crate::domain::Domain;
use crate::field::{self, FIELD_BYTES, FieldError};
use crate::identity::Idf;
use crate::label::Mode;
use crate::{Fr, poseidon};

/// The output of a verified evaluation.
pub struct VerifiedOutput {
    /// k_id: finds all events of the identity in this mode.
    pub monitoring_key: MonitoringKey,
    /// k_open: opens the identity's commitments.
    pub opening_key: OpeningKey,
}

impl VerifiedOutput {
    /// Both keys from (x, y) = 8·Γ, for a Γ that is known to be right: verified, or of one's own key.
    #[must_use]
    pub fn derive(mode: Mode, idf: &Idf, gamma: &EdwardsAffine) -> Self {
        let cleared = clear_cofactor(gamma);
        let inputs = [mode.to_field(), idf.0, cleared.x, cleared.y];
        Self {
            monitoring_key: MonitoringKey { mode, key: poseidon::hash(Domain::MonitoringKey, &inputs) },
            opening_key: OpeningKey { key: poseidon::hash(Domain::OpeningKey, &inputs) },
        }
    }
}

/// `k_id = Poseidon(DOM_VRF, μ, idf, x, y)`, of one mode: who holds it finds all events of the identity in it.
///
/// It cannot be printed:
/// ```compile_fail
/// fn print(secret: &sigveil_vrf_identity::vrf::MonitoringKey) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MonitoringKey {
    #[zeroize(skip)]
    mode: Mode,
    key: Fr,
}

impl MonitoringKey {
    /// Reads 32 big-endian bytes of a number below r.
    ///
    /// # Errors
    /// [`FieldError`] for any others.
    pub fn from_bytes(mode: Mode, bytes: &[u8]) -> Result<Self, FieldError> {
        Ok(Self { mode, key: field::from_bytes(bytes)? })
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; FIELD_BYTES]> {
        Zeroizing::new(field::to_bytes(&self.key))
    }

    /// The mode whose events it finds.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The key as a hash's input.
    #[must_use]
    pub fn to_field(&self) -> Fr {
        self.key
    }
}

impl PartialEq for MonitoringKey {
    fn eq(&self, other: &Self) -> bool {
        self.mode == other.mode && bool::from(self.to_bytes().ct_eq(&*other.to_bytes()))
    }
}

impl Eq for MonitoringKey {}

/// `k_open = Poseidon(DOM_OPEN, μ, idf, x, y)`: who holds it opens the identity's commitments; no monitor gets it.
///
/// It cannot be printed:
/// ```compile_fail
/// fn print(secret: &sigveil_vrf_identity::vrf::OpeningKey) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OpeningKey {
    key: Fr,
}

impl OpeningKey {
    /// Reads 32 big-endian bytes of a number below r.
    ///
    /// # Errors
    /// [`FieldError`] for any others.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FieldError> {
        Ok(Self { key: field::from_bytes(bytes)? })
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; FIELD_BYTES]> {
        Zeroizing::new(field::to_bytes(&self.key))
    }

    /// The key as a hash's input.
    #[must_use]
    pub fn to_field(&self) -> Fr {
        self.key
    }
}

impl PartialEq for OpeningKey {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.to_bytes().ct_eq(&*other.to_bytes()))
    }
}

impl Eq for OpeningKey {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::curve::generator;

    #[test]
    fn keys_are_the_hashes_of_section_4_1() {
        let output = VerifiedOutput::derive(Mode::Blind, &Idf(Fr::from(9u64)), &generator().affine());
        let cleared = clear_cofactor(&generator().affine());
        let inputs = [Fr::from(1u64), Fr::from(9u64), cleared.x, cleared.y];
        assert_eq!(output.monitoring_key.to_field(), poseidon::hash(Domain::MonitoringKey, &inputs));
        assert_eq!(output.opening_key.to_field(), poseidon::hash(Domain::OpeningKey, &inputs));
    }

    #[test]
    fn keys_round_trip_and_refuse_unreduced_bytes() {
        let output = VerifiedOutput::derive(Mode::Open, &Idf(Fr::from(9u64)), &generator().affine());
        let monitoring = MonitoringKey::from_bytes(Mode::Open, &*output.monitoring_key.to_bytes()).unwrap();
        assert!(monitoring == output.monitoring_key);
        assert!(MonitoringKey::from_bytes(Mode::Blind, &*monitoring.to_bytes()).unwrap() != monitoring);
        assert!(OpeningKey::from_bytes(&*output.opening_key.to_bytes()).unwrap() == output.opening_key);
        assert_eq!(MonitoringKey::from_bytes(Mode::Open, &[255; 32]).err(), Some(FieldError::NotReduced));
        assert_eq!(OpeningKey::from_bytes(&[255; 32]).err(), Some(FieldError::NotReduced));
    }
}
