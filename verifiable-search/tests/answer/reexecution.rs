//! What re-execution recomputes, over redacted entries too, and what makes it disagree.

use crate::common::*;
use crate::{LABEL, LOG, label, policy, redacted, root, signers, state_of, world};
use ed25519_dalek::SigningKey;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::entry::{Stored, Withheld};
use sigveil_log::hash::Hash;
use sigveil_verifiable_search::answer::{Answer, AnswerError};
use sigveil_verifiable_search::index::{IndexError, LogEntries};
use sigveil_verifiable_search::output::{OutputError, OutputLeaf};
use sigveil_verifiable_search::reexecute::{ReexecuteError, Replay, reexecute};
use sigveil_verifiable_search::rule::SEALED_CLAIMS;

#[test]
fn a_redacted_entry_is_found_as_a_tombstone() {
    let (world, log, _) = redacted();
    let answer = world.index.answer(&label(LABEL), None, state_of(&world, &log));
    let verified = answer.verify(&label(LABEL), &policy()).unwrap();
    let redacted: Vec<_> = verified.entries().iter().map(|entry| entry.redaction.is_some()).collect();
    assert_eq!(redacted, [true, false]);

    let refused = |change: &dyn Fn(&mut Answer)| {
        let mut bad = answer.clone();
        change(&mut bad);
        bad.verify(&label(LABEL), &policy()).unwrap_err()
    };
    assert_eq!(refused(&|a| a.tombstones[0].inclusion[0].0[0] ^= 1), AnswerError::Tombstone);
    assert_eq!(refused(&|a| a.tombstones[0].record_inclusion[0].0[0] ^= 1), AnswerError::Tombstone);
    assert_eq!(refused(&|a| a.tombstones.push(a.tombstones[0].clone())), AnswerError::Tombstone);
    assert_eq!(refused(&|a| a.list.as_mut().unwrap().pages.clear()), AnswerError::Tombstone);
    let mut strangers = policy();
    strangers.authorities.0 = vec![SigningKey::from_bytes(&[8; 32]).verifying_key()];
    assert_eq!(answer.verify(&label(LABEL), &strangers).unwrap_err().reason(), "search-record-invalid");
}

#[test]
fn reexecution_agrees_also_after_redaction_and_cosigns_only_what_it_recomputed() {
    let (world, log, _) = redacted();
    let source = MemorySource { logs: vec![log], trusts: vec![root()] };
    let replay = reexecute(world.output.iter().map(Vec::as_slice), &source).unwrap();
    assert_eq!(replay.len(), 3);
    assert_eq!(replay.index().leaf(), world.index.leaf());
    let (key, checkpoint) = (signers().reexecutor, world.output_checkpoint());
    assert!(replay.cosign(&checkpoint, &key, NOW * 1000).is_ok());
    let other_size = Checkpoint { size: 2, ..checkpoint.clone() };
    let other_root = Checkpoint { root: Hash([0; 32]), ..checkpoint };
    for other in [other_size, other_root] {
        assert_eq!(replay.cosign(&other, &key, 0).unwrap_err(), ReexecuteError::Checkpoint);
    }
    // While the record that a tombstone points to has not been indexed itself, nothing is confirmed.
    let first = reexecute([world.output[0].as_slice()], &source).unwrap();
    let leaves = &world.output_leaves()[..1];
    let checkpoint = Checkpoint::new("index.example", 1, tree_hash(leaves));
    assert_eq!(first.cosign(&checkpoint, &key, 0).unwrap_err(), ReexecuteError::RecordMissing);
}

#[test]
fn every_claim_of_a_leaf_is_recomputed() {
    let (world, log) = world();
    let source = MemorySource { logs: vec![log], trusts: vec![root()] };
    let refused = |change: &dyn Fn(&mut OutputLeaf)| {
        let mut replay = Replay::new();
        replay.leaf(&world.output[0], &source).unwrap();
        let mut leaf = OutputLeaf::from_bytes(&world.output[1]).unwrap();
        change(&mut leaf);
        let error = replay.leaf(&leaf.to_bytes(), &source).unwrap_err();
        // A replay that failed confirms nothing any more, not even the good leaf.
        assert!(replay.leaf(&world.output[1], &source).is_err());
        error
    };
    assert_eq!(refused(&|leaf| leaf.map_root.0[0] ^= 1), ReexecuteError::MapRoot);
    assert_eq!(refused(&|leaf| leaf.keys += 1), ReexecuteError::KeyCount);
    assert_eq!(refused(&|leaf| leaf.inputs[0].root.0[0] ^= 1), ReexecuteError::InputRoot(LOG.to_owned()));
    assert_eq!(refused(&|leaf| leaf.inputs[0].key_lists.0[0] ^= 1), ReexecuteError::KeyLists(LOG.to_owned()));
    assert_eq!(refused(&|leaf| leaf.inputs[0].size = 6), ReexecuteError::EntriesMissing(LOG.to_owned()));
    assert_eq!(refused(&|leaf| leaf.trust_root.0[0] ^= 1).reason(), "reexecute-unknown-trust-root");
    assert_eq!(refused(&|leaf| leaf.inputs[0].size = 3), OutputError::NotGrown.into());
    assert_eq!(refused(&|leaf| leaf.inputs[0].size = 2), OutputError::InputShrank(LOG.to_owned()).into());
}

