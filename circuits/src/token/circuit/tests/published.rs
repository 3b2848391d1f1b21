//! The published faults of circuits of this kind (protocol.md §5.4), one test for each, named after it: a prover who
//! tries it, and what refuses. Two are in the gadget's own tests, where the forger can reach a single product:
//! `unranged_rsa_limbs_are_refused` and `unranged_rsa_carries_are_refused` in `gadgets::rsa`.

use std::collections::BTreeSet;

use ark_ff::{BigInteger, PrimeField};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::{ENCODED_BYTES, Idf};
use sigveil_vrf_identity::{field, poseidon};

use super::*;
use crate::testing::Issuer;
use crate::token::instance::AUDIENCE_ELEMENTS;
use crate::token::layout::Found;

type Families = BTreeSet<&'static str>;

fn families(values: &Assignment) -> Families {
    values.violations().iter().map(|violation| violation.family).collect()
}

/// The text of a payload in front, with zeros behind it.
fn text(payload: &str) -> Vec<u8> {
    let mut text = payload.as_bytes().to_vec();
    text.resize(POSITIONS, 0);
    text
}

/// What a prover says of a string value whose opening quote is at `at`.
fn place(text: &[u8], at: usize, length: usize) -> Found {
    let quotes = (0..=at).filter(|i| text[*i] == b'"' && (*i == 0 || text[*i - 1] != b'\\')).count();
    let cut = text[at + 1..at + 1 + length].iter().position(|byte| *byte == b'@');
    Found { at, quotes, length, cut, behind: 0, present: true, in_array: false }
}

/// What refuses a prover who says that `claim` stands at `place` and names `value`.
fn refused_at(
    text: &[u8],
    expected: &Expectation<'_>,
    claim: &'static str,
    found: Found,
    value: &str,
) -> Families {
    let (mut instance, witness) = favourable(text, expected);
    let identity = Identity::new(expected.issuer, expected.kind, value).unwrap();
    instance.linking_commitment = LinkingRandomness(witness.randomness).commit(identity.idf());
    let layout = Layout::of(text, expected.kind).with(claim, found);
    families(&Assignment::of(|cs| claims_circuit_at(cs, text, &instance, &witness, &layout)))
}

/// A payload of kind `sub` with this member in place of `sub`.
fn without_sub(member: &str) -> String {
    object(&good(Kind::Sub)).replace("\"sub\":\"user-1\"", member)
}

fn position(text: &[u8], of: &str) -> usize {
    text.windows(of.len()).position(|window| window == of.as_bytes()).unwrap()
}

/// A signed token of kind `sub`: its instance and witness.
fn signed() -> (Instance, Witness) {
    let issuer = Issuer::generate();
    let modulus = issuer.modulus();
    let jwt = crate::token::Jwt::parse(&issuer.token(&object(&good(Kind::Sub)))).unwrap();
    let checked = crate::token::check(&jwt, &expectation(&modulus, Kind::Sub)).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    (checked.instance(randomness), checked.witness(randomness))
}

/// The families that refuse when the hints of one family are changed: (index among them, honest value) to value.
fn refused_with(family: &'static str, mut change: impl FnMut(usize, Fr) -> Fr + 'static) -> Families {
    let (instance, witness) = signed();
    let mut count = 0;
    let tamper = move |of: &str, _: usize, value| {
        if of != family {
            return value;
        }
        count += 1;
        change(count - 1, value)
    };
    families(&Assignment::tampered(tamper, |cs| circuit(cs, witness.class(), &instance, &witness)))
}

#[test]
fn a_claim_index_into_the_unsigned_buffer_tail_is_refused() {
    // A bit behind the end of the message.
    let beyond = 7 * 700;
    let tail = refused_with("message.bits", move |at, bit| if at == beyond { Fr::from(1u64) } else { bit });
    let decoded = ["token.payload", "base64.decode", "message.tail-zero"];
    assert!(tail.iter().any(|family| decoded.contains(family)), "{tail:?}");
    // A claim's value behind the end of the payload: where it is read from there is nothing.
    let mut buffer = text(&without_sub("\"other\":1"));
    let end = position(&buffer, "}") + 8;
    let found = Found { at: end, quotes: 0, length: 4, present: true, ..Found::default() };
    buffer.truncate(POSITIONS);
    let expected = modulus();
    let refused = refused_at(&buffer, &expectation(&expected, Kind::Sub), "sub", found, "evil");
    assert!(refused.contains("claims.identity"), "{refused:?}");
}

