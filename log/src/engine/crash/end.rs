//! The end of a log of several front ends: once anybody was told that it is frozen it takes nothing, whoever asks, and all
//! that was acknowledged is published.

use std::sync::Arc;

use super::client::Run;
use super::disk::{Fault, Survival};
use super::lead::{Shared, send, unwitnessed};
use super::place::Place;
use super::{Engine, FAULTS, REMOTE_FAULTS, is_death};
use crate::engine::AppendError;
use crate::engine::freeze::FreezeError;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::tile::TileTree;

fn open(run: &Run) -> FrontEnd {
    <FrontEnd as Engine>::open(run.config()).unwrap()
}

/// A log is frozen, one of the calls of that goes wrong, and it is frozen again. Returns whether there was such a call.
fn frozen_at_last(place: &Place, fault: Fault, call: u64) -> bool {
    let mut run = Run::new(place);
    let mut front_end = open(&run);
    assert_eq!(send(&mut front_end, 0..10), None);
    let before = place.plan.calls();
    place.plan.arm(fault, call, is_death(fault));
    let frozen = front_end.freeze();
    let reached = place.plan.calls() - before > call;
    if is_death(fault) {
        drop(front_end);
        place.plan.disarm();
        run.begin(place);
        front_end = open(&run);
    } else {
        place.plan.disarm();
        if front_end.is_failed() {
            front_end.heal().unwrap();
        }
    }
    let told = send(&mut front_end, 10..11);
    assert!(matches!(told, None | Some(AppendError::Frozen)), "{told:?}");
    assert!(frozen.is_err() || told.is_some(), "taken after the end");
    let size = if told.is_none() { 11 } else { 10 };
    front_end.freeze().unwrap();
    assert_eq!(send(&mut front_end, 11..12), Some(AppendError::Frozen));
    drop(front_end);
    place.late.deliver_all();
    if let Some(memory) = &place.memory {
        memory.lose_power(Survival::Nothing);
    }
    run.begin(place);
    // Who reads it now has neither an order nor a front end.
    let reader = run.config().reader();
    assert_eq!(reader.entries(&TileTree::new(reader.clone(), size), 0, size).unwrap().len() as u64, size);
    let mut front_end = open(&run);
    assert_eq!(front_end.is_frozen().unwrap(), Some(size));
    assert_eq!(send(&mut front_end, 12..13), Some(AppendError::Frozen));
    run.check().unwrap();
    reached
}

#[test]
fn whatever_goes_wrong_when_it_is_frozen_it_is_so_in_the_end() {
    for (_, fault) in REMOTE_FAULTS {
        let calls = (0..).take_while(|call| frozen_at_last(&Place::bucket_and_order(), fault, *call)).count();
        assert!(calls > 1, "{fault:?}");
    }
    for (_, fault) in FAULTS {
        let calls = (0..).take_while(|call| frozen_at_last(&Place::memory_and_order(), fault, *call)).count();
        assert!(calls > 1, "{fault:?}");
    }
}

#[test]
fn whichever_front_end_ends_it_ends_it_for_all() {
    let run = Run::new(&Place::bucket_and_order());
    let [mut first, mut second] = [open(&run), open(&run)];
    assert_eq!(send(&mut first, 0..3), None);
    assert_eq!(first.is_frozen().unwrap(), None);
    second.freeze().unwrap();
    for front_end in [&mut first, &mut second] {
        assert_eq!(send(front_end, 3..4), Some(AppendError::Frozen));
        assert_eq!(front_end.is_frozen().unwrap(), Some(3));
        front_end.freeze().unwrap();
    }
    // Nothing of it keeps the turn.
    assert_eq!(open(&run).is_frozen().unwrap(), Some(3));
}

/// Whoever opens a log that another has ended keeps the last tiles.
#[test]
fn what_is_opened_when_it_has_ended_is_whole_without_its_order() {
    let place = Place::memory_and_order();
    let mut run = Run::new(&place);
    let [mut first, mut second] = [open(&run), open(&run)];
    assert_eq!(send(&mut first, 0..3), None);
    assert!(first.leads() && !second.leads());
    second.freeze().unwrap();
    drop((first, second));
    assert_eq!(open(&run).is_frozen().unwrap(), Some(3));
    if let Some(memory) = &place.memory {
        memory.lose_power(Survival::Nothing);
    }
    run.begin(&place);
    let reader = run.config().reader();
    assert_eq!(reader.entries(&TileTree::new(reader.clone(), 3), 0, 3).unwrap().len(), 3);
}

#[test]
fn it_takes_nothing_more_while_the_last_checkpoint_is_not_witnessed_and_is_not_called_frozen() {
    let shared = Shared::new();
    let mut front_end = shared.open(unwitnessed(&shared, &Arc::default()));
    assert_eq!(send(&mut front_end, 0..3), Some(AppendError::Unwitnessed));
    assert!(matches!(front_end.freeze(), Err(FreezeError::Unwitnessed)));
    assert_eq!(send(&mut front_end, 3..4), Some(AppendError::Frozen));
    assert_eq!(front_end.is_frozen().unwrap(), None);
    drop(front_end);
    let mut front_end = shared.open(shared.by(&shared.bucket));
    assert_eq!(front_end.is_frozen().unwrap(), Some(3));
    front_end.freeze().unwrap();
}
