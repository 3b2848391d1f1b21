//! The HTTP faces on loopback, as clients see them.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::*;
use serde_json::Value;
use sigveil_log::Hash;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::engine::Log;
use sigveil_log::entry::{Entry, HashedRekord};
use sigveil_log::merkle::{leaf_hash, verify_inclusion};
use sigveil_log::note::NoteSigner;
use sigveil_log::witness::{AddCheckpoint, HttpWitness, Refusal, Witness, router as witness_router};

fn request(entry: &Entry) -> Vec<u8> {
    let Entry::HashedRekord(entry) = entry else { panic!("a hashedrekord") };
    entry.to_request()
}

#[tokio::test]
async fn a_stock_client_gets_a_complete_log_entry() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let entry = rekord(b"artifact");
    let answer = post(&format!("{url}/api/v2/log/entries"), request(&entry)).await;
    assert_eq!(answer.status(), 201);
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["kindVersion"], serde_json::json!({"kind": "hashedrekord", "version": "0.0.2"}));
    assert_eq!(answer["integratedTime"], "0");
    assert_eq!(answer["logIndex"], "0");
    assert!(answer["inclusionPromise"].is_null());
    let body = STANDARD.decode(answer["canonicalizedBody"].as_str().unwrap()).unwrap();
    let Entry::HashedRekord(rekord) = &entry else { panic!("a hashedrekord") };
    let signature = STANDARD.encode(&rekord.signature().content);
    let spki = rekord.signature().verifier.spki().unwrap();
    let spki = STANDARD.encode(der::Encode::to_der(&spki).unwrap());
    let digest = STANDARD.encode(rekord.digest());
    let expected = format!(
        r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signature":{{"content":"{signature}","verifier":{{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{{"rawBytes":"{spki}"}}}}}}}}}}}}"#
    );
    assert_eq!(String::from_utf8(body.clone()).unwrap(), expected);
    let proof = &answer["inclusionProof"];
    let root = Hash::from_base64(proof["rootHash"].as_str().unwrap()).unwrap();
    verify_inclusion(&leaf_hash(&body), 0, 1, &[], &root).unwrap();
    let envelope = proof["checkpoint"]["envelope"].as_str().unwrap();
    let opened = VerifiedCheckpoint::open(envelope.as_bytes(), log.key(), &[]).unwrap();
    assert_eq!(opened.checkpoint().root, root);
    let key_id = STANDARD.decode(answer["logId"]["keyId"].as_str().unwrap()).unwrap();
    assert_eq!(key_id[..4], opened.note().signatures()[0].key_id);

    let again = post(&format!("{url}/api/v2/log/entries"), request(&entry)).await;
    assert_eq!((again.status().as_u16(), &again.headers()["x-log-index"]), (409, &"0".parse().unwrap()));
    let served = reqwest::get(format!("{url}/api/v2/checkpoint")).await.unwrap().bytes().await.unwrap();
    assert_eq!(served, envelope.as_bytes());
    let tile = reqwest::get(format!("{url}/api/v2/tile/0/000.p/1")).await.unwrap().bytes().await.unwrap();
    assert_eq!(tile, leaf_hash(&body).0[..]);
    for missing in ["api/v2/tile/0/001", "api/v2/tile/0/../../wal", "api/v2/tile/data/000", "wal"] {
        assert_eq!(reqwest::get(format!("{url}/{missing}")).await.unwrap().status(), 404, "{missing}");
    }
}

