//! Instances of the schemes beside zk, and proofs that follow their certificate: stock clients sign and verify with each, and
//! what proves nothing passes for nothing more.

use std::path::{Path, PathBuf};
use std::process::Command;

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::OsRng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sigveil::service::client::{Client, Wish};
use sigveil::service::config::ProofTiming;
use sigveil::service::sign::services;
use sigveil::stock::{Bundle, Parts};
use sigveil::trust::Scheme;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::note::{NoteSigner, SignedNote};

use crate::service::{Served, demo_classes};
use crate::stock_clients::{available, sigstore_python};
use crate::support::{demo, run_json, scratch};

const EMAIL: &str = "erin@example.com";

/// An instance with everything embedded, of this scheme; with a delay its proofs are deferred.
fn instance(scheme: Scheme, delay: u64) -> Served {
    Served::embedded("schemes", |config| {
        (config.scheme, config.deferral_delay_seconds) = (scheme, delay);
        if delay > 0 {
            config.proofs = ProofTiming::Deferred;
        }
        if scheme == Scheme::Zk {
            config.size_classes = demo_classes();
        }
    })
}

/// Signs as a stock client would, which takes whatever certificate it gets; the bundle goes beside the file.
fn signed(served: &Served) -> PathBuf {
    let file = served.dir.join("file");
    std::fs::write(&file, b"a file").unwrap();
    let services = services(&std::fs::read_to_string(served.path("trust_config.json")).unwrap()).unwrap();
    let (client, key) = (Client::new().unwrap(), SigningKey::random(&mut OsRng));
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    let possession: DerSignature = key.sign(EMAIL.as_bytes());
    let token = served.token(EMAIL);
    let chain = client.certificate(&services.ca, &token, &pem, possession.as_bytes(), &Wish::default());
    let certificate = chain.unwrap().remove(0);
    let digest: [u8; 32] = Sha256::digest(b"a file").into();
    let signature: DerSignature = key.sign_prehash(&digest).unwrap();
    let signature = signature.as_bytes().to_vec();
    let timestamp = client.timestamp(&services.tsa, Sha256::digest(&signature).into(), 7).unwrap();
    let log_entry = client.submit(&services.rekor, digest, &signature, &certificate).unwrap();
    let parts = Parts { certificate, log_entry, timestamp, digest, signature };
    let (_, json) = Bundle::build(&parts).unwrap();
    std::fs::write(format!("{}.sigstore.json", file.display()), json).unwrap();
    file
}

/// `verify` by any identity, with these demands.
fn verify(served: &Served, file: &Path, extra: &[&str]) -> (i32, Value) {
    let file = file.to_str().unwrap();
    let (bundle, root) = (format!("{file}.sigstore.json"), served.path("trusted_root.json"));
    let stock = ["verify", file, "--bundle", &bundle, "--trusted-root", &root];
    run_json([&stock[..], &["--identity-regexp", ".", "--issuer-regexp", "."], extra].concat())
}

fn refused(served: &Served, file: &Path, extra: &[&str]) -> String {
    let (status, answer) = verify(served, file, extra);
    assert_eq!(status, 1, "{answer}");
    answer["reason"].as_str().unwrap().to_owned()
}

fn change_trust(served: &Served, change: impl FnOnce(&mut Value)) {
    let mut section = served.json("trusted_root.sigveil.json");
    change(&mut section);
    std::fs::write(served.path("trusted_root.sigveil.json"), section.to_string()).unwrap();
}