#[test]
fn a_duplicate_key_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for member in ["\"sub\":\"user-1\",\"sub\":\"evil\"", "\"sub\":\"evil\",\"sub\":\"user-1\""] {
        let text = text(&without_sub(member));
        let key = position(&text, "\"sub\":\"evil\"");
        let found = place(&text, key + 6, 4);
        assert_eq!(refused_at(&text, &expected, "sub", found, "evil"), ["claims.once"].into());
    }
}

#[test]
fn a_key_inside_a_string_or_a_nested_object_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for (member, key, value) in [
        (r#""x":{"sub":"evil"}"#, "\"sub\":\"evil\"", 6),
        (r#""x":[{"sub":"evil"}]"#, "\"sub\":\"evil\"", 6),
        (r#""x":" \"sub\":\"evil\" ""#, r#""sub\":\"evil\""#, 8),
    ] {
        let text = text(&without_sub(member));
        let key = position(&text, key);
        let refused = refused_at(&text, &expected, "sub", place(&text, key + value, 4), "evil");
        assert!(
            refused.contains("claims.once") && refused.contains("claims.identity"),
            "{member} {refused:?}"
        );
    }
}

#[test]
fn field_length_slack_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    let text = text(&without_sub("\"sub\":\"user-1\",\"x\":\"y\""));
    let key = position(&text, "\"sub\"");
    // One byte less and its closing quote is not there; one more and the quote is a byte of the value.
    for (length, value) in [(5, "user-"), (7, "user-1x"), (0, "u")] {
        let refused = refused_at(&text, &expected, "sub", place(&text, key + 6, length), value);
        assert!(refused.contains("claims.identity"), "{length} {refused:?}");
    }
    let issuer = position(&text, "\"iss\"");
    for length in [ISSUER.len() - 1, ISSUER.len() + 1] {
        let found = place(&text, issuer + 6, length);
        assert!(refused_at(&text, &expected, "iss", found, "user-1").contains("claims.issuer"), "{length}");
    }
}

/// An input with this change of the token's characters, signed as it is.
fn refused_input(change: impl Fn(&str) -> String) -> Families {
    let issuer = Issuer::generate();
    let modulus = issuer.modulus();
    // The payload is a whole number of groups of three bytes: white space behind the object is well-formed.
    let payload = object(&good(Kind::Email));
    let payload = format!("{payload}{}", " ".repeat((3 - payload.len() % 3) % 3));
    let token = issuer.token(&payload);
    let (input, _) = token.rsplit_once('.').unwrap();
    families(&whole::trial(&issuer, &change(input), &expectation(&modulus, Kind::Email)))
}

#[test]
fn an_unassigned_base64_length_is_refused() {
    assert!(refused_input(str::to_owned).is_empty());
    assert!(refused_input(|input| format!("{input}A")).contains("token.payload"));
}

#[test]
fn base64_alphabet_and_padding_confusion_are_refused() {
    let last = |character: char| move |input: &str| format!("{}{character}", &input[..input.len() - 1]);
    for character in ['+', '/', '=', '.', ' ', '\n'] {
        assert!(refused_input(last(character)).contains("message.bits"), "{character:?}");
    }
    assert!(refused_input(|input| format!("{input}==")).contains("message.bits"));
}

#[test]
fn comparison_on_an_unranged_length_is_refused() {
    // No block selected, and a digest of zeros.
    let zeros = refused_with("sha256.select", |_, _| Fr::from(0u64));
    assert!(zeros.contains("sha256.select"), "{zeros:?}");
    // Flags of the length that are no bits, or rise again, whose sum would be any length.
    for value in [Fr::from(2u64), -Fr::from(1u64)] {
        let length = refused_with("message.length", move |at, flag| if at == 300 { value } else { flag });
        assert!(length.contains("message.length"), "{length:?}");
    }
}

#[test]
fn a_bit_decomposition_that_aliases_modulo_the_field_is_refused() {
    let modulus = modulus();
    let audience = audience_digest(AUDIENCE).unwrap();
    let bind = Fr::from(77u64);
    // A binding whose digest plus r has no more bits than r: another text for the same digest.
    let (salt, alias) = (0u64..)
        .map(|salt| BindingSalt(Fr::from(salt)))
        .map(|salt| {
            let mut alias = poseidon::hash(Domain::TokenBinding, &[audience, bind, salt.0]).into_bigint();
            alias.add_with_carry(&Fr::MODULUS);
            (salt, alias)
        })
        .find(|(_, alias)| alias.num_bits() as usize <= 254)
        .unwrap();
    let nonce = format!("\"sigveil:{}\"", URL_SAFE_NO_PAD.encode(alias.to_bytes_be()));
    let payload = with(Kind::Sub, &[("nonce", &nonce)]);
    let expected = Expectation { binding: Binding::Nonce { bind, salt }, ..expectation(&modulus, Kind::Sub) };
    assert_eq!(verdict(&payload, &expected), Err("nonce-not-bound"));
    let (instance, witness) = favourable(payload.as_bytes(), &expected);
    let mut bits = 0;
    let decompose = move |family: &str, _: usize, honest| {
        if family != "canonical-bits" {
            return honest;
        }
        bits += 1;
        if bits <= 254 { Fr::from(alias.get_bit(bits - 1)) } else { honest }
    };
    let values = Assignment::tampered(decompose, |cs| {
        claims_circuit(cs, payload.as_bytes(), 0, POSITIONS, &instance, &witness);
    });
    assert_eq!(families(&values), ["canonical-bits"].into());
}

#[test]
fn a_key_match_without_delimiters_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for (member, value) in [
        // The name at the end of a key, at its beginning, and as a value.
        (r#""x sub":"evil""#, 8),
        (r#""subject":"evil""#, 10),
        (r#""x":"sub","y":"evil""#, 14),
    ] {
        let text = text(&without_sub(member));
        let start = position(&text, member);
        let found = place(&text, start + value, 4);
        let refused = refused_at(&text, &expected, "sub", found, "evil");
        assert!(
            refused.contains("claims.once") && refused.contains("claims.identity"),
            "{member} {refused:?}"
        );
    }
}

#[test]
fn a_claim_slot_not_bound_to_its_name_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    // Another member's value.
    let text = text(&without_sub("\"sub\":\"user-1\",\"name\":\"evil\""));
    let found = place(&text, position(&text, "\"name\"") + 7, 4);
    assert_eq!(refused_at(&text, &expected, "sub", found, "evil"), ["claims.identity"].into());
}

/// The key that a group of bytes begins with is not that of a value behind a shorter key in the same group.
#[test]
fn a_value_behind_an_empty_key_is_not_of_the_key_before() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for spaces in 0..8 {
        let shifted = |payload: &str| text(&format!("{}{payload}", " ".repeat(spaces)));
        let buffer = shifted(&without_sub("\"sub\":\"user-1\",\"\":\"evil\""));
        let found = place(&buffer, position(&buffer, "\"evil\""), 4);
        assert_eq!(
            refused_at(&buffer, &expected, "sub", found, "evil"),
            ["claims.identity"].into(),
            "{spaces}"
        );
        let (expired, forged) = ("\"exp\":1,", (TIME + 9).to_string());
        let honest =
            object(&good(Kind::Sub)).replace(&format!("\"exp\":{}", TIME + 300), "\"exp\":1,\"\":NUMBER");
        assert!(honest.contains(expired));
        let buffer = shifted(&honest.replace("NUMBER", &forged));
        let found = place(&buffer, position(&buffer, &forged), forged.len());
        assert_eq!(
            refused_at(&buffer, &expected, "exp", found, "user-1"),
            ["claims.time"].into(),
            "{spaces}"
        );
    }
}

#[test]
fn a_nonce_not_bound_is_refused() {
    let modulus = modulus();
    let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
    let nonce = binding_string(Usage::Certificate, audience_digest(AUDIENCE).unwrap(), bind, salt);
    let expected = Expectation { binding: Binding::Nonce { bind, salt }, ..expectation(&modulus, Kind::Sub) };
    // The right text under another name, beside a nonce that is another.
    let other = format!("\"{nonce}\"");
    let text = text(&with(Kind::Sub, &[("nonce", "\"n\""), ("other", &other)]));
    let found = place(&text, position(&text, "\"other\"") + 8, nonce.len());
    let refused = refused_at(&text, &expected, "nonce", found, "user-1");
    assert!(refused.contains("claims.nonce"), "{refused:?}");
    // And not said to be elsewhere: it is not the text.
    let refused = families(&claims_values(&text[..position(&text, "}") + 1], 0, &expected, POSITIONS));
    assert_eq!(refused, ["claims.binding"].into());
}

#[test]
fn packing_without_length_is_refused() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    let payload = object(&good(Kind::Sub));
    let (instance, witness) = favourable(payload.as_bytes(), &expected);
    let refused = |instance: &Instance| {
        families(&Assignment::of(|cs| {
            claims_circuit(cs, payload.as_bytes(), 0, POSITIONS, instance, &witness)
        }))
    };
    // The same bytes, the issuer one less and the value one more.
    let (issuer, moved) = ISSUER.split_at(ISSUER.len() - 1);
    let identity = Identity::new(issuer, Kind::Sub, &format!("{moved}user-1")).unwrap();
    let linking_commitment = LinkingRandomness(witness.randomness).commit(identity.idf());
    assert_eq!(refused(&Instance { linking_commitment, ..instance }), ["claims.identity"].into());
    // The same bytes of an audience, with a zero more that only the length says.
    let mut longer = vec![Fr::from(AUDIENCE.len() as u64 + 1)];
    longer.extend(field::pack31_padded(AUDIENCE.as_bytes(), AUDIENCE_ELEMENTS).unwrap());
    let audience = poseidon::hash(Domain::Audience, &longer);
    assert_eq!(refused(&Instance { audience, ..instance }), ["claims.binding"].into());
}

