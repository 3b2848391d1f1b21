//! The standard VRFs against the published vectors, and against bad inputs made from them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use serde::Deserialize;
use sigveil_vrf_identity::standard::edwards::{self, Suite};
use sigveil_vrf_identity::standard::{Output, PROOF_BYTES, StandardError, ristretto};

/// Where s begins in a proof.
const RESPONSE: usize = 48;
/// p = 2^255 − 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};
/// q = 2^252 + 27742317777372353535851937790883648493, little-endian.
const Q: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[derive(Deserialize)]
struct Group {
    suite: String,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    sk: String,
    pk: String,
    alpha: String,
    pi: String,
    beta: String,
}

struct Bytes {
    sk: [u8; 32],
    pk: [u8; 32],
    alpha: Vec<u8>,
    pi: [u8; PROOF_BYTES],
    beta: Output,
}

impl From<&Case> for Bytes {
    fn from(case: &Case) -> Self {
        let decode = |text: &str| hex::decode(text).unwrap();
        Self {
            sk: decode(&case.sk).try_into().unwrap(),
            pk: decode(&case.pk).try_into().unwrap(),
            alpha: decode(&case.alpha),
            pi: decode(&case.pi).try_into().unwrap(),
            beta: Output(decode(&case.beta).try_into().unwrap()),
        }
    }
}

fn cases(suite: &str) -> Vec<Bytes> {
    let groups: Vec<Group> = serde_json::from_str(include_str!("vectors/ecvrf.json")).unwrap();
    let group = groups.iter().find(|group| group.suite == suite).unwrap();
    group.tests.iter().map(Bytes::from).collect()
}

fn edwards_cases() -> Vec<(Suite, Bytes)> {
    let of = |suite, name| cases(name).into_iter().map(move |case| (suite, case));
    of(Suite::TryAndIncrement, "ECVRF-EDWARDS25519-SHA512-TAI")
        .chain(of(Suite::Elligator2, "ECVRF-EDWARDS25519-SHA512-ELL2"))
        .collect()
}

fn ristretto_cases() -> Vec<Bytes> {
    cases("ECVRF-RISTRETTO255-SHA512")
}

/// `proof` with s replaced by s + q, a second spelling of the same residue.
fn with_unreduced_response(mut proof: [u8; PROOF_BYTES]) -> [u8; PROOF_BYTES] {
    let mut carry = 0u16;
    for (byte, add) in proof[RESPONSE..].iter_mut().zip(Q) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let response: [u8; 32] = proof[RESPONSE..].try_into().unwrap();
    assert!(bool::from(Scalar::from_canonical_bytes(response).is_none()));
    proof
}

fn with_gamma(mut proof: [u8; PROOF_BYTES], gamma: [u8; 32]) -> [u8; PROOF_BYTES] {
    proof[..32].copy_from_slice(&gamma);
    proof
}

#[test]
fn edwards_vectors() {
    let cases = edwards_cases();
    assert_eq!(cases.len(), 6);
    for (suite, case) in cases {
        let secret = edwards::SecretKey::from_bytes(&case.sk);
        assert_eq!(secret.public_key().to_bytes(), case.pk);
        assert_eq!(secret.prove(suite, &case.alpha), Ok(case.pi));
        let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
        assert_eq!(public.verify(suite, &case.alpha, &case.pi), Ok(case.beta));
    }
}

#[test]
fn ristretto_vectors() {
    let cases = ristretto_cases();
    assert_eq!(cases.len(), 1);
    for case in cases {
        let secret = ristretto::SecretKey::from_bytes(&case.sk).unwrap();
        assert_eq!(secret.public_key().to_bytes(), case.pk);
        assert_eq!(secret.prove(&case.alpha), case.pi);
        let public = ristretto::PublicKey::from_bytes(&case.pk).unwrap();
        assert_eq!(public.verify(&case.alpha, &case.pi), Ok(case.beta));
    }
}

#[test]
fn suite_bytes_are_those_of_the_rfc() {
    assert_eq!(Suite::from_byte(0x03), Ok(Suite::TryAndIncrement));
    assert_eq!(Suite::from_byte(0x04), Ok(Suite::Elligator2));
    for byte in (0..=u8::MAX).filter(|byte| ![3, 4].contains(byte)) {
        assert_eq!(Suite::from_byte(byte), Err(StandardError::UnknownSuite(byte)));
    }
    assert_eq!([Suite::TryAndIncrement.byte(), Suite::Elligator2.byte()], [3, 4]);
}

#[test]
fn proof_of_the_other_suite_is_refused() {
    for (suite, case) in edwards_cases() {
        let other = match suite {
            Suite::TryAndIncrement => Suite::Elligator2,
            Suite::Elligator2 => Suite::TryAndIncrement,
        };
        let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
        assert_eq!(public.verify(other, &case.alpha, &case.pi), Err(StandardError::Proof));
    }
}

#[test]
fn another_message_or_key_is_refused() {
    let edwards_cases = edwards_cases();
    for (suite, case) in &edwards_cases {
        let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
        let longer = [&case.alpha[..], &[0]].concat();
        assert_eq!(public.verify(*suite, &longer, &case.pi), Err(StandardError::Proof));
        for (_, other) in edwards_cases.iter().filter(|(_, other)| other.pk != case.pk) {
            let other = edwards::PublicKey::from_bytes(&other.pk).unwrap();
            assert_eq!(other.verify(*suite, &case.alpha, &case.pi), Err(StandardError::Proof));
        }
    }
    for case in ristretto_cases() {
        let public = ristretto::PublicKey::from_bytes(&case.pk).unwrap();
        assert_eq!(public.verify(b"another message", &case.pi), Err(StandardError::Proof));
    }
}

