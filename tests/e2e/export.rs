//! The demo's proofs, taken to snarkjs and back.

use std::process::Command;

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
