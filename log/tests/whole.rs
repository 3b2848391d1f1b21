//! Whole logs: read and checked, copied, completed, examined; from folders and over HTTP.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[path = "whole/submitted.rs"]
mod submitted;
#[path = "whole/withheld.rs"]
mod withheld;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::certificates::{Holder, constraints};
use common::*;
use sigveil_log::Hash;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::ct::CertificateLog;
use sigveil_log::engine::{Config, Coverage, Log, OpenError};
use sigveil_log::entry::{Entry, Withholding};
use sigveil_log::merkle::root;
use sigveil_log::note::SignedNote;
use sigveil_log::sct::{AcceptedRoots, EntryKind};
use sigveil_log::store::{ReadError, Reader};
use sigveil_log::tile::{TileError, TileKind, TilePath, TileSource, TileTree};
use sigveil_log::whole::{Identity, LocalCopy, Remote, Source, WholeError, complete, examine, verify};

/// A log of so many entries, which has stopped.
async fn stopped(folder: &Path, entries: u32) -> PathBuf {
    grow(folder, 0, entries).await;
    folder.join("log")
}

async fn grow(folder: &Path, begin: u32, end: u32) {
    let log = Log::open(Config { wal_limit: 1, ..config(folder) }).unwrap();
    let append = |n: u32| {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(format!("entry {n}").into_bytes()).await.unwrap() })
    };
    // No more at once than the log lets wait.
    for first in (begin..end).step_by(4096) {
        for task in (first..end.min(first + 4096)).map(append).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
    log.stop().await;
}

fn identity() -> Identity {
    Identity::new(log_signer().public().clone())
}

/// Everything below a folder, but the lock.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("lock") {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// A log that counts what is read of it.
struct Counted<S>(S, AtomicUsize);

impl<S> Counted<S> {
    fn new(source: S) -> Self {
        Self(source, AtomicUsize::new(0))
    }

    fn reads(&self) -> usize {
        self.1.swap(0, Ordering::SeqCst)
    }
}

impl<S: Source> TileSource for Counted<S> {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.read_tile(path)
    }
}

impl<S: Source> Source for Counted<S> {
    fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        self.0.checkpoint()
    }

    fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.issuer(fingerprint)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_holds_what_the_log_does_and_follows_it_by_reading_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 70_000).await;
    let to = folder.path().join("copy");
    let source = Counted::new(Reader::new(&log));
    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    let copied = copy.follow(&source).unwrap();
    assert_eq!((copied.tally.entries, copied.checkpoint.checkpoint().size), (70_000, 70_000));
    assert!(source.reads() > 2 * 273);
    let (expected, entries) = verify(copy.reader(), &identity()).unwrap();
    assert_eq!((expected.note(), entries.entries), (copied.checkpoint.note(), 70_000));
    assert!(matches!(LocalCopy::open(&to, identity()), Err(WholeError::Locked)));

    grow(folder.path(), 70_000, 70_300).await;
    let copied = copy.follow(&source).unwrap();
    assert_eq!(copied.checkpoint.checkpoint().size, 70_300);
    assert!(source.reads() < 40, "only what is new was read");
    drop(copy);

    // Another process finds what is there, and reads from the log no more than the edge.
    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    assert_eq!(copy.size().unwrap(), 70_300);
    assert_eq!(copy.follow(&source).unwrap().written, 0);
    assert!(source.reads() < 10);
    drop(copy);
    let own = |path: &PathBuf| !path.ends_with("wal") && !path.to_string_lossy().contains("sealed");
    let strip = |folder: &Path| {
        let all = files(folder).into_iter().filter(|(path, _)| own(path));
        all.map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect::<Vec<_>>()
    };
    assert_eq!(strip(&to), strip(&log), "file for file");

    // It is read as a log, and nobody can append to it.
    let refused =
        Log::open(Config::new(&to, log_signer(), std::sync::Arc::new(|| NOW))).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::PublishedAhead { committed: 0, .. }));
    assert!(LocalCopy::open(&to, identity()).is_ok(), "nor has trying made it a log's folder");
    assert!(matches!(LocalCopy::open(&log, identity()), Err(WholeError::NotACopy)));
}

