//! Issuance with the circuits themselves: what the stand-in prover of the other tests stands for.

use std::path::Path;

use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_circuits::keys::{KeyStore, Statement};
use sigveil_circuits::token::{Class, SizeClass};
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::profile::CertificateView;
use sigveil_zk_ca::service::local_prover::LocalProver;
use sigveil_zk_ca::trust::{CheckedTrust, ProofTrust};
use sigveil_zk_ca::verify;

use crate::world::{Plan, World, leaf, proven};

/// Keys of the smallest class, made by the first run and kept below target/.
fn prover() -> LocalProver {
    let folder = std::env::var_os("SIGVEIL_CACHE_DIR");
    let folder = folder.map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"), Into::into);
    let store = KeyStore::new(folder);
    let keys = |statement| store.load_or_create(statement, &mut OsRng, &mut |_| {}).unwrap();
    let class = Class::rsa2048(SizeClass::B768);
    LocalProver::new(keys(Statement::Nym), [(class, keys(Statement::Token(class)))])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_carries_proofs_of_the_circuits_that_verify() {
    let prover = prover();
    let plan = Plan { circuits: prover.trust(), issuance: proven(prover), ..Plan::simple() };
    let world = World::build(plan).await;
    let key = SigningKeyP256::generate(&mut OsRng);
    let token = world.issuer.token(&world.payload());
    let (status, answer) = world.request(&key, &token, json!({ "profile": "unlinkable" })).await;
    assert_eq!(status, 200, "{answer}");
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert_eq!(view.pair().unwrap().token.size_class, 768);
    verify::proofs(view, world.ca.trust()).unwrap();
    // Under other circuits' keys the same certificate does not verify.
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    let trust = ProofTrust { circuits: Plan::simple().circuits, ..world.trust.clone() };
    let trust = CheckedTrust::new(&trust).unwrap();
    assert_eq!(verify::proofs(view, &trust).map(drop).unwrap_err().reason(), "token-proof-invalid");

    // A token beyond the classes that the CA has keys of is refused before anything is proven.
    let larger = world.payload().replacen("u1", &"u".repeat(400), 1);
    let (status, answer) = world.request(&key, &world.issuer.token(&larger), Value::Null).await;
    assert_eq!((status, answer["reason"].as_str()), (503, Some("proving-key-missing")));
}
