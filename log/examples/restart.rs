//! How long a log takes to start, and what memory it takes: `restart FOLDER ENTRIES` fills the log in a folder up to so
//! many entries of 600 bytes without a face before it, stops it, and opens it again in a process of its own. Of the filling it
//! says how long the slowest 4,096 entries took too: those that wait while a file of leaves is written.
#![allow(clippy::unwrap_used, reason = "a probe fails by panicking")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{Config, Log};
use sigveil_log::note::NoteSigner;

fn open(folder: &Path) -> (Log, u64) {
    let signer = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[1; 32])).unwrap();
    let log = Log::open(Config::new(folder, signer, Arc::new(|| 0))).unwrap();
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let size = opened.checkpoint().size;
    (log, size)
}

fn body(number: u64) -> Vec<u8> {
    format!("{number:0600}").into_bytes()
}

/// Most memory that this process had, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

async fn fill(folder: &Path, entries: u64) {
    let (log, size) = open(folder);
    let begun = Instant::now();
    let (mut next, mut longest) = (size, Duration::ZERO);
    while next < entries {
        let (end, since) = (entries.min(next + 4096), Instant::now());
        let append = |number: u64| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(body(number)).await.unwrap() })
        };
        for task in (next..end).map(append).collect::<Vec<_>>() {
            task.await.unwrap();
        }
        (next, longest) = (end, longest.max(since.elapsed()));
    }
    let took = begun.elapsed();
    println!(
        "{} entries in {took:?}, 4,096 in {longest:?} at most, peak memory {:.0} MiB",
        entries - size,
        peak()
    );
    log.stop().await;
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let (folder, entries) = (Path::new(&arguments[1]), arguments[2].parse().unwrap());
    if entries > 0 {
        fill(folder, entries).await;
        Command::new(&arguments[0]).args([&arguments[1], "0"]).status().unwrap();
        return;
    }
    let begun = Instant::now();
    let (log, size) = open(folder);
    println!("{size} entries: open after {:?}, peak memory {:.0} MiB", begun.elapsed(), peak());
    log.stop().await;
}
