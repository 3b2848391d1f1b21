//! Duplicates.

use sigveil_log::engine::{AppendError, Config, Log};

use crate::common::*;
use crate::place::Place;

pub(crate) async fn a_duplicate_names_the_first_index_also_after_reopening(place: &Place) {
    let log = Log::open(place.config()).unwrap();
    let entry = rekord(b"artifact");
    let first = log.append(&entry).await.unwrap().index;
    assert_eq!(log.append(&entry).await, Err(AppendError::Duplicate(first)));
    drop(log);
    let log = reopen(|| place.config()).unwrap();
    assert_eq!(log.append(&entry).await, Err(AppendError::Duplicate(first)));
}

pub(crate) async fn a_recurring_leaf_is_a_duplicate_only_of_the_last(place: &Place) {
    let mut log = Log::open(place.config()).unwrap();
    for (index, body) in (0..).zip(["a", "b", "a", "b"]) {
        let receipt = log.append_recurring(body.into()).await.unwrap();
        assert_eq!(receipt.index, index);
        check(&log, &receipt, body.as_bytes());
        drop(log);
        log = reopen(|| place.config()).unwrap();
        assert_eq!(log.append_recurring(body.into()).await, Err(AppendError::Duplicate(index)));
    }
    assert_eq!(log.append_opaque(b"a".to_vec()).await, Err(AppendError::Duplicate(2)));
    assert_eq!(log.append_recurring(vec![0; 65_536]).await.unwrap_err().reason(), "entry-too-large");
}

pub(crate) async fn deduplication_is_made_anew_from_the_tree_at_every_start(place: &Place) {
    let limited = || Config { wal_limit: 1, ..place.config() };
    let log = Log::open(limited()).unwrap();
    let append = |n: u32| {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await })
    };
    let mut places = Vec::new();
    for task in (0..600).map(append).collect::<Vec<_>>() {
        places.push(task.await.unwrap().unwrap().index);
    }
    log.stop().await;
    let log = Log::open(limited()).unwrap();
    for (n, index) in (0u32..).zip(places) {
        let again = log.append_opaque(n.to_be_bytes().to_vec()).await;
        assert_eq!(again, Err(AppendError::Duplicate(index)));
    }
}
