//! The witness's face, and what it keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::Signer as _;
use sigveil_log::Hash;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::engine::Log;
use sigveil_log::merkle::{empty_root, leaf_hash, node_hash};
use sigveil_log::note::{NoteSignature, SignedNote};
use sigveil_log::witness::{AddCheckpoint, Refusal, Witness, router};

use crate::common::*;

#[tokio::test]
async fn the_witness_goes_forward_only() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let mut notes = Vec::new();
    for n in 0..2u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        notes.push((receipt.checkpoint.to_string(), receipt.proof));
    }
    let logs = vec![log.key().clone()];
    let witness = Arc::new(witness(&folder.path().join("witness"), logs));
    let url = format!("{}/add-checkpoint", serve(router(witness)).await);
    let proof = format!("{}\n", leaf_hash(&[1]).to_base64());
    let send = |text: String| {
        let url = url.clone();
        async move {
            let answer = post(&url, text.into_bytes()).await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(send("nonsense".to_owned()).await.0, 400);
    assert_eq!(send(format!("old 3\n\n{}", notes[1].0)).await.0, 400);
    assert_eq!(send(format!("old 0\n\n{}", notes[0].0.replace(ORIGIN, "unknown.example"))).await.0, 404);
    assert_eq!(send(format!("old 0\n\n{}", notes[0].0.replacen("\n1\n", "\n2\n", 1))).await.0, 403);
    assert_eq!(send(format!("old 0\n{proof}\n{}", notes[0].0)).await.0, 422);
    let (status, line) = send(format!("old 0\n\n{}", notes[0].0)).await;
    assert_eq!(status, 200);
    assert!(line.starts_with("— witness.example "));
    assert_eq!(send(format!("old 0\n\n{}", notes[1].0)).await, (409, "1\n".to_owned()));
    assert_eq!(send(format!("old 1\n\n{}", notes[1].0)).await.0, 422);
    assert_eq!(send(format!("old 1\n{proof}\n{}", notes[1].0)).await.0, 200);
    assert_eq!(send(format!("old 1\n{proof}\n{}", notes[1].0)).await, (409, "2\n".to_owned()));
    let long = format!("old 0\n{}\n{}", proof.repeat(64), notes[0].0);
    assert_eq!(AddCheckpoint::parse(long.as_bytes()).unwrap_err().reason(), "witness-malformed");
}

#[tokio::test]
async fn a_witness_writes_what_is_new_and_what_it_has_not_made_durable_itself() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(config(folder.path())).unwrap();
    let mut notes = Vec::new();
    for n in 0..2u8 {
        notes.push(log.append_opaque(vec![n]).await.unwrap().checkpoint.to_string());
    }
    let to = folder.path().join("witness");
    let open = || witness(&to, vec![log.key().clone()]);
    let send = |witness: &Witness, text: String| {
        witness.add_checkpoint(&AddCheckpoint::parse(text.as_bytes()).unwrap()).map(drop)
    };
    let first = format!("old 0\n\n{}", notes[0]);
    let again = format!("old 1\n\n{}", notes[0]);
    let second = format!("old 1\n{}\n\n{}", leaf_hash(&[1]).to_base64(), notes[1]);
    let running = open();
    send(&running, first).unwrap();
    let name = Hash::of(&[ORIGIN.as_bytes()]).to_hex();
    // A file that is written takes the place of the one that stood there, which stays until then.
    let written = || std::fs::metadata(to.join(&name)).unwrap().ino();
    let before = written();
    send(&running, again.clone()).unwrap();
    assert_eq!(written(), before, "it is durable already");
    // A write that fails leaves in doubt what is durable.
    let temporary = to.join(format!("{name}.tmp~"));
    std::fs::create_dir(&temporary).unwrap();
    assert_eq!(send(&running, second), Err(Refusal::Storage));
    std::fs::remove_dir(&temporary).unwrap();
    send(&running, again.clone()).unwrap();
    let after = written();
    assert_ne!(after, before);
    // What is only read at the start may be what a crash left before it was synced.
    drop(running);
    let running = open();
    send(&running, again.clone()).unwrap();
    let after_start = written();
    assert_ne!(after_start, after);
    send(&running, again).unwrap();
    assert_eq!(written(), after_start);
}

