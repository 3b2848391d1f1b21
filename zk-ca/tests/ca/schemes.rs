//! Schemes beside zk, and proofs that come later: what they issue, what of it is refused, and that nothing of it passes for
//! a certificate whose proofs verify.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use der::{Decode, Encode};
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_circuits::token::SizeClass;
use sigveil_log::engine::{Config, Log};
use sigveil_log::note::NoteSigner;
use sigveil_vrf_identity::curve::Point;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, San, Scope};
use sigveil_vrf_identity::vrf::{Evaluation, Proof, PublicKey};
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::oid;
use sigveil_zk_ca::profile::{CertificateView, InstanceDigest, Proofs};
use sigveil_zk_ca::receipt::{LoggedReceipt, Receipt};
use sigveil_zk_ca::scheme::Scheme;
use sigveil_zk_ca::service::issue::{Deferral, Issuance};
use sigveil_zk_ca::service::prover::ProverPool;
use sigveil_zk_ca::trust::{Base64Bytes, CheckedTrust, CircuitTrust};
use sigveil_zk_ca::verify;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::profile::{extension, reason};
use crate::world::{EMAIL, Gate, NOW, Plan, World, leaf};

fn key() -> SigningKeyP256 {
    SigningKeyP256::generate(&mut OsRng)
}

fn log(folder: &std::path::Path) -> Log {
    let signer = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[9; 32])).unwrap();
    Log::open(Config::new(folder, signer, Arc::new(|| NOW * 1000))).unwrap()
}

/// A world whose proofs are deferred unless a request says otherwise; they wait for the gate, and two may be owed.
async fn deferring(folder: &std::path::Path) -> (World, Arc<Gate>, Log) {
    let (gate, log) = (Arc::<Gate>::default(), log(folder));
    let mut plan = Plan::gated(Arc::clone(&gate), SizeClass::B768);
    let Issuance::Proven(proving) = &mut plan.issuance else { panic!("it proves") };
    let pool = ProverPool::new(1, 1);
    proving.deferral = Some(Deferral { log: log.clone(), pool, preferred: true });
    (World::build(plan).await, gate, log)
}

async fn without_proofs(issuance: Issuance) -> World {
    let circuits = CircuitTrust { token: Vec::new(), nym: Base64Bytes(Vec::new()), development: false };
    World::build(Plan { issuance, circuits, ..Plan::simple() }).await
}

fn name(certificate: &Certificate) -> GeneralName {
    let value = extension(&mut certificate.clone(), const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME).clone();
    let [name] = SubjectAltName::from_der(value.extn_value.as_bytes()).unwrap().0.try_into().unwrap();
    name
}