#[test]
fn an_omitted_entry_changes_what_reexecution_gives() {
    // The indexer leaves out entry 3; whoever recomputes has it.
    let (_, log) = world();
    let mut thinned = log.clone();
    thinned.stored[3] = log.stored[0].clone();
    thinned.leaves[3] = log.leaves[0];
    let mut dishonest = World::new();
    let mut leaf = dishonest.step(&root(), &[&thinned]);
    leaf.inputs[0].root = log.checkpoint().root;
    let source = MemorySource { logs: vec![log], trusts: vec![root()] };
    let error = Replay::new().leaf(&leaf.to_bytes(), &source).unwrap_err();
    assert_eq!(error, ReexecuteError::KeyLists(LOG.to_owned()));
}

#[test]
fn a_tombstone_needs_a_fitting_record() {
    let (world, log, keys) = redacted();
    let step = |log: &MemoryLog| {
        let logs = vec![log.entries(0, log.leaves.len() as u64)];
        World::new().index.step(&step_under(&root(), logs))
    };
    assert_eq!(step(&log).unwrap().map_root, world.index.leaf().unwrap().map_root);
    let missing = Err(IndexError::Record { origin: LOG.to_owned(), index: 1 });
    let mut none = log.clone();
    none.withhold(1, 4);
    assert_eq!(step(&none), missing);
    // A record about another entry.
    let mut other = log.clone();
    other.stored[5] = Stored::Body(record(&log, 0, &keys, 9));
    assert_eq!(step(&other), missing);
    // A fitting one that no authority of a trust root has signed.
    for seed in [8, 10] {
        let mut unsigned = log.clone();
        unsigned.stored[5] = Stored::Body(record(&log, 1, &keys, seed));
        assert_eq!(step(&unsigned), missing);
    }
    // A fitting record that is not what stands in the log at its index.
    let mut absent = log.clone();
    let mut logs = vec![absent.entries(0, 6)];
    absent.push(labelled(&Ca::new(1), 1, 1));
    logs[0].entries[5] = absent.stored[6].clone();
    let refused = World::new().index.step(&step_under(&root(), logs));
    assert_eq!(refused, Err(IndexError::Record { origin: LOG.to_owned(), index: 5 }));
}

/// A second tombstone that points to the same place by another record would have the first forgotten.
#[test]
fn two_records_cannot_be_promised_at_one_place() {
    let (mut world, mut log) = world();
    let size = log.leaves.len() as u64;
    for at in [1, 2] {
        log.push(labelled(&Ca::new(1), LABEL, 10 + at));
    }
    let keys = |world: &World, body: &[u8], index| world.index.entry_keys(LOG, index, body).unwrap();
    let mut seen = World::new();
    seen.step(&root(), &[&log]);
    let mut entries = log.entries(size, size + 2);
    let place = size + 50;
    let promise = |at: u64, entries: &mut LogEntries| {
        let index = size + at;
        let Stored::Body(body) = log.stored[index as usize].clone() else { unreachable!("it is there") };
        let leaf_hash = log.leaves[index as usize];
        entries.records.insert(place, record(&log, index, &keys(&seen, &body, index), 9));
        entries.entries[at as usize] = Stored::Withheld(Withheld { leaf_hash, record: place });
    };
    let mut first = entries.clone();
    first.entries.truncate(1);
    promise(0, &mut first);
    world.index.step(&step_under(&root(), vec![first])).unwrap();
    promise(1, &mut entries);
    entries.entries.remove(0);
    let refused = world.index.step(&step_under(&root(), vec![entries]));
    assert_eq!(refused, Err(IndexError::Record { origin: LOG.to_owned(), index: size + 1 }));
}

/// Anybody can bring a log the record of another, which the same authorities have signed, or one about another leaf.
#[test]
fn a_record_about_something_else_makes_no_tombstone() {
    let (mut world, mut log) = world();
    let Stored::Body(body) = log.stored[1].clone() else { unreachable!("nothing is withheld") };
    let keys = world.index.entry_keys(LOG, 1, &body).unwrap();
    log.push(record_about("other.example", 1, log.leaves[1], &keys, 9).body());
    log.push(record_about(LOG, 1, log.leaves[2], &keys, 9).body());
    world.step(&root(), &[&log]);
    let answer = world.index.answer(&label(LABEL), None, state_of(&world, &log));
    assert!(answer.tombstones.is_empty());
    let found = answer.verify(&label(LABEL), &policy()).unwrap();
    assert!(found.entries().iter().all(|entry| entry.redaction.is_none()));
}

