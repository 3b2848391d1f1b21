//! Answers, re-execution, coverage and monitors over small logs. In each refusal exactly one thing is wrong.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::*;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::entry::Stored;
use sigveil_log::hash::Hash;
use sigveil_log::note::NoteSigner;
use sigveil_verifiable_search::answer::{Answer, AnswerError, Place, Policy, Quorum, State};
use sigveil_verifiable_search::coverage::CoverageError;
use sigveil_verifiable_search::index::{IndexError, Step};
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::key_list::EntryKeys;
use sigveil_verifiable_search::list::{Growth, PAGE};
use sigveil_verifiable_search::monitor::{Alert, Event, Memory, check_entry, check_fresh, check_omissions};
use sigveil_verifiable_search::output::{OutputError, OutputLeaf};
use sigveil_verifiable_search::reexecute::{ReexecuteError, Replay, reexecute};
use sigveil_verifiable_search::rule::{SEALED_CLAIMS, Trust};

const LOG: &str = "log.example";
const LABEL: u8 = 7;

struct Keys {
    output: NoteSigner,
    log: NoteSigner,
    witness: NoteSigner,
    reexecutor: NoteSigner,
}

fn signers() -> Keys {
    Keys {
        output: signer("index.example", 1),
        log: signer(LOG, 2),
        witness: cosigner("witness.example", 3),
        reexecutor: cosigner("reexecutor.example", 4),
    }
}

fn policy() -> Policy {
    let keys = signers();
    let one = |key: &NoteSigner| Quorum { keys: vec![key.public().clone()], threshold: 1 };
    Policy {
        output: keys.output.public().clone(),
        witnesses: one(&keys.witness),
        reexecutors: one(&keys.reexecutor),
        inputs: vec![keys.log.public().clone()],
        authorities: (vec![SigningKey::from_bytes(&[9; 32]).verifying_key()], 1),
    }
}

fn state_of(world: &World, log: &MemoryLog) -> State {
    let keys = signers();
    let input = note(&log.checkpoint(), &[&keys.log, &keys.witness], NOW);
    world.state(&[&keys.output, &keys.witness, &keys.reexecutor], vec![input])
}

fn place(index: u64) -> Place {
    Place { log: LOG.to_owned(), index }
}

fn label(value: u8) -> MapKey {
    MapKey::label(&label_value(value))
}

fn root() -> Trust {
    trust(b"trust root", &[&Ca::new(1)])
}

/// Two entries under [`LABEL`], three under others; two steps.
fn world() -> (World, MemoryLog) {
    let (ca, mut log, mut world) = (Ca::new(1), MemoryLog::new(LOG), World::new());
    for (value, artifact) in [(1, 1), (LABEL, 2), (2, 3)] {
        log.push(labelled(&ca, value, artifact));
    }
    world.step(&root(), &[&log]);
    for (value, artifact) in [(LABEL, 4), (3, 5)] {
        log.push(labelled(&ca, value, artifact));
    }
    world.step(&root(), &[&log]);
    (world, log)
}

fn good() -> Answer {
    let (world, log) = world();
    world.index.answer(&label(LABEL), None, state_of(&world, &log))
}

fn refused(change: impl FnOnce(&mut Answer)) -> AnswerError {
    let mut answer = good();
    change(&mut answer);
    answer.verify(&label(LABEL), &policy()).unwrap_err()
}

#[test]
fn presence_with_the_complete_list_and_absence_verify() {
    let json = serde_json::to_vec(&good()).unwrap();
    let answer = Answer::from_json(&json).unwrap().verify(&label(LABEL), &policy()).unwrap();
    let places: Vec<_> = answer.entries().iter().map(|entry| entry.place.clone()).collect();
    assert_eq!(places, [place(1), place(3)]);
    assert!(answer.is_present() && answer.is_complete());
    assert_eq!(answer.state().inputs()[0].checkpoint().size, 5);

    let (world, log) = world();
    let absent = world.index.answer(&label(50), None, state_of(&world, &log));
    let absent = absent.verify(&label(50), &policy()).unwrap();
    assert!(!absent.is_present() && absent.is_complete());
}

