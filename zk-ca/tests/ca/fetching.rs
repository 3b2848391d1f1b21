//! Fetching issuers' documents: limits of size and time, and how often unknown keys cause it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sigveil_circuits::testing::Issuer;
use sigveil_zk_ca::service::oidc::{FetchPolicy, IssuerKeys};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{NOW, policy, serve};

/// An issuer whose key set is served by `keys`, and a count of how often that was asked.
async fn issuer(
    keys: impl Fn(usize) -> Response + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let iss = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": iss, "jwks_uri": format!("{iss}/jwks") });
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(move || async { Json(discovery) }))
        .route("/jwks", get(move || async move { keys(count.fetch_add(1, Ordering::SeqCst)) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (iss, asked)
}

async fn reason(iss: &str, policy: FetchPolicy) -> &'static str {
    let keys = IssuerKeys::discover(iss, policy).unwrap();
    keys.modulus(Some("test-key"), NOW).await.map_or_else(|error| error.reason(), |_| "found")
}

/// A key set of exactly this many bytes.
fn padded(key: &Value, length: usize) -> String {
    let set = json!({ "keys": [key] }).to_string();
    format!("{set}{}", " ".repeat(length - set.len()))
}

/// A server that answers in chunks and never ends.
async fn endless() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        while connection.write_all(&answer).await.is_ok() {
            answer = format!("1000\r\n{}\r\n", " ".repeat(4096)).into_bytes();
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn documents_are_limited_in_size_status_and_time() {
    let key = Issuer::generate().jwk();
    let limit = sigveil_zk_ca::jwks::MAX_KEY_SET_BYTES;
    for (length, expected) in [(limit, "found"), (limit + 1, "oidc-too-large")] {
        let body = padded(&key, length);
        let (iss, _) = issuer(move |_| body.clone().into_response()).await;
        assert_eq!(reason(&iss, policy()).await, expected);
    }
    // Without a length told beforehand, too: chunks are counted as they come.
    assert_eq!(reason(&endless().await, policy()).await, "oidc-too-large");
    let (iss, _) = issuer(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    assert_eq!(reason(&iss, policy()).await, "oidc-status");
    let elsewhere = issuer(move |_| Json(json!({ "keys": [] })).into_response()).await.0;
    let (iss, _) = issuer(move |_| Redirect::temporary(&format!("{elsewhere}/jwks")).into_response()).await;
    assert_eq!(reason(&iss, policy()).await, "oidc-status");
    let (iss, _) = issuer(|_| "[]".into_response()).await;
    assert_eq!(reason(&iss, policy()).await, "jwks-malformed");

    let discovery = |body: String| serve(Router::new().fallback(move || async move { body }));
    assert_eq!(reason(&discovery("{}".into()).await, policy()).await, "oidc-discovery-malformed");
    assert_eq!(reason(&discovery(" ".repeat(64 * 1024 + 1)).await, policy()).await, "oidc-too-large");

    // A server that takes the connection and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let iss = format!("http://{}", silent.local_addr().unwrap());
    let impatient = FetchPolicy { timeout: Duration::from_millis(200), ..policy() };
    assert_eq!(reason(&iss, impatient).await, "oidc-timeout");
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_no_key_from_being_fetched() {
    let (old, new) = (Issuer::generate(), Issuer::generate());
    let [first, mut second] = [old.jwk(), new.jwk()];
    second["kid"] = json!("rotated");
    let (iss, _) = issuer(move |nth| match nth {
        0 => Json(json!({ "keys": [first] })).into_response(),
        _ => Json(json!({ "keys": [second] })).into_response(),
    })
    .await;
    let keys = IssuerKeys::discover(&iss, policy()).unwrap();
    assert!(keys.modulus(Some("test-key"), NOW + 10_000).await.is_ok());
    assert!(keys.modulus(Some("rotated"), NOW).await.is_ok());
    assert!(keys.modulus(Some("test-key"), NOW).await.is_err(), "it was withdrawn");
}

#[tokio::test]
async fn unknown_key_ids_fetch_anew_but_rarely() {
    let (old, new) = (Issuer::generate(), Issuer::generate());
    let [first, mut second] = [old.jwk(), new.jwk()];
    second["kid"] = json!("rotated");
    let sets = [json!({ "keys": [first] }), json!({ "keys": [first, second] })];
    // The second key appears with the second answer; from the fourth on the issuer is broken.
    let (iss, asked) = issuer(move |nth| match nth {
        0 => Json(sets[0].clone()).into_response(),
        1 | 2 => Json(sets[1].clone()).into_response(),
        _ => axum::http::StatusCode::BAD_GATEWAY.into_response(),
    })
    .await;
    let keys = IssuerKeys::discover(&iss, policy()).unwrap();
    let look = |kid: &'static str, after: u64| {
        let keys = &keys;
        async move { keys.modulus(Some(kid), NOW + after).await.map_or_else(|error| error.reason(), |_| "found") }
    };
    let count = || asked.load(Ordering::SeqCst);
    assert_eq!((look("test-key", 0).await, count()), ("found", 1));
    assert_eq!((look("rotated", 29).await, count()), ("issuer-key-unknown", 1));
    assert_eq!((look("rotated", 30).await, count()), ("found", 2));
    assert_eq!((look("rotated", 31).await, count()), ("found", 2));
    assert_eq!((look("test-key", 629).await, count()), ("found", 2));
    assert_eq!((look("test-key", 630).await, count()), ("found", 3));
    // Broken: what is known serves for an hour, what is unknown is asked for every 30 s and no more often.
    assert_eq!((look("never", 700).await, count()), ("oidc-status", 4));
    assert_eq!((look("never", 729).await, count()), ("oidc-status", 4));
    assert_eq!((look("test-key", 729).await, count()), ("found", 4));
    assert_eq!((look("test-key", 630 + 3599).await, count()), ("found", 5));
    assert_eq!(look("test-key", 630 + 3600 + 30).await, "oidc-status");
}

#[tokio::test]
async fn many_callers_with_an_unknown_key_cause_one_fetch() {
    let key = Issuer::generate().jwk();
    let (iss, asked) = issuer(move |_| Json(json!({ "keys": [key] })).into_response()).await;
    let keys = Arc::new(IssuerKeys::discover(&iss, policy()).unwrap());
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.modulus(Some("unknown"), NOW).await.unwrap_err().reason() })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "issuer-key-unknown");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unreachable_issuer_is_not_hammered() {
    let (iss, asked) = issuer(|_| axum::http::StatusCode::BAD_GATEWAY.into_response()).await;
    let keys = IssuerKeys::discover(&iss, policy()).unwrap();
    for (after, fetched) in [(0, 1), (1, 1), (29, 1), (30, 2)] {
        assert_eq!(keys.modulus(None, NOW + after).await.unwrap_err().reason(), "oidc-status");
        assert_eq!(asked.load(Ordering::SeqCst), fetched, "after {after} s");
    }
}
