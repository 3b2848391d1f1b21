//! The engine over real folders: durability, recovery, refusal to start, deduplication.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log, OpenError, Receipt};
use sigveil_log::entry::Stored;
use sigveil_log::merkle::{leaf_hash, verify_inclusion};
use sigveil_log::note::{NoteKey, NoteSignature, NoteSigner};
use sigveil_log::store::Reader;
use sigveil_log::tile::TileTree;
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner};

/// A log that was dropped still holds its folder until its thread has ended.
fn reopen(config: impl Fn() -> Config) -> Result<Log, OpenError> {
    loop {
        match Log::open(config()) {
            Err(error) if error.reason() == "log-locked" => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

fn check(log: &Log, receipt: &Receipt, body: &[u8]) {
    let opened = VerifiedCheckpoint::open(receipt.checkpoint.as_bytes(), log.key(), &[]).unwrap();
    assert_eq!((opened.checkpoint().size, opened.checkpoint().root), (receipt.tree_size, receipt.root));
    assert_eq!(receipt.leaf_hash, leaf_hash(body));
    verify_inclusion(&receipt.leaf_hash, receipt.index, receipt.tree_size, &receipt.proof, &receipt.root)
        .unwrap();
}

#[tokio::test]
async fn acknowledged_entries_are_included_and_survive_reopening_across_bundles() {
    let folder = tempfile::tempdir().unwrap();
    let bodies: Vec<Vec<u8>> = (0..700u32).map(|n| format!("entry {n}").into_bytes()).collect();
    let mut log = Log::open(config(folder.path())).unwrap();
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
            log = reopen(|| config(folder.path())).unwrap();
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

#[tokio::test]
async fn a_duplicate_names_the_first_index_also_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let entry = rekord(b"artifact");
    let first = log.append(&entry).await.unwrap().index;
    assert_eq!(log.append(&entry).await, Err(AppendError::Duplicate(first)));
    drop(log);
    let log = reopen(|| config(folder.path())).unwrap();
    assert_eq!(log.append(&entry).await, Err(AppendError::Duplicate(first)));
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _log = Log::open(config(folder.path())).unwrap();
    assert_eq!(Log::open(config(folder.path())).err().unwrap().reason(), "log-locked");
}

/// A log of four entries of 20 bytes that nobody runs any more.
async fn four_entries() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    for n in 0..4u8 {
        log.append_opaque(vec![n; 20]).await.unwrap();
    }
    drop(log);
    drop(reopen(|| config(folder.path())).unwrap());
    folder
}

#[tokio::test]
async fn every_prefix_of_the_write_ahead_log_opens_or_is_known_to_be_short() {
    let folder = four_entries().await;
    let wal = fs::read(folder.path().join("log/wal")).unwrap();
    let whole = wal.len() / 4;
    // Around the ends of records, and here and there within.
    for cut in (0..=wal.len()).filter(|cut| cut % 7 == 0 || (cut + 2) % whole < 4) {
        let crashed = tempfile::tempdir().unwrap();
        copy(&folder.path().join("log"), &crashed.path().join("log"));
        fs::write(crashed.path().join("log/wal"), &wal[..cut]).unwrap();
        // With what was published, a short log is refused: something acknowledged is missing.
        let opened = Log::open(config(crashed.path()));
        if cut < wal.len() {
            assert_eq!(opened.err().unwrap().reason(), "log-published-ahead", "cut at {cut}");
        } else {
            drop(opened.unwrap());
        }
        // Without tiles and checkpoint, everything is rebuilt from what is whole.
        let crashed = tempfile::tempdir().unwrap();
        fs::create_dir_all(crashed.path().join("log")).unwrap();
        fs::write(crashed.path().join("log/wal"), &wal[..cut]).unwrap();
        let log = Log::open(config(crashed.path())).unwrap();
        let checkpoint = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
        assert_eq!(checkpoint.checkpoint().size, (cut / whole) as u64);
        let receipt = log.append_opaque(b"after".to_vec()).await.unwrap();
        check(&log, &receipt, b"after");
    }
}

#[tokio::test]
async fn another_origin_or_a_changed_tree_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    drop(log);
    let other = || {
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        let mut config = config(folder.path());
        config.signer = NoteSigner::ed25519("other.example", key).unwrap();
        config
    };
    assert_eq!(reopen(other).err().unwrap().reason(), "checkpoint-other-origin");
    fs::remove_file(folder.path().join("log/wal")).unwrap();
    fs::rename(folder.path().join("log/checkpoint"), folder.path().join("kept")).unwrap();
    let log = reopen(|| config(folder.path())).unwrap();
    log.append_opaque(b"forged".to_vec()).await.unwrap();
    drop(log);
    while Log::open(config(folder.path())).is_err() {}
    fs::rename(folder.path().join("kept"), folder.path().join("log/checkpoint")).unwrap();
    assert_eq!(reopen(|| config(folder.path())).err().unwrap().reason(), "log-published-differs");
}

#[tokio::test]
async fn altered_tiles_and_bundles_are_noticed_by_readers() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let receipt = log.append_opaque(b"entry".to_vec()).await.unwrap();
    let reader = Reader::new(&folder.path().join("log"));
    let bundle = folder.path().join("log/tile/entries/000.p/1");
    fs::write(&bundle, b"\0\x05Entry").unwrap();
    let tree = TileTree::open(reader.clone(), 1, &receipt.root).unwrap();
    assert_eq!(reader.entry(&tree, 0).unwrap_err().reason(), "entry-malformed");
    fs::write(&bundle, b"\0\x05ent").unwrap();
    assert_eq!(reader.entry(&tree, 0).unwrap_err().reason(), "bundle-malformed");
    let tile = folder.path().join("log/tile/0/000.p/1");
    fs::write(&tile, [0; 32]).unwrap();
    let error = TileTree::open(reader.clone(), 1, &receipt.root).unwrap_err();
    assert_eq!(error.reason(), "tile-root-mismatch");
    fs::write(&tile, [0; 31]).unwrap();
    assert_eq!(TileTree::open(reader, 1, &receipt.root).unwrap_err().reason(), "tile-length");
}

