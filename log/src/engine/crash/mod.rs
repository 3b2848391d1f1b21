//! The crash suite: every call of the file system, of the object store and of the database made to go wrong in turn, the
//! process ended at it, the power lost there, the disk filled there. After each: restart, and all that was acknowledged is
//! there, once, in order, and no witness was shown a fork; then the power fails once more, and it still is.
//!
//! `cargo test` draws a sample, from a seed that it prints and that `SIGVEIL_TEST_SEED` repeats. The whole, with the
//! table: `SIGVEIL_TEST_CRASHES=all cargo test --release -p sigveil-log --lib crash -- --nocapture`.
//!
//! Over models the calls of a run follow from its case, since the engine is driven on the test's thread and does nothing by
//! the clock. Real time enters in three places: over real stores, whose puts are concurrent and whose sessions end when the
//! database notices; where a certificate log opens its folder anew by itself, after what went wrong; and in tests of leases
//! that run out (`lead`, `withhold`), which draw nothing.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod certificates;
mod client;
pub(super) mod disk;
mod end;
mod lead;
mod leaves;
mod place;
pub(super) mod remote;
mod suite;
mod syncs;
mod together;
mod withhold;
mod witness;

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::front_end::FrontEnd;
use super::run::Writer;
use super::sequencer::Sequencer;
use super::{Config, OpenError};
use client::{BODIES, Run};
use disk::{Fault, Survival};
use place::Place;
use suite::suite;

/// How the log goes on after what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// The same process, which opens the folder anew.
    InPlace,
    /// Another process on the same machine.
    Process,
    /// The machine lost power.
    Power(Survival),
}

const FAULTS: [(&str, Fault); 7] = [
    ("EIO", Fault::Io),
    ("EIO after it was done", Fault::IoLate),
    ("ENOSPC", Fault::Full),
    ("EINTR", Fault::Interrupted),
    ("short write", Fault::Short),
    ("death before the call", Fault::Death),
    ("death within the call", Fault::DeathWithin),
];

const REMOTE_FAULTS: [(&str, Fault); 6] = [
    ("failure", Fault::Io),
    ("answer lost", Fault::IoLate),
    ("delivered twice", Fault::Twice),
    ("delivered late", Fault::Delayed),
    ("death before the call", Fault::Death),
    ("death within the call", Fault::DeathWithin),
];

/// What writes a log.
trait Engine: Writer {
    fn open(config: Config) -> Result<Self, OpenError>;
    fn heal(&mut self) -> Result<(), OpenError>;
    /// Whether it publishes, and not another that it has to wait for.
    fn leads(&self) -> bool;
}

impl Engine for Sequencer {
    fn open(config: Config) -> Result<Self, OpenError> {
        Self::open(config)
    }

    fn heal(&mut self) -> Result<(), OpenError> {
        self.heal()
    }

    fn leads(&self) -> bool {
        true
    }
}

impl Engine for FrontEnd {
    fn open(config: Config) -> Result<Self, OpenError> {
        let shared = config.shared.clone().unwrap();
        Self::open(config, shared)
    }

    fn heal(&mut self) -> Result<(), OpenError> {
        self.heal()
    }

    fn leads(&self) -> bool {
        self.leads()
    }
}

