#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ark_ff::{AdditiveGroup, Field, One};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::r1cs::{Assignment, Shape};

/// The digest that the circuit computes, and whether every row holds.
fn hash(message: &[u8], capacity: usize) -> (Vec<u8>, bool) {
    let mut bits = Vec::new();
    let values = Assignment::of(|cs| {
        let message = Message::allocate(cs, message, capacity);
        bits = digest(cs, &message).map(|bit| bit.num().is_one()).to_vec();
    });
    let bytes =
        bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect();
    (bytes, values.is_satisfied())
}

#[test]
fn published_vectors() {
    // FIPS 180-4 examples, as in NIST's SHA256.pdf.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let two = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
    assert_eq!(hash(b"abc", 100), (hex::decode(abc).unwrap(), true));
    let message = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(hash(message, 100), (hex::decode(two).unwrap(), true));
}

#[test]
fn every_length_of_small_capacities() {
    let message: Vec<u8> = (0..140u8).map(|i| i.wrapping_mul(37) ^ 0xa5).collect();
    for capacity in [0, 1, 54, 55, 56, 63, 64, 119, 120, 128] {
        for length in (0..=capacity).filter(|l| capacity < 64 || l % 8 < 2 || l % 64 > 53) {
            let expected = Sha256::digest(&message[..length]).to_vec();
            assert_eq!(hash(&message[..length], capacity), (expected, true), "{length} of {capacity}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn agrees_with_sha2(message in prop::collection::vec(any::<u8>(), 0..=192)) {
        prop_assert_eq!(hash(&message, 192), (Sha256::digest(&message).to_vec(), true));
    }

    #[test]
    fn one_changed_value_is_refused(seed in any::<u64>()) {
        // Whatever single variable behind the message is changed, and everything after it computed anew.
        let circuit = |cs: &mut Assignment| {
            let message = Message::allocate(cs, b"length and bytes", 20);
            digest(cs, &message);
        };
        let hints = Assignment::of(circuit).full().len() - 1;
        let (at, difference) = (seed as usize % hints, Fr::from(seed % 3 + 1));
        let bytes = 8 * 16;
        prop_assume!(at >= bytes);
        let values = Assignment::tampered(
            move |_, i, v| if i == at { v + difference } else { v },
            circuit,
        );
        prop_assert!(!values.is_satisfied(), "variable {} is free", at);
    }
}

/// Allocates a message with one hint family replaced, and says which families refuse.
fn refused_by(
    message: &'static [u8],
    capacity: usize,
    tamper: impl FnMut(&'static str, usize, Fr) -> Fr + 'static,
) -> Vec<&'static str> {
    let values = Assignment::tampered(tamper, |cs| {
        let message = Message::allocate(cs, message, capacity);
        digest(cs, &message);
    });
    let mut families: Vec<_> = values.violations().iter().map(|v| v.family).collect();
    families.dedup();
    families
}

#[test]
fn bytes_beyond_the_length_are_refused() {
    // "Claim index into the unsigned buffer tail": a byte where none is.
    let set = |family: &'static str, at: usize, v: Fr| {
        if family == "message.bits" && at == 8 * 70 { Fr::ONE } else { v }
    };
    assert_eq!(refused_by(b"short", 80, set), ["message.tail-zero"]);
}

#[test]
fn a_length_that_grows_again_is_refused() {
    let first = 8 * 80;
    let rise = move |family: &'static str, at: usize, v: Fr| {
        if family == "message.length" && at == first + 9 { Fr::ONE } else { v }
    };
    assert_eq!(refused_by(b"short", 80, rise)[0], "message.length");
}

#[test]
fn a_length_flag_that_is_no_bit_is_refused() {
    let first = 8 * 80;
    for value in [Fr::from(2u64), -Fr::ONE, Fr::from(2u64).inverse().unwrap()] {
        let half = move |family: &'static str, at: usize, v: Fr| {
            if family == "message.length" && at == first + 5 { value } else { v }
        };
        assert_eq!(refused_by(b"short", 80, half)[0], "message.length");
    }
}

