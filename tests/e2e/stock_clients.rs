//! Clients that know nothing of this project accept what the demo left: sigstore-python and sigstore-js, unmodified.
//!
//! They are installed below target/ by pip and npm on first use. Without python3 or node the test says so and passes;
//! with CI=true that is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{demo, scratch};

const SIGSTORE_PYTHON: &str = "sigstore==4.5.1";
const SIGSTORE_JS: [&str; 3] =
    ["@sigstore/verify@4.1.3", "@sigstore/bundle@4.0.0", "@sigstore/protobuf-specs@0.5.2"];

/// Whether a program is there; if not, whether that may be passed over.
pub fn available(program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs {program}");
    eprintln!("skipped: {program} is not installed");
    false
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {stderr}", String::from_utf8_lossy(&output.stdout));
}

/// The `sigstore` command of sigstore-python, installed once.
pub fn sigstore_python() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = scratch("sigstore-python");
        let program = folder.join("bin/sigstore");
        if !program.exists() {
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder));
            succeed(Command::new(folder.join("bin/pip")).args(["install", "--quiet", SIGSTORE_PYTHON]));
        }
        program
    })
}

/// A folder with sigstore-js installed once.
fn sigstore_js() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = scratch("sigstore-js");
        if !folder.join("node_modules/@sigstore/verify").exists() {
            std::fs::write(folder.join("package.json"), "{}").unwrap();
            let mut install = Command::new("npm");
            succeed(
                install.current_dir(&folder).args(["install", "--no-audit", "--no-fund"]).args(SIGSTORE_JS),
            );
        }
        folder
    })
}

fn python_verify(artifact: &Path, san: &str, issuer: &str) -> std::process::Output {
    let demo = demo();
    Command::new(sigstore_python())
        .arg("--trust-config")
        .arg(demo.path("trust_config.json"))
        .args(["verify", "identity", "--bundle"])
        .arg(demo.path("artifact.sigstore.json"))
        .args(["--cert-identity", san, "--cert-oidc-issuer", issuer])
        .arg(artifact)
        .output()
        .unwrap()
}

#[test]
fn sigstore_python_accepts_the_demo_and_refuses_another_file_and_identity() {
    if !available("python3") {
        return;
    }
    let demo = demo();
    let (san, issuer) = demo.identity();
    let accepted = python_verify(&demo.path("artifact"), &san, &issuer);
    let said = String::from_utf8_lossy(&accepted.stderr);
    assert!(accepted.status.success() && said.contains("OK"), "{said}");
    assert!(!python_verify(&demo.path("identity.json"), &san, &issuer).status.success());
    assert!(!python_verify(&demo.path("artifact"), "urn:sigveil:other", &issuer).status.success());
    assert!(!python_verify(&demo.path("artifact"), &san, "https://other.example").status.success());
}

const VERIFY_JS: &str = r#"
const { readFileSync } = require('node:fs');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const [artifact, bundleFile, rootFile, san, issuer] = process.argv.slice(2);
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));
const material = toTrustMaterial(TrustedRoot.fromJSON(json(rootFile)));
const verifier = new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
const entity = toSignedEntity(bundleFromJSON(json(bundleFile)), readFileSync(artifact));
const signer = verifier.verify(entity, { subjectAlternativeName: san, extensions: { issuer } });
console.log(JSON.stringify(signer.identity));
"#;

fn js_verify(artifact: &Path, san: &str, issuer: &str) -> std::process::Output {
    let demo = demo();
    let folder = sigstore_js();
    let script = folder.join("verify.js");
    std::fs::write(&script, VERIFY_JS).unwrap();
    Command::new("node")
        .arg(script)
        .arg(artifact)
        .arg(demo.path("artifact.sigstore.json"))
        .arg(demo.path("trusted_root.json"))
        .args([san, issuer])
        .output()
        .unwrap()
}

#[test]
fn sigstore_js_accepts_the_demo_and_refuses_another_file_and_identity() {
    if !available("node") {
        return;
    }
    let demo = demo();
    let (san, issuer) = demo.identity();
    let accepted = js_verify(&demo.path("artifact"), &san, &issuer);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    assert!(String::from_utf8_lossy(&accepted.stdout).contains(&san));
    assert!(!js_verify(&demo.path("identity.json"), &san, &issuer).status.success());
    assert!(!js_verify(&demo.path("artifact"), "urn:sigveil:other", &issuer).status.success());
}
