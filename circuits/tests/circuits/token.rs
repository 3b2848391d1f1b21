//! A real proof of `token` for an issuer with a longer modulus.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{Keys, Statement};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::{
    Binding, Class, Expectation, Instance, Jwt, LinkingRandomness, ModulusSize, SizeClass, Usage, check,
    circuit,
};
use sigveil_vrf_identity::identity::Kind;

#[test]
fn a_token_under_a_modulus_of_3072_bits_is_proven() {
    let issuer = Issuer::generate_sized(ModulusSize::Rsa3072);
    let modulus = issuer.modulus();
    let payload =
        r#"{"iss":"https://issuer.example","aud":"sigstore","sub":"1","iat":1800000000,"exp":1800000600}"#;
    let jwt = Jwt::parse(&issuer.token(payload)).unwrap();
    let expected = Expectation {
        modulus: &modulus,
        issuer: "https://issuer.example",
        audience: "sigstore",
        kind: Kind::Sub,
        time: 1_800_000_010,
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    };
    let checked = check(&jwt, &expected).unwrap();
    let class = Class { size: SizeClass::B768, modulus: ModulusSize::Rsa3072 };
    assert_eq!(checked.class(), class);
    let randomness = LinkingRandomness(Fr::from(3u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let keys = Keys::generate(Statement::Token(class), &mut rng, &mut |_| {}).unwrap();
    let proof = keys.prove(&circuit::assign(class, &instance, &witness), &mut rng).unwrap();
    let verdict = |instance: &Instance| groth16::verify(keys.verifying_key(), instance.digest(), &proof);
    assert_eq!(verdict(&instance), Ok(()));
    // The issuer's other key, of the same length.
    let other = Issuer::generate_sized(ModulusSize::Rsa3072).modulus().digest();
    let refusal = verdict(&Instance { modulus: other, ..instance }).unwrap_err();
    assert_eq!(refusal.reason(), "proof-invalid");
}
