//! `sigveil-bench`: one harness for every figure.
//!
//! Each suite measures and returns rows; nothing else in the repository states a time or a size. Comparisons run both
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

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sigveil::failure::Failure;

/// Measures sigveil.
#[derive(Debug, Parser)]
#[command(name = "sigveil-bench", version)]
struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    suite: Suite,
    /// Fewer repetitions and smaller inputs: for a first look.
    #[arg(long, global = true)]
    quick: bool,
    /// One JSON object, to a file or, without one, to standard output.
    #[arg(long, global = true, value_name = "F", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<String>,
    /// Programs of others to compare with in the same run: suite prover knows gnark, vega and snarkjs, suite log
    /// rekor2 and rekor1, suite growth these and fulcio, suite sign fulcio with the servers around it.
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    against: Vec<String>,
    /// Keep finished blocks in a file, and go on with those that it has: for suites log, growth
    /// and sign.
    #[arg(long, global = true, value_name = "F")]
    record: Option<PathBuf>,
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

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) quick: bool,
}

impl Effort {
    /// `full` repetitions, or `quick` ones for a first look.
    pub(crate) fn times(self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sigveil-bench: {error:#}");
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
    let effort = Effort { quick: arguments.quick };
    let compares = matches!(arguments.suite, Suite::Prover | Suite::Log | Suite::Growth | Suite::Sign);
    if let (Some(other), false) = (arguments.against.first(), compares) {
        return Err(NotBuilt(format!("the comparison of this suite against {other}")).into());
    }
    let (name, rows) = match &arguments.suite {
        Suite::Prover => ("prover", suites::prover::run(effort, &arguments.against)?),
        Suite::Identity => ("identity", suites::identity::run(effort)?),
        Suite::Log => ("log", suites::log::run(effort, &arguments.against, arguments.record.as_deref())?),
        Suite::Search => ("search", suites::search::run(effort)?),
        Suite::Growth => {
            ("growth", suites::growth::measure(effort, &arguments.against, arguments.record.as_deref())?)
        }
        Suite::Sign => ("sign", suites::sign::run(effort, &arguments.against, arguments.record.as_deref())?),
        Suite::Baseline { action } => match baseline::act(*action)? {
            Some(rows) => ("baseline", rows),
            None => return Ok(()),
        },
        Suite::Role { role } => return role::play(role),
        Suite::Query => return Err(NotBuilt("suite query".to_owned()).into()),
        Suite::Privacy => return Err(NotBuilt("suite privacy".to_owned()).into()),
        Suite::Report(of) => return report::run(of, arguments.quick),
    };
    // Of suite prover, the programs' own lock files say it.
    let foreign =
        matches!(arguments.suite, Suite::Baseline { .. } | Suite::Log | Suite::Growth | Suite::Sign);
    let versions = match foreign && (name == "baseline" || !arguments.against.is_empty()) {
        true => baseline::Versions::pinned()?.table(),
        false => std::collections::BTreeMap::new(),
    };
    let machine = machine::Machine::read();
    let outcome = row::Outcome { suite: name, commit: machine::commit(), machine, versions, rows };
    outcome.publish(arguments.json.as_deref())
}