#[tokio::test]
async fn checkpoints_are_cosigned_before_they_are_published() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    for n in 0..3u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        assert_eq!(receipt.checkpoint.matches("\n— witness.example ").count(), 1);
    }
    let mut without = witnessed(&folder.path().join("none"));
    without.witnesses.clear();
    let log = Log::open(without).unwrap();
    assert_eq!(log.append_opaque(vec![1]).await, Err(AppendError::Unwitnessed));
}

#[tokio::test]
async fn a_recurring_leaf_is_a_duplicate_only_of_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(config(folder.path())).unwrap();
    for (index, body) in (0..).zip(["a", "b", "a", "b"]) {
        let receipt = log.append_recurring(body.into()).await.unwrap();
        assert_eq!(receipt.index, index);
        check(&log, &receipt, body.as_bytes());
        drop(log);
        log = reopen(|| config(folder.path())).unwrap();
        assert_eq!(log.append_recurring(body.into()).await, Err(AppendError::Duplicate(index)));
    }
    assert_eq!(log.append_opaque(b"a".to_vec()).await, Err(AppendError::Duplicate(2)));
    assert_eq!(log.append_recurring(vec![0; 65_536]).await.unwrap_err().reason(), "entry-too-large");
}

/// A witness that is down until it is told otherwise.
struct Outage {
    witness: sigveil_log::witness::Witness,
    over: AtomicBool,
}

impl Cosigner for Outage {
    fn key(&self) -> &NoteKey {
        self.witness.key()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        if self.over.load(Ordering::SeqCst) {
            self.witness.cosign(request)
        } else {
            Err(CosignError::Other("down".to_owned()))
        }
    }
}

#[tokio::test]
async fn an_entry_is_published_once_its_witness_is_back_without_another_entry() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(&folder.path().join("witness"), vec![log_signer().public().clone()]);
    let outage = Arc::new(Outage { witness, over: AtomicBool::new(false) });
    let mut config = config(folder.path());
    config.witnesses = vec![outage.clone()];
    config.witness_threshold = 1;
    config.witness_retry = Duration::from_millis(5);
    let log = Log::open(config).unwrap();
    assert_eq!(log.append_opaque(b"entry".to_vec()).await, Err(AppendError::Unwitnessed));
    assert!(log.checkpoint().is_err());
    outage.over.store(true, Ordering::SeqCst);
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

