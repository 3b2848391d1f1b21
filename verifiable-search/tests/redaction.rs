//! A sealed entry redacted whole: indexed, recorded, erased, and still found, as a tombstone.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::running::*;
use common::*;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::Log;
use sigveil_log::entry::{Entry, SealedPayload, Stored, Withheld};
use sigveil_log::merkle::verify_inclusion;
use sigveil_log::tile::TileTree;
use sigveil_verifiable_search::answer::{Answer, Place};
use sigveil_verifiable_search::key::MapKey;
use std::path::{Path, PathBuf};

const LABEL: u8 = 7;
const VALUE: &[u8] = b"a value that is to be forgotten";

/// Every file below `folder` that holds these bytes.
fn files_with(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            found.push(path);
        }
    }
    found
}

/// What must be gone: values and salts, as written and raw, and the body with its commitments and signer.
fn needles(entry: &Entry, payload: &SealedPayload) -> Vec<Vec<u8>> {
    let Entry::Sealed(sealed) = entry else { unreachable!("made by sealed()") };
    let fields = payload.fields.iter().flat_map(|field| [field.value.clone(), field.salt.clone()]);
    let commitments = sealed.commitments.iter().map(|hash| hash.0.to_vec());
    let certificate = sealed.signature.verifier.certificate().unwrap().to_vec();
    let raw = fields.chain(commitments).chain([certificate, sealed.signature.content.clone()]);
    raw.flat_map(|bytes| [STANDARD.encode(&bytes).into_bytes(), bytes]).collect()
}

fn stored(log: &Log) -> Vec<Stored> {
    let opened = VerifiedCheckpoint::open(&log.checkpoint().unwrap(), log.key(), &[]).unwrap();
    let tree = TileTree::open(log.reader().clone(), opened.checkpoint().size, &opened.checkpoint().root);
    log.reader().entries(&tree.unwrap(), 0, u64::MAX).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_entry_is_erased_whole_and_stays_findable() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path());
    let (entry, payload) = sealed(&Ca::new(1), LABEL, &[VALUE, b"another"]);
    let mut receipts = vec![running.log.append_sealed(&entry, &payload).await.unwrap()];
    for artifact in 1..6 {
        let other = labelled(&Ca::new(1), LABEL + artifact % 2, artifact);
        receipts.push(running.log.append_opaque(other).await.unwrap());
    }
    let (key, place) = (MapKey::label(&label_value(LABEL)), Place { log: LOG.to_owned(), index: 0 });
    let indexer = running.indexer();
    assert_eq!(indexer.update().await, Ok(true));
    let before = indexer.answer(&key, None).await.unwrap();
    let found = before.verify(&key, &running.policy()).unwrap();
    assert_eq!(found.entries()[0].place, place);
    assert!(!found.entries()[0].is_redacted());

    // Found before: in the write-ahead log, and beside the log or in its bundle.
    let needles = needles(&entry, &payload);
    for needle in needles.iter().step_by(2) {
        let names = files_with(folder.path(), needle);
        assert!(names.contains(&folder.path().join(LOG).join("wal")), "{names:?}");
        assert!(names.len() >= 2, "{names:?}");
    }

    // The record comes first: with coverage shown, and no record in the log, nothing is withheld.
    let coverage = indexer.coverage(&place).await.unwrap();
    let keys = indexer.entry_keys(&place).await.unwrap();
    let covered = coverage.verify(&running.policy()).unwrap();
    assert_eq!(running.log.redact(6, covered.clone()).await.unwrap_err().reason(), "redaction-no-record");
    let about = record_about(LOG, 0, covered.leaf_hash(), &keys, 9);
    let record = running.log.append(&about).await.unwrap();
    let mut kept = stored(&running.log);
    assert_eq!(kept[0], Stored::Body(entry.body()));
    // Nor does coverage of another entry do.
    let other = Place { index: 1, ..place.clone() };
    let other = indexer.coverage(&other).await.unwrap().verify(&running.policy()).unwrap();
    assert_eq!(running.log.redact(record.index, other).await.unwrap_err().reason(), "redaction-not-covered");
    running.log.redact(record.index, covered).await.unwrap();

    for needle in &needles {
        assert_eq!(files_with(folder.path(), needle), Vec::<PathBuf>::new());
    }
    kept[0] = Stored::Withheld(Withheld { leaf_hash: receipts[0].leaf_hash, record: record.index });
    assert_eq!(stored(&running.log), kept);

    // All that was proven before holds as it stands.
    for receipt in &receipts {
        let at = (receipt.index, receipt.tree_size);
        verify_inclusion(&receipt.leaf_hash, at.0, at.1, &receipt.proof, &receipt.root).unwrap();
    }
    assert_eq!(before.verify(&key, &running.policy()).unwrap(), found);
    coverage.verify(&running.policy()).unwrap();

    // The search names it still, with the record; other entries and other keys are as they were.
    assert_eq!(indexer.update().await, Ok(true));
    let after = indexer.answer(&key, None).await.unwrap();
    let tombstone = after.verify(&key, &running.policy()).unwrap();
    assert!(tombstone.is_present() && tombstone.is_complete());
    assert_eq!(tombstone.value(), found.value());
    let redacted: Vec<_> = tombstone.entries().iter().map(|entry| entry.is_redacted()).collect();
    assert_eq!(redacted, [true, false, false]);
    let Entry::Redaction(about) = about else { unreachable!("made by record_about()") };
    assert_eq!(tombstone.entries()[0].redaction.as_ref(), Some(&about));
    let mut silent: Answer = after.clone();
    silent.tombstones.clear();
    // A server that keeps silent about the record shows the entry as not redacted: the log's own tombstone
    // then convicts it (the monitor's `withheld-without-record`).
    assert!(!silent.verify(&key, &running.policy()).unwrap().entries()[0].is_redacted());

    // Whoever comes later recomputes all of it from what is left.
    let fresh = running.indexer();
    assert_eq!(fresh.update().await, Ok(false));
    let again = fresh.answer(&key, None).await.unwrap().verify(&key, &running.policy()).unwrap();
    assert_eq!(again.entries(), tombstone.entries());
    assert_eq!(again.state().leaf(), tombstone.state().leaf());
    assert_eq!(fresh.entry_keys(&place).await.unwrap_err().reason(), "index-entry-not-indexed");
    // And goes on from there.
    running.log.append_opaque(labelled(&Ca::new(1), LABEL, 77)).await.unwrap();
    assert_eq!(fresh.update().await, Ok(true));
    for needle in &needles {
        assert_eq!(files_with(folder.path(), needle), Vec::<PathBuf>::new());
    }
}