#[test]
fn each_link_of_the_chain_refuses_alone() {
    let keys = signers();
    let (world, log) = world();
    let checkpoint = |signers: &[&NoteSigner]| note(&world.output_checkpoint(), signers, NOW);
    let input = |checkpoint: &Checkpoint, signers: &[&NoteSigner]| vec![note(checkpoint, signers, NOW)];

    let mut other = good();
    other.format.push('x');
    assert_eq!(
        Answer::from_json(&serde_json::to_vec(&other).unwrap()),
        Err(AnswerError::Malformed("format"))
    );
    assert_eq!(refused(|answer| answer.format.push('x')), AnswerError::Malformed("format"));
    assert_eq!(good().verify(&label(1), &policy()), Err(AnswerError::OtherKey));

    let unsigned = checkpoint(&[&keys.witness, &keys.reexecutor]);
    let unwitnessed = checkpoint(&[&keys.output, &keys.reexecutor]);
    for note in [unsigned, unwitnessed] {
        let error = refused(|answer| answer.state.checkpoint = note);
        assert_eq!(error.reason(), "search-output-checkpoint");
    }
    let error = refused(|answer| answer.state.checkpoint = checkpoint(&[&keys.output, &keys.witness]));
    assert_eq!(error.reason(), "search-not-reexecuted");
    assert_eq!(refused(|answer| answer.state.inclusion[0].0[0] ^= 1), AnswerError::LeafInclusion);
    // The first leaf, with its own good proof: only that it is not the last speaks against it.
    let first = refused(|answer| {
        use base64::Engine as _;
        answer.state.leaf = base64::engine::general_purpose::STANDARD.encode(&world.output[0]);
        answer.state.inclusion = audit_path(0, &world.output_leaves());
    });
    assert_eq!(first, AnswerError::LeafInclusion);

    let mut more = policy();
    more.inputs.push(signer("second.example", 5).public().clone());
    let uncovered = good().verify(&label(LABEL), &more);
    assert_eq!(uncovered, Err(AnswerError::LogNotCovered("second.example".to_owned())));

    let at = log.checkpoint();
    for note in [input(&at, &[&keys.witness]), input(&at, &[&keys.log])] {
        assert_eq!(
            refused(|answer| answer.state.inputs = note),
            AnswerError::InputCheckpoint(LOG.to_owned())
        );
    }
    let mut unknown = policy();
    unknown.inputs.clear();
    let error = good().verify(&label(LABEL), &unknown);
    assert_eq!(error, Err(AnswerError::InputCheckpoint(LOG.to_owned())));
    let smaller = input(&log.checkpoint_at(4), &[&keys.log, &keys.witness]);
    assert_eq!(refused(|answer| answer.state.inputs = smaller), AnswerError::InputMismatch(LOG.to_owned()));
    assert_eq!(refused(|a| a.state.inputs.clear()).reason(), "search-answer-malformed");
}

#[test]
fn neither_list_nor_absence_can_be_bent() {
    assert_eq!(refused(|answer| answer.list = None).reason(), "map-proof-wrong-kind");
    let drop_one = refused(|answer| {
        answer.list.as_mut().unwrap().pages[0].items.pop();
    });
    assert_eq!(drop_one, AnswerError::List);
    let count = refused(|answer| answer.list.as_mut().unwrap().count = 1);
    assert_eq!(count.reason(), "map-root-mismatch");
    let swapped = refused(|answer| answer.list.as_mut().unwrap().pages[0].items.swap(0, 1));
    assert_eq!(swapped, AnswerError::List);
    let twice = refused(|answer| {
        let pages = &mut answer.list.as_mut().unwrap().pages;
        pages.push(pages[0].clone());
    });
    assert_eq!(twice, AnswerError::List);
    assert_eq!(refused(|answer| answer.proof = "AQ==".to_owned()).reason(), "map-proof-malformed");
    // No page at all is a part of the list, and says so.
    let mut none = good();
    none.list.as_mut().unwrap().pages.clear();
    assert!(!none.verify(&label(LABEL), &policy()).unwrap().is_complete());
}

