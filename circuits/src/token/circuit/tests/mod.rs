//! The claims' part of the circuit beside the native check, and the whole circuit on signed tokens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generated;
mod lies;
mod published;
mod shapes;
mod whole;

use super::*;
use crate::gadgets::json::Byte;
use crate::token::instance::{BindingSalt, Usage, binding_string, bound_audience_digest};
use crate::token::native::check_payload;
use crate::token::{Binding, Modulus, SizeClass};

const ISSUER: &str = "https://issuer.example/path";
const AUDIENCE: &str = "sign.example";
const TIME: u64 = 1_800_000_000;
/// Positions of the class 768.
const POSITIONS: usize = 576;

fn modulus() -> Modulus {
    let mut bytes = [0xff; 256];
    bytes[0] = 0x80;
    Modulus::new(&bytes, &[1, 0, 1]).unwrap()
}

fn expectation(modulus: &Modulus, kind: Kind) -> Expectation<'_> {
    Expectation {
        modulus,
        issuer: ISSUER,
        audience: AUDIENCE,
        kind,
        time: TIME,
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    }
}

/// The claims' part of the circuit on a payload that begins at byte `offset`, with the most favourable values.
fn claims_values(payload: &[u8], offset: usize, expected: &Expectation<'_>, positions: usize) -> Assignment {
    let (instance, witness) = favourable(payload, expected);
    Assignment::of(|cs| claims_circuit(cs, payload, offset, positions, &instance, &witness))
}

fn favourable(payload: &[u8], expected: &Expectation<'_>) -> (Instance, Witness) {
    let randomness = LinkingRandomness(Fr::from(5u64));
    let configured = audience_digest(expected.audience).unwrap();
    let identity = favourable_identity(payload, expected.kind);
    let instance = Instance {
        modulus: Fr::from(0u64),
        issuer: issuer_digest(expected.issuer).unwrap(),
        audience: public_audience(configured, &expected.binding),
        kind: expected.kind,
        time: expected.time,
        header: Fr::from(0u64),
        usage: expected.usage,
        bind: expected.binding.bind(),
        linking_commitment: identity.map(|identity| randomness.commit(identity.idf())).unwrap_or_default(),
    };
    let mut witness = Witness::placeholder();
    witness.bound = match expected.binding {
        Binding::Unbound => crate::token::witness::Bound::Not,
        Binding::Nonce { .. } => crate::token::witness::Bound::ByNonce,
        Binding::Audience { .. } => crate::token::witness::Bound::ByAudience,
    };
    witness.audience = configured;
    witness.salt = expected.binding.salt().0;
    witness.randomness = randomness.0;
    (instance, witness)
}

fn claims_circuit<C: Cs>(
    cs: &mut C,
    payload: &[u8],
    offset: usize,
    positions: usize,
    instance: &Instance,
    witness: &Witness,
) {
    let mut text = vec![0; positions];
    text[offset..offset + payload.len()].copy_from_slice(payload);
    let layout = Layout::of(&text, instance.kind);
    claims_circuit_at(cs, &text, instance, witness, &layout);
}

/// The claims' part on a whole text, with claims where the prover says that they are.
fn claims_circuit_at<C: Cs>(
    cs: &mut C,
    text: &[u8],
    instance: &Instance,
    witness: &Witness,
    layout: &Layout,
) {
    let public = Inputs::allocate(cs, instance);
    let bytes: Vec<_> = text
        .iter()
        .map(|byte| {
            let bits = cs.hint_many(8, &[], |_| (0..8).map(|i| Fr::from(byte >> i & 1)).collect());
            Byte::new(bits.try_into().unwrap_or_else(|_| unreachable!()))
        })
        .collect();
    claims::claims(cs, bytes, &public, instance, witness, layout);
}

