//! Checkpoints, notes and tiles as other implementations write them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "tlog/notes.rs"]
mod notes;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
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

/// Keys and checkpoints of two logs with ECDSA keys, Sigstore's Rekor v1 and the Pixel binary log, from the tests of
/// transparency-dev/formats (`note/note_verifier_test.go`, Apache-2.0).
const ECDSA: [(&str, &str); 2] = [
    (
        "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=",
        "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n— rekor.sigstore.dev wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq20uDLet7MCoTURUCRdxwWBHHufk=\n",
    ),
    (
        "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=",
        "DEFAULT\n10\nbsWRucJU5xJPHb5eBdOm6+DM+VelCZBuvtI3sHERJ9Y=\n\n— pixel6_transparency_log kcFuMDBFAiEAhqMAP8P6qf6QxtUJhzMhbN+MbZ9dwfUHzGQJmffJHtoCIGD0cNe47dHWBoPwYdgBCepB06/+g5O1FmYjXl06owL4\n",
    ),
];

#[test]
fn notes_with_ecdsa_signatures_verify() {
    for (key, note) in ECDSA {
        let known = NoteKey::parse(key).unwrap();
        assert_eq!(known.encode(), key);
        assert!(!known.is_rfc6962() && known.log_id().0.starts_with(&known.key_id()));
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        let verified = [VerifiedSignature { key: 0, timestamp: None }];
        assert_eq!(note.verify(std::slice::from_ref(&known)).unwrap(), verified);
        // The same P-256 key under another name, or as a certificate log's, is not known to have signed it.
        let spki = STANDARD.decode(key.splitn(3, '+').last().unwrap()).unwrap()[1..].to_vec();
        let renamed = NoteKey::parse(&key.replacen(known.name(), "other.example", 1)).unwrap();
        let tree_heads = NoteKey::rfc6962_from_spki(known.name(), &spki).unwrap();
        assert_eq!((renamed.key_id(), tree_heads.log_id()), (known.key_id(), known.log_id()));
        assert_eq!(note.verify(&[renamed, tree_heads]), Ok(Vec::new()));
    }
}

/// Verifies a note of this text with what is made of its signature; how many lines verified.
fn ecdsa_note(text: &str, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<usize, NoteError> {
    let key = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let known = NoteKey::ecdsa("log.example", *key.verifying_key()).unwrap();
    let signed: p256::ecdsa::DerSignature = key.sign(text.as_bytes());
    let mut note = SignedNote::new(text.to_owned()).unwrap();
    let (name, key_id) = (known.name().to_owned(), known.key_id());
    note.add(NoteSignature { name, key_id, signature: signature(signed.as_bytes()) });
    note.verify(&[known]).map(|verified| verified.len())
}

#[test]
fn ecdsa_signatures_have_one_form_and_are_over_the_text() {
    let text = "any text\n";
    let refused = Err(NoteError::BadSignature("log.example".to_owned()));
    assert_eq!(ecdsa_note(text, |signature| signature.to_vec()), Ok(1));
    assert_eq!(ecdsa_note(text, |signature| [signature, &[0]].concat()), refused);
    let fixed = |signature: &[u8]| p256::ecdsa::Signature::from_der(signature).unwrap().to_vec();
    assert_eq!(ecdsa_note(text, fixed), refused);
    let other: fn(&[u8]) -> Vec<u8> = |_| {
        let key = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
        let signature: p256::ecdsa::DerSignature = key.sign(b"another text\n");
        signature.as_bytes().to_vec()
    };
    assert_eq!(ecdsa_note(text, other), refused);
}

#[test]
fn ecdsa_keys_are_p256_in_one_form_under_their_hint() {
    let key = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap().into_vec();
    let hint = hex::encode(&Hash::of(&[&spki]).0[..4]);
    let parse = |kind: u8, spki: &[u8]| {
        NoteKey::parse(&format!("log.example+{hint}+{}", STANDARD.encode([&[kind], spki].concat())))
    };
    assert_eq!(parse(2, &spki), NoteKey::ecdsa("log.example", *key.verifying_key()));
    assert_eq!(parse(3, &spki), Err(KeyError::Encoding));
    assert_eq!(parse(2, &[&spki[..], &[0]].concat()), Err(KeyError::Encoding));
    // The same point in short form reads as the same key.
    let mut short = spki[..26 + 33].to_vec();
    (short[1], short[24], short[26]) = (0x39, 0x22, 2 + (spki[90] & 1));
    assert_eq!(p256::ecdsa::VerifyingKey::from_public_key_der(&short).unwrap(), *key.verifying_key());
    assert_eq!(parse(2, &short), Err(KeyError::Encoding));
    // The last byte of the curve's name.
    let mut other = spki.clone();
    other[22] ^= 1;
    assert_eq!(parse(2, &other), Err(KeyError::Encoding));
    let (text, _) = ECDSA[0];
    assert_eq!(NoteKey::parse(&text.replacen("c0d23d6a", "c0d23d6b", 1)), Err(KeyError::Hint));
    assert_eq!(NoteKey::parse(text.strip_prefix("rekor.sigstore.dev").unwrap()), Err(KeyError::Name));
}

#[test]
fn a_log_may_have_an_ecdsa_key_and_a_cosigner_may_not() {
    let name = "log.example";
    let key = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let log = NoteKey::ecdsa(name, *key.verifying_key()).unwrap();
    let checkpoint = Checkpoint::new(name, 1, leaf_hash(b"entry"));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    let signature: p256::ecdsa::DerSignature = key.sign(note.text().as_bytes());
    let signature = signature.as_bytes().to_vec();
    note.add(NoteSignature { name: name.to_owned(), key_id: log.key_id(), signature: signature.clone() });
    let witness = NoteKey::ecdsa("witness.example", *key.verifying_key()).unwrap();
    note.add(NoteSignature { name: witness.name().to_owned(), key_id: witness.key_id(), signature });
    let opened = VerifiedCheckpoint::open_witnessed(
        note.to_string().as_bytes(),
        &log,
        std::slice::from_ref(&witness),
        0,
    );
    assert_eq!(
        (opened.unwrap().cosignatures(), note.verify(std::slice::from_ref(&witness)).unwrap().len()),
        ([].as_slice(), 1)
    );
    // Its line says no time, so that it does not count.
    let opened = VerifiedCheckpoint::open_witnessed(note.to_string().as_bytes(), &log, &[witness], 1);
    assert_eq!(opened.unwrap_err().reason(), "checkpoint-too-few-cosignatures");
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
