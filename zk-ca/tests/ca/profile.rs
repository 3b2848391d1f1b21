//! The strict reader: one change to a good certificate, one reason.

use der::asn1::{BitString, OctetString};
use der::{Decode, Encode};
use rand_core::OsRng;
use serde_json::Value;
use sigveil_circuits::token::Modulus;
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::oid;
use sigveil_zk_ca::profile::{CertificateView, IssuerKeyId};
use sigveil_zk_ca::trust::{CheckedTrust, ProofTrust};
use sigveil_zk_ca::verify;
use x509_cert::Certificate;
use x509_cert::ext::Extension;

use crate::world::{NOW, World, leaf};

pub async fn sample() -> (World, Certificate) {
    let world = World::start().await;
    let key = SigningKeyP256::generate(&mut OsRng);
    let token = world.issuer.token(&world.payload());
    let (_, answer) = world.request(&key, &token, Value::Null).await;
    let certificate = Certificate::from_der(leaf(&answer).as_bytes()).unwrap();
    (world, certificate)
}

pub fn extension(certificate: &mut Certificate, id: der::asn1::ObjectIdentifier) -> &mut Extension {
    let extensions = certificate.tbs_certificate.extensions.as_mut().unwrap();
    extensions.iter_mut().find(|extension| extension.extn_id == id).unwrap()
}

