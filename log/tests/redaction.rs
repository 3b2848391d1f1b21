//! Redaction: the record first, then bytes and salts gone from every file, and everything else unchanged.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::Log;
use sigveil_log::entry::*;
use sigveil_log::merkle::verify_inclusion;
use sigveil_log::tile::TileTree;

fn files_with(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if contains(&fs::read(&path).unwrap(), needle) {
            found.push(path);
        }
    }
    found
}

fn stored(log: &Log, index: u64) -> Stored {
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let (size, root) = (opened.checkpoint().size, opened.checkpoint().root);
    let tree = TileTree::open(log.reader().clone(), size, &root).unwrap();
    log.reader().entry(&tree, index).unwrap()
}

/// Redacts a sealed entry in a log of `others` further entries, and reopens it.
async fn redact_sealed(others: u32, withheld: Withholding) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let (entry, payload) = sealed(b"a value to be forgotten");
    let receipt = log.append_sealed(&entry, &payload).await.unwrap();
    let tasks: Vec<_> = (0..others)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(format!("other {n}").into_bytes()).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let gone = secrets(&payload.fields[0]);
    for needle in &gone {
        let names = files_with(folder.path(), needle);
        assert!(names.iter().any(|path| path.ends_with("wal")), "found in the write-ahead log before");
        assert!(names.iter().any(|path| path.ends_with("sealed/0")), "found beside the log before");
    }
    let record = Entry::Redaction(record(0, receipt.leaf_hash, withheld.clone()));
    let at = log.append(&record).await.unwrap().index;
    let redacted = log.redact(at, Covered(true)).await.unwrap();
    assert_eq!((redacted.index, redacted.record), (0, at));
    for needle in &gone {
        assert_eq!(files_with(folder.path(), needle), Vec::<PathBuf>::new());
    }
    let whole = withheld == Withholding::WholeBody;
    assert_eq!(files_with(folder.path(), &base64(b"kept")).is_empty(), whole);
    let commitment = base64(&payload.commitments()[0].0);
    assert_eq!(files_with(folder.path(), &commitment).is_empty(), whole);
    let expected = if whole {
        Stored::Withheld(Withheld { leaf_hash: receipt.leaf_hash, record: at })
    } else {
        Stored::Body(entry.body())
    };
    assert_eq!(stored(&log, 0), expected);
    verify_inclusion(&receipt.leaf_hash, 0, receipt.tree_size, &receipt.proof, &receipt.root).unwrap();
    log.redact(at, Covered(true)).await.unwrap();
    drop(log);
    let log = loop {
        match Log::open(witnessed_again(folder.path())) {
            Err(error) if error.reason() == "log-locked" => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(stored(&log, 0), expected);
    for needle in &gone {
        assert_eq!(files_with(folder.path(), needle), Vec::<PathBuf>::new());
    }
}

/// What clients see: the tombstone with 410, no openings, and the rest as before.
#[tokio::test]
async fn withheld_content_is_gone_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let get = |path: &str| reqwest::get(format!("{url}/api/sigveil/v1/{path}"));
    let (entry, payload) = sealed(b"a value to be forgotten");
    let receipt = log.append_sealed(&entry, &payload).await.unwrap();
    log.append(&rekord(b"artifact")).await.unwrap();
    assert_eq!(get("entries/0").await.unwrap().bytes().await.unwrap(), entry.body());
    assert_eq!(get("sealed/0").await.unwrap().status(), 200);
    let record = Entry::Redaction(record(0, receipt.leaf_hash, Withholding::WholeBody));
    let answer = post(&format!("{url}/api/sigveil/v1/entries"), record.body()).await;
    assert_eq!(answer.status(), 201);
    // The record alone withholds nothing.
    assert_eq!(get("entries/0").await.unwrap().status(), 200);
    log.redact(2, Covered(true)).await.unwrap();

    let gone = get("entries/0").await.unwrap();
    assert_eq!(
        (gone.status().as_u16(), &gone.headers()["content-type"]),
        (410, &"application/json".parse().unwrap())
    );
    let tombstone = Withheld { leaf_hash: receipt.leaf_hash, record: 2 };
    assert_eq!(gone.bytes().await.unwrap(), tombstone.body());
    assert_eq!(refusal(get("sealed/0").await.unwrap()).await, (404, "sealed-none".to_owned()));
    assert_eq!(get("entries/1").await.unwrap().bytes().await.unwrap(), rekord(b"artifact").body());
    assert_eq!(get("entries/2").await.unwrap().bytes().await.unwrap(), record.body());
    // A tombstone is a form that no submission may have.
    let answer = post(&format!("{url}/api/sigveil/v1/entries"), tombstone.body()).await;
    assert_eq!(refusal(answer).await, (400, "entry-unknown-kind".to_owned()));
}

/// Of what was withheld whole nothing is left to withhold, and readers keep the record they were pointed to.
#[tokio::test]
async fn the_first_record_of_a_whole_body_stays_the_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let (entry, payload) = sealed(b"a value to be forgotten");
    let leaf_hash = log.append_sealed(&entry, &payload).await.unwrap().leaf_hash;
    let first = record(0, leaf_hash, Withholding::WholeBody);
    let mut later = record(0, leaf_hash, Withholding::WholeBody);
    later.statement.reason = ReasonCode::LegalOrder;
    later.signatures = vec![later.statement.sign(&authority())];
    let narrower = record(0, leaf_hash, Withholding::Fields(vec![0]));
    for record in [first, later, narrower] {
        let at = log.append(&Entry::Redaction(record)).await.unwrap().index;
        let redacted = log.redact(at, Covered(true)).await.unwrap();
        assert_eq!((redacted.index, redacted.record), (0, 1));
        assert_eq!(stored(&log, 0), Stored::Withheld(Withheld { leaf_hash, record: 1 }));
    }
}