/// Every way in which one member at `path` can be altered: a character, a number, an element or a member more, less or
/// in another place, emptied, or of another type.
fn alterations(value: &Value) -> Vec<Value> {
    let mut altered = vec![json!({ "other": "type" })];
    match value {
        Value::String(text) => {
            let flip = |at: usize| {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                String::from_utf8(bytes).map(Value::String).ok()
            };
            altered.extend((0..text.len()).filter(|at| text.is_char_boundary(*at)).filter_map(flip));
            altered.extend([json!(""), json!(text[..text.len() - 1]), json!(format!("{text}A"))]);
        }
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            altered.extend(
                [number.wrapping_add(1), number ^ 1, number.wrapping_sub(1), u64::MAX].map(Value::from),
            );
            altered.push(json!(number.to_string()));
        }
        Value::Array(elements) => {
            for at in 0..elements.len() {
                let [mut less, mut twice] = [elements.clone(), elements.clone()];
                less.remove(at);
                twice.insert(at, elements[at].clone());
                altered.extend([less, twice].map(Value::Array));
                if at > 0 && elements[at] != elements[at - 1] {
                    let mut swapped = elements.clone();
                    swapped.swap(at - 1, at);
                    altered.push(Value::Array(swapped));
                }
            }
            let mut more = elements.clone();
            more.push(json!("A".repeat(43) + "="));
            altered.push(Value::Array(more));
            if !elements.is_empty() {
                altered.push(json!([]));
            }
        }
        Value::Object(members) => {
            for name in members.keys() {
                let mut less = members.clone();
                less.remove(name);
                altered.push(Value::Object(less));
            }
            let mut more = members.clone();
            more.insert("surplus".to_owned(), json!(1));
            altered.push(Value::Object(more));
        }
        Value::Null | Value::Bool(_) => panic!("there are none in an answer"),
    }
    altered
}

fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(elements) => {
            elements.iter().zip(0..).for_each(|(element, n)| paths(element, &format!("{at}/{n}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| paths(member, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

/// An answer in which no proof is empty: a part of a list, one of whose entries is redacted. What is left without a
/// refusal says less and claims no more: fewer pages are a part that calls itself one, and of tombstones left out a
/// monitor tells (protocol.md §9).
#[test]
fn every_member_of_an_answer_is_checked() {
    let (mut world, mut log, _) = redacted();
    for artifact in 0..PAGE {
        log.push(labelled(&Ca::new(1), LABEL, 20 + artifact as u8));
    }
    world.step(&root(), &[&log]);
    let answer = world.index.answer(&label(LABEL), Some(0..1), state_of(&world, &log));
    let good = serde_json::to_value(&answer).unwrap();
    let verify = |answer: &Value| {
        let answer = Answer::from_json(&serde_json::to_vec(answer).unwrap())?;
        answer.verify(&label(LABEL), &policy())
    };
    let verified = verify(&good).unwrap();
    assert!(!verified.is_complete() && verified.entries()[0].redaction.is_some());
    let mut all = Vec::new();
    paths(&good, "", &mut all);
    for proof in ["/list/pages/0/proof/0", "/state/inclusion/0", "/tombstones/0/inclusion/0"] {
        assert!(all.iter().any(|path| path == proof), "{proof} is there to be altered");
    }
    let mut count = 0;
    for path in &all {
        for altered in alterations(good.pointer(path).unwrap()) {
            let mut bad = good.clone();
            let without_tombstones = altered.get("tombstones").is_none();
            *bad.pointer_mut(path).unwrap() = altered.clone();
            let Ok(verified) = verify(&bad) else {
                count += 1;
                continue;
            };
            let says_less = match path.as_str() {
                "" => without_tombstones,
                "/tombstones" => altered == json!([]),
                "/list/pages" => altered == json!([]) && verified.entries().is_empty(),
                _ => false,
            };
            assert!(says_less && !verified.is_complete(), "{path} altered to {altered} is accepted");
        }
    }
    assert!(count > 3_000, "{count} alterations were refused");
}

#[test]
fn a_busy_key_is_served_in_pages() {
    let (ca, mut log, mut world) = (Ca::new(1), MemoryLog::new(LOG), World::new());
    for artifact in 0..3 * PAGE + 10 {
        log.push(labelled(&ca, LABEL, artifact as u8));
        if artifact % 100 == 99 {
            world.step(&root(), &[&log]);
        }
    }
    world.step(&root(), &[&log]);
    for (pages, count) in [(None, 3 * PAGE + 10), (Some(1..3), 2 * PAGE), (Some(3..4), 10), (Some(9..10), 0)]
    {
        let answer = world.index.answer(&label(LABEL), pages, state_of(&world, &log));
        let verified = answer.verify(&label(LABEL), &policy()).unwrap();
        assert_eq!(verified.entries().len() as u64, count);
        assert_eq!(verified.is_complete(), count == 3 * PAGE + 10);
    }
    let mut answer = world.index.answer(&label(LABEL), Some(1..2), state_of(&world, &log));
    answer.list.as_mut().unwrap().pages[0].first = 0;
    assert_eq!(answer.verify(&label(LABEL), &policy()), Err(AnswerError::List));
}

/// Entry 1 redacted by a record at 5, and the record indexed.
fn redacted() -> (World, MemoryLog, EntryKeys) {
    let (mut world, mut log) = world();
    let Stored::Body(body) = log.stored[1].clone() else { unreachable!("nothing is withheld yet") };
    let keys = world.index.entry_keys(LOG, 1, &body).unwrap();
    log.push(record(&log, 1, &keys, 9));
    world.step(&root(), &[&log]);
    log.withhold(1, 5);
    (world, log, keys)
}

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
        World::new().index.step(&Step { trust: root(), logs })
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
    // A fitting record that is not what stands in the log at its index.
    let mut absent = log.clone();
    let mut logs = vec![absent.entries(0, 6)];
    absent.push(labelled(&Ca::new(1), 1, 1));
    logs[0].entries[5] = absent.stored[6].clone();
    let refused = World::new().index.step(&Step { trust: root(), logs });
    assert_eq!(refused, Err(IndexError::Record { origin: LOG.to_owned(), index: 5 }));
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
    rule[23] = 2;
    assert_eq!(OutputLeaf::from_bytes(&rule), Err(OutputError::RuleVersion(2)));
    let mut long = good.clone();
    long.push(0);
    assert_eq!(OutputLeaf::from_bytes(&long), Err(OutputError::Malformed));
    let mut leaf = OutputLeaf::from_bytes(good).unwrap();
    leaf.inputs.push(leaf.inputs[0].clone());
    assert_eq!(OutputLeaf::from_bytes(&leaf.to_bytes()), Err(OutputError::Malformed));
}

#[test]
fn coverage_is_shown_for_indexed_entries_only() {
    let (world, log) = world();
    let proof = world.index.coverage(&place(1), state_of(&world, &log)).unwrap();
    let covered = proof.verify(&policy()).unwrap();
    let Stored::Body(body) = &log.stored[1] else { unreachable!("nothing is withheld") };
    let keys = world.index.entry_keys(LOG, 1, body).unwrap();
    assert_eq!((covered.leaf_hash(), covered.key_list_digest()), (log.leaves[1], keys.digest()));
    assert!(
        keys.keys().contains(&label(LABEL))
            && keys.keys().contains(&MapKey::new(KeyKind::AnyDigest, &[2; 32]))
    );
    assert!(world.index.coverage(&place(5), state_of(&world, &log)).is_none());

    let refused = |change: &dyn Fn(&mut sigveil_verifiable_search::coverage::CoverageProof)| {
        let mut bad = proof.clone();
        change(&mut bad);
        bad.verify(&policy()).unwrap_err()
    };
    assert_eq!(refused(&|p| p.place.index = 5), CoverageError::NotCovered);
    assert_eq!(refused(&|p| p.leaf_hash.0[0] ^= 1), CoverageError::EntryInclusion);
    assert_eq!(refused(&|p| p.key_list_digest.0[0] ^= 1), CoverageError::KeyList);
    let mut lax = policy();
    lax.reexecutors.threshold = 0;
    assert_eq!(proof.verify(&lax), Err(CoverageError::NoReexecutorDemanded));
    let keys = signers();
    let unconfirmed = note(&world.output_checkpoint(), &[&keys.output, &keys.witness], NOW);
    let error = refused(&|p| p.state.checkpoint.clone_from(&unconfirmed));
    assert_eq!(error.reason(), "search-not-reexecuted");
}

#[test]
fn a_monitor_reports_news_once_and_rewriting_always() {
    let (mut world, mut log) = world();
    let mut memory = Memory::default();
    let answer = |world: &World, log: &MemoryLog| {
        world
            .index
            .answer(&label(LABEL), None, state_of(world, log))
            .verify(&label(LABEL), &policy())
            .unwrap()
    };
    let nothing = Growth { consistency: Vec::new() };
    let first = answer(&world, &log);
    assert_eq!(memory.see_answer(&first, &nothing).events.len(), 2);
    assert_eq!(memory.see_answer(&first, &nothing), Default::default());

    log.push(labelled(&Ca::new(1), LABEL, 6));
    world.step(&root(), &[&log]);
    let second = answer(&world, &log);
    let growth = world.index.growth(&label(LABEL), 2).unwrap();
    let report = memory.clone().see_answer(&second, &growth);
    assert_eq!(report.events, [Event::Signed { key: label(LABEL), place: place(5) }]);
    // Another history of the same key.
    let bent = Growth { consistency: vec![Hash([0; 32]); growth.consistency.len()] };
    assert_eq!(memory.see_answer(&second, &bent).alerts, [Alert::ListRewritten(label(LABEL))]);
    assert!(world.index.growth(&label(LABEL), 4).is_err());

    assert_eq!(check_fresh(&second, 1, NOW + 86_400, 86_400), Ok(()));
    assert_eq!(check_fresh(&second, 1, NOW + 86_401, 86_400), Err(Alert::Stale));
    assert_eq!(check_fresh(&second, 2, NOW, 86_400), Err(Alert::Stale));
    let omitted = check_omissions(&second, &[place(3), place(2), place(6)]);
    assert_eq!(omitted, [Alert::OmittedEntry { key: label(LABEL), place: place(2) }]);
}

#[test]
fn a_monitor_sees_a_forked_or_shrunk_log() {
    let (_, log) = world();
    let mut memory = Memory::default();
    assert_eq!(memory.see_checkpoint(&log.checkpoint_at(4), &[]), Ok(()));
    assert_eq!(memory.see_checkpoint(&log.checkpoint_at(3), &[]), Err(Alert::LogShrank(LOG.to_owned())));
    let proof = [log.leaves[4]];
    assert_eq!(memory.clone().see_checkpoint(&log.checkpoint(), &proof), Ok(()));
    let mut forked = log.clone();
    forked.leaves[0] = forked.leaves[1];
    let fork = Err(Alert::LogFork(LOG.to_owned()));
    assert_eq!(memory.see_checkpoint(&forked.checkpoint(), &proof), fork);
    assert_eq!(memory.see_checkpoint(&forked.checkpoint_at(4), &[]), fork);
}

#[test]
fn a_monitor_compares_entries_with_what_is_served() {
    let (world, log, _) = redacted();
    let answer = world.index.answer(&label(LABEL), None, state_of(&world, &log));
    let answer = answer.verify(&label(LABEL), &policy()).unwrap();
    let (gone, there) = (&answer.entries()[0], &answer.entries()[1]);
    let (tombstone, body) = (&log.stored[1], &log.stored[3]);
    let trust = root();
    let check = |found, served| check_entry(&label(LABEL), found, served, trust.ca_keys());
    assert_eq!(check(gone, Some(tombstone)), None);
    assert_eq!(check(there, Some(body)), None);
    assert_eq!(check(there, None), Some(Alert::NotServed(place(3))));
    assert_eq!(check(there, Some(tombstone)), Some(Alert::WithheldWithoutRecord(place(3))));
    assert_eq!(check(gone, Some(body)), Some(Alert::RedactedContentServed(place(1))));
    let wrong = Some(Alert::WrongEntry { key: label(LABEL), place: place(3) });
    assert_eq!(check(there, Some(&log.stored[0])), wrong);
}

#[test]
fn a_monitor_goes_on_from_what_it_has_kept_and_from_nothing_else() {
    let (world, log, _) = redacted();
    let answer = world.index.answer(&label(LABEL), None, state_of(&world, &log));
    let answer = answer.verify(&label(LABEL), &policy()).unwrap();
    let nothing = Growth { consistency: Vec::new() };
    let mut memory = Memory::default();
    memory.see_checkpoint(&log.checkpoint(), &[]).unwrap();
    assert_eq!(memory.see_answer(&answer, &nothing).events.len(), 3);
    let kept = memory.to_json();
    let mut read = Memory::from_json(&kept).unwrap();
    assert_eq!(read, memory);
    assert_eq!(read.see_answer(&answer, &nothing), Default::default());
    assert_eq!(Memory::from_json(&Memory::default().to_json()), Ok(Memory::default()));

    let text = String::from_utf8(kept).unwrap();
    let key = label(LABEL).to_string();
    let list = format!(r#"{{"key":"{key}","count":2"#);
    let double = |name: &str| {
        let mut json: Value = serde_json::from_str(&text).unwrap();
        let first = json[name][0].clone();
        json[name].as_array_mut().unwrap().push(first);
        json.to_string()
    };
    for bad in [
        text.replace("memory-v1", "memory-v2"),
        text.replacen('{', r#"{"more":0,"#, 1),
        text.replace(&list, &format!(r#"{{"key":"{key}","count":0"#)),
        text.replace(&key, &key.to_uppercase()),
        text.replace(&key, &key[2..]),
        double("logs"),
        double("lists"),
        double("redacted"),
        text[..text.len() - 1].to_owned(),
        String::new(),
    ] {
        assert_ne!(bad, text);
        assert_eq!(
            Memory::from_json(bad.as_bytes()).unwrap_err().reason(),
            "monitor-memory-malformed",
            "{bad}"
        );
    }
}