#[tokio::test]
async fn an_entry_with_a_certificate_keeps_it_byte_for_byte() {
    use common::certificates::{Holder, constraints, extension};
    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::rekor::router(Log::open(config(folder.path())).unwrap())).await;
    let issuer = Holder::root("CN=issuer", 1);
    let san = extension("2.5.29.17".parse().unwrap(), true, b"\x30\x03\x86\x01a".to_vec());
    let certificate = issuer.certify("CN=leaf", &entry_key(), vec![constraints(false), san]);
    let entry = certified_rekord(b"artifact", certificate.clone());
    let answer = post(&format!("{url}/api/v2/log/entries"), request(&entry)).await;
    assert_eq!(answer.status(), 201);
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let body = STANDARD.decode(answer["canonicalizedBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, entry.body());
    let body: Value = serde_json::from_slice(&body).unwrap();
    let verifier = &body["spec"]["hashedRekordV002"]["signature"]["verifier"];
    let expected = serde_json::json!({
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "x509Certificate": { "rawBytes": STANDARD.encode(&certificate) },
    });
    assert_eq!(verifier, &expected);
    // The same signature under a certificate of another key, and under none that can be read.
    let other = issuer.certify("CN=leaf", &issuer.key, vec![]);
    for (verifier, reason) in [(other, "entry-bad-signature"), (certificate[1..].to_vec(), "entry-bad-key")] {
        let body = request(&certified_rekord(b"artifact", verifier));
        let answer = post(&format!("{url}/api/v2/log/entries"), body).await;
        assert_eq!(refusal(answer).await, (400, reason.to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_in_the_tree_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::rekor::router(Log::open(config(folder.path())).unwrap())).await;
    let get = |path: String| {
        let url = format!("{url}/api/{path}");
        async move { refusal(reqwest::get(url).await.unwrap()).await }
    };
    let missing = |reason: &str| (404, reason.to_owned());
    let largest = u64::MAX;
    assert_eq!(get("sigveil/v1/entries/0".into()).await, missing("log-no-entry"));
    assert_eq!(post(&format!("{url}/api/v2/log/entries"), request(&rekord(b"artifact"))).await.status(), 201);
    for index in [1, 255, 1 << 40, largest] {
        assert_eq!(get(format!("sigveil/v1/entries/{index}")).await, missing("log-no-entry"));
        assert_eq!(get(format!("sigveil/v1/sealed/{index}")).await, missing("sealed-none"));
    }
    assert_eq!(get("sigveil/v1/sealed/0".into()).await, missing("sealed-none"));
    for index in ["18446744073709551616", "-1", "0x0", "1.0", "%00", "..%2f0"] {
        let malformed = (400, "request-malformed".to_owned());
        assert_eq!(get(format!("sigveil/v1/entries/{index}")).await, malformed, "{index}");
        assert_eq!(get(format!("sigveil/v1/sealed/{index}")).await, malformed, "{index}");
    }
    // Tiles beyond the tree, of widths and levels that are none, and in spellings that are not the one of tlog-tiles.
    for tile in [
        "0/001",
        "0/000",
        "0/000.p/2",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "1/000.p/1",
        "63/000",
        "64/000",
        "-1/000",
        "0/x000/000",
        "0/0",
        "0/0000",
        "0/1000",
        "entries/001",
        "entries/000.p/2",
        "data/000.p/1",
        "0/x999/x999/x999/x999/x999/x999/999",
        "0/000.p/1/",
        "0//000.p/1",
        "0/000.p/+1",
        "0/000.p/%31%00",
        "..%2fwal",
        "entries/..%2f..%2fwal",
        "0/000.p/1%2f..%2f1",
    ] {
        assert_eq!(get(format!("v2/tile/{tile}")).await, missing("tile-unavailable"), "{tile}");
    }
    assert_eq!(reqwest::get(format!("{url}/api/v2/tile/0/000.p/1")).await.unwrap().status(), 200);
}

/// The status, and what caches and clients are told, of a refusal.
async fn told(url: String) -> (u16, String, String, bool) {
    let answer = reqwest::get(url).await.unwrap();
    let cache = answer.headers()["cache-control"].to_str().unwrap().to_owned();
    let later = answer.headers().contains_key("retry-after");
    let (status, reason) = refusal(answer).await;
    (status, reason, cache, later)
}

#[tokio::test]
async fn storage_that_fails_is_not_taken_for_what_is_not_there_and_no_cache_keeps_either() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    let missing = |reason: &str| (404, reason.to_owned(), "no-store".to_owned(), false);
    assert_eq!(told(format!("{url}/api/v2/tile/0/001")).await, missing("tile-unavailable"));
    assert_eq!(told(format!("{url}/api/sigveil/v1/sealed/0")).await, missing("sealed-none"));
    assert_eq!(told(format!("{url}/api/sigveil/v1/entries/1")).await, missing("log-no-entry"));
    // A folder in a file's place is there and cannot be read.
    let failing = (503, "log-unreadable".to_owned(), "no-store".to_owned(), true);
    for (name, path) in [
        ("tile/entries/000.p/1", "api/v2/tile/entries/000.p/1"),
        ("tile/0/000.p/1", "api/v2/tile/0/000.p/1"),
        ("sealed/0", "api/sigveil/v1/sealed/0"),
        ("checkpoint", "api/v2/checkpoint"),
    ] {
        let file = folder.path().join("log").join(name);
        let _ = std::fs::remove_file(&file);
        std::fs::create_dir_all(&file).unwrap();
        assert_eq!(told(format!("{url}/{path}")).await, failing, "{path}");
    }
    assert_eq!(told(format!("{url}/api/sigveil/v1/entries/0")).await, failing);
    std::fs::remove_dir(folder.path().join("log/checkpoint")).unwrap();
    assert_eq!(told(format!("{url}/api/v2/checkpoint")).await, missing("checkpoint-unavailable"));
}

#[tokio::test]
async fn caches_keep_hashes_for_ever_and_never_what_a_redaction_erases() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let (entry, payload) = sealed(b"value");
    log.append_sealed(&entry, &payload).await.unwrap();
    for (path, cache) in [
        ("api/v2/checkpoint", "no-cache"),
        ("api/v2/tile/0/000.p/1", "public, max-age=31536000, immutable"),
        ("api/v2/tile/entries/000.p/1", "public, max-age=60"),
        ("api/sigveil/v1/entries/0", "no-store"),
        ("api/sigveil/v1/sealed/0", "no-store"),
    ] {
        let answer = reqwest::get(format!("{url}/{path}")).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["cache-control"]),
            (200, &cache.parse().unwrap())
        );
    }
}

