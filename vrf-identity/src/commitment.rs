//! Commitments to identities, and what their owner can recompute (protocol.md §4.4).
//!
//! `C = m·G1 + ρ·G2` with m the low 250 bits of idf: hiding without bound, binding as discrete logarithms are hard.
//! In open issuance ρ and the salts of sealed claims follow from [`OpeningKey`], serial, key and time, so the owner
//! of a certificate gets them back by logging in, and a monitor with only the monitoring key does not.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::curve::{CurveError, POINT_BYTES, Point, SCALAR_BYTES, Scalar, ScalarError, multiply, normalise};
use crate::domain::{CLAIM_SALT, Domain, SEALED_CLAIM};
use crate::elligator::map_to_subgroup;
use crate::identity::Idf;
use crate::vrf::OpeningKey;
use crate::{Fr, field, poseidon};

/// Bits of idf that are committed to: as many as stay below l whatever they are, rounded down to an even number.
pub const VALUE_BITS: usize = 250;
/// Bytes of a certificate's serial number.
pub const SERIAL_BYTES: usize = 20;
/// Bytes of a sealed claim's salt.
pub const SALT_BYTES: usize = 16;

/// G1, which carries the value: `8·map(Poseidon(DOM_GENERATOR, 1))`.
#[must_use]
pub fn value_generator() -> Point {
    static G1: LazyLock<Point> = LazyLock::new(|| nothing_up_my_sleeve(1));
    *G1
}

/// G2, which carries the randomness: `8·map(Poseidon(DOM_GENERATOR, 2))`.
#[must_use]
pub fn randomness_generator() -> Point {
    static G2: LazyLock<Point> = LazyLock::new(|| nothing_up_my_sleeve(2));
    *G2
}

fn nothing_up_my_sleeve(index: u64) -> Point {
    let u = poseidon::hash(Domain::Generator, &[Fr::from(index)]);
    map_to_subgroup(&u).expect("the digests of 1 and 2 do not map to points of small order")
}

/// m: the low 250 bits of idf.
#[must_use]
pub fn committed_value(idf: &Idf) -> Scalar {
    let mut bytes = field::to_bytes(&idf.0);
    bytes[0] &= 0x03;
    Scalar::from_bytes(&bytes).expect("250 bits are below l")
}

/// Randomness ρ of a commitment: who has it can show what the commitment holds.
///
/// It cannot be printed:
/// ```compile_fail
/// fn print(secret: &sigveil_vrf_identity::commitment::Rho) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Rho(Scalar);

impl Rho {
    /// `hash_to_scalar(DOM_RHO, k_open, serial, pkh, t)`: the Poseidon digest modulo l.
    #[must_use]
    pub fn derive(key: &OpeningKey, certificate: &CertificateFacts) -> Self {
        let CertificateFacts { serial, key_hash, time } = certificate;
        let mut padded = [0; field::FIELD_BYTES];
        padded[field::FIELD_BYTES - SERIAL_BYTES..].copy_from_slice(&serial.0);
        let serial = field::from_bytes(&padded).expect("160 bits are below r");
        let inputs = [key.to_field(), serial, key_hash.to_field(), Fr::from(*time)];
        Self(Scalar::from_field(&poseidon::hash(Domain::CommitmentRandomness, &inputs)))
    }

    /// Reads 32 big-endian bytes of a number below l.
    ///
    /// # Errors
    /// [`ScalarError`] for any others.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ScalarError> {
        Scalar::from_bytes(bytes).map(Self)
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The number.
    #[must_use]
    pub fn scalar(&self) -> &Scalar {
        &self.0
    }
}

/// A commitment C to an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Commitment(Point);

impl Commitment {
    /// `C = m·G1 + ρ·G2`.
    ///
    /// # Errors
    /// [`CurveError::Identity`] for the one ρ that cancels m, which nobody can find.
    pub fn new(idf: &Idf, rho: &Rho) -> Result<Self, CurveError> {
        let mut value = committed_value(idf);
        let mut sum = multiply(&value_generator().affine(), &value);
        sum += multiply(&randomness_generator().affine(), &rho.0);
        value.zeroize();
        Point::from_subgroup(normalise(&sum)).map(Self)
    }

