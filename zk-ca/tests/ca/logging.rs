//! The certificate log over HTTP: the real log behind a submission path, and answers that are none.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use der::Encode;
use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_log::ct::{self, CertificateLog as RealLog};
use sigveil_log::engine::Config;
use sigveil_log::note::NoteSigner;
use sigveil_log::sct::{self, PrecertEntry, SignedCertificateTimestamp, TileLeaf};
use sigveil_log::tile::{TileKind, TilePath, TileSource};
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::profile::{CertificateView, Precertificate};
use sigveil_zk_ca::service::certificate_log::{CertificateLog, CertificateLogError, HttpCertificateLog};
use sigveil_zk_ca::verify;

use crate::profile::sample;
use crate::verdict::content;
use crate::world::{NOW, World, serve};

/// `add-pre-chain` (RFC 6962 §4.2) in front of the log, which serves static-ct-api and takes entries in process only.
async fn add_pre_chain(State(log): State<RealLog>, Json(body): Json<Value>) -> Json<Value> {
    let chain = body["chain"].as_array().unwrap().iter();
    let chain: Vec<_> = chain.map(|text| BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap()).collect();
    let entry = PrecertEntry {
        issuer_key_hash: sct::issuer_key_hash(&chain[1]).unwrap(),
        tbs: sct::precertificate_tbs(&chain[0]).unwrap(),
    };
    Json(answer(&log.issue(entry, chain[0].clone(), &chain[1..], NOW * 1000).await.unwrap()))
}

/// An SCT in the JSON of RFC 6962 §4.1.
fn answer(sct: &SignedCertificateTimestamp) -> Value {
    let signature = &sct.to_bytes()[43 + sct.extensions.len()..];
    json!({
        "sct_version": 0,
        "id": BASE64_STANDARD.encode(sct.log_id.0),
        "timestamp": sct.timestamp,
        "extensions": BASE64_STANDARD.encode(&sct.extensions),
        "signature": BASE64_STANDARD.encode(signature),
    })
}

struct Submission {
    world: World,
    precertificate: Precertificate,
    chain: [CertificateDer; 3],
    entry: PrecertEntry,
}

impl Submission {
    async fn new() -> Self {
        let (world, good) = sample().await;
        let view = CertificateView::parse(&good.to_der().unwrap()).unwrap();
        let authority = world.ca.authority();
        let precertificate = Precertificate::create(&content(&view), authority).unwrap();
        let entry = precertificate.entry(authority).unwrap();
        let chain =
            [precertificate.certificate().clone(), authority.certificate().clone(), authority.root().clone()];
        Self { world, precertificate, chain, entry }
    }

    async fn submit(
        &self,
        url: &str,
        key: &SigningKey,
    ) -> Result<SignedCertificateTimestamp, CertificateLogError> {
        let log = HttpCertificateLog::new(url, *key.verifying_key(), Duration::from_millis(500)).unwrap();
        log.add_precertificate(&self.chain, &self.entry).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_timestamp_is_of_a_leaf_in_the_log() {
    let submission = Submission::new().await;
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::random(&mut OsRng);
    let signer = NoteSigner::rfc6962("ct.example", key.clone()).unwrap();
    let config = Config::new(folder.path(), signer, std::sync::Arc::new(|| NOW * 1000));
    let log = RealLog::open(config, key.clone()).unwrap();
    let submit = Router::new().route("/ct/v1/add-pre-chain", post(add_pre_chain)).with_state(log.clone());
    let url = serve(submit.merge(ct::router(log.clone()))).await;
    let timestamp = submission.submit(&format!("{url}/"), &key).await.unwrap();
    assert_eq!(timestamp.leaf_index(), Some(0));

    let authority = submission.world.ca.authority();
    let leaf = submission.precertificate.finish(&timestamp, authority).unwrap();
    let (embedded, entry) = sct::embedded(leaf.as_bytes(), authority.certificate().as_bytes()).unwrap();
    embedded.verify(key.verifying_key(), &entry).unwrap();
    let view = CertificateView::parse(leaf.as_bytes()).unwrap();
    verify::sct(&view, authority.certificate(), key.verifying_key()).unwrap();
    let tile = log.log().reader().read_tile(&TilePath::in_tree(TileKind::Data, 0, 1).unwrap()).unwrap();
    let (logged, rest) = TileLeaf::parse_prefix(&tile).unwrap();
    assert!(rest.is_empty());
    assert_eq!((logged.entry, logged.leaf_index), (entry, 0));
    assert_eq!(logged.precertificate, submission.chain[0].as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_no_timestamp_of_this_entry_are_refused() {
    let submission = Submission::new().await;
    let key = SigningKey::random(&mut OsRng);
    let good = SignedCertificateTimestamp::sign(&key, &submission.entry, NOW * 1000, 0);
    let reason = |response: fn(Value) -> Response, value: Value| {
        let handler = post(move || async move { response(value) });
        let (submission, key) = (&submission, &key);
        async move {
            let url = serve(Router::new().route("/ct/v1/add-pre-chain", handler)).await;
            submission.submit(&url, key).await.map_or_else(|error| error.reason(), |_| "accepted")
        }
    };
    let json: fn(Value) -> Response = |value| Json(value).into_response();
    let changed = |name: &str, value: Value| {
        let mut answer = answer(&good);
        answer[name] = value;
        answer
    };
    assert_eq!(reason(json, answer(&good)).await, "accepted");
    let mut elsewhere = submission.entry.clone();
    elsewhere.tbs[100] ^= 1;
    let other = SignedCertificateTimestamp::sign(&key, &elsewhere, NOW * 1000, 0);
    assert_eq!(reason(json, answer(&other)).await, "sct-bad-signature");
    let other = SignedCertificateTimestamp::sign(&SigningKey::random(&mut OsRng), &submission.entry, NOW, 0);
    assert_eq!(reason(json, answer(&other)).await, "sct-other-log");
    assert_eq!(reason(json, changed("timestamp", json!(NOW))).await, "sct-bad-signature");
    assert_eq!(reason(json, changed("sct_version", json!(1))).await, "certificate-log-answer");
    assert_eq!(reason(json, changed("id", json!("AAAA"))).await, "certificate-log-answer");
    assert_eq!(reason(json, changed("signature", json!("!"))).await, "certificate-log-answer");
    assert_eq!(reason(json, changed("surplus", json!(" ".repeat(20_000)))).await, "certificate-log-answer");
    assert_eq!(reason(|_| "".into_response(), Value::Null).await, "certificate-log-answer");
    let failing: fn(Value) -> Response = |_| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    assert_eq!(reason(failing, Value::Null).await, "certificate-log-unavailable");
    let unreachable = submission.submit("http://127.0.0.1:1", &key).await.unwrap_err();
    assert_eq!(unreachable.reason(), "certificate-log-unavailable");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    assert_eq!(submission.submit(&url, &key).await.unwrap_err().reason(), "certificate-log-unavailable");
}
