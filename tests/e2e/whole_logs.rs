//! `sigveil log` on the logs that the demo leaves.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{copy, demo, run_json, scratch, sigveil, terminate};

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A copy of the demo's logs for one test, and an empty folder.
fn logs(test: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = scratch(test);
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&demo().path("store"), &folder.join("store"));
    (folder.join("store"), folder.join("copy"))
}

/// The name in a log's checkpoint.
fn origin(log: &Path) -> String {
    std::fs::read_to_string(log.join("checkpoint")).unwrap().lines().next().unwrap().to_owned()
}

/// The keys of the three logs as `--log-key` takes them.
fn keys(store: &Path) -> [(&'static str, String); 3] {
    let section = demo().json("trusted_root.sigveil.json");
    let key = |log: &Value| log["verifierKey"].as_str().unwrap().to_owned();
    let ct = &demo().json("trusted_root.json")["ctlogs"][0]["publicKey"]["rawBytes"];
    let pem = store.join("ct.pem");
    let spki = STANDARD.decode(ct.as_str().unwrap()).unwrap();
    let body = STANDARD.encode(spki);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let file = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    std::fs::write(&pem, file).unwrap();
    [
        ("rekor", key(&section["signatureLog"])),
        ("index", key(&section["outputLog"])),
        ("ct", format!("{}={}", origin(&store.join("ct")), text(&pem))),
    ]
}

#[test]
fn every_log_of_the_demo_is_verified_copied_and_completed() {
    let (store, copies) = logs("whole-logs");
    for (name, key) in keys(&store) {
        let (log, copied) = (store.join(name), copies.join(name));
        let run = |verb: &str, flags: &[&str]| run_json([&["log", verb, "--log-key", &key], flags].concat());
        let (status, verified) = run("verify", &["--dir", text(&log)]);
        assert_eq!((status, verified["origin"].as_str()), (0, Some(origin(&log).as_str())), "{verified}");
        assert!(verified["entries"].as_u64() >= Some(1) && verified["entries"] == verified["size"]);
        let (status, cloned) = run("clone", &["--dir", text(&log), "--out", text(&copied)]);
        assert_eq!((status, &cloned["root"]), (0, &verified["root"]), "{cloned}");
        let (status, examined) = run("fsck", &["--dir", text(&log)]);
        assert_eq!((status, examined["findings"].as_array().map(Vec::len)), (0, Some(0)), "{examined}");
        assert_eq!(examined["committed"], verified["size"]);

        let bundle = format!("tile/{}", if name == "ct" { "data" } else { "entries" });
        std::fs::remove_dir_all(log.join(&bundle)).unwrap();
        let (status, examined) = run("fsck", &["--dir", text(&log)]);
        let path = examined["findings"][0]["path"].as_str().unwrap();
        assert!(status == 3 && path.starts_with(&bundle), "{examined}");
        let (status, completed) = run("backfill", &["--dir", text(&copied), "--out", text(&log)]);
        assert_eq!((status, completed["written"].as_u64()), (0, Some(1)), "{completed}");
        assert_eq!(run("fsck", &["--dir", text(&log)]).0, 0);
    }
}

#[test]
fn another_key_a_witness_that_did_not_sign_and_a_logs_own_folder_are_refused() {
    let (store, copied) = logs("whole-logs-refused");
    let [(_, rekor), (_, index), _] = keys(&store);
    let log = store.join("rekor");
    let reason = |flags: &[&str]| {
        let (status, answer) = run_json([&["log"], flags].concat());
        (status, answer["reason"].as_str().unwrap_or_default().to_owned())
    };
    let other = reason(&["verify", "--dir", text(&log), "--log-key", &index]);
    assert_eq!(other, (1, "checkpoint-other-origin".to_owned()));
    let witness =
        demo().json("trusted_root.sigveil.json")["witnesses"]["keys"][0].as_str().unwrap().to_owned();
    let verify = ["verify", "--dir", text(&log), "--log-key", &rekor, "--witness-key", &witness];
    assert_eq!(run_json([&["log"], &verify[..]].concat()).0, 0);
    let two = [&verify[..], &["--witness-key", &index]].concat();
    assert_eq!(reason(&two), (1, "checkpoint-too-few-cosignatures".to_owned()));
    assert_eq!(run_json([&["log"], &two[..], &["--witnesses", "1"]].concat()).0, 0);
    let onto = ["clone", "--dir", text(&log), "--log-key", &rekor, "--out", text(&log)];
    assert_eq!(reason(&onto), (1, "log-not-a-copy".to_owned()));
    let nowhere = ["clone", "--url", "http://127.0.0.1:1", "--log-key", &rekor, "--out", text(&copied)];
    assert_eq!(reason(&nowhere), (3, "tile-unavailable".to_owned()));
    assert_eq!(
        reason(&["verify", "--dir", text(&log), "--log-key", "x"]),
        (1, "note-key-encoding".to_owned())
    );
}

/// A process that is stopped when the test ends.
pub struct Running(Child);

impl Running {
    /// Asks it to end; how it did.
    pub fn terminate(mut self) -> ExitStatus {
        terminate(&mut self.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process, and gives the first line that it says.
pub fn start(command: &mut Command) -> (Running, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(child), line)
}

#[test]
fn a_replica_serves_a_log_that_any_web_server_serves() {
    let (store, copied) = logs("replica");
    let [(_, rekor), ..] = keys(&store);
    let log = store.join("rekor");
    let mut files = Command::new("python3");
    files.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(&log);
    let (_files, said) = start(&mut files);
    let port = said.split_whitespace().nth(5).unwrap();
    let mut replica = sigveil(["log", "replica", "--log-key", &rekor, "--out", text(&copied), "--url"]);
    let (replica, said) = start(replica.arg(format!("http://127.0.0.1:{port}")));
    let (url, served) = said.trim_end().split_once(" serves ").unwrap();
    assert_eq!(served, origin(&log));
    let checkpoint = std::fs::read_to_string(log.join("checkpoint")).unwrap();
    let begun = Instant::now();
    loop {
        let answer = reqwest::blocking::get(format!("{url}/api/v2/checkpoint")).unwrap();
        if answer.status() == 200 {
            assert_eq!(answer.text().unwrap(), checkpoint);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the replica has no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(replica.terminate().success());
}
