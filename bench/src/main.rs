//! `sigveil-bench`: one harness for every figure.
//!
//! Each suite measures and returns rows; no test asserts a time or a size of memory. Comparisons run both
//! sides in the same run, interleaved, and state the ratio with its interval.

mod baseline;
mod ledger;
mod load;
mod machine;
mod phase1;
mod report;
mod rival;
mod role;
mod row;
mod stats;
mod suites;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use sigveil::failure::Failure;

use baseline::Versions;
use ledger::{Heading, Ledger};
use row::Measured;
use workload::Workload;

/// Measures sigveil.
#[derive(Debug, Parser)]
#[command(name = "sigveil-bench", version)]
struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    suite: Suite,
    /// Fewer repetitions and smaller inputs: for a first look.
    #[arg(long, global = true, conflicts_with = "workload")]
    quick: bool,
    /// How much is measured, in the form of bench/workload/full.toml.
    #[arg(long, global = true, value_name = "F")]
    workload: Option<PathBuf>,
    /// One JSON object, to a file or, without one, to standard output.
    #[arg(long, global = true, value_name = "F", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<String>,
    /// What to compare with in the same run: suite prover knows gnark, vega and snarkjs, suite log rekor2, rekor1, ct_server
    /// and our own log by two front ends, s3pg, suite growth these and fulcio, suite sign fulcio with the servers around it.
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    against: Vec<String>,
    /// Keep finished blocks in a file, and go on with those that it has: for suites log, growth
    /// and sign.
    #[arg(long, global = true, value_name = "F")]
    record: Option<PathBuf>,
    /// The process whose end is this one's too: a report's suites do not outlive it.
    #[arg(long, global = true, hide = true)]
    parent: Option<i32>,
}

/// The suites of the harness.
#[derive(Clone, Debug, Subcommand)]
enum Suite {
    /// Circuits, keys, proofs.
    Prover,
    /// Verifiable random functions.
    Identity,
    /// The log engine behind its HTTP face.
    Log,
    /// The verifiable map.
    Search,
    /// Logs and authorities at one size after the other.
    Growth,
    /// A whole signing, and each step of it.
    Sign,
    /// The real Sigstore servers on this machine, for comparison.
    Baseline {
        /// What to do with them.
        #[command(subcommand)]
        action: baseline::Action,
    },
    /// Private queries: not built yet.
    Query,
    /// What can be linked from public data: not built yet.
    Privacy,
    /// The report: over outcomes that suites have written with --json=F, or over every suite, which it then runs first.
    Report(report::Arguments),
    /// One role in a process of its own, so that what it uses can be told from what the harness uses.
    #[command(hide = true)]
    Role {
        /// Which.
        #[command(subcommand)]
        role: role::Role,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sigveil-bench: {error:#}");
            // Servers say it in their own words, or answer with another status.
            for folder in machine::full_disks(&arguments.written_to()) {
                eprintln!("sigveil-bench: the disk of {} is full", folder.display());
            }
            ExitCode::from(if error.is::<NotBuilt>() { 1 } else { 3 })
        }
    }
}

/// Asked for and not there yet.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not built yet")]
pub(crate) struct NotBuilt(pub(crate) String);

