//! Search, monitoring and redaction on the demo's folder, without any server.

use crate::support::{demo, files_below, run_json};

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
fn the_redacted_payload_is_in_no_file_and_search_shows_a_tombstone() {
    let demo = demo();
    let redaction = demo.json("refused/../redaction.json");
    let planted = redaction["payload"].as_str().unwrap();
    assert_eq!(redaction["foundBefore"].as_bool(), Some(true));
    for (path, bytes) in files_below(&demo.path("store")) {
        let found = bytes.windows(planted.len()).any(|window| window == planted.as_bytes());
        assert!(!found, "{}", path.display());
    }
}
