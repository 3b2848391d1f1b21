//! Tokens as eight issuers give them: names and order of claims as each documents them, the values our own.
//!
//! Every shape is tried in any order of its members, with the white space of several writers, with every way of
//! binding that the issuer offers, under every kind of identity that it gives; by the claims' rows and the native
//! check. Then once as signed, by the whole circuit, which says which class takes it.

use super::*;
use crate::token::{Jwt, Refusal};

/// How an issuer lets a signer have a token bound.
#[derive(Clone, Copy, PartialEq)]
enum Room {
    /// By the nonce of a login.
    Nonce,
    /// By an audience that the signer names.
    Audience,
}

/// A token of one issuer.
struct Shape {
    name: &'static str,
    header: &'static str,
    issuer: &'static str,
    /// Members in the order documented, as compact JSON. `AUD`, `IAT` and `EXP` stand for the values tried.
    payload: &'static str,
    kinds: &'static [Kind],
    room: Room,
    /// The class that takes it when it is bound.
    class: SizeClass,
}

/// Sources: developers.google.com/identity/openid-connect/openid-connect (an ID token's payload); dexidp.io/docs
/// (ID tokens) and the order of `idTokenClaims` in dex's `server/oauth2.go`; docs.github.com, "OpenID Connect
/// reference" (Actions); docs.gitlab.com/ci/secrets/id_token_authentication (token payload);
/// kubernetes.io/docs/tasks/configure-pod-container/configure-service-account (schema of service account private
/// claims); buildkite.com/docs/agent/cli/reference/oidc (example token contents); keycloak.org/docs, `IDToken`; the
/// standard JWT-SVID of github.com/spiffe/spiffe, in the order in which SPIRE writes it.
const SHAPES: [Shape; 8] = [
    Shape {
        name: "Google",
        header: r#"{"alg":"RS256","kid":"9bd0027cb9c1e3a4b6a30c3a0b9f7ee5f1b2c3d4","typ":"JWT"}"#,
        issuer: "https://accounts.google.com",
        payload: r#"{"iss":"https://accounts.google.com","azp":"1234987819200.apps.googleusercontent.com","aud":AUD,"sub":"10769150350006150715113082367","hd":"example.com","email":"jsmith@example.com","email_verified":true,"at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","nonce":"0394852-3190485-2490358","name":"Jörg \"JJ\" Smith","picture":"https:\/\/lh3.googleusercontent.com\/a\/x=s96-c","given_name":"Jörg","family_name":"Smith","iat":IAT,"exp":EXP}"#,
        kinds: &[Kind::Email, Kind::Sub],
        room: Room::Nonce,
        class: SizeClass::B768,
    },
    Shape {
        name: "Dex",
        header: r#"{"alg":"RS256","kid":"9d44741f773b938cf65dd326685b86180c324d99"}"#,
        issuer: "https://oauth2.sigstore.example/auth",
        payload: r#"{"iss":"https://oauth2.sigstore.example/auth","sub":"CgcyMzQyNzQ5EgZnaXRodWI","aud":AUD,"exp":EXP,"iat":IAT,"nonce":"n-0S6_WzA2Mj","at_hash":"bi96gOXZShvlWYtal9Eqiw","c_hash":"LDktKdoQak3Pk0cnXxCltA","email":"jane@example.com","email_verified":true,"groups":["admins","r\u0026d"],"name":"Jane \u003cDoe\u003e","preferred_username":"jane","federated_claims":{"connector_id":"github","user_id":"2342749"}}"#,
        kinds: &[Kind::Email, Kind::Sub],
        room: Room::Nonce,
        class: SizeClass::B768,
    },
    Shape {
        name: "GitHub Actions",
        header: r#"{"typ":"JWT","alg":"RS256","x5t":"eBZ_cn3sXYAd0ch4THBKHIgOwOE","kid":"78167F727DEC5D801DD1C8784C704A1C880EC0E1"}"#,
        issuer: "https://token.actions.githubusercontent.com",
        payload: r#"{"jti":"6f0a9c2e-7b1d-4c55-9d0b-2f8f1d3f4b6a","sub":"repo:octo-org/octo-repo:environment:prod","environment":"prod","aud":AUD,"ref":"refs/heads/main","sha":"c040cae0f0dc81641728557b80f09cfa23b83fe5","repository":"octo-org/octo-repo","repository_owner":"octo-org","actor_id":"1001","repository_visibility":"private","repository_id":"424242001","repository_owner_id":"2020","run_id":"22259804324","run_number":"10","run_attempt":"2","runner_environment":"github-hosted","actor":"octocat","workflow":"Build, test \u0026 release","head_ref":"","base_ref":"","event_name":"workflow_dispatch","ref_protected":"true","ref_type":"branch","workflow_ref":"octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main","workflow_sha":"c040cae0f0dc81641728557b80f09cfa23b83fe5","job_workflow_ref":"octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main","job_workflow_sha":"c9ed89cf4dacf01feb527c42a26e0a8920d14c61","check_run_id":"90000001","iss":"https://token.actions.githubusercontent.com","nbf":IAT,"exp":EXP,"iat":IAT}"#,
        kinds: &[Kind::Workflow, Kind::WorkflowProtected, Kind::Sub],
        room: Room::Audience,
        class: SizeClass::B2048,
    },
    Shape {
        name: "GitLab",
        header: r#"{"kid":"4i3sFE7sxqNPOT7FdvcGA1ZVGGI_r-tsDXnEuYT4ZqE","typ":"JWT","alg":"RS256"}"#,
        issuer: "https://gitlab.example.com",
        payload: r#"{"namespace_id":"1087575","namespace_path":"acme-corporation/container-platform","project_id":"76366029","project_path":"acme-corporation/container-platform/workload-identity-federation","user_id":"907142","user_login":"sample-user","user_email":"sample-user@example.com","user_access_level":"developer","user_identities":[{"provider":"github","extern_uid":"2435223452345"},{"provider":"bitbucket","extern_uid":"john.smith"}],"pipeline_id":"2179265456","pipeline_source":"push","job_id":"12217223061","ref":"renovate/all-minor-and-patch-updates","ref_type":"branch","ref_path":"refs/heads/renovate/all-minor-and-patch-updates","ref_protected":"true","groups_direct":["mygroup/mysubgroup","myothergroup/myothersubgroup"],"environment":"test-environment2","environment_protected":"false","deployment_tier":"testing","environment_action":"start","runner_id":47561171,"runner_environment":"self-hosted","sha":"714a629c0b401fdce83e847fc9589983fc6f46bc","project_visibility":"public","ci_config_ref_uri":"gitlab.example.com/acme-corporation/container-platform/workload-identity-federation//.gitlab-ci.yml@refs/heads/main","ci_config_sha":"714a629c0b401fdce83e847fc9589983fc6f46bc","jti":"235b3a54-b797-45c7-ae9a-f72d7bc6ef5b","iss":"https://gitlab.example.com","iat":IAT,"nbf":IAT,"exp":EXP,"sub":"project_path:acme-corporation/container-platform/workload-identity-federation:ref_type:branch:ref:renovate/all-minor-and-patch-updates","aud":AUD}"#,
        kinds: &[Kind::CiConfig, Kind::CiConfigProtected, Kind::Sub],
        room: Room::Audience,
        class: SizeClass::B2560,
    },
    Shape {
        name: "Kubernetes",
        header: r#"{"alg":"RS256","kid":"5rgemQAQRM3vxMUJQDyjqLBPdU8hjlTS09BtFS6jRlM"}"#,
        issuer: "https://kubernetes.default.svc",
        payload: r#"{"aud":[AUD],"exp":EXP,"iat":IAT,"iss":"https://kubernetes.default.svc","jti":"ea28ed49-2e11-4280-9ec5-bc3d1d84661a","kubernetes.io":{"namespace":"kube-system","node":{"name":"127.0.0.1","uid":"58456cb0-dd00-45ed-b797-5578fdceaced"},"pod":{"name":"coredns-69cbfb9798-jv9gn","uid":"778a530c-b3f4-47c0-9cd5-ab018fb64f33"},"serviceaccount":{"name":"coredns","uid":"a087d5a0-e1dd-43ec-93ac-f13d89cd13af"},"warnafter":1700081020},"nbf":IAT,"sub":"system:serviceaccount:kube-system:coredns"}"#,
        kinds: &[Kind::Sub],
        room: Room::Audience,
        class: SizeClass::B1024,
    },
    Shape {
        name: "Buildkite",
        header: r#"{"kid":"0184990a-477b-4fa8-9968-496074483cee","alg":"RS256","typ":"JWT"}"#,
        issuer: "https://agent.buildkite.com",
        payload: r#"{"iss":"https://agent.buildkite.com","sub":"organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:build","aud":AUD,"iat":IAT,"nbf":IAT,"exp":EXP,"organization_slug":"acme-inc","pipeline_slug":"super-duper-app","build_number":1,"build_branch":"main","build_tag":"v1.0.0","build_commit":"9f3182061f1e2cca4702c368cbc039b7dc9d4485","step_key":"build","job_id":"0184990a-477b-4fa8-9968-496074483cee","agent_id":"0184990a-4782-42b5-afc1-16715b10b8ff","build_source":"ui","runner_environment":"buildkite-hosted"}"#,
        kinds: &[Kind::Sub],
        room: Room::Audience,
        class: SizeClass::B1024,
    },
    Shape {
        name: "Keycloak",
        header: r#"{"alg":"RS256","typ" : "JWT","kid" : "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"}"#,
        issuer: "https://sso.example.org/realms/ünïcode",
        payload: r#"{"exp":EXP,"iat":IAT,"auth_time":1700000000,"jti":"onrtac:2f8f1d3f-4b6a-4c55-9d0b-6f0a9c2e7b1d","iss":"https://sso.example.org/realms/ünïcode","aud":AUD,"sub":"f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e","typ":"ID","azp":"sigstore","nonce":"b5a1c2","sid":"4c0a3a8a-3a47-4f2f-8e89-9e5f9b0a0a0a","at_hash":"1qFTdJAxMZ0YPp2pQeMfbg","acr":"1","resource_access":{"sigstore":{"roles":["email","sub","iss"]},"account":{"roles":[]}},"email_verified":true,"address":{},"name":"Ada Lovelace 💎","groups":["/plat{form}/arch","]"],"preferred_username":"ada","given_name":"Ada","locale":"en","family_name":"Lovelace 💎","email":"ada@sso.example.org"}"#,
        kinds: &[Kind::Email, Kind::Sub],
        room: Room::Nonce,
        class: SizeClass::B1536,
    },
    Shape {
        name: "SPIFFE",
        header: r#"{"alg":"RS256","kid":"r5ZkD6fVxqZcMyN1Q4JXhZ8FnZ7gFxwP","typ":"JWT"}"#,
        issuer: "https://oidc-discovery.example.org",
        payload: r#"{"aud":[AUD],"exp":EXP,"iat":IAT,"iss":"https://oidc-discovery.example.org","jti":"bYw2v5Qd","sub":"spiffe://example.org/ns/payments/sa/release-signer"}"#,
        kinds: &[Kind::Sub],
        room: Room::Audience,
        class: SizeClass::B768,
    },
];

