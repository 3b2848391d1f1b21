//! `verify` on what the demo left, and on each part of it altered: one reason per check.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use sigveil_log::note::NoteKey;

use crate::alteration::Altered;
use crate::support::{Demo, demo, run_json, scratch};

const ALL: &[&str] = &["--require", "proof,search,witness=1,reexecutor=1"];

#[test]
fn the_demo_verifies_with_every_requirement() {
    let (status, answer) = demo().verify(ALL);
    assert_eq!(status, 0, "{answer}");
    assert_eq!(answer["verified"], true);
    assert_eq!(answer["reason"], Value::Null);
    let (san, issuer) = demo().identity();
    assert_eq!((answer["san"].as_str(), answer["issuer"].as_str()), (Some(&*san), Some(&*issuer)));
    let checks = answer["checks"].as_array().unwrap();
    for name in ["stock", "identity", "issuer", "proof", "search", "witness", "reexecutor"] {
        assert!(checks.iter().any(|check| check["name"] == name && check["ok"] == true), "{name}: {answer}");
    }
}

#[test]
fn the_trust_configuration_serves_as_well_as_the_trust_root() {
    let demo = demo();
    let (san, issuer) = demo.identity();
    let path = |name: &str| demo.path(name).to_str().unwrap().to_owned();
    let (status, answer) = run_json([
        "verify".to_owned(),
        path("artifact"),
        "--bundle".into(),
        path("artifact.sigstore.json"),
        "--trust-config".into(),
        path("trust_config.json"),
        "--identity".into(),
        san,
        "--issuer".into(),
        issuer,
        "--require".into(),
        "proof".into(),
    ]);
    assert_eq!(status, 0, "{answer}");
}

#[test]
fn another_file_identity_or_issuer_is_refused() {
    let demo = demo();
    let (san, issuer) = demo.identity();
    let artifact = demo.path("artifact");
    let other_label = san.replace("stable", "epoch");
    for (file, san, issuer, reason) in [
        (demo.path("identity.json"), &*san, &*issuer, "artifact-mismatch"),
        (artifact.clone(), &*other_label, &*issuer, "identity-mismatch"),
        (artifact.clone(), &*format!("{san} "), &*issuer, "identity-mismatch"),
        (artifact.clone(), &*san, "https://other.example", "issuer-mismatch"),
        (artifact, &*san, &*format!("{issuer}/"), "issuer-mismatch"),
    ] {
        let (status, answer) = demo.verify_as(&file, san, issuer, &[]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some(reason)), "{answer}");
        assert_eq!(answer["verified"], false);
    }
}

/// Verifies the demo with one of its JSON files altered.
fn with_altered(demo: &Demo, name: &str, flag: &str, alter: impl FnOnce(&mut Value)) -> (i32, Value) {
    let mut value = demo.json(name);
    alter(&mut value);
    with_text(demo, flag, &value.to_string())
}

fn with_text(demo: &Demo, flag: &str, text: &str) -> (i32, Value) {
    let folder = tempfile::tempdir_in(scratch("verification")).unwrap();
    let altered = folder.path().join("altered.json");
    std::fs::write(&altered, text).unwrap();
    let (san, issuer) = demo.identity();
    let mut arguments = vec!["verify".to_owned(), demo.path("artifact").to_str().unwrap().into()];
    for (name, file) in [
        ("--bundle", "artifact.sigstore.json"),
        ("--trusted-root", "trusted_root.json"),
        ("--sigveil-root", "trusted_root.sigveil.json"),
        ("--sigveil", "artifact.sigveil.json"),
    ] {
        let path = if name == flag { altered.clone() } else { demo.path(file) };
        arguments.extend([name.to_owned(), path.to_str().unwrap().to_owned()]);
    }
    arguments.extend(["--identity".into(), san, "--issuer".into(), issuer]);
    arguments.extend(ALL.iter().map(ToString::to_string));
    run_json(arguments)
}

/// Flips one bit near the end of a base64 member: of a timestamp and a certificate that is the signature.
fn flip(value: &mut Value) {
    let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    let near_end = bytes.len() - 8;
    bytes[near_end] ^= 1;
    *value = STANDARD.encode(bytes).into();
}

