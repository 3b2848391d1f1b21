//! A log whose order does not have what it published does not start, and leaves everything as it is.

use sigveil_log::Hash;
use sigveil_log::batch::{Batch, Sequenced};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::engine::{AppendError, Log};
use sigveil_log::merkle::leaf_hash;
use sigveil_log::note::{NoteSigner, SignedNote};

use crate::common::*;
use crate::place::Place;

/// The order as it was when it had two entries.
const ROLLED_BACK: &str = "
    UPDATE sigveil_log SET size = 2 WHERE id = $LOG;
    DELETE FROM sigveil_batch WHERE log = $LOG AND next > 2;
    DELETE FROM sigveil_leaf WHERE log = $LOG AND index >= 2";

/// Takes four entries.
async fn four(place: &Place) {
    let log = Log::open(place.config()).unwrap();
    for n in 0..4u8 {
        log.append_opaque(vec![n; 20]).await.unwrap();
    }
    log.stop().await;
}

/// A checkpoint of a tree that the log does not have.
fn checkpoint(origin: &str, size: u64) -> Vec<u8> {
    let checkpoint = Checkpoint::new(origin, size, Hash::of(&[b"a root"]));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(NoteSigner::ed25519(origin, [1; 32].into()).unwrap().sign(&checkpoint, NOW));
    note.to_string().into_bytes()
}

fn refused(place: &Place, reason: &str) {
    let before = place.contents();
    assert_eq!(reopen(|| place.config()).err().unwrap().reason(), reason);
    assert!(place.contents() == before, "{reason}: something was changed");
}

pub(crate) async fn a_checkpoint_that_is_not_of_what_was_ordered_is_refused(place: &Place) {
    four(place).await;
    let mut published = None;
    for (origin, size, reason) in [
        ("other.example", 4, "checkpoint-other-origin"),
        (ORIGIN, 5, "log-published-ahead"),
        (ORIGIN, 4, "log-published-differs"),
        (ORIGIN, 3, "log-published-differs"),
    ] {
        let before = place.publish(&checkpoint(origin, size));
        published.get_or_insert(before);
        refused(place, reason);
    }
    // With its own it goes on.
    place.publish(&published.unwrap());
    let log = reopen(|| place.config()).unwrap();
    assert_eq!(log.append_opaque(vec![3; 20]).await, Err(AppendError::Duplicate(3)));
    log.stop().await;
}

pub(crate) async fn an_order_that_is_rolled_back_under_a_log_takes_nothing(place: &Place) {
    let log = Log::open(place.config()).unwrap();
    for n in 0..4u8 {
        log.append_opaque(vec![n; 20]).await.unwrap();
    }
    // A folder's log has its order open.
    if place.alter(ROLLED_BACK).await {
        for n in 4..8u8 {
            assert_eq!(log.append_opaque(vec![n; 20]).await, Err(AppendError::Unavailable));
        }
        let mut order = place.config().shared.unwrap().journal.connect(ORIGIN).unwrap();
        assert_eq!(order.read(None).unwrap().size, 2);
    }
    log.stop().await;
}

/// As after a database, or a folder's write-ahead log, was put back from a copy.
pub(crate) async fn an_order_that_was_rolled_back_is_refused(place: &Place) {
    four(place).await;
    if !place.alter(ROLLED_BACK).await {
        let path = place.path().join("log/wal");
        let wal = std::fs::read(&path).unwrap();
        std::fs::write(&path, &wal[..wal.len() / 2]).unwrap();
    }
    refused(place, "log-published-ahead");
}

/// The same, when other entries have come to stand where others than those were published.
pub(crate) async fn an_order_that_was_rolled_back_and_has_grown_again_is_refused(place: &Place) {
    four(place).await;
    let others: Vec<_> = (4..7u8).map(|n| vec![n; 20]).collect();
    if place.alter(ROLLED_BACK).await {
        let mut order = place.config().shared.unwrap().journal.connect(ORIGIN).unwrap();
        assert_eq!(order.begin(&[]).unwrap().next, 2);
        let sequenced = |item: Vec<u8>| Sequenced { leaf: leaf_hash(&item), item, attachment: Vec::new() };
        order.commit(&Batch { first: 2, entries: others.into_iter().map(sequenced).collect() }).unwrap();
    } else {
        let other = Place::folder().unwrap();
        let log = Log::open(other.config()).unwrap();
        for item in [vec![0; 20], vec![1; 20]].into_iter().chain(others) {
            log.append_opaque(item).await.unwrap();
        }
        log.stop().await;
        std::fs::copy(other.path().join("log/wal"), place.path().join("log/wal")).unwrap();
    }
    refused(place, "log-published-differs");
}