/// s + q satisfies every equation: only the range check refuses it.
#[test]
fn unreduced_response_is_refused() {
    for (suite, case) in edwards_cases() {
        let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
        let refused = public.verify(suite, &case.alpha, &with_unreduced_response(case.pi));
        assert_eq!(refused, Err(StandardError::Scalar));
    }
    for case in ristretto_cases() {
        let public = ristretto::PublicKey::from_bytes(&case.pk).unwrap();
        let refused = public.verify(&case.alpha, &with_unreduced_response(case.pi));
        assert_eq!(refused, Err(StandardError::Scalar));
    }
}

#[test]
fn points_of_small_order_are_refused() {
    let (suite, case) = edwards_cases().remove(0);
    let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
    for point in EIGHT_TORSION {
        let encoded = point.compress().0;
        assert_eq!(edwards::PublicKey::from_bytes(&encoded), Err(StandardError::SmallOrder));
        let refused = public.verify(suite, &case.alpha, &with_gamma(case.pi, encoded));
        assert_eq!(refused, Err(StandardError::SmallOrder));
    }
    let case = ristretto_cases().remove(0);
    assert_eq!(ristretto::PublicKey::from_bytes(&[0; 32]), Err(StandardError::SmallOrder));
    let public = ristretto::PublicKey::from_bytes(&case.pk).unwrap();
    let refused = public.verify(&case.alpha, &with_gamma(case.pi, [0; 32]));
    assert_eq!(refused, Err(StandardError::SmallOrder));
}

/// Γ plus a point of small order is on the curve and not of small order: the equations refuse it.
#[test]
fn gamma_with_a_small_order_part_is_refused() {
    for (suite, case) in edwards_cases() {
        let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
        let gamma = CompressedEdwardsY(case.pi[..32].try_into().unwrap()).decompress().unwrap();
        for torsion in &EIGHT_TORSION[1..] {
            let shifted = (gamma + torsion).compress().0;
            let refused = public.verify(suite, &case.alpha, &with_gamma(case.pi, shifted));
            assert_eq!(refused, Err(StandardError::Proof));
        }
    }
}

/// y + p, and a sign for x = 0: dalek reads both, and of all canonical points the first check refuses none.
#[test]
fn points_not_canonical_are_refused() {
    let (suite, case) = edwards_cases().remove(0);
    let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
    let mut aliases = Vec::new();
    for small in 0u8..19 {
        let mut alias = P;
        alias[0] += small;
        aliases.extend([alias, with_sign(alias)]);
    }
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = P;
    minus_one[0] -= 1;
    aliases.extend([with_sign(one), with_sign(minus_one)]);
    let read = aliases.iter().filter(|alias| CompressedEdwardsY(**alias).decompress().is_some()).count();
    assert!(read > 4, "dalek alone would take {read} of them");
    for alias in aliases {
        assert_eq!(edwards::PublicKey::from_bytes(&alias), Err(StandardError::Point));
        let refused = public.verify(suite, &case.alpha, &with_gamma(case.pi, alias));
        assert_eq!(refused, Err(StandardError::Point));
    }
    let case = ristretto_cases().remove(0);
    let mut negative = case.pk;
    negative[0] |= 1;
    for encoded in [P, negative] {
        assert_eq!(ristretto::PublicKey::from_bytes(&encoded), Err(StandardError::Point));
    }
}

fn with_sign(mut encoded: [u8; 32]) -> [u8; 32] {
    encoded[31] |= 0x80;
    encoded
}

#[test]
fn other_lengths_are_refused() {
    let (suite, case) = edwards_cases().remove(0);
    let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
    let longer = [&case.pi[..], &[0]].concat();
    assert_eq!(public.verify(suite, &case.alpha, &longer), Err(StandardError::Length(81)));
    assert_eq!(public.verify(suite, &case.alpha, &case.pi[..79]), Err(StandardError::Length(79)));
    assert_eq!(edwards::PublicKey::from_bytes(&case.pk[1..]), Err(StandardError::Length(31)));
    assert_eq!(ristretto::PublicKey::from_bytes(&case.pk[1..]), Err(StandardError::Length(31)));
}

#[test]
fn zero_and_unreduced_ristretto_keys_are_refused() {
    let refused = |bytes: &[u8]| ristretto::SecretKey::from_bytes(bytes).err();
    assert_eq!(refused(&[0; 32]), Some(StandardError::ZeroKey));
    assert_eq!(refused(&Q), Some(StandardError::Scalar));
    assert_eq!(refused(&[0; 31]), Some(StandardError::Length(31)));
}

/// Every bit of a proof matters.
#[test]
fn every_changed_bit_is_refused() {
    let (suite, case) = edwards_cases().remove(4);
    let public = edwards::PublicKey::from_bytes(&case.pk).unwrap();
    let ristretto_case = ristretto_cases().remove(0);
    let ristretto_public = ristretto::PublicKey::from_bytes(&ristretto_case.pk).unwrap();
    for bit in 0..PROOF_BYTES * 8 {
        let flip = |mut proof: [u8; PROOF_BYTES]| {
            proof[bit / 8] ^= 1 << (bit % 8);
            proof
        };
        assert!(public.verify(suite, &case.alpha, &flip(case.pi)).is_err(), "bit {bit}");
        let proof = flip(ristretto_case.pi);
        assert!(ristretto_public.verify(&ristretto_case.alpha, &proof).is_err(), "bit {bit}");
    }
}
