//! The engine over each of its stores: a folder; a folder with the order in PostgreSQL; an S3 bucket with the order in
//! PostgreSQL. What is asked of a log is the same on all of them.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[path = "stores/leaves.rs"]
mod leaves;
#[path = "stores/place.rs"]
mod place;
#[path = "stores/refusals.rs"]
mod refusals;
#[path = "stores/witnesses.rs"]
mod witnesses;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log};
use sigveil_log::entry::{Entry, Stored, Withheld, Withholding};
use sigveil_log::note::{NoteKey, NoteSigner};
use sigveil_log::tile::TileTree;
use sigveil_log::whole::{Identity, verify};
use sigveil_log::witness::Cosigner;

use leaves::*;
use place::Place;
use refusals::*;
use witnesses::*;

/// Every test, on every store.
macro_rules! on_each_store {
    ($($test:ident)*) => {
        mod folder {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&super::Place::folder().unwrap()).await;
            })*
        }

        #[cfg(all(feature = "postgres", feature = "s3"))]
        mod folder_and_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                if let Some(place) = super::Place::shared(false) {
                    super::$test(&place).await;
                }
            })*
        }

        #[cfg(all(feature = "postgres", feature = "s3"))]
        mod s3_and_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                if let Some(place) = super::Place::shared(true) {
                    super::$test(&place).await;
                }
            })*
        }
    };
}

on_each_store! {
    acknowledged_entries_are_included_and_survive_reopening_across_bundles
    a_duplicate_names_the_first_index_also_after_reopening
    checkpoints_are_cosigned_before_they_are_published
    a_recurring_leaf_is_a_duplicate_only_of_the_last
    an_entry_is_published_once_its_witness_is_back_without_another_entry
    a_clock_that_jumps_back_takes_no_tree_head_with_it
    a_tree_head_is_signed_anew_though_nothing_is_appended
    what_finds_the_queue_full_is_refused_and_what_waits_is_answered_before_the_log_stops
    a_witness_that_hangs_is_not_waited_for_and_not_asked_again
    duplicates_are_told_by_the_tree_at_a_start_whatever_was_done_to_the_leaves
    a_checkpoint_that_is_not_of_what_was_ordered_is_refused
    an_order_that_was_rolled_back_is_refused
    an_order_that_was_rolled_back_and_has_grown_again_is_refused
    an_order_that_is_rolled_back_under_a_log_takes_nothing
    two_of_three_witnesses_are_enough_and_one_is_not
    a_witness_that_is_down_keeps_nobody_from_renewing
    a_frozen_log_is_read_and_takes_nothing_also_when_it_is_opened_again
    what_is_published_is_signed_by_all_who_are_to_sign_though_nothing_is_appended
    what_is_withheld_is_gone_from_all_that_is_stored
}

async fn acknowledged_entries_are_included_and_survive_reopening_across_bundles(place: &Place) {
    let bodies: Vec<Vec<u8>> = (0..700u32).map(|n| format!("entry {n}").into_bytes()).collect();
    let mut log = Log::open(place.config()).unwrap();
    for (round, chunk) in bodies.chunks(150).enumerate() {
        let tasks: Vec<_> = chunk
            .iter()
            .map(|body| {
                let (log, body) = (log.clone(), body.clone());
                tokio::spawn(async move { (log.append_opaque(body.clone()).await.unwrap(), body) })
            })
            .collect();
        for task in tasks {
            let (receipt, body) = task.await.unwrap();
            check(&log, &receipt, &body);
        }
        if round % 2 == 1 {
            drop(log);
            log = reopen(|| place.config()).unwrap();
        }
    }
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let (size, root) = (opened.checkpoint().size, opened.checkpoint().root);
    assert_eq!(size, 700);
    let tree = TileTree::open(log.reader().clone(), size, &root).unwrap();
    let mut stored: Vec<_> = log.reader().entries(&tree, 0, size).unwrap().into_iter().collect();
    stored.sort_by_key(|entry| format!("{entry:?}"));
    let mut expected: Vec<_> = bodies.into_iter().map(Stored::Body).collect();
    expected.sort_by_key(|entry| format!("{entry:?}"));
    assert_eq!(stored, expected);
    // Older sizes are still readable, though only the newest partial tiles are kept.
    assert_eq!(TileTree::new(log.reader().clone(), 300).leaf(299).unwrap(), tree.leaf(299).unwrap());
}

