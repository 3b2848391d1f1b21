//! Clients that mean harm, over raw sockets: each gets its refusal, nothing changes, and others are served.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[path = "hostile/held.rs"]
mod held;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use common::certificates::Holder;
use common::*;
use p256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sigveil_log::ct::CertificateLog;
use sigveil_log::engine::Log;
use sigveil_log::entry::{Entry, HashedRekord};
use sigveil_log::http::{ClientLimits, Limits, Rate, serve as serve_limited};
use sigveil_log::sct::AcceptedRoots;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ENTRIES: &str = "/api/v2/log/entries";

/// Limits that a test can wait for.
fn short(connections: usize) -> Limits {
    let time = Duration::from_millis(400);
    Limits { head: time, body: time, lifetime: 10 * time, connections, ..Limits::default() }
}

/// A log's face under these limits, and its address.
async fn start(folder: &std::path::Path, limits: Limits) -> (Log, String) {
    let log = Log::open(config(folder)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve_limited(listener, sigveil_log::rekor::router(log.clone()), limits));
    (log, address)
}

async fn send(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// What the server says until it closes: status and, of a problem document, the reason.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    // A reset after the answer is an end like another.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return (0, String::new()) };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let reason = problem["reason"].as_str().unwrap_or_default().to_owned();
    let is_problem = head.to_lowercase().contains("content-type: application/problem+json");
    assert!(is_problem != reason.is_empty() && (reason.is_empty() || problem["status"] == status), "{text}");
    (status, reason)
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n").into_bytes()
}

fn head(length: usize) -> Vec<u8> {
    format!("POST {ENTRIES} HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
        .into_bytes()
}

fn body(artifact: &[u8]) -> Vec<u8> {
    let Entry::HashedRekord(entry) = rekord(artifact) else { panic!("a hashedrekord") };
    entry.to_request()
}

async fn submit(address: &str, body: &[u8]) -> (u16, String) {
    answer(&mut send(address, &[head(body.len()).as_slice(), body].concat()).await).await
}

fn refused(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

/// Paths as no client library would send them. The file they are after lies beside the tiles.
#[tokio::test]
async fn no_path_leads_out_of_the_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), Limits::default()).await;
    assert_eq!(submit(&address, &body(b"artifact")).await.0, 201);
    assert!(folder.path().join("log/wal").exists());
    for path in [
        "/api/v2/tile/../wal",
        "/api/v2/tile/0/../../wal",
        "/api/v2/tile/%2e%2e/wal",
        "/api/v2/tile/..%2fwal",
        "/api/v2/tile/%2e%2e%2f%2e%2e%2fwal",
        "/api/v2/tile/0/..%2f..%2fwal",
        "/api/v2/tile//wal",
        "/api/v2/tile/%2fetc%2fpasswd",
        "/api/v2/tile/0/000.p/1%00",
        "/api/v2/tile/..%5cwal",
        "/api/v2/tile/%252e%252e/wal",
    ] {
        let (status, reason) = answer(&mut send(&address, &get(path)).await).await;
        assert_eq!((status, reason.as_str()), (404, "tile-unavailable"), "{path}");
    }
    // No path at all, or one that is none: there is nothing, or the request is no HTTP.
    for (path, status) in
        [("/../../wal", 404), ("/api/v2/../wal", 404), ("wal", 404), ("/api/v2/tile/%ff%fe", 400)]
    {
        assert_eq!(answer(&mut send(&address, &get(path)).await).await.0, status, "{path}");
    }
    assert_eq!(answer(&mut send(&address, &get("/api/v2/tile/0/000.p/1")).await).await.0, 200);
}

