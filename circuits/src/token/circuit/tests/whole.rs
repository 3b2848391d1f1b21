//! The whole circuit, on tokens that an issuer signed.

use super::*;
use crate::testing::Issuer;
use crate::token::ModulusSize;

#[test]
fn a_signed_token_satisfies_the_whole_circuit() {
    let issuer = Issuer::generate();
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
        let class = Class::rsa2048(class);
        assert_eq!(witness.class(), class);
        let values = assign(class, &instance, &witness);
        assert_eq!(values.violations(), [], "{padding}");
        assert_eq!(values.publics(), [instance.digest()]);
        assert!(best_effort(jwt.compact(), &expected).satisfied);
    }
}

/// A token that fills the size class to the last group of characters.
fn filling(issuer: &Issuer, size: SizeClass) -> crate::token::Jwt {
    let filled = |n: usize| {
        let payload = with(Kind::Email, &[("name", &format!("\"{}\"", "n".repeat(n)))]);
        crate::token::Jwt::parse(&issuer.token(&payload)).unwrap()
    };
    let free = size.bytes() - filled(0).compact().signing_input().len();
    filled(free / 4 * 3)
}

#[test]
fn a_full_token_satisfies_every_class() {
    for modulus_size in ModulusSize::ALL {
        let issuer = Issuer::generate_sized(modulus_size);
        let modulus = issuer.modulus();
        for size in SizeClass::ALL {
            let jwt = filling(&issuer, size);
            let checked = crate::token::check(&jwt, &expectation(&modulus, Kind::Email)).unwrap();
            let class = Class { size, modulus: modulus_size };
            let randomness = LinkingRandomness(Fr::from(3u64));
            let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
            assert_eq!((checked.class(), witness.class()), (class, class));
            let values = assign(class, &instance, &witness);
            assert_eq!(values.violations(), [], "{class}");
            assert_eq!(values.publics(), [instance.digest()]);
        }
    }
}

/// As where a CA has no keys of the token's own class.
#[test]
fn a_token_satisfies_the_larger_classes_too() {
    let issuer = Issuer::generate();
    let modulus = issuer.modulus();
    let jwt = filling(&issuer, SizeClass::B768);
    let checked = crate::token::check(&jwt, &expectation(&modulus, Kind::Email)).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    for size in [SizeClass::B1024, SizeClass::B2560] {
        let values = assign(Class::rsa2048(size), &instance, &witness);
        assert_eq!(values.violations(), []);
        assert_eq!(values.publics(), [instance.digest()]);
    }
}

/// What [`header_key_and_signature_are_bound`] shows, at the other moduli; and that one of another size is no witness.
#[test]
fn a_modulus_of_any_size_is_bound() {
    for modulus_size in [ModulusSize::Rsa3072, ModulusSize::Rsa4096] {
        let issuer = Issuer::generate_sized(modulus_size);
        let key = issuer.modulus();
        let jwt = filling(&issuer, SizeClass::B768);
        let checked = crate::token::check(&jwt, &expectation(&key, Kind::Email)).unwrap();
        let randomness = LinkingRandomness(Fr::from(3u64));
        let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
        let families = |instance: &Instance, witness: &Witness| {
            let values = assign(witness.class(), instance, witness);
            let families = values.violations().iter().map(|violation| violation.family);
            families.collect::<std::collections::BTreeSet<_>>()
        };
        let other = Instance { modulus: modulus().digest(), ..instance };
        assert_eq!(Vec::from_iter(families(&other, &witness)), ["token.modulus"]);
        let mut forged = witness.clone();
        forged.signature[7] ^= 1;
        let refusing = families(&instance, &forged);
        assert!(!refusing.is_empty() && refusing.iter().all(|family| family.starts_with("rsa.")));
        // A short modulus under the larger circuit: its digest is another than the one that a verifier computes.
        let small = Issuer::generate();
        let (jwt, key) = (filling(&small, SizeClass::B768), small.modulus());
        let checked = crate::token::check(&jwt, &expectation(&key, Kind::Email)).unwrap();
        let (instance, mut widened) = (checked.instance(randomness), checked.witness(randomness));
        widened.modulus_size = modulus_size;
        assert!(families(&instance, &widened).contains("token.modulus"));
    }
}

/// A larger modulus costs rows of its own and of its digest, and changes no others.
#[test]
fn classes_differ_in_what_reads_the_modulus() {
    let rows = ModulusSize::ALL.map(|modulus| {
        let mut rows = shape(Class { size: SizeClass::B768, modulus }).rows_per_family();
        rows.retain(|family, _| !family.starts_with("rsa.") && *family != "poseidon");
        rows
    });
    assert_eq!(rows[0], rows[1]);
    assert_eq!(rows[0], rows[2]);
}

