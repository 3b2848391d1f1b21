//! SIGKILL under load: a child process writes and acknowledges over a pipe, and is killed at random moments, while it
//! recovers too. What it acknowledged is there afterwards, once and in its place, and no size has two trees.
//!
//! A soak goes on until so many entries are acknowledged:
//! `SIGVEIL_TEST_SOAK=1000000 cargo test --release -p sigveil-log --test kill at_any_moment -- --nocapture`.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::*;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore as _;
use sigveil_log::engine::{Config, Log};

/// Folder in which a child writes; without it, the child's test does nothing.
const FOLDER: &str = "SIGVEIL_TEST_KILL_FOLDER";
/// Number of the child, so that all bodies differ.
const ROUND: &str = "SIGVEIL_TEST_KILL_ROUND";
const ROUNDS: u32 = 24;
/// Tasks of a child that write, and the longest time until it is killed, microseconds.
fn load() -> (u32, u32) {
    if soak().is_some() { (1024, 4_000_000) } else { (16, 120_000) }
}

/// Witnessed, and with so small a write-ahead log that trimming it is killed too.
fn killed(folder: &Path) -> Config {
    match soak() {
        Some(_) => Config { wal_limit: 256 << 10, batch_size: 512, known_height: 12, ..witnessed(folder) },
        None => Config { wal_limit: 8 << 10, batch_size: 64, known_height: 8, ..witnessed(folder) },
    }
}

/// Not a test by itself: what the child process runs.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let round = std::env::var(ROUND).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let log = Log::open(killed(Path::new(&folder))).unwrap();
    let writers: Vec<_> = (0..load().0)
        .map(|writer| {
            let (log, round) = (log.clone(), round.clone());
            runtime.spawn(async move {
                for n in 0.. {
                    let body = format!("{round}/{writer}/{n}");
                    let receipt = log.append_opaque(body.clone().into_bytes()).await.unwrap();
                    // One write, shorter than a pipe's buffer: whole or, if this dies, not at all.
                    let line = format!("\n{}\n", acknowledged::line(&receipt, &body));
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| runtime.block_on(writer).unwrap());
}

/// Starts a child, and kills it some time after its start or its first acknowledgement.
fn run_and_kill(folder: &Path, round: u32, rng: &mut ChaCha20Rng, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(line) = line.strip_prefix("ack ") {
                sender.send(line.to_owned()).unwrap();
            }
        }
    });
    // Every other one is let past its start.
    if round.is_multiple_of(2) {
        acknowledged.note(&receiver.recv().unwrap());
    }
    std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % load().1)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    receiver.iter().for_each(|line| acknowledged.note(&line));
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let mut rng = lots();
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut round = 0;
    while round < ROUNDS || acknowledged.bodies.len() < soak().unwrap_or(0) {
        run_and_kill(folder.path(), round, &mut rng, &mut acknowledged);
        round += 1;
    }
    let log = Log::open(killed(folder.path())).unwrap();
    let said = acknowledged.check(&log);
    assert!(acknowledged.bodies.len() >= ROUNDS as usize / 2, "the children wrote");
    println!("{round} kills; {said}");
}

#[test]
fn a_second_process_does_not_write_to_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    // Without its witness, whose folder has a lock of its own: that of the log alone is to refuse.
    let _log = Log::open(config(folder.path())).unwrap();
    let before = std::fs::read(folder.path().join("log/checkpoint")).unwrap();
    let second = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .env(ROUND, "0")
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("value: Locked"), "{second:?}");
    assert_eq!(std::fs::read(folder.path().join("log/checkpoint")).unwrap(), before);
}
