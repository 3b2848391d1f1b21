//! The certificate log over HTTP: the real log behind its own face, and answers that are none.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use der::Encode;
use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_log::ct::{self, CertificateLog as RealLog};
use sigveil_log::engine::Config;
use sigveil_log::note::NoteSigner;
use sigveil_log::sct::{
    self, AcceptedRoots, AddChainAnswer, LoggedCertificate, PrecertEntry, SignedCertificateTimestamp,
    TileLeaf,
};
use sigveil_log::tile::{TileKind, TilePath, TileSource};
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::profile::{CertificateView, Precertificate};
use sigveil_zk_ca::service::certificate_log::{CertificateLog, CertificateLogError, HttpCertificateLog};
use sigveil_zk_ca::verify;

use crate::profile::sample;
use crate::verdict::content;
use crate::world::{NOW, Plan, World, leaf, serve};

/// An SCT in the JSON of RFC 6962 §4.1.
fn answer(sct: &SignedCertificateTimestamp) -> Value {
    serde_json::to_value(AddChainAnswer::from(sct)).unwrap()
}

/// A certificate log over a folder, which takes chains that end in this root.
fn open(folder: &Path, key: &SigningKey, root: &CertificateDer) -> RealLog {
    let signer = NoteSigner::rfc6962("ct.example", key.clone()).unwrap();
    let config = Config::new(folder, signer, Arc::new(|| NOW * 1000));
    RealLog::open(config, key.clone(), AcceptedRoots::new([root.as_bytes().to_vec()]).unwrap()).unwrap()
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
    let authority = submission.world.ca.authority();
    let log = open(folder.path(), &key, authority.root());
    let url = serve(ct::router(log.clone())).await;
    let timestamp = submission.submit(&format!("{url}/"), &key).await.unwrap();
    assert_eq!(timestamp.leaf_index(), Some(0));

    let leaf = submission.precertificate.finish(&timestamp, authority).unwrap();
    let (embedded, entry) = sct::embedded(leaf.as_bytes(), authority.certificate().as_bytes()).unwrap();
    embedded.verify(key.verifying_key(), &entry).unwrap();
    let view = CertificateView::parse(leaf.as_bytes()).unwrap();
    verify::sct(&view, authority.certificate(), key.verifying_key()).unwrap();
    let tile = log.log().reader().read_tile(&TilePath::in_tree(TileKind::Data, 0, 1).unwrap()).unwrap();
    let (logged, rest) = TileLeaf::parse_prefix(&tile).unwrap();
    assert!(rest.is_empty());
    let der = submission.chain[0].as_bytes().to_vec();
    assert_eq!(logged.entry, LoggedCertificate::Precertificate { entry, der });
    assert_eq!(logged.leaf_index, 0);
}

/// What a CA issues when its certificate log is elsewhere; and what it does not when that log does not take its root.
#[tokio::test(flavor = "multi_thread")]
async fn a_ca_issues_through_a_log_elsewhere_that_accepts_its_root() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::random(&mut OsRng);
    let issue = |accepted: bool| {
        let (folder, key) = (folder.path().join(accepted.to_string()), &key);
        async move {
            let plan = Plan::simple();
            let root = if accepted { plan.authority.root() } else { plan.authority.certificate() };
            let url = serve(ct::router(open(&folder, key, root))).await;
            let log = HttpCertificateLog::new(&url, *key.verifying_key(), Duration::from_secs(5)).unwrap();
            let world = World::build(Plan { certificate_log: Arc::new(log), ..plan }).await;
            let token = world.issuer.token(&world.payload());
            (world.request(&SigningKeyP256::generate(&mut OsRng), &token, Value::Null).await, world)
        }
    };
    let ((status, answer), world) = issue(true).await;
    assert_eq!(status, 200, "{answer}");
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    verify::sct(&view, world.ca.authority().certificate(), key.verifying_key()).unwrap();
    let ((status, answer), _) = issue(false).await;
    assert_eq!((status, answer["reason"].as_str()), (502, Some("certificate-log-unavailable")));
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
