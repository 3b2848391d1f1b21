//! The log behind its Rekor face, over loopback HTTP: durable entries with the inclusion proof in the answer.
//!
//! Client and server share this process and its cores; CPU per entry is of both together. Requests are signed
//! beforehand, every entry is another, and a run counts the answers 201 alone, checked against the growth of the tree.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use sigveil_log::engine::{Config, Log};
use sigveil_log::http::{Limits, serve};
use sigveil_log::note::NoteSigner;

use crate::row::{Row, Unit};
use crate::stats::quantile;
use crate::{Effort, machine};

/// Connections of each row's load.
const LOADS: [(&str, usize); 2] = [("sigveil_c1", 1), ("sigveil_c64", 64)];

pub(crate) fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(effort))
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let key = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let signer = NoteSigner::ed25519("localhost", key)?;
    let clock = Arc::new(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(0))
    });
    let log = Log::open(Config::new(folder.path(), signer, clock))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/api/v2/log/entries", listener.local_addr()?);
    let server = tokio::spawn(serve(listener, sigveil_log::rekor::router(log.clone()), Limits::default()));

    let mut rows = Vec::new();
    let mut seed = 0;
    for (name, connections) in LOADS {
        // Each sample is one block of requests, every block with entries of its own.
        let (blocks, requests) = match connections {
            1 => (effort.times(2, 6), 30),
            _ => (effort.times(2, 8), connections * effort.times(40, 100)),
        };
        let mut samples = Samples::default();
        for _ in 0..blocks {
            seed += 1;
            let bodies = requests_of(seed, requests)?;
            samples.add(block(&url, connections, bodies, folder.path()).await?);
        }
        rows.extend(samples.rows(name));
    }
    rows.push(Row::exact("sigveil_c64", "rss", Unit::Bytes, machine::rss()));
    server.abort();
    Ok(rows)
}

/// What one block of requests gave.
struct Block {
    rate: f64,
    latencies: Vec<f64>,
    cpu_per_entry: f64,
    bytes_per_entry: f64,
}

/// Sends the requests over so many connections, each as soon as the one before is answered.
async fn block(url: &str, connections: usize, bodies: Vec<Vec<u8>>, folder: &Path) -> anyhow::Result<Block> {
    let count = bodies.len();
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let (stored, cpu, start) = (bytes_under(folder), machine::cpu_seconds(), Instant::now());
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let (bodies, next, url) = (bodies.clone(), next.clone(), url.to_owned());
            tokio::spawn(async move {
                let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
                let mut latencies = Vec::new();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    let answer = client.post(&url).body(body.clone()).send().await?;
                    let status = answer.status();
                    let answer = answer.bytes().await?;
                    ensure!(status == 201, "answered {status}: {}", String::from_utf8_lossy(&answer));
                    latencies.push(sent.elapsed().as_secs_f64());
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(count);
    for worker in workers {
        latencies.extend(worker.await.context("a client died")??);
    }
    let wall = start.elapsed().as_secs_f64();
    ensure!(latencies.len() == count, "{} of {count} requests were answered", latencies.len());
    let entries = count as f64;
    Ok(Block {
        rate: entries / wall,
        latencies,
        cpu_per_entry: (machine::cpu_seconds() - cpu) / entries,
        bytes_per_entry: (bytes_under(folder) - stored) / entries,
    })
}

/// Requests with a public-key verifier, each with a digest of its own.
fn requests_of(seed: u64, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    use base64::Engine as _;
    use p256::pkcs8::EncodePublicKey as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let key = p256::ecdsa::SigningKey::random(&mut rng);
    let spki = base64(key.verifying_key().to_public_key_der()?.as_bytes());
    let request = |_| {
        let digest = Sha256::digest(rng.next_u64().to_be_bytes());
        let signature: p256::ecdsa::DerSignature = key.sign_prehash(&digest)?;
        let request = serde_json::json!({"hashedRekordRequestV002": {
            "digest": base64(&digest),
            "signature": {
                "content": base64(signature.as_bytes()),
                "verifier": {"publicKey": {"rawBytes": spki}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
            },
        }});
        Ok(serde_json::to_vec(&request)?)
    };
    (0..count).map(request).collect()
}

/// Bytes of all files under a folder.
fn bytes_under(folder: &Path) -> f64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0.0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_under(&entry.path()),
        Ok(data) => data.len() as f64,
        Err(_) => 0.0,
    };
    entries.flatten().map(size).sum()
}

/// The blocks of one load.
#[derive(Default)]
struct Samples(Vec<Block>);

impl Samples {
    fn add(&mut self, block: Block) {
        self.0.push(block);
    }

    fn rows(&self, name: &str) -> Vec<Row> {
        let over = |value: fn(&Block) -> f64| self.0.iter().map(value).collect::<Vec<_>>();
        vec![
            Row::over(name, "entries_per_s", Unit::PerSecond, &over(|b| b.rate)),
            Row::over(name, "p50", Unit::Seconds, &over(|b| quantile(&b.latencies, 0.5))),
            Row::over(name, "p99", Unit::Seconds, &over(|b| quantile(&b.latencies, 0.99))),
            Row::over(name, "cpu_per_entry", Unit::Seconds, &over(|b| b.cpu_per_entry)),
            Row::over(name, "bytes_per_entry", Unit::Bytes, &over(|b| b.bytes_per_entry)),
        ]
    }
}