/// Every member of a good request in every other type, left out, null, twice, and with one more beside it.
fn bent(good: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        if !path.is_empty() {
            found.push(path.to_owned());
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            walk(member, &format!("{path}/{name}"), found);
        }
    }
    let mut paths = Vec::new();
    walk(good, "", &mut paths);
    let mut bodies = Vec::new();
    for path in paths {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let member = good.pointer(&path).unwrap();
        let others = [
            json!(null),
            json!(true),
            json!(7),
            json!(""),
            json!("!"),
            json!([]),
            json!({}),
            json!([member]),
        ];
        for other in others {
            let mut body = good.clone();
            *body.pointer_mut(&path).unwrap() = other;
            bodies.push(body.to_string());
        }
        let mut less = good.clone();
        less.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        bodies.push(less.to_string());
        let mut more = good.clone();
        let beside = more.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        beside.insert("surplus".to_owned(), json!(1));
        bodies.push(more.to_string());
        // The same member again, in front of itself: in text, since a value cannot say it.
        let text = good.to_string();
        bodies.push(text.replacen(&format!("\"{name}\":"), &format!("\"{name}\":{member},\"{name}\":"), 1));
    }
    bodies
}

/// A good request with each of its values of bytes in other spellings of the same bytes, of base64 and of DER, and one longer.
fn respelt(good: &Value) -> Vec<String> {
    let rekord = "/hashedRekordRequestV002";
    let mut bodies = Vec::new();
    for path in ["digest", "signature/content", "signature/verifier/publicKey/rawBytes"] {
        let path = format!("{rekord}/{path}");
        let text = good.pointer(&path).unwrap().as_str().unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        let mut others = vec![
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE.encode(&bytes),
            format!("{text}="),
            format!("{text}\n"),
            format!(" {text}"),
            STANDARD.encode([&bytes[..], &[0]].concat()),
        ];
        if bytes[0] == 0x30 {
            // A length of one byte in two.
            others.push(STANDARD.encode([&[0x30, 0x81], &bytes[1..]].concat()));
        }
        if let Some(last) = text.trim_end_matches('=').bytes().last().filter(|_| text.ends_with('=')) {
            // Bits that stand for nothing.
            let at = text.find('=').unwrap() - 1;
            let next = if last == b'z' { '0' } else { char::from(last + 1) };
            others.push(format!("{}{next}{}", &text[..at], &text[at + 1..]));
        }
        for other in others.into_iter().filter(|other| other != text) {
            let mut body = good.clone();
            *body.pointer_mut(&path).unwrap() = json!(other);
            bodies.push(body.to_string());
        }
    }
    bodies
}

#[tokio::test]
async fn every_body_that_is_not_the_form_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, address) = start(folder.path(), Limits::default()).await;
    let good = body(b"artifact");
    let mut bodies = bent(&serde_json::from_slice(&good).unwrap());
    assert!(bodies.len() > 80, "{} bodies", bodies.len());
    for open in ["[", "{\"a\":", "{\"hashedRekordRequestV002\":", "\"\\u0000", "1e", "[1,"] {
        bodies.push(open.repeat(60_000 / open.len()));
    }
    let respelt = respelt(&serde_json::from_slice(&good).unwrap());
    assert!(respelt.len() > 15, "{} bodies", respelt.len());
    bodies.extend(respelt);
    let text = String::from_utf8(good.clone()).unwrap();
    bodies.extend([text.clone() + "{}", text.clone() + "\0", format!("\u{feff}{text}"), format!("[{text}]")]);
    bodies.extend((0..text.len()).step_by(7).map(|cut| text[..cut].to_owned()));
    for body in bodies {
        let (status, reason) = submit(&address, body.as_bytes()).await;
        assert!(
            (400..500).contains(&status) && reason.starts_with("entry-"),
            "{status} {reason}: {body:.400}"
        );
    }
    let not_utf8 = [&good[..20], &[0xff, 0xfe], &good[20..]].concat();
    assert_eq!(submit(&address, &not_utf8).await, refused(400, "entry-malformed"));
    assert_eq!(submit(&address, &vec![b' '; 65_536]).await, refused(413, "entry-too-large"));
    let receipt = log.append(&rekord(b"artifact")).await.unwrap();
    assert_eq!((receipt.index, receipt.tree_size), (0, 1));
    assert!(HashedRekord::from_request(&good).is_ok());
}

