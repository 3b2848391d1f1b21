//! The whole circuit, on tokens that an issuer signed.

use super::*;

#[test]
fn a_signed_token_satisfies_the_whole_circuit() {
    let issuer = crate::testing::Issuer::generate();
    let modulus = issuer.modulus();
    for (padding, class) in
        [(0, SizeClass::B768), (1, SizeClass::B768), (2, SizeClass::B768), (500, SizeClass::B1024)]
    {
        let payload = with(Kind::Email, &[("name", &format!("\"{}\"", "n".repeat(padding)))]);
        let jwt = crate::token::Jwt::parse(&issuer.token(&payload)).unwrap();
        let expected = expectation(&modulus, Kind::Email);
        let checked = crate::token::check(&jwt, &expected).unwrap();
        let randomness = LinkingRandomness(Fr::from(3u64));
        let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
        assert_eq!(witness.size_class(), class);
        let values = assign(class, &instance, &witness);
        assert_eq!(values.violations(), [], "{padding}");
        assert_eq!(values.publics(), [instance.digest()]);
        assert!(best_effort(jwt.compact(), &expected).satisfied);
    }
}

#[test]
fn the_shapes_are_these() {
    for (class, rows) in [(SizeClass::B768, 390_639), (SizeClass::B1024, 477_094)] {
        let shape = shape(class);
        assert_eq!(shape.constraints(), rows, "{:?}", shape.rows_per_family());
        assert_eq!(shape.publics(), 1);
    }
}

/// Inputs that the issuer signed but no strict parser takes, under the good header: refused by both, and by the
/// circuit because of what is said beside each.
#[test]
fn signed_but_not_strict_is_refused_by_both() {
    let issuer = crate::testing::Issuer::generate();
    let modulus = issuer.modulus();
    let expected = expectation(&modulus, Kind::Email);
    let payload = object(&good(Kind::Email));
    // 0, 1 and 2 mod 3 bytes of payload: white space behind the object is well-formed.
    let padded = |rest: usize| format!("{payload}{}", " ".repeat((3 + rest - payload.len() % 3) % 3));
    let token = |rest| issuer.token(&padded(rest));
    let input = |rest| token(rest).rsplit_once('.').map(|(input, _)| input.to_owned()).unwrap();
    let next = |text: &str| {
        let last = text.as_bytes()[text.len() - 1];
        format!("{}{}", &text[..text.len() - 1], char::from(last + 1))
    };
    for rest in 0..3 {
        assert!(trial(&issuer, &input(rest), &expected).is_satisfied());
    }
    for (what, input, family) in [
        ("trailing bits after one byte", next(&input(1)), "token.payload"),
        ("trailing bits after two bytes", next(&input(2)), "token.payload"),
        ("a lone last character", format!("{}A", input(0)), "token.payload"),
        ("padding", format!("{}==", input(1)), "base64.decode"),
        (
            "a character of the other alphabet",
            format!("{}+", &input(0)[..input(0).len() - 1]),
            "base64.decode",
        ),
        ("a second dot", format!("{}.", input(2)), "base64.decode"),
    ] {
        let native = Compact::parse(&issuer.sign(input.clone()));
        assert!(native.is_err(), "{what}");
        let values = trial(&issuer, &input, &expected);
        assert!(!values.is_satisfied(), "{what}");
        assert!(values.violations().iter().any(|violation| violation.family == family), "{what}");
    }
}

/// The whole circuit on an input as it is, signed, with hints for the payload that a lenient reader sees.
fn trial(issuer: &crate::testing::Issuer, input: &str, expected: &Expectation<'_>) -> Assignment {
    let payload = object(&good(Kind::Email));
    let strict = crate::token::Jwt::parse(&issuer.token(&payload)).unwrap();
    let checked = crate::token::check(&strict, expected).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    let mut witness = checked.witness(randomness);
    let signed = issuer.sign(input.to_owned());
    let (_, signature) = signed.rsplit_once('.').unwrap();
    let signature =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).unwrap();
    witness.signing_input = input.as_bytes().to_vec();
    witness.signature = signature.try_into().unwrap();
    assign(SizeClass::B768, &checked.instance(randomness), &witness)
}

/// Each public input but those that the claims' tests change: another value, and the circuit refuses.
#[test]
fn header_key_and_signature_are_bound() {
    let issuer = crate::testing::Issuer::generate();
    let (modulus, another) = (issuer.modulus(), modulus());
    let expected = expectation(&modulus, Kind::Email);
    let jwt = crate::token::Jwt::parse(&issuer.token(&object(&good(Kind::Email)))).unwrap();
    let checked = crate::token::check(&jwt, &expected).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    let families = |instance: &Instance, witness: &Witness| {
        let values = assign(SizeClass::B768, instance, witness);
        values
            .violations()
            .iter()
            .map(|violation| violation.family)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(families(&instance, &witness).is_empty());
    let header = Instance { header: header_digest("e30").unwrap(), ..instance };
    assert_eq!(Vec::from_iter(families(&header, &witness)), ["token.header"]);
    let key = Instance { modulus: another.digest(), ..instance };
    assert_eq!(Vec::from_iter(families(&key, &witness)), ["token.modulus"]);
    let linking = Instance { linking_commitment: Fr::from(1u64), ..instance };
    assert_eq!(Vec::from_iter(families(&linking, &witness)), ["claims.identity"]);
    let mut forged = witness.clone();
    forged.signature[100] ^= 1;
    assert!(families(&instance, &forged).iter().all(|family| family.starts_with("rsa.")));
    assert!(!families(&instance, &forged).is_empty());
    for length in [witness.header_length - 4, witness.header_length - 1, witness.header_length + 4] {
        let mut moved = witness.clone();
        moved.header_length = length;
        assert!(families(&instance, &moved).contains("token.header"), "{length}");
    }
}
