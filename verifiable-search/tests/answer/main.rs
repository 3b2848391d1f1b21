//! Answers, re-execution, coverage and monitors over small logs. In each refusal exactly one thing is wrong.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../common/mod.rs"]
mod common;
mod complete;
mod monitors;
mod reexecution;

use common::*;
use ed25519_dalek::SigningKey;
use sigveil_log::entry::Stored;
use sigveil_log::note::NoteSigner;
use sigveil_verifiable_search::answer::{Answer, AnswerError, Place, Policy, Quorum, State};
use sigveil_verifiable_search::key::MapKey;
use sigveil_verifiable_search::key_list::EntryKeys;
use sigveil_verifiable_search::rule::Trust;

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
