//! Certificates that the authority itself signs again, changed: what of it only SCT, proofs or the signature refuse.

use der::{Decode, Encode};
use p256::ecdsa::SigningKey;
use proptest::prelude::*;
use rand_core::OsRng;
use sigveil_log::sct::{self, SignedCertificateTimestamp};
use sigveil_vrf_identity::label::Mode;
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::key::SubjectKey;
use sigveil_zk_ca::profile::{
    CertificateContent, CertificateView, Precertificate, ProofPair, Proofs, VALIDITY_SECONDS,
};
use sigveil_zk_ca::trust::{Binding, CheckedTrust, ProofTrust};
use sigveil_zk_ca::verify;
use x509_cert::Certificate;

use crate::profile::sample;
use crate::world::World;

pub fn content(view: &CertificateView) -> CertificateContent {
    CertificateContent {
        serial: view.serial(),
        time: view.time(),
        key: view.key().clone(),
        san: *view.san(),
        issuer: view.issuer().to_owned(),
        commitment: *view.commitment(),
        linking_commitment: view.linking_commitment(),
        proofs: view.proofs().clone(),
        sealed_claims: view.sealed_claims().to_vec(),
    }
}

/// The proofs of a content that has them.
fn pair(content: &mut CertificateContent) -> &mut ProofPair {
    let Proofs::Inline(pair) = &mut content.proofs else { panic!("the proofs are deferred") };
    pair
}

/// What the authority would make of this content, with the log's word of `milliseconds`.
pub fn signed(
    world: &World,
    content: &CertificateContent,
    log: &SigningKey,
    milliseconds: u64,
) -> CertificateDer {
    let authority = world.ca.authority();
    let precertificate = Precertificate::create(content, authority).unwrap();
    let entry = precertificate.entry(authority).unwrap();
    let sct = SignedCertificateTimestamp::sign(log, &entry, milliseconds, 7);
    precertificate.finish(&sct, authority).unwrap()
}

