//! The feed: every published entry once its checkpoint is, in order, from where a reader left it.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use serde_json::Value;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Log};
use sigveil_log::merkle::leaf_hash;

/// A reader of server-sent events.
struct Follower {
    answer: reqwest::Response,
    text: String,
}

impl Follower {
    async fn begin(url: &str, query: &str, last: Option<&str>) -> reqwest::Response {
        let request = reqwest::Client::new().get(format!("{url}/api/sigveil/v1/events{query}"));
        last.into_iter()
            .fold(request, |request, id| request.header("last-event-id", id))
            .send()
            .await
            .unwrap()
    }

    async fn new(url: &str, query: &str, last: Option<&str>) -> Self {
        let answer = Self::begin(url, query, last).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        let mut follower = Self { answer, text: String::new() };
        assert_eq!(follower.block().await, "retry: 1000");
        follower
    }

    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return block;
            }
            let piece = self.answer.chunk().await.unwrap().expect("the feed goes on");
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }

    /// The next event's index, with its data.
    async fn next(&mut self) -> (u64, Value) {
        let block = self.block().await;
        let lines: Vec<_> = block.lines().collect();
        let [id, "event: entry", data] = lines[..] else { panic!("{block:?}") };
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let index = id.strip_prefix("id: ").unwrap().parse().unwrap();
        assert_eq!(data["index"], index);
        (index, data)
    }
}

fn size(log: &Log) -> u64 {
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    opened.checkpoint().size
}

fn body(n: u32) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_told_in_order_from_where_a_reader_left() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    for n in 0..3 {
        log.append_opaque(body(n)).await.unwrap();
    }
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let mut all = Follower::new(&url, "?from=0", None).await;
    // Feeds are told right after answers are given.
    log.published().wait_for(|size| *size == 3).await.unwrap();
    let mut new = Follower::new(&url, "", None).await;
    for n in 3..600 {
        log.append_opaque(body(n)).await.unwrap();
    }
    for n in 0..600 {
        let (index, data) = all.next().await;
        assert_eq!(index, u64::from(n));
        assert_eq!(data["leafHash"], leaf_hash(&body(n)).to_base64());
        let covered = data["treeSize"].as_u64().unwrap();
        assert!(index < covered && covered <= size(&log), "only what is published is told");
    }
    assert_eq!(new.next().await.0, 3, "without a beginning, what comes next");
    drop(all);
    let mut resumed = Follower::new(&url, "?from=0", Some("254")).await;
    for index in 255..258 {
        assert_eq!(resumed.next().await.0, index, "what the reader says it had goes before the address");
    }
    // Another start of the log, another server: the reader goes on.
    log.stop().await;
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let mut resumed = Follower::new(&url, "", Some("598")).await;
    assert_eq!(resumed.next().await.0, 599);
    log.append_opaque(body(600)).await.unwrap();
    assert_eq!(resumed.next().await.0, 600);
    for (query, last) in [("?from=-1", None), ("?from=x", None), ("", Some("x")), ("?from=0", Some("007"))] {
        let refused = refusal(Follower::begin(&url, query, last).await).await;
        assert_eq!(refused, (400, "request-malformed".to_owned()), "{query} {last:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_follow_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let mut followers = Vec::new();
    for _ in 0..256 {
        followers.push(Follower::new(&url, "", None).await);
    }
    let refused = refusal(Follower::begin(&url, "", None).await).await;
    assert_eq!(refused, (503, "log-busy".to_owned()));
    // Whoever leaves makes room, though nothing is published.
    drop(followers.pop());
    while Follower::begin(&url, "", None).await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_told_all_of_a_log_that_has_ended_is_not_asked_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    log.append_opaque(body(0)).await.unwrap();
    log.freeze().await.unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let mut follower = Follower::new(&url, "?from=0", None).await;
    assert_eq!(follower.next().await.0, 0);
    assert_eq!(Follower::begin(&url, "", Some("0")).await.status(), 204);
    assert_eq!(Follower::begin(&url, "?from=1", None).await.status(), 204);
    // Also when it is opened again.
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log)).await;
    assert_eq!(Follower::begin(&url, "", Some("0")).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_told_all_of_a_log_that_has_stopped_is_asked_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    log.append_opaque(body(0)).await.unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    log.stop().await;
    // Its thread goes on for a moment after it has answered.
    let mut published = log.published();
    while published.changed().await.is_ok() {}
    for (query, last) in [("", Some("0")), ("?from=1", None), ("", None)] {
        let answer = Follower::begin(&url, query, last).await;
        assert_eq!(answer.headers().get("retry-after").unwrap(), "5");
        assert_eq!(refusal(answer).await, (503, "log-unavailable".to_owned()), "{query} {last:?}");
    }
    // What is there is told.
    let mut follower = Follower::new(&url, "?from=0", None).await;
    assert_eq!(follower.next().await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_durable_and_not_published_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(&folder.path().join("witness"), vec![log_signer().public().clone()]);
    let outage = Outage::of(Arc::new(witness), false);
    let mut config = config(folder.path());
    config.witnesses = vec![outage.clone()];
    config.witness_threshold = 1;
    config.witness_retry = Duration::from_millis(5);
    let log = Log::open(config).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let mut follower = Follower::new(&url, "?from=0", None).await;
    assert_eq!(log.append_opaque(body(0)).await, Err(AppendError::Unwitnessed));
    assert!(tokio::time::timeout(Duration::from_millis(100), follower.next()).await.is_err());
    outage.set(true);
    assert_eq!(follower.next().await.0, 0);
    assert_eq!(size(&log), 1);
}
