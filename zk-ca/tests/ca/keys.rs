//! Subject keys of every accepted type, made and used by another implementation; and those that are refused.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_circuits::testing::Issuer;
use sigveil_zk_ca::key::{SigningKeyP256, SubjectKey};
use sigveil_zk_ca::profile::CertificateView;
use sigveil_zk_ca::verify;

use crate::world::{EMAIL, World, leaf};

fn spki(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().unwrap().as_ref().to_vec()
}

async fn ask(world: &World, spki: &[u8], signature: &[u8]) -> (u16, Value) {
    let pem = der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, spki).unwrap();
    let body = json!({
        "credentials": { "oidcIdentityToken": world.issuer.token(&world.payload()) },
        "publicKeyRequest": {
            "publicKey": { "content": pem },
            "proofOfPossession": BASE64_STANDARD.encode(signature),
        },
    });
    world.post("/api/v2/signingCert", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn p384_and_ed25519_are_certified() {
    let world = World::start().await;
    let random = SystemRandom::new();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let challenge = EMAIL.as_bytes();
    let cases = [
        (spki(p384.public_key()), p384.sign(&random, challenge).unwrap().as_ref().to_vec()),
        (spki(ed25519.public_key()), ed25519.sign(challenge).as_ref().to_vec()),
    ];
    for (spki, signature) in cases {
        let (status, answer) = ask(&world, &spki, &signature).await;
        assert_eq!(status, 200, "{answer}");
        let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
        assert_eq!(view.key().der(), spki);
        view.key().verify(challenge, &signature).unwrap();
        verify::proofs(view, world.ca.trust()).unwrap();
        let mut wrong = signature.clone();
        wrong[10] ^= 1;
        assert_eq!(ask(&world, &spki, &wrong).await.1["reason"], "proof-of-possession-invalid");
    }
}

#[test]
fn other_keys_and_spellings_are_refused() {
    let reason = |der: &[u8]| SubjectKey::from_der(der).map_or_else(|error| error.reason(), |_| "accepted");
    let good = SigningKeyP256::generate(&mut OsRng).public_key().der().to_vec();
    assert_eq!(reason(&good), "accepted");
    let mut off_curve = good.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    assert_eq!(reason(&off_curve), "public-key-malformed");
    assert_eq!(reason(&[&good[..], &[0]].concat()), "public-key-malformed");
    assert_eq!(reason(&good[..good.len() - 1]), "public-key-malformed");
    assert_eq!(reason(b""), "public-key-malformed");
    // The point compressed: 33 bytes in place of 65.
    let prefix = good.len() - 65;
    let parity = 2 + (good[good.len() - 1] & 1);
    let mut compressed = [&good[..prefix], &[parity], &good[prefix + 1..prefix + 33]].concat();
    compressed[1] -= 32;
    compressed[prefix - 2] -= 32;
    assert_eq!(reason(&compressed), "public-key-malformed");
    let koblitz = EcdsaKeyPair::generate(&ECDSA_P256K1_SHA256_ASN1_SIGNING).unwrap();
    assert_eq!(reason(&spki(koblitz.public_key())), "public-key-unsupported");
    let rsa = spki::SubjectPublicKeyInfoOwned {
        algorithm: spki::AlgorithmIdentifierOwned {
            oid: const_oid::db::rfc5912::RSA_ENCRYPTION,
            parameters: Some(der::asn1::Any::null()),
        },
        subject_public_key: der::asn1::BitString::from_bytes(Issuer::generate().modulus().as_bytes())
            .unwrap(),
    };
    assert_eq!(reason(&der::Encode::to_der(&rsa).unwrap()), "public-key-unsupported");
    let pem = |label: &str| der::pem::encode_string(label, der::pem::LineEnding::LF, &good).unwrap();
    assert!(SubjectKey::from_pem(&pem("PUBLIC KEY")).is_ok());
    assert_eq!(SubjectKey::from_pem(&pem("CERTIFICATE")).unwrap_err().reason(), "public-key-malformed");
    assert_eq!(SigningKeyP256::from_pem(&pem("PRIVATE KEY")).err().unwrap().reason(), "public-key-malformed");
}
