//! The feed by NATS JetStream, over a real server: whatever ends and begins again, the stream has every entry once and in
//! order.
#![cfg(all(feature = "nats", feature = "postgres", feature = "s3"))]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context};
use common::servers::{Server, free_port};
use common::*;
use serde_json::Value;
use sigveil_log::engine::Log;
use sigveil_log::merkle::leaf_hash;
use sigveil_log::nats::{NatsFeed, message_id, stream_name, subject};
use sigveil_log::store::Reader;
use sigveil_log::whole::Identity;

/// The log's folder and the server's address, a line each: what a child process publishes. Without it the child's test does
/// nothing.
const PUBLISH: &str = "SIGVEIL_TEST_NATS";
const SOON: Duration = Duration::from_millis(10);

fn body(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn feed(log: &Path) -> NatsFeed {
    NatsFeed::new(Arc::new(Reader::new(log)), Identity::new(log_signer().public().clone()), SOON)
}

/// Not a test by itself: what a child process runs.
#[tokio::test]
async fn child() {
    let Ok(places) = std::env::var(PUBLISH) else { return };
    let (log, server) = places.split_once('\n').unwrap();
    let Err(error) = feed(Path::new(log)).publish(server).await;
    panic!("{error}");
}

/// A process that publishes, until it is killed.
struct Publisher(Child);

impl Publisher {
    fn start(log: &Path, server: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child"]).stdout(Stdio::null()).stderr(Stdio::null());
        Self(child.env(PUBLISH, format!("{}\n{server}", log.display())).spawn().unwrap())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn connect(server: &str) -> Context {
    let client = ConnectOptions::new().retry_on_initial_connect().connect(server).await.unwrap();
    jetstream::new(client)
}

/// The stream once it has so many messages; publishers make it.
async fn wait(context: &Context, messages: u64) -> Stream {
    loop {
        match context.get_stream(stream_name(ORIGIN)).await {
            Ok(stream) if stream.cached_info().state.last_sequence >= messages => return stream,
            _ => tokio::time::sleep(SOON).await,
        }
    }
}

/// The stream is the log's entries, in order and each once.
async fn check(stream: &Stream, entries: u64) {
    assert_eq!(stream.get_info().await.unwrap().state.messages, entries);
    for index in 0..entries {
        let message = stream.get_raw_message(index + 1).await.unwrap();
        assert_eq!(message.subject.as_str(), subject(ORIGIN));
        assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), message_id(ORIGIN, index));
        let data: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(
            (&data["index"], &data["leafHash"]),
            (&index.into(), &leaf_hash(&body(index)).to_base64().into())
        );
        assert!(index < data["treeSize"].as_u64().unwrap());
        assert_eq!(data.as_object().unwrap().len(), 3, "it says what the log's own feed says");
    }
}

async fn append(log: &Log, from: u64, to: u64) {
    for n in from..to {
        log.append_opaque(body(n)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_there_once_over_kills_of_publishers_and_a_server_that_is_away() {
    let (folder, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = free_port();
    let Some(nats) = Server::nats(store.path(), port) else { return };
    let server = format!("nats://127.0.0.1:{port}");
    let log = Log::open(config(folder.path())).unwrap();
    let place = folder.path().join("log");
    let context = connect(&server).await;
    append(&log, 0, 600).await;
    let writer = tokio::spawn({
        let log = log.clone();
        async move { append(&log, 600, 1500).await }
    });
    // Killed wherever it is, sometimes with another one beside it.
    for round in 0..6 {
        let _publisher = Publisher::start(&place, &server);
        let _other = (round % 3 == 2).then(|| Publisher::start(&place, &server));
        wait(&context, round * 130 + 1).await;
    }
    let publisher = Publisher::start(&place, &server);
    writer.await.unwrap();
    check(&wait(&context, 1500).await, 1500).await;
    // The server goes away under a publisher, and is away when another begins.
    nats.stop();
    append(&log, 1500, 1600).await;
    let nats = Server::nats(store.path(), port).unwrap();
    check(&wait(&context, 1600).await, 1600).await;
    drop(publisher);
    nats.stop();
    append(&log, 1600, 1700).await;
    let publisher = Publisher::start(&place, &server);
    let nats = Server::nats(store.path(), port).unwrap();
    check(&wait(&context, 1700).await, 1700).await;
    drop(publisher);
    // What was removed from the stream is not put there again.
    let stream = wait(&context, 1700).await;
    stream.purge().await.unwrap();
    append(&log, 1700, 1710).await;
    let _publisher = Publisher::start(&place, &server);
    let stream = wait(&context, 1710).await;
    assert_eq!(stream.get_info().await.unwrap().state.messages, 10);
    assert_eq!(
        stream.get_raw_message(1701).await.unwrap().headers.get("Nats-Msg-Id").unwrap().as_str(),
        message_id(ORIGIN, 1700)
    );
    nats.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_something_else_is_left_alone() {
    let (folder, other, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = free_port();
    let Some(nats) = Server::nats(store.path(), port) else { return };
    let server = format!("nats://127.0.0.1:{port}");
    let context = connect(&server).await;
    let log = Log::open(config(folder.path())).unwrap();
    append(&log, 0, 3).await;
    let publisher = Publisher::start(&folder.path().join("log"), &server);
    let stream = wait(&context, 3).await;
    drop(publisher);
    // Another log of the same origin and key, which has the same entries but for the last.
    let fork = Log::open(config(other.path())).unwrap();
    append(&fork, 0, 2).await;
    append(&fork, 100, 110).await;
    let Err(error) = feed(&other.path().join("log")).publish(&server).await;
    assert_eq!(error.reason(), "nats-stream-foreign");
    check(&stream, 3).await;
    // Somebody else's message, where the log's next would be.
    context.publish(subject(ORIGIN), "not an event".into()).await.unwrap().await.unwrap();
    append(&log, 3, 8).await;
    let Err(error) = feed(&folder.path().join("log")).publish(&server).await;
    assert_eq!(error.reason(), "nats-stream-foreign");
    assert_eq!(stream.get_info().await.unwrap().state.messages, 4);
    let Err(error) = feed(&folder.path().join("log")).publish("no address").await;
    assert_eq!(error.reason(), "nats-address");
    nats.stop();
}
