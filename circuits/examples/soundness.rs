//! `soundness`: what a statement's rows keep out, shown at length (protocol.md §5.4, the module `soundness`).
//!
//! ```text
//! S='cargo run --release -p sigveil-circuits --example soundness --'
//! $S mutate token_768 --rows 64
//! $S isolate nym
//! $S differential 768 --tokens 200000 --threads 2
//! $S random payload --minutes 10
//! cargo +nightly fuzz run payload -- -max_total_time=600 2> messages && $S fuzzed payload messages
//! $S page > docs/soundness.md
//! ```
//! All but `isolate` leave a record under `docs/soundness/`, and go on where it says that they stopped: it is written every
//! few seconds, by renaming, so they can be killed at any time. `mutate` goes on with more rows too, and examines again
//! what it found no reason for.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use sigveil_circuits::keys::Statement;
use sigveil_circuits::r1cs::Shape;
use sigveil_circuits::soundness::differential::{Fuzzed, Judges, REASONS, Random, Tally, Target};
use sigveil_circuits::soundness::mutation::{self, Effort, Examination, Report};
use sigveil_circuits::soundness::records::{Circuit, Record, page};
use sigveil_circuits::soundness::{NymSubject, QuerySubject, Subject, TokenSubject, isolation};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::{Class, SizeClass};

/// Tokens that each thread judges between two writings of the record.
const STEP: u64 = 1000;