/// A copy that was interrupted before its checkpoint, and then finds its log a moment younger, as behind several replicas.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_the_partial_tiles_of_its_checkpoint_where_wider_ones_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 305).await;
    let (younger, to) = (folder.path().join("younger"), folder.path().join("copy"));
    copy(&log, &younger);
    grow(folder.path(), 305, 310).await;
    LocalCopy::open(&to, identity()).unwrap().follow(&Reader::new(&log)).unwrap();
    fs::remove_file(to.join("checkpoint")).unwrap();
    let wider = ["tile/entries/001.p/54", "tile/0/001.p/54"].map(|name| to.join(name));
    assert!(wider.iter().all(|path| path.exists()));

    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    let copied = copy.follow(&Reader::new(&younger)).unwrap();
    assert_eq!(copied.checkpoint.checkpoint().size, 305);
    assert!(wider.iter().all(|path| !path.exists()));
    assert_eq!(verify(copy.reader(), &identity()).unwrap().1.entries, 305);
    assert_eq!(copy.follow(&Reader::new(&younger)).unwrap().written, 0);
    // It goes on as its log does.
    assert_eq!(copy.follow(&Reader::new(&log)).unwrap().checkpoint.checkpoint().size, 310);
    assert_eq!(verify(copy.reader(), &identity()).unwrap().1.entries, 310);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_a_log_is_copied_as_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    for n in 0..300u32 {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await.unwrap() });
    }
    log.append_opaque(b"last".to_vec()).await.unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let to = folder.path().join("copy");
    let witnesses = vec![log_witness()];
    let identity = Identity { witnesses, threshold: 1, ..identity() };
    tokio::task::spawn_blocking(move || {
        let remote = Remote::new(&format!("{url}/api/v2/")).unwrap();
        let copied = LocalCopy::open(&to, identity.clone()).unwrap().follow(&remote).unwrap();
        assert_eq!(copied.checkpoint.cosignatures().len(), 1);
        let (opened, tally) = verify(&remote, &identity).unwrap();
        assert!(tally.entries >= copied.tally.entries && opened.checkpoint().size == tally.entries);
        let examined = examine(&to, &identity).unwrap();
        assert_eq!((examined.findings, examined.committed), (vec![], None));
        // Who asks for more witnesses than there are gets nothing.
        let refused = verify(&remote, &Identity { threshold: 2, ..identity }).unwrap_err();
        assert_eq!(refused.reason(), "checkpoint-too-few-cosignatures");
        let nobody = Remote::new("http://127.0.0.1:1").unwrap();
        assert_eq!(nobody.checkpoint().unwrap_err().reason(), "tile-unavailable");
        assert_eq!(Remote::new(&url).unwrap().checkpoint().unwrap_err().reason(), "tile-unavailable");
    })
    .await
    .unwrap();
}

