//! `sigveil-bench`: one harness for every figure.
//!
//! Each suite measures and returns rows; nothing else in the repository states a time or a size. Comparisons run both
//! sides in the same run, interleaved, and state the ratio with its interval.

mod machine;
mod phase1;
mod rival;
mod row;
mod stats;
mod suites;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Measures sigveil.
#[derive(Debug, Parser)]
#[command(name = "sigveil-bench", version)]
struct Arguments {
    /// What to measure.
    suite: Suite,
    /// Fewer repetitions and smaller inputs: for a first look.
    #[arg(long)]
    quick: bool,
    /// One JSON object, to a file or, without one, to standard output.
    #[arg(long, value_name = "F", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<String>,
    /// Programs of others to compare with in the same run; suite prover knows gnark, vega and snarkjs.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    against: Vec<String>,
}

/// The suites of the harness.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Suite {
    /// Circuits, keys, proofs.
    Prover,
    /// Verifiable random functions.
    Identity,
    /// The log engine behind its HTTP face.
    Log,
    /// The verifiable map.
    Search,
    /// A whole signing, and each step of it.
    Sign,
    /// The real servers, for comparison: not built yet.
    Baseline,
    /// Private queries: not built yet.
    Query,
    /// What can be linked from public data: not built yet.
    Privacy,
    /// The report over recorded rows: not built yet.
    Report,
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

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let effort = Effort { quick: arguments.quick };
    if let (Some(other), false) = (arguments.against.first(), matches!(arguments.suite, Suite::Prover)) {
        return Err(NotBuilt(format!("the comparison of this suite against {other}")).into());
    }
    let (name, rows) = match arguments.suite {
        Suite::Prover => ("prover", suites::prover::run(effort, &arguments.against)?),
        Suite::Identity => ("identity", suites::identity::run(effort)?),
        Suite::Log => ("log", suites::log::run(effort)?),
        Suite::Search => ("search", suites::search::run(effort)?),
        Suite::Sign => ("sign", suites::sign::run(effort)?),
        later => {
            let name = later.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
            return Err(NotBuilt(format!("suite {name}")).into());
        }
    };
    let outcome =
        row::Outcome { suite: name, commit: machine::commit(), machine: machine::Machine::read(), rows };
    outcome.publish(arguments.json.as_deref())
}
