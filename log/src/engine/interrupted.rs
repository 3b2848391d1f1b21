//! Redaction, trimming and freezing stopped at each of their calls of the file system, and the folder opened again, with that
//! stopped too.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::common;
use super::common::Covered;
use super::crash::disk::{Fault, Faulty, Memory, Plan, Survival};
use super::crash::remote::Late;
use super::freeze;
use super::intent::Intent;
use super::redact::RedactError;
use super::run::Writer as _;
use super::sequencer::Sequencer;
use super::{Config, Log, OpenError};
use crate::batch::Sequenced;
use crate::checkpoint::VerifiedCheckpoint;
use crate::entry::{Entry, SealedPayload, Stored, Withholding};
use crate::hash::Hash;
use crate::merkle::{inclusion_proof, leaf_hash};
use crate::store::Reader;
use crate::store::disk::Posix;
use crate::store::files::Files;
use crate::tile::TileTree;

fn config(folder: &Path) -> Config {
    Config { wal_limit: 20_000, known_height: 8, ..common::witnessed(folder) }
}

/// The same on a disk whose calls the plan stops.
fn faulty(folder: &Path, plan: &Arc<Plan>) -> Config {
    let files = Files::new(Arc::new(Faulty::new(Arc::new(Posix), Arc::clone(plan), None)));
    Config { files, ..config(folder) }
}

fn sequenced(item: Vec<u8>, attachment: Vec<u8>) -> Sequenced {
    Sequenced { leaf: leaf_hash(&item), item, attachment }
}

fn holds(folder: &Path, needles: &[Vec<u8>]) -> bool {
    let contents = common::contents(folder);
    needles.iter().any(|needle| common::contains(&contents, needle))
}

/// A log whose entry 3 is sealed, with `others` entries behind it and then the record of its redaction.
struct Prepared {
    folder: tempfile::TempDir,
    entry: Entry,
    payload: SealedPayload,
    withheld: Withholding,
    record: u64,
}

const SEALED: u64 = 3;

fn prepare(others: u32, withheld: Withholding) -> Prepared {
    let folder = tempfile::tempdir().unwrap();
    let (entry, payload) = common::sealed(b"a value to be forgotten");
    let mut log = Sequencer::open(config(folder.path())).unwrap();
    let other = |n: u32| sequenced(format!("other {n}").into_bytes(), Vec::new());
    log.commit((0..3).map(other).collect()).unwrap();
    log.commit(vec![sequenced(entry.body(), payload.to_bytes())]).unwrap();
    log.commit((3..3 + others).map(other).collect()).unwrap();
    let record = log.tree.size();
    let body = Entry::Redaction(common::record(SEALED, entry.leaf_hash(), withheld.clone())).body();
    log.commit(vec![sequenced(body, Vec::new())]).unwrap();
    Prepared { folder, entry, payload, withheld, record }
}

/// What a reader of the folder alone finds at [`SEALED`], under the published checkpoint.
fn read(folder: &Path) -> (Stored, Option<Vec<u8>>, Vec<Vec<Hash>>) {
    let reader = Reader::new(&folder.join("log"));
    let key = common::log_signer().public().clone();
    let opened = VerifiedCheckpoint::open(&reader.checkpoint().unwrap(), &key, &[]).unwrap();
    let checkpoint = opened.checkpoint();
    let tree = TileTree::open(reader.clone(), checkpoint.size, &checkpoint.root).unwrap();
    let proofs = (0..checkpoint.size).map(|index| inclusion_proof(&tree, index, checkpoint.size).unwrap());
    let proofs = proofs.collect();
    (reader.entry(&tree, SEALED).unwrap(), reader.sealed(SEALED).unwrap(), proofs)
}

/// Whether another process finds it frozen.
fn is_frozen(config: &Config) -> Result<Option<u64>, OpenError> {
    freeze::is_frozen(config, &config.lock()?)
}

/// Opens the folder again and again, stopped a few calls later each time, until that succeeds.
fn reopen(folder: &Path) -> Sequencer {
    for steps in (0..).step_by(5) {
        let plan = Arc::new(Plan::default());
        plan.arm(Fault::Death, steps, true);
        let opened = Sequencer::open(faulty(folder, &plan));
        plan.disarm();
        match opened {
            Ok(log) => return log,
            Err(OpenError::Io(_) | OpenError::Tile(_) | OpenError::Redact(_) | OpenError::Publish(_)) => {}
            Err(error) => panic!("stopped after {steps} calls: {error}"),
        }
    }
    unreachable!("some number of calls is enough")
}