    /// Whether this commits to the identity with this randomness.
    #[must_use]
    pub fn opens_to(&self, idf: &Idf, rho: &Rho) -> bool {
        Self::new(idf, rho) == Ok(*self)
    }

    /// Reads and checks a point in 32 bytes.
    ///
    /// # Errors
    /// As [`Point::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CurveError> {
        Point::from_bytes(bytes).map(Self)
    }

    /// The point in 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; POINT_BYTES] {
        self.0.to_bytes()
    }

    /// The point.
    #[must_use]
    pub fn point(&self) -> Point {
        self.0
    }
}

/// A certificate's serial number, 20 bytes big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial(pub [u8; SERIAL_BYTES]);

/// pkh: the low 248 bits of SHA-256 of a key's SubjectPublicKeyInfo (DER), read big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; field::PACKED_BYTES]);

impl KeyHash {
    /// Hashes a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of_spki(spki: &[u8]) -> Self {
        let mut low = [0; field::PACKED_BYTES];
        low.copy_from_slice(&Sha256::digest(spki)[1..]);
        Self(low)
    }

    /// The number as a statement's input.
    #[must_use]
    pub fn to_field(&self) -> Fr {
        field::from_bytes(&self.to_bytes()).expect("248 bits are below r")
    }

    /// The number in 32 bytes big-endian; the first is zero.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; field::FIELD_BYTES] {
        let mut bytes = [0; field::FIELD_BYTES];
        bytes[1..].copy_from_slice(&self.0);
        bytes
    }
}

/// What a certificate says that ρ and the salts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFacts {
    /// Drawn at random before anything is derived, and never reused.
    pub serial: Serial,
    /// Of the certified key.
    pub key_hash: KeyHash,
    /// t = notBefore, in seconds since 1970.
    pub time: u64,
}

/// Salt of one sealed claim: who has it can check a guess of the claim's value.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ClaimSalt(pub [u8; SALT_BYTES]);

impl ClaimSalt {
    /// The first 16 bytes of SHA-256("sigveil-salt" ‖ k_open ‖ serial ‖ pkh ‖ t ‖ u16 i), where k_open and pkh have
    /// 32 bytes, t has 8, all big-endian.
    #[must_use]
    pub fn derive(key: &OpeningKey, certificate: &CertificateFacts, index: u16) -> Self {
        let mut hash = Sha256::new();
        hash.update(CLAIM_SALT);
        hash.update(*key.to_bytes());
        hash.update(certificate.serial.0);
        hash.update(certificate.key_hash.to_bytes());
        hash.update(certificate.time.to_be_bytes());
        hash.update(index.to_be_bytes());
        let digest = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&digest[..SALT_BYTES]);
        Self(salt)
    }
}

/// A claim's name or value has more than 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a sealed claim's name or value is longer than 65535 bytes")]
pub struct ClaimTooLong;

impl ClaimTooLong {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        "sealed-claim-too-long"
    }
}

