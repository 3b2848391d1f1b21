//! Load probe of the Rekor face on loopback: durable entries per second at 64 connections, and the median
//! latency of one client. Every entry is different and its signature is verified.
#![allow(clippy::unwrap_used, reason = "a probe fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sigveil_log::Hash;
use sigveil_log::engine::{Config, Log};
use sigveil_log::entry::{HashedRekord, KeyDetails, Signature, Verifier};
use sigveil_log::http::{Limits, serve};
use sigveil_log::note::NoteSigner;
use spki::EncodePublicKey as _;

fn request(number: usize) -> Vec<u8> {
    let key = p256::ecdsa::SigningKey::from_slice(&[4; 32]).unwrap();
    let digest = Hash::of(&[&number.to_be_bytes()]);
    let content: p256::ecdsa::DerSignature = key.sign_prehash(&digest.0).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap().into_vec();
    let signature = Signature {
        content: content.as_bytes().to_vec(),
        key_details: KeyDetails::EcdsaP256Sha256,
        verifier: Verifier::PublicKey(spki),
    };
    HashedRekord::new(digest.0.to_vec(), signature).unwrap().to_request()
}

async fn post(client: &reqwest::Client, url: &str, body: Vec<u8>) {
    let answer = client.post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.bytes().await.unwrap();
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let signer = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[1; 32])).unwrap();
    let clock = Arc::new(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
            .unwrap_or(0)
    });
    let log = Log::open(Config::new(folder.path(), signer, clock)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v2/log/entries", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, sigveil_log::rekor::router(log), Limits::default()));

    let requests: Arc<Vec<_>> = Arc::new((0..20_100).map(request).collect());
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for body in &requests[..100] {
        let begun = Instant::now();
        post(&client, &url, body.clone()).await;
        times.push(begun.elapsed());
    }
    times.sort();
    println!("1 client: p50 {:?}, p99 {:?}", times[50], times[98]);

    let next = Arc::new(AtomicUsize::new(100));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (client, url) = (reqwest::Client::new(), url.clone());
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tokio::spawn(async move {
                let mut times: Vec<Duration> = Vec::new();
                while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    post(&client, &url, body.clone()).await;
                    times.push(begun.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort();
    println!("64 connections: {rate:.0} entries/s, p50 {:?}", times[times.len() / 2]);
}