/// Inputs that the issuer signed but no strict parser takes, under the good header: refused by both, and by the
/// circuit because of what is said beside each.
#[test]
fn signed_but_not_strict_is_refused_by_both() {
    let issuer = Issuer::generate();
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
        ("trailing bits after one byte", next(&input(1)), "base64.decode"),
        ("trailing bits after two bytes", next(&input(2)), "base64.decode"),
        ("a lone last character", format!("{}A", input(0)), "token.payload"),
        ("padding", format!("{}==", input(1)), "message.bits"),
        (
            "a character of the other alphabet",
            format!("{}+", &input(0)[..input(0).len() - 1]),
            "message.bits",
        ),
        ("a second dot", format!("{}.", input(2)), "message.bits"),
    ] {
        let native = Compact::parse(&issuer.sign(input.clone()));
        assert!(native.is_err(), "{what}");
        let values = trial(&issuer, &input, &expected);
        assert!(!values.is_satisfied(), "{what}");
        assert!(values.violations().iter().any(|violation| violation.family == family), "{what}");
    }
}

/// The whole circuit on an input as it is, signed, with hints for the payload that a lenient reader sees.
pub(super) fn trial(issuer: &Issuer, input: &str, expected: &Expectation<'_>) -> Assignment {
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
    witness.signature = signature;
    assign(Class::rsa2048(SizeClass::B768), &checked.instance(randomness), &witness)
}

/// Each public input but those that the claims' tests change: another value, and the circuit refuses.
#[test]
fn header_key_and_signature_are_bound() {
    let issuer = Issuer::generate();
    let (modulus, another) = (issuer.modulus(), modulus());
    let expected = expectation(&modulus, Kind::Email);
    let jwt = crate::token::Jwt::parse(&issuer.token(&object(&good(Kind::Email)))).unwrap();
    let checked = crate::token::check(&jwt, &expected).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    let families = |instance: &Instance, witness: &Witness| {
        let values = assign(Class::rsa2048(SizeClass::B768), instance, witness);
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

/// All else follows from what is chosen here: hints that rows force, at this token.
#[test]
fn a_prover_chooses_only_what_the_statement_lets_it() {
    let issuer = Issuer::generate();
    let modulus = issuer.modulus();
    let (payload, expected) = lies::everything(&modulus);
    let jwt = crate::token::Jwt::parse(&issuer.token(&payload)).unwrap();
    let randomness = LinkingRandomness(Fr::from(3u64));
    let checked = crate::token::check(&jwt, &expected).unwrap();
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    let class = witness.class();
    let chosen = crate::r1cs::freedom::chosen_per_family(
        |cs| circuit(cs, class, &instance, &witness),
        |cs| circuit(cs, class, &instance, &witness),
    );
    let mut count = std::collections::BTreeMap::new();
    for (family, n) in &chosen {
        *count.entry(*family).or_insert(0) += n;
    }
    // The message: its bits show where it ends. Some have no choice: those of a dash, which two of them give away.
    let bits = count.remove("message.bits");
    assert!(
        bits <= Some(7 * witness.signing_input.len() + 2) && bits > Some(6 * witness.signing_input.len())
    );
    let expected = [
        // The public inputs, which a verifier recomputes.
        ("token.inputs", 9),
        // The first a and e of each two rounds, and their majorities: see `gadgets::sha256`.
        ("sha256.add", 32 * 64 * class.size.blocks()),
        ("sha256.majority", 32 * (32 * class.size.blocks() - 1)),
        // Modulus (compared by digest), signature, its powers and quotients: see `gadgets::rsa`.
        ("rsa.modulus-range", 98),
        ("rsa.signature-range", 98),
        ("rsa.power-range", 1470),
        ("rsa.quotient", 881),
        // The header's length modulo four; the only dot leaves nothing else.
        ("token.header", 2),
        // Digits of 343 characters, but for two that belong to no whole byte, and of each 1 or 7 groups of four one by their
        // row: unique by `gadgets::base64`.
        ("base64.decode", 6 * 343 - 2 - 72),
        // Six flags by two sums: one is set, and its place is the kind.
        ("claims.kind", 5),
        // Whether nonce and nbf are there: the number of names leaves one.
        ("claims.once", 1),
        // Where a value may begin in each group of eight bytes, of which some have no other place: see `gadgets::starts`.
        ("strings.starts", 213),
        // Of each value that is read: its position, the quotes before it, its length where it has one. Held by comparing
        // whole elements, of which each has one reading (`gadgets::strings`). Bytes around a value that need not be there
        // count as chosen too, being compared by a row that is a product.
        ("claims.issuer", 23),
        ("claims.time", 162),
        ("claims.flags", 118),
        // And ρ_1, which opens c_id.
        ("claims.identity", 33),
        ("claims.audience", 33),
        ("claims.nonce", 31),
        // The salt.
        ("claims.binding", 1),
    ];
    assert_eq!(count, expected.into());
}
