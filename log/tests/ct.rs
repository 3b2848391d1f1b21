//! The certificate log on loopback: submissions, their refusals, and SCTs as they are embedded.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "ct/again.rs"]
mod again;
#[path = "ct/chains.rs"]
mod chains;
mod common;
#[path = "ct/timestamps.rs"]
mod timestamps;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::certificates::*;
use common::*;
use der::Decode as _;
use p256::ecdsa::{SigningKey, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::ct::CertificateLog;
use sigveil_log::engine::{Clock, Config};
use sigveil_log::note::NoteSigner;
use sigveil_log::sct::{
    AcceptedRoots, AddChainAnswer, EntryKind, LoggedCertificate, PrecertEntry, SctError,
    SignedCertificateTimestamp, SignedEntry, TileLeaf, embedded, extension_value, parse_list,
};
use sigveil_log::tile::{TILE_WIDTH, TileKind, TilePath, TileSource as _};

fn log_key() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

fn subject_key() -> SigningKey {
    SigningKey::from_slice(&[9; 32]).unwrap()
}

/// A certificate log that accepts these roots.
fn open(folder: &Path, roots: &[&[u8]]) -> CertificateLog {
    let roots = AcceptedRoots::new(roots.iter().map(|root| root.to_vec())).unwrap();
    CertificateLog::open(config(folder), log_key(), roots).unwrap()
}

async fn submit(url: &str, path: &str, chain: &[&[u8]]) -> reqwest::Response {
    let chain: Vec<_> = chain.iter().map(|der| STANDARD.encode(der)).collect();
    post(&format!("{url}/ct/v1/{path}"), json!({ "chain": chain }).to_string().into_bytes()).await
}

async fn timestamp(answer: reqwest::Response) -> SignedCertificateTimestamp {
    assert_eq!(answer.status(), 200);
    let answer: AddChainAnswer = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    answer.try_into().unwrap()
}

fn leaves(log: &CertificateLog, count: u16) -> Vec<TileLeaf> {
    let path = TilePath::in_tree(TileKind::Data, 0, u64::from(count)).unwrap();
    let tile = log.log().reader().read_tile(&path).unwrap();
    let (mut rest, mut found) = (tile.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (leaf, after) = TileLeaf::parse_prefix(rest).unwrap();
        assert_eq!(leaf.to_bytes(), rest[..rest.len() - after.len()]);
        found.push(leaf);
        rest = after;
    }
    found
}

/// The way of a certificate: precertificate logged over HTTP, SCT embedded and verified from the certificate alone,
/// final certificate logged too.
#[tokio::test]
async fn a_precertificate_gets_a_timestamp_that_its_certificate_can_embed() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let issuer = root.issue("CN=issuer", 2, vec![constraints(true)]);
    let log = open(folder.path(), &[&root.certificate]);
    let url = serve(sigveil_log::ct::router(log.clone())).await;

    let precertificate = issuer.certify("CN=leaf", &subject_key(), vec![constraints(false), poison()]);
    let chain = [precertificate.as_slice(), &issuer.certificate, &root.certificate];
    let sct = timestamp(submit(&url, "add-pre-chain", &chain).await).await;
    assert_eq!((sct.timestamp, sct.leaf_index()), (NOW, Some(0)));
    // What is signed is the certificate without the poison, and the key of whoever issued it.
    let clean = issuer.certify("CN=leaf", &subject_key(), vec![constraints(false)]);
    let spki = spki::EncodePublicKey::to_public_key_der(issuer.key.verifying_key()).unwrap();
    let entry = PrecertEntry {
        issuer_key_hash: Hash::of(&[spki.as_bytes()]),
        tbs: der::Encode::to_der(&x509_cert::Certificate::from_der(&clean).unwrap().tbs_certificate).unwrap(),
    };
    sct.verify(log_key().verifying_key(), &entry).unwrap();

    let extensions = [vec![constraints(false)], sct_list(std::slice::from_ref(&sct))].concat();
    let certificate = issuer.certify("CN=leaf", &subject_key(), extensions);
    assert_eq!(embedded(&certificate, &issuer.certificate), Ok((sct, entry.clone())));
    let last = timestamp(submit(&url, "add-chain", &[&certificate, &issuer.certificate]).await).await;
    assert_eq!(last.leaf_index(), Some(1));
    last.verify(log_key().verifying_key(), SignedEntry::Certificate(&certificate)).unwrap();

    // Both are in the tree, and the root that was left out the second time is kept with the chain.
    let kept = leaves(&log, 2);
    let chain: Vec<_> = [&issuer.certificate, &root.certificate].map(|der| Hash::of(&[der])).into();
    assert_eq!(kept[0].entry, LoggedCertificate::Precertificate { entry, der: precertificate });
    assert_eq!(kept[1].entry, LoggedCertificate::Certificate(certificate));
    for (leaf, index) in kept.iter().zip(0..) {
        assert_eq!((leaf.leaf_index, leaf.timestamp, &leaf.chain), (index, NOW, &chain));
    }
    let opened = VerifiedCheckpoint::open(&log.log().checkpoint().unwrap(), log.log().key(), &[]).unwrap();
    let root_hash = sigveil_log::merkle::node_hash(&kept[0].leaf_hash(), &kept[1].leaf_hash());
    assert_eq!((opened.checkpoint().size, opened.checkpoint().root), (2, root_hash));
    for (fingerprint, certificate) in chain.iter().zip([&issuer.certificate, &root.certificate]) {
        let served = reqwest::get(format!("{url}/issuer/{}", fingerprint.to_hex())).await.unwrap();
        assert_eq!(served.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(served.bytes().await.unwrap(), certificate);
    }
    let data = reqwest::get(format!("{url}/tile/data/000.p/2")).await.unwrap();
    assert_eq!(data.headers()["cache-control"], "public, max-age=31536000, immutable");
    let none = refusal(reqwest::get(format!("{url}/issuer/{}", "0".repeat(64))).await.unwrap()).await;
    assert_eq!(none, (404, "ct-no-issuer".to_owned()));
    // A folder in a file's place is there and cannot be read.
    let file = folder.path().join("log/issuer").join("1".repeat(64));
    std::fs::create_dir_all(&file).unwrap();
    let failing = refusal(reqwest::get(format!("{url}/issuer/{}", "1".repeat(64))).await.unwrap()).await;
    assert_eq!(failing, (503, "log-unreadable".to_owned()));
    let roots: Value = serde_json::from_slice(
        &reqwest::get(format!("{url}/ct/v1/get-roots")).await.unwrap().bytes().await.unwrap(),
    )
    .unwrap();
    assert_eq!(roots, json!({ "certificates": [STANDARD.encode(&root.certificate)] }));
}

#[tokio::test]
async fn each_bad_submission_has_its_reason_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let issuer = root.issue("CN=issuer", 2, vec![constraints(true)]);
    let log = open(folder.path(), &[&root.certificate]);
    let url = serve(sigveil_log::ct::router(log.clone())).await;
    let certify = |by: &Holder, extensions| by.certify("CN=leaf", &subject_key(), extensions);
    let pre = |by: &Holder| certify(by, vec![poison()]);
    let last = certify(&issuer, vec![]);

    // The same name under another key, the same key under another name, and issuers that may not issue.
    let namesake = Holder { key: SigningKey::from_slice(&[3; 32]).unwrap(), ..issuer.clone() };
    let renamed = Holder { name: "CN=other", ..issuer.clone() };
    let no_authority = root.issue("CN=issuer", 2, vec![constraints(false)]);
    let unmarked = root.issue("CN=issuer", 2, vec![]);
    let dedicated = root.issue("CN=signer", 4, vec![constraints(true), precertificate_signing()]);
    let stranger = Holder::root("CN=root", 6);
    let cut = &pre(&issuer)[..200];
    let trailing = [pre(&issuer), vec![0]].concat();
    let large = certify(&issuer, vec![extension("1.2.3".parse().unwrap(), false, vec![0; 65_535]), poison()]);
    let (above, top) = (issuer.certificate.as_slice(), root.certificate.as_slice());
    let sct = SignedCertificateTimestamp::sign(
        &log_key(),
        &PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: vec![] },
        NOW,
        0,
    );
    let stamped = [vec![poison()], sct_list(&[sct])].concat();
    let cases: [(&str, &[&[u8]], u16, &str); 22] = [
        ("add-pre-chain", &[&last, above, top], 400, "ct-poison-missing"),
        (
            "add-pre-chain",
            &[&certify(&issuer, vec![poison_as(false, &[5, 0])]), above, top],
            400,
            "ct-poison-missing",
        ),
        (
            "add-pre-chain",
            &[&certify(&issuer, vec![poison_as(true, &[4, 0])]), above, top],
            400,
            "ct-poison-missing",
        ),
        (
            "add-pre-chain",
            &[&certify(&issuer, vec![poison(), poison()]), above, top],
            400,
            "ct-poison-missing",
        ),
        ("add-chain", &[&pre(&issuer), above, top], 400, "ct-poison-present"),
        ("add-pre-chain", &[&certify(&issuer, stamped), above, top], 400, "ct-sct-present"),
        ("add-pre-chain", &[&pre(&namesake), above, top], 400, "ct-chain-broken"),
        ("add-pre-chain", &[&pre(&renamed), above, top], 400, "ct-chain-broken"),
        ("add-pre-chain", &[&pre(&issuer), &no_authority.certificate, top], 400, "ct-chain-broken"),
        ("add-pre-chain", &[&pre(&issuer), &unmarked.certificate, top], 400, "ct-chain-broken"),
        ("add-pre-chain", &[&pre(&issuer), top, above], 400, "ct-chain-broken"),
        ("add-chain", &[&last, top], 400, "ct-chain-broken"),
        ("add-pre-chain", &[&pre(&issuer)], 400, "ct-root-unknown"),
        ("add-chain", &[&certify(&stranger, vec![]), &stranger.certificate], 400, "ct-root-unknown"),
        // From the top: nobody's keys verify nothing.
        ("add-chain", &[&last, &stranger.certificate], 400, "ct-root-unknown"),
        ("add-chain", &[&certify(&stranger, vec![])], 400, "ct-root-unknown"),
        ("add-pre-chain", &[&pre(&dedicated), &dedicated.certificate], 400, "ct-precertificate-signer"),
        ("add-pre-chain", &[], 400, "ct-malformed"),
        ("add-pre-chain", &[cut, above], 400, "ct-malformed"),
        ("add-pre-chain", &[&trailing, above], 400, "ct-malformed"),
        ("add-pre-chain", &[&large, above], 413, "ct-too-large"),
        ("add-pre-chain", &[above; 17], 413, "ct-too-large"),
    ];
    for (n, (path, chain, status, reason)) in cases.into_iter().enumerate() {
        assert_eq!(refusal(submit(&url, path, chain).await).await, (status, reason.to_owned()), "case {n}");
    }
    let chain = STANDARD.encode(&last);
    let bodies = [
        String::new(),
        "{}".to_owned(),
        "[".repeat(100_000),
        json!({ "chain": chain }).to_string(),
        json!({ "chain": [7] }).to_string(),
        json!({ "chain": ["!"] }).to_string(),
        json!({ "chain": [chain], "surplus": 1 }).to_string(),
        format!(r#"{{"chain":[],"chain":["{chain}"]}}"#),
    ];
    for body in bodies {
        let answer = post(&format!("{url}/ct/v1/add-chain"), body.into_bytes()).await;
        assert_eq!(refusal(answer).await, (400, "ct-malformed".to_owned()));
    }
    let answer = post(&format!("{url}/ct/v1/add-chain"), vec![b' '; 300 << 10]).await;
    assert_eq!(refusal(answer).await, (413, "request-too-large".to_owned()));
    let opened = VerifiedCheckpoint::open(&log.log().checkpoint().unwrap(), log.log().key(), &[]).unwrap();
    assert_eq!(opened.checkpoint().size, 0);
    // The dedicated signer's final certificates are as good as any.
    let chain = [&certify(&dedicated, vec![]), dedicated.certificate.as_slice()];
    assert_eq!(submit(&url, "add-chain", &chain).await.status(), 200);
}

