//! The leaves by which duplicates are told, of an order or in a folder, when somebody else has changed them: whatever goes
//! wrong when they are made anew, they are the tree's in the end.

use std::sync::Arc;

use super::client::Run;
use super::disk::Fault;
use super::lead::{send, told};
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, FAULTS, REMOTE_FAULTS, is_death};
use crate::engine::AppendError;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::engine::sequencer::Sequencer;
use crate::store::bucket::Bucket as _;
use crate::store::disk::{Disk as _, Open};
use crate::store::shared::Connect as _;
use crate::tile::{TileKind, TilePath};

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

/// A tile of leaves has a bit turned: one that a full tile above covers, or one that only what is published does.
#[test]
fn of_a_damaged_tile_no_leaves_are_made_anew() {
    const ENTRIES: u64 = 256 * 257 + 1;
    let (order, bucket) = (MemoryOrder::default(), MemoryBucket::default());
    let place = Place::memory().sharing(Arc::new(order.clone()), Some(Arc::new(bucket.clone()) as Arc<_>));
    let run = Run::new(&place);
    let mut front_end = <FrontEnd as Engine>::open(run.config()).unwrap();
    for from in (0..ENTRIES).step_by(256) {
        assert_eq!(send(&mut front_end, from..ENTRIES.min(from + 256)), None);
    }
    drop(front_end);
    order.alter_leaves();
    for (number, reason) in [(3, "log-unreadable"), (256, "log-published-differs")] {
        let name = TilePath::in_tree(TileKind::Hashes(0), number, ENTRIES).unwrap().to_string();
        let (whole, _) = bucket.get(&name).unwrap().unwrap();
        let mut damaged = whole.clone();
        damaged[40] ^= 1;
        bucket.overwrite(&name, &damaged).unwrap();
        let refused = <FrontEnd as Engine>::open(run.config()).map(drop).unwrap_err();
        assert_eq!((refused.reason(), order.is_altered()), (reason, true), "{refused}");
        bucket.overwrite(&name, &whole).unwrap();
    }
    drop(<FrontEnd as Engine>::open(run.config()).unwrap());
    assert!(!order.is_altered());
}

/// A log in a folder, of whose file of leaves pages are zeros.
fn damaged(pages: impl Iterator<Item = u64>) -> (Place, Run, Sequencer) {
    let place = Place::memory();
    let run = Run::new(&place);
    let mut log = Sequencer::open(run.config()).unwrap();
    assert_eq!(send(&mut log, 0..BODIES), None);
    let path = run.config().folder.join("known/0");
    let file = place.memory.clone().unwrap().open(&path, Open::Existing).unwrap();
    for page in pages {
        file.write_at(&[0; 512], 512 * page).unwrap();
    }
    (place, run, log)
}

/// Pages of a file of 256 leaves, behind its head.
const PAGES: std::ops::RangeInclusive<u64> = 1..=6;

#[test]
fn a_file_that_is_damaged_under_a_running_log_is_made_anew() {
    let (_place, run, mut log) = damaged(PAGES);
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

/// Of a batch whoever comes before the first that cannot be told is taken, and nobody behind it.
#[test]
fn nobody_overtakes_what_may_be_a_duplicate() {
    for page in PAGES {
        let (_place, _run, mut log) = damaged(page..page + 1);
        let sent = BODIES..BODIES + 60;
        let told = told(&mut log, sent.clone());
        let taken = told.iter().take_while(|told| told.is_none()).count();
        assert!(told[taken..].iter().all(|told| *told == Some(AppendError::Unavailable)), "{told:?}");
        assert!(taken < told.len(), "one in six has its home in this page");
        assert_eq!(log.tree.size(), BODIES + taken as u64);
        log.tend();
        for (body, taken) in sent.zip(told.iter().map(Option::is_none)) {
            let expected = taken.then_some(AppendError::Duplicate(body));
            assert_eq!(send(&mut log, body..body + 1), expected);
        }
    }
}

#[test]
fn whatever_goes_wrong_when_a_file_is_made_anew_it_is_the_trees_in_the_end() {
    for (_, fault) in FAULTS {
        let made_anew = |call: u64| {
            let (place, mut run, mut log) = damaged(PAGES);
            assert_eq!(send(&mut log, 7..8), Some(AppendError::Unavailable));
            let before = place.plan.calls();
            place.plan.arm(fault, call, is_death(fault));
            let healed = log.heal();
            let reached = place.plan.calls() - before > call;
            place.plan.disarm();
            if healed.is_err() && !is_death(fault) {
                // What has to be made anew is not forgotten meanwhile.
                log.heal().unwrap();
                assert_eq!(send(&mut log, 7..8), Some(AppendError::Duplicate(7)), "{fault:?} at {call}");
            }
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