/// Whatever lies in the folder: what is beyond the published tree is not looked for.
#[tokio::test]
async fn no_tile_beyond_the_published_tree_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    for name in ["tile/0/000.p/2", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"] {
        let file = folder.path().join("log").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, [7; 32 * 256]).unwrap();
        let answer = refusal(reqwest::get(format!("{url}/api/v2/{name}")).await.unwrap()).await;
        assert_eq!(answer, (404, "tile-unavailable".to_owned()), "{name}");
    }
    assert_eq!(reqwest::get(format!("{url}/api/v2/tile/0/000.p/1")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn bad_requests_get_one_reason_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let good = String::from_utf8(request(&rekord(b"artifact"))).unwrap();
    let digest = STANDARD.encode(Hash::of(&[b"artifact"]).0);
    let other = STANDARD.encode(Hash::of(&[b"other"]).0);
    let cases = [
        (good.replace(&digest, &other), 400, "entry-bad-signature"),
        (good.replace(&digest, "AAAA"), 400, "entry-digest-length"),
        (good.replacen("\"digest\"", "\"unknown\":1,\"digest\"", 1), 400, "entry-malformed"),
        (good.replacen("\"digest\"", "\"digest\":\"AAAA\",\"digest\"", 1), 400, "entry-malformed"),
        (good.replace("P256_SHA_256", "P384_SHA_384"), 400, "entry-digest-length"),
        (good.replace("PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"), 400, "entry-unsupported-key"),
        (good.replace("PKIX_ECDSA_P256_SHA_256", "PKIX_RSA_PKCS1V15_2048_SHA256"), 400, "entry-key-mismatch"),
        (good.replacen("\"rawBytes\":\"", "\"rawBytes\":\"AAAA", 1), 400, "entry-bad-key"),
        (good.replace("hashedRekordRequestV002", "dsseRequestV002"), 501, "entry-kind-not-served"),
        ("{}".to_owned(), 400, "entry-malformed"),
        (String::new(), 400, "entry-malformed"),
        ("[".repeat(60_000), 400, "entry-malformed"),
        (" ".repeat(65_536), 413, "entry-too-large"),
    ];
    for (body, status, reason) in cases {
        let answer = post(&format!("{url}/api/v2/log/entries"), body.clone().into_bytes()).await;
        let refused = refusal(answer).await;
        assert_eq!(refused, (status, reason.to_owned()), "{}", &body[..body.len().min(300)]);
    }
    let unknown = br#"{"apiVersion":"0.0.1","kind":"withheld","spec":{}}"#.to_vec();
    let answer = post(&format!("{url}/api/sigveil/v1/entries"), unknown).await.text().await.unwrap();
    assert!(answer.contains("entry-unknown-kind"), "{answer}");
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    assert_eq!(opened.checkpoint().size, 0);
    assert!(HashedRekord::from_request(good.as_bytes()).unwrap().verify().is_ok());
}

#[tokio::test]
async fn a_sealed_entry_is_submitted_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::rekor::router(Log::open(config(folder.path())).unwrap())).await;
    let (entry, mut payload) = sealed(b"value");
    let submit = |payload: &sigveil_log::entry::SealedPayload| {
        let entry: Value = serde_json::from_slice(&entry.body()).unwrap();
        serde_json::to_vec(&serde_json::json!({"entry": entry, "payload": payload})).unwrap()
    };
    let good = submit(&payload);
    payload.fields[0].salt[0] ^= 1;
    let answer = post(&format!("{url}/api/sigveil/v1/sealed"), submit(&payload)).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("entry-commitment-mismatch"));
    assert_eq!(post(&format!("{url}/api/sigveil/v1/sealed"), good).await.status(), 201);
    let body = reqwest::get(format!("{url}/api/sigveil/v1/entries/0")).await.unwrap().bytes().await.unwrap();
    assert_eq!(body, entry.body());
    payload.fields[0].salt[0] ^= 1;
    let kept = reqwest::get(format!("{url}/api/sigveil/v1/sealed/0")).await.unwrap().bytes().await.unwrap();
    assert_eq!(kept, payload.to_bytes());
}

