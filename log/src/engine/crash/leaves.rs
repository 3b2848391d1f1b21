//! The leaves by which duplicates are told, of an order or in a folder, when somebody else has changed them: whatever goes
//! wrong when they are made anew, they are the tree's in the end.

use std::sync::Arc;

use super::client::Run;
use super::disk::Fault;
use super::lead::send;
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, FAULTS, REMOTE_FAULTS, is_death};
use crate::engine::AppendError;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::engine::sequencer::Sequencer;
use crate::store::disk::{Disk as _, Open};
use crate::store::shared::Connect as _;

/// One full tile, and some that the order still has.
const BODIES: u64 = 300;

/// A start goes wrong at one of its calls, and another does not. Returns whether there was such a call.
fn made_anew(fault: Fault, call: u64) -> bool {
    let order = MemoryOrder::default();
    let place =
        Place::memory().sharing(Arc::new(order.clone()), Some(Arc::new(MemoryBucket::default()) as Arc<_>));
    let mut run = Run::new(&place);
    let mut front_end = <FrontEnd as Engine>::open(run.config()).unwrap();
    assert_eq!(send(&mut front_end, 0..BODIES), None);
    drop(front_end);
    order.alter_leaves();
    let before = place.plan.calls();
    place.plan.arm(fault, call, is_death(fault));
    let started = <FrontEnd as Engine>::open(run.config());
    let reached = place.plan.calls() - before > call;
    place.plan.disarm();
    drop(started);
    place.late.deliver_all();
    run.begin(&place);
    let mut front_end = <FrontEnd as Engine>::open(run.config()).unwrap();
    for body in 0..BODIES {
        let told = send(&mut front_end, body..body + 1);
        assert_eq!(told, Some(AppendError::Duplicate(body)), "{fault:?} at {call}");
    }
    reached
}

#[test]
fn whatever_goes_wrong_when_leaves_are_made_anew_they_are_the_trees_in_the_end() {
    for (_, fault) in REMOTE_FAULTS {
        assert!((0..).take_while(|call| made_anew(fault, *call)).count() > 5, "{fault:?}");
    }
}

#[test]
fn of_an_order_that_has_ended_they_are_left_alone() {
    let order = MemoryOrder::default();
    let place =
        Place::memory().sharing(Arc::new(order.clone()), Some(Arc::new(MemoryBucket::default()) as Arc<_>));
    let run = Run::new(&place);
    let mut front_end = <FrontEnd as Engine>::open(run.config()).unwrap();
    assert_eq!(send(&mut front_end, 0..3), None);
    drop(front_end);
    order.connect("log").unwrap().end().unwrap();
    order.alter_leaves();
    drop(<FrontEnd as Engine>::open(run.config()).unwrap());
    assert!(order.is_altered());
}

/// A log in a folder, whose file of leaves is zeros behind its head.
fn damaged() -> (Place, Run, Sequencer) {
    let place = Place::memory();
    let run = Run::new(&place);
    let mut log = Sequencer::open(run.config()).unwrap();
    assert_eq!(send(&mut log, 0..BODIES), None);
    let path = run.config().folder.join("known/0");
    let memory = place.memory.clone().unwrap();
    let length = memory.read(&path).unwrap().len();
    let file = memory.open(&path, Open::Existing).unwrap();
    file.write_at(&vec![0; length - 512], 512).unwrap();
    (place, run, log)
}

#[test]
fn a_file_that_is_damaged_under_a_running_log_is_made_anew() {
    let (_place, run, mut log) = damaged();
    // It may be a duplicate, and so may whatever comes until the folder is opened again.
    assert_eq!(send(&mut log, 7..8), Some(AppendError::Unavailable));
    assert_eq!(send(&mut log, BODIES..BODIES + 1), Some(AppendError::Unavailable));
    log.tend();
    assert_eq!(send(&mut log, 7..8), Some(AppendError::Duplicate(7)));
    assert_eq!(send(&mut log, BODIES..BODIES + 1), None);
    drop(log);
    let mut log = Sequencer::open(run.config()).unwrap();
    assert_eq!(send(&mut log, 7..8), Some(AppendError::Duplicate(7)));
}

#[test]
fn whatever_goes_wrong_when_a_file_is_made_anew_it_is_the_trees_in_the_end() {
    for (_, fault) in FAULTS {
        let made_anew = |call: u64| {
            let (place, mut run, mut log) = damaged();
            let before = place.plan.calls();
            place.plan.arm(fault, call, is_death(fault));
            let _ = log.heal();
            let reached = place.plan.calls() - before > call;
            place.plan.disarm();
            drop(log);
            run.begin(&place);
            let mut log = Sequencer::open(run.config()).unwrap();
            let told = send(&mut log, 7..8);
            if told == Some(AppendError::Unavailable) {
                // It ended before it came to the file, of which a start looks at the head alone.
                log.tend();
            }
            for body in 0..BODIES {
                let told = send(&mut log, body..body + 1);
                assert_eq!(told, Some(AppendError::Duplicate(body)), "{fault:?} at {call}");
            }
            reached
        };
        assert!((0..).take_while(|call| made_anew(*call)).count() > 5, "{fault:?}");
    }
}
