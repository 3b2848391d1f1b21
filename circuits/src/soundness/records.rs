//! What examinations at length came to: each a file under `docs/soundness/`, and together the page `docs/soundness.md`,
//! made anew by `cargo run --release -p sigveil-circuits --example soundness -- page > docs/soundness.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::differential::{Fuzzed, Random, Tally};
use super::mutation::{Effort, Report};
use crate::r1cs::Shape;

/// Of what circuit, and by which sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// The statement with its version, such as `token_768.v2`.
    pub circuit: String,
    /// SHA-256 of the shape, hexadecimal.
    pub shape: String,
    /// Commits of the sources that examined it, in order.
    pub commits: Vec<String>,
}

impl Circuit {
    /// A circuit by its name and shape, not examined yet.
    #[must_use]
    pub fn new(name: String, shape: &Shape) -> Self {
        Self { circuit: name, shape: hex::encode(shape.digest()), commits: Vec::new() }
    }

    /// Takes note of the sources that go on.
    pub fn by(&mut self, commit: &str) {
        if self.commits.last().is_none_or(|last| last != commit) {
            self.commits.push(commit.to_owned());
        }
    }
}

/// The record of one examination.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "examination", rename_all = "kebab-case")]
pub enum Record {
    /// Native check against circuit, on drawn tokens.
    Agreement {
        /// What was examined.
        #[serde(flatten)]
        circuit: Circuit,
        /// How far it has come.
        #[serde(flatten)]
        tally: Tally,
    },
    /// The same on the fuzz targets' inputs.
    Random {
        /// What was examined.
        #[serde(flatten)]
        circuit: Circuit,
        /// How far it has come.
        #[serde(flatten)]
        run: Random,
    },
    /// The same on what a fuzzer makes of its corpus.
    Fuzzed {
        /// What was examined.
        #[serde(flatten)]
        circuit: Circuit,
        /// How long, and what came of it.
        #[serde(flatten)]
        run: Fuzzed,
    },
    /// Rows left out.
    Mutation {
        /// What was examined.
        #[serde(flatten)]
        circuit: Circuit,
        /// How.
        effort: Effort,
        /// Honest witnesses that were lied about.
        witnesses: u64,
        /// What came of it.
        report: Report,
    },
}

/// The page about these records.
#[must_use]
pub fn page(records: &[Record]) -> String {
    let mut page = String::from(
        "# Soundness, examined\n\nWhat the examinations of `circuits/src/soundness` came to when run at length, made of the files under\n\
         `docs/soundness/` by `cargo run --release -p sigveil-circuits --example soundness -- page > docs/soundness.md`;\n\
         a test holds this page equal to them. In a short form they are tests. A shape that is not that of\n\
         `constraints.md` is of a circuit before a later change.\n",
    );
    agreements(&mut page, records);
    randoms(&mut page, records);
    fuzzed(&mut page, records);
    for record in records {
        if let Record::Mutation { circuit, effort, witnesses, report } = record {
            mutation(&mut page, circuit, *effort, *witnesses, report);
        }
    }
    page
}

/// The name and the beginnings of shape and commits.
fn named(circuit: &Circuit) -> String {
    let commits: Vec<&str> = circuit.commits.iter().map(|commit| short(commit)).collect();
    format!("`{}` | {} | {}", circuit.circuit, short(&circuit.shape), commits.join(", "))
}

fn short(hex: &str) -> &str {
    hex.get(..12).unwrap_or(hex)
}

fn agreements(page: &mut String, records: &[Record]) {
    let runs = records.iter().filter_map(|record| match record {
        Record::Agreement { circuit, tally } => Some((circuit, tally)),
        _ => None,
    });
    let mut runs: Vec<_> = runs.collect();
    runs.sort_by_key(|(_, tally)| tally.class);
    if runs.is_empty() {
        return;
    }
    let _ = write!(
        page,
        "\n## Native check against circuit\n\nTokens drawn by a seed, on every one of which both agree. Of all tokens the rows on what they say were\n\
         evaluated; of the number under *whole*, those of digest, key and signature too.\n\n\
         | circuit | shape | commit | seed | tokens | whole | accepted |\n|---|---|---|---:|---:|---:|---:|\n"
    );
    for (circuit, tally) in &runs {
        let Tally { seed, next, whole, accepted, .. } = tally;
        let percent = 100.0 * *accepted as f64 / (*next).max(1) as f64;
        let _ = writeln!(
            page,
            "| {} | {seed} | {next} | {whole} | {accepted} ({percent:.1} %) |",
            named(circuit)
        );
    }
    let classes: Vec<String> = runs.iter().map(|(_, tally)| tally.class.to_string()).collect();
    let _ =
        writeln!(page, "\n| refused for | {} |\n|---|{}", classes.join(" | "), "---:|".repeat(runs.len()));
    let reasons: BTreeSet<&String> = runs.iter().flat_map(|(_, tally)| tally.refused.keys()).collect();
    for reason in reasons {
        let count = |(_, tally): &(_, &Tally)| tally.refused.get(reason).unwrap_or(&0).to_string();
        let counts: Vec<String> = runs.iter().map(count).collect();
        let _ = writeln!(page, "| `{reason}` | {} |", counts.join(" | "));
    }
}

