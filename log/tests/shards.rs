//! Logs that end, logs one after the other, and replicas that follow.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use ed25519_dalek::SigningKey;
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log, OpenError};
use sigveil_log::entry::Entry;
use sigveil_log::note::NoteSigner;
use sigveil_log::shards::{Period, Shards};
use sigveil_log::store::{ReadError, Reader};
use sigveil_log::tile::{TileError, TilePath, TileSource};
use sigveil_log::whole::{Identity, LocalCopy, Remote, Replica, Source, verify};

fn request(artifact: &[u8]) -> Vec<u8> {
    let Entry::HashedRekord(entry) = rekord(artifact) else { panic!("a hashedrekord") };
    entry.to_request()
}

async fn get(url: String) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_face_of_a_frozen_log_says_so_and_another_checkpoint_is_not_its_last() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    log.freeze().await.unwrap();
    let last = log.checkpoint().unwrap();
    let url = serve(sigveil_log::rekor::router(log)).await;
    let refused = refusal(post(&format!("{url}/api/v2/log/entries"), request(b"late")).await).await;
    assert_eq!(refused, (410, "log-frozen".to_owned()));
    assert_eq!(get(format!("{url}/api/v2/checkpoint")).await, (200, String::from_utf8(last).unwrap()));
    let frozen = folder.path().join("log/frozen");
    let another = tempfile::tempdir().unwrap();
    let other = Log::open(config(another.path())).unwrap();
    other.append_opaque(b"other".to_vec()).await.unwrap();
    std::fs::write(frozen, other.checkpoint().unwrap()).unwrap();
    assert!(matches!(Log::open(config(folder.path())), Err(OpenError::PublishedDiffers)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_not_frozen_before_its_last_checkpoint_is_witnessed() {
    let folder = tempfile::tempdir().unwrap();
    let unwitnessed = || Config { witness_threshold: 1, ..config(folder.path()) };
    let log = Log::open(unwitnessed()).unwrap();
    assert_eq!(log.append_opaque(b"entry".to_vec()).await, Err(AppendError::Unwitnessed));
    assert_eq!(log.freeze().await.unwrap_err().reason(), "log-unwitnessed");
    assert!(!log.is_frozen());
    assert_eq!(log.append_opaque(b"other".to_vec()).await, Err(AppendError::Unwitnessed), "it goes on");
    log.stop().await;
    assert_eq!(log.freeze().await.unwrap_err().reason(), "log-unavailable");
}

fn period(folder: &Path, name: &str, key: u8, from: u64, until: u64) -> Period {
    let signer =
        NoteSigner::ed25519(&format!("log.example/{name}"), SigningKey::from_bytes(&[key; 32])).unwrap();
    let config = Config {
        batch_age: Duration::from_millis(1),
        ..Config::new(&folder.join(name), signer, Arc::new(|| NOW))
    };
    Period { name: name.to_owned(), from, until, config }
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_take_entries_one_after_the_other_and_are_all_read() {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicU64::new(150));
    let open = || {
        let periods = vec![period(folder.path(), "a", 1, 100, 200), period(folder.path(), "b", 2, 200, 300)];
        let time = Arc::clone(&time);
        Shards::open(periods, Arc::new(move || time.load(Ordering::SeqCst))).unwrap()
    };
    let shards = open();
    let url = serve(shards.router()).await;
    let submit = |name: &str, artifact: &'static [u8]| {
        let url = format!("{url}/{name}/api/v2/log/entries");
        async move { post(&url, request(artifact)).await }
    };
    assert_eq!(submit("a", b"first").await.status(), 201);
    assert_eq!(refusal(submit("b", b"first").await).await, (503, "log-unavailable".to_owned()));
    assert_eq!(shards.current().unwrap().name(), "a");
    time.store(200, Ordering::SeqCst);
    // The period is over at once, whenever the shard is frozen.
    assert_eq!(refusal(submit("a", b"second").await).await, (410, "log-frozen".to_owned()));
    assert_eq!(submit("b", b"first").await.status(), 201, "another log: no duplicate");
    assert_eq!(shards.current().unwrap().name(), "b");
    shards.freeze_past().await.unwrap();
    assert!(shards.all()[0].log().is_frozen() && !shards.all()[1].log().is_frozen());
    let listed: serde_json::Value = serde_json::from_str(&get(format!("{url}/shards")).await.1).unwrap();
    assert_eq!(listed[0]["origin"], "log.example/a");
    assert_eq!((&listed[0]["frozen"], &listed[1]["frozen"]), (&true.into(), &false.into()));
    let identities: Vec<_> = shards
        .all()
        .iter()
        .map(|shard| (shard.name().to_owned(), Identity::new(shard.log().key().clone())))
        .collect();
    let base = url.clone();
    tokio::task::spawn_blocking(move || {
        for (name, identity) in identities {
            let (_, tally) =
                verify(&Remote::new(&format!("{base}/{name}/api/v2")).unwrap(), &identity).unwrap();
            assert_eq!(tally.entries, 1, "{name}");
        }
    })
    .await
    .unwrap();
    assert_eq!(refusal(reqwest::get(format!("{url}/c/api/v2/checkpoint")).await.unwrap()).await.0, 404);
    for shard in shards.all() {
        shard.log().stop().await;
    }
    // Started again after all periods, all are frozen and read.
    time.store(300, Ordering::SeqCst);
    let shards = open();
    shards.freeze_past().await.unwrap();
    assert!(shards.all().iter().all(|shard| shard.log().is_frozen()) && shards.current().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_frozen_keeps_no_other_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let [mut first, second] =
        [("a", 1), ("b", 2)].map(|(name, key)| period(folder.path(), name, key, 100, 200));
    // It knows no log, so it cosigns none.
    first.config.witnesses = vec![Arc::new(witness(&folder.path().join("witness"), Vec::new()))];
    first.config.witness_threshold = 1;
    let shards = Shards::open(vec![first, second], Arc::new(|| 200)).unwrap();
    assert_eq!(shards.freeze_past().await.unwrap_err().reason(), "log-unwitnessed");
    assert!(!shards.all()[0].log().is_frozen() && shards.all()[1].log().is_frozen());
}

/// A log whose reading ends the thread that reads, once it is told to.
struct Fatal(Reader, Arc<AtomicBool>);

impl TileSource for Fatal {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        self.0.read_tile(path)
    }
}

impl Source for Fatal {
    fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        assert!(!self.1.load(Ordering::SeqCst), "the thread that follows ends here");
        self.0.checkpoint()
    }

    fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.issuer(fingerprint)
    }
}