/// Changes a byte in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damaged_or_missing_file_is_found_and_put_back_from_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 66_000).await;
    let to = folder.path().join("copy");
    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    copy.follow(&Reader::new(&log)).unwrap();
    assert_eq!(examine(&log, &identity()).unwrap().findings, []);
    assert_eq!(examine(&log, &identity()).unwrap().committed, Some(66_000));
    let whole = files(&log);
    for name in ["tile/0/003", "tile/1/000", "tile/entries/200", "tile/0/257.p/208", "tile/entries/257.p/208"]
    {
        for missing in [false, true] {
            let path = log.join(name);
            if missing {
                fs::remove_file(&path).unwrap()
            } else {
                damage(&path)
            }
            let found = examine(&log, &identity()).unwrap().findings;
            let edge = name.starts_with("tile/0") && name.contains(".p/");
            assert!(!found.is_empty() && (edge || found[0].path == name), "{name}: {found:?}");
            let refused = verify(&Reader::new(&log), &identity()).unwrap_err();
            assert_eq!(refused.reason(), found[0].reason);
            let completed = complete(&log, &identity(), copy.reader()).unwrap();
            // One file, or of the right edge all its hashes.
            assert!(completed.written == if edge { 3 } else { 1 }, "{name}: {}", completed.written);
            assert!(files(&log) == whole, "{name} is as it was");
        }
    }
    // What neither has stays missing, and is named.
    fs::remove_file(log.join("tile/0/003")).unwrap();
    fs::remove_file(to.join("tile/0/003")).unwrap();
    let refused = complete(&log, &identity(), copy.reader()).unwrap_err();
    assert!(
        refused.reason() == "tile-unavailable" && refused.to_string().contains("tile/0/003"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_ahead_log_that_does_not_fit_the_tree_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 20).await;
    let whole = fs::read(log.join("wal")).unwrap();
    fs::write(log.join("wal"), &whole[..whole.len() - 1]).unwrap();
    let examined = examine(&log, &identity()).unwrap();
    assert!(examined.committed < Some(20));
    assert_eq!(examined.findings[0].reason, "log-published-ahead");
    // The log of another tree.
    let other = tempfile::tempdir().unwrap();
    grow(other.path(), 100, 120).await;
    fs::copy(other.path().join("log/wal"), log.join("wal")).unwrap();
    let examined = examine(&log, &identity()).unwrap();
    assert_eq!((examined.committed, examined.findings[0].reason), (Some(20), "log-published-differs"));
    assert_eq!(examined.findings.len(), 20);
}

/// Signs a checkpoint of a tree.
fn publish(folder: &Path, size: u64, root: Hash) {
    let checkpoint = Checkpoint::new(ORIGIN, size, root);
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log_signer().sign(&checkpoint, NOW));
    fs::write(folder.join("checkpoint"), note.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_no_fork_nothing_smaller_and_nothing_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 600).await;
    let other = tempfile::tempdir().unwrap();
    grow(other.path(), 1000, 1700).await;
    let (other, to) = (other.path().join("log"), folder.path().join("copy"));
    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    copy.follow(&Reader::new(&log)).unwrap();
    let before = files(&to);
    let refused = copy.follow(&Reader::new(&other)).unwrap_err();
    assert!(matches!(refused, WholeError::Fork { had: 600, now: 700 }), "{refused}");
    // Of equal size, and smaller.
    let tree = TileTree::new(Reader::new(&other), 700);
    publish(&other, 600, root(&tree, 600).unwrap());
    let refused = copy.follow(&Reader::new(&other)).unwrap_err();
    assert!(matches!(refused, WholeError::Fork { had: 600, now: 600 }), "{refused}");
    publish(&other, 599, root(&tree, 599).unwrap());
    let refused = copy.follow(&Reader::new(&other)).unwrap_err();
    assert!(matches!(refused, WholeError::Shrank { had: 600, now: 599 }), "{refused}");
    // A log that goes on and has lost a tile is damaged, and no fork.
    grow(folder.path(), 600, 900).await;
    damage(&log.join("tile/0/002"));
    let refused = copy.follow(&Reader::new(&log)).unwrap_err();
    assert_eq!(refused.reason(), "tile-root-mismatch");
    damage(&log.join("tile/0/002"));
    // Another log's key.
    let key = sigveil_log::note::NoteKey::ed25519(ORIGIN, authority().verifying_key()).unwrap();
    let refused = verify(&Reader::new(&log), &Identity::new(key)).unwrap_err();
    assert_eq!(refused.reason(), "checkpoint-not-signed-by-log");
    assert!(files(&to) == before, "nothing was changed");
    copy.follow(&Reader::new(&log)).unwrap();
    let opened = VerifiedCheckpoint::open(&fs::read(to.join("checkpoint")).unwrap(), &identity().key, &[]);
    assert_eq!(opened.unwrap().checkpoint().size, 900);
}

