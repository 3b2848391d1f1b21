//! The demo's proofs, taken to snarkjs and back.

use std::process::Command;

use sigveil::service::issuer::Issuer;
use sigveil_circuits::export::read_r1cs;
use sigveil_circuits::keys::Statement;

use crate::stock_clients::available;
use crate::support::{demo, run_json, scratch};

const SNARKJS: &str = "snarkjs@0.7.6";

#[test]
fn the_proofs_of_a_certificate_hold_for_snarkjs_and_here() {
    let demo = demo();
    let folder = tempfile::tempdir_in(scratch("export")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bundle = demo.path("artifact.sigstore.json");
    let root = demo.path("trusted_root.json");
    let (bundle, root, out) = (bundle.to_str().unwrap(), root.to_str().unwrap(), path(""));
    let (status, answer) =
        run_json(["export", "proofs", "--bundle", bundle, "--trusted-root", root, "--out", &out]);
    assert_eq!((status, answer["files"].as_array().unwrap().len()), (0, 6), "{answer}");
    let snarkjs = available("node").then(snarkjs);
    for (name, other) in [("token", "nym"), ("nym", "token")] {
        let [key, proof, public] =
            ["key", "proof", "public"].map(|part| path(&format!("{name}.{part}.json")));
        let elsewhere = path(&format!("{other}.public.json"));
        for (public, holds) in [(&public, true), (&elsewhere, false)] {
            let (status, answer) =
                run_json(["export", "check", "--key", &key, "--proof", &proof, "--public", public]);
            let expected = if holds { (0, None) } else { (1, Some("proof-invalid")) };
            assert_eq!((status, answer["reason"].as_str()), expected, "{name}: {answer}");
            if let Some(snarkjs) = &snarkjs {
                let mut verify = Command::new("node");
                verify.arg(snarkjs).args(["groth16", "verify", &key, public, &proof]);
                assert_eq!(verify.output().unwrap().status.success(), holds, "{name}");
            }
        }
        // Not a proof, and not a proof of this form.
        let (status, answer) =
            run_json(["export", "check", "--key", &key, "--proof", &key, "--public", &public]);
        assert_eq!((status, answer["reason"].as_str()), (1, Some("snarkjs-malformed")));
    }
}

#[test]
fn a_circuit_and_the_values_of_a_token_are_written_for_others() {
    let folder = tempfile::tempdir_in(scratch("export")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (r1cs, witness) = (path("nym.r1cs"), path("token.wtns"));
    let (status, answer) = run_json(["export", "r1cs", "--statement", "nym.v1", "--out", &r1cs]);
    assert_eq!(status, 0, "{answer}");
    let read = read_r1cs(std::fs::File::open(&r1cs).unwrap()).unwrap();
    assert_eq!(answer["shape"].as_str().unwrap(), hex::encode(read.digest()));
    assert_eq!(read.digest(), Statement::Nym.shape().digest());
    let issuer = Issuer::new("https://issuer.example".into(), &Issuer::generate_key().unwrap()).unwrap();
    let claims = serde_json::json!({
        "iss": "https://issuer.example", "aud": "sigstore", "sub": "1", "iat": 1_000, "exp": 2_000,
        "email": "a@example.com", "email_verified": true,
    });
    std::fs::write(path("token"), issuer.sign(claims.to_string().as_bytes()).unwrap()).unwrap();
    std::fs::write(path("jwks"), issuer.jwks().to_string()).unwrap();
    let export = |time: &str, out: &str| {
        let (token, jwks) = (path("token"), path("jwks"));
        let expected = ["--issuer", "https://issuer.example", "--audience", "sigstore", "--time", time];
        run_json([&["export", "witness", &token, "--jwks", &jwks, "--out", out], &expected[..]].concat())
    };
    let (status, answer) = export("1000", &witness);
    assert_eq!(status, 0, "{answer}");
    let statement = Statement::from_name(answer["statement"].as_str().unwrap()).unwrap();
    let values = 2 + statement.shape().witnesses() as u64;
    // A header of 12 bytes, two of 12 for sections, 40 in the first; 32 for each value.
    let file = std::fs::metadata(&witness).unwrap();
    assert_eq!(file.len(), 12 + 2 * 12 + 40 + 32 * values);
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
    // It is a secret, and one of a token that holds.
    let (status, answer) = export("1000", &witness);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("secret-exists")));
    let late = path("late.wtns");
    let (status, answer) = export("2000", &late);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("token-expired")));
    assert!(!std::path::Path::new(&late).exists());
}

/// The command of snarkjs, installed once.
fn snarkjs() -> std::path::PathBuf {
    let folder = scratch("snarkjs");
    let program = folder.join("node_modules/snarkjs/build/cli.cjs");
    if !program.exists() {
        std::fs::write(folder.join("package.json"), "{}").unwrap();
        let mut install = Command::new("npm");
        install.current_dir(&folder).args(["install", "--no-audit", "--no-fund", SNARKJS]);
        assert!(install.output().unwrap().status.success());
    }
    program
}
