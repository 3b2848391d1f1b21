//! A report from nothing: every suite in a process of its own, one after the other, then the page over what they left.
//!
//! A suite's outcome is a file that is whole or not there, and suites sign, log and growth keep their blocks as they are
//! finished: called again after a kill, it goes on where it stopped. Outcomes of another commit or workload lie in another
//! folder. A suite ends with the process that runs it, and stops its servers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::data;
use crate::machine;
use crate::suites::wrk::AGREEMENT;

/// A suite, with whom it is compared in a quick run and in any other.
struct Planned {
    suite: &'static str,
    quick: &'static str,
    full: &'static str,
    /// Whether it can go on after a kill.
    resumes: bool,
}

const PLAN: [Planned; 6] = [
    Planned { suite: "identity", quick: "", full: "", resumes: false },
    Planned { suite: "search", quick: "", full: "", resumes: false },
    Planned { suite: "prover", quick: "", full: "gnark,vega,snarkjs", resumes: false },
    Planned { suite: "sign", quick: "fulcio", full: "fulcio", resumes: true },
    Planned { suite: "log", quick: "rekor2,rekor1", full: "rekor2,rekor1,ct_server,s3pg", resumes: true },
    Planned { suite: "growth", quick: "rekor2,fulcio", full: "rekor2,rekor1,fulcio", resumes: true },
];
/// Exit status of what was interrupted.
const INTERRUPTED: i32 = 130;

impl Planned {
    /// With whom it is compared in a report of a workload.
    fn against(&self, workload: &str) -> &'static str {
        if workload == "quick" { self.quick } else { self.full }
    }
}

/// Suites of a whole report.
pub(super) fn suites() -> impl Iterator<Item = &'static str> {
    PLAN.iter().map(|planned| planned.suite)
}

/// Whom a whole report of an outcome's workload compares its suite with, and this outcome does not.
pub(super) fn not_compared(outcome: &data::Recorded) -> Vec<&'static str> {
    let Some(known) = &outcome.against else { return Vec::new() };
    let planned = PLAN.iter().find(|planned| planned.suite == outcome.suite);
    let all = planned.map_or("", |planned| planned.against(&outcome.workload)).split(',');
    all.filter(|one| !one.is_empty() && !known.iter().any(|other| other == one)).collect()
}

/// Where outcomes of this commit and workload lie.
pub(super) fn folder(workload: &str) -> PathBuf {
    Path::new("target").join("report").join(format!("{workload}-{}", machine::commit()))
}

/// Runs the suites whose outcomes are not there yet. Fails at the first that does, or that would be of another commit.
pub(super) fn all(folder: &Path, thoroughness: &[OsString], workload: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    outlive_interrupts()?;
    let (begun, commit) = (Instant::now(), machine::commit());
    for planned in &PLAN {
        let against = planned.against(workload);
        let outcome = folder.join(planned.suite).with_extension("json");
        if outcome.exists() {
            eprintln!("suite {} is there already", planned.suite);
            let left_out = data::read(&outcome)?.left_out;
            // What differs from wrk's is not to be measured until it does not.
            for missing in left_out.iter().filter(|missing| !missing.starts_with(AGREEMENT)) {
                let blocks = if planned.resumes { " and its .blocks" } else { "" };
                eprintln!("without: {missing}; delete {}{blocks} to have it measured", outcome.display());
            }
            continue;
        }
        let now = machine::commit();
        ensure!(now == commit, "the tree was {commit} and is {now}: a report is of one commit");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(planned.suite).arg(format!("--json={}", outcome.display())).args(thoroughness);
        command.arg(format!("--parent={}", std::process::id()));
        if !against.is_empty() {
            command.arg(format!("--against={against}"));
        }
        if planned.resumes {
            command.arg("--record").arg(folder.join(planned.suite).with_extension("blocks"));
        }
        let status = command.stdout(Stdio::null()).status()?;
        let kept =
            format!("what was finished is in {} and is used when this is called again", folder.display());
        if status.code() == Some(INTERRUPTED) {
            bail!("interrupted; {kept}");
        }
        ensure!(status.success(), "suite {} failed ({status}); {kept}", planned.suite);
        eprintln!("suite {} done, {:.0} s in", planned.suite, begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Has this process asked to end when its parent is gone, however that came.
pub(crate) fn end_with(parent: i32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have gone before.
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    ensure!(now == Some(parent), "the report that asked for this suite is gone");
    Ok(())
}

/// Ctrl-C goes to the suite as well, which stops its servers and ends: this process waits for that.
fn outlive_interrupts() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Once asked for, the signal has no other effect any more.
    drop(signal(SignalKind::interrupt())?);
    Ok(())
}