/// Has it lead, where the order is a database that takes a moment to find out that the session before has ended, which until
/// then has the lease. Over a model it must do without.
fn lead(place: &Place, log: &mut impl Engine) -> Result<(), String> {
    let begun = Instant::now();
    while !place.session_lingers.is_zero() && !log.leads() {
        if begun.elapsed() > place.session_lingers {
            return Err("refused to start: another has the lease".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
        log.tend();
    }
    Ok(())
}

/// One thing that goes wrong: the call, how, whether from then on, and what comes after.
#[derive(Debug, Clone, Copy)]
struct Case {
    call: u64,
    fault: Fault,
    lasting: bool,
    restart: Restart,
}

fn is_death(fault: Fault) -> bool {
    matches!(fault, Fault::Death | Fault::DeathWithin)
}

/// Runs until the fault stops it, and restarts; the log is open and complete again, or `Err` says what is wrong.
fn crash<E: Engine>(place: &Place, run: &mut Run, case: Case) -> Result<E, String> {
    run.begin(place);
    place.plan.arm(case.fault, case.call, case.lasting);
    if let Ok(mut log) = E::open(run.config()) {
        // As the sequencer's thread does: open anew after a failure, and go on.
        for _ in 0..2 {
            if run.send(&mut log)? {
                break;
            }
            let _ = log.heal();
        }
        if case.restart == Restart::InPlace {
            place.plan.disarm();
            log.heal().map_err(|error| format!("refused to start: {error}"))?;
            lead(place, &mut log)?;
            run.check()?;
            return Ok(log);
        }
    }
    place.plan.disarm();
    open(place, run, case.restart)
}

/// Starts again.
fn open<E: Engine>(place: &Place, run: &mut Run, restart: Restart) -> Result<E, String> {
    if let (Some(memory), Restart::Power(survival)) = (&place.memory, restart) {
        memory.lose_power(survival);
    }
    run.begin(place);
    let mut log = E::open(run.config()).map_err(|error| format!("refused to start: {error}"))?;
    lead(place, &mut log)?;
    run.check()?;
    Ok(log)
}

/// Sends the rest, and looks at what is left once the power was lost with all that was not synced.
fn finish<E: Engine>(place: &Place, run: &mut Run, mut log: E) -> Result<(), String> {
    for _ in 0..2 {
        if run.send(&mut log)? {
            break;
        }
        // What was delivered late may have been a checkpoint.
        let _ = log.heal();
    }
    place.late.deliver_all();
    if run.acknowledged.len() != BODIES {
        let (refusal, forks) = (&run.refusal, run.witness.forks.lock().unwrap());
        return Err(format!("not everything is acknowledged without a fault: {refusal:?}, {forks:?}"));
    }
    run.check()?;
    drop(log);
    open::<E>(place, run, Restart::Power(Survival::Nothing)).map(drop)
}

fn one<E: Engine>(place: &Place, case: Case) -> Result<usize, String> {
    let mut run = Run::new(place);
    let log = crash::<E>(place, &mut run, case)?;
    let acknowledged = run.acknowledged.len();
    finish(place, &mut run, log)?;
    Ok(acknowledged)
}

/// Calls that a run without a fault makes.
fn calls<E: Engine>(place: &Place) -> u64 {
    let mut run = Run::new(place);
    let mut log = E::open(run.config()).unwrap();
    assert!(run.send(&mut log).unwrap());
    run.check().unwrap();
    place.plan.calls()
}

fn seed() -> u64 {
    let seed = std::env::var("SIGVEIL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand_core::OsRng.next_u64());
    println!("SIGVEIL_TEST_SEED={seed}");
    seed
}

/// What may come after a fault on a disk that loses what was not synced.
fn restarts(seed: u64) -> [(&'static str, Restart); 5] {
    [
        ("opened anew in place", Restart::InPlace),
        ("process restarts", Restart::Process),
        ("power lost, all unsynced", Restart::Power(Survival::Nothing)),
        ("power lost, drawn", Restart::Power(Survival::Drawn(seed))),
        ("power lost, none unsynced", Restart::Power(Survival::Everything)),
    ]
}

fn all() -> bool {
    std::env::var("SIGVEIL_TEST_CRASHES").is_ok_and(|value| value == "all")
}

#[test]
fn each_call_goes_wrong_on_a_disk_that_loses_what_was_not_synced() {
    let seed = seed();
    suite::<Sequencer>(
        "POSIX model",
        Place::memory,
        &FAULTS,
        &restarts(seed),
        if all() { 1 } else { 10 },
        seed,
    );
}

#[test]
fn each_call_goes_wrong_in_a_real_folder() {
    let restarts = [("opened anew in place", Restart::InPlace), ("process restarts", Restart::Process)];
    suite::<Sequencer>("POSIX folder", Place::real, &FAULTS, &restarts, if all() { 1 } else { 60 }, seed());
}

/// A fault, a restart that is itself interrupted, and so on, with the power lost now and then.
fn crash_after_crash<E: Engine>(
    place: &Place,
    faults: &[(&str, Fault)],
    rng: &mut ChaCha20Rng,
    calls: u64,
) -> Result<(), String> {
    let mut run = Run::new(place);
    for _ in 0..1 + rng.next_u32() % 6 {
        let (_, fault) = faults[rng.next_u32() as usize % faults.len()];
        let survival = match rng.next_u32() % 3 {
            0 => Survival::Nothing,
            _ => Survival::Drawn(rng.next_u64()),
        };
        let within = if rng.next_u32().is_multiple_of(2) { calls } else { calls / 8 };
        let call = rng.next_u64() % within;
        // Without checks in between: what is wrong must show in the end.
        run.begin(place);
        place.plan.arm(fault, call, is_death(fault) || rng.next_u32().is_multiple_of(2));
        if let Ok(mut log) = E::open(run.config()) {
            run.send(&mut log)?;
            if rng.next_u32().is_multiple_of(2) {
                let _ = log.heal();
                run.send(&mut log)?;
            }
        }
        place.plan.disarm();
        if let Some(memory) = place.memory.as_ref().filter(|_| rng.next_u32().is_multiple_of(2)) {
            memory.lose_power(survival);
        }
    }
    let log = open::<E>(place, &mut run, Restart::Process)?;
    finish(place, &mut run, log)
}

fn rounds<E: Engine>(new: impl Fn() -> Place, faults: &[(&str, Fault)], rounds: u64) {
    let seed = seed();
    let calls = calls::<E>(&new());
    for round in 0..rounds {
        let mut rng = ChaCha20Rng::seed_from_u64(seed.wrapping_add(round));
        if let Err(error) = crash_after_crash::<E>(&new(), faults, &mut rng, calls) {
            panic!("SIGVEIL_TEST_SEED={} round 0: {error}", seed.wrapping_add(round));
        }
    }
}

#[test]
fn crash_after_crash_loses_nothing() {
    rounds::<Sequencer>(Place::memory, &FAULTS, if all() { 20_000 } else { 400 });
}

#[test]
fn crash_after_crash_loses_nothing_of_what_is_shared() {
    let number = if all() { 5_000 } else { 100 };
    rounds::<FrontEnd>(Place::bucket_and_order, &REMOTE_FAULTS, number);
    rounds::<FrontEnd>(Place::memory_and_order, &FAULTS, number);
}

/// Remote calls, those to the order among them.
#[test]
fn each_call_goes_wrong_on_a_bucket_with_the_order_elsewhere() {
    let restarts = [("opened anew in place", Restart::InPlace), ("process restarts", Restart::Process)];
    let every = if all() { 1 } else { 5 };
    suite::<FrontEnd>("S3 model, order", Place::bucket_and_order, &REMOTE_FAULTS, &restarts, every, seed());
}

#[test]
fn each_call_goes_wrong_in_a_folder_with_the_order_elsewhere() {
    let seed = seed();
    let every = if all() { 1 } else { 20 };
    suite::<FrontEnd>(
        "POSIX model, order",
        Place::memory_and_order,
        &FAULTS,
        &restarts(seed)[..4],
        every,
        seed,
    );
}

/// The same over the real database, and the real object store.
#[cfg(all(feature = "postgres", feature = "s3"))]
#[test]
fn each_call_goes_wrong_over_real_stores() {
    use super::common::servers;
    use std::sync::Arc;

    let (Some(database), Some(objects)) = (servers::postgres(), servers::s3()) else { return };
    let order = |label: &str| Arc::new(servers::Labelled::new(&database.address(), label));
    let both = || {
        let label = servers::fresh();
        let bucket = Arc::new(servers::bucket(&objects.endpoint(), &label));
        Place::memory().over_database(order(&label), Some(bucket))
    };
    let folder = || Place::real().over_database(order(&servers::fresh()), None);
    let restarts = [("opened anew in place", Restart::InPlace), ("process restarts", Restart::Process)];
    let every = |sampled| if all() { 1 } else { sampled };
    suite::<FrontEnd>("S3, PostgreSQL", both, &REMOTE_FAULTS, &restarts, every(60), seed());
    suite::<FrontEnd>("POSIX folder, PostgreSQL", folder, &FAULTS, &restarts, every(120), seed());
}
