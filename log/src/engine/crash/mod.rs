//! The crash suite: every call of the file system made to go wrong in turn, the process ended at it, the power lost
//! there, the disk filled there. After each: restart, and all that was acknowledged is there, once, in order, and no
//! witness was shown a fork; then the power fails once more, and it still is.
//!
//! `cargo test` draws a sample, from a seed that it prints and that `SIGVEIL_TEST_SEED` repeats. The whole, with the
//! table: `SIGVEIL_TEST_CRASHES=all cargo test --release -p sigveil-log --lib crash -- --nocapture`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod client;
pub(super) mod disk;
mod place;
mod witness;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::sequencer::Sequencer;
use client::{BODIES, Run};
use disk::{Fault, Survival};
use place::Place;

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
fn crash(place: &Place, run: &mut Run, case: Case) -> Result<Sequencer, String> {
    run.files = place.files();
    place.plan.arm(case.fault, case.call, case.lasting);
    if let Ok(mut log) = Sequencer::open(run.config()) {
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
            run.check()?;
            return Ok(log);
        }
    }
    place.plan.disarm();
    open(place, run, case.restart)
}

/// Starts again.
fn open(place: &Place, run: &mut Run, restart: Restart) -> Result<Sequencer, String> {
    if let (Some(memory), Restart::Power(survival)) = (&place.memory, restart) {
        memory.lose_power(survival);
    }
    run.files = place.files();
    let log = Sequencer::open(run.config()).map_err(|error| format!("refused to start: {error}"))?;
    run.check()?;
    Ok(log)
}

/// Sends the rest, and looks at what is left once the power was lost with all that was not synced.
fn finish(place: &Place, run: &mut Run, mut log: Sequencer) -> Result<(), String> {
    for _ in 0..2 {
        if run.send(&mut log)? {
            break;
        }
    }
    if run.acknowledged.len() != BODIES {
        let (refusal, forks) = (&run.refusal, run.witness.forks.lock().unwrap());
        return Err(format!("not everything is acknowledged without a fault: {refusal:?}, {forks:?}"));
    }
    run.check()?;
    drop(log);
    open(place, run, Restart::Power(Survival::Nothing)).map(drop)
}

fn one(place: &Place, case: Case) -> Result<usize, String> {
    let mut run = Run::new(place.files(), &place.folder);
    let log = crash(place, &mut run, case)?;
    let acknowledged = run.acknowledged.len();
    finish(place, &mut run, log)?;
    Ok(acknowledged)
}

