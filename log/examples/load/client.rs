//! What load probes of the Rekor face share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use sigveil_log::Hash;
use sigveil_log::entry::{HashedRekord, KeyDetails, Signature, Verifier};
use spki::EncodePublicKey as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request with its head.
pub fn request(number: usize) -> Vec<u8> {
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
pub async fn post(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) {
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

/// Sends so many different entries over these connections, each as soon as the one before it is answered, and prints what
/// came of it: `used` gives the processor seconds of whatever `of` says.
pub async fn load(streams: Vec<TcpStream>, entries: usize, of: &str, used: impl Fn() -> f64) {
    let requests: Arc<Vec<_>> = Arc::new((0..entries).map(request).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let connections = streams.len();
    let (before, begun) = (used(), Instant::now());
    let one_by_one = |mut stream: TcpStream| {
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
    };
    let tasks: Vec<_> = streams.into_iter().map(one_by_one).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    let each = 1000.0 * (used() - before) / times.len() as f64;
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{connections} connections: {rate:.0} entries/s, p50 {p50:?}, p99 {p99:?}, {each:.3} ms of {of} each"
    );
}

/// Processor seconds of a process, from its `stat`.
pub fn cpu(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
