//! Statements that hold, to be proven.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::r1cs::Assignment;
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::native::{Expectation, check};
use sigveil_circuits::token::{Binding, Class, Jwt, LinkingRandomness, Usage};
use sigveil_circuits::{Fr, nym, query, token};
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::vrf::{Blinded, Blinding};

const ISSUER: &str = "https://issuer.example";
const EMAIL: &str = "signer@example.org";
const TIME: u64 = 1_800_000_000;

/// Computes the values of one fixed statement.
pub(super) type Values = Box<dyn Fn() -> Assignment>;

/// A token that fills the class, checked and ready to be proven.
pub(super) fn token_values(class: Class) -> anyhow::Result<Values> {
    let issuer = Issuer::generate_sized(class.modulus);
    let payload = |filler: usize| {
        format!(
            r#"{{"iss":"{ISSUER}","aud":"sigstore","sub":"1","email":"{EMAIL}","email_verified":true,"iat":{TIME},"exp":{},"filler":"{}"}}"#,
            TIME + 600,
            "x".repeat(filler)
        )
    };
    let input = |token: &str| token.rfind('.').unwrap_or(token.len());
    let free = class.size.bytes().saturating_sub(input(&issuer.token(&payload(0))));
    let text = issuer.token(&payload((free * 3 / 4).saturating_sub(3)));
    let (jwt, modulus) = (Jwt::parse(&text)?, issuer.modulus());
    anyhow::ensure!(jwt.compact().size_class() == class.size, "the token is not of its class");
    let expected = Expectation {
        modulus: &modulus,
        issuer: ISSUER,
        audience: "sigstore",
        kind: Kind::Email,
        time: TIME,
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    };
    let checked = check(&jwt, &expected)?;
    let randomness = LinkingRandomness(Fr::from(7u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    Ok(Box::new(move || token::circuit::assign(witness.class(), &instance, &witness)))
}

/// A query for the pseudonym of an identity.
pub(super) fn query_values() -> anyhow::Result<Values> {
    let idf = Identity::new(ISSUER, Kind::Email, EMAIL)?.idf();
    let blinding = Blinding::random(&mut ChaCha20Rng::seed_from_u64(4));
    let linking = LinkingRandomness(Fr::from(7u64));
    let blinded = Blinded::new(Mode::Blind, &idf, &blinding)?;
    let instance = query::Instance { linking_commitment: linking.commit(idf), blinded };
    let witness = query::Witness::new(idf, linking, &blinding);
    Ok(Box::new(move || query::circuit::assign(&instance, &witness)))
}

/// An issuance.
pub(super) fn nym_values() -> Values {
    let (instance, witness) = nym::sample::statement(&mut ChaCha20Rng::seed_from_u64(3));
    Box::new(move || nym::circuit::assign(&instance, &witness))
}