pub fn reason(certificate: &Certificate) -> &'static str {
    CertificateView::parse(&certificate.to_der().unwrap()).map_or_else(|error| error.reason(), |_| "accepted")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_refused_by_its_own_check() {
    let (_, good) = sample().await;
    assert_eq!(reason(&good), "accepted");
    let changed = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = good.clone();
        change(&mut certificate);
        reason(&certificate)
    };
    let value = |id, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        changed(&|certificate| {
            let extension = extension(certificate, id);
            extension.extn_value =
                OctetString::new(change(extension.extn_value.as_bytes().to_vec())).unwrap();
        })
    };
    let last_flipped = |mut bytes: Vec<u8>| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    let off_curve = |mut bytes: Vec<u8>| {
        let end = bytes.len();
        bytes[end - 32..].fill(0xff);
        bytes
    };
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        bytes
    };
    assert_eq!(changed(&|c| c.tbs_certificate.version = x509_cert::Version::V2), "certificate-version");
    assert_eq!(
        changed(&|c| c.tbs_certificate.subject = c.tbs_certificate.issuer.clone()),
        "certificate-subject"
    );
    assert_eq!(
        changed(&|c| c.tbs_certificate.validity.not_after = c.tbs_certificate.validity.not_before),
        "certificate-validity-span"
    );
    assert_eq!(
        changed(&|c| c.tbs_certificate.subject_unique_id = Some(BitString::from_bytes(&[1]).unwrap())),
        "certificate-unique-identifier"
    );
    assert_eq!(changed(&|c| c.signature_algorithm.oid = oid::SUITE), "certificate-signature-algorithm");
    for id in [
        oid::SUITE,
        oid::COMMITMENT,
        oid::LINKING_COMMITMENT,
        oid::TOKEN_PROOF,
        oid::NYM_PROOF,
        oid::SEALED_CLAIMS,
        oid::SCT_LIST,
        oid::FULCIO_ISSUER,
        oid::FULCIO_ISSUER_RAW,
    ] {
        let without = |c: &mut Certificate| {
            c.tbs_certificate.extensions.as_mut().unwrap().retain(|extension| extension.extn_id != id);
        };
        assert_eq!(changed(&without), "certificate-extension-missing");
        let twice = |c: &mut Certificate| {
            let copy = extension(c, id).clone();
            c.tbs_certificate.extensions.as_mut().unwrap().push(copy);
        };
        assert_eq!(changed(&twice), "certificate-extension-duplicate");
        assert_eq!(changed(&|c| extension(c, id).critical = true), "certificate-extension-criticality");
    }
    assert_eq!(
        changed(&|c| extension(c, oid::SUITE).extn_id = oid::TIMESTAMP_POLICY),
        "certificate-extension-unknown"
    );
    assert_eq!(value(oid::SUITE, &last_flipped), "certificate-suite-unsupported");
    assert_eq!(value(oid::SUITE, &cut), "certificate-suite-malformed");
    assert_eq!(value(oid::COMMITMENT, &cut), "commitment-malformed");
    assert_eq!(
        value(oid::LINKING_COMMITMENT, &|_| [&[4, 32][..], &[0xff; 32]].concat()),
        "linking-commitment-malformed"
    );
    assert_eq!(value(oid::TOKEN_PROOF, &cut), "token-evidence-malformed");
    assert_eq!(value(oid::TOKEN_PROOF, &off_curve), "token-proof-malformed");
    assert_eq!(value(oid::NYM_PROOF, &off_curve), "nym-proof-malformed");
    assert_eq!(value(oid::SEALED_CLAIMS, &cut), "sealed-claims-malformed");
    assert_eq!(value(oid::SCT_LIST, &cut), "sct-malformed");
    assert_eq!(value(oid::FULCIO_ISSUER_RAW, &last_flipped), "certificate-issuer-mismatch");
    assert_eq!(value(oid::FULCIO_ISSUER, &cut), "certificate-issuer-malformed");
    let mut trailing = good.to_der().unwrap();
    trailing.push(0);
    assert_eq!(CertificateView::parse(&trailing).unwrap_err().reason(), "certificate-malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_trust_is_refused_by_its_own_check() {
    let (world, good) = sample().await;
    let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
    let verdict = |change: &dyn Fn(&mut ProofTrust)| {
        let mut trust = world.trust.clone();
        change(&mut trust);
        let trust = CheckedTrust::new(&trust).unwrap();
        verify::proofs(view.clone(), &trust).map_or_else(|error| error.reason(), |_| "accepted")
    };
    assert_eq!(verdict(&|_| {}), "accepted");
    assert_eq!(verdict(&|t| t.issuers.clear()), "issuer-untrusted");
    assert_eq!(verdict(&|t| t.issuers[0].keys.clear()), "issuer-key-untrusted");
    assert_eq!(verdict(&|t| t.issuers[0].keys[0].valid_for.start = NOW), "issuer-key-untrusted");
    assert_eq!(verdict(&|t| t.issuers[0].allowed[0].profiles.clear()), "profile-not-allowed");
    assert_eq!(verdict(&|t| t.issuers[0].allowed[0].valid_for.end = Some(NOW - 5)), "profile-not-allowed");
    assert_eq!(verdict(&|t| t.issuers[0].audience = "another".into()), "token-proof-invalid");
    assert_eq!(verdict(&|t| t.vrf[0].valid_for.start = NOW), "vrf-key-missing");
    assert_eq!(verdict(&|t| t.vrf[0].slots = 299), "nym-proof-invalid");
    assert_eq!(verdict(&|t| t.circuits.token[0].size_class = 1024), "size-class-untrusted");
    assert_eq!(verdict(&|t| t.circuits.token[0].modulus_bits = 4096), "size-class-untrusted");
    let other_log = p256::ecdsa::SigningKey::random(&mut OsRng);
    let issuer = world.ca.authority().certificate();
    let refused = verify::sct(&view, issuer, other_log.verifying_key()).unwrap_err();
    assert_eq!(refused.reason(), "sct-other-log");
    let json = serde_json::to_string(&world.trust).unwrap();
    assert_eq!(serde_json::from_str::<ProofTrust>(&json).unwrap(), world.trust);
}

/// A longer modulus with a shorter header, in all the same bytes.
#[test]
fn names_of_keys_tell_where_the_modulus_ends() {
    let bytes = [0xff; 384];
    let modulus = |length: usize| Modulus::new(&bytes[..length], &[1, 0, 1]).unwrap();
    let header = [&bytes[256..], b"{}"].concat();
    assert_ne!(IssuerKeyId::new(&modulus(256), &header), IssuerKeyId::new(&modulus(384), b"{}"));
}