struct Covered;

impl Coverage for Covered {
    fn covers(&self, _: &str, _: u64, _: &Hash, _: &Hash) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_withholds_is_erased_from_its_copies_and_stays_so_when_it_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let source = Reader::new(&folder.path().join("log"));
    let to = folder.path().join("copy");
    let log = Log::open(witnessed(folder.path())).unwrap();
    let entry = rekord(b"artifact");
    let receipt = log.append(&entry).await.unwrap();
    for n in 0..300u32 {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(n.to_be_bytes().to_vec()).await.unwrap() });
    }
    log.append_opaque(b"last".to_vec()).await.unwrap();
    let mut copy = LocalCopy::open(&to, identity()).unwrap();
    copy.follow(&source).unwrap();
    common::copy(&to, &folder.path().join("older"));
    let record = record(receipt.index, receipt.leaf_hash, Withholding::WholeBody);
    let record = log.append(&Entry::Redaction(record)).await.unwrap().index;
    let followed = copy.follow(&source).unwrap();
    assert_eq!(followed.tally.to_withhold.into_iter().collect::<Vec<_>>(), [receipt.index]);
    let holds = |folder: &Path| {
        files(folder)
            .iter()
            .any(|(_, bytes)| bytes.windows(entry.body().len()).any(|window| window == entry.body()))
    };
    assert!(holds(&to), "the log has it still");
    log.redact(record, Covered).await.unwrap();
    let followed = copy.follow(&source).unwrap();
    assert_eq!(followed.written, 1);
    assert!(!holds(&to));
    log.stop().await;

    // The log's folder is completed from a copy that is older than the redaction: what it withheld is back until it
    // starts, and no longer.
    let log_folder = folder.path().join("log");
    fs::remove_file(log_folder.join("tile/entries/000")).unwrap();
    complete(&log_folder, &identity(), &Reader::new(&folder.path().join("older"))).unwrap();
    assert!(holds(&log_folder));
    let log = Log::open(witnessed(folder.path())).unwrap();
    assert!(!holds(&log_folder));

    // Nor is it back for longer in one that has ended.
    log.freeze().await.unwrap();
    fs::remove_file(log_folder.join("tile/entries/000")).unwrap();
    complete(&log_folder, &identity(), &Reader::new(&folder.path().join("older"))).unwrap();
    assert!(holds(&log_folder));
    assert!(Log::open(witnessed(folder.path())).unwrap().is_frozen());
    assert!(!holds(&log_folder));
}

/// Authorities sign what they like; what no log carries out is no reason for a copy to stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_about_what_is_not_there_stops_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    let source = Reader::new(&folder.path().join("log"));
    let log = Log::open(witnessed(folder.path())).unwrap();
    for index in [0, 1, u64::MAX] {
        let record = record(index, Hash([7; 32]), Withholding::WholeBody);
        log.append(&Entry::Redaction(record)).await.unwrap();
    }
    let mut copy = LocalCopy::open(&folder.path().join("copy"), identity()).unwrap();
    let followed = copy.follow(&source).unwrap();
    assert_eq!((followed.checkpoint.checkpoint().size, followed.tally.to_withhold.len()), (3, 0));
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_bundle_of_a_certificate_log_is_read_and_no_larger_answer() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("tile/data/000");
    fs::create_dir_all(bundle.parent().unwrap()).unwrap();
    let file = fs::File::create(&bundle).unwrap();
    let url = file_server(folder.path().to_owned()).await;
    // A precertificate and what is signed of it, 65,535 bytes each; sixteen fingerprints, and what goes around.
    let largest = 256 * (2 * 65_535 + 16 * 32 + 64);
    for (length, is_read) in [(largest, true), (256 * (2 * 65_535 + 1_024) + 1, false)] {
        file.set_len(length).unwrap();
        let (url, path) = (url.clone(), TilePath { kind: TileKind::Data, number: 0, width: 256 });
        let read = move || Remote::new(&url).unwrap().read_tile(&path);
        let read = tokio::task::spawn_blocking(read).await.unwrap();
        assert_eq!(read.is_ok_and(|bytes| bytes.len() as u64 == length), is_read, "{length}");
    }
    // Nor is a certificate of more bytes than one of a submission has.
    let fingerprint = Hash([7; 32]);
    fs::create_dir_all(folder.path().join("issuer")).unwrap();
    let file = fs::File::create(folder.path().join("issuer").join(fingerprint.to_hex())).unwrap();
    for (length, is_read) in [(65_535, true), (65_536, false)] {
        file.set_len(length).unwrap();
        let url = url.clone();
        let read = move || Remote::new(&url).unwrap().issuer(&fingerprint);
        let read = tokio::task::spawn_blocking(read).await.unwrap();
        assert_eq!(read.is_ok_and(|bytes| bytes.unwrap().len() as u64 == length), is_read, "{length}");
    }
}

