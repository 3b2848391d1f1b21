//! The indexer over a real log, its output log run by the same engine, a re-executor beside it, and a
//! redaction that its coverage proof permits.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::running::*;
use common::*;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::note::NoteKey;
use sigveil_verifiable_search::answer::{Answer, Place};
use sigveil_verifiable_search::index::LogEntries;
use sigveil_verifiable_search::key::MapKey;
use sigveil_verifiable_search::service::{
    EngineLog, FolderLog, Indexer, InputLog, Inputs, LocalReexecutor, Reexecutor as _, Unavailable, router,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[split + 4..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_is_found_redacted_and_found_as_a_tombstone() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (key, place) = (MapKey::label(&label_value(7)), Place { log: LOG.to_owned(), index: 0 });
    let found = running.indexer();
    assert_eq!(found.state().await.unwrap_err().reason(), "index-not-ready");
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    running.log.append_opaque(labelled(&Ca::new(1), 8, 2)).await.unwrap();
    assert_eq!(found.update().await, Ok(true));
    assert_eq!(found.update().await, Ok(false));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(found)).await });
    let (status, body) = get(address, &format!("/search/{key}")).await;
    let answer = Answer::from_json(&body).unwrap().verify(&key, &running.policy()).unwrap();
    assert_eq!((status, answer.entries().len()), (200, 1));
    for (path, expected) in [
        ("/healthz", 200),
        ("/checkpoint", 200),
        ("/state", 200),
        ("/tile/0/000.p/1", 200),
        ("/key-list?log=log.example&index=1", 200),
        ("/coverage?log=log.example&index=2", 404),
        ("/search/zz", 400),
        ("/tile/entries/..", 400),
        ("/pir", 501),
        ("/epochs/1", 501),
        ("/buckets/a", 501),
    ] {
        assert_eq!(get(address, path).await.0, expected, "{path}");
    }

    // Started again, the index is rebuilt from the two logs and says the same.
    let again = running.indexer();
    assert_eq!(again.update().await, Ok(false));
    let rebuilt = again.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
    assert_eq!(rebuilt.value(), answer.value());

    let keys = again.entry_keys(&place).await.unwrap();
    let covered = again.coverage(&place).await.unwrap().verify(&running.policy()).unwrap();
    let about = record_about(LOG, 0, covered.leaf_hash(), &keys, 9);
    let receipt = running.log.append(&about).await.unwrap();
    running.log.redact(receipt.index, covered).await.unwrap();
    assert_eq!(again.update().await, Ok(true));
    let after = again.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
    assert!(after.entries()[0].redaction.is_some());
    // A new index, and a new re-executor, find the same map although the body is gone.
    let fresh = running.indexer();
    assert_eq!(fresh.update().await, Ok(false));
    assert_eq!(
        fresh.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap().value(),
        after.value()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reexecutor_confirms_nothing_under_a_trust_root_that_another_has_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (old, new) = (trust(b"old", &[&Ca::new(1)]), trust(b"new", &[&Ca::new(1), &Ca::new(2)]));
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    assert_eq!(running.indexer_under(vec![old.clone()]).update().await, Ok(true));
    let note = running.output.checkpoint().unwrap();
    let checkpoint = VerifiedCheckpoint::open(&note, running.output.key(), &[]).unwrap();
    let confirm = |trusts| {
        let key = cosigner("reexecutor.example", 4);
        let reexecutor = LocalReexecutor::new(running.inputs(trusts), key, clock());
        reexecutor.cosign(&EngineLog(running.output.clone()), checkpoint.checkpoint()).map(drop)
    };
    assert_eq!(confirm(vec![old.clone()]), Ok(()));
    assert_eq!(confirm(vec![old, new]).unwrap_err().reason(), "reexecute-old-trust-root");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trust_root_may_return_before_any_log_has_grown() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (a, b) = (trust(b"a", &[&Ca::new(1)]), trust(b"b", &[&Ca::new(1), &Ca::new(2)]));
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    let key = MapKey::label(&label_value(7));
    let mut roots = Vec::new();
    for (size, next) in (1..).zip([&a, &b, &a, &b]) {
        roots.push(next.clone());
        let indexer = running.indexer_under(roots.clone());
        assert_eq!(indexer.update().await, Ok(true));
        assert_eq!(indexer.update().await, Ok(false));
        let found = indexer.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
        assert_eq!(found.state().leaf().trust_root, next.digest());
        assert_eq!(found.state().checkpoint().size, size);
    }
    running.log.append_opaque(labelled(&Ca::new(2), 7, 2)).await.unwrap();
    let indexer = running.indexer_under(roots);
    assert_eq!(indexer.update().await, Ok(true));
    let found = indexer.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
    assert_eq!(found.entries().len(), 2);
}

