//! Witnesses that are late, down or too few.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log};
use sigveil_log::note::{NoteKey, NoteSignature, NoteSigner};
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner, Witness};

use crate::common::*;
use crate::place::Place;

pub(crate) async fn checkpoints_are_cosigned_before_they_are_published(place: &Place) {
    let log = Log::open(place.witnessed()).unwrap();
    for n in 0..3u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        assert_eq!(receipt.checkpoint.matches("\n— witness.example ").count(), 1);
    }
    log.stop().await;
    let mut without = place.witnessed();
    without.witnesses.clear();
    let log = Log::open(without).unwrap();
    assert_eq!(log.append_opaque(vec![9]).await, Err(AppendError::Unwitnessed));
}

fn named(place: &Place, name: &str) -> Witness {
    let signer = NoteSigner::cosignature(name, Hash::of(&[name.as_bytes()]).0.into()).unwrap();
    let logs = vec![log_signer().public().clone()];
    Witness::open(&place.path().join(name), signer, logs, Arc::new(|| NOW)).unwrap()
}

pub(crate) async fn an_entry_is_published_once_its_witness_is_back_without_another_entry(place: &Place) {
    let witness = witness(&place.path().join("witness"), vec![log_signer().public().clone()]);
    let outage = Outage::of(Arc::new(witness), false);
    let mut config = place.config();
    config.witnesses = vec![outage.clone()];
    config.witness_threshold = 1;
    config.witness_retry = Duration::from_millis(5);
    let log = Log::open(config).unwrap();
    assert_eq!(log.append_opaque(b"entry".to_vec()).await, Err(AppendError::Unwitnessed));
    assert!(log.checkpoint().is_err());
    outage.set(true);
    let size = |log: &Log| {
        let bytes = log.checkpoint().ok()?;
        let opened = VerifiedCheckpoint::open_witnessed(&bytes, log.key(), &[outage.key().clone()], 1);
        Some(opened.unwrap().checkpoint().size)
    };
    while size(&log) != Some(1) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(log.append_opaque(b"entry".to_vec()).await, Err(AppendError::Duplicate(0)));
}

/// A witness that waits until it is let go, and counts how often it is asked.
pub(crate) struct Held(pub Witness, pub AtomicBool, pub AtomicU64);

impl Cosigner for Held {
    fn key(&self) -> &NoteKey {
        self.0.key()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        self.2.fetch_add(1, Ordering::SeqCst);
        while !self.1.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.cosign(request)
    }
}

/// A witness that does not answer while there are enough others is asked once, and holds nobody up.
pub(crate) async fn a_witness_that_hangs_is_not_waited_for_and_not_asked_again(place: &Place) {
    let held = Arc::new(Held(named(place, "held"), AtomicBool::new(true), AtomicU64::new(0)));
    let mut config = place.config();
    config.witnesses = vec![held.clone(), Arc::new(named(place, "prompt"))];
    config.witness_threshold = 1;
    let log = Log::open(config).unwrap();
    held.1.store(false, Ordering::SeqCst);
    let before = held.2.load(Ordering::SeqCst);
    for n in 0..3u8 {
        log.append_opaque(vec![n]).await.unwrap();
    }
    assert_eq!(held.2.load(Ordering::SeqCst), before + 1);
    held.1.store(true, Ordering::SeqCst);
    // It is asked again once it has answered.
    for n in 3.. {
        log.append_opaque(vec![n]).await.unwrap();
        if held.2.load(Ordering::SeqCst) > before + 1 {
            break;
        }
    }
}

pub(crate) async fn two_of_three_witnesses_are_enough_and_one_is_not(place: &Place) {
    let outage = |name| Outage::of(Arc::new(named(place, name)), true);
    let witnesses = ["one", "two", "three"].map(outage);
    let keys: Vec<_> = witnesses.iter().map(|witness| witness.key().clone()).collect();
    let mut config = place.config();
    config.witnesses = witnesses.iter().map(|witness| Arc::clone(witness) as Arc<dyn Cosigner>).collect();
    config.witness_threshold = 2;
    config.witness_retry = Duration::from_millis(5);
    let log = Log::open(config).unwrap();
    let cosigned_by = |note: &[u8]| {
        let opened = VerifiedCheckpoint::open_witnessed(note, log.key(), &keys, 2).unwrap();
        let names: Vec<_> = opened.cosignatures().iter().map(|cosigner| cosigner.name.clone()).collect();
        (opened.checkpoint().size, names)
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();

    witnesses[1].set(false);
    let receipt = log.append_opaque(b"with two".to_vec()).await.unwrap();
    let (size, mut names) = cosigned_by(receipt.checkpoint.as_bytes());
    names.sort();
    assert_eq!((size, names), (1, named(&["one", "three"])));

    witnesses[0].set(false);
    let refused = log.append_opaque(b"with one".to_vec()).await.unwrap_err();
    assert_eq!(refused.reason(), "log-unwitnessed");
    assert_eq!(cosigned_by(&log.checkpoint().unwrap()).0, 1, "the last one stands");

    witnesses[1].set(true);
    log.published().wait_for(|size| *size == 2).await.unwrap();
    let (size, mut names) = cosigned_by(&log.checkpoint().unwrap());
    names.sort();
    assert_eq!((size, names), (2, named(&["three", "two"])));
    assert_eq!(log.append_opaque(b"with one".to_vec()).await, Err(AppendError::Duplicate(1)));
    log.stop().await;
}

/// The times on a checkpoint say how long nobody has seen more: those of the others grow younger, and the one that does not
/// answer loses nothing.
pub(crate) async fn a_witness_that_is_down_keeps_nobody_from_renewing(place: &Place) {
    let time = Arc::new(AtomicU64::new(NOW));
    let ticking = |name: &str| {
        let signer = NoteSigner::cosignature(name, Hash::of(&[name.as_bytes()]).0.into()).unwrap();
        let (logs, time) = (vec![log_signer().public().clone()], Arc::clone(&time));
        let clock = Arc::new(move || time.fetch_add(1_000, Ordering::SeqCst));
        Arc::new(Witness::open(&place.path().join(name), signer, logs, clock).unwrap())
    };
    let third = Outage::of(ticking("third.example"), true);
    let witnesses: Vec<Arc<dyn Cosigner>> =
        vec![ticking("first.example"), ticking("second.example"), third.clone()];
    let keys: Vec<NoteKey> = witnesses.iter().map(|witness| witness.key().clone()).collect();
    let often = Duration::from_millis(5);
    let log = Log::open(Config {
        witnesses,
        witness_threshold: 2,
        witness_retry: often,
        refresh: often,
        ..place.config()
    })
    .unwrap();
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    let times = || {
        let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &keys).unwrap();
        let mut times = [0; 3];
        let seen = opened.note().verify(&keys).unwrap();
        seen.iter().for_each(|line| times[line.key] = line.timestamp.unwrap());
        times
    };
    let soon = Duration::from_secs(60);
    let all_are_there = async {
        while times()[2] == 0 {
            tokio::time::sleep(often).await;
        }
    };
    tokio::time::timeout(soon, all_are_there).await.unwrap();
    third.set(false);
    // What it was asked before that may be answered still.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = times();
    let others_are_younger = async {
        while times()[..2].iter().zip(before).any(|(now, before)| *now <= before) {
            tokio::time::sleep(often).await;
        }
    };
    tokio::time::timeout(soon, others_are_younger).await.unwrap();
    assert_eq!(times()[2], before[2]);
    log.stop().await;
}
