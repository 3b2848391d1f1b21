//! Withholding in a log of several front ends: whatever goes wrong, once it is done nothing of what was withheld is stored
//! anywhere, and the tree is what it was.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::client::Run;
use super::disk::Fault;
use super::lead::send;
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, FAULTS, REMOTE_FAULTS, is_death};
use crate::checkpoint::VerifiedCheckpoint;
use crate::engine::command::Draft;
use crate::engine::common::{self, Covered, contains};
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::engine::{Config, RedactError};
use crate::entry::{Entry, Stored, Withholding};
use crate::hash::Hash;
use crate::store::bucket::Bucket;
use crate::store::{Objects, Reader};
use crate::tile::TileTree;

/// So short that one that has lost it finds out within a test.
const LEASE: Duration = Duration::from_millis(300);

/// A log with a sealed entry at the front, others behind it, and a record that withholds it.
struct Prepared {
    place: Place,
    order: MemoryOrder,
    bucket: Option<Arc<dyn Bucket>>,
    run: Run,
    /// What is then nowhere to be found.
    gone: Vec<Vec<u8>>,
    leaf: Hash,
    record: u64,
}

impl Prepared {
    fn new(in_bucket: bool, others: u64, withheld: &Withholding) -> (Self, FrontEnd) {
        let order = MemoryOrder::default();
        let bucket = in_bucket.then(|| Arc::new(MemoryBucket::default()) as Arc<dyn Bucket>);
        let place = Place::real().sharing(Arc::new(order.clone()), bucket.clone());
        let run = Run::new(&place);
        let (entry, payload) = common::sealed(b"a value to be forgotten");
        let leaf = entry.leaf_hash();
        let gone = common::gone(&payload, withheld);
        let mut prepared = Self { place, order, bucket, run, gone, leaf, record: others + 1 };
        let mut front_end = prepared.open();
        append(&mut front_end, entry.body(), payload.to_bytes());
        assert_eq!(send(&mut front_end, 0..others), None);
        let record = common::record(0, leaf, withheld.clone());
        append(&mut front_end, Entry::Redaction(record).body(), Vec::new());
        assert!(prepared.holds());
        (prepared, front_end)
    }

    fn config(&self) -> Config {
        let mut config = Config { redaction: Some(common::redaction()), ..self.run.config() };
        config.shared.iter_mut().for_each(|shared| shared.lease = LEASE);
        config
    }

    /// A process that has just begun.
    fn open(&mut self) -> FrontEnd {
        self.run.begin(&self.place);
        <FrontEnd as Engine>::open(self.config()).unwrap()
    }

    fn redact(&self, front_end: &mut FrontEnd) -> Result<(), RedactError> {
        front_end.redact(self.record, &Covered(true)).map(|redacted| assert_eq!(redacted.record, self.record))
    }

    /// Has another take the lease at a call, withhold, and order so many entries; it is in what is given if it stays.
    fn overtake_at(&mut self, call: u64, others: u64, stays: bool) -> Arc<Mutex<Option<FrontEnd>>> {
        let (order, config, record) = (self.order.clone(), self.config(), self.record);
        let staying = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&staying);
        let overtake = move || {
            order.expire();
            let mut other = <FrontEnd as Engine>::open(config).unwrap();
            other.redact(record, &Covered(true)).unwrap();
            assert_eq!(send(&mut other, 2_000..2_000 + others), None);
            *slot.lock().unwrap() = Some(other).filter(|_| stays);
        };
        self.place.late.push(call, Box::new(overtake));
        staying
    }

    /// Whether anything of it is stored anywhere.
    fn holds(&self) -> bool {
        let mut all = [common::contents(&self.run.folder), self.order.records()].concat();
        if let Some(bucket) = &self.bucket {
            let names = bucket.list("").unwrap();
            all.extend(names.iter().flat_map(|name| bucket.get(name).unwrap().unwrap().0));
        }
        self.gone.iter().any(|gone| contains(&all, gone))
    }

    /// What readers find in its place; all of the tree can be read.
    fn stored(&self) -> Stored {
        let reader = Reader::on(self.config().objects());
        let log = common::log_signer().public().clone();
        let opened = VerifiedCheckpoint::open(&reader.checkpoint().unwrap(), &log, &[]).unwrap();
        let tree =
            TileTree::open(reader.clone(), opened.checkpoint().size, &opened.checkpoint().root).unwrap();
        let mut entries = reader.entries(&tree, 0, tree.size()).unwrap();
        assert_eq!(tree.leaf(0).unwrap(), self.leaf);
        entries.swap_remove(0)
    }
}