/// `SHA-256("sigveil-claim" ‖ salt ‖ u16 len ‖ name ‖ u16 len ‖ value)` (§6).
///
/// # Errors
/// [`ClaimTooLong`] if a length does not fit its two bytes.
pub fn sealed_claim(salt: &ClaimSalt, name: &str, value: &[u8]) -> Result<[u8; 32], ClaimTooLong> {
    let mut hash = Sha256::new();
    hash.update(SEALED_CLAIM);
    hash.update(salt.0);
    for part in [name.as_bytes(), value] {
        hash.update(u16::try_from(part.len()).map_err(|_| ClaimTooLong)?.to_be_bytes());
        hash.update(part);
    }
    Ok(hash.finalize().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::curve::generator;
    use ark_ff::BigInt;
    use proptest::prelude::*;

    fn opening_key(number: u64) -> OpeningKey {
        OpeningKey::from_bytes(&field::to_bytes(&Fr::from(number))).unwrap()
    }

    fn facts() -> CertificateFacts {
        CertificateFacts { serial: Serial([7; 20]), key_hash: KeyHash::of_spki(b"spki"), time: 1_700_000_000 }
    }

    fn rho(number: u64) -> Rho {
        Rho(Scalar::from_field(&Fr::from(number)))
    }

    #[test]
    fn generators_are_three_checked_points() {
        let points = [generator(), value_generator(), randomness_generator()];
        for point in points {
            assert_eq!(Point::from_affine(point.affine()), Ok(point));
        }
        assert!(points[0] != points[1] && points[0] != points[2] && points[1] != points[2]);
    }

    #[test]
    fn value_is_the_low_250_bits() {
        let low = Fr::from(5u64);
        let bit = |i: u32| Fr::from(BigInt::<4>::from(1u64) << i);
        assert!(committed_value(&Idf(low + bit(250))) == Scalar::from_field(&low));
        assert!(committed_value(&Idf(low + bit(249))) == Scalar::from_field(&(low + bit(249))));
    }

    #[test]
    fn commitment_opens_only_to_its_own() {
        let idf = Idf(Fr::from(11u64));
        let commitment = Commitment::new(&idf, &rho(3)).unwrap();
        assert!(commitment.opens_to(&idf, &rho(3)));
        assert!(!commitment.opens_to(&idf, &rho(4)));
        assert!(!commitment.opens_to(&Idf(Fr::from(12u64)), &rho(3)));
        assert_eq!(Commitment::from_bytes(&commitment.to_bytes()), Ok(commitment));
    }

    #[test]
    fn randomness_and_salts_depend_on_everything() {
        let (key, facts) = (opening_key(1), facts());
        let others = [
            (opening_key(2), facts),
            (opening_key(1), CertificateFacts { serial: Serial([8; 20]), ..facts }),
            (opening_key(1), CertificateFacts { key_hash: KeyHash::of_spki(b"other"), ..facts }),
            (opening_key(1), CertificateFacts { time: facts.time + 1, ..facts }),
        ];
        for (other_key, other_facts) in &others {
            let other = Rho::derive(other_key, other_facts);
            assert!(other.scalar() != Rho::derive(&key, &facts).scalar());
            assert!(ClaimSalt::derive(other_key, other_facts, 0) != ClaimSalt::derive(&key, &facts, 0));
        }
        assert!(ClaimSalt::derive(&key, &facts, 1) != ClaimSalt::derive(&key, &facts, 0));
        assert!(Rho::derive(&key, &facts).scalar() == Rho::derive(&opening_key(1), &facts).scalar());
    }

    #[test]
    fn salt_is_the_hash_of_section_4_4() {
        let facts = facts();
        let mut bytes = b"sigveil-salt".to_vec();
        bytes.extend(field::to_bytes(&Fr::from(1u64)));
        bytes.extend([7; 20]);
        bytes.push(0);
        bytes.extend(&Sha256::digest(b"spki")[1..]);
        bytes.extend(1_700_000_000u64.to_be_bytes());
        bytes.extend([1, 2]);
        assert_eq!(ClaimSalt::derive(&opening_key(1), &facts, 0x0102).0, Sha256::digest(&bytes)[..16]);
    }

    #[test]
    fn sealed_claim_keeps_name_and_value_apart() {
        let salt = ClaimSalt([1; 16]);
        assert_ne!(sealed_claim(&salt, "ab", b"c"), sealed_claim(&salt, "a", b"bc"));
        assert_ne!(sealed_claim(&salt, "a", b"b"), sealed_claim(&ClaimSalt([2; 16]), "a", b"b"));
        assert!(sealed_claim(&salt, "a", &[0; 65_535]).is_ok());
        assert_eq!(sealed_claim(&salt, "a", &[0; 65_536]), Err(ClaimTooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn commitments_add_up(a: u64, b: u64, r in 1u64.., s in 1u64..) {
            let commit = |value: u64, rho_number: u64| Commitment::new(&Idf(Fr::from(value)), &rho(rho_number)).unwrap();
            let (a, b, r, s) = (a >> 1, b >> 1, r >> 1, s >> 1);
            let sum = commit(a, r).point().affine() + commit(b, s).point().affine();
            prop_assert_eq!(commit(a + b, r + s).point().affine(), normalise(&sum));
        }
    }
}
