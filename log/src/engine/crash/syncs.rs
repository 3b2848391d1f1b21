//! The suite is worth what it finds: an engine that leaves out one sync must be caught by it.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::certificates::Certificates;
use super::client::Run;
use super::disk::{Fault, Faulty, Plan, Survival};
use super::place::Place;
use super::witness::remembers;
use super::{Case, Restart, calls, one};
use crate::engine::command::Draft;
use crate::engine::run::Writer as _;
use crate::engine::sequencer::Sequencer;
use crate::engine::{Config, common, freeze};
use crate::store::disk::Posix;
use crate::store::files::Files;

const RESTARTS: [Restart; 3] =
    [Restart::Process, Restart::Power(Survival::Nothing), Restart::Power(Survival::Drawn(1))];

/// Whether some run that dies at one of its calls is told from a sound one.
fn some_fails(calls: u64, run: impl Fn(Case) -> Result<usize, String>) -> bool {
    (0..calls).any(|call| {
        let case = |restart| Case { call, fault: Fault::Death, lasting: true, restart };
        RESTARTS.into_iter().any(|restart| run(case(restart)).is_err())
    })
}

fn is_caught(new: impl Fn() -> Place) -> bool {
    some_fails(calls::<Sequencer>(&new()), |case| one::<Sequencer>(&new(), case))
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
    assert!(is_caught(|| Place::forgetful(|path| named(path, "checkpoint"), |_| false)), "a checkpoint");
}

fn named(path: &Path, part: &str) -> bool {
    path.to_string_lossy().contains(part)
}

#[test]
fn what_is_kept_beside_a_batch_is_made_durable_together() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Arc::new(Plan::default());
    let files = Files::new(Arc::new(Faulty::new(Arc::new(Posix), Arc::clone(&plan), None)));
    let mut log = Sequencer::open(Config { files, ..common::config(folder.path()) }).unwrap();
    plan.trace();
    let kept = |number: u8| (Draft::fixed(vec![number], vec![number; 9]), oneshot::channel().0);
    log.process((0..40).map(kept).collect());
    let calls = plan.traced();
    let beside = log.config.folder.join("sealed");
    // At which of them each of these calls was.
    let at = |what: &str, end: &str| -> Vec<usize> {
        let begins = format!("{what} {}{end}", beside.display());
        calls.iter().enumerate().filter(|(_, call)| call.starts_with(&begins)).map(|(at, _)| at).collect()
    };
    assert_eq!((at("rename", "/").len(), at("sync_folder", "").len()), (40, 1));
    // All are written before the first is waited for.
    assert!(at("write", "/").last() < at("sync", "/").first());
}

/// A log that is frozen, and whose machine then loses its power.
fn stays_frozen(place: &Place) -> bool {
    let mut run = Run::new(place);
    let mut log = Sequencer::open(run.config()).unwrap();
    run.send_next(&mut log).unwrap();
    log.freeze().unwrap();
    drop(log);
    if let Some(memory) = &place.memory {
        memory.lose_power(Survival::Nothing);
    }
    run.begin(place);
    let config = run.config();
    matches!(freeze::is_frozen(&config, &config.lock().unwrap()), Ok(Some(1)))
}

#[test]
fn an_engine_that_forgets_a_sync_when_it_freezes_is_caught() {
    let forgetting = |files, folders| stays_frozen(&Place::forgetful(files, folders));
    assert!(forgetting(|_| false, |_| false), "the test refuses a sound engine");
    assert!(!forgetting(|path| named(path, "frozen"), |_| false), "that it is frozen");
    assert!(!forgetting(|path| named(path, ".p/"), |_| false), "partial tiles");
    assert!(!forgetting(|_| false, |path| path.extension().is_some_and(|end| end == "p")), "their names");
    assert!(!forgetting(|_| false, |path| path.ends_with("log")), "names in the folder");
}

#[test]
fn a_witness_that_forgets_a_sync_is_caught() {
    // It ends at none of its calls: what it cosigned is durable, or nothing is.
    let forgetting = |files, folders| {
        remembers(&Place::forgetful(files, folders), Fault::Death, 1_000, Survival::Nothing).is_ok()
    };
    assert!(forgetting(|_| false, |_| false), "the test refuses a sound witness");
    assert!(!forgetting(|path| named(path, "witness/"), |_| false), "what it cosigned");
    assert!(!forgetting(|_| false, |path| path.ends_with("witness")), "the name of that");
    assert!(!forgetting(|_| false, |path| path.ends_with("store")), "its folder's name");
}

#[test]
fn a_certificate_log_that_forgets_a_sync_is_caught() {
    let prepared = Certificates::new();
    let caught = |files, folders| {
        let new = || prepared.place().forgetting(files, folders);
        some_fails(prepared.calls(&new()), |case| prepared.one(&new(), case))
    };
    assert!(!caught(|_| false, |_| false), "the suite refuses a sound log");
    assert!(caught(|path| named(path, "issuer/"), |_| false), "a certificate of a chain");
    assert!(caught(|_| false, |path| path.ends_with("issuer")), "names of those");
    assert!(caught(|path| named(path, "tile/data/"), |_| false), "a full bundle");
    assert!(caught(|path| path.ends_with("wal"), |_| false), "append");
    assert!(caught(|path| named(path, "checkpoint"), |_| false), "a checkpoint");
}