#[derive(Parser)]
struct Arguments {
    /// Where the records are kept.
    #[arg(long, global = true, default_value = "docs/soundness")]
    records: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Leaves out rows one by one and says what catches that. Fails where a survivor has no reason.
    Mutate {
        /// `nym`, `query` or `token_` and the bytes of a class.
        statement: String,
        /// Rows taken of each family at most.
        #[arg(long, default_value_t = 64)]
        rows: usize,
        /// Values solved anew for one row and witness.
        #[arg(long, default_value_t = 30_000)]
        patience: usize,
        /// Honest witnesses that are lied about.
        #[arg(long, default_value_t = 6)]
        witnesses: u64,
        /// Of so many alterations of a token one is tried.
        #[arg(long, default_value_t = 1)]
        alterations: usize,
        /// Which rows are taken.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Says which variables can change near a witness. Fails where one that is not idle can.
    Isolate {
        /// As for `mutate`.
        statement: String,
        /// Draws the witness.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Holds native check against circuit. Fails where they differ.
    Differential {
        /// Bytes of the class.
        class: usize,
        /// Tokens in all, those before this run included.
        #[arg(long, default_value_t = 200_000)]
        tokens: u64,
        /// Draws the tokens; that of the record, where there is one.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Tokens judged side by side.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// Gives the fuzz targets random inputs. Fails where native check and circuit differ.
    Random {
        target: FuzzTarget,
        /// For how long; inputs before this run are counted on.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Draws the inputs; that of the record, where there is one.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Keeps what a run of the fuzzer, by its messages, came to.
    Fuzzed {
        target: FuzzTarget,
        /// What it wrote.
        messages: PathBuf,
        /// What it is called.
        #[arg(long, default_value = "cargo-fuzz 0.13 (libFuzzer)")]
        fuzzer: String,
        /// The commit whose sources it ran.
        #[arg(long)]
        commit: Option<String>,
    },
    /// Prints `docs/soundness.md`.
    Page,
}

#[derive(Clone, Copy, ValueEnum)]
enum FuzzTarget {
    Payload,
    Drawn,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let Arguments { records, command } = Arguments::parse();
    let outcome = match command {
        Command::Mutate { statement, rows, patience, witnesses, alterations, seed } => {
            let effort = Effort { rows_per_family: rows, patience, alterations, seed };
            mutate(&statement, effort, witnesses.max(1), &records)
        }
        Command::Isolate { statement, seed } => isolate(&statement, seed),
        Command::Differential { class, tokens, seed, threads } => {
            differential(class, tokens, seed, threads.max(1), &records)
        }
        Command::Random { target, minutes, seed } => random(target, minutes, seed, &records),
        Command::Fuzzed { target, messages, fuzzer, commit: of } => {
            fuzzed(target, &messages, &fuzzer, &of.unwrap_or_else(commit), &records)
        }
        Command::Page => read_all(&records).map(|records| print!("{}", page(&records))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soundness: {why}");
            ExitCode::FAILURE
        }
    }
}

fn statement(name: &str) -> Result<Statement, String> {
    match name {
        "nym" => Ok(Statement::Nym),
        "query" => Ok(Statement::Query),
        token => Ok(Statement::Token(Class::rsa2048(class(token)?))),
    }
}

fn class(statement: &str) -> Result<SizeClass, String> {
    let bytes = statement.strip_prefix("token_").and_then(|bytes| bytes.parse().ok());
    bytes.and_then(SizeClass::from_bytes).ok_or_else(|| format!("no statement {statement}"))
}

/// The circuit of a statement, and these sources as who examines it.
fn circuit(name: &str) -> Result<Circuit, Box<dyn std::error::Error>> {
    let statement = statement(name)?;
    let shape: Shape = statement.shape();
    let mut circuit = Circuit::new(statement.to_string(), &shape);
    circuit.by(&commit());
    Ok(circuit)
}

/// The commit that these sources are of.
fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let known = output.ok().filter(|output| output.status.success());
    known.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn mutate(statement: &str, effort: Effort, witnesses: u64, records: &Path) -> Outcome {
    let path = records.join(format!("mutation-{statement}.json"));
    match statement {
        "nym" => mutate_all(statement, NymSubject::drawn, effort, witnesses, &path),
        "query" => mutate_all(statement, QuerySubject::drawn, effort, witnesses, &path),
        token => {
            let class = class(token)?;
            mutate_all(statement, |seed| TokenSubject::drawn(class, seed), effort, witnesses, &path)
        }
    }
}

fn mutate_all<S: Subject>(
    statement: &str,
    drawn: impl Fn(u64) -> S,
    effort: Effort,
    witnesses: u64,
    path: &Path,
) -> Outcome {
    let now = circuit(statement)?;
    let goes_on = |before: &Effort| Effort { rows_per_family: effort.rows_per_family, ..*before } == effort;
    let (mut circuit, report) = match read(path)? {
        None => (now.clone(), Report::default()),
        Some(Record::Mutation { circuit, effort, witnesses: before, report })
            if circuit.shape == now.shape && goes_on(&effort) && witnesses == before =>
        {
            (circuit, report)
        }
        Some(_) => return Err(other_circuit(path).into()),
    };
    circuit.by(&commit());
    let subjects: Vec<S> = (0..witnesses).map(drawn).collect();
    let (shape, elements) = mutation::shape(&subjects);
    let mut examination = Examination::new(&subjects, &shape, &elements, effort, report);
    while examination.go_on() {
        let report = examination.report.clone();
        eprintln!("{} of {} rows", report.decided, examination.rows());
        write(path, &Record::Mutation { circuit: circuit.clone(), effort, witnesses, report })?;
    }
    let report = examination.report;
    show(&report, &shape);
    let explained = report.unexplained.is_empty();
    write(path, &Record::Mutation { circuit, effort, witnesses, report })?;
    if explained { Ok(()) } else { Err("a survivor has no reason".into()) }
}

fn show(report: &Report, shape: &Shape) {
    let ((caught, mutants), (families, all)) = (report.single(), report.whole());
    println!("{caught} of {mutants} single rows of {} caught, {families} of {all} families", report.rows);
    for (name, family) in report.families.iter().filter(|(_, family)| !family.explained.is_empty()) {
        let explained: usize = family.explained.values().sum();
        println!("{explained} of {name} explained");
    }
    for (row, family) in &report.unexplained {
        let variables = shape.variables(*row);
        println!(
            "row {row} of {family}, of {variables} variables: nothing caught its lack, and no reason is listed"
        );
    }
}

fn isolate(statement: &str, seed: u64) -> Outcome {
    let report = match statement {
        "nym" => isolation::examine(&NymSubject::drawn(seed)),
        "query" => isolation::examine(&QuerySubject::drawn(seed)),
        token => isolation::examine(&TokenSubject::drawn(class(token)?, seed)),
    };
    println!("{report:#?}");
    if report.moving.is_empty() { Ok(()) } else { Err("variables move with all public inputs fixed".into()) }
}

fn differential(class: usize, tokens: u64, seed: u64, threads: usize, records: &Path) -> Outcome {
    let size = SizeClass::from_bytes(class).ok_or("no class of so many bytes")?;
    let path = records.join(format!("agreement-{class}.json"));
    let now = circuit(&format!("token_{class}"))?;
    let (mut circuit, mut tally) = match read(&path)? {
        None => (now.clone(), Tally::new(size, seed)),
        Some(Record::Agreement { circuit, tally }) if circuit.shape == now.shape => (circuit, tally),
        Some(_) => return Err(other_circuit(&path).into()),
    };
    circuit.by(&commit());
    let mut judges = Judges::new(Issuer::generate(), threads);
    while tally.next < tokens {
        tally.go_on(&mut judges, (STEP * threads as u64).min(tokens - tally.next))?;
        write(&path, &Record::Agreement { circuit: circuit.clone(), tally: tally.clone() })?;
    }
    println!("{} tokens, {} of them whole: {} accepted by both", tally.next, tally.whole, tally.accepted);
    for reason in REASONS {
        println!("{:8} {reason}", tally.refused.get(reason).unwrap_or(&0));
    }
    Ok(())
}

impl FuzzTarget {
    fn named(self) -> (Target, &'static str) {
        match self {
            Self::Payload => (Target::Payload, "payload"),
            Self::Drawn => (Target::Drawn, "drawn"),
        }
    }
}

fn fuzzed(target: FuzzTarget, messages: &Path, fuzzer: &str, commit: &str, records: &Path) -> Outcome {
    let (target, name) = target.named();
    let run = Fuzzed::of_messages(target, fuzzer, &fs::read_to_string(messages)?);
    let run = run.ok_or("the messages do not say that the run came to its end")?;
    let size = match target {
        // At most: each is judged in the smallest class that takes it.
        Target::Payload => SizeClass::B1024,
        Target::Drawn => SizeClass::B768,
    };
    let statement = Statement::Token(Class::rsa2048(size));
    let mut circuit = Circuit::new(statement.to_string(), &statement.shape());
    circuit.by(commit);
    write(&records.join(format!("fuzzed-{name}.json")), &Record::Fuzzed { circuit, run })
}

fn random(target: FuzzTarget, minutes: u64, seed: u64, records: &Path) -> Outcome {
    let (target, name) = target.named();
    let path = records.join(format!("random-{name}.json"));
    let now = circuit("token_1024")?;
    let (mut circuit, mut run) = match read(&path)? {
        None => (now.clone(), Random::new(target, seed)),
        Some(Record::Random { circuit, run }) if circuit.shape == now.shape => (circuit, run),
        Some(_) => return Err(other_circuit(&path).into()),
    };
    circuit.by(&commit());
    let issuer = Issuer::generate();
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    while Instant::now() < end {
        run.go_on(&issuer, STEP);
        write(&path, &Record::Random { circuit: circuit.clone(), run: run.clone() })?;
    }
    println!("{} inputs, {} of them compared, {} accepted by both", run.next, run.compared, run.accepted);
    Ok(())
}

fn other_circuit(path: &Path) -> String {
    format!("{} is of another circuit or examination: move it away to begin anew", path.display())
}

fn read(path: &Path) -> Result<Option<Record>, Box<dyn std::error::Error>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_all(records: &Path) -> Result<Vec<Record>, Box<dyn std::error::Error>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(records)?.map(|file| Ok(file?.path())).collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| Ok(serde_json::from_slice(&fs::read(path)?)?)).collect()
}

fn write(path: &Path, record: &Record) -> Outcome {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let written = path.with_extension("new");
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    fs::write(&written, text)?;
    Ok(fs::rename(&written, path)?)
}