/// The same of a certificate log: its chains, and the paths of its tiles and issuers.
#[tokio::test]
async fn a_certificate_log_refuses_what_is_not_the_form_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let leaf = root.certify("CN=leaf", &SigningKey::from_slice(&[9; 32]).unwrap(), vec![]);
    let roots = AcceptedRoots::new([root.certificate.clone()]).unwrap();
    let key = SigningKey::from_slice(&[5; 32]).unwrap();
    let log = CertificateLog::open(config(folder.path()), key, roots).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve_limited(listener, sigveil_log::ct::router(log.clone()), Limits::default()));
    let submit = async |body: &[u8]| {
        let head = format!(
            "POST /ct/v1/add-chain HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        answer(&mut send(&address, &[head.as_bytes(), body].concat()).await).await
    };

    let chain = [&leaf, &root.certificate].map(|der| STANDARD.encode(der));
    let good = json!({ "chain": chain });
    let text = good.to_string();
    let mut bodies = bent(&good);
    for (at, other) in
        [json!(null), json!(7), json!(""), json!("!"), json!([]), json!({})].into_iter().enumerate()
    {
        let mut body = good.clone();
        body["chain"][at % 2] = other;
        bodies.push(body.to_string());
    }
    bodies.extend(["[", "{\"chain\":[", "{\"chain\":", "1e"].map(|open| open.repeat(60_000 / open.len())));
    bodies.extend([text.clone() + "{}", text.clone() + "\0", format!("\u{feff}{text}"), format!("[{text}]")]);
    bodies.extend((0..text.len()).step_by(11).map(|cut| text[..cut].to_owned()));
    bodies.push(json!({ "chain": vec![&chain[0]; 1000] }).to_string());
    for body in bodies {
        let (status, reason) = submit(body.as_bytes()).await;
        assert!((400..500).contains(&status) && !reason.is_empty(), "{status} {reason}: {body:.400}");
    }
    let not_utf8 = [&text.as_bytes()[..20], &[0xff, 0xfe], &text.as_bytes()[20..]].concat();
    assert_eq!(submit(&not_utf8).await.0, 400);
    assert_eq!(submit(&vec![b' '; 2 << 20]).await, refused(413, "request-too-large"));
    for path in [
        "/tile/../wal",
        "/tile/%2e%2e%2fwal",
        "/tile/data/..%2f..%2fwal",
        "/issuer/..%2f..%2fwal",
        "/issuer/%00",
    ] {
        let (status, _) = answer(&mut send(&address, &get(path)).await).await;
        assert_eq!(status, 404, "{path}");
    }
    let note = log.log().checkpoint().unwrap();
    assert_eq!(String::from_utf8(note).unwrap().lines().nth(1), Some("0"));
    assert_eq!(submit(text.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn senders_that_are_slow_or_gone_lose_their_connection_only() {
    let folder = tempfile::tempdir().unwrap();
    let (log, address) = start(folder.path(), short(64)).await;
    let good = body(b"artifact");
    let started = [head(good.len()).as_slice(), &good[..good.len() / 2]].concat();
    // A body that stops, and one that comes a byte at a time, are over when the time is.
    let mut stopped = send(&address, &started).await;
    let mut dripping = send(&address, &head(good.len())).await;
    let (mut read, mut write) = dripping.split();
    let drip = async {
        for byte in &good {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut bytes = Vec::new();
    tokio::select! { () = drip => panic!("it was let through"), _ = read.read_to_end(&mut bytes) => {} }
    assert!(String::from_utf8_lossy(&bytes).starts_with("HTTP/1.1 408 "));
    assert_eq!(answer(&mut stopped).await, refused(408, "request-timeout"));
    // One that ends before its length is no request.
    let mut cut = send(&address, &started).await;
    cut.shutdown().await.unwrap();
    assert_eq!(answer(&mut cut).await, refused(400, "request-malformed"));
    // Chunks are counted as they come.
    let chunked = format!("POST {ENTRIES} HTTP/1.1\r\nHost: log\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut endless = send(&address, chunked.as_bytes()).await;
    let chunk = [b"8000\r\n".as_slice(), &[b' '; 0x8000], b"\r\n"].concat();
    for _ in 0..40 {
        if endless.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let (status, _) = answer(&mut endless).await;
    assert!(status == 413 || status == 0, "{status}: refused, or cut off while it still sent");
    // Heads that never end, or never begin, are dropped.
    for beginning in [b"".as_slice(), b"GET /api", b"GET / HTTP/1.1\r\nHost: log\r\nX-Slow: "] {
        assert_eq!(answer(&mut send(&address, beginning).await).await.0, 0);
    }
    assert_eq!(log.append(&rekord(b"artifact")).await.unwrap().index, 0);
}

/// More is not held for anybody, whatever is asked.
#[tokio::test]
async fn no_head_and_no_body_is_larger_than_any_request_of_a_face() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), Limits::default()).await;
    let with_body = |length: usize| {
        let head =
            format!("GET /healthz HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: {length}");
        [head.into_bytes(), b"\r\n\r\n".to_vec(), vec![b' '; length]].concat()
    };
    assert_eq!(answer(&mut send(&address, &with_body(256 << 10)).await).await.0, 200);
    let larger = answer(&mut send(&address, &with_body((256 << 10) + 1)).await).await;
    assert_eq!(larger, refused(413, "request-too-large"));
    let with_head = |length: usize| {
        let more = format!("\r\nX-More: {}\r\n\r\n", "x".repeat(length));
        String::from_utf8(get("/healthz")).unwrap().replacen("\r\n\r\n", &more, 1).into_bytes()
    };
    assert_eq!(answer(&mut send(&address, &with_head(32 << 10)).await).await.0, 200);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let _ = stream.write_all(&with_head(200 << 10)).await;
    let (status, _) = answer(&mut stream).await;
    assert!(status == 431 || status == 0, "{status}: refused, or cut off while what it sent was not read");
}

#[tokio::test]
async fn whoever_holds_every_connection_holds_them_for_a_while_only() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), short(8)).await;
    let mut held = Vec::new();
    for _ in 0..14 {
        held.push(send(&address, b"POST ").await);
    }
    assert_eq!(submit(&address, &body(b"artifact")).await.0, 201);
    drop(held);
}

/// What finds no place and no room to wait is told so at once, and who waits in vain is told at last.
#[tokio::test]
async fn whoever_comes_when_there_is_no_room_is_not_left_waiting() {
    let long = Duration::from_secs(3600);
    let crowded = refused(503, "too-many-connections");
    for (head_time, room) in [(long, 2), (Duration::from_millis(400), 3)] {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { head: head_time, body: long, waiting: room, ..short(1) };
        let (_log, address) = start(folder.path(), Limits { lifetime: long, ..limits }).await;
        let held = send(&address, head(100).as_slice()).await;
        let waiting = [send(&address, b"").await, send(&address, b"").await];
        assert_eq!(answer(&mut send(&address, b"").await).await, crowded, "{room}");
        drop((held, waiting));
    }
}

/// What is left unread of a question has its connection end by a reset, which may take the answer with it.
#[tokio::test]
async fn whoever_is_refused_a_connection_can_read_why_though_it_has_asked_already() {
    let none = Limits { connections: 0, waiting: 0, ..Limits::default() };
    for (limits, status) in [(none, "503"), (per_client(None, Some(0)), "429")] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let question = [head(20_000), vec![b' '; 20_000]].concat();
        let mut stream = send(&address, &question).await;
        // It is there before anybody looks.
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::spawn(serve_limited(listener, axum::Router::new(), limits));
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.ends_with('}'), "{said}");
    }
}

