//! Checkpoints, notes and tiles as other implementations write them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use sigveil_log::checkpoint::*;
use sigveil_log::merkle::*;
use sigveil_log::note::*;
use sigveil_log::tile::*;
use sigveil_log::{Hash, bundle};

fn vectors(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tlog").join(folder)
}

struct Folder(PathBuf);

impl TileSource for Folder {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        fs::read(self.0.join(path.to_string()))
            .map_err(|error| TileError::Unavailable { path: path.to_string(), cause: error.to_string() })
    }
}

#[test]
fn tessera_log_hashes_to_its_checkpoints() {
    let folder = vectors("tessera");
    let mut previous: Option<Checkpoint> = None;
    for size in 1..=15u64 {
        let note = SignedNote::parse(&fs::read(folder.join(format!("checkpoint.{size}"))).unwrap()).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/log/testdata", size));
        assert_eq!(checkpoint.to_string(), note.text());
        let tree = TileTree::open(Folder(folder.clone()), size, &checkpoint.root).unwrap();
        let path = TilePath::in_tree(TileKind::Entries, 0, size).unwrap();
        let entries = tree.source().read_tile(&path).unwrap();
        let entries = bundle::split(&entries, usize::from(path.width)).unwrap();
        for (index, entry) in (0..size).zip(entries) {
            assert_eq!(tree.leaf(index).unwrap(), leaf_hash(entry));
            let proof = inclusion_proof(&tree, index, size).unwrap();
            verify_inclusion(&leaf_hash(entry), index, size, &proof, &checkpoint.root).unwrap();
        }
        if let Some(old) = previous {
            let proof = consistency_proof(&tree, old.size, size).unwrap();
            verify_consistency(old.size, &old.root, size, &checkpoint.root, &proof).unwrap();
        }
        previous = Some(checkpoint);
    }
}

fn static_ct_key() -> NoteKey {
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(vectors("static-ct/log.v3.json")).unwrap()).unwrap();
    let spki = STANDARD.decode(json["key"].as_str().unwrap()).unwrap();
    let key = NoteKey::rfc6962_from_spki(json["description"].as_str().unwrap(), &spki).unwrap();
    assert_eq!(key.log_id().to_base64(), json["log_id"].as_str().unwrap());
    key
}

#[test]
fn static_ct_checkpoint_verifies() {
    let bytes = fs::read(vectors("static-ct/checkpoint")).unwrap();
    let opened = VerifiedCheckpoint::open(&bytes, &static_ct_key(), &[]).unwrap();
    assert_eq!(opened.checkpoint().size, 300);
    assert_eq!(opened.log_time(), Some(1_767_139_200_000));
    assert_eq!(opened.note().to_string().into_bytes(), bytes);
}

#[test]
fn static_ct_checkpoint_with_another_size_or_an_unsigned_line_is_refused() {
    let text = String::from_utf8(fs::read(vectors("static-ct/checkpoint")).unwrap()).unwrap();
    for changed in [text.replacen("\n300\n", "\n301\n", 1), text.replacen("=\n\n", "=\nextension\n\n", 1)] {
        let error = VerifiedCheckpoint::open(changed.as_bytes(), &static_ct_key(), &[]).unwrap_err();
        assert_eq!(error.reason(), "note-bad-signature");
    }
}

#[test]
fn checkpoint_by_an_unknown_key_is_not_signed_by_the_log() {
    let bytes = fs::read(vectors("tessera/checkpoint")).unwrap();
    let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
    let known = NoteKey::ed25519("example.com/log/testdata", key).unwrap();
    let error = VerifiedCheckpoint::open(&bytes, &known, &[]).unwrap_err();
    assert_eq!(error.reason(), "checkpoint-not-signed-by-log");
}

fn signed(cosigners: u8) -> (SignedNote, NoteSigner, Vec<NoteSigner>) {
    let log = NoteSigner::ed25519("log.example", SigningKey::from_bytes(&[7; 32])).unwrap();
    let checkpoint = Checkpoint::new("log.example", 1, leaf_hash(b"entry"));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log.sign(&checkpoint, 0));
    let witnesses: Vec<_> = (0..cosigners)
        .map(|n| {
            let key = SigningKey::from_bytes(&[n + 10; 32]);
            NoteSigner::cosignature(&format!("witness.example/{n}"), key).unwrap()
        })
        .collect();
    for (n, witness) in (0..).zip(&witnesses) {
        note.add(witness.sign(&checkpoint, 1_700_000_000_000 + n * 1000));
    }
    (note, log, witnesses)
}