fn interrupted_everywhere(others: u32, withheld: Withholding) {
    let prepared = prepare(others, withheld);
    let (field, fields) = (&prepared.payload.fields[0], prepared.withheld != Withholding::WholeBody);
    let gone = common::secrets(field);
    assert!(holds(prepared.folder.path(), &gone));
    let (whole, openings, proofs) = read(prepared.folder.path());
    assert_eq!(whole, Stored::Body(prepared.entry.body()));
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        common::copy(prepared.folder.path(), folder.path());
        let plan = Arc::new(Plan::default());
        let mut log = Sequencer::open(faulty(folder.path(), &plan)).unwrap();
        plan.arm(Fault::Death, steps, true);
        let redacted = log.redact(prepared.record, &Covered(true));
        plan.disarm();
        // What only reads changes nothing; after that, the folder has to be opened anew.
        if matches!(redacted, Err(RedactError::Io(_))) {
            assert_eq!(log.redact(prepared.record, &Covered(true)).unwrap_err().reason(), "log-unavailable");
        }
        drop(log);
        // Between the crash and the next start, readers find all of it or nothing of it.
        let (stored, sealed, unchanged) = read(folder.path());
        assert!(stored == whole || (!fields && matches!(stored, Stored::Withheld(_))), "after {steps}");
        assert!(sealed.is_none() || sealed == openings || fields, "after {steps} calls");
        assert_eq!(unchanged, proofs);

        let mut log = reopen(folder.path());
        if folder.path().join(format!("log/withheld/{SEALED}")).exists() {
            assert!(!holds(folder.path(), &gone), "after {steps} calls and the next start");
        }
        log.redact(prepared.record, &Covered(true)).unwrap();
        drop(log);
        assert!(!holds(folder.path(), &gone), "after {steps} calls and another redaction");
        let (stored, sealed, unchanged) = read(folder.path());
        assert_eq!(matches!(stored, Stored::Withheld(_)), !fields);
        assert_eq!(sealed.is_some(), fields);
        assert_eq!(unchanged, proofs);
        if redacted.is_ok() {
            assert!(steps > 10, "faults were injected");
            return;
        }
    }
}

#[test]
fn a_start_goes_through_the_write_ahead_log_once_for_all_that_is_withheld() {
    let reads = |withheld: u64| {
        let folder = tempfile::tempdir().unwrap();
        let body = |index: u64| format!("to be withheld: {index}").into_bytes();
        let mut log = Sequencer::open(config(folder.path())).unwrap();
        log.commit((0..9).map(|index| sequenced(body(index), Vec::new())).collect()).unwrap();
        drop(log);
        let beside = folder.path().join("log/withheld");
        fs::create_dir(&beside).unwrap();
        for index in 0..withheld {
            let (leaf_hash, withheld) = (leaf_hash(&body(index)), Withholding::WholeBody);
            let intent = Intent { index, leaf_hash, record: 8, withheld }.to_bytes().unwrap();
            fs::write(beside.join(index.to_string()), intent).unwrap();
        }
        let plan = Arc::new(Plan::default());
        plan.trace();
        drop(Sequencer::open(faulty(folder.path(), &plan)).unwrap());
        for index in 0..9 {
            assert_eq!(holds(folder.path(), &[body(index)]), index >= withheld, "{index}");
        }
        plan.traced().iter().filter(|call| call.starts_with("read ") && call.ends_with("/wal")).count()
    };
    assert_eq!(reads(5), reads(1));
}

#[test]
fn redaction_in_a_partial_bundle() {
    interrupted_everywhere(3, Withholding::WholeBody);
}

#[test]
fn redaction_in_a_full_bundle() {
    interrupted_everywhere(300, Withholding::WholeBody);
}

#[test]
fn redaction_of_a_field() {
    interrupted_everywhere(3, Withholding::Fields(vec![0]));
}