/// A time says that nothing larger was seen until then.
#[test]
fn no_larger_tree_has_an_earlier_time_though_the_clock_is_set_back() {
    let [first, second] = [b"first", b"other"].map(|leaf| leaf_hash(leaf));
    let two = node_hash(&first, &second);
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicU64::new(2_000_000));
    let says = Arc::clone(&clock);
    let logs = vec![log_signer().public().clone()];
    let clocked = Arc::new(move || says.load(Ordering::SeqCst));
    let witness = Witness::open(folder.path(), witness_signer(), logs, clocked).unwrap();
    // Seconds, before the signature.
    let time = |request: &AddCheckpoint| {
        let line = witness.add_checkpoint(request).unwrap();
        u64::from_be_bytes(line.signature[..8].try_into().unwrap())
    };
    assert_eq!(time(&asked(0, 1, first, vec![])), 2_000);
    for (says, expected) in [(1_000_000, 2_000), (3_000_000, 3_000)] {
        clock.store(says, Ordering::SeqCst);
        assert_eq!(time(&asked(1, 1, first, vec![])), expected);
    }
    clock.store(1_000_000, Ordering::SeqCst);
    assert_eq!(time(&asked(1, 2, two, vec![second])), 3_000);
}

/// A request for a tree, signed by the log.
fn asked(old_size: u64, size: u64, root: Hash, proof: Vec<Hash>) -> AddCheckpoint {
    let note = noted(Checkpoint::new(ORIGIN, size, root).to_string());
    AddCheckpoint { old_size, proof, note: SignedNote::parse(note.as_bytes()).unwrap() }
}

/// Somebody takes its file away, or puts an older one in its place.
#[test]
fn a_running_witness_does_not_forget_with_its_file() {
    let [first, second, other] = [b"first", b"other", b"forks"].map(|leaf| leaf_hash(leaf));
    let two = node_hash(&first, &second);
    let fork = |old_size| match old_size {
        0 => asked(0, 1, other, vec![]),
        _ => asked(1, 2, node_hash(&first, &other), vec![other]),
    };
    for old_size in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let open = || witness(folder.path(), vec![log_signer().public().clone()]);
        let kept = folder.path().join(Hash::of(&[ORIGIN.as_bytes()]).to_hex());
        let running = open();
        running.add_checkpoint(&asked(0, 1, first, vec![])).unwrap();
        let older = std::fs::read(&kept).unwrap();
        running.add_checkpoint(&asked(1, 2, two, vec![second])).unwrap();
        let newer = std::fs::read(&kept).unwrap();
        let roll_back = || match old_size {
            0 => std::fs::remove_file(&kept).unwrap(),
            _ => std::fs::write(&kept, &older).unwrap(),
        };
        let refused = |witness: &Witness| {
            for request in [fork(old_size), asked(2, 2, two, vec![])] {
                assert_eq!(witness.add_checkpoint(&request).unwrap_err(), Refusal::Storage, "{old_size}");
            }
        };
        roll_back();
        refused(&running);
        std::fs::write(&kept, &newer).unwrap();
        running.add_checkpoint(&asked(2, 2, two, vec![])).unwrap();
        // What it has only read it knows too.
        drop(running);
        let running = open();
        assert_eq!(running.add_checkpoint(&fork(old_size)).unwrap_err(), Refusal::Conflict(2));
        roll_back();
        refused(&running);
    }
}

/// A log's note of any text.
fn noted(text: String) -> String {
    let (key, log) = (ed25519_dalek::SigningKey::from_bytes(&[1; 32]), log_signer().public().clone());
    let signature = key.sign(text.as_bytes()).to_vec();
    let mut note = SignedNote::new(text).unwrap();
    note.add(NoteSignature { name: log.name().to_owned(), key_id: log.key_id(), signature });
    note.to_string()
}

