//! What gets into a signature log over HTTP, and what does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{Config, Log};
use sigveil_log::entry::*;

use crate::common::*;
use crate::request;

#[tokio::test]
async fn what_finds_no_room_is_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(Config { queue_bytes: 100, ..config(folder.path()) }).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let answer = post(&format!("{url}/api/v2/log/entries"), request(&rekord(b"artifact"))).await;
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(refusal(answer).await, (503, "log-busy".to_owned()));
    assert_eq!(log.append_opaque(vec![0; 100]).await.unwrap().index, 0);
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
        (good.replace("hashedRekordRequestV002", "dsseRequestV002"), 422, "entry-kind-not-served"),
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
    let submit = |payload: &SealedPayload| {
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

fn size(log: &Log) -> u64 {
    VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap().checkpoint().size
}

/// Each is well-formed, and what is to be signed is.
#[tokio::test]
async fn entries_that_are_not_for_an_address_do_not_get_in_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let own = format!("{url}/api/sigveil/v1/entries");
    let (sealed, payload) = sealed(b"value");
    let time = 1_790_000_000;
    let key = IssuerKey { modulus: vec![7; 256], header: vec![1], first_seen: time, last_seen: time };
    let keys =
        IssuerKeys { iss: "https://issuer.example".to_owned(), keys: vec![key], signatures: Vec::new() };
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/json");
    let receipt = std::fs::read(corpus.join("entry-proof-receipt.seed")).unwrap();
    assert!(matches!(Entry::parse(&receipt), Ok(Entry::ProofReceipt(_))));
    let redaction = record(0, Hash([7; 32]), Withholding::WholeBody);
    redaction.verify(&[authority().verifying_key()], 1).unwrap();
    for (body, kind) in [
        (rekord(b"artifact").body(), "hashedrekord at this address"),
        (sealed.body(), "sealed without its payload"),
        (Entry::IssuerKeys(keys).body(), "issuer-keys"),
        (receipt, "proof-receipt"),
        // Without a policy nobody may redact.
        (Entry::Redaction(redaction).body(), "redaction"),
    ] {
        Entry::parse(&body).unwrap();
        let answer = post(&own, body).await;
        assert_eq!(answer.status(), 422, "{kind}");
        let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let detail = EntryError::KindNotServed(kind).to_string();
        assert_eq!(
            (&problem["reason"], &problem["detail"]),
            (&json!("entry-kind-not-served"), &json!(detail))
        );
    }
    // Beside a payload, only what is sealed.
    let payload: Value = serde_json::from_slice(&payload.to_bytes()).unwrap();
    let entry: Value = serde_json::from_slice(&rekord(b"artifact").body()).unwrap();
    let body = json!({"entry": entry, "payload": payload}).to_string().into_bytes();
    let refused = refusal(post(&format!("{url}/api/sigveil/v1/sealed"), body).await).await;
    assert_eq!(refused, (422, "entry-kind-not-served".to_owned()));
    assert_eq!(size(&log), 0);
}

#[tokio::test]
async fn a_request_has_one_request_and_one_verifier() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let url = serve(sigveil_log::rekor::router(log.clone())).await;
    let entries = format!("{url}/api/v2/log/entries");
    let good: Value = serde_json::from_slice(&request(&rekord(b"artifact"))).unwrap();
    let verifier = "/hashedRekordRequestV002/signature/verifier";
    let changed = |pointer: &str, change: fn(&mut serde_json::Map<String, Value>)| {
        let mut body = good.clone();
        change(body.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
        body.to_string().into_bytes()
    };
    let malformed = [
        changed("", |body| drop(body.insert("dsseRequestV002".to_owned(), json!({})))),
        changed("", |body| body.clear()),
        changed(verifier, |verifier| {
            let key = verifier["publicKey"].clone();
            verifier.insert("x509Certificate".to_owned(), key);
        }),
        changed(verifier, |verifier| drop(verifier.remove("publicKey"))),
    ];
    for body in malformed {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(refusal(post(&entries, body).await).await, (400, "entry-malformed".to_owned()), "{text}");
    }
    assert_eq!(size(&log), 0);
    // What is null counts as absent, as in ProtoJSON.
    let null = changed("", |body| drop(body.insert("dsseRequestV002".to_owned(), Value::Null)));
    assert_eq!(post(&entries, null).await.status(), 201);
}

#[test]
fn an_entry_names_the_hash_of_its_key() {
    let body = String::from_utf8(rekord(b"artifact").body()).unwrap();
    Entry::parse(body.as_bytes()).unwrap();
    let other = body.replacen("SHA2_256", "SHA2_384", 1);
    assert_eq!(Entry::parse(other.as_bytes()), Err(EntryError::DigestLength));
}

#[tokio::test]
async fn a_sealed_request_has_a_largest_length() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::rekor::router(Log::open(config(folder.path())).unwrap())).await;
    let (entry, payload) = sealed(b"value");
    let [entry, payload] = [entry.body(), payload.to_bytes()].map(|part| String::from_utf8(part).unwrap());
    let address = format!("{url}/api/sigveil/v1/sealed");
    let submit = |length: usize| {
        let body = format!(r#"{{"entry":{entry},"payload":{payload}}}"#);
        let spaces = " ".repeat(length - body.len());
        post(&address, (body + &spaces).into_bytes())
    };
    let refused = refusal(submit(2 * MAX_BODY + 1).await).await;
    assert_eq!(refused, (413, "entry-too-large".to_owned()));
    assert_eq!(submit(2 * MAX_BODY).await.status(), 201);
}