/// Somebody asks and asks and reads no answer, until neither side can write any more.
#[tokio::test]
async fn whoever_does_not_read_holds_a_connection_for_a_while_only() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) =
        start(folder.path(), Limits { lifetime: Duration::from_millis(400), ..short(1) }).await;
    let question = b"GET /api/v2/tile/0/000 HTTP/1.1\r\nHost: log\r\n\r\n".repeat(1000);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    while let Ok(Ok(())) = tokio::time::timeout(Duration::from_millis(200), stream.write_all(&question)).await
    {
    }
    assert_eq!(submit(&address, &body(b"artifact")).await.0, 201);
    drop(stream);
}

#[tokio::test]
async fn requests_by_the_thousand_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (log, address) = start(folder.path(), Limits { connections: 32, ..Limits::default() }).await;
    let tasks: Vec<_> = (0..1000u32)
        .map(|n| {
            let address = address.clone();
            tokio::spawn(async move {
                let body = if n % 10 == 0 { body(&n.to_be_bytes()) } else { b"{}".to_vec() };
                (n, submit(&address, &body).await)
            })
        })
        .collect();
    for task in tasks {
        let (n, answered) = task.await.unwrap();
        let expected = if n % 10 == 0 { (201, String::new()) } else { refused(400, "entry-malformed") };
        assert_eq!(answered, expected, "request {n}");
    }
    assert_eq!(log.append(&rekord(b"last")).await.unwrap().index, 100);
}

