//! Answers are complete: each link from a key to the signed checkpoints refuses alone, and no member can be bent.

use crate::common::*;
use crate::{LABEL, LOG, good, label, place, policy, redacted, refused, root, signers, state_of, world};
use serde_json::{Value, json};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::note::NoteSigner;
use sigveil_verifiable_search::answer::{Answer, AnswerError};
use sigveil_verifiable_search::list::PAGE;

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
