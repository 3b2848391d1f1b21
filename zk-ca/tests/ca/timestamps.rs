//! Timestamps, checked by another implementation.

use std::process::Command;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use sigveil_zk_ca::authority::{ChainPlan, ValidityPeriod, create_timestamp_chain};
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::profile::Serial;
use sigveil_zk_ca::timestamp::{TimestampAuthority, TimestampRequest, rejection};

use crate::world::NOW;

pub fn authority() -> TimestampAuthority {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (root, key) = (SigningKeyP256::generate(&mut rng), SigningKeyP256::generate(&mut rng));
    let plan = ChainPlan {
        organization: "sigveil test",
        common_name: "test timestamps",
        validity: ValidityPeriod { not_before: 1_600_000_000, not_after: NOW + 100_000_000 },
    };
    let serials = [Serial::draw(&mut rng), Serial::draw(&mut rng)];
    let chain = create_timestamp_chain(&root, &key, &plan, serials).unwrap();
    TimestampAuthority::open(key, chain).unwrap()
}

/// Runs openssl; `None`, with a word on stderr, where there is none. In CI that is a failure.
pub fn openssl(arguments: &[&str]) -> Option<std::process::Output> {
    let output = Command::new("openssl").args(arguments).output().ok();
    if output.is_none() {
        assert!(std::env::var_os("CI").is_none(), "openssl is needed in CI");
        eprintln!("skipped: no openssl here");
    }
    output
}

#[test]
fn openssl_asks_and_accepts_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, query, answer, root) = (path("data"), path("query"), path("answer"), path("root"));
    let leaf = path("leaf");
    std::fs::write(&data, b"artifact").unwrap();
    let authority = authority();
    std::fs::write(&root, authority.chain()[1].to_pem()).unwrap();
    std::fs::write(&leaf, authority.chain()[0].to_pem()).unwrap();
    for (digest, certificates) in [("-sha256", true), ("-sha384", true), ("-sha512", false)] {
        let mut ask = vec!["ts", "-query", "-data", &data, digest, "-out", &query];
        ask.extend(certificates.then_some("-cert"));
        let Some(asked) = openssl(&ask) else { return };
        assert!(asked.status.success());
        let request = TimestampRequest::from_der(&std::fs::read(&query).unwrap()).unwrap();
        let granted = authority.grant(&request, 1_700_000_000, Serial::draw(&mut rand_core::OsRng)).unwrap();
        std::fs::write(&answer, granted).unwrap();
        let mut verify = vec!["ts", "-verify", "-queryfile", &query, "-in", &answer, "-CAfile", &root];
        if !certificates {
            verify.extend(["-untrusted", &leaf]);
        }
        let verdict = openssl(&verify).unwrap();
        assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    }
}

#[test]
fn json_form_is_the_same_request_without_nonce() {
    use base64::Engine;
    let digest = base64::prelude::BASE64_STANDARD.encode(Sha256::digest(b"artifact"));
    let json = |algorithm: &str, digest: &str, more: &str| {
        let text = format!(r#"{{"artifactHash":"{digest}","hashAlgorithm":"{algorithm}"{more}}}"#);
        TimestampRequest::from_json(text.as_bytes()).map_err(|error| error.reason())
    };
    let request = json("sha256", &digest, "").unwrap();
    assert!(authority().grant(&request, NOW, Serial::draw(&mut rand_core::OsRng)).is_ok());
    assert_eq!(json("sha1", &digest, ""), Err("timestamp-algorithm-unsupported"));
    assert_eq!(json("sha512", &digest, ""), Err("timestamp-digest-length"));
    assert_eq!(json("sha256", "!", ""), Err("timestamp-request-malformed"));
    assert_eq!(json("sha256", &digest, r#","tsaPolicyOID":"1.2.3.4""#), Err("timestamp-policy-unsupported"));
}

#[test]
fn refusal_is_a_status_that_openssl_reads() {
    let error = TimestampRequest::from_der(b"nonsense").unwrap_err();
    assert_eq!(error.reason(), "timestamp-request-malformed");
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    std::fs::write(&answer, rejection(error)).unwrap();
    let Some(output) = openssl(&["ts", "-reply", "-in", answer.to_str().unwrap(), "-text"]) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Rejected") && text.contains("the data submitted has the wrong format"), "{text}");
}