fn append(front_end: &mut FrontEnd, item: Vec<u8>, attachment: Vec<u8>) {
    let (answer, mut receiver) = oneshot::channel();
    front_end.process(vec![(Draft::fixed(item, attachment), answer)]);
    receiver.try_recv().unwrap().unwrap();
}

/// One call of a redaction goes wrong, and it is asked for again. Returns whether there was such a call.
fn withheld_at_last(in_bucket: bool, others: u64, withheld: &Withholding, fault: Fault, call: u64) -> bool {
    let (mut prepared, mut front_end) = Prepared::new(in_bucket, others, withheld);
    let before = prepared.place.plan.calls();
    prepared.place.plan.arm(fault, call, is_death(fault));
    let redacted = prepared.redact(&mut front_end);
    let reached = prepared.place.plan.calls() - before > call;
    assert!(redacted.is_err() || !prepared.holds(), "{fault:?} at {call}: it is said to be gone");
    if is_death(fault) {
        drop(front_end);
        prepared.place.plan.disarm();
        front_end = prepared.open();
    } else {
        prepared.place.plan.disarm();
        if front_end.is_failed() {
            front_end.heal().unwrap();
        }
    }
    prepared.place.late.deliver_all();
    // The log goes on, whatever became of it.
    assert_eq!(send(&mut front_end, 1_000..1_001), None, "{fault:?} at {call}");
    prepared.redact(&mut front_end).unwrap();
    assert!(!prepared.holds(), "{fault:?} at {call}");
    drop(front_end);
    let mut front_end = prepared.open();
    assert_eq!(send(&mut front_end, 1_001..1_400), None);
    assert!(!prepared.holds(), "{fault:?} at {call}, opened again");
    assert_eq!(matches!(prepared.stored(), Stored::Withheld(_)), *withheld == Withholding::WholeBody);
    reached
}

#[test]
fn whatever_goes_wrong_when_it_is_withheld_it_is_gone_in_the_end() {
    let cases =
        [(3, Withholding::WholeBody), (300, Withholding::WholeBody), (3, Withholding::Fields(vec![0]))];
    for (others, withheld) in &cases {
        for (in_bucket, faults) in [(true, &REMOTE_FAULTS[..]), (false, &FAULTS[..])] {
            // Of a full bundle, where most of the time goes into filling it, the last two: those that end the process.
            let faults = if *others > 3 { &faults[faults.len() - 2..] } else { faults };
            for (_, fault) in faults {
                let is_reached = |call: &u64| withheld_at_last(in_bucket, *others, withheld, *fault, *call);
                assert!((0..).take_while(is_reached).count() > 3, "{fault:?}");
            }
        }
    }
}

/// Who leads a folder for the first time does not know what it was completed from.
#[test]
fn what_an_older_copy_of_the_folder_brings_back_is_erased_again() {
    let (mut prepared, mut front_end) = Prepared::new(false, 3, &Withholding::WholeBody);
    let bundle = prepared.config().objects().locate("tile/entries/000.p/5");
    let old = std::fs::read(&bundle).unwrap();
    prepared.redact(&mut front_end).unwrap();
    drop(front_end);
    std::fs::write(&bundle, old).unwrap();
    assert!(prepared.holds());
    drop(prepared.open());
    assert!(!prepared.holds());
}

/// Who was overtaken may create what it has, long after: of what is kept beside an entry the name stays, and is taken.
#[test]
fn what_is_stored_late_finds_its_place_taken() {
    let (prepared, mut front_end) = Prepared::new(true, 3, &Withholding::WholeBody);
    let objects = prepared.config().objects();
    let kept = objects.read("sealed/0").unwrap().unwrap();
    prepared.redact(&mut front_end).unwrap();
    assert!(objects.ensure_durable("sealed/0", &kept).is_err());
    assert!(!prepared.holds());
    assert_eq!(Reader::on(objects).sealed(0).unwrap(), None);
}

