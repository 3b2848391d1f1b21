//! A demo that is killed at any moment and started again in the same folder finishes as if nothing had happened.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{demo, run_json, scratch, sigveil};

#[test]
fn killed_at_any_moment_and_started_again_it_finishes() {
    // The keys are there already, so that the kills fall into the steps and not into their making.
    let whole: f64 =
        demo().report["steps"].as_array().unwrap().iter().map(|s| s["seconds"].as_f64().unwrap()).sum();
    let folder = tempfile::tempdir_in(scratch("restart")).unwrap();
    let dir = folder.path().join("demo");
    let arguments = ["demo", "--dir", dir.to_str().unwrap(), "--json"];
    for part in [0.02, 0.2, 0.5, 0.75, 0.95] {
        let mut child = sigveil(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs_f64(whole * part);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (status, report) = run_json(&arguments[..3]);
    assert_eq!(status, 0, "{report}");
    let partial = std::fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.file_name());
    let partial: Vec<_> = partial.filter(|name| name.to_string_lossy().contains("partial")).collect();
    assert!(partial.is_empty(), "{partial:?}");
}
