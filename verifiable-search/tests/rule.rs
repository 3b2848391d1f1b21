//! The indexing rule: what is found, what is flagged, and what stops it.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::*;
use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::{Digest as _, Sha224, Sha512};
use sigveil_log::entry::{Entry, EntryError};
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::key_list::{EntryKeys, Flags};
use sigveil_verifiable_search::rule::{CaKeyError, RuleError, SEALED_CLAIMS, Trust, keys_of};

fn keys(certificate: Vec<u8>) -> EntryKeys {
    keys_of(&entry(certificate, 5), trust(b"", &[&Ca::new(1)]).ca_keys()).unwrap()
}

fn has(keys: &EntryKeys, kind: KeyKind, value: &[u8]) -> bool {
    keys.keys().contains(&MapKey::new(kind, value))
}

#[test]
fn a_canonical_certificate_has_all_its_keys_and_no_flag() {
    let claims = der(0x30, &[der(4, &[8; 32]), der(4, &[9; 32])].concat());
    let name = der(0x30, &der(0x86, name_of(7).as_bytes()));
    let extensions = [(SAN, name), (SCT, der(4, &[0, 0])), (SEALED_CLAIMS.as_bytes(), claims)];
    let found = keys(Ca::new(1).sign(&body(&extensions, 600)));
    assert!(found.flags().is_empty());
    assert_eq!(found.not_before(), NOW);
    let expected = EntryKeys::new(
        Flags::NONE,
        NOW,
        vec![
            MapKey::label(&label_value(7)),
            MapKey::new(KeyKind::SignedDigest, &[5; 32]),
            MapKey::new(KeyKind::AnyDigest, &[5; 32]),
            MapKey::new(KeyKind::KeyFingerprint, &sha2::Sha256::digest(Ca::new(99).spki())),
            MapKey::new(KeyKind::SealedClaim, &[8; 32]),
            MapKey::new(KeyKind::SealedClaim, &[9; 32]),
        ],
    );
    assert_eq!(found, expected);
}

#[test]
fn strangers_cannot_flood_a_label() {
    let found = keys(Ca::new(2).certificate(&[(0x86, name_of(7).into_bytes())]));
    assert!(!has(&found, KeyKind::Label, &label_value(7)));
    assert!(!has(&found, KeyKind::SignedDigest, &[5; 32]));
    assert!(has(&found, KeyKind::AnyDigest, &[5; 32]));
    assert_eq!(found.flags(), Flags::UNTRUSTED);
    assert_eq!(found.keys().len(), 2);
}

#[test]
fn what_a_strict_rule_would_hide_is_found_and_flagged() {
    let ca = Ca::new(1);
    let uri = |label| (0x86, name_of(label).into_bytes());
    let name = || der(0x30, &der(0x86, name_of(7).as_bytes()));
    let sct = || (SCT, der(4, &[0, 0]));
    let high = |name: String| {
        let mut name = name.into_bytes();
        name[0] |= 0x80;
        name
    };
    let behind = |names: &[u8]| [&der(0x30, &[])[..], names].concat();
    // One name in two extensions; lengths in long form; bytes after the certificate.
    let mut trailing = ca.certificate(&[uri(7)]);
    trailing.push(0);
    let cases = [
        (
            ca.certificate(&[uri(7), (0x82, b"example.org".to_vec())]),
            Flags::NAME_COUNT | Flags::NOT_CANONICAL,
        ),
        (ca.certificate(&[(0x81, name_of(7).into_bytes())]), Flags::NOT_CANONICAL),
        (ca.certificate(&[(0x86, name_of(7).to_ascii_uppercase().into_bytes())]), Flags::NOT_CANONICAL),
        (ca.certificate(&[(0xa0, der(0x0c, format!("x{}y", name_of(7)).as_bytes()))]), Flags::NOT_CANONICAL),
        (ca.sign(&body(&[(SAN, name()), sct()], 601)), Flags::VALIDITY),
        (ca.sign(&body(&[(SAN, name())], 600)), Flags::SCT),
        (ca.sign(&body(&[(SAN, name()), sct(), sct()], 600)), Flags::SCT),
        (ca.sign(&body(&[(SAN, name()), (SAN, name()), sct()], 600)), Flags::NAME_COUNT),
        (ca.sign(&body(&[(SAN, name_of(7).into_bytes())], 600)), Flags::MALFORMED),
        // A byte of the name with its highest bit set; a part of the identifier in two bytes; behind an empty list of names.
        (ca.certificate(&[(0x86, high(name_of(7)))]), Flags::NOT_CANONICAL),
        (ca.sign(&body(&[(&[0x55, 0x80, 0x1d, 0x11], name()), sct()], 600)), Flags::NAME_COUNT),
        (ca.sign(&body(&[(SAN, behind(&name())), sct()], 600)), Flags::NAME_COUNT),
        // In no name at all.
        (ca.sign(&body(&[(SCT, name_of(7).into_bytes())], 600)), Flags::NAME_COUNT),
        (trailing, Flags::MALFORMED),
    ];
    for (at, (certificate, flags)) in cases.into_iter().enumerate() {
        let found = keys(certificate);
        assert!(has(&found, KeyKind::Label, &label_value(7)), "case {at}");
        assert_eq!(found.flags(), flags, "case {at}");
    }
}