#[test]
fn an_entry_with_as_many_keys_as_fit_can_be_redacted_and_recomputed() {
    let claims: Vec<u8> = (0..1_400u32).flat_map(|at| der(4, &Hash::of(&[&at.to_be_bytes()]).0)).collect();
    let names = der(0x86, name_of(LABEL).as_bytes());
    let extensions: [(&[u8], Vec<u8>); 3] =
        [(SAN, der(0x30, &names)), (SCT, der(4, &[0, 0])), (SEALED_CLAIMS.as_bytes(), der(0x30, &claims))];
    let large = entry(Ca::new(1).sign(&body(&extensions, 600)), 1);
    assert!((60_000..=65_535).contains(&large.len()), "{}", large.len());

    let (mut log, mut world) = (MemoryLog::new(LOG), World::new());
    log.push(large.clone());
    world.step(&root(), &[&log]);
    let keys = world.index.entry_keys(LOG, 0, &large).unwrap();
    assert_eq!(keys.keys().len(), 1_400 + 4);
    let record = record(&log, 0, &keys, 9);
    assert!(record.len() <= 65_535, "{}", record.len());
    log.push(record);
    log.withhold(0, 1);
    world.step(&root(), &[&log]);
    let answer = world.index.answer(&label(LABEL), None, state_of(&world, &log));
    assert!(answer.verify(&label(LABEL), &policy()).unwrap().entries()[0].is_redacted());
    let source = MemorySource { logs: vec![log], trusts: vec![root()] };
    let replay = reexecute(world.output.iter().map(Vec::as_slice), &source).unwrap();
    assert_eq!(replay.index().leaf(), world.index.leaf());
}

#[test]
fn a_ca_key_counts_from_the_leaf_that_names_it_and_for_ever() {
    let (old, new) = (Ca::new(1), Ca::new(2));
    let (mut log, mut world) = (MemoryLog::new(LOG), World::new());
    log.push(labelled(&new, LABEL, 1));
    world.step(&trust(b"one", &[&old]), &[&log]);
    log.push(labelled(&new, LABEL, 2));
    world.step(&trust(b"two", &[&new]), &[&log]);
    log.push(labelled(&old, LABEL, 3));
    world.step(&trust(b"two", &[&new]), &[&log]);
    // Entry 0 was judged before the new key was named, entry 2 by a key that is in the root no more.
    assert_eq!(world.index.places(&label(LABEL)), [(LOG, 1), (LOG, 2)]);
    let trusts = vec![trust(b"one", &[&old]), trust(b"two", &[&new])];
    let source = MemorySource { logs: vec![log], trusts };
    assert!(reexecute(world.output.iter().map(Vec::as_slice), &source).is_ok());
}

#[test]
fn several_logs_are_one_map() {
    let ca = Ca::new(1);
    let (mut a, mut b, mut world) = (MemoryLog::new("a.example"), MemoryLog::new("b.example"), World::new());
    b.push(labelled(&ca, LABEL, 1));
    world.step(&root(), &[&b]);
    a.push(labelled(&ca, LABEL, 2));
    b.push(labelled(&ca, LABEL, 3));
    let leaf = world.step(&root(), &[&b, &a]);
    let places = world.index.places(&label(LABEL));
    assert_eq!(places, [("b.example", 0), ("a.example", 0), ("b.example", 1)]);
    assert_eq!(leaf.inputs.iter().map(|input| input.size).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn leaves_have_one_encoding() {
    let (world, _) = world();
    let good = &world.output[1];
    assert_eq!(OutputLeaf::from_bytes(good).unwrap().to_bytes(), *good);
    for at in 0..good.len() {
        assert!(OutputLeaf::from_bytes(&good[..at]).is_err());
    }
    let changed = |from_end: usize, value: u8| {
        let mut bad = good.clone();
        let at = bad.len() - from_end;
        bad[at] = value;
        OutputLeaf::from_bytes(&bad).unwrap_err()
    };
    assert_eq!(changed(1, 1), OutputError::NotServed("a private-query database"));
    assert_eq!(changed(2, 1), OutputError::NotServed("a list of stable labels"));
    assert_eq!(changed(3, 1), OutputError::NotServed("epoch lists"));
    assert_eq!(changed(1, 2), OutputError::Malformed);
    let mut rule = good.clone();
    rule[23] = 1;
    assert_eq!(OutputLeaf::from_bytes(&rule), Err(OutputError::RuleVersion(1)));
    let mut long = good.clone();
    long.push(0);
    assert_eq!(OutputLeaf::from_bytes(&long), Err(OutputError::Malformed));
    let mut leaf = OutputLeaf::from_bytes(good).unwrap();
    leaf.inputs.push(leaf.inputs[0].clone());
    assert_eq!(OutputLeaf::from_bytes(&leaf.to_bytes()), Err(OutputError::Malformed));
}
