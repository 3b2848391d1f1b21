//! Every parser of this crate on anything, on what is nearly right, and on the fuzz targets' corpus.
//!
//! `cargo test` draws some hundred inputs; `PROPTEST_CASES` says how many. What holds of each is in `fuzz/parsers.rs`.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "../fuzz/parsers.rs"]
mod parsers;

use std::sync::LazyLock;

use parsers::{Taken, binary, json, text};
use proptest::prelude::*;
use sigveil_log::entry::{EntryError, SealedPayload};

/// Inputs that the fuzz targets begin with, each with its name.
static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = ["text", "json", "binary"].map(|target| std::fs::read_dir(corpus.join(target)).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path());
    let seeds = paths.filter(|path| path.extension().is_some_and(|extension| extension == "seed"));
    let name = |path: &std::path::Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut corpus: Vec<_> = seeds.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect();
    corpus.sort();
    corpus
});

/// Gives bytes to every parser; the names of those that took them.
fn all(bytes: &[u8]) -> Taken {
    [text(bytes), json(bytes), binary(bytes)].concat()
}

/// A good input is named after the parser that takes it; what the fuzzer found has a number for a name.
#[test]
fn the_corpus_is_answered_and_what_is_good_is_taken_by_the_parser_it_is_for() {
    let mut good = 0;
    for (name, bytes) in CORPUS.iter() {
        let taken = all(bytes);
        if !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            assert!(taken.iter().any(|parser| name.starts_with(parser)), "{name} was taken by {taken:?}");
            good += 1;
        }
    }
    assert!(good >= 44);
}

/// What [`all`] says of every input, for one parser that would take several spellings.
#[test]
fn a_payload_has_one_spelling() {
    let payload = CORPUS.iter().find(|(name, _)| name == "payload").unwrap().1.as_slice();
    SealedPayload::parse(payload).unwrap();
    let spaced = [payload, b" "].concat();
    assert_eq!(SealedPayload::parse(&spaced), Err(EntryError::NotCanonical));
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

fn apply(mut bytes: Vec<u8>, change: &Change, others: &[(String, Vec<u8>)]) -> Vec<u8> {
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
            let (_, other) = &others[at % others.len()];
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
        let (_, begin) = &CORPUS[which % CORPUS.len()];
        all(&changes.iter().fold(begin.clone(), |bytes, change| apply(bytes, change, &CORPUS)));
    }
}
