//! Load probe of the Rekor face on loopback: `load [CONNECTIONS] [ENTRIES]`, 64 and 20,000 if not given. Durable entries
//! per second, latencies, and processor time per entry of server and client together. Every entry is different and its
//! signature is verified.
#![allow(clippy::unwrap_used, reason = "a probe fails by panicking")]

mod client;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use client::{cpu, load};
use ed25519_dalek::SigningKey;
use sigveil_log::engine::{Config, Log};
use sigveil_log::http::{Limits, serve};
use sigveil_log::note::NoteSigner;
use tokio::net::TcpStream;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let (connections, entries) = (arguments.next().unwrap_or(64), arguments.next().unwrap_or(20_000));
    let folder = tempfile::tempdir_in(".").unwrap();
    let signer = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[1; 32])).unwrap();
    let clock = Arc::new(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
            .unwrap_or(0)
    });
    let log = Log::open(Config::new(folder.path(), signer, clock)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, sigveil_log::rekor::router(log), Limits::default()));

    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    load(streams, entries, "processor", || cpu("/proc/self/stat")).await;
}
