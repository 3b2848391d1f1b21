//! The leaves by which an order tells duplicates, when somebody else has changed them: whatever goes wrong when they are made
//! anew, they are the tree's in the end.

use std::sync::Arc;

use super::client::Run;
use super::disk::Fault;
use super::lead::send;
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, REMOTE_FAULTS, is_death};
use crate::engine::AppendError;
use crate::engine::front_end::FrontEnd;
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