fn sct(world: &World, der: &[u8]) -> &'static str {
    let view = CertificateView::parse(der).unwrap();
    let verdict = verify::sct(&view, world.ca.authority().certificate(), world.log.verifying_key());
    verdict.map_or_else(|error| error.reason(), |()| "accepted")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_what_was_written_and_logged_in_time() {
    let (world, good) = sample().await;
    let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
    let content = content(&view);
    let at = |seconds: u64| sct(&world, signed(&world, &content, &world.log, seconds * 1000).as_bytes());
    let time = view.time();
    for (seconds, verdict) in [
        (time - 61, "sct-time"),
        (time - 60, "accepted"),
        (time + VALIDITY_SECONDS, "accepted"),
        (time + VALIDITY_SECONDS + 1, "sct-time"),
    ] {
        assert_eq!(at(seconds), verdict);
    }
    let again = signed(&world, &content, &world.log, view.sct().timestamp);
    assert_eq!(CertificateView::parse(again.as_bytes()).unwrap().facts().serial.0, view.facts().serial.0);
    // The same was signed, each time by a signature of its own.
    let signed_part = |der: &[u8]| Certificate::from_der(der).unwrap().tbs_certificate;
    assert_eq!(signed_part(again.as_bytes()), signed_part(view.der()));

    let entry = Precertificate::create(&content, world.ca.authority()).unwrap();
    let mut other = content.clone();
    other.sealed_claims.pop();
    let timestamp = SignedCertificateTimestamp::sign(
        &world.log,
        &Precertificate::create(&other, world.ca.authority()).unwrap().entry(world.ca.authority()).unwrap(),
        time * 1000,
        7,
    );
    let swapped = entry.finish(&timestamp, world.ca.authority()).unwrap();
    assert_eq!(sct(&world, swapped.as_bytes()), "sct-bad-signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_changed_claim_fails_its_proof() {
    let (world, good) = sample().await;
    let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
    let other = {
        let key = sigveil_zk_ca::key::SigningKeyP256::generate(&mut OsRng);
        let token = world.issuer.token(&world.payload());
        let (_, answer) = world.request(&key, &token, serde_json::Value::Null).await;
        CertificateView::parse(crate::world::leaf(&answer).as_bytes()).unwrap()
    };
    let verdict = |change: &dyn Fn(&mut CertificateContent), trust: &dyn Fn(&mut ProofTrust)| {
        let (mut content, mut trusted) = (content(&view), world.trust.clone());
        change(&mut content);
        trust(&mut trusted);
        let der = signed(&world, &content, &world.log, view.time() * 1000);
        let view = CertificateView::parse(der.as_bytes()).unwrap();
        verify::proofs(view, &CheckedTrust::new(&trusted).unwrap())
            .map_or_else(|error| error.reason(), |_| "accepted")
    };
    let claim = |change: &dyn Fn(&mut CertificateContent)| verdict(change, &|_| {});
    assert_eq!(claim(&|_| {}), "accepted");
    assert_eq!(claim(&|c| c.key = other.key().clone()), "nym-proof-invalid");
    assert_eq!(claim(&|c| c.commitment = *other.commitment()), "nym-proof-invalid");
    assert_eq!(claim(&|c| pair(c).nym = other.pair().unwrap().nym), "nym-proof-invalid");
    assert_eq!(claim(&|c| c.linking_commitment = other.linking_commitment()), "token-proof-invalid");
    assert_eq!(claim(&|c| pair(c).token = other.pair().unwrap().token.clone()), "token-proof-invalid");
    assert_eq!(claim(&|c| c.time -= 1), "token-proof-invalid");
    assert_eq!(claim(&|c| pair(c).token.bound = true), "token-proof-invalid");
    assert_eq!(claim(&|c| pair(c).token.issuer_key.0[0] ^= 1), "issuer-key-untrusted");
    assert_eq!(claim(&|c| pair(c).token.size_class = 1024), "size-class-untrusted");
    let bound = |c: &mut CertificateContent| pair(c).token.bound = true;
    assert_eq!(verdict(&bound, &|t| t.issuers[0].binding = Binding::None), "binding-untrusted");
    let blind = |c: &mut CertificateContent| {
        c.san.mode = Mode::Blind;
        pair(c).token.bound = true;
        c.sealed_claims.clear();
    };
    assert_eq!(verdict(&blind, &|t| t.issuers[0].allowed[0].modes.push(Mode::Blind)), "blind-unsupported");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_encoding_is_not_built() {
    let (world, good) = sample().await;
    let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
    let reason = |change: &dyn Fn(&mut CertificateContent)| {
        let mut content = content(&view);
        change(&mut content);
        let built = Precertificate::create(&content, world.ca.authority());
        built.map_or_else(|error| error.reason(), |_| "built")
    };
    assert_eq!(reason(&|_| {}), "built");
    for change in [
        &(|c: &mut CertificateContent| c.issuer.clear()) as &dyn Fn(&mut CertificateContent),
        &|c| c.issuer = "i".repeat(368),
        &|c| c.time = u64::MAX,
        &|c| c.time = 253_402_300_800,
        &|c| c.sealed_claims = vec![[0; 32]; 33],
    ] {
        assert_eq!(reason(change), "certificate-unencodable");
    }
}

/// A world with one certificate in it, made once for all cases.
fn once() -> &'static (World, Vec<u8>, SubjectKey) {
    static SAMPLE: std::sync::OnceLock<(World, Vec<u8>, SubjectKey)> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (world, good) = tokio::runtime::Runtime::new().unwrap().block_on(sample());
        let authority = Certificate::from_der(world.ca.authority().certificate().as_bytes()).unwrap();
        let key = authority.tbs_certificate.subject_public_key_info.to_der().unwrap();
        (world, good.to_der().unwrap(), SubjectKey::from_der(&key).unwrap())
    })
}

/// Profile, SCT, and the authority's signature, as a verifier checks them.
fn accepted(der: &[u8]) -> bool {
    let (world, _, authority) = once();
    let Ok(view) = CertificateView::parse(der) else { return false };
    let certificate = Certificate::from_der(der).unwrap();
    let signature = certificate.signature.as_bytes().unwrap_or_default();
    verify::sct(&view, world.ca.authority().certificate(), world.log.verifying_key()).is_ok()
        && authority.verify(&certificate.tbs_certificate.to_der().unwrap(), signature).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_changed_byte_is_refused(place in any::<proptest::sample::Index>(), change in 1u8..) {
        let (_, good, _) = once();
        prop_assert!(accepted(good));
        let mut der = good.clone();
        let place = place.index(der.len());
        der[place] ^= change;
        prop_assert!(!accepted(&der));
    }

    #[test]
    fn what_the_log_signed_needs_no_other_signature(place in any::<proptest::sample::Index>(), change in 1u8..) {
        let (world, good, _) = once();
        let mut der = good.clone();
        let place = place.index(der.len());
        der[place] ^= change;
        // A hostile CA's change: it would sign again. Its own signature and the SCT's are all that may differ.
        if let Ok(view) = CertificateView::parse(&der) {
            let issuer = world.ca.authority().certificate();
            if verify::sct(&view, issuer, world.log.verifying_key()).is_ok() {
                prop_assert_eq!(sct::precertificate_tbs(&der).unwrap(), sct::precertificate_tbs(good).unwrap());
            }
        }
    }

    #[test]
    fn bytes_of_any_kind_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(CertificateView::parse(&bytes).is_err());
    }

    #[test]
    fn a_cut_certificate_is_refused(place in any::<proptest::sample::Index>()) {
        let (_, good, _) = once();
        prop_assert!(CertificateView::parse(&good[..place.index(good.len())]).is_err());
    }
}