fn size(log: &CertificateLog) -> u64 {
    let opened = VerifiedCheckpoint::open(&log.log().checkpoint().unwrap(), log.log().key(), &[]).unwrap();
    opened.checkpoint().size
}

#[tokio::test]
async fn a_chain_that_comes_again_gets_the_timestamp_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let log = open(folder.path(), &[&root.certificate]);
    let url = serve(sigveil_log::ct::router(log.clone())).await;
    let certificate = root.certify("CN=leaf", &subject_key(), vec![]);
    let precertificate = root.certify("CN=leaf", &subject_key(), vec![poison()]);
    let first = timestamp(submit(&url, "add-chain", &[&certificate]).await).await;
    let other = timestamp(submit(&url, "add-pre-chain", &[&precertificate]).await).await;
    assert_eq!((first.leaf_index(), other.leaf_index()), (Some(0), Some(1)));
    // With the root that was left out as without, and as often as anybody likes.
    for chain in [&[certificate.as_slice()][..], &[&certificate, &root.certificate]] {
        assert_eq!(timestamp(submit(&url, "add-chain", chain).await).await, first);
        let chain = [&[precertificate.as_slice()], &chain[1..]].concat();
        assert_eq!(timestamp(submit(&url, "add-pre-chain", &chain).await).await, other);
    }
    assert_eq!((size(&log), leaves(&log, 2).len()), (2, 2));
    let counted = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    assert!(counted.contains("\nsigveil_log_duplicates_total{origin=\"log.example\"} 4\n"), "{counted}");
    // Also when the log is started again.
    log.log().stop().await;
    let log = open(folder.path(), &[&root.certificate]);
    for (certificate, kind, had) in
        [(&certificate, EntryKind::Certificate, &first), (&precertificate, EntryKind::Precertificate, &other)]
    {
        assert_eq!(&log.issue(vec![certificate.clone()], kind).await.unwrap(), had);
    }
    assert_eq!(size(&log), 2);
}