#[test]
fn old_bytes_are_overwritten_in_place() {
    let prepared = prepare(3, Withholding::WholeBody);
    let folder = prepared.folder.path().join("log");
    let mut log = Sequencer::open(config(prepared.folder.path())).unwrap();
    let names = ["wal", "sealed/3", "tile/entries/000.p/8"];
    let mut open: Vec<_> = names.iter().map(|name| File::open(folder.join(name)).unwrap()).collect();
    log.redact(prepared.record, &Covered(true)).unwrap();
    for (file, name) in open.iter_mut().zip(names) {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0), "{name}");
    }
}

#[test]
fn trimming_interrupted_anywhere_loses_nothing() {
    let item = |n: u32| sequenced(format!("{n:0200}").into_bytes(), Vec::new());
    let folder = tempfile::tempdir().unwrap();
    let mut log = Sequencer::open(config(folder.path())).unwrap();
    log.commit((0..250).map(item).collect()).unwrap();
    drop(log);
    for steps in 0.. {
        let copied = tempfile::tempdir().unwrap();
        common::copy(folder.path(), copied.path());
        let plan = Arc::new(Plan::default());
        let mut log = Sequencer::open(faulty(copied.path(), &plan)).unwrap();
        plan.arm(Fault::Death, steps, true);
        let published = log.commit((250..520).map(item).collect());
        plan.disarm();
        drop(log);
        let mut log = reopen(copied.path());
        let size = log.tree.size();
        assert!(size == 520 || (size == 250 && published.is_err()), "{size} after {steps} calls");
        log.commit((u32::try_from(size).unwrap()..530).map(item).collect()).unwrap();
        let tree = TileTree::new(Reader::new(&copied.path().join("log")), 530);
        assert!((0..530).all(|n| item(n).leaf == tree.leaf(n.into()).unwrap()), "after {steps} calls");
        if published.is_ok() {
            assert!(steps > 10, "faults were injected");
            return;
        }
    }
}

#[test]
fn freezing_that_fails_anywhere_leaves_a_log_that_goes_on_or_has_ended() {
    let item = |n: u32| sequenced(format!("{n:0200}").into_bytes(), Vec::new());
    for steps in 0.. {
        let (folder, plan) = (tempfile::tempdir().unwrap(), Arc::new(Plan::default()));
        let mut log = Sequencer::open(faulty(folder.path(), &plan)).unwrap();
        log.commit((0..10).map(item).collect()).unwrap();
        // The call is done, and fails all the same.
        let before = plan.calls();
        plan.arm(Fault::IoLate, steps, false);
        let frozen = log.freeze();
        plan.disarm();
        let reached = plan.calls() - before > steps;
        // Another process finds it ended or not, with all its entries.
        let copied = tempfile::tempdir().unwrap();
        common::copy(folder.path(), copied.path());
        let ended = is_frozen(&config(copied.path())).unwrap();
        assert!(ended.is_none_or(|size| size == 10), "after {steps} calls");
        assert_eq!(reopen(copied.path()).tree.size(), 10);
        if frozen.is_ok() {
            assert!(ended.is_some(), "after {steps} calls");
            if reached {
                // What was asked for was so already.
                continue;
            }
            assert!(steps > 10, "faults were injected");
            return;
        }
        // This one goes on, and has then not ended.
        log.heal().unwrap();
        log.commit(vec![item(10)]).unwrap();
        drop(log);
        assert_eq!(is_frozen(&config(folder.path())).unwrap(), None, "after {steps} calls");
        assert_eq!(reopen(folder.path()).tree.size(), 11);
    }
}

/// Wherever a replacement is interrupted, repeating it leaves nothing of what was to be erased, without a restart.
#[test]
fn an_erasure_that_was_interrupted_is_completed_by_repeating_it() {
    let (folder, path) = (Path::new("/store"), Path::new("/store/bundle"));
    for (replacement, again_by_content) in [(Some(&b"new"[..]), false), (Some(b"new"), true), (None, false)] {
        for step in 0.. {
            let (memory, plan) = (Memory::with_folder(folder), Arc::new(Plan::default()));
            let files = Files::new(Arc::new(Faulty::new(Arc::new(memory.clone()), Arc::clone(&plan), None)));
            files.write_durable(path, b"secret").unwrap();
            plan.arm(Fault::Io, step, false);
            let interrupted = files.erase(path, replacement);
            plan.disarm();
            match replacement {
                Some(bytes) if again_by_content => files.ensure_durable(path, bytes).unwrap(),
                _ => files.erase(path, replacement).unwrap(),
            }
            assert_eq!(files.read_optional(path).unwrap().as_deref(), replacement, "step {step}");
            assert_eq!(files.list(folder).unwrap().len(), usize::from(replacement.is_some()), "step {step}");
            if interrupted.is_ok() {
                break;
            }
        }
    }
}