#[tokio::test]
async fn the_witness_goes_forward_only() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let mut notes = Vec::new();
    for n in 0..2u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        notes.push((receipt.checkpoint.to_string(), receipt.proof));
    }
    let logs = vec![log.key().clone()];
    let witness = Arc::new(witness(&folder.path().join("witness"), logs));
    let url = format!("{}/add-checkpoint", serve(witness_router(witness)).await);
    let proof = format!("{}\n", leaf_hash(&[1]).to_base64());
    let send = |text: String| {
        let url = url.clone();
        async move {
            let answer = post(&url, text.into_bytes()).await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(send("nonsense".to_owned()).await.0, 400);
    assert_eq!(send(format!("old 3\n\n{}", notes[1].0)).await.0, 400);
    assert_eq!(send(format!("old 0\n\n{}", notes[0].0.replace(ORIGIN, "unknown.example"))).await.0, 404);
    assert_eq!(send(format!("old 0\n\n{}", notes[0].0.replacen("\n1\n", "\n2\n", 1))).await.0, 403);
    assert_eq!(send(format!("old 0\n{proof}\n{}", notes[0].0)).await.0, 422);
    let (status, line) = send(format!("old 0\n\n{}", notes[0].0)).await;
    assert_eq!(status, 200);
    assert!(line.starts_with("— witness.example "));
    assert_eq!(send(format!("old 0\n\n{}", notes[1].0)).await, (409, "1\n".to_owned()));
    assert_eq!(send(format!("old 1\n\n{}", notes[1].0)).await.0, 422);
    assert_eq!(send(format!("old 1\n{proof}\n{}", notes[1].0)).await.0, 200);
    assert_eq!(send(format!("old 1\n{proof}\n{}", notes[1].0)).await, (409, "2\n".to_owned()));
    let long = format!("old 0\n{}\n{}", proof.repeat(64), notes[0].0);
    assert_eq!(AddCheckpoint::parse(long.as_bytes()).unwrap_err().reason(), "witness-malformed");
}

#[tokio::test]
async fn a_witness_writes_what_is_new_and_what_it_has_not_made_durable_itself() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let mut notes = Vec::new();
    for n in 0..2u8 {
        notes.push(log.append_opaque(vec![n]).await.unwrap().checkpoint.to_string());
    }
    let to = folder.path().join("witness");
    let open = || witness(&to, vec![log.key().clone()]);
    let send = |witness: &Witness, text: String| {
        witness.add_checkpoint(&AddCheckpoint::parse(text.as_bytes()).unwrap()).map(drop)
    };
    let first = format!("old 0\n\n{}", notes[0]);
    let again = format!("old 1\n\n{}", notes[0]);
    let second = format!("old 1\n{}\n\n{}", leaf_hash(&[1]).to_base64(), notes[1]);
    let running = open();
    send(&running, first).unwrap();
    let name = Hash::of(&[ORIGIN.as_bytes()]).to_hex();
    // A file that is written takes the place of the one that stood there, which stays until then.
    let written = || std::fs::metadata(to.join(&name)).unwrap().ino();
    let before = written();
    send(&running, again.clone()).unwrap();
    assert_eq!(written(), before, "it is durable already");
    // A write that fails leaves in doubt what is durable.
    let temporary = to.join(format!("{name}.tmp~"));
    std::fs::create_dir(&temporary).unwrap();
    assert_eq!(send(&running, second), Err(Refusal::Storage));
    std::fs::remove_dir(&temporary).unwrap();
    send(&running, again.clone()).unwrap();
    let after = written();
    assert_ne!(after, before);
    // What is only read at the start may be what a crash left before it was synced.
    drop(running);
    let running = open();
    send(&running, again.clone()).unwrap();
    let after_start = written();
    assert_ne!(after_start, after);
    send(&running, again).unwrap();
    assert_eq!(written(), after_start);
}

