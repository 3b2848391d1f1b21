//! Who publishes what several front ends have ordered, when one of them cannot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Engine;
use super::client::Run;
use super::place::Place;
use super::remote::{FaultyBucket, Late, MemoryBucket, MemoryOrder};
use crate::engine::command::Draft;
use crate::engine::common::Outage;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer;
use crate::engine::sequencer::Sequencer;
use crate::engine::{AppendError, Config};
use crate::note::{NoteKey, NoteSignature};
use crate::store::bucket::{Bucket, Created, Replaced, Version};
use crate::store::{Objects, Standing};
use crate::witness::{AddCheckpoint, CosignError, Cosigner};

/// A log whose order and bucket are in memory.
pub(super) struct Shared {
    order: MemoryOrder,
    pub bucket: Arc<dyn Bucket>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { order: MemoryOrder::default(), bucket: Arc::new(MemoryBucket::default()) }
    }

    /// What a front end sees that reaches the bucket in its own way.
    pub(super) fn by(&self, bucket: &Arc<dyn Bucket>) -> Config {
        let order = Arc::new(self.order.clone());
        Run::new(&Place::memory().sharing(order, Some(Arc::clone(bucket)))).config()
    }

    pub(super) fn open(&self, config: Config) -> FrontEnd {
        <FrontEnd as Engine>::open(config).unwrap()
    }
}

/// What the senders of these bodies are told, who come in one batch.
pub(super) fn told(writer: &mut impl Writer, bodies: impl Iterator<Item = u64>) -> Vec<Option<AppendError>> {
    let (drafts, answers): (Vec<_>, Vec<_>) = bodies
        .map(|body| {
            let (answer, receiver) = oneshot::channel();
            ((Draft::fixed(body.to_be_bytes().to_vec(), Vec::new()), answer), receiver)
        })
        .unzip();
    writer.process(drafts);
    answers.into_iter().map(|mut answer| answer.try_recv().unwrap().err()).collect()
}

/// What they are told, if all are told the same.
pub(super) fn send(writer: &mut impl Writer, bodies: impl Iterator<Item = u64>) -> Option<AppendError> {
    let mut told = told(writer, bodies);
    told.dedup();
    let [told] = <[_; 1]>::try_from(told).unwrap();
    told
}

/// A bucket that can be out of reach.
#[derive(Debug)]
struct Reached(Arc<dyn Bucket>, AtomicBool);