impl Shape {
    fn named(name: &str) -> &'static Shape {
        SHAPES.iter().find(|shape| shape.name == name).unwrap()
    }

    fn expectation<'a>(&self, modulus: &'a Modulus, kind: Kind, binding: Binding) -> Expectation<'a> {
        Expectation { issuer: self.issuer, binding, ..expectation(modulus, kind) }
    }

    /// The ways in which its tokens are bound.
    fn bindings(&self) -> [Binding; 2] {
        let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
        let bound = match self.room {
            Room::Nonce => Binding::Nonce { bind, salt },
            Room::Audience => Binding::Audience { bind, salt },
        };
        [Binding::Unbound, bound]
    }

    /// The payload for this expectation, compact and in the order documented.
    fn payload(&self, expected: &Expectation<'_>) -> String {
        let configured = audience_digest(expected.audience).unwrap();
        let bound = |bind, salt: &_| binding_string(expected.usage, configured, bind, *salt);
        let audience = match &expected.binding {
            Binding::Audience { bind, salt } => bound(*bind, salt),
            _ => expected.audience.to_owned(),
        };
        let text = self.payload.replace("AUD", &format!("\"{audience}\""));
        let text = text.replace("IAT", &(TIME - 5).to_string()).replace("EXP", &(TIME + 300).to_string());
        let Binding::Nonce { bind, salt } = &expected.binding else { return text };
        let nonce = text.find("\"nonce\":\"").unwrap() + 9;
        let end = nonce + text[nonce..].find('"').unwrap();
        format!("{}{}{}", &text[..nonce], bound(*bind, salt), &text[end..])
    }
}