fn stock_client_signs_and_verifies(served: &Served, san: &str) {
    if !available("python3") {
        return;
    }
    let file = served.dir.join("stock");
    std::fs::write(&file, b"another file").unwrap();
    let (config, bundle) = (served.path("trust_config.json"), served.path("stock.bundle"));
    let (token, issuer) = (served.token(EMAIL), served.url("issuer"));
    let sigstore = |arguments: &[&str]| {
        let mut command = Command::new(sigstore_python());
        let output = command.args(["--trust-config", &config]).args(arguments).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    sigstore(&["sign", "--identity-token", &token, "--bundle", &bundle]);
    let whom = ["--cert-identity", san, "--cert-oidc-issuer", &issuer];
    sigstore(&[&["verify", "identity", "--bundle", &bundle][..], &whom].concat());
}

#[test]
fn what_is_signed_in_clear_or_hashed_is_never_taken_for_proven() {
    let clear = instance(Scheme::Clear, 0);
    let file = signed(&clear);
    stock_client_signs_and_verifies(&clear, EMAIL);
    // Ours takes no name but a URI, whatever is demanded.
    assert_eq!(refused(&clear, &file, &[]), "certificate-subject");
    assert_eq!(refused(&clear, &file, &["--require", "proof"]), "certificate-subject");

    let hashed = instance(Scheme::Hashed, 0);
    let file = signed(&hashed);
    let (status, answer) = verify(&hashed, &file, &[]);
    assert_eq!(status, 0, "{answer}");
    let san = answer["san"].as_str().unwrap();
    assert!(san.starts_with("urn:sigveil:open:stable:"), "{san}");
    stock_client_signs_and_verifies(&hashed, san);
    assert_eq!(refused(&hashed, &file, &["--require", "proof"]), "certificate-unproven");
    // Even under a trust root that says the authority proves.
    change_trust(&hashed, |section| section["certificateAuthorityKeys"][0]["scheme"] = json!("zk"));
    assert_eq!(refused(&hashed, &file, &["--require", "proof"]), "certificate-extension-missing");
}

#[test]
fn a_proven_certificate_of_an_authority_that_proves_nothing_is_refused() {
    // Of the demo, whose proofs verify, under a trust root that says hashed of its authority.
    let folder = tempfile::tempdir_in(scratch("schemes")).unwrap();
    crate::support::copy(&demo().dir, folder.path());
    let path = folder.path().join("trusted_root.sigveil.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut section: Value = serde_json::from_str(&text).unwrap();
    section["certificateAuthorityKeys"][0]["scheme"] = json!("hashed");
    std::fs::write(&path, section.to_string()).unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (status, answer) = run_json([
        "verify",
        &file("artifact"),
        "--bundle",
        &file("artifact.sigstore.json"),
        "--trusted-root",
        &file("trusted_root.json"),
        "--identity-regexp",
        ".",
        "--issuer-regexp",
        ".",
        "--require",
        "proof",
    ]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("certificate-unproven")));
}

#[test]
fn deferred_proofs_follow_in_the_log_and_are_demanded_there() {
    let served = instance(Scheme::Zk, 3_600);
    let file = served.dir.join("release");
    std::fs::write(&file, b"a release").unwrap();
    let (name, config) = (file.to_str().unwrap(), served.path("trust_config.json"));
    let (status, answer) =
        run_json(["sign", name, "--trust-config", &config, "--email", EMAIL, "--disclose"]);
    assert_eq!(status, 0, "{answer}");
    let beside = format!("{name}.sigveil.json");
    let proof = ["--require", "proof,search,witness=1", "--sigveil", &beside];
    let disclosure = format!("{name}.disclosure.json");
    let disclosed = ["--disclosure", &disclosure, "--claim-value", EMAIL];
    let (status, answer) = verify(&served, &file, &[&proof[..], &disclosed].concat());
    assert_eq!(status, 0, "{answer}");
    let san = answer["san"].as_str().unwrap();
    stock_client_signs_and_verifies(&served, san);

    // Without its receipt, or with another's, it is the authority's word only.
    assert_eq!(refused(&served, &file, &["--require", "proof"]), "proof-pending");
    assert_eq!(verify(&served, &file, &[]).0, 0);
    let whole = std::fs::read_to_string(&beside).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut companion: Value = serde_json::from_str(&whole).unwrap();
        change(&mut companion);
        std::fs::write(&beside, companion.to_string()).unwrap();
        refused(&served, &file, &proof)
    };
    let without = |companion: &mut Value| drop(companion.as_object_mut().unwrap().remove("receipt"));
    assert_eq!(with(&without), "proof-pending");
    let moved = |companion: &mut Value| companion["receipt"]["logIndex"] = json!(0);
    assert_eq!(with(&moved), "receipt-not-in-log");
    let unwitnessed = |companion: &mut Value| resign(&served, &mut companion["receipt"], None);
    assert_eq!(with(&unwitnessed), "witnesses-too-few");
    let time = answer["time"].as_u64().unwrap();
    let late = |companion: &mut Value| resign(&served, &mut companion["receipt"], Some(time + 600 + 3_601));
    assert_eq!(with(&late), "late-receipt");
    std::fs::write(&beside, &whole).unwrap();

    change_trust(&served, |section| {
        section.as_object_mut().unwrap().remove("deferralDelaySeconds");
    });
    // Proofs first: what the search answer names as its trust root is looked at after them.
    assert_eq!(
        refused(&served, &file, &["--require", "proof", "--sigveil", &beside]),
        "deferral-not-allowed"
    );
}

/// Puts the witness's line on the receipt's checkpoint anew, of this time or not at all.
fn resign(served: &Served, receipt: &mut Value, time: Option<u64>) {
    let note = SignedNote::parse(receipt["checkpoint"].as_str().unwrap().as_bytes()).unwrap();
    let mut again = SignedNote::new(note.text().to_owned()).unwrap();
    again.add(note.signatures()[0].clone());
    if let Some(time) = time {
        let pem = std::fs::read_to_string(served.path("store/keys/witness.pem")).unwrap();
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).unwrap();
        let witness = NoteSigner::cosignature("127.0.0.1/witness", key).unwrap();
        again.add(witness.sign(&Checkpoint::parse(note.text()).unwrap(), time * 1000));
    }
    receipt["checkpoint"] = json!(again.to_string());
}
