//! Load probe of a log that two processes serve over PostgreSQL and an S3 server, both started for it on loopback:
//! `front_ends [CONNECTIONS] [ENTRIES]`, 512 and 20,000 if not given. Durable entries per second through both Rekor faces,
//! latencies, then how long it takes until the other answers when the one that publishes is killed. Every entry is
//! different and its signature is verified.
#![allow(clippy::unwrap_used, reason = "a probe fails by panicking")]
#![allow(dead_code, reason = "what it shares with the tests and other probes it uses in part")]

#[path = "load/client.rs"]
mod client;
#[path = "../tests/common/mod.rs"]
mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use client::{post, request};
use common::servers::{Labelled, Server, bucket};
use sigveil_log::engine::{Config, Log, Shared};
use sigveil_log::http::{Limits, serve};
use tokio::net::TcpStream;

/// A process that serves.
struct FrontEnd {
    child: Child,
    address: String,
}

impl FrontEnd {
    fn start(database: &str, endpoint: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child =
            Command::new(program).args(["serve", database, endpoint]).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    async fn is_publishing(&self) -> bool {
        let metrics = reqwest::get(format!("http://{}/metrics", self.address)).await.unwrap();
        metrics.text().await.unwrap().contains("sigveil_log_publishing{origin=\"log.example\"} 1")
    }

    /// Processor seconds so far.
    fn cpu(&self) -> f64 {
        client::cpu(&format!("/proc/{}/stat", self.child.id()))
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn front_end(database: &str, endpoint: &str) {
    let shared =
        Shared::new(Arc::new(Labelled::new(database, "probe")), Some(Arc::new(bucket(endpoint, "probe"))));
    let folder = std::env::temp_dir();
    let config = Config::new(&folder, common::log_signer(), Arc::new(|| common::NOW));
    let log = Log::open(Config { shared: Some(shared), ..config }).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    serve(listener, sigveil_log::rekor::router(log), Limits::default()).await;
}

async fn load(front_ends: &[FrontEnd; 2], connections: usize, entries: usize) {
    let mut streams = Vec::new();
    for n in 0..connections {
        streams.push(TcpStream::connect(&front_ends[n % 2].address).await.unwrap());
    }
    let used = || front_ends.iter().map(FrontEnd::cpu).sum();
    client::load(streams, entries, "both front ends' processor", used).await;
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [mode, database, endpoint] = &arguments[..]
        && mode == "serve"
    {
        return front_end(database, endpoint).await;
    }
    let mut numbers = arguments.iter().map(|argument| argument.parse::<usize>().unwrap());
    let (connections, entries) = (numbers.next().unwrap_or(512), numbers.next().unwrap_or(20_000));
    let (database, objects) = (Server::postgres(&[]).unwrap(), Server::s3().unwrap());
    let start = || FrontEnd::start(&database.address(), &objects.endpoint());
    let mut front_ends = [start(), start()];
    load(&front_ends, connections, entries).await;
    let mut times = Vec::new();
    for n in 0..11 {
        while !front_ends[0].is_publishing().await {
            front_ends.swap(0, 1);
        }
        let [publishing, other] = front_ends;
        let mut stream = TcpStream::connect(&other.address).await.unwrap();
        // Killed and waited for: from then on, nobody publishes.
        drop(publishing);
        let begun = Instant::now();
        post(&mut stream, &request(entries + n), &mut Vec::new()).await;
        times.push(begun.elapsed());
        front_ends = [other, start()];
    }
    times.sort();
    println!(
        "the one that publishes killed: the other answers after {:?} (median), {:?} (most of {})",
        times[times.len() / 2],
        times[times.len() - 1],
        times.len()
    );
    drop(front_ends);
    database.stop();
    objects.stop();
}