async fn a_clock_that_jumps_back_takes_no_tree_head_with_it(place: &Place) {
    let time = Arc::new(AtomicU64::new(NOW));
    let backwards = || {
        let (mut config, time) = (place.config(), Arc::clone(&time));
        let key = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
        config.signer = NoteSigner::rfc6962(ORIGIN, key).unwrap();
        config.clock = Arc::new(move || time.fetch_sub(60_000, Ordering::SeqCst));
        // Each that is signed counts.
        config.refresh = Duration::from_secs(3600);
        config
    };
    for round in 0..3u8 {
        let log = reopen(backwards).unwrap();
        for n in 0..3u8 {
            let receipt = log.append_opaque(vec![round, n]).await.unwrap();
            let opened = VerifiedCheckpoint::open(receipt.checkpoint.as_bytes(), log.key(), &[]).unwrap();
            // The empty tree had the clock's time. Each is later than the one before (RFC 6962 §3.5).
            assert_eq!(opened.log_time(), Some(NOW + 1 + u64::from(3 * round + n)));
        }
    }
    assert!(time.load(Ordering::SeqCst) < NOW - 9 * 60_000);
}

async fn a_tree_head_is_signed_anew_though_nothing_is_appended(place: &Place) {
    let key = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
    let signer = NoteSigner::rfc6962(ORIGIN, key).unwrap();
    let log = Log::open(Config { signer, refresh: Duration::from_millis(5), ..place.config() }).unwrap();
    let first = log.append_opaque(b"entry".to_vec()).await.unwrap();
    let opened = |note: &[u8]| VerifiedCheckpoint::open(note, log.key(), &[]).unwrap();
    let first = opened(first.checkpoint.as_bytes());
    let anew = async {
        loop {
            let last = opened(&log.checkpoint().unwrap());
            if last.log_time() > first.log_time() {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let last = tokio::time::timeout(Duration::from_secs(60), anew).await.unwrap();
    assert_eq!(last.checkpoint(), first.checkpoint());
    // It goes on.
    assert_eq!(log.append_opaque(b"other".to_vec()).await.unwrap().index, 1);
}

async fn what_finds_the_queue_full_is_refused_and_what_waits_is_answered_before_the_log_stops(place: &Place) {
    let witness = witness(&place.path().join("witness"), vec![log_signer().public().clone()]);
    let held = Arc::new(Held(witness, AtomicBool::new(true), AtomicU64::new(0)));
    let mut limited = Config { queue: 2, batch_size: 1, queue_bytes: 1_000, ..place.config() };
    limited.witnesses = vec![held.clone()];
    limited.witness_threshold = 1;
    if let Some(shared) = &mut limited.shared {
        shared.lease = Duration::from_secs(60);
    }
    let log = Log::open(limited).unwrap();
    assert_eq!(log.append_opaque(vec![0; 1_001]).await, Err(AppendError::Busy));
    log.append_opaque(vec![0; 1_000]).await.unwrap();
    held.1.store(false, Ordering::SeqCst);
    let mut waiting = Vec::new();
    // One is with the sequencer sooner or later, two wait; the next is refused at once.
    let busy = loop {
        let (log, number) = (log.clone(), waiting.len());
        let mut append = tokio::spawn(async move { log.append_opaque(number.to_be_bytes().to_vec()).await });
        match tokio::time::timeout(Duration::from_millis(50), &mut append).await {
            Ok(answer) => break answer.unwrap().unwrap_err(),
            Err(_) => waiting.push(append),
        }
    };
    assert_eq!((busy.reason(), waiting.len() <= 3), ("log-busy", true));
    // The one that was too large, and this.
    let counted = log.metrics().to_text("log");
    assert!(counted.contains("sigveil_log_busy_total{origin=\"log\"} 2\n"), "{counted}");
    let stopping = {
        let log = log.clone();
        tokio::spawn(async move { log.stop().await })
    };
    held.1.store(true, Ordering::SeqCst);
    for append in waiting {
        append.await.unwrap().unwrap();
    }
    stopping.await.unwrap();
    assert_eq!(log.append_opaque(b"late".to_vec()).await, Err(AppendError::Unavailable));
    assert!(!log.is_ready(), "nobody is there to take anything");
    // The folder is free at once, not some time later.
    Log::open(place.config()).unwrap();
}

async fn what_is_published_is_signed_by_all_who_are_to_sign_though_nothing_is_appended(place: &Place) {
    let (old, new) = (log_signer(), NoteSigner::ed25519(ORIGIN, [9; 32].into()).unwrap());
    let keys = [old.public().clone(), new.public().clone()];
    let open = |first: &NoteSigner, others: &[&NoteSigner], witnesses: Vec<Arc<dyn Cosigner>>| {
        let (witness_threshold, witnesses) = (witnesses.len(), witnesses);
        let also_signed_by = others.iter().copied().cloned().collect();
        let config = Config { signer: first.clone(), also_signed_by, ..place.config() };
        Log::open(Config { witnesses, witness_threshold, ..config }).unwrap()
    };
    let signed_by = |log: &Log, key: &NoteKey| {
        VerifiedCheckpoint::open(&log.checkpoint().unwrap(), key, &[log_witness()])
    };
    let log = open(&old, &[], Vec::new());
    log.append_opaque(b"the only entry".to_vec()).await.unwrap();
    log.stop().await;
    // Each step of the change of a key rests on what the one before has published.
    let log = open(&old, &[&new], Vec::new());
    assert!(keys.iter().all(|key| signed_by(&log, key).is_ok()), "both sign");
    log.stop().await;
    open(&new, &[&old], Vec::new()).stop().await;
    open(&new, &[], Vec::new()).stop().await;
    // A witness is asked for what was published without it; one that refuses lets the last checkpoint stand.
    let at = |logs: &[NoteKey]| witness(&place.path().join("witness"), logs.to_vec());
    let log = open(&new, &[], vec![Arc::new(at(&keys[..1]))]);
    assert!(signed_by(&log, &keys[1]).unwrap().cosignatures().is_empty());
    let frozen = log.freeze().await;
    assert_eq!(frozen.unwrap_err().reason(), "log-unwitnessed", "the last checkpoint has what others have");
    log.stop().await;
    let log = open(&new, &[], vec![Arc::new(at(&keys[1..]))]);
    assert_eq!(signed_by(&log, &keys[1]).unwrap().cosignatures().len(), 1);
    log.stop().await;
}

async fn a_frozen_log_is_read_and_takes_nothing_also_when_it_is_opened_again(place: &Place) {
    let log = Log::open(place.config()).unwrap();
    let append = |n: u32| {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await })
    };
    for sent in (0..300).map(append).collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    let sent: Vec<_> = (300..310).map(append).collect();
    log.freeze().await.unwrap();
    log.freeze().await.unwrap();
    let mut taken = 300;
    for answer in sent {
        match answer.await.unwrap() {
            Ok(receipt) => taken = taken.max(receipt.index + 1),
            Err(error) => assert_eq!(error, AppendError::Frozen),
        }
    }
    let last = log.checkpoint().unwrap();
    drop(log);
    let log = reopen(|| place.config()).unwrap();
    assert!(log.is_frozen() && log.is_ready());
    assert_eq!(log.append_opaque(b"late".to_vec()).await, Err(AppendError::Frozen));
    assert_eq!(log.checkpoint().unwrap(), last);
    assert_eq!(*log.published().borrow(), taken);
    let (opened, tally) = verify(log.reader(), &Identity::new(log.key().clone())).unwrap();
    assert_eq!((opened.checkpoint().size, tally.entries), (taken, taken));
}

async fn what_is_withheld_is_gone_from_all_that_is_stored(place: &Place) {
    let log = Log::open(place.witnessed()).unwrap();
    let mut entries = Vec::new();
    // The first lies in a full bundle, the others in the one that is not.
    for (others, value, withheld) in [
        (300, b"the first to be forgotten", Withholding::WholeBody),
        (0, b"the other to be forgotten", Withholding::WholeBody),
        (0, b"the field to be forgotten", Withholding::Fields(vec![0])),
    ] {
        let (entry, payload) = sealed(value);
        entries.push((log.append_sealed(&entry, &payload).await.unwrap(), entry, payload, withheld));
        let other = |n: u32| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await })
        };
        for sent in (0..others).map(other).collect::<Vec<_>>() {
            sent.await.unwrap().unwrap();
        }
    }
    let mut expected = Vec::new();
    for (receipt, entry, payload, withheld) in &entries {
        let gone = gone(payload, withheld);
        let before = place.contents();
        assert!(gone.iter().all(|gone| contains(&before, gone)));
        let record = Entry::Redaction(record(receipt.index, receipt.leaf_hash, withheld.clone()));
        let at = log.append(&record).await.unwrap().index;
        assert_eq!(log.redact(at, Covered(false)).await.unwrap_err().reason(), "redaction-not-covered");
        for _ in 0..2 {
            let redacted = log.redact(at, Covered(true)).await.unwrap();
            assert_eq!((redacted.index, redacted.record), (receipt.index, at));
            let after = place.contents();
            assert!(!gone.iter().any(|gone| contains(&after, gone)));
        }
        let whole = Stored::Withheld(Withheld { leaf_hash: receipt.leaf_hash, record: at });
        let is_whole = *withheld == Withholding::WholeBody;
        expected.push((receipt.index, if is_whole { whole } else { Stored::Body(entry.body()) }));
    }
    let kept = secrets(&entries[2].2.fields[1]);
    drop(log);
    let log = reopen(|| place.config()).unwrap();
    log.append_opaque(b"it goes on".to_vec()).await.unwrap();
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let tree =
        TileTree::open(log.reader().clone(), opened.checkpoint().size, &opened.checkpoint().root).unwrap();
    for (index, stored) in expected {
        assert_eq!(log.reader().entry(&tree, index).unwrap(), stored);
    }
    let after = place.contents();
    for (_, _, payload, withheld) in &entries {
        assert!(!gone(payload, withheld).iter().any(|gone| contains(&after, gone)));
    }
    assert!(kept.iter().all(|secret| contains(&after, secret)));
}