/// A store that says that an object stands there and has none: what may have been withheld since is not put there.
#[test]
fn what_may_be_withheld_is_not_put_in_a_place_that_is_said_to_be_taken() {
    let bucket = MemoryBucket::default();
    let names = ["tile/0/000", "issuer/00", "tile/entries/000", "tile/entries/000.p/3", "sealed/7"];
    for (withholds, put) in [(true, 2), (false, 5)] {
        names.iter().for_each(|name| bucket.tear(name));
        let objects = Objects::Bucket(Arc::new(bucket.clone()), withholds);
        let done = names.iter().filter(|name| objects.ensure_durable(name, b"content").is_ok());
        assert_eq!(done.collect::<Vec<_>>(), names[..put].iter().collect::<Vec<_>>());
        assert!(names.iter().zip(0..).all(|(name, at)| bucket.get(name).unwrap().is_some() == (at < put)));
    }
}

/// The one that does not publish notes it, and the one that does erases it.
#[test]
fn whichever_front_end_is_asked_it_is_gone() {
    let (mut prepared, mut first) = Prepared::new(true, 3, &Withholding::WholeBody);
    let mut second = prepared.open();
    assert!(first.leads() && !second.leads());
    // Nobody else runs while this one waits.
    assert!(matches!(prepared.redact(&mut second), Err(RedactError::Unavailable)));
    assert!(prepared.holds());
    first.tend();
    assert!(!prepared.holds());
    prepared.redact(&mut second).unwrap();
    prepared.redact(&mut first).unwrap();
    drop(first);
    let mut third = prepared.open();
    assert_eq!(send(&mut third, 1_000..1_003), None);
    assert!(!prepared.holds());
}

/// Another takes the lease from one that hangs at any of its calls, withholds, and stays or ends; the one that hung wakes
/// up, and finds that others publish, or begins anew.
fn overtaken(call: u64, others: u64, stays: bool) -> bool {
    let (mut prepared, mut first) = Prepared::new(true, 3, &Withholding::WholeBody);
    let before = prepared.place.plan.calls();
    let staying = prepared.overtake_at(before + call, others, stays);
    let _ = send(&mut first, 1_000..1_001);
    let reached = prepared.place.plan.calls() - before > call;
    prepared.place.late.deliver_all();
    if stays {
        std::thread::sleep(LEASE / 3);
        first.tend();
    } else {
        first.heal().unwrap();
    }
    assert_eq!(first.leads(), !stays);
    assert!(!prepared.holds(), "overtaken at {call}");
    drop((first, staying.lock().unwrap().take()));
    let mut third = prepared.open();
    assert_eq!(send(&mut third, 3_000..3_400), None);
    assert!(!prepared.holds(), "overtaken at {call}, opened again");
    assert!(matches!(prepared.stored(), Stored::Withheld(_)));
    reached
}

/// As [`overtaken`], at any call while it begins to lead: it has stored nothing before.
fn overtaken_as_it_begins(call: u64, stays: bool) -> bool {
    let (mut prepared, first) = Prepared::new(true, 3, &Withholding::WholeBody);
    let mut second = prepared.open();
    drop(first);
    let before = prepared.place.plan.calls();
    let _staying = prepared.overtake_at(before + call, 2, stays);
    let _ = second.heal();
    let reached = prepared.place.plan.calls() - before > call;
    prepared.place.late.deliver_all();
    second.heal().unwrap();
    assert_eq!(second.leads(), !stays, "at {call}");
    assert!(!prepared.holds(), "overtaken at {call}");
    reached
}

#[test]
fn one_that_is_overtaken_as_it_begins_leaves_nothing_behind() {
    for stays in [false, true] {
        assert!((0..).take_while(|call| overtaken_as_it_begins(*call, stays)).count() > 5);
    }
}

#[test]
fn one_that_is_overtaken_leaves_nothing_behind() {
    // So that the bundle is still partial then, and so that it is full.
    for (others, stays) in [(2, false), (2, true), (300, false), (300, true)] {
        assert!((0..).take_while(|call| overtaken(*call, others, stays)).count() > 5);
    }
}
