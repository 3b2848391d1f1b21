//! The change of a log's key: for a while it has two, and whoever knows one of them is served.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;

use common::*;
use ed25519_dalek::SigningKey;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{Config, Layout, Log, OpenError};
use sigveil_log::note::{NoteKey, NoteSignature, NoteSigner};
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner};

fn signer(key: u8) -> NoteSigner {
    NoteSigner::ed25519(ORIGIN, SigningKey::from_bytes(&[key; 32])).unwrap()
}

#[tokio::test]
async fn a_log_changes_its_key_while_those_who_know_the_old_one_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (signer(31), signer(32));
    let keys = [old.public().clone(), new.public().clone()];
    // Witnesses are told of the new key first.
    let open = |first: &NoteSigner, others: &[NoteSigner], known: &[NoteKey]| {
        let witness = Arc::new(witness(&folder.path().join("witness"), known.to_vec()));
        Log::open(Config {
            signer: first.clone(),
            also_signed_by: others.to_vec(),
            witnesses: vec![witness],
            witness_threshold: 1,
            ..config(folder.path())
        })
    };
    let signed_by = |log: &Log| {
        let bytes = log.checkpoint().unwrap();
        keys.clone().map(|key| VerifiedCheckpoint::open(&bytes, &key, &[]).is_ok())
    };
    let phases = [
        (&old, vec![], &keys[..1], [true, false]),
        (&old, vec![new.clone()], &keys[..], [true, true]),
        (&new, vec![old.clone()], &keys[..], [true, true]),
        (&new, vec![], &keys[1..], [false, true]),
    ];
    for (n, (first, others, known, expected)) in (0u8..).zip(phases) {
        let log = open(first, &others, known).unwrap();
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        assert_eq!((receipt.index, signed_by(&log)), (u64::from(n), expected), "phase {n}");
        assert_eq!(log.key(), first.public());
        log.stop().await;
    }
    // Whoever leaves the overlap out stands before another's log.
    let refused = open(&old, &[], &keys).map(drop).unwrap_err();
    assert_eq!(refused.reason(), "checkpoint-not-signed-by-log");
    // A witness that was not told cosigns what the key it knows has signed, and nothing else.
    let log = open(&new, std::slice::from_ref(&old), &keys[..1]).unwrap();
    log.append_opaque(b"old key".to_vec()).await.unwrap();
    log.stop().await;
    let log = open(&new, &[], &keys[..1]).unwrap();
    assert_eq!(log.append_opaque(b"new key".to_vec()).await.unwrap_err().reason(), "log-unwitnessed");
    log.stop().await;
}

#[tokio::test]
async fn what_was_frozen_under_one_key_is_read_under_both() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (signer(31), signer(32));
    let log = Log::open(Config { signer: old.clone(), ..config(folder.path()) }).unwrap();
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    log.freeze().await.unwrap();
    drop(log);
    let open = || Config { signer: new.clone(), also_signed_by: vec![old.clone()], ..config(folder.path()) };
    let log = reopen(open).unwrap();
    assert!(log.is_frozen());
    let url = serve(sigveil_log::rekor::router(log)).await;
    let entry = reqwest::get(format!("{url}/api/sigveil/v1/entries/0")).await.unwrap();
    assert_eq!(entry.bytes().await.unwrap(), b"entry".as_slice());
}

#[test]
fn keys_of_one_log_have_one_name_and_a_certificate_log_has_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let other = NoteSigner::ed25519("other.example", SigningKey::from_bytes(&[33; 32])).unwrap();
    let head = NoteSigner::rfc6962(ORIGIN, p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap()).unwrap();
    for (signer, others, layout) in [
        (signer(31), vec![signer(32), other], Layout::TlogTiles),
        (signer(31), vec![head.clone()], Layout::TlogTiles),
        (head, vec![signer(31)], Layout::StaticCt),
        (signer(31), vec![signer(31)], Layout::TlogTiles),
    ] {
        let config = Config { signer, also_signed_by: others, layout, ..config(folder.path()) };
        assert!(matches!(Log::open(config).map(drop), Err(OpenError::Keys(_))));
    }
}

/// However a key is called, it signs once.
#[test]
fn a_witness_has_a_key_that_nobody_else_has() {
    let folder = tempfile::tempdir().unwrap();
    let witness = |name: &str, key: u8| {
        let logs = vec![signer(31).public().clone()];
        let signer = NoteSigner::cosignature(name, SigningKey::from_bytes(&[key; 32])).unwrap();
        let place = folder.path().join(name);
        Arc::new(witness_of(&place, signer, logs)) as Arc<dyn Cosigner>
    };
    for (others, taken) in [([41, 42], true), ([41, 41], false), ([41, 31], false)] {
        let witnesses = vec![witness("a.example", others[0]), witness("b.example", others[1])];
        let config = Config { signer: signer(31), witnesses, ..config(folder.path()) };
        let opened = Log::open(config).map(drop);
        assert_eq!(opened.is_ok(), taken, "{others:?}: {opened:?}");
        assert!(taken || matches!(opened, Err(OpenError::Keys(_))), "{opened:?}");
    }
}

/// A witness that is asked for nothing here.
struct Named(NoteKey);

impl Cosigner for Named {
    fn key(&self) -> &NoteKey {
        &self.0
    }

    fn cosign(&self, _: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        Err(CosignError::Other("not asked".to_owned()))
    }
}

#[test]
fn each_witness_counts_once_and_signs_with_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let open = |keys: &[&NoteKey]| {
        let witnesses = keys.iter().map(|key| Arc::new(Named((*key).clone())) as Arc<dyn Cosigner>);
        Log::open(Config { witnesses: witnesses.collect(), ..config(folder.path()) }).map(drop)
    };
    let (one, plain) = (log_witness(), signer(33).public().clone());
    let key = SigningKey::from_bytes(&[34; 32]).verifying_key();
    let other = NoteKey::cosignature(one.name(), key).unwrap();
    open(&[&one, &other]).unwrap();
    for keys in [[&one, &one], [&one, &plain]] {
        assert!(matches!(open(&keys), Err(OpenError::Keys(_))));
    }
}
