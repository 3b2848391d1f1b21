//! Duplicates, and what they are told by.

use std::fs;
use std::path::Path;

use sigveil_log::engine::{AppendError, Config, Log, Shared};

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

/// What somebody could do to the leaves of an order.
const ALTERATIONS: [&str; 7] = [
    "DELETE FROM sigveil_leaf WHERE log = $LOG AND index = 7",
    "DELETE FROM sigveil_leaf WHERE log = $LOG AND index = 601",
    "UPDATE sigveil_leaf SET index = 3 WHERE log = $LOG AND index = 300",
    // As many, and the same indices.
    "UPDATE sigveil_leaf SET index = 9 - index WHERE log = $LOG AND index IN (4, 5)",
    "UPDATE sigveil_leaf SET hash = sha256(hash) WHERE log = $LOG AND index = 550",
    "DELETE FROM sigveil_leaf WHERE log = $LOG; DELETE FROM sigveil_leaf_sum WHERE log = $LOG",
    "INSERT INTO sigveil_leaf SELECT log, sha256(hash), index FROM sigveil_leaf WHERE log = $LOG",
];

/// And to the files that a log in a folder has of them.
const FILE_ALTERATIONS: [fn(&Path); 4] = [
    |known| fs::remove_dir_all(known).unwrap(),
    |known| fs::remove_file(known.join("1")).unwrap(),
    |known| fs::write(known.join("0"), []).unwrap(),
    |known| {
        fs::copy(known.join("0"), known.join("1")).unwrap();
    },
];

/// Nothing else is kept in a folder by which duplicates could be told.
fn nothing_else_is_kept(folder: &Path) {
    let mut names: Vec<_> = fs::read_dir(folder.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["checkpoint", "known", "lock", "tile", "wal"]);
}

/// Does one of these; `false` if there are not so many.
async fn alter(place: &Place, which: usize) -> bool {
    if let Some(statements) = ALTERATIONS.get(which)
        && place.alter(statements).await
    {
        return true;
    }
    let known = place.path().join("log/known");
    FILE_ALTERATIONS.get(which).filter(|_| known.exists()).map(|alter| alter(&known)).is_some()
}

pub(crate) async fn duplicates_are_told_by_the_tree_at_a_start_whatever_was_done_to_the_leaves(
    place: &Place,
) {
    let limited = || Config { wal_limit: 1, known_height: 8, ..place.config() };
    let log = Log::open(limited()).unwrap();
    log.append_recurring(b"first and last".to_vec()).await.unwrap();
    let append = |n: u32| {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await })
    };
    let mut places = Vec::new();
    for task in (0..600).map(append).collect::<Vec<_>>() {
        places.push(task.await.unwrap().unwrap().index);
    }
    assert_eq!(log.append_recurring(b"first and last".to_vec()).await.unwrap().index, 601);
    log.stop().await;
    let mut alterations = 0;
    while alter(place, alterations).await {
        alterations += 1;
        let log = reopen(limited).unwrap();
        let told = |body: Vec<u8>| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(body).await })
        };
        let sent: Vec<_> = (0..600u32).map(|n| told(n.to_be_bytes().to_vec())).collect();
        for (sent, index) in sent.into_iter().zip(&places) {
            assert_eq!(sent.await.unwrap(), Err(AppendError::Duplicate(*index)), "{alterations}");
        }
        assert_eq!(told(b"first and last".to_vec()).await.unwrap(), Err(AppendError::Duplicate(601)));
        log.stop().await;
    }
    assert!(alterations >= FILE_ALTERATIONS.len());
    let Some(Shared { journal: order, .. }) = place.config().shared else {
        return nothing_else_is_kept(place.path());
    };
    // What was made anew is no alteration, and neither is what is taken after it.
    let log = reopen(limited).unwrap();
    assert_eq!(log.append_recurring(b"first and last".to_vec()).await, Err(AppendError::Duplicate(601)));
    log.append_opaque(b"another".to_vec()).await.unwrap();
    log.append_recurring(b"first and last".to_vec()).await.unwrap();
    log.stop().await;
    assert!(order.connect(ORIGIN).unwrap().leaves_agree().unwrap());
}