/// Neither depth nor quotes at the place that is said to be behind the audience are the prover's to choose: a second audience
/// that is an array, an object in the place of the array, and a second string.
#[test]
fn an_audience_that_is_not_alone_is_refused_wherever_its_end_is_said_to_be() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Sub);
    for (value, end) in [
        (format!("[\"{AUDIENCE}\",[]]"), "]]"),
        (format!("{{\"{AUDIENCE}\":[]}}"), "]}"),
        (format!("[\"{AUDIENCE}\",\"b\"]"), "]"),
    ] {
        let text = text(&with(Kind::Sub, &[("aud", &value)]));
        let begin = position(&text, &value);
        let found = Found {
            behind: begin + value.rfind(end).unwrap(),
            in_array: true,
            ..place(&text, begin + 1, AUDIENCE.len())
        };
        let (instance, witness) = favourable(&text, &expected);
        let layout = Layout::of(&text, Kind::Sub).with("aud", found);
        let refused =
            families(&Assignment::of(|cs| claims_circuit_at(cs, &text, &instance, &witness, &layout)));
        assert_eq!(refused, ["claims.audience"].into(), "{value}");
    }
}

/// A workflow whose reference holds another `@` has one identity, that before the first. No [`Identity`] says the other, so
/// that its digest is made by hand.
#[test]
fn an_identity_that_ends_at_a_later_at_sign_is_refused_by_one_family() {
    let modulus = modulus();
    let expected = expectation(&modulus, Kind::Workflow);
    let idf_of = |value: &str| {
        let mut encoded = vec![Kind::Workflow.byte()];
        for text in [ISSUER, value] {
            encoded.extend((text.len() as u16).to_be_bytes());
            encoded.extend(text.as_bytes());
        }
        encoded.resize(ENCODED_BYTES, 0);
        Idf(poseidon::hash(Domain::Identity, &field::pack31(&encoded)))
    };
    let text = text(&with(Kind::Workflow, &[("workflow_ref", "\"w@a@b\"")]));
    let place = place(&text, position(&text, "\"w@a@b\""), "w@a@b".len());
    for (value, cut) in [("w", 1), ("w@a", 3)] {
        let (mut instance, witness) = favourable(&text, &expected);
        instance.linking_commitment = LinkingRandomness(witness.randomness).commit(idf_of(value));
        let layout =
            Layout::of(&text, Kind::Workflow).with("workflow_ref", Found { cut: Some(cut), ..place });
        let values = Assignment::of(|cs| claims_circuit_at(cs, &text, &instance, &witness, &layout));
        let refused: Vec<_> = values.violations().iter().map(|violation| violation.family).collect();
        assert_eq!(refused, if cut == 1 { vec![] } else { vec!["claims.identity"] }, "{value}");
    }
}