#[test]
fn length_zero_has_one_digest() {
    // "Comparison on an unranged length": no choice of flags selects no block at all and an output of zeros.
    let zeros = |family: &'static str, _: usize, v: Fr| if family == "sha256.select" { Fr::ZERO } else { v };
    assert_eq!(refused_by(b"short", 80, zeros), ["sha256.select"]);
    for capacity in [10, 80] {
        let mut sum = Fr::ZERO;
        Assignment::of(|cs| {
            let message = Message::allocate(cs, b"short", capacity);
            sum = message.padded(cs).iter().map(|(_, is_last)| *is_last).sum();
        });
        assert_eq!(sum, Fr::ONE);
    }
}

#[test]
fn rows_per_block() {
    let rows = |blocks: usize| {
        let shape = Shape::of(|cs| {
            let message = Message::allocate(cs, &[], 64 * blocks - 9);
            digest(cs, &message);
        });
        shape.rows_per_family()
    };
    // The sixth block: from block to block d and h grow, and their carries now and then by a bit.
    let (five, six) = (rows(5), rows(6));
    let more = |family: &str| six[family] - five[family];
    assert_eq!(more("sha256.schedule"), 46 * 92 + 2 * 57);
    assert_eq!(more("sha256.sum"), 64 * 63);
    assert_eq!(more("sha256.choose") + more("sha256.majority"), 64 * 32);
    assert_eq!(more("sha256.add"), 32 * (128 + 10) + 7);
    assert_eq!(more("sha256.feed-forward"), 4 * 33);
    assert_eq!(more("sha256.select"), 2);
}

#[test]
fn a_block_behind_the_capacity_costs_its_rounds_alone() {
    let rows = |capacity: usize| {
        let shape = Shape::of(|cs| {
            let message = Message::allocate(cs, &[], capacity);
            digest(cs, &message);
        });
        shape.rows_per_family()
    };
    let (without, with) = (rows(55), rows(56));
    assert!(without["sha256.schedule"] <= 46 * 92 + 2 * 57 && with["sha256.schedule"] <= 46 * 92 + 2 * 57);
    assert!(without["sha256.add"] + 32 * 138 <= with["sha256.add"]);
    // Every length for which it is the last block, and the first for which it is not.
    for capacity in [56, 60, 64] {
        for length in 55..=capacity {
            let message = [0xa7; 64];
            let expected = Sha256::digest(&message[..length]).to_vec();
            assert_eq!(hash(&message[..length], capacity), (expected, true), "{length} of {capacity}");
        }
    }
}

#[test]
fn a_prover_chooses_only_the_message() {
    const CAPACITY: usize = 130;
    const LENGTH: usize = 97;
    fn circuit<C: Cs>(cs: &mut C) {
        let message = Message::allocate(cs, &[0x5a; LENGTH], CAPACITY);
        digest(cs, &message);
    }
    let mut count = std::collections::BTreeMap::new();
    for (family, n) in crate::r1cs::freedom::chosen_per_family(circuit, circuit) {
        *count.entry(family).or_insert(0) += n;
    }
    let pairs = (CAPACITY + 9).div_ceil(64) * 32;
    let expected = [
        ("message.bits", 8 * CAPACITY),
        // Of the length's flags, those before bytes that are not zero are one, and those behind one that is zero are
        // zero.
        ("message.length", 1),
        // The first a and e of each two rounds: held by a sum whose halves are kept apart, which no single row shows;
        // and the majorities, each one of two roots of which the other is out of reach (see `rounds`);
        // but those of the first two rounds, which are of constants.
        ("sha256.add", pairs * 64),
        ("sha256.majority", pairs * 32 - 32),
    ];
    assert_eq!(count, expected.into());
}
