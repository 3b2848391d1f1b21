//! `soundness`: what a statement's rows keep out, shown at length (protocol.md §5.4, the module `soundness`).
//!
//! ```text
//! cargo run --release -p sigveil-circuits --example soundness -- mutate token_768 --rows 60
//! cargo run --release -p sigveil-circuits --example soundness -- isolate nym
//! cargo run --release -p sigveil-circuits --example soundness -- differential 768 --tokens 200000 --state F
//! ```
//! `differential` goes on where the state file says that it stopped, and writes it every thousand tokens.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sigveil_circuits::soundness::differential::{Judges, REASONS, Tally};
use sigveil_circuits::soundness::mutation::{self, Effort, Report};
use sigveil_circuits::soundness::{NymSubject, QuerySubject, TokenSubject, isolation};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::SizeClass;

/// Tokens between two writings of the state.
const STEP: u64 = 1000;

#[derive(Parser)]
struct Arguments {
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
        #[arg(long, default_value_t = 60)]
        rows: usize,
        /// Values solved anew for one row and witness.
        #[arg(long, default_value_t = 30_000)]
        patience: usize,
        /// Honest witnesses that are lied about.
        #[arg(long, default_value_t = 4)]
        witnesses: u64,
        /// Of so many bytes of a token one is altered.
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
        /// Draws the tokens; that of the state file, where there is one.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Tokens judged side by side.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Where the count is kept.
        #[arg(long)]
        state: PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Mutate { statement, rows, patience, witnesses, alterations, seed } => {
            mutate(&statement, Effort { rows_per_family: rows, patience, alterations, seed }, witnesses)
        }
        Command::Isolate { statement, seed } => isolate(&statement, seed),
        Command::Differential { class, tokens, seed, threads, state } => {
            differential(class, tokens, seed, threads, &state)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soundness: {why}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn class(statement: &str) -> Result<SizeClass, String> {
    let bytes = statement.strip_prefix("token_").and_then(|bytes| bytes.parse().ok());
    bytes.and_then(SizeClass::from_bytes).ok_or_else(|| format!("no statement {statement}"))
}

fn mutate(statement: &str, effort: Effort, witnesses: u64) -> Outcome {
    let seeds = 0..witnesses.max(1);
    let report = match statement {
        "nym" => mutation::examine(&seeds.map(NymSubject::drawn).collect::<Vec<_>>(), effort),
        "query" => mutation::examine(&seeds.map(QuerySubject::drawn).collect::<Vec<_>>(), effort),
        token => {
            let class = class(token)?;
            mutation::examine(&seeds.map(|seed| TokenSubject::drawn(class, seed)).collect::<Vec<_>>(), effort)
        }
    };
    show(statement, &report);
    if report.unexplained.is_empty() { Ok(()) } else { Err("a survivor has no reason".into()) }
}

fn show(statement: &str, report: &Report) {
    println!("| family of {statement} | rows | mutants | by a witness | by determinism | explained |");
    println!("|---|---|---|---|---|---|");
    for (name, family) in &report.families {
        let explained: usize = family.explained.values().sum();
        println!(
            "| `{name}` | {} | {} | {} | {} | {explained} |",
            family.rows, family.mutants, family.by_witness, family.by_determinism
        );
    }
    let ((caught, mutants), (families, all)) = (report.single(), report.whole());
    println!("\n{caught} of {mutants} single rows of {} caught, {families} of {all} families", report.rows);
    for (row, family) in &report.unexplained {
        println!("row {row} of {family}: nothing caught its lack, and no reason is listed");
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

fn differential(class: usize, tokens: u64, seed: u64, threads: usize, state: &Path) -> Outcome {
    let class = SizeClass::from_bytes(class).ok_or("no class of so many bytes")?;
    let mut tally = match fs::read(state) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Tally::new(class, seed),
        Err(error) => return Err(error.into()),
    };
    if tally.class != class.bytes() {
        return Err("the state file is of another class".into());
    }
    let mut judges = Judges::new(Issuer::generate(), threads);
    while tally.next < tokens {
        tally.go_on(&mut judges, STEP.min(tokens - tally.next))?;
        let written = state.with_extension("new");
        fs::write(&written, serde_json::to_vec_pretty(&tally)?)?;
        fs::rename(&written, state)?;
    }
    println!("{} tokens, {} of them whole: {} accepted by both", tally.next, tally.whole, tally.accepted);
    for (reason, count) in &tally.refused {
        println!("{count:8} {reason}");
    }
    for reason in REASONS.iter().filter(|reason| !tally.refused.contains_key(**reason)) {
        println!("       0 {reason}");
    }
    Ok(())
}