#[test]
fn every_part_of_the_bundle_is_checked() {
    let demo = demo();
    type Alter = fn(&mut Value);
    const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
    fn at<'a>(bundle: &'a mut Value, member: &str) -> &'a mut Value {
        bundle.pointer_mut(&format!("{ENTRY}/{member}")).unwrap()
    }
    let cases: &[(&str, Alter, &[&str])] = &[
        (
            "signature",
            |b| flip(&mut b["messageSignature"]["signature"]),
            &["timestamp-invalid", "signature-invalid"],
        ),
        (
            "digest",
            |b| flip(&mut b["messageSignature"]["messageDigest"]["digest"]),
            &["bundle-contradiction"],
        ),
        (
            "no digest",
            |b| {
                b["messageSignature"].as_object_mut().unwrap().remove("messageDigest");
            },
            &["bundle-unsupported"],
        ),
        ("log", |b| flip(at(b, "logId/keyId")), &["log-id-mismatch"]),
        ("integrated time", |b| *at(b, "integratedTime") = "1".into(), &["bundle-contradiction"]),
        ("promise", |b| *at(b, "inclusionPromise") = serde_json::json!({}), &["bundle-malformed"]),
        ("root", |b| flip(at(b, "inclusionProof/rootHash")), &["bundle-contradiction"]),
        ("tree size", |b| *at(b, "inclusionProof/treeSize") = "1000".into(), &["bundle-contradiction"]),
        ("index in proof", |b| *at(b, "inclusionProof/logIndex") = "1000".into(), &["bundle-contradiction"]),
        ("unknown member", |b| at(b, "inclusionProof")["more"] = 1.into(), &["bundle-malformed"]),
        (
            "certificate",
            |b| flip(&mut b["verificationMaterial"]["certificate"]["rawBytes"]),
            &["certificate-untrusted", "bundle-malformed"],
        ),
        (
            "timestamp",
            |b| {
                let stamps = &mut b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
                flip(&mut stamps[0]["signedTimestamp"]);
            },
            &["timestamp-invalid", "bundle-malformed"],
        ),
        (
            "entry body",
            |b| flip(at(b, "canonicalizedBody")),
            &["inclusion-proof-invalid", "log-entry-mismatch", "bundle-malformed"],
        ),
        (
            "entry index",
            |b| {
                *at(b, "logIndex") = "1000".into();
                *at(b, "inclusionProof/logIndex") = "1000".into();
            },
            &["inclusion-proof-invalid", "bundle-malformed"],
        ),
        (
            "checkpoint",
            |b| {
                let proof = &mut b["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
                let envelope = proof["checkpoint"]["envelope"].as_str().unwrap().to_owned();
                let (text, signature) = envelope.split_once("\n\n").unwrap();
                let [origin, size, rest] = text.splitn(3, '\n').collect::<Vec<_>>().try_into().unwrap();
                // The copy of the size too, so that the signature alone is against it.
                proof["treeSize"] = format!("1{size}").into();
                proof["checkpoint"]["envelope"] = format!("{origin}\n1{size}\n{rest}\n\n{signature}").into();
            },
            &["checkpoint-invalid", "inclusion-proof-invalid"],
        ),
        (
            "two entries",
            |b| {
                let entries = b["verificationMaterial"]["tlogEntries"].as_array_mut().unwrap();
                entries.push(entries[0].clone());
            },
            &["bundle-unsupported"],
        ),
        (
            "no timestamp",
            |b| b["verificationMaterial"]["timestampVerificationData"] = serde_json::json!({}),
            &["bundle-unsupported", "bundle-malformed"],
        ),
    ];
    for (name, alter, reasons) in cases {
        let (status, answer) = with_altered(demo, "artifact.sigstore.json", "--bundle", alter);
        assert_eq!(status, 1, "{name}: {answer}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reasons.contains(&reason), "{name}: {answer}");
    }
}

#[test]
fn every_leaf_of_the_bundle_altered_is_refused() {
    let demo = demo();
    let companion = std::fs::read_to_string(demo.path("artifact.sigveil.json")).unwrap();
    let altered = Altered::new(&demo.dir, &demo.path("artifact"), Some(&companion));
    altered.refuses_every_alteration(&demo.json("artifact.sigstore.json"));
}

#[test]
fn a_truncated_file_is_malformed_wherever_it_is_cut() {
    let demo = demo();
    let text = std::fs::read_to_string(demo.path("artifact.sigstore.json")).unwrap();
    for part in 0..8 {
        let (status, answer) = with_text(demo, "--bundle", &text[..text.len() * part / 8]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some("bundle-malformed")), "{part}/8");
    }
    let text = std::fs::read_to_string(demo.path("trusted_root.json")).unwrap();
    let (status, answer) = with_text(demo, "--trusted-root", &text[..text.len() / 2]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("trust-root-malformed")));
}