#[tokio::test]
async fn a_chain_whose_answer_was_lost_is_not_logged_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let roots = || AcceptedRoots::new([root.certificate.clone()]).unwrap();
    let chain = || vec![root.certify("CN=leaf", &subject_key(), vec![])];
    let mut slow = config(&folder.path().join("slow"));
    slow.batch_age = Duration::from_millis(400);
    let log = CertificateLog::open(slow, log_key(), roots()).unwrap();
    let abandoned = log.issue(chain(), EntryKind::Certificate);
    assert!(tokio::time::timeout(Duration::from_millis(200), abandoned).await.is_err());
    log.log().published().wait_for(|size| *size == 1).await.unwrap();
    let sct = loop {
        // Remembered once its answer is there, which nobody waits for.
        let sct = log.issue(chain(), EntryKind::Certificate).await.unwrap();
        if sct.leaf_index() == Some(0) {
            break sct;
        }
    };
    sct.verify(log_key().verifying_key(), SignedEntry::Certificate(&chain()[0])).unwrap();

    // One that no witness has seen yet is durable: it is not logged again, and its timestamp comes once it is published.
    let signer = NoteSigner::rfc6962(ORIGIN, log_key()).unwrap();
    let watched = witness(&folder.path().join("witness"), vec![signer.public().clone()]);
    let outage = Outage::of(Arc::new(watched), false);
    let mut unwitnessed = config(folder.path());
    unwitnessed.witnesses = vec![outage.clone()];
    unwitnessed.witness_threshold = 1;
    unwitnessed.witness_retry = Duration::from_millis(5);
    let log = CertificateLog::open(unwitnessed, log_key(), roots()).unwrap();
    for _ in 0..3 {
        let refused = log.issue(chain(), EntryKind::Certificate).await.unwrap_err();
        assert_eq!(refused.reason(), "log-unwitnessed");
    }
    outage.set(true);
    log.log().published().wait_for(|size| *size == 1).await.unwrap();
    let sct = log.issue(chain(), EntryKind::Certificate).await.unwrap();
    assert_eq!((sct.leaf_index(), size(&log)), (Some(0), 1));
}

