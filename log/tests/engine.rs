//! The engine over real folders: what only a folder has. What is asked on every store is in `stores.rs`.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::fs;

use common::*;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log};
use sigveil_log::entry::{SealedField, Stored};
use sigveil_log::note::NoteSigner;
use sigveil_log::store::Reader;
use sigveil_log::tile::TileTree;

#[tokio::test]
async fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _log = Log::open(config(folder.path())).unwrap();
    assert_eq!(Log::open(config(folder.path())).err().unwrap().reason(), "log-locked");
}

#[tokio::test]
async fn what_may_stand_already_and_cannot_be_read_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let small = || Config { wal_limit: 1, ..config(folder.path()) };
    let log = Log::open(small()).unwrap();
    for n in 0..300u32 {
        log.append_opaque(n.to_be_bytes().to_vec()).await.unwrap();
    }
    log.stop().await;
    let log = reopen(small).unwrap();
    let (tile, away) = (folder.path().join("log/tile/0/000"), folder.path().join("away"));
    fs::rename(&tile, &away).unwrap();
    let again = || log.append_opaque(7u32.to_be_bytes().to_vec());
    assert_eq!(again().await, Err(AppendError::Unavailable));
    assert_eq!(log.append_opaque(b"other".to_vec()).await.unwrap().index, 300);
    fs::rename(&away, &tile).unwrap();
    assert_eq!(again().await, Err(AppendError::Duplicate(7)));
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
    // Tiles tell that there was a log, though nothing else does.
    assert_eq!(reopen(|| config(folder.path())).err().unwrap().reason(), "log-published-ahead");
    fs::remove_dir_all(folder.path().join("log/tile")).unwrap();
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

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// Source files that name one of these outside their tests, except what only tests compile; by their path.
fn naming(below: &str, ways: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(std::path::Path::new(SOURCE).join(below)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(SOURCE).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if name != "engine/crash" {
                naming(&name, ways, found);
            }
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split_once("\nmod tests {").map_or(source.as_str(), |(code, _)| code);
        // Of rustix, sockets and the limits of a process are no way to a file.
        let code = code.replace("rustix::net::", "").replace("rustix::process::{Resource, Rlimit,", "");
        if name != "engine/interrupted.rs" && ways.iter().any(|way| code.contains(way)) {
            found.push(name);
        }
    }
    found.sort();
}

/// Source files that name one of these.
fn all_naming(ways: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    naming("", ways, &mut found);
    found
}

#[test]
fn nothing_reaches_the_file_system_past_the_disk_that_counts_its_calls() {
    let ways = ["fs::", "File::open", "File::create", "OpenOptions", "rustix", ".exists()", ".is_dir()"];
    assert_eq!(all_naming(&ways), ["store/disk.rs"]);
}

/// What strace shows of files. The engine has a `dyn Bucket`, `dyn Connect` and `dyn Cosigner`, before which the crash suite
/// puts its faults; who reads logs that are not its own has a client too.
#[test]
fn nothing_reaches_a_bucket_or_a_database_past_the_calls_that_can_be_made_to_fail() {
    assert_eq!(all_naming(&["reqwest"]), ["store/s3.rs", "whole/source.rs", "witness/service.rs"]);
    assert_eq!(all_naming(&["rusty_s3"]), ["store/s3.rs"]);
    assert_eq!(all_naming(&["tokio_postgres"]), ["store/postgres/mod.rs", "store/postgres/schema.rs"]);
    let connections = ["TcpStream::connect", "UnixStream", "TcpSocket", "hyper::client", "legacy::Client"];
    assert_eq!(all_naming(&connections), [""; 0]);
}

#[tokio::test]
async fn a_sealed_entry_that_no_bundle_can_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let mut rng = rand_core::OsRng;
    let (entry, payload) = seal((0..1_600).map(|_| SealedField::new("name", b"", &mut rng)).collect());
    let refused = log.append_sealed(&entry, &payload).await.unwrap_err();
    assert_eq!(refused.reason(), "entry-too-large");
    log.append(&rekord(b"artifact")).await.unwrap();
}
