//! Generated payloads: native check and circuit agree on every one.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;

/// A payload with the claims in any order, white space, decoys and now and then a fault.
fn generated(rng: &mut ChaCha20Rng, kind: Kind) -> String {
    let pick = |rng: &mut ChaCha20Rng, n: usize| rng.next_u32() as usize % n;
    let mut members = good(kind);
    let decoys = [
        ("x", r#"{"iss":"a","exp":1,"y":[{"aud":"b"}]}"#),
        ("name", r#""a \"iss\":\"b\", c""#),
        ("y", "[1,[2,{}],\"iss\"]"),
        ("z", r#""\\""#),
        ("issuer", "-1.5e3"),
        ("", "null"),
        ("is", "\"iss\""),
        ("email2", "true"),
        ("é", "\"é@{}[],:\""),
        ("sub", "\"s\""),
        ("nbf", "1"),
        ("nonce", "\"n\""),
        ("iss ", "{}"),
        ("at_hash", "\"}]{[\""),
        ("n", "[]"),
        ("aud:", "[\"a\"]"),
    ];
    for _ in 0..pick(rng, 6) {
        let (key, value) = decoys[pick(rng, decoys.len())];
        members.push((key.to_owned(), value.to_owned()));
    }
    let values = [
        "\"\"",
        "0",
        "true",
        "null",
        "[]",
        "{}",
        "\"sigveil\"",
        "1e3",
        "\"a\\\"b\"",
        "[\"sign.example\"]",
        "\"true\"",
        "\"x@y\"",
        "\"sign.example\"",
        "[\"sign.example\" , \"b\"]",
        "1800000050",
        "12345678901",
        "-1",
        "\"\\u0061@b\"",
    ];
    for _ in 0..pick(rng, 4).saturating_sub(1) {
        let i = pick(rng, members.len());
        match pick(rng, 5) {
            0 => drop(members.remove(i)),
            1 => members.push(members[i].clone()),
            2 => {
                members[i].0 =
                    ["iss", "aud", "email", "sub", "i\\u0073s", "nonce", "nbf"][pick(rng, 7)].to_owned()
            }
            _ => members[i].1 = values[pick(rng, values.len())].to_owned(),
        }
        if members.is_empty() {
            break;
        }
    }
    for i in (1..members.len()).rev() {
        members.swap(i, pick(rng, i + 1));
    }
    let space = |rng: &mut ChaCha20Rng| ["", "", "", " ", "\n", "\t\r\n ", "  "][pick(rng, 7)];
    let mut text = format!("{}{{", space(rng));
    for (i, (key, value)) in members.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        text += &format!("{comma}{}\"{key}\"{}:{}{value}{}", space(rng), space(rng), space(rng), space(rng));
    }
    text + "}" + space(rng)
}

#[test]
fn native_check_and_circuit_agree_on_generated_payloads() {
    let mut rng = ChaCha20Rng::seed_from_u64(20);
    let modulus = modulus();
    let (mut accepted, mut refused) = (0, 0);
    for i in 0..600 {
        let kind = Kind::ALL[i % 6];
        let payload = generated(&mut rng, kind);
        if payload.len() > POSITIONS - 60 {
            continue;
        }
        match verdict(&payload, &expectation(&modulus, kind)) {
            Ok(()) => accepted += 1,
            Err(reason) => {
                assert_ne!(reason, "payload-malformed", "{payload}");
                refused += 1;
            }
        }
    }
    assert!(accepted >= 150 && refused >= 150, "{accepted} accepted, {refused} refused");
    assert!(accepted + refused >= 500);
}