impl Reached {
    fn ask(&self) -> io::Result<&dyn Bucket> {
        if self.1.load(Ordering::SeqCst) { Ok(self.0.as_ref()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

impl Bucket for Reached {
    fn name(&self) -> String {
        self.0.name()
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        self.ask()?.get(name)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        self.ask()?.create(name, bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8], replaced: &Version) -> io::Result<Replaced> {
        self.ask()?.replace(name, bytes, replaced)
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.ask()?.overwrite(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.ask()?.remove(name)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.ask()?.list(prefix)
    }
}

#[test]
fn one_that_cannot_publish_lets_others() {
    let shared = Shared::new();
    let reached = Arc::new(Reached(Arc::clone(&shared.bucket), AtomicBool::new(true)));
    let mut first = shared.open(shared.by(&(Arc::clone(&reached) as _)));
    assert_eq!(send(&mut first, 0..1), None);
    reached.1.store(false, Ordering::SeqCst);
    assert_eq!(send(&mut first, 1..2), Some(AppendError::Unavailable));
    // It tries again, and fails again.
    assert!(FrontEnd::heal(&mut first).is_err());
    let mut second = shared.open(shared.by(&shared.bucket));
    assert!(second.leads() && !first.leads());
    assert_eq!(send(&mut second, 2..3), None);
}

/// A store that keeps what it promises says so of nothing. Others do for ever, once they were killed.
#[test]
fn what_stands_there_and_cannot_be_read_is_put_there_again() {
    let bucket = MemoryBucket::default();
    let shared = Shared { bucket: Arc::new(bucket.clone()), ..Shared::new() };
    let mut first = shared.open(shared.by(&shared.bucket));
    let torn = ["tile/0/000.p/3", "tile/entries/000.p/3"];
    torn.iter().for_each(|name| bucket.tear(name));
    assert_eq!(send(&mut first, 0..3), None);
    for name in torn {
        assert!(bucket.get(name).unwrap().is_some(), "{name}");
    }
}

/// Put there without a condition, the first could come when later ones stand there.
#[test]
fn the_first_checkpoint_takes_no_place_that_is_said_to_be_taken() {
    let bucket = MemoryBucket::default();
    let shared = Shared { bucket: Arc::new(bucket.clone()), ..Shared::new() };
    bucket.tear("checkpoint");
    let opened = <FrontEnd as Engine>::open(shared.by(&shared.bucket));
    assert_eq!(opened.err().unwrap().reason(), "log-unavailable");
    assert_eq!(bucket.get("checkpoint").unwrap(), None);
    // By hand.
    bucket.remove("checkpoint").unwrap();
    assert_eq!(send(&mut shared.open(shared.by(&shared.bucket)), 0..3), None);
}

/// By another front end, or by an own request that was carried out twice.
#[test]
fn a_first_checkpoint_that_is_about_to_stand_there_is_waited_for() {
    for (there, published) in [("first", true), ("other", false)] {
        let (bucket, late) = (MemoryBucket::default(), Late::default());
        bucket.tear("checkpoint");
        let (plan, at_once) = (Arc::default(), 1);
        let faulty = FaultyBucket { bucket: Arc::new(bucket.clone()), plan, late: late.clone(), at_once };
        // It is asked to create it, and then whether it is there, for the third time after a moment.
        late.push(3, Box::new(move || bucket.overwrite("checkpoint", there.as_bytes()).unwrap()));
        let mut standing = Standing::default();
        let done = Objects::Bucket(Arc::new(faulty), false).publish(b"first", &mut standing);
        assert_eq!(done.is_ok(), published, "{done:?}");
    }
}

/// Nobody prolongs the lease while the end of the tree is read.
#[test]
fn who_begins_to_lead_has_time_for_it() {
    let shared = Shared::new();
    let mut config = shared.by(&shared.bucket);
    config.shared.iter_mut().for_each(|shared| shared.lease = Duration::from_millis(300));
    drop(shared.open(config));
    let [begins, leads] = <[_; 2]>::try_from(shared.order.leases()).unwrap();
    assert!(
        begins >= Duration::from_secs(60) && leads == Duration::from_millis(300),
        "{begins:?}, {leads:?}"
    );
}

/// What it has published is all it knows of, and nothing of what others ordered is left to read.
#[test]
fn one_that_was_overtaken_answers_nothing_by_an_old_checkpoint() {
    let shared = Shared::new();
    let mut first = shared.open(shared.by(&shared.bucket));
    assert_eq!(send(&mut first, 0..1), None);
    shared.order.expire();
    let mut second = shared.open(shared.by(&shared.bucket));
    // To the end of a tile: nothing of it stays in the order.
    assert_eq!(send(&mut second, 1..256), None);
    assert!(first.leads(), "it has not looked since");
    assert_eq!(send(&mut first, 200..201), Some(AppendError::Unavailable));
}

/// An entry is not acknowledged by a tree that has another in its place.
#[test]
fn nobody_acknowledges_by_an_order_that_was_rolled_back() {
    let shared = Shared::new();
    let [mut first, mut second] = [(); 2].map(|()| shared.open(shared.by(&shared.bucket)));
    (0..4).for_each(|body| assert_eq!(send(&mut first, body..body + 1), None));
    shared.order.roll_back(2);
    // It has not looked yet at what the other published.
    assert_eq!(send(&mut second, 10..11), Some(AppendError::Unavailable));
    // Now both know that more was published, and order nothing.
    let size = shared.order.size();
    assert!(size < 4);
    for front_end in [&mut first, &mut second] {
        assert_eq!(send(front_end, 11..12), Some(AppendError::Unavailable));
    }
    assert_eq!(shared.order.size(), size);
    drop((first, second));
    let opened = <FrontEnd as Engine>::open(shared.by(&shared.bucket));
    assert_eq!(opened.err().unwrap().reason(), "log-published-ahead");
}

#[test]
fn where_the_tiles_of_a_log_stand_none_begins_anew() {
    let shared = Shared::new();
    assert_eq!(send(&mut shared.open(shared.by(&shared.bucket)), 0..300), None);
    shared.bucket.remove("checkpoint").unwrap();
    let other = Shared { order: MemoryOrder::default(), bucket: Arc::clone(&shared.bucket) };
    let opened = <FrontEnd as Engine>::open(other.by(&shared.bucket));
    assert_eq!(opened.err().unwrap().reason(), "log-published-ahead");
    // With its order it goes on.
    assert_eq!(send(&mut shared.open(shared.by(&shared.bucket)), 300..301), None);
}

#[test]
fn one_that_does_not_lead_knows_from_the_start_what_is_published() {
    let shared = Shared::new();
    let mut first = shared.open(shared.by(&shared.bucket));
    assert_eq!(send(&mut first, 0..3), None);
    let mut second = shared.open(shared.by(&shared.bucket));
    second.measure();
    assert!(!second.leads());
    assert_eq!(second.metrics().published(), 3);
}

/// A witness that answers as it is told.
struct Told {
    key: NoteKey,
    hangs: Arc<AtomicBool>,
}

impl Cosigner for Told {
    fn key(&self) -> &NoteKey {
        &self.key
    }

    fn cosign(&self, _: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(CosignError::Other("down".to_owned()))
    }
}

/// Beside a witness that is down.
pub(super) fn unwitnessed(shared: &Shared, hangs: &Arc<AtomicBool>) -> Config {
    let config = shared.by(&shared.bucket);
    let key = config.witnesses[0].key().clone();
    Config { witnesses: vec![Arc::new(Told { key, hangs: Arc::clone(hangs) })], ..config }
}

/// Batches until no more is taken.
const FULL: u64 = 32;

/// Takes what is taken while there is no witness.
fn fill(writer: &mut impl Writer) {
    for batch in 0..FULL {
        let told = send(writer, batch * 2_048..(batch + 1) * 2_048);
        assert_eq!(told, Some(AppendError::Unwitnessed), "batch {batch}");
    }
    assert_eq!(send(writer, 70_000..70_001), Some(AppendError::Busy));
}

/// The same of a log that one writes, and of one that several do.
fn on_both(alone: impl Fn(Config), together: impl Fn(Config)) {
    alone(Run::new(&Place::memory()).config());
    let shared = Shared::new();
    together(shared.by(&shared.bucket));
}

/// What it is due to do has to be done between batches that are all refused.
fn goes_on_when_its_witness_is_back<W: Engine>(config: Config) {
    let outage = Outage::of(Arc::clone(&config.witnesses[0]), false);
    let mut writer = W::open(Config { witnesses: vec![outage.clone()], ..config }).unwrap();
    fill(&mut writer);
    outage.set(true);
    let due = writer.due().unwrap();
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
    assert_eq!(send(&mut writer, 70_000..70_001), Some(AppendError::Busy));
    assert_eq!(writer.due(), Some(due), "it does not recede while others ask");
    writer.tend();
    assert_eq!(send(&mut writer, 70_000..70_001), None);
}

#[test]
fn a_log_that_is_full_goes_on_when_its_witness_is_back() {
    on_both(goes_on_when_its_witness_is_back::<Sequencer>, goes_on_when_its_witness_is_back::<FrontEnd>);
}

/// That a checkpoint could not be renewed is no reason not to ask for the next.
fn asks_again_after_it_could_not_renew<W: Engine>(config: Config) {
    let outage = Outage::of(Arc::clone(&config.witnesses[0]), true);
    let (refresh, witness_retry) = (Duration::ZERO, Duration::from_secs(3600));
    let mut writer =
        W::open(Config { witnesses: vec![outage.clone()], refresh, witness_retry, ..config }).unwrap();
    assert_eq!(send(&mut writer, 0..1), None);
    outage.set(false);
    writer.tend();
    outage.set(true);
    assert_eq!(send(&mut writer, 1..2), None);
}

#[test]
fn what_could_not_be_renewed_stands_and_the_next_entry_is_taken() {
    on_both(
        asks_again_after_it_could_not_renew::<Sequencer>,
        asks_again_after_it_could_not_renew::<FrontEnd>,
    );
}

#[test]
fn a_checkpoint_is_renewed_where_its_signatures_have_times() {
    let config = || Run::new(&Place::memory()).config();
    assert!(<Sequencer as Engine>::open(config()).unwrap().due().is_some());
    let alone = Config { witnesses: Vec::new(), witness_threshold: 0, ..config() };
    assert_eq!(<Sequencer as Engine>::open(alone).unwrap().due(), None);
}

#[test]
fn nothing_more_is_ordered_than_the_next_leader_can_read() {
    let shared = Shared::new();
    let mut front_end = shared.open(unwitnessed(&shared, &Arc::default()));
    fill(&mut front_end);
    drop(front_end);
    // With its witness back all is published, and the log goes on behind it.
    let mut front_end = shared.open(shared.by(&shared.bucket));
    assert_eq!(send(&mut front_end, 0..1), Some(AppendError::Duplicate(0)));
    assert_eq!(send(&mut front_end, 70_000..70_001), None);
    assert_eq!(send(&mut front_end, 70_000..70_001), Some(AppendError::Duplicate(FULL * 2_048)));
}

#[test]
fn a_witness_that_never_answers_is_waited_for_within_the_lease() {
    let (shared, hangs) = (Shared::new(), Arc::new(AtomicBool::new(true)));
    let mut config = unwitnessed(&shared, &hangs);
    config.shared.as_mut().unwrap().lease = Duration::from_millis(300);
    let mut front_end = shared.open(config);
    assert_eq!(send(&mut front_end, 0..1), Some(AppendError::Unwitnessed));
    hangs.store(false, Ordering::SeqCst);
}
