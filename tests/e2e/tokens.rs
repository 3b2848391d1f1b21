//! `token check` on bad tokens: one typed reason each, and the circuit agrees with the native check.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sigveil::service::issuer::Issuer;

use crate::support::{run_json, scratch};

const ISSUER: &str = "https://issuer.example";
const NOW: u64 = 1_800_000_000;

struct Bench {
    folder: tempfile::TempDir,
    issuer: Issuer,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(scratch("tokens")).unwrap();
        let issuer = Issuer::new(ISSUER.into(), &Issuer::generate_key().unwrap()).unwrap();
        std::fs::write(folder.path().join("jwks.json"), issuer.jwks().to_string()).unwrap();
        Self { folder, issuer }
    }

    fn check(&self, token: &str, extra: &[&str]) -> (i32, Value) {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let file = path("token.jwt");
        std::fs::write(&file, token).unwrap();
        let (jwks, time) = (path("jwks.json"), NOW.to_string());
        let mut arguments =
            vec!["token", "check", "--jwks", &jwks, "--issuer", ISSUER, "--audience", "sigstore"];
        arguments.extend(["--time", &time]);
        arguments.extend(extra);
        arguments.push(&file);
        run_json(arguments)
    }

    fn sign(&self, payload: &str) -> String {
        self.issuer.sign(payload.as_bytes()).unwrap()
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "sigstore", "sub": "1", "iat": NOW - 5, "exp": NOW + 300,
        "email": "a@example.com", "email_verified": true,
    })
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims.to_string()
}

#[test]
fn every_bad_payload_has_its_reason_and_the_circuit_agrees() {
    let bench = Bench::new();
    let doubled = claims().to_string().replacen('{', r#"{"email":"b@example.com","#, 1);
    let escaped = claims().to_string().replace("a@example.com", r"a\u0040example.com");
    let nested = without("email").replacen('{', r#"{"x":{"email":"a@example.com"},"#, 1);
    let cases = [
        ("accepted", claims().to_string(), None),
        ("expired", with("exp", json!(NOW)), Some("token-expired")),
        ("from the future", with("iat", json!(NOW + 61)), Some("token-from-future")),
        ("not yet valid", with("nbf", json!(NOW + 61)), Some("token-not-yet-valid")),
        ("other audience", with("aud", json!("other")), Some("audience-mismatch")),
        ("two audiences", with("aud", json!(["sigstore", "other"])), Some("audience-not-sole")),
        ("other issuer", with("iss", json!("https://other.example")), Some("issuer-mismatch")),
        ("unverified", with("email_verified", json!(false)), Some("email-not-verified")),
        ("doubled", doubled, Some("claim-duplicate")),
        ("nested", nested, Some("claim-missing")),
        ("escaped", escaped, Some("claim-escaped")),
        ("missing", without("email"), Some("claim-missing")),
        ("of another type", with("email", json!(1)), Some("claim-type")),
        ("bound", with("nonce", json!("sigveil:AAAA")), Some("nonce-reserved")),
    ];
    for (name, payload, reason) in cases {
        let (status, answer) = bench.check(&bench.sign(&payload), &["--circuit"]);
        assert_eq!(answer["reason"].as_str(), reason, "{name}: {answer}");
        assert_eq!(status, i32::from(reason.is_some()), "{name}");
        assert_eq!(answer["accepted"], reason.is_none(), "{name}");
        assert_eq!(answer["circuit"]["satisfied"], reason.is_none(), "{name}: {answer}");
        assert_eq!(answer["circuit"]["size_class"], 768, "{name}");
        assert_eq!(answer["circuit"]["modulus_bits"], 2048, "{name}");
    }
}

#[test]
fn bad_headers_keys_and_forms_are_refused_natively() {
    let bench = Bench::new();
    let good = bench.sign(&claims().to_string());
    let (_, payload_and_signature) = good.split_once('.').unwrap();
    let with_header = |header: &str| format!("{}.{payload_and_signature}", URL_SAFE_NO_PAD.encode(header));
    let signed_part = good.rsplit_once('.').unwrap().0;
    let large = with("padding", json!("x".repeat(4_000)));
    let cases = [
        ("alg none", with_header(r#"{"alg":"none"}"#), "header-algorithm"),
        ("HS256", with_header(r#"{"alg":"HS256","kid":"k"}"#), "header-algorithm"),
        ("ES256", with_header(r#"{"alg":"ES256","kid":"k"}"#), "header-algorithm"),
        ("unknown key", with_header(r#"{"alg":"RS256","kid":"nobody"}"#), "issuer-key-unknown"),
        ("another member", with_header(r#"{"alg":"RS256","jku":"https://x"}"#), "header-member"),
        ("no signature", format!("{signed_part}."), "signature-length"),
        ("two parts", signed_part.to_owned(), "token-not-compact"),
        ("empty", String::new(), "token-not-compact"),
        ("oversized", bench.sign(&large), "token-too-large"),
        ("no JSON", bench.sign("{"), "payload-malformed"),
        ("an array", bench.sign("[]"), "payload-not-object"),
        (
            "another signature",
            format!("{signed_part}.{}", URL_SAFE_NO_PAD.encode([1; 256])),
            "signature-invalid",
        ),
    ];
    for (name, token, reason) in cases {
        let (status, answer) = bench.check(&token, &[]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some(reason)), "{name}: {answer}");
        assert_eq!(answer["circuit"], Value::Null);
    }
}

#[test]
fn a_key_of_another_size_is_refused() {
    let bench = Bench::new();
    // No class has moduli of 2,560 bits; one has those of 3,072, which such a signature is too short for.
    for (bytes, reason) in [(320, "modulus-size"), (384, "signature-length")] {
        let mut jwks = bench.issuer.jwks();
        jwks["keys"][0]["n"] = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]).into();
        std::fs::write(bench.folder.path().join("jwks.json"), jwks.to_string()).unwrap();
        let (status, answer) = bench.check(&bench.sign(&claims().to_string()), &[]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some(reason)), "{bytes} bytes");
    }
}

#[test]
fn the_object_has_the_same_members_whatever_is_wrong() {
    let bench = Bench::new();
    let path = |name: &str| bench.folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("token.jwt"), bench.sign(&claims().to_string())).unwrap();
    std::fs::write(path("broken.json"), "{").unwrap();
    for (token, jwks, status, reason) in [
        ("missing", "jwks.json", 3, "file-unreadable"),
        ("token.jwt", "missing", 3, "file-unreadable"),
        ("token.jwt", "broken.json", 1, "jwks-malformed"),
    ] {
        let (token, jwks) = (path(token), path(jwks));
        let mut arguments =
            vec!["token", "check", "--jwks", &jwks, "--issuer", ISSUER, "--audience", "sigstore"];
        arguments.extend(["--time", "1", "--circuit", &token]);
        let (found, answer) = run_json(arguments);
        assert_eq!((found, answer["reason"].as_str()), (status, Some(reason)), "{answer}");
        assert_eq!(answer["accepted"], false);
        assert_eq!(answer.get("circuit"), Some(&Value::Null));
    }
}