/// Reopening without the witness, whose lock goes with the old log's thread.
fn witnessed_again(folder: &Path) -> sigveil_log::engine::Config {
    let mut again = config(folder);
    again.batch_size = 64;
    again
}

#[tokio::test]
async fn a_sealed_entry_in_a_partial_bundle_is_gone() {
    redact_sealed(3, Withholding::WholeBody).await;
}

#[tokio::test]
async fn a_sealed_entry_in_a_full_bundle_is_gone() {
    redact_sealed(300, Withholding::WholeBody).await;
}

#[tokio::test]
async fn one_field_of_a_sealed_entry_is_gone_and_the_others_stay() {
    redact_sealed(3, Withholding::Fields(vec![0])).await;
}

#[tokio::test]
async fn each_condition_refuses_alone_and_nothing_is_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let entry = rekord(b"artifact");
    let receipt = log.append(&entry).await.unwrap();
    let good = record(0, receipt.leaf_hash, Withholding::WholeBody);

    let mut unsigned = good.clone();
    unsigned.signatures.clear();
    let mut forged = good.clone();
    forged.statement.reason = ReasonCode::LegalOrder;
    let mut keys = good.clone();
    keys.map_keys.clear();
    for (bad, reason) in
        [(unsigned, "entry-threshold"), (forged, "entry-bad-signature"), (keys, "entry-key-list-mismatch")]
    {
        assert_eq!(log.append(&Entry::Redaction(bad)).await.unwrap_err().reason(), reason);
    }
    // What anybody can add to what the authorities signed makes no entry.
    let strangers =
        (2..=80).map(|seed| good.statement.sign(&ed25519_dalek::SigningKey::from_bytes(&[seed; 32])));
    for more in [1, 79] {
        let mut padded = good.clone();
        padded.signatures.extend(strangers.clone().take(more));
        padded.signatures.sort_by(|a, b| a.key.cmp(&b.key));
        let refused = log.append(&Entry::Redaction(padded)).await.unwrap_err();
        assert_eq!(refused.reason(), "entry-not-canonical");
    }

    // Nor does what they have signed about another log, which whoever likes may bring here.
    let mut elsewhere = good.clone();
    elsewhere.statement.origin = "other.example".to_owned();
    elsewhere.signatures = vec![elsewhere.statement.sign(&authority())];
    let refused = log.append(&Entry::Redaction(elsewhere)).await.unwrap_err();
    assert_eq!(refused.reason(), "entry-other-log");

    // What they sign by mistake is no entry either: readers would stop at it.
    let formless = record(0, receipt.leaf_hash, Withholding::Fields(Vec::new()));
    let refused = log.append(&Entry::Redaction(formless)).await.unwrap_err();
    assert_eq!(refused.reason(), "entry-malformed");

    let other_leaf = record(0, Hash([0; 32]), Withholding::WholeBody);
    let fields = record(0, receipt.leaf_hash, Withholding::Fields(vec![0]));
    for (bad, reason) in [(other_leaf, "redaction-mismatch"), (fields, "redaction-not-redactable")] {
        let at = log.append(&Entry::Redaction(bad)).await.unwrap().index;
        assert_eq!(log.redact(at, Covered(true)).await.unwrap_err().reason(), reason);
    }
    assert_eq!(log.redact(0, Covered(true)).await.unwrap_err().reason(), "redaction-no-record");
    assert_eq!(log.redact(99, Covered(true)).await.unwrap_err().reason(), "redaction-no-record");
    let at = log.append(&Entry::Redaction(good)).await.unwrap().index;
    assert_eq!(log.redact(at, Covered(false)).await.unwrap_err().reason(), "redaction-not-covered");
    assert_eq!(stored(&log, 0), Stored::Body(entry.body()));
    log.redact(at, Covered(true)).await.unwrap();
    assert!(matches!(stored(&log, 0), Stored::Withheld(_)));
}

/// What was withheld first is withheld again, too, when somebody puts back what was stored before both.
#[tokio::test]
async fn fields_that_are_withheld_one_after_the_other_are_all_kept_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let (entry, payload) = sealed(b"a value to be forgotten");
    let receipt = log.append_sealed(&entry, &payload).await.unwrap();
    let kept = folder.path().join("log/sealed/0");
    let old = fs::read(&kept).unwrap();
    for field in [0, 1] {
        let record = record(0, receipt.leaf_hash, Withholding::Fields(vec![field]));
        let at = log.append(&Entry::Redaction(record)).await.unwrap().index;
        log.redact(at, Covered(true)).await.unwrap();
    }
    log.stop().await;
    fs::write(&kept, old).unwrap();
    Log::open(witnessed(folder.path())).unwrap().stop().await;
    let again = fs::read(&kept).unwrap();
    for field in &payload.fields {
        assert!(!secrets(field).iter().any(|secret| contains(&again, secret)));
    }
}

#[tokio::test]
async fn an_unwitnessed_record_withholds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = witnessed(folder.path());
    config.witnesses.clear();
    config.witness_threshold = 0;
    let log = Log::open(config).unwrap();
    let receipt = log.append(&rekord(b"artifact")).await.unwrap();
    let good = record(0, receipt.leaf_hash, Withholding::WholeBody);
    let at = log.append(&Entry::Redaction(good)).await.unwrap().index;
    assert_eq!(log.redact(at, Covered(true)).await.unwrap_err().reason(), "redaction-unwitnessed");
}