/// A clock that says these, one after the other, and the last for ever.
fn saying(times: &'static [u64]) -> Clock {
    let next = AtomicUsize::new(0);
    Arc::new(move || times[next.fetch_add(1, Ordering::SeqCst).min(times.len() - 1)])
}

/// RFC 6962 §3.5.
#[tokio::test]
async fn a_tree_head_is_no_older_than_the_newest_promise_in_it() {
    let root = Holder::root("CN=root", 1);
    let roots = || AcceptedRoots::new([root.certificate.clone()]).unwrap();
    let chain = |name: &str| vec![root.certify(name, &subject_key(), vec![])];
    let head = |log: &CertificateLog| {
        let log = log.log();
        VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap().log_time()
    };
    let folder = tempfile::tempdir().unwrap();
    let signer = NoteSigner::rfc6962(ORIGIN, log_key()).unwrap();
    let watched = witness(&folder.path().join("witness"), vec![signer.public().clone()]);
    let outage = Outage::of(Arc::new(watched), true);
    let configured = |clock| {
        // Nothing stays in the write-ahead log but what follows the last full tile.
        let config = Config { clock, wal_limit: 1, witness_threshold: 1, ..config(folder.path()) };
        Config { witnesses: vec![outage.clone()], ..config }
    };
    // The empty tree, the promise, the tree with it: the clock was set back in between.
    let log = CertificateLog::open(configured(saying(&[1_000, 9_000, 2_000])), log_key(), roots()).unwrap();
    let sct = log.issue(chain("CN=a"), EntryKind::Certificate).await.unwrap();
    assert_eq!((sct.timestamp, head(&log)), (9_000, Some(9_000)));
    // Nobody cosigns, the process ends, and the clock is set back before it is started again; the first time within a tile
    // and the second at its end.
    let mut log = log;
    for (clock, back, to) in
        [(saying(&[20_000]), saying(&[3_000]), 3), (saying(&[40_000]), saying(&[4_000]), TILE_WIDTH)]
    {
        outage.set(false);
        log.log().stop().await;
        log = CertificateLog::open(configured(clock.clone()), log_key(), roots()).unwrap();
        for number in size(&log)..to {
            let refused = log.issue(chain(&format!("CN={number}")), EntryKind::Certificate).await;
            assert_eq!(refused.unwrap_err().reason(), "log-unwitnessed");
        }
        outage.set(true);
        log.log().stop().await;
        log = CertificateLog::open(configured(back), log_key(), roots()).unwrap();
        assert_eq!((size(&log), head(&log)), (to, Some(clock())));
    }
}
