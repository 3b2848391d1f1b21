//! Which keys verify an entry's signature.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as keys;
use aws_lc_rs::signature::KeyPair as _;
use sigveil_log::entry::{KeyDetails, Signature, Verifier};

const MESSAGE: &[u8] = b"artifact";

fn digest(details: KeyDetails) -> Vec<u8> {
    let algorithm = match details {
        KeyDetails::EcdsaP384Sha384 => &aws_lc_rs::digest::SHA384,
        _ => &aws_lc_rs::digest::SHA256,
    };
    aws_lc_rs::digest::digest(algorithm, MESSAGE).as_ref().to_vec()
}

fn refused(mut signature: Signature, other: KeyDetails) {
    let digest = digest(signature.key_details);
    signature.verify(&digest).unwrap();
    let mut changed = digest.clone();
    changed[0] ^= 1;
    assert_eq!(signature.verify(&changed).unwrap_err().reason(), "entry-bad-signature");
    signature.key_details = other;
    assert_eq!(signature.verify(&self::digest(other)).unwrap_err().reason(), "entry-key-mismatch");
}

#[test]
fn rsa_keys_verify_at_their_stated_size_only() {
    let sizes = [
        (KeySize::Rsa2048, KeyDetails::RsaPkcs1v15Sha256Bits2048, KeyDetails::RsaPkcs1v15Sha256Bits3072),
        (KeySize::Rsa3072, KeyDetails::RsaPkcs1v15Sha256Bits3072, KeyDetails::RsaPkcs1v15Sha256Bits4096),
        (KeySize::Rsa4096, KeyDetails::RsaPkcs1v15Sha256Bits4096, KeyDetails::RsaPkcs1v15Sha256Bits2048),
    ];
    for (size, key_details, other) in sizes {
        let key = keys::RsaKeyPair::generate(size).unwrap();
        let mut content = vec![0; key.public_modulus_len()];
        key.sign(&keys::RSA_PKCS1_SHA256, &SystemRandom::new(), MESSAGE, &mut content).unwrap();
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let verifier = Verifier::PublicKey(spki.as_ref().to_vec());
        refused(Signature { content, key_details, verifier }, other);
    }
}

#[test]
fn p384_keys_verify_over_sha384() {
    let key = keys::EcdsaKeyPair::generate(&keys::ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
    let content = key.sign(&SystemRandom::new(), MESSAGE).unwrap().as_ref().to_vec();
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let verifier = Verifier::PublicKey(spki.as_ref().to_vec());
    let key_details = KeyDetails::EcdsaP384Sha384;
    refused(Signature { content, key_details, verifier }, KeyDetails::EcdsaP256Sha256);
}

/// Of SHA-224, which is checked by other code than the rest, on each curve that has it.
#[test]
fn a_ca_key_is_told_by_ecdsa_with_sha224() {
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    use sha2::{Digest as _, Sha224};
    use sigveil_log::ca_key::CaKey;
    use spki::EncodePublicKey as _;

    let digest = Sha224::digest(b"signed");
    let small = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let large = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let of_small: p256::ecdsa::DerSignature = small.sign_prehash(&digest).unwrap();
    let of_large: p384::ecdsa::DerSignature = large.sign_prehash(&digest).unwrap();
    let keys = [small.verifying_key().to_public_key_der(), large.verifying_key().to_public_key_der()];
    let keys = keys.map(|spki| CaKey::from_spki(spki.unwrap().as_bytes()).unwrap());
    for (at, signature) in [of_small.as_bytes(), of_large.as_bytes()].into_iter().enumerate() {
        assert!(keys[at].signed(b"signed", signature), "{at}");
        assert!(
            !keys[at].signed(b"another", signature) && !keys[1 - at].signed(b"signed", signature),
            "{at}"
        );
    }
}