#[test]
fn sixteen_signatures_and_more_are_read_and_unknown_ones_ignored() {
    let (note, log, witnesses) = signed(40);
    let known: Vec<_> = witnesses.iter().take(3).map(|witness| witness.public().clone()).collect();
    let opened =
        VerifiedCheckpoint::open_witnessed(note.to_string().as_bytes(), log.public(), &known, 3).unwrap();
    let times: Vec<_> = opened.cosignatures().iter().map(|cosignature| cosignature.time).collect();
    assert_eq!(times, [1_700_000_000, 1_700_000_001, 1_700_000_002]);
    let error = VerifiedCheckpoint::open_witnessed(note.to_string().as_bytes(), log.public(), &known, 4);
    assert_eq!(error.unwrap_err().reason(), "checkpoint-too-few-cosignatures");
}

#[test]
fn a_known_key_with_a_bad_signature_refuses_the_note() {
    let (note, log, witnesses) = signed(2);
    let mut forged = note.signatures()[2].clone();
    *forged.signature.last_mut().unwrap() ^= 1;
    let mut note = note;
    note.add(forged);
    let text = note.to_string();
    let unknown = VerifiedCheckpoint::open(text.as_bytes(), log.public(), &[]);
    assert!(unknown.is_ok());
    let known = [witnesses[1].public().clone()];
    let error = VerifiedCheckpoint::open(text.as_bytes(), log.public(), &known).unwrap_err();
    assert_eq!(error, CheckpointError::Note(NoteError::BadSignature("witness.example/1".to_owned())));
}

#[test]
fn another_origin_is_refused() {
    let (_, log, _) = signed(0);
    let checkpoint = Checkpoint::new("other.example", 1, leaf_hash(b"entry"));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log.sign(&checkpoint, 0));
    let error = VerifiedCheckpoint::open(note.to_string().as_bytes(), log.public(), &[]).unwrap_err();
    assert_eq!(error.reason(), "checkpoint-other-origin");
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = Hash([3; 32]).to_base64();
    for text in [
        format!("\n1\n{root}\n"),
        format!("log\n01\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        "log\n1\nAAAA\n".to_owned(),
        format!("log\n0\n{root}\n"),
        format!("log\n1\n{root}"),
        format!("log\n1\n{root}\n\n"),
        "log\n1\n".to_owned(),
    ] {
        assert_eq!(Checkpoint::parse(&text).unwrap_err().reason(), "checkpoint-malformed", "{text:?}");
    }
}

#[test]
fn verifier_keys_are_read_and_their_hints_checked() {
    // The key of the Go checksum database, published with its module.
    let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let key = NoteKey::parse(text).unwrap();
    assert_eq!((key.name(), key.encode().as_str()), ("sum.golang.org", text));
    assert_eq!(NoteKey::parse(&text.replacen("033de0ae", "033de0af", 1)), Err(KeyError::Hint));
    assert_eq!(NoteKey::parse(&text.replacen("sum", "s um", 1)), Err(KeyError::Name));
    assert_eq!(NoteKey::parse("sum.golang.org+033de0ae"), Err(KeyError::Encoding));
}

#[test]
fn tile_paths_have_one_spelling() {
    for (path, number, width) in [
        ("tile/0/x001/x234/067", 1_234_067, 256),
        ("tile/entries/000.p/1", 0, 1),
        ("tile/data/x001/000.p/255", 1000, 255),
    ] {
        let parsed = TilePath::parse(path).unwrap();
        assert_eq!((parsed.number, parsed.width), (number, width));
        assert_eq!(parsed.to_string(), path);
    }
    for path in [
        "tile/0/x000/001",
        "tile/0/1",
        "tile/00/001",
        "tile/0/001/",
        "tile/0/001.p/256",
        "tile/0/001.p/0",
        "tile/0/001.p/01",
        "tile/8/000",
        "tile/-1/000",
        "tile/0/../000",
        "tile/0/x001/x234/67",
        "tile/0/001x",
        "tile/entries/x001",
        "/tile/0/000",
        "tile/0/+01",
    ] {
        assert_eq!(TilePath::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_of_256_has_one_full_tile_and_one_partial_above() {
    let at =
        |level, number| TilePath::in_tree(TileKind::Hashes(level), number, 256).map(|path| path.to_string());
    assert_eq!(at(0, 0).as_deref(), Some("tile/0/000"));
    assert_eq!(at(0, 1), None);
    assert_eq!(at(1, 0).as_deref(), Some("tile/1/000.p/1"));
    assert_eq!(at(2, 0), None);
}

proptest! {
    #[test]
    fn parsers_answer_anything(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        let _ = SignedNote::parse(&bytes);
        let _ = Checkpoint::parse(&text);
        let _ = NoteKey::parse(&text);
        if let Some(path) = TilePath::parse(&text) {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn every_tile_path_survives(level in 0u8..8, number in any::<u64>(), width in 1u16..=256) {
        let path = TilePath { kind: TileKind::Hashes(level), number, width };
        prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
    }
}