/// Calls that a run without a fault makes.
fn calls(place: &Place) -> u64 {
    let mut run = Run::new(place.files(), &place.folder);
    let mut log = Sequencer::open(run.config()).unwrap();
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

fn all() -> bool {
    std::env::var("SIGVEIL_TEST_CRASHES").is_ok_and(|value| value == "all")
}

/// What became of the runs of one row of the table.
#[derive(Default)]
struct Outcomes {
    runs: usize,
    acknowledged: usize,
    lost: usize,
    forks: usize,
    refused: usize,
    first: Option<String>,
}

impl Outcomes {
    fn count(&mut self, case: Case, outcome: Result<usize, String>) {
        self.runs += 1;
        match outcome {
            Ok(acknowledged) => self.acknowledged += acknowledged,
            Err(error) => {
                match &error {
                    error if error.starts_with("fork") => self.forks += 1,
                    error if error.starts_with("refused to start") => self.refused += 1,
                    _ => self.lost += 1,
                }
                self.first.get_or_insert(format!("{case:?}: {error}"));
            }
        }
    }
}

/// Runs cases on a store, one in `every`, and prints the table.
fn suite(store: &str, new: impl Fn() -> Place, restarts: &[(&'static str, Restart)], every: u32, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let calls = calls(&new());
    let mut rows: BTreeMap<(usize, bool, usize), Outcomes> = BTreeMap::new();
    for (row, (_, fault)) in FAULTS.into_iter().enumerate() {
        for (column, (_, restart)) in restarts.iter().enumerate() {
            for lasting in [false, true] {
                if is_death(fault) && (!lasting || *restart == Restart::InPlace) {
                    continue;
                }
                let drawn = (0..calls).filter(|_| rng.next_u32().is_multiple_of(every)).collect::<Vec<_>>();
                for call in drawn {
                    let case = Case { call, fault, lasting, restart: *restart };
                    rows.entry((row, lasting, column)).or_default().count(case, one(&new(), case));
                }
            }
        }
    }
    println!("\n{store}: {calls} calls, one run in {every}");
    println!(
        "| {:21} | {:8} | {:24} | {:>5} | {:>7} | {:>4} | {:>5} | {:>7} |",
        "fault", "how long", "then", "runs", "acked", "lost", "forks", "refused"
    );
    for ((row, lasting, column), outcomes) in &rows {
        let long = if *lasting { "for ever" } else { "once" };
        let (fault, then) = (FAULTS[*row].0, restarts[*column].0);
        let Outcomes { runs, acknowledged, lost, forks, refused, .. } = outcomes;
        println!(
            "| {fault:21} | {long:8} | {then:24} | {runs:5} | {acknowledged:7} | {lost:4} | {forks:5} | {refused:7} |"
        );
    }
    let wrong: Vec<_> = rows.values().filter_map(|outcomes| outcomes.first.as_ref()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_call_goes_wrong_on_a_disk_that_loses_what_was_not_synced() {
    let seed = seed();
    let restarts = [
        ("opened anew in place", Restart::InPlace),
        ("process restarts", Restart::Process),
        ("power lost, all unsynced", Restart::Power(Survival::Nothing)),
        ("power lost, drawn", Restart::Power(Survival::Drawn(seed))),
        ("power lost, none unsynced", Restart::Power(Survival::Everything)),
    ];
    suite("POSIX model", Place::memory, &restarts, if all() { 1 } else { 10 }, seed);
}

#[test]
fn each_call_goes_wrong_in_a_real_folder() {
    let restarts = [("opened anew in place", Restart::InPlace), ("process restarts", Restart::Process)];
    suite("POSIX folder", Place::real, &restarts, if all() { 1 } else { 60 }, seed());
}

/// A fault, a restart that is itself interrupted, and so on, with the power lost now and then.
fn crash_after_crash(place: &Place, rng: &mut ChaCha20Rng, calls: u64) -> Result<(), String> {
    let mut run = Run::new(place.files(), &place.folder);
    for _ in 0..1 + rng.next_u32() % 6 {
        let (_, fault) = FAULTS[rng.next_u32() as usize % FAULTS.len()];
        let survival = match rng.next_u32() % 3 {
            0 => Survival::Nothing,
            _ => Survival::Drawn(rng.next_u64()),
        };
        let within = if rng.next_u32().is_multiple_of(2) { calls } else { calls / 8 };
        let call = rng.next_u64() % within;
        // Without checks in between: what is wrong must show in the end.
        run.files = place.files();
        place.plan.arm(fault, call, is_death(fault) || rng.next_u32().is_multiple_of(2));
        if let Ok(mut log) = Sequencer::open(run.config()) {
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
    let log = open(place, &mut run, Restart::Process)?;
    finish(place, &mut run, log)
}

#[test]
fn crash_after_crash_loses_nothing() {
    let seed = seed();
    let calls = calls(&Place::memory());
    for round in 0..if all() { 20_000 } else { 400 } {
        let mut rng = ChaCha20Rng::seed_from_u64(seed.wrapping_add(round));
        if let Err(error) = crash_after_crash(&Place::memory(), &mut rng, calls) {
            panic!("SIGVEIL_TEST_SEED={} round 0: {error}", seed.wrapping_add(round));
        }
    }
}

/// The suite is worth what it finds: an engine that leaves out one sync must be caught by it.
fn is_caught(new: impl Fn() -> Place) -> bool {
    let calls = calls(&new());
    let restarts = [Restart::Process, Restart::Power(Survival::Nothing), Restart::Power(Survival::Drawn(1))];
    (0..calls).any(|call| {
        restarts.iter().any(|restart| {
            let case = Case { call, fault: Fault::Death, lasting: true, restart: *restart };
            one(&new(), case).is_err()
        })
    })
}

#[test]
fn an_engine_that_forgets_one_sync_is_caught() {
    assert!(!is_caught(|| Place::forgetful(|_| false, |_| false)), "the suite refuses a sound engine");
    assert!(is_caught(|| Place::forgetful(|path| path.ends_with("wal"), |_| false)), "append");
    assert!(is_caught(|| Place::forgetful(|path| named(path, "wal."), |_| false)), "the trimmed log");
    assert!(is_caught(|| Place::forgetful(|path| named(path, "tile/0/"), |_| false)), "a full tile");
    assert!(is_caught(|| Place::forgetful(|path| named(path, "tile/entries/"), |_| false)), "a full bundle");
    assert!(is_caught(|| Place::forgetful(|path| named(path, "/sealed/"), |_| false)), "an attachment");
    assert!(is_caught(|| Place::forgetful(|_| false, |path| path.ends_with("log"))), "names in the folder");
    assert!(is_caught(|| Place::forgetful(|_| false, |path| path.ends_with("tile/0"))), "names of tiles");
    assert!(
        is_caught(|| Place::forgetful(|_| false, |path| path.ends_with("tile"))),
        "names of tiles' folders"
    );
    assert!(
        is_caught(|| Place::forgetful(|_| false, |path| path.ends_with("sealed"))),
        "names of attachments"
    );
}

fn named(path: &std::path::Path, part: &str) -> bool {
    path.to_string_lossy().contains(part)
}