fn randoms(page: &mut String, records: &[Record]) {
    let runs = records.iter().filter_map(|record| match record {
        Record::Random { circuit, run } => Some((circuit, run)),
        _ => None,
    });
    for (i, (circuit, run)) in runs.enumerate() {
        if i == 0 {
            page.push_str(
                "\n## The fuzz targets, on random inputs\n\n| circuit | shape | commit | target | seed | inputs | well-formed | accepted |\n\
                 |---|---|---|---|---:|---:|---:|---:|\n",
            );
        }
        let Random { target, seed, next, compared, accepted } = run;
        let target = format!("{target:?}").to_lowercase();
        let _ =
            writeln!(page, "| {} | `{target}` | {seed} | {next} | {compared} | {accepted} |", named(circuit));
    }
}

fn fuzzed(page: &mut String, records: &[Record]) {
    let runs = records.iter().filter_map(|record| match record {
        Record::Fuzzed { circuit, run } => Some((circuit, run)),
        _ => None,
    });
    for (i, (circuit, run)) in runs.enumerate() {
        if i == 0 {
            page.push_str(
                "\n## The fuzz targets, under a fuzzer\n\nGuided by coverage, from the corpus in `circuits/fuzz` on. A finding would be an input on which native check and\n\
                 circuit differ.\n\n| circuit | shape | commit | target | fuzzer | minutes | inputs | findings |\n\
                 |---|---|---|---|---|---:|---:|---:|\n",
            );
        }
        let Fuzzed { target, fuzzer, seconds, inputs, findings } = run;
        let (target, minutes) = (format!("{target:?}").to_lowercase(), *seconds as f64 / 60.0);
        let _ = writeln!(
            page,
            "| {} | `{target}` | {fuzzer} | {minutes:.1} | {inputs} | {findings} |",
            named(circuit)
        );
    }
}

fn mutation(page: &mut String, circuit: &Circuit, effort: Effort, witnesses: u64, report: &Report) {
    let ((caught, mutants), (families, all)) = (report.single(), report.whole());
    let _ = write!(
        page,
        "\n## Rows left out of `{}`\n\n{caught} of {mutants} single rows of {} are caught, and {families} of {all} families. Drawn: {} rows of each family at\n\
         most, by seed {}; lies about {witnesses} honest witnesses. Shape {}, commit {}.\n\n\
         | family | rows | whole | left out | caught by a witness | by determinism | explained |\n|---|---:|---|---:|---:|---:|---:|\n",
        circuit.circuit,
        report.rows,
        effort.rows_per_family,
        effort.seed,
        short(&circuit.shape),
        circuit.commits.last().map_or("", |commit| short(commit)),
    );
    let mut survivors: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for (name, family) in &report.families {
        let explained: usize = family.explained.values().sum();
        let _ = writeln!(
            page,
            "| `{name}` | {} | {} | {} | {} | {} | {explained} |",
            family.rows,
            if family.caught { "caught" } else { "" },
            family.mutants,
            family.by_witness,
            family.by_determinism
        );
        for (why, count) in &family.explained {
            survivors.entry(why).or_default().push((name, *count));
        }
    }
    if !survivors.is_empty() {
        page.push_str("\nSurvivors:\n\n");
    }
    for (why, families) in survivors {
        let families: Vec<String> =
            families.iter().map(|(name, count)| format!("{count} of `{name}`")).collect();
        let _ = writeln!(page, "- {}: {why}.", families.join(", "));
    }
    for (row, family) in &report.unexplained {
        let _ = writeln!(page, "- row {row} of `{family}`: *no reason is listed*.");
    }
}