#[tokio::test]
async fn a_replica_whose_thread_has_ended_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let (identity, ends) = (Identity::new(log.key().clone()), Arc::new(AtomicBool::new(false)));
    let copy = LocalCopy::open(&folder.path().join("replica"), identity.clone()).unwrap();
    let source = Fatal(log.reader().clone(), ends.clone());
    let replica = Replica::start(copy, &identity, source, Duration::from_millis(5)).unwrap();
    let url = serve(replica.router()).await;
    for (end, status) in [(false, 200), (true, 503)] {
        ends.store(end, Ordering::SeqCst);
        while get(format!("{url}/readyz")).await.0 != status {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_serves_what_its_log_publishes_and_goes_on_when_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    log.append_opaque(b"first".to_vec()).await.unwrap();
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let face = sigveil_log::rekor::router(log.clone());
    let url = server.spawn(async move { serve(face).await }).await.unwrap();
    let identity =
        Identity { witnesses: vec![log_witness()], threshold: 1, ..Identity::new(log.key().clone()) };
    let to = folder.path().join("replica");
    let start = |url: String| {
        let (to, identity) = (to.clone(), identity.clone());
        tokio::task::spawn_blocking(move || {
            let copy = LocalCopy::open(&to, identity.clone()).unwrap();
            let remote = Remote::new(&format!("{url}/api/v2")).unwrap();
            Replica::start(copy, &identity, remote, Duration::from_millis(20)).unwrap()
        })
    };
    let replica = start(url.clone()).await.unwrap();
    let own = serve(replica.router()).await;
    let mut published = replica.published();
    published.wait_for(|size| *size == 1).await.unwrap();
    for n in 0..400u32 {
        log.append_opaque(n.to_be_bytes().to_vec()).await.unwrap();
    }
    published.wait_for(|size| *size == 401).await.unwrap();
    for path in
        ["api/v2/checkpoint", "api/v2/tile/0/000", "api/v2/tile/0/001.p/145", "api/v2/tile/entries/000"]
    {
        assert_eq!(get(format!("{own}/{path}")).await, get(format!("{url}/{path}")).await, "{path}");
    }
    let own_identity = identity.clone();
    let base = own.clone();
    let (opened, _) =
        tokio::task::spawn_blocking(move || verify(&Remote::new(&base).unwrap(), &own_identity).unwrap())
            .await
            .unwrap();
    assert_eq!(opened.checkpoint().size, 401);
    assert_eq!(refusal(post(&format!("{own}/api/v2/log/entries"), request(b"x")).await).await.0, 404);
    while get(format!("{own}/readyz")).await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Who follows the replica is told what it serves.
    let mut events = reqwest::get(format!("{own}/api/sigveil/v1/events?from=400")).await.unwrap();
    let mut told = String::new();
    while !told.contains("\"index\":400") {
        told += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    // The log is gone: what was copied is served, and whoever asks learns that it is not followed.
    server.shutdown_background();
    while get(format!("{own}/readyz")).await.0 != 503 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(format!("{own}/api/v2/tile/0/000")).await.0, 200);
    drop((replica, events));
    let opened = VerifiedCheckpoint::open(&std::fs::read(to.join("checkpoint")).unwrap(), log.key(), &[]);
    assert_eq!(opened.unwrap().checkpoint().size, 401);
}