/// Go shifts a string of bits to its last octet, others pass over the number of unused ones.
#[test]
fn a_signature_that_some_client_accepts_hides_nothing() {
    let ca = Ca::new(1);
    let names = der(0x30, &der(0x86, name_of(7).as_bytes()));
    let signed = body(&[(SAN, names), (SCT, der(4, &[0, 0]))], 600);
    let signature: DerSignature = ca.0.sign(&signed);
    let signature = signature.as_bytes();
    let moved = |by: u8| -> Vec<u8> {
        let after = signature[1..].iter().chain(&[0]);
        signature.iter().zip(after).map(|(high, low)| high << by | low >> (8 - by)).collect()
    };
    let sha512: DerSignature = ca.0.sign_prehash(&Sha512::digest(&signed)).unwrap();
    let sha224: DerSignature = ca.0.sign_prehash(&Sha224::digest(&signed)).unwrap();
    let tagged = |outer: u8| [&[outer][..], &signed_as(&signed, 0, signature)[1..]].concat();
    for (at, (certificate, flags)) in [
        (signed_as(&signed, 0, signature), Flags::NONE),
        (signed_as(&signed, 1, &moved(1)), Flags::MALFORMED),
        (signed_as(&signed, 2, &moved(2)), Flags::MALFORMED),
        (signed_as(&signed, 1, signature), Flags::MALFORMED),
        (signed_as(&signed, 9, signature), Flags::MALFORMED),
        (signed_as(&signed, 0, sha512.as_bytes()), Flags::NONE),
        (signed_as(&signed, 0, sha224.as_bytes()), Flags::NONE),
        (tagged(0x31), Flags::MALFORMED),
    ]
    .into_iter()
    .enumerate()
    {
        let found = keys(certificate);
        assert!(has(&found, KeyKind::Label, &label_value(7)), "case {at}");
        assert_eq!(found.flags(), flags, "case {at}");
    }
    let found = keys(signed_as(&signed, 0, &moved(1)));
    assert!(!has(&found, KeyKind::Label, &label_value(7)), "nobody accepts that");
}

#[test]
fn every_label_of_a_certificate_is_a_key() {
    let names: Vec<_> = (1..=5).map(|label| (0x86, name_of(label).into_bytes())).collect();
    let found = keys(Ca::new(1).certificate(&names));
    assert!((1..=5).all(|label| has(&found, KeyKind::Label, &label_value(label))));
}

#[test]
fn an_unknown_kind_or_version_stops_indexing() {
    let body = String::from_utf8(labelled(&Ca::new(1), 7, 5)).unwrap();
    let version = body.replace(r#""apiVersion":"0.0.2""#, r#""apiVersion":"0.0.3""#);
    let kind = body.replace(r#""kind":"hashedrekord""#, r#""kind":"intoto""#);
    for (body, expected) in [(version, "0.0.3"), (kind, "0.0.2")] {
        let refused = keys_of(body.as_bytes(), &[]);
        let Err(RuleError::UnknownKind { version, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(version, expected);
    }
    assert_eq!(keys_of(b"{}", &[]).unwrap_err().reason(), "index-entry-malformed");
}

#[test]
fn a_ca_key_that_cannot_be_used_refuses_the_trust_root() {
    let none = || (Vec::new(), 1);
    assert_eq!(Trust::new(b"", [&b"no key"[..]], none()).err(), Some(CaKeyError::Malformed));
    // An X25519 key: well-formed, and none that signs.
    let x25519 = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0][..], &[1; 32]].concat();
    let refused = Trust::new(b"", [&x25519[..]], none()).err();
    assert_eq!(refused, Some(CaKeyError::Unsupported("1.3.101.110".to_owned())));
}

#[test]
fn a_key_list_has_one_form() {
    let list = keys(Ca::new(1).certificate(&[(0x86, name_of(7).into_bytes())]));
    let good = list.elements();
    assert_eq!(EntryKeys::from_elements(&good), Ok(list));
    let refused = |change: &dyn Fn(&mut Vec<sigveil_log::hash::Hash>)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(EntryKeys::from_elements(&bad).is_err());
    };
    refused(&|list| list.clear());
    refused(&|list| list.swap(1, 2));
    refused(&|list| list.push(list[1]));
    refused(&|list| list[0].0[0] ^= 1);
    refused(&|list| list[0].0[17] ^= 1);
    refused(&|list| list[0].0[18] ^= 1);
    refused(&|list| list[0].0[20] = 0x80);
}

#[test]
fn own_kinds_are_no_search_results() {
    let mut log = MemoryLog::new("log.example");
    log.push(labelled(&Ca::new(1), 7, 5));
    let record = record(&log, 0, &EntryKeys::none(), 1);
    assert_eq!(keys_of(&record, &[]), Ok(EntryKeys::none()));
    assert!(matches!(Entry::parse(b"{"), Err(EntryError::Malformed(_))));
}