#[test]
fn the_two_parts_of_a_trust_root_belong_together() {
    let demo = demo();
    let (status, answer) = with_altered(demo, "trusted_root.json", "--trusted-root", |root| {
        root["certificateAuthorities"][0]["uri"] = "https://other.example".into();
    });
    assert_eq!((status, answer["reason"].as_str()), (1, Some("trust-section-other-root")));
}

/// Whoever has one key and two names would count as two.
#[test]
fn one_key_stands_once_in_a_trust_root_whatever_it_is_called() {
    let section = demo().json("trusted_root.sigveil.json");
    let renamed = |member: &str| {
        let text = section.pointer(member).unwrap().as_str().unwrap();
        let key = NoteKey::parse(text).unwrap();
        let point = STANDARD.decode(text.splitn(3, '+').nth(2).unwrap()).unwrap();
        let point = VerifyingKey::from_bytes(point[1..].try_into().unwrap()).unwrap();
        assert_ne!(key.name(), "renamed.example");
        NoteKey::cosignature("renamed.example", point).unwrap().encode()
    };
    let (witness, reexecutor) = (renamed("/witnesses/keys/0"), renamed("/reexecutors/keys/0"));
    let cases = [
        ("witnesses", witness.clone()),
        ("witnesses", reexecutor),
        ("witnesses", renamed("/signatureLog/verifierKey")),
        ("reexecutors", renamed("/outputLog/verifierKey")),
        ("reexecutors", witness),
    ];
    for (whose, key) in cases {
        let (status, answer) = with_altered(demo(), "trusted_root.sigveil.json", "--sigveil-root", |root| {
            root[whose]["keys"].as_array_mut().unwrap().push(key.into());
        });
        assert_eq!((status, answer["reason"].as_str()), (1, Some("trust-threshold")), "{whose}: {answer}");
    }
}

#[test]
fn a_disclosure_is_checked_and_must_say_what_is_expected() {
    let demo = demo();
    let disclosure = demo.path("artifact.disclosure.json");
    let disclosure = disclosure.to_str().unwrap();
    let email = demo.claims()["email"].as_str().unwrap().to_owned();
    let (status, answer) =
        demo.verify(&["--require", "proof", "--disclosure", disclosure, "--claim-value", &email]);
    assert_eq!(status, 0, "{answer}");
    let (status, answer) = demo.verify(&[
        "--require",
        "proof",
        "--disclosure",
        disclosure,
        "--claim-value",
        "mallory@example.org",
    ]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("disclosure-other-value")));
}

#[test]
fn a_disclosure_is_not_replaced_unless_somebody_says_so() {
    let demo = demo();
    let folder = tempfile::tempdir_in(scratch("verification")).unwrap();
    let out = folder.path().join("disclosure.json");
    std::fs::write(&out, b"an older one").unwrap();
    let path = |name: &str| demo.path(name).to_str().unwrap().to_owned();
    let (bundle, opening) = (path("artifact.sigstore.json"), path("secret/opening.json"));
    let open =
        ["disclose", "open", "--bundle", &bundle, "--opening", &opening, "--out", out.to_str().unwrap()];
    let (status, answer) = run_json(open);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("secret-exists")), "{answer}");
    assert_eq!(std::fs::read(&out).unwrap(), b"an older one");
    let (status, answer) = run_json([&open[..], &["--force"]].concat());
    assert_eq!(status, 0, "{answer}");
    assert!(std::fs::read(&out).unwrap() != b"an older one");
}

#[test]
fn what_the_demo_showed_being_refused_is_refused_by_a_user_too() {
    let demo = demo();
    let refusals = demo.report["refusals"].as_array().unwrap();
    assert!(refusals.len() >= 4, "{refusals:?}");
    for refusal in refusals {
        let case = refusal["case"].as_str().unwrap();
        let command = std::fs::read_to_string(demo.path("refused").join(case).join("command")).unwrap();
        // The command stands as a person would type it in the demo's folder; no argument holds a space.
        let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
        let output =
            crate::support::sigveil(&arguments).arg("--json").current_dir(&demo.dir).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{case}");
        assert_eq!(answer["reason"], refusal["reason"], "{case}");
    }
}
