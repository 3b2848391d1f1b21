//! An instance that takes tokens of an issuer elsewhere, whose keys it finds by discovery.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sigveil::service::config::{Config, IssuerConfig};
use sigveil::service::issuer::{Issuer, TokenRequest};

use crate::service::{Served, configure, demo_classes};
use crate::support::{run_json, scratch};

/// An issuer on loopback, answering until `server` is dropped.
struct Outside {
    issuer: Arc<Issuer>,
    server: tokio::runtime::Runtime,
}

impl Outside {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Arc::new(Issuer::new(url, &Issuer::generate_key().unwrap()).unwrap());
        let server =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Arc::clone(&issuer).router();
        server.spawn(async move {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await
        });
        Self { issuer, server }
    }

    fn token(&self, email: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let request = TokenRequest { email: email.into(), audience: "outside".into(), nonce: None };
        self.issuer.token(&request, now).unwrap()
    }
}

/// Has an instance with everything embedded take the outside issuer's tokens too.
fn with_outside(config: &mut Config, url: &str) {
    config.size_classes = demo_classes();
    config.issuers.push(IssuerConfig {
        url: url.to_owned(),
        audience: "outside".into(),
        binding: "none".into(),
        ..config.issuers[0].clone()
    });
}

#[test]
fn tokens_of_a_discovered_issuer_are_signed_with_and_its_keys_outlive_its_absence() {
    let outside = Outside::start();
    let url = outside.issuer.url().to_owned();
    let served = Served::embedded("outside-issuer", |config| with_outside(config, &url));
    let (file, token) = (served.dir.join("file"), served.dir.join("outside.jwt"));
    std::fs::write(&file, b"a file").unwrap();
    std::fs::write(&token, outside.token("dora@example.com")).unwrap();
    let config = served.path("trust_config.json");
    let (status, answer) = run_json([
        "sign",
        file.to_str().unwrap(),
        "--trust-config",
        &config,
        "--token",
        token.to_str().unwrap(),
    ]);
    assert_eq!(status, 0, "{answer}");
    let san = answer["signed"][0]["san"].as_str().unwrap();
    let (status, answer) = served.verify(&file, san, &url, &["--require", "proof"]);
    assert_eq!(status, 0, "{answer}");
    // The trust root lists the issuer's key, and goes on doing so when nobody answers there any more.
    let listed = |served: &Served| -> Value {
        let root = served.json("trusted_root.sigveil.json");
        let issuers = root["proofs"]["issuers"].as_array().unwrap().clone();
        issuers.into_iter().find(|issuer| issuer["issuer"] == *url).unwrap()["keys"].clone()
    };
    let before = listed(&served);
    assert_eq!(before.as_array().unwrap().len(), 1);
    outside.server.shutdown_background();
    let served = served.restart();
    assert_eq!(listed(&served), before);
}

#[test]
fn an_issuer_that_was_never_reached_is_said_to_be_out_of_reach() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let folder = tempfile::tempdir_in(scratch("outside-issuer")).unwrap();
    let config = configure(folder.path(), |config| with_outside(config, &url));
    let (status, answer) = run_json(["serve", "--insecure-dev-keys", "--config", &config]);
    assert_eq!((status, answer["reason"].as_str()), (3, Some("oidc-unreachable")), "{answer}");
}