/// A compact object's members.
fn members(payload: &str) -> Vec<String> {
    let object = crate::token::json::Object::parse(payload.as_bytes()).unwrap();
    let text =
        |member: &crate::token::json::Member| payload[member.key.start - 1..member.value.end].to_owned();
    object.members().iter().map(text).collect()
}

/// The same JSON with this text behind every colon, and that behind every comma and opening bracket and before every
/// closing one, as if written so.
fn spaced(compact: &str, behind_colon: &str, between: &str) -> String {
    let (mut out, mut in_string, mut escaped) = (String::new(), false, false);
    for character in compact.chars() {
        let quote = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        if !in_string && matches!(character, '}' | ']') {
            out += between;
        }
        out.push(character);
        match character {
            ':' if !in_string => out += behind_colon,
            ',' | '{' | '[' if !in_string => out += between,
            _ => in_string ^= quote,
        }
    }
    out
}

/// Native verdict and the circuit's on the claims, which must be one.
fn both(payload: &str, header: &str, expected: &Expectation<'_>) -> Result<(), &'static str> {
    let native = check_payload(payload.as_bytes(), expected).map(|_| ()).map_err(|refusal| refusal.reason());
    let encoded = header.len().div_ceil(3) * 4;
    let offset = (encoded + 1) / 4 * 3;
    let positions = SizeClass::ALL.map(SizeClass::decoded_bytes);
    let positions = positions.into_iter().find(|positions| offset + payload.len() <= *positions);
    let values = claims_values(payload.as_bytes(), offset, expected, positions.expect("it fits a class"));
    let families: Vec<_> = values.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(values.is_satisfied(), native.is_ok(), "{native:?} {families:?} {payload}");
    native
}

#[test]
fn tokens_of_eight_issuers_are_taken_however_they_are_written() {
    let modulus = modulus();
    for shape in &SHAPES {
        for (i, kind) in shape.kinds.iter().enumerate() {
            for (j, binding) in shape.bindings().into_iter().enumerate() {
                let expected = shape.expectation(&modulus, *kind, binding);
                let payload = shape.payload(&expected);
                assert_eq!(both(&payload, shape.header, &expected), Ok(()), "{}", shape.name);
                // Another order and other white space for each, so that every kind and binding meets some.
                let mut members = members(&payload);
                let by = (7 * i + 5 * j + 3) % members.len();
                members.rotate_left(by);
                members.reverse();
                let other = format!("{{{}}}", members.join(","));
                let written = match (i + j) % 3 {
                    0 => spaced(&other, " ", " "),
                    1 => format!("\r\n{}\n", spaced(&other, "\t", "\n")),
                    _ => spaced(&other, "", ""),
                };
                assert_eq!(both(&written, shape.header, &expected), Ok(()), "{} {written}", shape.name);
            }
        }
    }
}

#[test]
fn signed_tokens_of_eight_issuers_satisfy_their_class() {
    let issuer = crate::testing::Issuer::generate();
    let modulus = issuer.modulus();
    for shape in &SHAPES {
        let [_, bound] = shape.bindings();
        let expected = shape.expectation(&modulus, shape.kinds[0], bound);
        let token = issuer.token_with_header(shape.header, shape.payload(&expected).as_bytes());
        let checked = crate::token::check(&Jwt::parse(&token).unwrap(), &expected).unwrap();
        assert_eq!(checked.class(), Class::rsa2048(shape.class), "{}", shape.name);
        let randomness = LinkingRandomness(Fr::from(3u64));
        let values = assign(checked.class(), &checked.instance(randomness), &checked.witness(randomness));
        assert_eq!(values.violations(), [], "{}", shape.name);
    }
}

/// What these issuers also give, and what cannot be proven: the reason is known before anything is.
#[test]
fn what_cannot_be_proven_says_why() {
    let modulus = modulus();
    let changed = |name: &str, kind: Kind, from: &str, to: &str| {
        let shape = Shape::named(name);
        let expected = shape.expectation(&modulus, kind, Binding::Unbound);
        let payload = shape.payload(&expected);
        assert!(payload.contains(from), "{name} {from}");
        both(&payload.replacen(from, to, 1), shape.header, &expected).unwrap_err()
    };
    // A cluster whose API server has two audiences, a client that shares its tokens, a flag of another type.
    assert_eq!(changed("Kubernetes", Kind::Sub, "\"],", "\",\"k3s\"],"), "audience-not-sole");
    let (one, two) = (format!("\"aud\":\"{AUDIENCE}\""), format!("\"aud\":[\"{AUDIENCE}\",\"account\"]"));
    assert_eq!(changed("Keycloak", Kind::Sub, &one, &two), "audience-not-sole");
    assert_eq!(
        changed("Google", Kind::Email, "verified\":true", "verified\":\"true\""),
        "email-not-verified"
    );
    assert_eq!(
        changed("GitLab", Kind::CiConfigProtected, "_protected\":\"true\"", "_protected\":\"false\""),
        "ref-not-protected"
    );
    // Go writes & as \u0026: in the name nobody minds, in the identity it would be a second spelling.
    assert_eq!(changed("Dex", Kind::Email, "jane@", "r\\u0026d@"), "claim-escaped");
    // Without what the standard leaves to the issuer, and with more than an identity holds.
    assert_eq!(changed("SPIFFE", Kind::Sub, "\"iss\"", "\"from\""), "claim-missing");
    assert_eq!(changed("SPIFFE", Kind::Sub, "\"iat\"", "\"at\""), "claim-missing");
    assert_eq!(changed("SPIFFE", Kind::Sub, "/ns/", &format!("/{}/", "n".repeat(300))), "identity-too-long");

    let token = |header: &str, payload: &str| {
        let encode =
            |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        Jwt::parse(&format!("{}.{}.AA", encode(header), encode(payload)))
            .err()
            .map(|refusal| refusal.reason())
    };
    let svid = Shape::named("SPIFFE");
    assert_eq!(token(svid.header, "{}"), None);
    assert_eq!(token(&svid.header.replace("\"JWT\"", "\"JOSE\""), "{}"), Some("header-type"));
    assert_eq!(token(&svid.header.replace("RS256", "ES256"), "{}"), Some("header-algorithm"));
    // An organisation's own properties of a repository are claims too.
    let actions = Shape::named("GitHub Actions");
    let properties: Vec<_> =
        (0..20).map(|i| format!("\"repo_property_{i}\":\"{}\",", "p".repeat(20))).collect();
    let payload = actions.payload.replacen('{', &format!("{{{}", properties.concat()), 1);
    assert_eq!(token(actions.header, &payload), Some("token-too-large"));
    // The configured audience, before there is a token.
    let long = "a".repeat(249);
    assert_eq!(audience_digest(&long).map_err(|refusal| refusal.reason()), Err("audience-too-long"));
    assert_eq!(Refusal::AudienceTooLong.reason(), "audience-too-long");
}

/// Also the kinds that no issuer of these lets be bound so.
#[test]
fn every_kind_is_bound_in_every_way() {
    let modulus = modulus();
    let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
    let configured = audience_digest(AUDIENCE).unwrap();
    for kind in Kind::ALL {
        for usage in [Usage::Certificate, Usage::Evaluation] {
            let bound = format!("\"{}\"", binding_string(usage, configured, bind, salt));
            for (binding, changes) in [
                (Binding::Unbound, vec![("nonce", "\"n\"")]),
                (Binding::Nonce { bind, salt }, vec![("nonce", bound.as_str())]),
                (Binding::Audience { bind, salt }, vec![("aud", bound.as_str())]),
            ] {
                let expected = Expectation { usage, binding, ..expectation(&modulus, kind) };
                if matches!(binding, Binding::Unbound) && usage == Usage::Evaluation {
                    continue;
                }
                assert_eq!(verdict(&with(kind, &changes), &expected), Ok(()), "{kind}");
            }
        }
    }
}
