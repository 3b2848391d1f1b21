//! Cases on a store, and the table of what became of them.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

use super::disk::Fault;
use super::place::Place;
use super::{Case, Engine, Restart, calls, is_death, one};

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

/// Runs cases of an engine on a store, one in `every`, and prints the table.
pub(super) fn suite<E: Engine>(
    store: &str,
    new: impl Fn() -> Place,
    faults: &[(&'static str, Fault)],
    restarts: &[(&'static str, Restart)],
    every: u32,
    seed: u64,
) {
    let run = |case| one::<E>(&new(), case);
    table(store, (calls::<E>(&new()), run), faults, restarts, every, seed);
}

/// The same of whatever makes so many calls, and is run by case.
pub(super) fn table(
    store: &str,
    (calls, run): (u64, impl Fn(Case) -> Result<usize, String>),
    faults: &[(&'static str, Fault)],
    restarts: &[(&'static str, Restart)],
    every: u32,
    seed: u64,
) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut rows: BTreeMap<(usize, bool, usize), Outcomes> = BTreeMap::new();
    for (row, (_, fault)) in faults.iter().copied().enumerate() {
        for (column, (_, restart)) in restarts.iter().enumerate() {
            for lasting in [false, true] {
                if is_death(fault) && (!lasting || *restart == Restart::InPlace) {
                    continue;
                }
                let drawn = (0..calls).filter(|_| rng.next_u32().is_multiple_of(every)).collect::<Vec<_>>();
                for call in drawn {
                    let case = Case { call, fault, lasting, restart: *restart };
                    rows.entry((row, lasting, column)).or_default().count(case, run(case));
                }
            }
        }
    }
    let mut text = format!(
        "\n{store}: {calls} calls, one run in {every}, seed {seed}\n| {:21} | {:8} | {:25} | {:>5} | {:>7} | {:>4} | {:>5} | {:>7} |\n",
        "fault", "how long", "then", "runs", "acked", "lost", "forks", "refused"
    );
    for ((row, lasting, column), outcomes) in &rows {
        let long = if *lasting { "for ever" } else { "once" };
        let (fault, then) = (faults[*row].0, restarts[*column].0);
        let Outcomes { runs, acknowledged, lost, forks, refused, .. } = outcomes;
        text += &format!(
            "| {fault:21} | {long:8} | {then:25} | {runs:5} | {acknowledged:7} | {lost:4} | {forks:5} | {refused:7} |\n"
        );
    }
    // Past the capture of what tests print: it is told of those that pass, too.
    io::stdout().write_all(text.as_bytes()).unwrap();
    let wrong: Vec<_> = rows.values().filter_map(|outcomes| outcomes.first.as_ref()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