async fn issued(world: &World) -> Certificate {
    let token = world.issuer.token(&world.payload());
    let (status, answer) = world.request(&key(), &token, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    Certificate::from_der(leaf(&answer).as_bytes()).unwrap()
}

async fn receipt(world: &World, certificate: [u8; 32]) -> (u16, Value) {
    let url = format!("{}/api/sigveil/v1/receipts/{}", world.url, hex::encode(certificate));
    let answer = world.client.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_clear_names_the_address_and_is_no_proven_one() {
    let world = without_proofs(Issuance::Clear).await;
    let certificate = issued(&world).await;
    let GeneralName::Rfc822Name(address) = name(&certificate) else { panic!("no address") };
    assert_eq!(address.as_str(), EMAIL);
    assert!(matches!(reason(&certificate), "certificate-san-type" | "certificate-extension-missing"));
    assert_eq!(Issuance::Clear.scheme(), Scheme::Clear);
    let token = world.issuer.token(&world.payload());
    let (_, answer) = world.request(&key(), &token, json!({"proofs": "inline"})).await;
    assert_eq!(answer["reason"], "proofs-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_addresses_are_certified_in_clear() {
    let plan = Plan { issuance: Issuance::Clear, ..Plan::simple() };
    let world = World::build_for(plan, Kind::Sub).await;
    let token = world.issuer.token(&world.payload());
    let (status, answer) = world.request(&key(), &token, Value::Null).await;
    assert_eq!((status, answer["reason"].as_str()), (400, Some("clear-identity-kind")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashed_certificate_has_the_label_that_a_proven_one_has_and_is_none() {
    let world = without_proofs(Issuance::Hashed).await;
    let [one, two] = [issued(&world).await, issued(&world).await];
    let GeneralName::UniformResourceIdentifier(uri) = name(&one) else { panic!("no URI") };
    assert_eq!(name(&one), name(&two));
    assert!(!String::from_utf8_lossy(&one.to_der().unwrap()).contains(EMAIL));
    assert_eq!(reason(&one), "certificate-extension-missing");
    // The label is the one that the address's owner watches.
    let login = json!({ "credentials": { "oidcIdentityToken": world.issuer.token(&world.payload()) } });
    let (_, keys) = world.post("/api/sigveil/v1/identity", &login).await;
    let bytes = |name: &str| BASE64_STANDARD.decode(keys[name].as_str().unwrap()).unwrap();
    let gamma = Point::from_bytes(&bytes("gamma")).unwrap();
    let evaluation = Evaluation { gamma, proof: Proof::from_bytes(&bytes("proof")).unwrap() };
    let identity = Identity::new(&world.iss, Kind::Email, EMAIL).unwrap();
    let vrf_key = PublicKey::from_bytes(&bytes("vrfPublicKey")).unwrap();
    let output = evaluation.verify(&vrf_key, Mode::Open, &identity.idf()).unwrap();
    assert!(
        uri.as_str().parse::<San>().unwrap().label == Label::derive(&output.monitoring_key, Scope::Stable)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_certificate_is_issued_before_its_proofs_and_holds_with_its_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let (world, gate, log) = deferring(folder.path()).await;
    let certificate = issued(&world).await;
    let view = CertificateView::parse(&certificate.to_der().unwrap()).unwrap();
    let Proofs::Deferred(promised) = *view.proofs() else { panic!("it carries proofs") };
    let trust = world.ca.trust();
    assert_eq!(verify::proofs(view.clone(), trust).unwrap_err().reason(), "proof-pending");
    assert_eq!(receipt(&world, view.digest()).await.1["reason"], "proof-pending");
    assert_eq!(receipt(&world, [0; 32]).await.1["reason"], "receipt-unknown");

    // A second may be owed, and a third is refused before it is issued; one with its proofs is not.
    issued(&world).await;
    let token = world.issuer.token(&world.payload());
    let (status, answer) = world.request(&key(), &token, Value::Null).await;
    assert_eq!((status, answer["reason"].as_str()), (503, Some("proving-queue-full")));
    gate.open();
    world.ca.settle().await;
    let (status, answer) = world.request(&key(), &token, json!({"proofs": "inline"})).await;
    assert_eq!(status, 200, "{answer}");
    assert!(CertificateView::parse(leaf(&answer).as_bytes()).unwrap().pair().is_some());

    let logged = loop {
        let (status, answer) = receipt(&world, view.digest()).await;
        if status == 200 {
            break serde_json::from_value::<LoggedReceipt>(answer).unwrap();
        }
        assert_eq!(answer["reason"], "proof-pending");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let (opened, checkpoint) = logged.open(log.key(), &[]).unwrap();
    assert!(checkpoint.checkpoint().size > logged.log_index);
    assert_eq!((opened.certificate, opened.instance), (view.digest(), promised));
    verify::receipt(view.clone(), &opened, trust).unwrap();

    // Each check of the receipt, alone.
    let verdict = |change: &dyn Fn(&mut Receipt)| {
        let mut changed = opened.clone();
        change(&mut changed);
        verify::receipt(view.clone(), &changed, trust).map_or_else(|error| error.reason(), |_| "accepted")
    };
    assert_eq!(verdict(&|_| {}), "accepted");
    assert_eq!(verdict(&|r| r.certificate[0] ^= 1), "receipt-other-certificate");
    assert_eq!(verdict(&|r| r.instance.0[0] ^= 1), "receipt-other-instance");
    assert_eq!(verdict(&|r| r.proofs.token.issuer_key.0[0] ^= 1), "issuer-key-untrusted");
    // Bound evidence is about another statement than the one that was promised.
    assert_eq!(verdict(&|r| r.proofs.token.bound = true), "instance-mismatch");
    assert_eq!(verdict(&|r| r.proofs.token.proof = r.proofs.nym), "token-proof-invalid");
    assert_eq!(verdict(&|r| r.proofs.nym = r.proofs.token.proof), "nym-proof-invalid");
    let mut other = world.trust.clone();
    other.issuers[0].audience = "another".into();
    let other = CheckedTrust::new(&other).unwrap();
    assert_eq!(verify::receipt(view, &opened, &other).unwrap_err().reason(), "instance-mismatch");
    let inline = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert_eq!(verify::receipt(inline, &opened, trust).unwrap_err().reason(), "receipt-unexpected");

    // And what shows that the log has it.
    let refused = |change: &dyn Fn(&mut LoggedReceipt)| {
        let mut changed = logged.clone();
        change(&mut changed);
        changed.open(log.key(), &[]).map_or_else(|error| error.reason(), |_| "opened")
    };
    assert_eq!(refused(&|_| {}), "opened");
    assert_eq!(refused(&|l| l.log_index += 1), "receipt-not-in-log");
    assert_eq!(refused(&|l| l.body.0[0] ^= 1), "receipt-not-in-log");
    let stranger = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[8; 32])).unwrap();
    assert!(logged.open(stranger.public(), &[]).is_err());
}

#[test]
fn a_receipt_is_an_entry_of_its_kind_in_one_spelling() {
    use sigveil_log::entry::Entry;
    let body = br#"{"apiVersion":"0.0.1","kind":"proof-receipt","spec":{"proofReceipt":{}}}"#;
    assert_eq!(Receipt::parse(body).unwrap_err().reason(), "entry-malformed");
    let entry = |token_proof: Vec<u8>, nym_proof: Vec<u8>| {
        let hash = sigveil_log::hash::Hash([1; 32]);
        let entry =
            sigveil_log::entry::ProofReceipt { certificate: hash, instance: hash, token_proof, nym_proof };
        Receipt::parse(&Entry::ProofReceipt(entry).body()).unwrap_err().reason()
    };
    assert_eq!(entry(vec![], vec![0; 128]), "receipt-malformed");
    assert_eq!(entry(vec![0x30, 0], vec![0; 127]), "receipt-malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_has_proofs_or_the_promise_of_them_and_never_both() {
    let folder = tempfile::tempdir().unwrap();
    let (world, gate, _log) = deferring(folder.path()).await;
    gate.open();
    let certificate = issued(&world).await;
    assert_eq!(reason(&certificate), "accepted");
    let changed = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = certificate.clone();
        change(&mut certificate);
        reason(&certificate)
    };
    let both = |certificate: &mut Certificate| {
        let mut copy = extension(certificate, oid::COMMITMENT).clone();
        copy.extn_id = oid::NYM_PROOF;
        certificate.tbs_certificate.extensions.as_mut().unwrap().push(copy);
    };
    assert_eq!(changed(&both), "certificate-proofs-twofold");
    let neither = |certificate: &mut Certificate| {
        certificate
            .tbs_certificate
            .extensions
            .as_mut()
            .unwrap()
            .retain(|e| e.extn_id != oid::DEFERRED_INSTANCE);
    };
    assert_eq!(changed(&neither), "certificate-extension-missing");
    let short = |certificate: &mut Certificate| {
        extension(certificate, oid::DEFERRED_INSTANCE).extn_value =
            der::asn1::OctetString::new([4, 1, 0]).unwrap();
    };
    assert_eq!(changed(&short), "deferred-instance-malformed");
    world.ca.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_certificate_never_defers_its_proofs() {
    let (world, good) = crate::profile::sample().await;
    let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
    let mut content = crate::verdict::content(&view);
    content.san.mode = Mode::Blind;
    content.sealed_claims.clear();
    content.proofs = Proofs::Deferred(InstanceDigest([1; 32]));
    let der = crate::verdict::signed(&world, &content, &world.log, view.time() * 1000);
    assert_eq!(CertificateView::parse(der.as_bytes()).unwrap_err().reason(), "blind-deferred");
}
