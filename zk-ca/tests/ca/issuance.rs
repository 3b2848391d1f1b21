//! Issuance over HTTP, and every refusal of a token or request that is the CA's.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use der::asn1::BitString;
use der::{Decode, Encode};
use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::instance::{audience_digest, binding_string};
use sigveil_circuits::token::{BindingSalt, SizeClass, Usage};
use sigveil_vrf_identity::commitment::Rho;
use sigveil_vrf_identity::curve::Point;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, Profile, Scope};
use sigveil_vrf_identity::vrf::{Evaluation, Proof, PublicKey};
use sigveil_vrf_identity::{Fr, field};
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::profile::CertificateView;
use sigveil_zk_ca::service::oidc::{FetchPolicy, IssuerKeys};
use sigveil_zk_ca::trust::CheckedTrust;
use sigveil_zk_ca::verify;

use crate::world::{AUDIENCE, EMAIL, NOW, Plan, World, leaf, policy, request, serve_issuer};

fn key() -> SigningKeyP256 {
    SigningKeyP256::generate(&mut OsRng)
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_request_gets_a_certificate_that_verifies_and_opens() {
    let world = World::start().await;
    let (key, token) = (key(), world.issuer.token(&world.payload()));
    let (status, answer) = world.request(&key, &token, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert_eq!((view.time(), view.issuer(), view.key()), (NOW - 5, world.iss.as_str(), &key.public_key()));
    assert_eq!((view.san().mode, view.san().profile), (Mode::Open, Profile::Stable));
    verify::sct(&view, world.ca.authority().certificate(), world.log.verifying_key()).unwrap();
    let proven = verify::proofs(view, &CheckedTrust::new(&world.trust).unwrap()).unwrap();
    assert!(proven.development_keys);
    assert!(!String::from_utf8_lossy(proven.certificate.der()).contains(EMAIL));

    // The owner gets keys for the same token, finds the label and opens the commitment.
    let login = json!({ "credentials": { "oidcIdentityToken": token } });
    let (status, keys) = world.post("/api/sigveil/v1/identity", &login).await;
    assert_eq!(status, 200, "{keys}");
    let bytes = |name: &str| BASE64_STANDARD.decode(keys[name].as_str().unwrap()).unwrap();
    let gamma = Point::from_bytes(&bytes("gamma")).unwrap();
    let evaluation = Evaluation { gamma, proof: Proof::from_bytes(&bytes("proof")).unwrap() };
    let vrf_key = PublicKey::from_bytes(&bytes("vrfPublicKey")).unwrap();
    let identity = Identity::new(&world.iss, Kind::Email, EMAIL).unwrap();
    let output = evaluation.verify(&vrf_key, Mode::Open, &identity.idf()).unwrap();
    assert!(Label::derive(&output.monitoring_key, Scope::Stable) == proven.certificate.san().label);
    let rho = Rho::derive(&output.opening_key, &proven.certificate.facts());
    assert!(proven.certificate.commitment().opens_to(&identity.idf(), &rho));

    // Asked again: the same certificate, byte for byte. With another key: another.
    assert_eq!(leaf(&world.request(&key, &token, Value::Null).await.1), leaf(&answer));
    let other = SigningKeyP256::generate(&mut OsRng);
    assert_ne!(leaf(&world.request(&other, &token, Value::Null).await.1), leaf(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn csr_with_bearer_token_and_another_profile() {
    let world = World::start().await;
    let (key, token) = (key(), world.issuer.token(&world.payload()));
    let send = |body: Value| {
        let request =
            world.client.post(format!("{}/api/v2/signingCert", world.url)).bearer_auth(&token).json(&body);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let good = csr(&key, &key);
    let answer =
        send(json!({ "certificateSigningRequest": good, "sigveil": { "profile": "unlinkable" } })).await;
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert_eq!(view.san().profile, Profile::Unlinkable);
    verify::proofs(view, world.ca.trust()).unwrap();
    let forged = send(json!({ "certificateSigningRequest": csr(&key, &self::key()) })).await;
    assert_eq!(forged["reason"], "proof-of-possession-invalid");
    let garbage = send(json!({ "certificateSigningRequest": "AAAA" })).await;
    assert_eq!(garbage["reason"], "csr-malformed");
    // Nobody looks at the subject, whose length and number of names are limited all the same.
    let names = |count: usize| (0..count).map(|n| format!("CN={n}")).collect::<Vec<_>>().join("+");
    let named =
        |subject: String| send(json!({ "certificateSigningRequest": csr_named(&key, &key, &subject) }));
    assert!(named(names(16)).await["signedCertificateEmbeddedSct"].is_object());
    for subject in [names(17), format!("CN={}", "a".repeat(4096))] {
        assert_eq!(named(subject).await["reason"], "csr-malformed");
    }
}

/// A PKCS#10 request of `key`, signed by `signer`, in base64 of PEM, with an empty subject.
fn csr(key: &SigningKeyP256, signer: &SigningKeyP256) -> String {
    csr_named(key, signer, "")
}

fn csr_named(key: &SigningKeyP256, signer: &SigningKeyP256, subject: &str) -> String {
    use x509_cert::request::{CertReq, CertReqInfo, Version};
    let info = CertReqInfo {
        version: Version::V1,
        subject: Some(subject)
            .filter(|name| !name.is_empty())
            .map(|name| name.parse().unwrap())
            .unwrap_or_default(),
        public_key: spki::SubjectPublicKeyInfoOwned::from_der(key.public_key().der()).unwrap(),
        attributes: Default::default(),
    };
    let signature = BitString::from_bytes(&signer.sign(&info.to_der().unwrap())).unwrap();
    let algorithm =
        spki::AlgorithmIdentifierOwned { oid: key.public_key().signature_algorithm(), parameters: None };
    let request = CertReq { info, algorithm, signature }.to_der().unwrap();
    let pem = der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &request).unwrap();
    BASE64_STANDARD.encode(pem)
}

#[tokio::test(flavor = "multi_thread")]
async fn bound_token_certifies_only_its_own_key() {
    let world = World::start().await;
    let (key, salt) = (key(), BindingSalt(Fr::from(77u64)));
    let bind = key.public_key().key_hash().to_field();
    let nonce = binding_string(Usage::Certificate, audience_digest(AUDIENCE).unwrap(), bind, salt);
    let token = world.issuer.token(&world.payload().replacen('{', &format!(r#"{{"nonce":"{nonce}","#), 1));
    let own = json!({ "bindSalt": BASE64_URL_SAFE_NO_PAD.encode(field::to_bytes(&salt.0)) });
    let (status, answer) = world.request(&key, &token, own.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert!(view.pair().unwrap().token.bound);
    verify::proofs(view, world.ca.trust()).unwrap();
    let thief = self::key();
    assert_eq!(world.request(&thief, &token, own).await.1["reason"], "nonce-not-bound");
    assert_eq!(world.request(&thief, &token, Value::Null).await.1["reason"], "nonce-reserved");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_token_and_request_has_its_reason() {
    let world = World::start().await;
    let key = key();
    let payload = world.payload();
    let reason = |token: String, own: Value| {
        let (world, key) = (&world, &key);
        async move { world.request(key, &token, own).await.1["reason"].as_str().unwrap_or("issued").to_owned() }
    };
    let changed = |from: &str, to: &str| {
        assert!(payload.contains(from));
        world.issuer.token(&payload.replacen(from, to, 1))
    };
    let exp = format!("\"exp\":{}", NOW + 300);
    let iat = format!("\"iat\":{}", NOW - 10);
    let header = |header: &str| world.issuer.token_with_header(header, payload.as_bytes());
    let cases = [
        (changed(&exp, &format!("\"exp\":{}", NOW - 5)), "token-expired"),
        (changed(&iat, &format!("\"iat\":{}", NOW + 56)), "token-from-future"),
        (changed(AUDIENCE, "elsewhere"), "audience-mismatch"),
        (changed(&world.iss, "https://elsewhere.example"), "issuer-untrusted"),
        (changed(r#""email_verified":true"#, r#""email_verified":false"#), "email-not-verified"),
        (changed(r#""sub""#, r#""email":"mallory@example.org","sub""#), "claim-duplicate"),
        (header(r#"{"alg":"none","kid":"test-key","typ":"JWT"}"#), "header-algorithm"),
        (header(r#"{"alg":"HS256","kid":"test-key","typ":"JWT"}"#), "header-algorithm"),
        (header(r#"{"alg":"ES256","kid":"test-key","typ":"JWT"}"#), "header-algorithm"),
        (header(r#"{"alg":"RS256","kid":"other","typ":"JWT"}"#), "issuer-key-unknown"),
        (header(r#"{"typ":"JWT","alg":"RS256","kid":"test-key"}"#), "issuer-key-unlisted"),
        (Issuer::generate().token(&payload), "signature-invalid"),
        ("a.b".to_owned(), "token-not-compact"),
        (changed("u1", &"u".repeat(2000)), "token-too-large"),
    ];
    for (token, expected) in cases {
        assert_eq!(reason(token, Value::Null).await, expected);
    }
    let good = world.issuer.token(&payload);
    for (own, expected) in [
        (json!({ "profile": "epoch" }), "profile-not-allowed"),
        (json!({ "profile": "other" }), "profile-unknown"),
        (json!({ "mode": "blind" }), "blind-unsupported"),
        (json!({ "proofs": "deferred" }), "deferred-unsupported"),
        (json!({ "bindSalt": "!" }), "bind-salt-malformed"),
        (json!({ "bindSalt": BASE64_URL_SAFE_NO_PAD.encode([0; 32]) }), "nonce-not-bound"),
        (json!({ "unknown": 1 }), "request-malformed"),
    ] {
        assert_eq!(reason(good.clone(), own).await, expected);
    }
    let larger = changed("u1", &"u".repeat(400));
    assert_eq!(reason(larger, Value::Null).await, "proving-key-missing");
    let world = &world;
    let post = |body: Value| async move { world.post("/api/v2/signingCert", &body).await };
    let stolen = request(&key, &good, "someone else", Value::Null);
    let (status, problem) = post(stolen).await;
    assert_eq!((status, &problem["reason"]), (400, &json!("proof-of-possession-invalid")));
    assert_eq!(post(json!({})).await.1["reason"], "token-missing");
    let no_key = json!({ "credentials": { "oidcIdentityToken": good } });
    assert_eq!(post(no_key).await.1["reason"], "public-key-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_whose_documents_are_unsound_give_no_key() {
    let issuer = Issuer::generate();
    let mut small = issuer.jwk();
    small["n"] = json!(BASE64_URL_SAFE_NO_PAD.encode([0xff; 128]));
    small["kid"] = json!("small");
    let mut cube = issuer.jwk();
    cube["e"] = json!("Aw");
    cube["kid"] = json!("cube");
    let elliptic = json!({ "kty": "EC", "kid": "elliptic" });
    let twice = json!([issuer.jwk(), issuer.jwk(), small, cube, elliptic]);
    let iss = serve_issuer(json!({ "keys": twice })).await;
    let keys = IssuerKeys::discover(&iss, policy()).unwrap();
    for (kid, expected) in [
        ("small", "modulus-size"),
        ("cube", "exponent-unsupported"),
        ("elliptic", "issuer-key-type"),
        ("test-key", "issuer-key-duplicate"),
        ("absent", "issuer-key-unknown"),
    ] {
        assert_eq!(keys.modulus(Some(kid), NOW).await.unwrap_err().reason(), expected);
    }
    let elsewhere = IssuerKeys::discover(&format!("{iss}/"), policy()).unwrap();
    assert_eq!(elsewhere.modulus(None, NOW).await.unwrap_err().reason(), "oidc-issuer-mismatch");
    let insecure = IssuerKeys::discover(&iss, FetchPolicy::default()).unwrap();
    assert_eq!(insecure.modulus(None, NOW).await.unwrap_err().reason(), "oidc-insecure-url");
    let absent = IssuerKeys::discover("http://127.0.0.1:1", policy()).unwrap();
    assert_eq!(absent.modulus(None, NOW).await.unwrap_err().reason(), "oidc-unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_proven_in_the_smallest_circuit_that_takes_it() {
    let world = World::build(Plan::of(SizeClass::B1536)).await;
    let key = SigningKeyP256::generate(&mut OsRng);
    let token = world.issuer.token(&world.payload());
    let (status, answer) = world.request(&key, &token, Value::Null).await;
    assert_eq!(status, 200, "{answer}");
    let view = CertificateView::parse(leaf(&answer).as_bytes()).unwrap();
    assert_eq!(view.pair().unwrap().token.size_class, 1536);
    assert!(verify::proofs(view, world.ca.trust()).is_ok());
}