/// That a log is frozen is told to nobody before it is so for good: a name that can be read may be lost yet.
#[test]
fn what_is_found_frozen_stays_so_when_the_power_is_lost() {
    let mut found = 0;
    for step in 0.. {
        let (memory, plan) = (Memory::with_folder(Path::new("/store")), Arc::new(Plan::default()));
        let disk = || Faulty::new(Arc::new(memory.clone()), Arc::clone(&plan), Some(memory.clone()));
        let process =
            || Config { files: Files::new(Arc::new(disk())), ..common::config(Path::new("/store")) };
        let mut log = Sequencer::open(process()).unwrap();
        log.commit(vec![sequenced(b"the last".to_vec(), Vec::new())]).unwrap();
        plan.arm(Fault::Death, step, true);
        let frozen = log.freeze();
        plan.disarm();
        drop(log);
        if is_frozen(&process()).unwrap().is_some() {
            found += 1;
            memory.lose_power(Survival::Nothing);
            assert!(is_frozen(&process()).unwrap().is_some(), "step {step}");
        }
        if frozen.is_ok() {
            break;
        }
    }
    assert!(found > 1, "one was stopped between the name and its folder's sync");
}

#[test]
fn whoever_has_the_folder_may_still_fail_to_freeze_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = || common::config(folder.path());
    let mut log = Sequencer::open(config()).unwrap();
    log.commit(vec![sequenced(b"the last".to_vec(), Vec::new())]).unwrap();
    let note = log.publisher.published().unwrap().note.clone();
    freeze::freeze(&config(), &note).unwrap();
    assert!(matches!(is_frozen(&config()), Err(OpenError::Locked)));
    assert!(matches!(Log::open(config()), Err(OpenError::Locked)));
    drop(log);
    assert_eq!(is_frozen(&config()).unwrap(), Some(1));
}

/// Before whichever of its calls another process freezes the log and frees the folder: nobody thaws it.
#[test]
fn a_start_that_overlaps_the_end_of_a_log_finds_it_ended() {
    let (mut refused, mut found) = (0, 0);
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Sequencer::open(common::config(folder.path())).unwrap();
        first.commit(vec![sequenced(b"the last".to_vec(), Vec::new())]).unwrap();
        let (plan, late) = (Arc::new(Plan::default()), Late::default());
        let disk = Faulty::new(Arc::new(Posix), Arc::clone(&plan), None).with(late.clone());
        late.push(step, Box::new(move || first.freeze().unwrap()));
        let files = Files::new(Arc::new(disk));
        match Log::open(Config { files, ..common::config(folder.path()) }) {
            Err(OpenError::Locked) => refused += 1,
            opened => {
                assert!(opened.unwrap().is_frozen(), "before call {step}");
                found += 1;
            }
        }
        if plan.calls() <= step {
            break;
        }
        assert_eq!(is_frozen(&common::config(folder.path())).unwrap(), Some(1), "before call {step}");
    }
    assert!(refused > 0 && found > 0);
}

/// A certificate may be about to get its name from whoever checks a chain: it is not the engine's to erase.
#[test]
fn a_start_leaves_certificates_alone_that_are_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let issuers = folder.path().join("log/issuer");
    fs::create_dir_all(&issuers).unwrap();
    let [theirs, left] = [issuers.join("00.tmp~"), folder.path().join("log/checkpoint.tmp~")];
    fs::write(&theirs, "a certificate").unwrap();
    fs::write(&left, "of a crash").unwrap();
    Sequencer::open(config(folder.path())).unwrap();
    assert_eq!(fs::read(theirs).unwrap(), b"a certificate");
    assert!(!left.exists());
}