#[tokio::test]
async fn whatever_the_framework_refuses_is_a_problem_document() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::rekor::router(Log::open(config(folder.path())).unwrap())).await;
    let (entries, client) = (format!("{url}/api/v2/log/entries"), reqwest::Client::new());
    let index = format!("{url}/api/sigveil/v1/entries/18446744073709551616");
    let answers = [
        (client.post(&entries).body(vec![b' '; 300 << 10]), 413, "request-too-large"),
        (client.get(&entries), 405, "method-not-allowed"),
        (client.get(index), 400, "request-malformed"),
    ];
    for (request, status, reason) in answers {
        assert_eq!(refusal(request.send().await.unwrap()).await, (status, reason.to_owned()));
    }
    let (entry, payload) = sealed(b"value");
    let twice = String::from_utf8(entry.body()).unwrap().replacen("{\"", "{\"kind\":\"sealed\",\"", 1);
    let payload = String::from_utf8(payload.to_bytes()).unwrap();
    let body = format!(r#"{{"entry":{twice},"payload":{payload}}}"#);
    let answer = post(&format!("{url}/api/sigveil/v1/sealed"), body.into_bytes()).await.text().await.unwrap();
    assert!(answer.contains("a member stands twice"), "{answer}");
}

/// A witness that gives the same answer to everything, slowly if there is a delay.
async fn fixed(answer: String, delay: Duration) -> HttpWitness {
    let handler = move || async move {
        tokio::time::sleep(delay).await;
        answer
    };
    let url = serve(Router::new().route("/add-checkpoint", axum::routing::post(handler))).await;
    let key = cosigner().public().clone();
    HttpWitness::new(&url, key, Duration::from_millis(200)).unwrap()
}

fn cosigner() -> NoteSigner {
    NoteSigner::cosignature("witness.example", ed25519_dalek::SigningKey::from_bytes(&[3; 32])).unwrap()
}

#[tokio::test]
async fn a_witness_over_http_cosigns_and_slow_or_lying_ones_do_not_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let logs = vec![log_signer().public().clone()];
    let url = serve(witness_router(Arc::new(witness(&folder.path().join("witness"), logs)))).await;
    let good = HttpWitness::new(&url, cosigner().public().clone(), Duration::from_secs(5)).unwrap();
    let mut good_config = config(folder.path());
    good_config.witnesses = vec![Arc::new(good)];
    good_config.witness_threshold = 1;
    let log = Log::open(good_config).unwrap();
    for n in 0..3u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        let known = [cosigner().public().clone()];
        VerifiedCheckpoint::open_witnessed(receipt.checkpoint.as_bytes(), log.key(), &known, 1).unwrap();
    }
    // A cosignature by the right key over another checkpoint is a lie that only verification shows.
    let other = Checkpoint::new(ORIGIN, 9, Hash([9; 32]));
    let lie = fixed(format!("{}\n", cosigner().sign(&other, NOW)), Duration::ZERO).await;
    let endless = fixed("x".repeat(1 << 20), Duration::ZERO).await;
    let slow = fixed(String::new(), Duration::from_secs(3600)).await;
    for (n, bad) in [lie, endless, slow].into_iter().enumerate() {
        let mut bad_config = config(&folder.path().join(n.to_string()));
        bad_config.witnesses = vec![Arc::new(bad)];
        let log = Log::open(bad_config).unwrap();
        let receipt = log.append_opaque(b"entry".to_vec()).await.unwrap();
        assert!(!receipt.checkpoint.contains("witness.example"), "case {n}");
    }
}

#[tokio::test]
async fn a_log_tells_what_it_counts_and_whether_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    for body in [b"one".to_vec(), b"two".to_vec(), b"one".to_vec()] {
        let _ = log.append_opaque(body).await;
    }
    // What was counted after the last answer shows with the next.
    log.stop().await;
    let answer = reqwest::get(format!("{url}/metrics")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for (name, value) in [
        ("committed_entries", 2),
        ("published_entries", 2),
        ("acknowledged_total", 2),
        ("duplicates_total", 1),
    ] {
        let line = format!("sigveil_log_{name}{{origin=\"{ORIGIN}\"}} {value}\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), 200);
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), 200);

    // A log whose witnesses are away has something to publish.
    let mut alone = config(&folder.path().join("alone"));
    alone.witness_threshold = 1;
    let log = Log::open(alone).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let _ = log.append_opaque(b"three".to_vec()).await;
    log.stop().await;
    assert_eq!(
        refusal(reqwest::get(format!("{url}/readyz")).await.unwrap()).await,
        (503, "log-unavailable".to_owned())
    );
}
