//! Search, monitoring and redaction on the demo's folder, without any server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::support::{copy, demo, files_below, run_json, scratch};

#[test]
fn search_gives_the_complete_list_and_absence_with_the_checkpoint_it_is_about() {
    let demo = demo();
    let dir = demo.dir.to_str().unwrap();
    let (san, _) = demo.identity();
    let label = san.rsplit(':').next().unwrap();
    let (status, answer) = run_json(["search", "--dir", dir, &format!("label:{label}")]);
    assert_eq!(
        (status, answer["present"].as_bool(), answer["verified"].as_bool()),
        (0, Some(true), Some(true))
    );
    assert!(!answer["entries"].as_array().unwrap().is_empty());
    assert!(answer["checkpoint"]["size"].as_u64().unwrap() > 0);
    let digest = format!("sha256:{}", "00".repeat(32));
    let (status, answer) = run_json(["search", "--dir", dir, &digest]);
    assert_eq!(
        (status, answer["present"].as_bool(), answer["verified"].as_bool()),
        (0, Some(false), Some(true))
    );
    let (status, answer) = run_json(["search", "--dir", dir, "colour:blue"]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("search-key-malformed")));
}

/// Answers whatever is asked with this JSON; returns where.
fn index_that_says(answer: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = answer.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

#[test]
fn an_answer_that_leaves_entries_out_is_no_success() {
    let demo = demo();
    let root = demo.path("trusted_root.json");
    let (san, _) = demo.identity();
    let key = format!("label:{}", san.rsplit(':').next().unwrap());
    let ask = |answer: &Value| {
        let url = index_that_says(answer);
        run_json(["search", "--url", &url, "--trusted-root", root.to_str().unwrap(), &key])
    };
    let mut answer = demo.json("artifact.sigveil.json")["search"].clone();
    assert_eq!(ask(&answer).0, 0);
    answer["list"]["pages"] = serde_json::json!([]);
    answer["tombstones"] = serde_json::json!([]);
    let (status, said) = ask(&answer);
    assert_eq!((status, said["reason"].as_str()), (1, Some("search-incomplete")), "{said}");
}

#[test]
fn the_owner_sees_every_event_of_the_demo_and_no_alert() {
    let demo = demo();
    let key = demo.path("secret/monitoring.key");
    let (status, answer) =
        run_json(["monitor", "--key", key.to_str().unwrap(), "--dir", demo.dir.to_str().unwrap()]);
    assert_eq!(status, 0, "{answer}");
    assert!(!answer["events"].as_array().unwrap().is_empty());
    assert_eq!(answer["alerts"].as_array().unwrap().len(), 0, "{answer}");
}

#[test]
fn a_monitor_that_remembers_tells_what_is_new_and_what_no_longer_continues() {
    let demo = demo();
    let folder = tempfile::tempdir_in(scratch("monitor")).unwrap();
    let memory = folder.path().join("memory.json");
    let (key, dir) = (demo.path("secret/monitoring.key"), demo.dir.to_str().unwrap());
    let run = || {
        let memory = memory.to_str().unwrap();
        run_json(["monitor", "--key", key.to_str().unwrap(), "--dir", dir, "--memory", memory])
    };
    let (status, first) = run();
    assert_eq!(status, 0, "{first}");
    assert!(!first["events"].as_array().unwrap().is_empty());
    let (status, second) = run();
    assert_eq!((status, second["events"].as_array().map(Vec::len)), (0, Some(0)), "{second}");
    // Another history of each log, a larger one, and a list that began otherwise.
    let seen: Value = serde_json::from_slice(&std::fs::read(&memory).unwrap()).unwrap();
    let other = STANDARD.encode([7; 32]);
    for (alter, reason) in [
        (("/logs/0/root", Value::from(&*other)), "log-fork"),
        (("/logs/1/root", Value::from(&*other)), "log-fork"),
        (("/logs/0/size", Value::from(1_000_000)), "log-shrank"),
        (("/lists/0/root", Value::from(&*other)), "list-rewritten"),
        (("/lists/0/count", Value::from(1_000)), "list-rewritten"),
    ] {
        let (place, value) = alter;
        let mut altered = seen.clone();
        *altered.pointer_mut(place).unwrap() = value;
        std::fs::write(&memory, altered.to_string()).unwrap();
        let (status, answer) = run();
        assert_eq!((status, answer["alerts"][0]["reason"].as_str()), (1, Some(reason)), "{place}: {answer}");
        // What was remembered stays, as evidence.
        let kept: Value = serde_json::from_slice(&std::fs::read(&memory).unwrap()).unwrap();
        assert_eq!(kept, altered, "{place}");
    }
    std::fs::write(&memory, "{}").unwrap();
    let (status, answer) = run();
    assert_eq!((status, answer["reason"].as_str()), (1, Some("monitor-memory-malformed")), "{answer}");
}

/// An index could otherwise name a log that is too large to be copied, and be asked instead of recomputed.
#[test]
fn a_state_that_its_index_alone_signed_has_nothing_copied() {
    let demo = demo();
    let mut state = demo.json("artifact.sigveil.json")["search"]["state"].clone();
    let note = state["checkpoint"].as_str().unwrap().to_owned();
    let (text, lines) = note.split_once("\n\n").unwrap();
    let own = lines.lines().next().unwrap();
    state["checkpoint"] = format!("{text}\n\n{own}\n").into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        use std::io::{BufRead as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let head = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
        let asked = head.map_while(Result::ok).take_while(|line| !line.is_empty()).next().unwrap();
        let body = state.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        asked
    });
    let (key, root) = (demo.path("secret/monitoring.key"), demo.path("trusted_root.json"));
    let [key, root] = [&key, &root].map(|path| path.to_str().unwrap());
    let (status, answer) = run_json(["monitor", "--key", key, "--url", &url, "--trusted-root", root]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("search-output-checkpoint")), "{answer}");
    assert!(served.join().unwrap().starts_with("GET /state "));
}