/// A server of a folder's files, and of nothing else.
async fn file_server(folder: PathBuf) -> String {
    let file = move |axum::extract::Path(path): axum::extract::Path<String>| {
        let read = fs::read(folder.join(path));
        async move { read.map_err(|_| axum::http::StatusCode::NOT_FOUND) }
    };
    serve(axum::Router::new().route("/log/{*path}", axum::routing::get(file))).await + "/log"
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_partial_tile_is_gone_the_full_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = stopped(folder.path(), 512).await;
    // What a reader sees that has the checkpoint of a moment ago.
    publish(&log, 300, root(&TileTree::new(Reader::new(&log), 512), 300).unwrap());
    let tile = fs::read(log.join("tile/1/000.p/2")).unwrap();
    fs::write(log.join("tile/1/000.p/1"), &tile[..32]).unwrap();
    let url = file_server(log).await;
    tokio::task::spawn_blocking(move || {
        let (_, tally) = verify(&Remote::new(&url).unwrap(), &identity()).unwrap();
        assert_eq!(tally.entries, 300);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_log_is_copied_with_its_issuers() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Holder::root("CN=root", 1);
    let key = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
    let roots = AcceptedRoots::new([authority.certificate.clone()]).unwrap();
    let log = CertificateLog::open(config(folder.path()), key.clone(), roots).unwrap();
    for n in 10..13 {
        let subject = p256::ecdsa::SigningKey::from_slice(&[n; 32]).unwrap();
        let certificate = authority.certify("CN=leaf", &subject, vec![constraints(false)]);
        log.issue(vec![certificate, authority.certificate.clone()], EntryKind::Certificate).await.unwrap();
    }
    let url = serve(sigveil_log::ct::router(log.clone())).await;
    let to = folder.path().join("copy");
    let identity = Identity::new(log.log().key().clone());
    tokio::task::spawn_blocking(move || {
        let remote = Remote::new(&url).unwrap();
        let copied = LocalCopy::open(&to, identity.clone()).unwrap().follow(&remote).unwrap();
        assert_eq!((copied.tally.entries, copied.tally.issuers.len()), (3, 1));
        assert_eq!(examine(&to, &identity).unwrap().findings, []);
        let issuer = format!("issuer/{}", Hash::of(&[&authority.certificate]).to_hex());
        damage(&to.join(&issuer));
        let findings = examine(&to, &identity).unwrap().findings;
        assert_eq!((findings[0].path.as_str(), findings[0].reason), (issuer.as_str(), "ct-no-issuer"));
        assert_eq!(complete(&to, &identity, &remote).unwrap().written, 1);
        damage(&to.join("tile/data/000.p/3"));
        assert_eq!(examine(&to, &identity).unwrap().findings[0].path, "tile/data/000.p/3");
    })
    .await
    .unwrap();
}
