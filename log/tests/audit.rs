//! A log written here, read by others' code: `audit/main.go` opens the checkpoint with transparency-dev/formats and
//! checks every entry's inclusion with the tree code of Go's checksum database.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::*;
use sigveil_log::engine::Log;

/// Whether Go is there; in CI it must be.
fn go() -> bool {
    if Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs go");
    eprintln!("skipped: go is not installed");
    false
}

fn audit(program: &Path, folder: &Path, origin: &str, key: &str) -> Output {
    Command::new(program).arg(folder.join("log")).args([origin, key]).output().unwrap()
}

/// A log of so many entries, the last ones in a partial bundle.
async fn write(folder: &Path, entries: u32) -> String {
    let log = Log::open(config(folder)).unwrap();
    let appends: Vec<_> = (0..entries)
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(format!("entry {number}").into_bytes()).await })
        })
        .collect();
    for append in appends {
        append.await.unwrap().unwrap();
    }
    log.stop().await;
    log.key().encode()
}

#[tokio::test]
async fn every_entry_is_included_by_the_reading_of_an_independent_client() {
    if !go() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("audit");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit");
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    assert!(built.unwrap().success());
    for entries in [1, 256, 700] {
        let folder = tempfile::tempdir().unwrap();
        let key = write(folder.path(), entries).await;
        let output = audit(&program, folder.path(), ORIGIN, &key);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, format!("{entries} entries included\n"), "{output:?}");
        // It would say so if something were wrong.
        assert!(!audit(&program, folder.path(), "other.example", &key).status.success());
        let bundle = folder.path().join(if entries < 256 {
            "log/tile/entries/000.p/1"
        } else {
            "log/tile/entries/000"
        });
        let mut bytes = std::fs::read(&bundle).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&bundle, bytes).unwrap();
        assert!(!audit(&program, folder.path(), ORIGIN, &key).status.success());
    }
}
