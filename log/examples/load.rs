//! Load probe of the Rekor face on loopback: `load [CONNECTIONS] [ENTRIES]`, 64 and 20,000 if not given. Durable entries
//! per second, latencies, and processor time per entry of server and client together. Every entry is different and its
//! signature is verified.
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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request with its head.
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
    let body = HashedRekord::new(digest.0.to_vec(), signature).unwrap().to_request();
    let head =
        format!("POST /api/v2/log/entries HTTP/1.1\r\nhost: log\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

/// Sends a request and reads its answer, which must be 201.
async fn post(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    let whole = loop {
        stream.read_buf(buffer).await.unwrap();
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap();
        assert!(head.starts_with("HTTP/1.1 201"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        break end + 4 + length.parse::<usize>().unwrap();
    };
    while buffer.len() < whole {
        stream.read_buf(buffer).await.unwrap();
    }
}

/// Processor seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

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

    let requests: Arc<Vec<_>> = Arc::new((0..entries).map(request).collect());
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(TcpStream::connect(address).await.unwrap());
    }
    let next = Arc::new(AtomicUsize::new(0));
    let (used, begun) = (cpu(), Instant::now());
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            tokio::spawn(async move {
                let (mut times, mut buffer) = (Vec::<Duration>::new(), Vec::new());
                while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    post(&mut stream, request, &mut buffer).await;
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
    let each = 1000.0 * (cpu() - used) / times.len() as f64;
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{connections} connections: {rate:.0} entries/s, p50 {p50:?}, p99 {p99:?}, {each:.3} ms of processor each"
    );
}