#[tokio::test]
async fn the_write_ahead_log_is_trimmed_at_its_limit_and_the_rest_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let limited = || Config { wal_limit: 4096, ..config(folder.path()) };
    let mut log = Log::open(limited()).unwrap();
    let mut expected = Vec::new();
    let mut largest = 0;
    for round in 0..12u8 {
        let bodies: Vec<_> = (0..97u8).map(|n| [[round, n].as_slice(), &[7; 100]].concat()).collect();
        let append = |body: Vec<u8>| {
            let log = log.clone();
            tokio::spawn(async move { (log.append_opaque(body.clone()).await.unwrap().index, body) })
        };
        let tasks: Vec<_> = bodies.into_iter().map(append).collect();
        for task in tasks {
            expected.push(task.await.unwrap());
        }
        largest = largest.max(fs::metadata(folder.path().join("log/wal")).unwrap().len());
        drop(log);
        log = reopen(limited).unwrap();
    }
    expected.sort();
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let (size, root) = (opened.checkpoint().size, opened.checkpoint().root);
    let tree = TileTree::open(log.reader().clone(), size, &root).unwrap();
    let stored = log.reader().entries(&tree, 0, size).unwrap().into_iter();
    let expected = expected.into_iter().map(|(_, body)| Stored::Body(body));
    assert!(stored.eq(expected), "every entry, once, in order");
    // An entry takes 142 bytes there: what is not in a full bundle, the limit, and one batch more.
    assert!(largest < 2 * 97 * 142 + 256 * 142 + 4096, "{largest} bytes: it was trimmed");
}

#[tokio::test]
async fn a_damaged_write_ahead_log_is_refused_and_left_as_it_is() {
    let folder = four_entries().await;
    let path = folder.path().join("log/wal");
    let mut damaged = fs::read(&path).unwrap();
    let middle = damaged.len() / 2 + 60;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(reopen(|| config(folder.path())).err().unwrap().reason(), "log-published-ahead");
    assert_eq!(fs::read(&path).unwrap(), damaged, "nothing that could be rescued is cut off");
}

#[tokio::test]
async fn a_clock_that_jumps_back_takes_no_tree_head_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicU64::new(NOW));
    let backwards = || {
        let (mut config, time) = (config(folder.path()), Arc::clone(&time));
        let key = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
        config.signer = NoteSigner::rfc6962(ORIGIN, key).unwrap();
        config.clock = Arc::new(move || time.fetch_sub(60_000, Ordering::SeqCst));
        config
    };
    for round in 0..3u8 {
        let log = reopen(backwards).unwrap();
        for n in 0..3u8 {
            let receipt = log.append_opaque(vec![round, n]).await.unwrap();
            let opened = VerifiedCheckpoint::open(receipt.checkpoint.as_bytes(), log.key(), &[]).unwrap();
            assert_eq!(opened.log_time(), Some(NOW));
        }
    }
    assert!(time.load(Ordering::SeqCst) < NOW - 9 * 60_000);
}

/// A witness that waits until it is let go.
struct Held(sigveil_log::witness::Witness, AtomicBool);

impl Cosigner for Held {
    fn key(&self) -> &NoteKey {
        self.0.key()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        while !self.1.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.cosign(request)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_the_queue_full_is_refused_and_what_waits_is_answered_before_the_log_stops() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(&folder.path().join("witness"), vec![log_signer().public().clone()]);
    let held = Arc::new(Held(witness, AtomicBool::new(true)));
    let mut limited = Config { queue: 2, batch_size: 1, ..config(folder.path()) };
    limited.witnesses = vec![held.clone()];
    limited.witness_threshold = 1;
    let log = Log::open(limited).unwrap();
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
    // The folder is free at once, not some time later.
    Log::open(config(folder.path())).unwrap();
}

#[tokio::test]
async fn deduplication_is_made_anew_from_the_tree_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let limited = || Config { wal_limit: 1, ..config(folder.path()) };
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

/// Source files that reach the file system, except what only tests compile.
fn bypassing(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        match name {
            "crash" | "interrupted.rs" => {}
            _ if path.is_dir() => bypassing(&path, found),
            _ => {
                // Of rustix the sockets alone are no way to a file.
                let source = fs::read_to_string(&path).unwrap().replace("rustix::net::", "");
                let ways =
                    ["fs::", "File::open", "File::create", "OpenOptions", "rustix", ".exists()", ".is_dir()"];
                if ways.iter().any(|way| source.contains(way)) {
                    found.push(name.to_owned());
                }
            }
        }
    }
}

#[test]
fn nothing_reaches_the_file_system_past_the_disk_that_counts_its_calls() {
    let mut found = Vec::new();
    bypassing(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    assert_eq!(found, ["disk.rs"]);
}
