//! Coverage of a bundle's entry, and what a monitor sees from one run to the next.

use crate::common::*;
use crate::{LABEL, LOG, label, place, policy, redacted, root, signers, state_of, world};
use serde_json::Value;
use sigveil_log::entry::Stored;
use sigveil_log::hash::Hash;
use sigveil_verifiable_search::coverage::CoverageError;
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::list::Growth;
use sigveil_verifiable_search::monitor::{Alert, Event, Memory, check_entry, check_fresh, check_omissions};

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
    // Without a proof between them, what can be told.
    assert_eq!(memory.compare(&log.checkpoint_at(3)), Err(Alert::LogShrank(LOG.to_owned())));
    assert_eq!(memory.compare(&forked.checkpoint_at(4)), fork);
    assert_eq!(memory.compare(&log.checkpoint_at(4)), Ok(()));
    assert_eq!(memory.compare(&log.checkpoint()), Ok(()));
    assert_eq!(Memory::default().compare(&log.checkpoint()), Ok(()));
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
