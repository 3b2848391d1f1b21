//! Listing the keys of an issuer that rotates them.

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::Jwt;
use sigveil_zk_ca::jwks::KeySet;
use sigveil_zk_ca::observed::{HeaderTemplate, ObservedKeys};
use sigveil_zk_ca::service::oidc::IssuerKeys;
use sigveil_zk_ca::trust::Interval;

use crate::world::{NOW, policy};

const TEMPLATE: &str = r#"{"alg":"RS256","kid":"{kid}","typ":"JWT"}"#;
const DAY: u64 = 86_400;

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn named(issuer: &Issuer, id: &str) -> Value {
    let mut key = issuer.jwk();
    key["kid"] = json!(id);
    key
}

#[test]
fn the_template_gives_the_header_that_the_issuer_signs() {
    let issuer = Issuer::generate();
    let token = issuer.token("{}");
    let jwt = Jwt::parse(&token).unwrap();
    let text = String::from_utf8(jwt.compact().header().to_vec()).unwrap();
    let template = HeaderTemplate::parse(&text.replace("test-key", "{kid}")).unwrap();
    assert_eq!(template.header("test-key", None).unwrap(), jwt.compact().header());
    let both = HeaderTemplate::parse(r#"{"typ":"JWT","alg":"RS256","x5t":"{x5t}","kid":"{kid}"}"#).unwrap();
    let header = both.header("38826b17", Some("eBZ_cn3sXYAd0ch4THBKHIgOwOE")).unwrap();
    let expected = r#"{"typ":"JWT","alg":"RS256","x5t":"eBZ_cn3sXYAd0ch4THBKHIgOwOE","kid":"38826b17"}"#;
    assert_eq!(String::from_utf8(header).unwrap(), expected);
}

#[test]
fn each_template_and_key_that_gives_no_header_is_refused() {
    let template = |text: &str| HeaderTemplate::parse(text).map_err(|error| error.reason());
    assert_eq!(template(r#"{"alg":"RS256"}"#), Err("header-template"));
    assert_eq!(template(r#"{"alg":"RS256","kid":"{kid}{kid}"}"#), Err("header-template"));
    assert_eq!(template(r#"{"alg":"RS256","kid":"one","x5t":"{kid}"}"#), Err("header-template"));
    assert_eq!(template(r#"{"alg":"HS256","kid":"{kid}"}"#), Err("header-algorithm"));
    assert_eq!(template(r#"{"alg":"RS256","kid":"{kid}","crit":[]}"#), Err("header-member"));
    let good = template(TEMPLATE).unwrap();
    let header = |id: &str| good.header(id, None).map(drop).map_err(|error| error.reason());
    assert_eq!(header("plain"), Ok(()));
    assert_eq!(header(r"a\u0062"), Err("header-template"));
    assert_eq!(header(r#"a","x5t":"b"#), Err("header-template"));
    assert_eq!(header(r#"a","kid":"b"#), Err("header-duplicate"));
    assert_eq!(header(&"k".repeat(248)), Err("header-too-long"));
    let both = template(r#"{"alg":"RS256","kid":"{kid}","x5t":"{x5t}"}"#).unwrap();
    let thumbprint = |x5t| both.header("kid", x5t).map(drop).map_err(|error| error.reason());
    assert_eq!(thumbprint(Some("AA")), Ok(()));
    assert_eq!(thumbprint(None), Err("header-template"));
    assert_eq!(thumbprint(Some(r#"AA","typ":"JWT"#)), Err("header-template"));
}

#[test]
fn keys_that_leave_the_set_lapse_and_none_is_widened_backwards() {
    let (first, second) = (Issuer::generate(), Issuer::generate());
    let [one, two] = [named(&first, "one"), named(&second, "two")];
    let template = HeaderTemplate::parse(TEMPLATE).unwrap();
    let mut observed = ObservedKeys::default();
    let mut see = |keys: &[&Value], now: u64| {
        let keys: Vec<_> = keys.iter().map(|key| (*key).clone()).collect();
        let changed = observed.observe(&set(&keys), &template, now).unwrap();
        (changed, observed.listed().iter().map(|key| key.valid_for).collect::<Vec<_>>())
    };
    let until = |start, end| Interval { start, end: Some(end) };
    assert_eq!(see(&[&one], 100), (true, vec![Interval::from(100)]));
    assert_eq!(see(&[&one], 200), (false, vec![Interval::from(100)]));
    assert_eq!(see(&[&one, &two], 300), (true, vec![Interval::from(100), Interval::from(300)]));
    assert_eq!(see(&[&two], 400), (true, vec![until(100, 300 + DAY), Interval::from(300)]));
    // Its time of leaving stands, however often it is looked for; within the day it may return.
    assert_eq!(see(&[&two], 500), (false, vec![until(100, 300 + DAY), Interval::from(300)]));
    assert_eq!(see(&[&two, &one], 600), (true, vec![Interval::from(100), Interval::from(300)]));
    // A clock that goes back changes nothing.
    assert_eq!(see(&[&two, &one], 50), (false, vec![Interval::from(100), Interval::from(300)]));
    assert_eq!(see(&[&two], 700), (true, vec![until(100, 600 + DAY), Interval::from(300)]));
    let back = 600 + DAY;
    let again = vec![until(100, back), Interval::from(300), Interval::from(back)];
    assert_eq!(see(&[&two, &one], back), (true, again));
    let kept: ObservedKeys = serde_json::from_value(serde_json::to_value(&observed).unwrap()).unwrap();
    assert_eq!(kept, observed);
}

#[test]
fn keys_without_use_here_are_passed_over_and_too_many_are_refused() {
    let issuer = Issuer::generate();
    let template = HeaderTemplate::parse(TEMPLATE).unwrap();
    let mut nameless = issuer.jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    let elliptic = json!({ "kty": "EC", "kid": "elliptic" });
    let keys = [nameless, elliptic, named(&issuer, "twice"), named(&issuer, "twice"), named(&issuer, "good")];
    let mut observed = ObservedKeys::default();
    assert_eq!(observed.observe(&set(&keys), &template, NOW), Ok(true));
    assert_eq!(observed.keys.len(), 1);
    assert_eq!(observed.keys[0].header.0, template.header("good", None).unwrap());
    let more =
        |from: usize| set(&(from..from + 60).map(|n| named(&issuer, &n.to_string())).collect::<Vec<_>>());
    for round in 0..4 {
        assert_eq!(observed.observe(&more(60 * round), &template, NOW), Ok(true));
    }
    let before = observed.clone();
    assert_eq!(observed.observe(&more(240), &template, NOW).unwrap_err().reason(), "issuer-keys-too-many");
    assert_eq!(observed, before);
}

#[tokio::test]
async fn the_whole_set_is_fetched_under_the_same_limits() {
    let key = Issuer::generate().jwk();
    let (answers, asked) = (key.clone(), std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let iss = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": iss, "jwks_uri": format!("{iss}/jwks") });
    let count = std::sync::Arc::clone(&asked);
    let jwks = move || async move {
        match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Json(json!({ "keys": [answers] })).into_response(),
            _ => axum::http::StatusCode::BAD_GATEWAY.into_response(),
        }
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(move || async { Json(discovery) }))
        .route("/jwks", get(jwks));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let keys = IssuerKeys::discover(&iss, policy()).unwrap();
    let names = |set: KeySet| set.named().map(|key| key.id.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(keys.key_set(NOW).await.unwrap()), ["test-key"]);
    assert_eq!(names(keys.key_set(NOW + 599).await.unwrap()), ["test-key"]);
    // An operator is told that the set is not what the issuer serves now, and asks again no sooner than anybody.
    assert_eq!(keys.key_set(NOW + 600).await.unwrap_err().reason(), "oidc-status");
    assert_eq!(keys.key_set(NOW + 601).await.unwrap_err().reason(), "oidc-status");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    // A token under a known key is still accepted: what is known serves for an hour.
    assert!(keys.modulus(Some("test-key"), NOW + 602).await.is_ok());
}
