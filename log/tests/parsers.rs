//! Every parser of this crate on anything, and on what is nearly right: it answers, and what it accepts is what it writes.
//!
//! `cargo test` draws some hundred inputs for each; `PROPTEST_CASES` says how many.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::*;
use proptest::prelude::*;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::entry::{Entry, HashedRekord, SealedPayload, Stored, Withheld, Withholding};
use sigveil_log::note::{NoteKey, NoteSignature, SignedNote};
use sigveil_log::sct::{
    AddChain, LoggedCertificate, SignedCertificateTimestamp, TileLeaf, embedded, parse_list,
};
use sigveil_log::tile::{HashTile, TileKind, TilePath};
use sigveil_log::witness::AddCheckpoint;
use sigveil_log::{Hash, bundle};

/// Gives bytes to every parser. Whatever is accepted is written again as it came.
fn all(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let _ = note.verify(&[log_signer().public().clone(), log_witness()]);
    }
    if let Ok(line) = NoteSignature::parse(&text) {
        assert_eq!(line.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(key) = NoteKey::parse(&text) {
        assert_eq!(key.encode(), text);
    }
    if let Some(path) = TilePath::parse(&text) {
        assert_eq!(path.to_string(), text);
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_text().as_bytes(), bytes);
    }
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.body(), bytes);
    }
    if let Some(withheld) = Withheld::parse(bytes) {
        assert_eq!(withheld.body(), bytes);
    }
    if let Ok(Stored::Withheld(withheld)) = Stored::parse(bytes.to_vec(), &Hash([0; 32])) {
        assert_eq!(withheld.leaf_hash, Hash([0; 32]));
    }
    if let Ok(payload) = SealedPayload::parse(bytes) {
        assert_eq!(payload.to_bytes(), bytes);
    }
    if let Ok(rekord) = HashedRekord::from_request(bytes) {
        // A request may be spelt in several ways; the entry is spelt in one.
        let again = HashedRekord::from_request(&rekord.to_request()).unwrap();
        assert_eq!(Entry::HashedRekord(again).body(), Entry::HashedRekord(rekord).body());
    }
    if let Some((leaf, rest)) = TileLeaf::parse_prefix(bytes) {
        assert_eq!(leaf.to_bytes(), bytes[..bytes.len() - rest.len()]);
    }
    if let Ok(sct) = SignedCertificateTimestamp::parse(bytes) {
        assert_eq!(sct.to_bytes(), bytes);
    }
    let _ = (AddChain::parse(bytes), parse_list(bytes), embedded(bytes, bytes));
    for width in [0, 1, 2, 256] {
        if let Ok(entries) = bundle::split(bytes, width) {
            let mut joined = Vec::new();
            entries.iter().for_each(|entry| bundle::push(&mut joined, entry).unwrap());
            assert_eq!((entries.len(), joined.as_slice()), (width, bytes));
        }
    }
    let path = TilePath { kind: TileKind::Hashes(0), number: 0, width: 2 };
    assert_eq!(HashTile::parse(&path, bytes).is_ok(), bytes.len() == 64);
}

/// One good input of each kind.
fn good() -> Vec<Vec<u8>> {
    let checkpoint = Checkpoint::new(ORIGIN, 7, Hash([7; 32]));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log_signer().sign(&checkpoint, NOW));
    note.add(witness_signer().sign(&checkpoint, NOW));
    let request = AddCheckpoint { old_size: 3, proof: vec![Hash([1; 32]); 3], note: note.clone() };
    let entry = rekord(b"artifact");
    let Entry::HashedRekord(hashed) = &entry else { panic!("a hashedrekord") };
    let (sealed, payload) = sealed(b"value");
    let record = Entry::Redaction(record(3, Hash([3; 32]), Withholding::WholeBody));
    let withheld = Withheld { leaf_hash: Hash([0; 32]), record: 9 };
    let entry_of_ct = LoggedCertificate::Certificate(vec![9; 300]);
    let leaf = TileLeaf { entry: entry_of_ct, timestamp: NOW, leaf_index: 5, chain: vec![Hash([8; 32])] };
    let mut bundled = Vec::new();
    [b"one".as_slice(), b"two"].iter().for_each(|entry| bundle::push(&mut bundled, entry).unwrap());
    vec![
        note.to_string().into_bytes(),
        note.signatures()[0].to_string().into_bytes(),
        checkpoint.to_string().into_bytes(),
        log_signer().public().encode().into_bytes(),
        log_witness().encode().into_bytes(),
        b"tile/1/x001/x234/067.p/8".to_vec(),
        request.to_text().into_bytes(),
        entry.body(),
        hashed.to_request(),
        sealed.body(),
        payload.to_bytes(),
        record.body(),
        withheld.body(),
        leaf.to_bytes(),
        bundled,
        br#"{"chain":["AAAA","BBBB"]}"#.to_vec(),
    ]
}

#[test]
fn what_is_good_is_accepted_by_the_parser_it_is_for() {
    let inputs = good();
    inputs.iter().for_each(|input| all(input));
    assert!(SignedNote::parse(&inputs[0]).is_ok() && AddCheckpoint::parse(&inputs[6]).is_ok());
    assert!(
        VerifiedCheckpoint::open_witnessed(&inputs[0], log_signer().public(), &[log_witness()], 1).is_ok()
    );
    assert!([7, 9, 11].iter().all(|kind| Entry::parse(&inputs[*kind]).is_ok()));
    assert!(HashedRekord::from_request(&inputs[8]).is_ok() && SealedPayload::parse(&inputs[10]).is_ok());
    assert!(Withheld::parse(&inputs[12]).is_some() && TileLeaf::parse_prefix(&inputs[13]).is_some());
    assert_eq!(AddChain::parse(&inputs[15]).unwrap().len(), 2);
}

/// A change to an input.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    Join(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), 1u8..=255).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..6))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<usize>(), 1usize..64).prop_map(|(at, length)| Change::Repeat(at, length)),
        any::<usize>().prop_map(Change::Join),
    ]
}

fn apply(mut bytes: Vec<u8>, change: &Change, others: &[Vec<u8>]) -> Vec<u8> {
    let within = |at: usize, length: usize| at % (length + 1);
    match change {
        Change::Flip(at, bits) if !bytes.is_empty() => {
            let at = at % bytes.len();
            bytes[at] ^= bits;
        }
        Change::Flip(..) => {}
        Change::Cut(at) => bytes.truncate(within(*at, bytes.len())),
        Change::Insert(at, new) => {
            let at = within(*at, bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Repeat(at, length) => {
            let at = within(*at, bytes.len());
            let piece = bytes[at..bytes.len().min(at + length)].to_vec();
            bytes.splice(at..at, piece);
        }
        Change::Join(at) => {
            let other = &others[at % others.len()];
            let cut = within(*at, bytes.len());
            bytes.truncate(cut);
            bytes.extend(&other[within(*at, other.len())..]);
        }
    }
    bytes
}

proptest! {
    #[test]
    fn parsers_answer_anything(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        all(&bytes);
    }

    #[test]
    fn parsers_answer_what_is_nearly_right(which in any::<usize>(), changes in proptest::collection::vec(change(), 1..6)) {
        let inputs = good();
        let begin = inputs[which % inputs.len()].clone();
        all(&changes.iter().fold(begin, |bytes, change| apply(bytes, change, &inputs)));
    }
}