/// Both verdicts on a payload; they must be one unless the payload is malformed.
fn verdict(payload: &str, expected: &Expectation<'_>) -> Result<(), &'static str> {
    let native = check_payload(payload.as_bytes(), expected).map(|_| ()).map_err(|refusal| refusal.reason());
    let values = claims_values(payload.as_bytes(), 60, expected, POSITIONS);
    if native != Err("payload-malformed") {
        let families: Vec<_> = values.violations().iter().map(|v| v.family).collect();
        assert_eq!(values.is_satisfied(), native.is_ok(), "{native:?} {families:?} {payload}");
    }
    native
}

fn good(kind: Kind) -> Vec<(String, String)> {
    let mut members = vec![
        ("iss", format!("\"{ISSUER}\"")),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("iat", (TIME - 5).to_string()),
        ("exp", (TIME + 300).to_string()),
    ];
    let value = match kind {
        Kind::Email => "\"ann@mail.example\"",
        Kind::Sub => "\"user-1\"",
        _ => "\"o/r/.github/workflows/w.yml@refs/heads/main\"",
    };
    members.push((kind.claim(), value.to_owned()));
    if kind.demands_verified_email() {
        members.push(("email_verified", "true".to_owned()));
    }
    if kind.demands_protected_ref() {
        members.push(("ref_protected", "\"true\"".to_owned()));
    }
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn with(kind: Kind, changes: &[(&str, &str)]) -> String {
    let mut members = good(kind);
    for (key, value) in changes {
        match members.iter_mut().find(|(name, _)| name == key) {
            Some(member) => member.1 = (*value).to_owned(),
            None => members.push(((*key).to_owned(), (*value).to_owned())),
        }
    }
    object(&members)
}

#[test]
fn every_kind_is_accepted_by_both() {
    let modulus = modulus();
    for kind in Kind::ALL {
        assert_eq!(verdict(&object(&good(kind)), &expectation(&modulus, kind)), Ok(()), "{kind}");
    }
}

#[test]
fn each_rule_is_kept_by_both() {
    let modulus = modulus();
    let email = expectation(&modulus, Kind::Email);
    let now = |offset: i64| (TIME as i64 + offset).to_string();
    let long = format!("\"{}\"", "n".repeat(200));
    for (changes, expected) in [
        (vec![("iss", "\"https://issuer.example/pat\"")], Err("issuer-mismatch")),
        (vec![("iss", "\"https://issuer.example/path2\"")], Err("issuer-mismatch")),
        (vec![("iss", r#""https:\/\/issuer.example\/path""#)], Err("claim-escaped")),
        (vec![("iss", "7")], Err("claim-type")),
        (vec![("iss", "[\"https://issuer.example/path\"]")], Err("claim-type")),
        (vec![("aud", "\"other.example\"")], Err("audience-mismatch")),
        (vec![("aud", "\"sign.exampl\"")], Err("audience-mismatch")),
        (vec![("aud", "[\"sign.example\"]")], Ok(())),
        (vec![("aud", "[ \n\"sign.example\"\t]")], Ok(())),
        (vec![("aud", "[\"sign.example\",\"b\"]")], Err("audience-not-sole")),
        (vec![("aud", "[\"sign.example\",1]")], Err("audience-not-sole")),
        (vec![("aud", "[1,\"sign.example\"]")], Err("audience-not-sole")),
        (vec![("aud", "[[\"sign.example\"]]")], Err("audience-not-sole")),
        (vec![("aud", "[{\"aud\":\"sign.example\"}]")], Err("audience-not-sole")),
        (vec![("aud", "{\"sign.example\":[]}")], Err("claim-type")),
        (vec![("aud", "[]")], Err("audience-not-sole")),
        (vec![("aud", "null")], Err("claim-type")),
        (vec![("iat", &now(60))], Ok(())),
        (vec![("iat", &now(61))], Err("token-from-future")),
        (vec![("exp", &now(1))], Ok(())),
        (vec![("exp", &now(0))], Err("token-expired")),
        (vec![("nbf", &now(60))], Ok(())),
        (vec![("nbf", &now(61))], Err("token-not-yet-valid")),
        (vec![("nbf", "null")], Err("claim-type")),
        (vec![("iat", "0")], Ok(())),
        (vec![("iat", "1.7e9")], Err("claim-type")),
        (vec![("iat", "-5")], Err("claim-type")),
        (vec![("iat", "17.5")], Err("claim-type")),
        (vec![("iat", "\"1700000000\"")], Err("claim-type")),
        (vec![("exp", "9999999999")], Ok(())),
        (vec![("exp", "10000000000")], Err("claim-type")),
        (vec![("exp", "true")], Err("claim-type")),
        (vec![("email", "\"\"")], Err("identity-empty")),
        (vec![("email", r#""ann\u0040mail.example""#)], Err("claim-escaped")),
        (vec![("email", r#""a\"b""#)], Err("claim-escaped")),
        (vec![("email", r#""a\\""#)], Err("claim-escaped")),
        (vec![("email", "false")], Err("claim-type")),
        (vec![("email_verified", "false")], Err("email-not-verified")),
        (vec![("email_verified", "\"true\"")], Err("email-not-verified")),
        (vec![("email_verified", "1")], Err("email-not-verified")),
        (vec![("nonce", "\"anything\"")], Ok(())),
        (vec![("nonce", "\"\"")], Ok(())),
        (vec![("nonce", &long)], Ok(())),
        (vec![("nonce", "\"sigveil\"")], Err("nonce-reserved")),
        (vec![("nonce", "\"sigveil-eval:x\"")], Err("nonce-reserved")),
        (vec![("nonce", "\"Sigveil:x\"")], Ok(())),
        (vec![("nonce", "\"sigvei\"")], Ok(())),
        (vec![("nonce", "7")], Err("claim-type")),
        (vec![("nonce", r#""a\n""#)], Err("claim-escaped")),
        (vec![("other", r#""\\\" \"iss\":\"x\", ""#)], Ok(())),
        (vec![("other", r#"{"iss":"x","aud":[],"email":{"email":1}}"#)], Ok(())),
        (vec![(r"a\u0062", "1")], Err("key-escaped")),
        (vec![(r"\u0069ss", "1")], Err("key-escaped")),
        (vec![("sub", "7"), ("ref_protected", "7"), ("workflow_ref", "7")], Ok(())),
    ] {
        let payload = with(Kind::Email, &changes);
        assert_eq!(verdict(&payload, &email), expected, "{payload}");
    }
}

#[test]
fn each_claim_is_demanded_once_by_both() {
    let modulus = modulus();
    for kind in Kind::ALL {
        let expected = expectation(&modulus, kind);
        let members = good(kind);
        for i in 0..members.len() {
            let mut fewer = members.clone();
            let doubled = fewer.remove(i);
            assert_eq!(verdict(&object(&fewer), &expected), Err("claim-missing"), "{kind}");
            let mut nested = fewer.clone();
            nested.push(("other".to_owned(), object(std::slice::from_ref(&doubled))));
            assert_eq!(verdict(&object(&nested), &expected), Err("claim-missing"), "{kind}");
            let mut more = members.clone();
            more.push(doubled.clone());
            assert_eq!(verdict(&object(&more), &expected), Err("claim-duplicate"), "{kind}");
            more.rotate_right(1);
            more[0].1 = "{}".to_owned();
            assert_eq!(verdict(&object(&more), &expected), Err("claim-duplicate"), "{kind}");
        }
        for name in ["nonce", "nbf"] {
            let mut twice = members.clone();
            twice.extend([(name.to_owned(), "1".to_owned()), (name.to_owned(), "1".to_owned())]);
            assert_eq!(verdict(&object(&twice), &expected), Err("claim-duplicate"), "{kind}");
        }
    }
}

/// Keys that differ from a name in one letter, or are one shorter or longer, are other keys.
#[test]
fn names_are_compared_in_full_by_both() {
    let modulus = modulus();
    for kind in Kind::ALL {
        let expected = expectation(&modulus, kind);
        for name in crate::token::native::claim_names(kind) {
            let altered = (0..name.len()).map(|at| format!("{}X{}", &name[..at], &name[at + 1..]));
            let keys: Vec<String> = altered
                .chain([name[1..].to_owned(), name[..name.len() - 1].to_owned(), format!("{name}s")])
                .collect();
            for keys in keys.chunks(6) {
                let mut members = good(kind);
                members.extend(keys.iter().map(|key| (key.clone(), "1".to_owned())));
                assert_eq!(verdict(&object(&members), &expected), Ok(()), "{kind} {keys:?}");
            }
        }
    }
}

/// Values behind one another as close as can be, at each place in a group.
#[test]
fn values_are_read_wherever_they_begin_by_both() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for spaces in 0..8 {
        let members = [("iat", "1"), ("nbf", "2"), ("sub", "\"u\""), ("aud", &format!("[\"{AUDIENCE}\"]"))];
        let mut all = good(Kind::Sub);
        all.retain(|(key, _)| !members.iter().any(|(name, _)| name == key));
        all.splice(0..0, members.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let payload = format!("{}{}", " ".repeat(spaces), object(&all));
        assert_eq!(verdict(&payload, &expected), Ok(()), "{spaces}");
        let others = payload.replace(&format!("[\"{AUDIENCE}\"]"), &format!("[\"{AUDIENCE}\",[]]"));
        assert!(verdict(&others, &expected).is_err());
    }
}

#[test]
fn workflows_are_cut_by_both() {
    let modulus = modulus();
    let plain = expectation(&modulus, Kind::Workflow);
    for (value, expected) in [
        ("\"w@\"", Ok(())),
        ("\"w@a@b\"", Ok(())),
        ("\"w\"", Err("identity-workflow-no-ref")),
        ("\"@main\"", Err("identity-workflow-empty")),
        ("\"\"", Err("identity-empty")),
        (r#""w@re\"fs""#, Err("claim-escaped")),
        (r#""w\u0040@""#, Err("claim-escaped")),
        ("[\"w@main\"]", Err("claim-type")),
    ] {
        assert_eq!(verdict(&with(Kind::Workflow, &[("workflow_ref", value)]), &plain), expected, "{value}");
    }
    let protected = expectation(&modulus, Kind::CiConfigProtected);
    for value in ["\"false\"", "true", "\"true \"", "\"tru\"", "{}"] {
        let payload = with(Kind::CiConfigProtected, &[("ref_protected", value)]);
        assert_eq!(verdict(&payload, &protected), Err("ref-not-protected"), "{value}");
    }
}

#[test]
fn the_longest_identity_is_accepted_and_one_byte_more_refused_by_both() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    let longest = 367 - ISSUER.len();
    for (length, verdict) in [(1, Ok(())), (longest, Ok(())), (longest + 1, Err("identity-too-long"))] {
        let payload = with(Kind::Sub, &[("sub", &format!("\"{}\"", "s".repeat(length)))]);
        let native = check_payload(payload.as_bytes(), &expected).map(|_| ()).map_err(|r| r.reason());
        assert_eq!(native, verdict);
        let values = claims_values(payload.as_bytes(), 60, &expected, 768);
        assert_eq!(values.is_satisfied(), native.is_ok(), "{length}");
    }
}

#[test]
fn bindings_are_checked_by_both() {
    let modulus = modulus();
    let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
    let digest = audience_digest(AUDIENCE).unwrap();
    for usage in [Usage::Certificate, Usage::Evaluation] {
        let bound = binding_string(usage, digest, bind, salt);
        let nonce = Binding::Nonce { bind, salt };
        let audience = Binding::Audience { bind, salt };
        let by = |binding| Expectation { binding, usage, ..expectation(&modulus, Kind::Email) };
        let quoted = format!("\"{bound}\"");
        let longer = format!("\"{bound}A\"");
        let shorter = format!("\"{}\"", &bound[..bound.len() - 1]);
        let other = if usage == Usage::Certificate { Usage::Evaluation } else { Usage::Certificate };
        let other = format!("\"{}\"", binding_string(other, digest, bind, salt));
        let nonces = |text: &str| with(Kind::Email, &[("nonce", text)]);
        let audiences = |text: &str| with(Kind::Email, &[("aud", text)]);
        assert_eq!(verdict(&nonces(&quoted), &by(nonce)), Ok(()));
        assert_eq!(verdict(&audiences(&quoted), &by(audience)), Ok(()));
        assert_eq!(verdict(&audiences(&format!("[{quoted}]")), &by(audience)), Ok(()));
        for wrong in [&longer, &shorter, &other, &"\"\"".to_owned()] {
            assert_eq!(verdict(&nonces(wrong), &by(nonce)), Err("nonce-not-bound"), "{wrong}");
            assert_eq!(verdict(&audiences(wrong), &by(audience)), Err("audience-not-bound"), "{wrong}");
        }
        assert_eq!(verdict(&object(&good(Kind::Email)), &by(nonce)), Err("nonce-not-bound"));
        let another_key = Binding::Nonce { bind: Fr::from(78u64), salt };
        assert_eq!(verdict(&nonces(&quoted), &by(another_key)), Err("nonce-not-bound"));
        let another_salt = Binding::Nonce { bind, salt: BindingSalt(Fr::from(98u64)) };
        assert_eq!(verdict(&nonces(&quoted), &by(another_salt)), Err("nonce-not-bound"));
    }
    assert_ne!(bound_audience_digest(digest), digest);
}

#[test]
fn top_level_arrays_are_no_objects() {
    let modulus = modulus();
    let members: Vec<String> =
        good(Kind::Email).iter().map(|(key, value)| format!("{{\"{key}\":{value}}}")).collect();
    // Digits 8 and 9 where a key's colon would be, which the circuit takes for one.
    let mut flat: Vec<String> =
        good(Kind::Email).into_iter().map(|(key, value)| format!("\"{key}\",8,{value}")).collect();
    flat.insert(0, "9".into());
    for payload in [
        format!("[{}]", members.join(",")),
        format!("[0,{}]", members.join(",")),
        format!("[{}]", flat.join(",")),
        format!("[ 9 ,8,{}]", members.join(",9, 8 ,")),
        "[]".into(),
        "1".into(),
    ] {
        assert_eq!(verdict(&payload, &expectation(&modulus, Kind::Email)), Err("payload-not-object"));
    }
}