/// A failure of the library, with its reason.
pub(crate) fn said(failure: impl Into<Failure>) -> anyhow::Error {
    let failure = failure.into();
    anyhow::anyhow!("{}: {}", failure.reason(), failure.message())
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(parent) = arguments.parent {
        report::end_with(parent)?;
    }
    let (against, record) = (&arguments.against[..], arguments.record.as_deref());
    let compares = matches!(arguments.suite, Suite::Prover | Suite::Log | Suite::Growth | Suite::Sign);
    if let (Some(other), false) = (against.first(), compares) {
        return Err(NotBuilt(format!("the comparison of this suite against {other}")).into());
    }
    let records = matches!(arguments.suite, Suite::Log | Suite::Growth | Suite::Sign);
    anyhow::ensure!(
        record.is_none() || records,
        "of suites log, growth and sign alone --record keeps blocks"
    );
    if let Some(file) = arguments.json.as_deref().filter(|file| *file != "-") {
        let folder = machine::folder_of(Path::new(file));
        anyhow::ensure!(folder.is_dir(), "there is no folder {} for what is measured", folder.display());
    }
    let begun = Instant::now();
    // Before anything is measured: a tree that changes meanwhile changes nothing of what runs.
    let commit = machine::commit();
    if record.is_some() || arguments.json.is_some() {
        machine::ensure_built_from(&commit)?;
    }
    let workload = Workload::read(arguments.quick, arguments.workload.as_deref())?;
    let run = Run { commit: &commit, workload: &workload, against, record };
    let (suite, measured) = match &arguments.suite {
        Suite::Prover => ("prover", suites::prover::run(&run)?),
        Suite::Identity => ("identity", suites::identity::run(&workload.identity)?.into()),
        Suite::Log => ("log", suites::log::run(&run)?),
        Suite::Search => ("search", suites::search::run(&workload.search)?.into()),
        Suite::Growth => ("growth", suites::growth::run(&run)?),
        Suite::Sign => ("sign", suites::sign::run(&run)?),
        Suite::Baseline { action } => match baseline::act(*action)? {
            Some(measured) => ("baseline", measured),
            None => return Ok(()),
        },
        Suite::Role { role } => return role::play(role),
        Suite::Query => return Err(NotBuilt("suite query".to_owned()).into()),
        Suite::Privacy => return Err(NotBuilt("suite privacy".to_owned()).into()),
        Suite::Report(of) => return report::run(of, &arguments.thoroughness(), &workload.name),
    };
    let versions = match arguments.suite {
        Suite::Prover if !against.is_empty() => rival::versions(),
        Suite::Log | Suite::Growth | Suite::Sign if !against.is_empty() => Versions::pinned()?.table(),
        _ if suite == "baseline" => Versions::pinned()?.table(),
        _ => BTreeMap::new(),
    };
    let machine = machine::Machine::read();
    let Measured { rows, mut left_out, continued } = measured;
    left_out.extend(suites::wrk::disagreement(&rows));
    let seconds = (!continued).then(|| begun.elapsed().as_secs_f64());
    let workload = workload.name;
    let against = against.to_vec();
    let outcome =
        row::Outcome { suite, commit, workload, machine, seconds, against, versions, left_out, rows };
    outcome.publish(arguments.json.as_deref())
}

/// What a suite is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Of the code that is measured.
    pub(crate) commit: &'a str,
    pub(crate) workload: &'a Workload,
    /// Others to compare with.
    pub(crate) against: &'a [String],
    /// Where finished blocks are kept.
    pub(crate) record: Option<&'a Path>,
}

impl Run<'_> {
    /// The blocks of this suite that are there already.
    fn ledger(&self, suite: &str) -> anyhow::Result<Ledger> {
        let heading = Heading {
            suite: format!("{suite} --against={}", self.against.join(",")),
            commit: self.commit.to_owned(),
            machine: machine::Machine::read(),
            workload: self.workload.clone(),
            versions: if self.against.is_empty() { BTreeMap::new() } else { Versions::pinned()?.table() },
        };
        Ledger::open(self.record, &heading)
    }

    /// Whether to compare with somebody.
    fn with(&self, name: &str) -> bool {
        self.against.iter().any(|other| other == name)
    }
}

impl Arguments {
    /// Folders that something may have been written to.
    fn written_to(&self) -> BTreeSet<PathBuf> {
        let files = [self.json.as_deref().map(Path::new), self.record.as_deref()];
        let mut folders: BTreeSet<PathBuf> = files.into_iter().flatten().map(machine::folder_of).collect();
        folders.extend([std::env::temp_dir(), PathBuf::from(".")]);
        if let Suite::Report(report) = &self.suite {
            folders.extend(report.written_to());
        }
        folders
    }

    /// As given here, for a process of this program that runs a suite.
    fn thoroughness(&self) -> Vec<OsString> {
        match &self.workload {
            Some(file) => vec!["--workload".into(), file.into()],
            None if self.quick => vec!["--quick".into()],
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_is_written_to_is_looked_at_when_a_disk_is_full() {
        let folders = |line: &str| Arguments::parse_from(line.split(' ')).written_to();
        let has = |line: &str, all: &[&str]| {
            let folders = folders(line);
            assert!(all.iter().all(|one| folders.contains(Path::new(one))), "{folders:?}");
        };
        has("x log --json=/a/log.json --record /b/blocks", &[".", "/a", "/b"]);
        has("x report /data --to /c --paper /d/paper.md", &["/c", "/d"]);
        has("x report /data", &["/data"]);
        assert!(!folders("x log --json=log.json").contains(Path::new("")));
    }
}
