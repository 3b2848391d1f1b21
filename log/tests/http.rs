//! The HTTP faces on loopback, as clients see them.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[path = "http/cosigners.rs"]
mod cosigners;
#[path = "http/submissions.rs"]
mod submissions;
#[path = "http/witness.rs"]
mod witness;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::*;
use serde_json::Value;
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::Log;
use sigveil_log::entry::{Entry, Withholding};
use sigveil_log::merkle::{leaf_hash, verify_inclusion};

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
    use common::certificates::{Holder, constraints, extension, name_of};
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
    // The same signature under a certificate of another key, under one with a name of many parts, and under none.
    let other = issuer.certify("CN=leaf", &issuer.key, vec![]);
    let [few, many] = [16, 17].map(|count| issuer.certify(&name_of(count), &entry_key(), vec![]));
    let taken =
        post(&format!("{url}/api/v2/log/entries"), request(&certified_rekord(b"artifact", few))).await;
    assert_eq!(taken.status(), 201);
    for (verifier, reason) in [
        (other, "entry-bad-signature"),
        (many, "entry-bad-key"),
        (certificate[1..].to_vec(), "entry-bad-key"),
    ] {
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
    for index in ["18446744073709551616", "-1", "+0", "00", "0x0", "1.0", "%00", "..%2f0"] {
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

const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[tokio::test]
async fn caches_keep_what_never_changes_and_ask_again_for_what_a_redaction_may_erase() {
    let folder = tempfile::tempdir().unwrap();
    let (entry, payload) = sealed(b"value");
    for (config, bundles) in
        [(witnessed(folder.path()), "no-cache"), (config(&folder.path().join("alone")), FOR_EVER)]
    {
        let log = Log::open(config).unwrap();
        let url = serve(sigveil_log::rekor::router(log.clone())).await;
        log.append_sealed(&entry, &payload).await.unwrap();
        for (path, cache) in [
            ("api/v2/checkpoint", "no-cache"),
            ("api/v2/tile/0/000.p/1", FOR_EVER),
            ("api/v2/tile/entries/000.p/1", bundles),
            ("api/sigveil/v1/entries/0", "no-store"),
            ("api/sigveil/v1/sealed/0", "no-store"),
        ] {
            let answer = reqwest::get(format!("{url}/{path}")).await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["cache-control"]),
                (200, &cache.parse().unwrap()),
                "{path}"
            );
            assert_eq!(
                answer.headers().contains_key("etag"),
                path.contains("entries/000") && bundles != FOR_EVER
            );
        }
    }
}

/// A cache that asks again is told at once that the bundle is another one.
#[tokio::test]
async fn a_bundle_has_its_tag_until_something_in_it_is_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(witnessed(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let (entry, payload) = sealed(b"value");
    let receipt = log.append_sealed(&entry, &payload).await.unwrap();
    let record = record(receipt.index, receipt.leaf_hash, Withholding::WholeBody);
    let record = log.append(&Entry::Redaction(record)).await.unwrap().index;
    let bundle = format!("{url}/api/v2/tile/entries/000.p/2");
    let ask = async |tags: &[&str]| {
        let asked = tags
            .iter()
            .fold(reqwest::Client::new().get(&bundle), |asked, tag| asked.header("if-none-match", *tag));
        let answer = asked.send().await.unwrap();
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        (answer.status().as_u16(), tag, answer.bytes().await.unwrap())
    };
    let (status, tag, content) = ask(&[]).await;
    assert_eq!((status, &tag), (200, &format!("\"{}\"", Hash::of(&[&content]).to_hex())));
    let (weak, listed) = (format!("W/{tag}"), format!("\"other\", {tag}"));
    for known in [&[tag.as_str()][..], &["*"], &[&weak], &[&listed], &["\"other\"", &tag]] {
        let (status, again, body) = ask(known).await;
        assert_eq!((status, &again, body.len()), (304, &tag, 0), "{known:?}");
    }
    let unquoted = tag.trim_matches('"');
    assert_eq!(ask(&["\"other\""]).await.0, 200);
    assert_eq!(ask(&[unquoted]).await.0, 200);
    log.redact(record, Covered(true)).await.unwrap();
    let (status, other, withheld) = ask(&[&tag]).await;
    assert!(status == 200 && other != tag && withheld != content, "{status} {other}");
    assert_eq!(ask(&[&other]).await.0, 304);
}

/// Whatever lies in the folder: what is beyond the published tree is not looked for.
#[tokio::test]
async fn no_tile_beyond_the_published_tree_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    log.append_opaque(b"entry".to_vec()).await.unwrap();
    // Nor is a certificate log's kind of bundle one of this log.
    let beyond = ["tile/0/000.p/2", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"];
    for name in beyond.into_iter().chain(["tile/data/000.p/1"]) {
        let file = folder.path().join("log").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, [7; 32 * 256]).unwrap();
        let answer = refusal(reqwest::get(format!("{url}/api/v2/{name}")).await.unwrap()).await;
        assert_eq!(answer, (404, "tile-unavailable".to_owned()), "{name}");
    }
    assert_eq!(reqwest::get(format!("{url}/api/v2/tile/0/000.p/1")).await.unwrap().status(), 200);
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

#[tokio::test]
async fn a_log_tells_what_it_counts_and_whether_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    for body in [b"one".to_vec(), b"two".to_vec(), b"one".to_vec()] {
        let _ = log.append_opaque(body).await;
    }
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), 200);
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
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), 503, "it has stopped");
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), 200);

    // A log whose witnesses are away has something to publish.
    let mut alone = config(&folder.path().join("alone"));
    alone.witness_threshold = 1;
    let log = Log::open(alone).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), 200);
    let _ = log.append_opaque(b"three".to_vec()).await;
    while reqwest::get(format!("{url}/readyz")).await.unwrap().status() == 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        refusal(reqwest::get(format!("{url}/readyz")).await.unwrap()).await,
        (503, "log-unavailable".to_owned())
    );
}