/// Limits of each client, of those on this machine too.
fn per_client(rate: Option<Rate>, connections: Option<usize>) -> Limits {
    Limits { client: ClientLimits { rate, connections, loopback: true }, ..Limits::default() }
}

/// A connection from another address of this machine, and what was sent by it.
async fn from(client: &str, address: &str, bytes: &[u8]) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    // What is refused is not taken to its end.
    let _ = stream.write_all(bytes).await;
    stream
}

/// What is answered to this from there, whole.
async fn ask_from(client: &str, address: &str, bytes: &[u8]) -> String {
    let mut stream = from(client, address, bytes).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn whoever_asks_too_fast_is_told_when_to_come_again_and_others_are_not_held_up() {
    let folder = tempfile::tempdir().unwrap();
    let rate = Rate { burst: 3, every: Duration::from_secs(3600) };
    let (_log, address) = start(folder.path(), per_client(Some(rate), None)).await;
    for _ in 0..2 {
        assert_eq!(answer(&mut send(&address, &get("/healthz")).await).await.0, 200);
    }
    // A connection that goes on is counted by its requests; what is refused without a body does not end it.
    let question = b"GET /healthz HTTP/1.1\r\nHost: log\r\n\r\n".repeat(2);
    let said = ask_from("127.0.0.1", &address, &[&question, get("/healthz").as_slice()].concat()).await;
    let statuses: Vec<_> = said.matches("HTTP/1.1 429 ").collect();
    assert!(said.starts_with("HTTP/1.1 200 ") && statuses.len() == 2, "{said}");
    let wait = said.split_once("retry-after: ").unwrap().1.split_once("\r\n").unwrap().0;
    assert!((1..=3600).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    assert_eq!(submit(&address, &body(b"artifact")).await, refused(429, "rate-limited"));
    // Such an answer is a problem document.
    let refusal = refusal(reqwest::get(format!("http://{address}/healthz")).await.unwrap()).await;
    assert_eq!(refusal, refused(429, "rate-limited"));
    for client in ["127.0.0.2", "127.0.0.3"] {
        let said = ask_from(client, &address, &[head(0).as_slice(), b""].concat()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    }
}

#[tokio::test]
async fn whoever_holds_too_many_connections_gets_no_other_and_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), per_client(None, Some(2))).await;
    let mut held = vec![send(&address, b"GET ").await, send(&address, b"GET ").await];
    assert_eq!(answer(&mut send(&address, b"").await).await, refused(429, "too-many-connections"));
    let said = ask_from("127.0.0.2", &address, &get("/healthz")).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    // The place of one that ends is free again.
    drop(held.pop());
    while answer(&mut send(&address, &get("/healthz")).await).await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(held);
}

#[tokio::test]
async fn nobody_takes_every_place_of_a_feed() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), per_client(None, Some(100))).await;
    let question = b"GET /api/sigveil/v1/events HTTP/1.1\r\nHost: log\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = send(&address, question).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    let question = get("/api/sigveil/v1/events");
    assert_eq!(answer(&mut send(&address, &question).await).await, refused(429, "too-many-connections"));
    let other =
        tokio::time::timeout(Duration::from_millis(300), ask_from("127.0.0.2", &address, &question)).await;
    assert!(other.is_err(), "another follows, and its answer goes on");
    // Whoever leaves makes room, though nothing is published.
    drop(held.pop());
    loop {
        let mut stream = send(&address, &question).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        if &answer == b"HTTP/1.1 200" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn this_machine_is_not_limited_unless_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let limits = per_client(Some(Rate { burst: 1, every: Duration::from_secs(3600) }), Some(0));
    let limits = Limits { client: ClientLimits { loopback: false, ..limits.client }, ..limits };
    let (_log, address) = start(folder.path(), limits).await;
    for _ in 0..3 {
        assert_eq!(answer(&mut send(&address, &get("/healthz")).await).await.0, 200);
    }
}
