//! The HTTP faces on loopback: forms, media types, sizes, and what a full prover answers.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand_core::OsRng;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::service::tsa::{self, TIMESTAMP_PATH};

use crate::timestamps;
use crate::world::{AUDIENCE, EMAIL, FixedClock, World, leaf, request, serve};

/// A DER TimeStampReq for SHA-256 of "artifact", without nonce: version, imprint with NULL parameters, certReq.
fn timestamp_query() -> Vec<u8> {
    let algorithm = b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00";
    let digest = Sha256::digest(b"artifact");
    let imprint = [&b"\x30\x31"[..], algorithm, b"\x04\x20", &digest].concat();
    [&b"\x30\x39\x02\x01\x01"[..], &imprint, b"\x01\x01\xff"].concat()
}

struct Answer {
    status: u16,
    media_type: String,
    body: Vec<u8>,
}

async fn timestamp(url: &str, media_type: &str, body: Vec<u8>) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{url}{TIMESTAMP_PATH}")).header(CONTENT_TYPE, media_type).body(body);
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        media_type: answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned(),
        body: answer.bytes().await.unwrap().to_vec(),
    }
}

/// Whether a DER TimeStampResp says `granted`: PKIStatusInfo with status 0 and nothing else comes first.
fn granted(response: &[u8]) -> bool {
    response.windows(5).next().is_some()
        && response.windows(5).take(8).any(|window| window == b"\x30\x03\x02\x01\x00")
}

#[tokio::test]
async fn timestamps_in_both_forms_and_refusals_in_the_callers() {
    let url = serve(tsa::router(timestamps::authority(), Arc::new(FixedClock))).await;
    let json = |digest: &[u8]| {
        let hash = BASE64_STANDARD.encode(digest);
        json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "certificates": true, "nonce": 7 })
            .to_string()
            .into_bytes()
    };
    let digest = Sha256::digest(b"artifact");
    let (query, reply) = ("application/timestamp-query", "application/timestamp-reply");
    for (media_type, body) in [(query, timestamp_query()), ("application/json", json(&digest))] {
        let answer = timestamp(&url, media_type, body).await;
        assert_eq!((answer.status, answer.media_type.as_str()), (201, reply));
        assert!(granted(&answer.body));
        assert!(answer.body.windows(32).any(|window| window == digest.as_slice()));
    }
    // DER that is none is refused in RFC 3161's own form, JSON in a problem document.
    let answer = timestamp(&url, query, b"nonsense".to_vec()).await;
    assert_eq!((answer.status, answer.media_type.as_str()), (400, reply));
    assert!(!granted(&answer.body));
    let answer = timestamp(&url, "application/json", json(&digest[..31])).await;
    assert_eq!((answer.status, answer.media_type.as_str()), (400, "application/problem+json"));
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["reason"], "timestamp-digest-length");
    // The form is what the media type says, not what the bytes look like.
    for media_type in ["text/plain", "multipart/form-data", "application/jsonp"] {
        let answer = timestamp(&url, media_type, timestamp_query()).await;
        assert_eq!(answer.status, 415, "{media_type}");
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["reason"], "media-type-unsupported");
    }
    assert_eq!(timestamp(&url, "application/json", timestamp_query()).await.status, 400);
    assert_eq!(timestamp(&url, query, json(&digest)).await.status, 400);
    assert_eq!(timestamp(&url, "application/json; charset=utf-8", json(&digest)).await.status, 201);
    assert_eq!(timestamp(&url, query, vec![0; 16 * 1024 + 1]).await.status, 413);
    let chain = reqwest::get(format!("{url}{TIMESTAMP_PATH}/certchain")).await.unwrap().text().await.unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(reqwest::get(format!("{url}{TIMESTAMP_PATH}")).await.unwrap().status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_tells_its_chain_and_issuers() {
    let world = World::start().await;
    let get = |path: &str| {
        let request = world.client.get(format!("{}{path}", world.url));
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let bundle = get("/api/v2/trustBundle").await;
    let chain = bundle["chains"][0]["certificates"].as_array().unwrap();
    let told: Vec<CertificateDer> =
        chain.iter().map(|pem| CertificateDer::from_pem(pem.as_str().unwrap()).unwrap()).collect();
    assert_eq!(told, [world.ca.authority().certificate().clone(), world.ca.authority().root().clone()]);
    let issuer = json!({
        "issuerUrl": world.iss, "audience": AUDIENCE, "challengeClaim": "email", "spiffeTrustDomain": "",
    });
    assert_eq!(get("/api/v2/configuration").await, json!({ "issuers": [issuer] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_bounded_and_say_that_they_are_json() {
    let world = World::start().await;
    let post = |body: Vec<u8>| {
        let request = world.client.post(format!("{}/api/v2/signingCert", world.url)).body(body);
        async move { request.send().await.unwrap() }
    };
    assert_eq!(post(vec![b' '; 32 * 1024 + 1]).await.status(), 413);
    let answer = post(b"not json".to_vec()).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]),
        (400, &"application/problem+json".parse().unwrap())
    );
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["reason"], &problem["status"]), (&json!("request-malformed"), &json!(400)));
    let key = SigningKeyP256::generate(&mut OsRng);
    let token = world.issuer.token(&world.payload());
    let body = request(&key, &token, EMAIL, Value::Null);
    let two = world.client.post(format!("{}/api/v2/signingCert", world.url)).bearer_auth("a.b.c").json(&body);
    let problem: Value = two.send().await.unwrap().json().await.unwrap();
    assert_eq!(problem["reason"], "token-ambiguous");
    // No problem document repeats the token or what is in it.
    let expired = world.issuer.token(&world.payload().replace("\"exp\":", "\"exp\":1,\"was\":"));
    let text =
        world.post("/api/v2/signingCert", &request(&key, &expired, EMAIL, Value::Null)).await.1.to_string();
    assert!(
        text.contains("token-expired") && !text.contains(EMAIL) && !text.contains(&expired[..40]),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_prover_answers_503_and_forgets_nothing() {
    let (world, gate) = World::start_gated().await;
    let token = world.issuer.token(&world.payload());
    let keys: Vec<SigningKeyP256> = (0..4).map(|_| SigningKeyP256::generate(&mut OsRng)).collect();
    let ask = |key: &SigningKeyP256| {
        let body = request(key, &token, EMAIL, Value::Null);
        world.client.post(format!("{}/api/v2/signingCert", world.url)).json(&body).send()
    };
    // One proves and two wait; whichever of the four comes last is sent away.
    let mut asked: Vec<_> = keys.iter().map(|key| tokio::spawn(ask(key))).collect();
    let refused = loop {
        if let Some(place) = asked.iter().position(|task| task.is_finished()) {
            break place;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let answer = asked.remove(refused).await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()[RETRY_AFTER]), (503, &"5".parse().unwrap()));
    assert_eq!(answer.json::<Value>().await.unwrap()["reason"], "proving-queue-full");
    assert!(asked.iter().all(|task| !task.is_finished()));
    gate.open();
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap().status(), 200);
    }
    // Who was sent away and asks again is served.
    let again = ask(&keys[refused]).await.unwrap();
    assert_eq!(again.status(), 200);
    leaf(&again.json().await.unwrap());
}
