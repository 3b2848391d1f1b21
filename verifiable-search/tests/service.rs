//! The indexer over a real log, its output log run by the same engine, a re-executor beside it, and a
//! redaction that its coverage proof permits.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::*;
use ed25519_dalek::SigningKey;
use sigveil_log::engine::{Config, Log, RedactionPolicy};
use sigveil_verifiable_search::answer::{Answer, Place, Policy, Quorum};
use sigveil_verifiable_search::key::MapKey;
use sigveil_verifiable_search::service::{
    EngineLog, FolderLog, Indexer, InputLog, Inputs, LocalReexecutor, Reexecutor, router,
};
use std::path::Path;
use std::sync::Arc;

struct Running {
    log: Log,
    output: Log,
    inputs: Inputs,
}

fn clock() -> Arc<dyn Fn() -> u64 + Send + Sync> {
    Arc::new(|| NOW * 1000)
}

fn start(folder: &Path) -> Running {
    let open = |name: &str, seed: u8| {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::new(&folder, signer(name, seed), clock());
        let authorities = vec![SigningKey::from_bytes(&[9; 32]).verifying_key()];
        config.redaction = Some(RedactionPolicy { authorities, threshold: 1, witnesses: 0 });
        Log::open(config).unwrap()
    };
    let (log, output) = (open("log.example", 2), open("index.example", 1));
    let input: Arc<dyn InputLog> = Arc::new(FolderLog::of(&log));
    let inputs = Inputs::new(vec![input], vec![trust(b"trust root", &[&Ca::new(1)])]).unwrap();
    Running { log, output, inputs }
}

fn indexer(running: &Running) -> Arc<Indexer> {
    let signer = cosigner("reexecutor.example", 4);
    let reexecutor: Arc<dyn Reexecutor> =
        Arc::new(LocalReexecutor::new(running.inputs.clone(), signer, clock()));
    let output = Arc::new(EngineLog(running.output.clone()));
    Arc::new(Indexer::new(running.inputs.clone(), output, vec![reexecutor], 1))
}

fn policy(running: &Running) -> Policy {
    Policy {
        output: running.output.key().clone(),
        witnesses: Quorum::default(),
        reexecutors: Quorum { keys: vec![cosigner("reexecutor.example", 4).public().clone()], threshold: 1 },
        inputs: vec![running.log.key().clone()],
        authorities: (vec![SigningKey::from_bytes(&[9; 32]).verifying_key()], 1),
    }
}

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
    let running = start(folder.path());
    let (key, place) = (MapKey::label(&label_value(7)), Place { log: "log.example".to_owned(), index: 0 });
    let found = indexer(&running);
    assert_eq!(found.state().await.unwrap_err().reason(), "index-not-ready");
    running.log.append_opaque(labelled(&Ca::new(1), 7, 1)).await.unwrap();
    running.log.append_opaque(labelled(&Ca::new(1), 8, 2)).await.unwrap();
    assert_eq!(found.update().await, Ok(true));
    assert_eq!(found.update().await, Ok(false));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(found)).await });
    let (status, body) = get(address, &format!("/search/{key}")).await;
    let answer = Answer::from_json(&body).unwrap().verify(&key, &policy(&running)).unwrap();
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
    let again = indexer(&running);
    assert_eq!(again.update().await, Ok(false));
    let rebuilt = again.answer(&key, None).await.unwrap().verify(&key, &policy(&running)).unwrap();
    assert_eq!(rebuilt.value(), answer.value());

    let keys = again.entry_keys(&place).await.unwrap();
    let covered = again.coverage(&place).await.unwrap().verify(&policy(&running)).unwrap();
    let mut seen = MemoryLog::new("log.example");
    seen.leaves.push(covered.leaf_hash());
    let receipt = running.log.append_opaque(record(&seen, 0, &keys, 9)).await.unwrap();
    running.log.redact(receipt.index, covered).await.unwrap();
    assert_eq!(again.update().await, Ok(true));
    let after = again.answer(&key, None).await.unwrap().verify(&key, &policy(&running)).unwrap();
    assert!(after.entries()[0].redaction.is_some());
    // A new index, and a new re-executor, find the same map although the body is gone.
    let fresh = indexer(&running);
    assert_eq!(fresh.update().await, Ok(false));
    assert_eq!(
        fresh.answer(&key, None).await.unwrap().verify(&key, &policy(&running)).unwrap().value(),
        after.value()
    );
}