/// A log on a disk that answers only once somebody else has done something.
struct SlowLog {
    log: FolderLog,
    released: Mutex<Receiver<()>>,
}

impl InputLog for SlowLog {
    fn key(&self) -> &NoteKey {
        self.log.key()
    }

    fn checkpoint(&self) -> Result<Vec<u8>, Unavailable> {
        self.log.checkpoint()
    }

    fn entries(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<LogEntries, Unavailable> {
        let released = self.released.lock().unwrap().recv_timeout(Duration::from_secs(20));
        released.map_err(|_| Unavailable("nobody else could run".to_owned()))?;
        self.log.entries(tree, begin, end)
    }
}

/// A log whose checkpoint another witness has cosigned since, once that is said.
struct Renewed {
    log: FolderLog,
    is: AtomicBool,
}

impl InputLog for Renewed {
    fn key(&self) -> &NoteKey {
        self.log.key()
    }

    fn checkpoint(&self) -> Result<Vec<u8>, Unavailable> {
        let bytes = self.log.checkpoint()?;
        if !self.is.load(Ordering::SeqCst) {
            return Ok(bytes);
        }
        let opened = VerifiedCheckpoint::open(&bytes, self.key(), &[]).unwrap();
        let mut note = opened.note().clone();
        note.add(cosigner("late.example", 8).sign(opened.checkpoint(), NOW));
        Ok(note.to_string().into_bytes())
    }

    fn entries(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<LogEntries, Unavailable> {
        self.log.entries(tree, begin, end)
    }
}

/// Verifiers ask how old the cosignatures are: what is served keeps up with them though there is nothing new to index.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_witnesses_have_cosigned_again_is_served_without_a_new_entry() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    let log = Arc::new(Renewed { log: FolderLog::of(&running.log), is: AtomicBool::new(false) });
    let inputs = Inputs::new(vec![log.clone()], vec![trust(b"trust root", &[&Ca::new(1)])]).unwrap();
    let indexer = Indexer::new(inputs, Arc::new(EngineLog(running.output.clone())), Vec::new(), 0);
    assert_eq!(indexer.update().await, Ok(true));
    let before = indexer.state().await.unwrap();
    log.is.store(true, Ordering::SeqCst);
    assert_eq!(indexer.update().await, Ok(false));
    let after = indexer.state().await.unwrap();
    assert_eq!((&after.leaf, &after.checkpoint), (&before.leaf, &before.checkpoint));
    assert!(after.inputs[0].starts_with(&before.inputs[0]));
    assert!(after.inputs[0][before.inputs[0].len()..].contains("late.example"));
}

/// On a runtime with one thread: while the indexer waits for its files, other tasks go on.
#[tokio::test(flavor = "current_thread")]
async fn reading_and_indexing_leave_the_runtime_free() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    let (release, released) = channel();
    let slow = SlowLog { log: FolderLog::of(&running.log), released: Mutex::new(released) };
    let inputs = Inputs::new(vec![Arc::new(slow)], vec![trust(b"trust root", &[&Ca::new(1)])]).unwrap();
    let output = Arc::new(EngineLog(running.output.clone()));
    let indexer = Indexer::new(inputs, output, Vec::new(), 0);
    let (updated, ()) = tokio::join!(indexer.update(), async { release.send(()).unwrap() });
    assert_eq!(updated, Ok(true));
}

/// Whoever gives up waiting leaves no index behind that is ahead of its output log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_given_up_half_way_is_made_up_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let indexer = running.indexer();
    for artifact in 1..6 {
        running.log.append_opaque(labelled(&Ca::new(1), 7, artifact)).await.unwrap();
        let given_up =
            tokio::time::timeout(Duration::from_micros(400 * u64::from(artifact)), indexer.update());
        let _ = given_up.await;
        indexer.update().await.unwrap();
        let key = MapKey::label(&label_value(7));
        let found = indexer.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
        assert_eq!(found.entries().len(), usize::from(artifact));
    }
}