#[test]
fn the_redacted_payload_and_its_salts_are_in_no_file_of_the_store() {
    let demo = demo();
    let payload = demo.json("secret/sealed.json");
    let fields = payload["fields"].as_array().unwrap();
    let mut needles = Vec::new();
    for field in fields {
        for name in ["salt", "value"] {
            let secret = STANDARD.decode(field[name].as_str().unwrap()).unwrap();
            if secret.len() >= 16 {
                needles.extend([
                    hex::encode(&secret).into_bytes(),
                    STANDARD.encode(&secret).into_bytes(),
                    secret,
                ]);
            }
        }
    }
    assert!(needles.len() >= 9);
    for (path, bytes) in files_below(&demo.path("store")) {
        for needle in &needles {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{}", path.display());
        }
    }
}

#[test]
fn what_is_withheld_has_its_record() {
    let dir = demo().dir.to_str().unwrap();
    let (status, answer) = run_json(["redact", "audit", "--dir", dir]);
    assert_eq!(status, 0, "{answer}");
    assert!(answer["withheld"].as_u64().unwrap() >= 1, "{answer}");
    assert_eq!(answer["alerts"].as_array().unwrap().len(), 0);
}

#[test]
fn an_entry_is_redacted_by_hand_and_search_then_shows_a_tombstone() {
    // On a copy: the other tests read the demo's folder.
    let folder = tempfile::tempdir_in(scratch("redact")).unwrap();
    let dir = folder.path().join("demo");
    copy(&demo().dir, &dir);
    let (san, _) = demo().identity();
    let key = format!("label:{san}");
    let dir = dir.to_str().unwrap();
    let (_, before) = run_json(["search", "--dir", dir, &key]);
    let index = before["entries"][0]["index"].to_string();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (request, signed) = (file("request.json"), file("signed.json"));
    let why = ["--why", "leaked-secret"];
    let (status, answer) = run_json(
        [&["redact", "request", "--dir", dir, "--index", &index, "--out", &request][..], &why].concat(),
    );
    assert_eq!(status, 0, "{answer}");
    let apply = |file: &str| run_json(["redact", "apply", "--dir", dir, "--request", file]);
    let (status, answer) = apply(&request);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("entry-threshold")), "{answer}");
    let (status, answer) =
        run_json(["redact", "approve", "--dir", dir, "--request", &request, "--out", &signed]);
    assert_eq!(status, 0, "{answer}");
    let (status, answer) = apply(&signed);
    assert_eq!(status, 0, "{answer}");
    let (status, after) = run_json(["search", "--dir", dir, &key]);
    assert_eq!((status, after["verified"].as_bool()), (0, Some(true)), "{after}");
    assert_eq!(after["entries"][0]["redacted"], true);
    assert_eq!(after["entries"].as_array().unwrap().len(), before["entries"].as_array().unwrap().len());
}