#[tokio::test]
async fn a_witness_says_why_it_refuses_and_of_a_conflict_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Arc::new(witness(folder.path(), vec![log_signer().public().clone()]));
    let url = format!("{}/add-checkpoint", serve(router(witness)).await);
    let of = |size, root| Checkpoint::new(ORIGIN, size, root).to_string();
    let first = of(1, leaf_hash(b"first"));
    let send = |old: &str, note: &str| post(&url, format!("old {old}\n\n{note}").into_bytes());
    assert_eq!(send("0", &noted(first.clone())).await.status(), 200);
    let cases = [
        ("01", noted(first.clone()), 400, "witness-malformed"),
        ("2", noted(first.clone()), 400, "witness-malformed"),
        ("1", noted(first.replacen("\n1\n", "\n01\n", 1)), 400, "witness-malformed"),
        ("1", noted(first.clone()).replacen("\n1\n", "\n2\n", 1), 403, "witness-bad-signature"),
        ("1", noted(first.replacen(ORIGIN, "unknown.example", 1)), 404, "witness-unknown-log"),
        ("1", noted(of(2, leaf_hash(b"other"))), 422, "witness-bad-proof"),
    ];
    for (n, (old, note, status, reason)) in cases.into_iter().enumerate() {
        assert_eq!(refusal(send(old, &note).await).await, (status, reason.to_owned()), "case {n}");
    }
    let not_text = [&b"old 1\n\n"[..], noted(first.clone()).as_bytes(), &[0xff]].concat();
    assert_eq!(refusal(post(&url, not_text).await).await, (400, "witness-malformed".to_owned()));
    // At the size that it has cosigned, another root is a conflict like another size (C2SP tlog-witness), not a bad proof.
    let fork = noted(of(1, leaf_hash(b"other")));
    for (old, note) in [("0", noted(first)), ("1", fork.clone()), ("0", fork)] {
        let answer = send(old, &note).await;
        let kind = answer.headers()["content-type"].clone();
        assert_eq!((answer.status().as_u16(), kind.to_str().unwrap()), (409, "text/x.tlog.size"));
        assert_eq!(answer.text().await.unwrap(), "1\n");
    }
}

/// What it would cosign if it had seen nothing yet.
#[tokio::test]
async fn what_a_witness_keeps_and_cannot_read_is_not_taken_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let witness = Arc::new(witness(folder.path(), vec![log_signer().public().clone()]));
    let url = format!("{}/add-checkpoint", serve(router(witness)).await);
    let first = noted(Checkpoint::new(ORIGIN, 1, leaf_hash(b"first")).to_string());
    let ask = || post(&url, format!("old 0\n\n{first}").into_bytes());
    let kept = folder.path().join(Hash::of(&[ORIGIN.as_bytes()]).to_hex());
    let empty = Checkpoint::new(ORIGIN, 0, empty_root()).to_string();
    let not_text = [empty.as_bytes(), b"\xff\n"].concat();
    for damaged in [
        Vec::new(),
        empty.as_bytes()[..empty.len() - 1].to_vec(),
        empty.replacen("\n0\n", "\n00\n", 1).into_bytes(),
        empty.replacen(ORIGIN, "other.example", 1).into_bytes(),
        format!("{empty}more\n").into_bytes(),
        not_text,
    ] {
        std::fs::write(&kept, &damaged).unwrap();
        let text = String::from_utf8_lossy(&damaged);
        assert_eq!(refusal(ask().await).await, (500, "witness-storage".to_owned()), "{text:?}");
        assert_eq!(std::fs::read(&kept).unwrap(), damaged, "it is left for whoever looks");
    }
    std::fs::remove_file(&kept).unwrap();
    std::fs::create_dir(&kept).unwrap();
    assert_eq!(refusal(ask().await).await, (500, "witness-storage".to_owned()));
    std::fs::remove_dir(&kept).unwrap();
    std::fs::write(&kept, &empty).unwrap();
    assert_eq!(ask().await.status(), 200);
}
