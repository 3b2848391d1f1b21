//! Signature logs behind their HTTP faces, each in a process of its own: ours, Rekor v2 at its default checkpoint
//! interval and at a second, Rekor v1 over Trillian and MariaDB. Certificate logs in the same way: ours, and the real
//! ct_server over a Trillian and MariaDB of its own.
//!
//! Every side gets requests of one kind at the same moments, in blocks that take turns. A block's answers are all of success
//! and as many as its tree has grown by, or it is none. The ct_server answers before its tree has an entry: its latency is
//! that of a promise, where ours is that of an entry under a published checkpoint, and a block waits for its tree. Rows
//! `SIDE_cN` are a closed loop over N connections, `SIDE_rN` an open loop of N requests a second, in which latency counts
//! from the moment at which a request was due. CPU and memory are the server's processes' alone, the harness's own are
//! `client_cpu`; `refused` is the part of a closed loop's requests that was told to come again (503). What the harness adds to
//! a latency is at most the row `harness_…`, the same load on a server that does nothing. `SIDE_sN` and `SIDE_sweep` are a rate
//! that rises until it is not kept; that of `harness` is what the harness itself can ask for on this machine.
//!
//! `s3pg` is our log by two front ends over PostgreSQL and an S3 server, which are counted with them; `takeover` is how long
//! it takes from the moment at which the front end that publishes is killed until the other answers. A reader follows the
//! feed of our signature logs through each block, and a block of which it was not told all is none.
//!
//! Every log begins with as many entries, also in a run that goes on, and the rows `SIDE` are what it has on disk then. Open
//! loops come first, rising: whoever takes part in them for as long has as many entries as the others at each, so that memory
//! is compared of trees of one size; `rekor2_10s` is asked for longer, and until its last checkpoint, in which time it does
//! less. `tree_size` is that before a block.
//!
//! Under the most connections wrk asks ours and `rekor2` too, in the same round: see [`super::wrk`].

mod certificates;
pub(super) mod follow;
pub(crate) mod requests;
mod sides;

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::in_turn;
use super::sweep::{self, Swept};
use super::wrk::{self, Told, Wrk};
use crate::Run;
use crate::baseline::{Stack, Usage, found, unless_dead};
use crate::ledger::{Figures, Ledger};
use crate::load::{self, Observed, Pace, run as drive};
use crate::row::{Measured, Row, Unit};
use crate::workload::{Log as Amount, Sweep};
use follow::Follower;
use sides::{Rival, Side};

/// Metrics of a block, and the unit of each.
const METRICS: [(&str, Unit); 14] = [
    ("tree_size", Unit::One),
    ("entries_per_s", Unit::PerSecond),
    ("p50", Unit::Seconds),
    ("p99", Unit::Seconds),
    ("cpu_per_entry", Unit::Seconds),
    ("bytes_per_entry", Unit::Bytes),
    ("written_per_entry", Unit::Bytes),
    ("rss", Unit::Bytes),
    ("peak_rss", Unit::Bytes),
    ("client_cpu", Unit::Seconds),
    ("refused", Unit::One),
    ("answer_bytes", Unit::Bytes),
    (wrk::RATE, Unit::PerSecond),
    (wrk::RATIO, Unit::One),
];

/// How many front ends are killed.
const KILLS: usize = 11;
/// How long a log may take to be filled.
const FILLING: Duration = Duration::from_secs(600);

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Load {
    Connections(usize),
    Rate(usize),
}

impl Load {
    fn suffix(self) -> String {
        match self {
            Self::Connections(count) => format!("c{count}"),
            Self::Rate(rate) => format!("r{rate}"),
        }
    }

    fn pace(self, span: Duration, seed: u64) -> Pace {
        match self {
            Self::Connections(connections) => Pace::Closed { connections, span },
            Self::Rate(rate) => Pace::Open { rate: rate as f64, span, seed },
        }
    }
}

pub(crate) fn run(run: &Run<'_>) -> anyhow::Result<Measured> {
    let rivals = Rival::parse(run.against)?;
    let (amount, rates) = (&run.workload.log, &run.workload.sweep.rates);
    let mut ledger = run.ledger("log")?;
    let mut stack = Stack::new()?;
    let mut left_out = Vec::new();
    let sides = Side::start(&mut stack, &rivals, amount, &mut left_out)?;
    let loads = loads(amount);
    let wrk = if rivals.is_empty() { None } else { found(Wrk::new(), &mut left_out)? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    fill_all(&runtime, &sides, &mut ledger, amount.entries)?;
    for &load in &loads {
        let name_of = |side: &Side| format!("{}_{}", side.name, load.suffix());
        let taking = |index| in_turn(&sides, index).into_iter().filter(|side| side.takes(amount, load));
        // A load that was interrupted is measured anew as a whole: turns of two processes are none, nor are trees of one size.
        if (0..amount.rounds).all(|index| taking(index).all(|side| ledger.has(&name_of(side), index))) {
            continue;
        }
        for index in 0..amount.rounds {
            for side in taking(index) {
                let name = name_of(side);
                let by_wrk = || {
                    let wrk = wrk.as_ref().filter(|_| side.is_checked(amount, load));
                    wrk.map_or(Ok(None), |wrk| beside(wrk, &name, side, load, side.wrk_span(amount)))
                };
                let by_harness = || {
                    let block = block(&runtime, side, load, index, side.span(amount));
                    unless_dead(block, || side.usage()).with_context(|| format!("block {index} of {name}"))
                };
                let (mut block, by_wrk) = wrk::beside(index, by_wrk, by_harness)?;
                if let Some(found) = block.get("entries_per_s") {
                    block.extend(wrk::figures(*found, by_wrk));
                }
                ledger.add(&name, index, block)?;
            }
        }
    }
    // Last, since a server that was lost may still be working on what it was sent.
    if !sweep::are_done(&ledger) {
        sweep_all(&runtime, &sides, &mut ledger, &run.workload.sweep)?;
    }
    takeovers(&mut stack, &runtime, &sides, &mut ledger)?;
    stack.stop()?;
    left_out.extend(wrk::left_out(&ledger));
    let mut rows = rows(&ledger, &sides, &loads);
    rows.extend(sides.iter().flat_map(|side| sweep::rows(&ledger, side.name, rates)));
    Ok(Measured { rows, left_out, continued: ledger.is_continued() })
}

/// Rates first, which add as much to every log in as much time, so that memory there is of trees of one size; then connections, of which few
/// add little.
fn loads(amount: &Amount) -> Vec<Load> {
    let rates = amount.rates.iter().copied().map(Load::Rate);
    rates.chain(amount.connections.iter().copied().map(Load::Connections)).collect()
}

/// Rates that rise, on each log that has them.
fn sweep_all(
    runtime: &tokio::runtime::Runtime,
    sides: &[Side],
    ledger: &mut Ledger,
    amount: &Sweep,
) -> anyhow::Result<()> {
    for side in sides.iter().filter(|side| side.is_swept()) {
        let (bodies, usage) = (|count| side.prepare(count), || side.usage());
        let (name, target, rates) = (side.name, &side.target, &amount.rates[..]);
        let swept = Swept { name, target, bodies: &bodies, usage: &usage, rates, span: amount.span() };
        swept.sweep(ledger, runtime)?;
    }
    sweep::done(ledger)
}

/// Kills front ends of logs that have several.
fn takeovers(
    stack: &mut Stack,
    runtime: &tokio::runtime::Runtime,
    sides: &[Side],
    ledger: &mut Ledger,
) -> anyhow::Result<()> {
    for side in sides {
        let name = format!("{}_kill", side.name);
        for index in 0..KILLS {
            if !ledger.has(&name, index)
                && let Some(took) = side.takeover(stack, runtime).with_context(|| format!("kill {index}"))?
            {
                ledger.add(&name, index, [("takeover".to_owned(), took)].into())?;
            }
        }
    }
    Ok(())
}

/// Fills every log, and keeps what they have on disk then unless that is there already.
fn fill_all(
    runtime: &tokio::runtime::Runtime,
    sides: &[Side],
    ledger: &mut Ledger,
    entries: usize,
) -> anyhow::Result<()> {
    for side in sides.iter().filter(|side| side.has_tree()) {
        let filled = unless_dead(fill(runtime, side, entries), || side.usage());
        let figures = filled.with_context(|| format!("{} with {entries} entries", side.name))?;
        if !ledger.has(side.name, 0) {
            ledger.add(side.name, 0, figures)?;
        }
    }
    Ok(())
}

/// Fills a log that is empty, and says what it then has on disk: of all sides at as many entries, since each begins with
/// files of some size and fills others by and by.
fn fill(runtime: &tokio::runtime::Runtime, side: &Side, entries: usize) -> anyhow::Result<Figures> {
    let begun = side.tree_size()?;
    ensure!(begun == 0, "it has {begun} entries before the first");
    let pace = Pace::Closed { connections: side.filling().min(entries), span: FILLING };
    load::fill(runtime, &side.target, |count| side.prepare(count), entries, pace)?;
    let reached = side.tree_size_reaching(entries as u64)?;
    ensure!(reached == entries as u64, "{entries} answers, and {reached} entries");
    let mut figures = Figures::from([("tree_size".to_owned(), reached as f64)]);
    if side.has_folder() {
        figures.insert("bytes_per_entry".to_owned(), side.stored() / reached as f64);
    }
    Ok(figures)
}

/// One block on one side.
fn block(
    runtime: &tokio::runtime::Runtime,
    side: &Side,
    load: Load,
    index: usize,
    span: Duration,
) -> anyhow::Result<Figures> {
    let pace = load.pace(span, index as u64);
    let bodies = side.prepare(match load {
        Load::Connections(connections) => side.most(connections, span),
        Load::Rate(_) => pace.requests().unwrap_or(0),
    })?;
    // Not measured: connections, caches and code paths are warm after it.
    let warm = side.prepare(side.warm_up(load))?;
    let warm_pace = match load {
        Load::Connections(connections) => Pace::Closed { connections, span: Duration::from_secs(60) },
        Load::Rate(_) => Pace::Closed { connections: 16, span: Duration::from_secs(60) },
    };
    let size = side.tree_size()?;
    let warmed = drive(runtime, &side.target, warm, warm_pace)?;
    warmed.ensure_answered()?;

    let size = side.tree_size_reaching(size + warmed.done())?;
    let (reset, before) = (side.reset_peaks(), side.usage()?);
    let follower = side.is_followed().then(|| Follower::from(&side.target.address, size)).transpose()?;
    let observed = drive(runtime, &side.target, bodies, pace)?;
    match load {
        // Who asks no more than is answered can wait; an open loop would leave out whom it did not.
        Load::Connections(_) => observed.ensure_answered()?,
        Load::Rate(_) => observed.ensure_whole()?,
    }
    let reached = side.tree_size_reaching(size + observed.done())?;
    let after = side.usage()?;
    let grown = reached.checked_sub(size).context("the tree has shrunk")?;
    ensure!(!side.has_tree() || grown == observed.done(), "{} answers, and {grown} entries", observed.done());
    follower.map_or(Ok(()), |follower| follower.finish(grown))?;
    let mut figures = figures(&observed, side.has_tree().then(|| after - before), reset);
    if side.has_tree() {
        figures.insert("tree_size".to_owned(), size as f64);
    }
    if matches!(load, Load::Rate(_)) {
        // It says what was asked for, less the time that the last answers took.
        figures.remove("entries_per_s");
    }
    Ok(figures)
}

/// What wrk finds under the load of a block, with somebody who reads the feed as there. It asks faster than this harness on the
/// same cores, and an entry that comes twice is refused.
fn beside(wrk: &Wrk, name: &str, side: &Side, load: Load, span: Duration) -> anyhow::Result<Option<Told>> {
    let Load::Connections(connections) = load else { return Ok(None) };
    let bodies = side.prepare(2 * side.most(connections, span))?;
    let size = side.tree_size()?;
    let follower = side.is_followed().then(|| Follower::from(&side.target.address, size)).transpose()?;
    let told = wrk.rate(name, &side.target, connections, span, &bodies)?;
    follower.map_or(Ok(()), Follower::leave)?;
    Ok(Some(told))
}

/// What a block says; of the server's memory the most only where that was reset before the block.
fn figures(observed: &Observed, server: Option<Usage>, reset: bool) -> Figures {
    let done = observed.done() as f64;
    let mut figures: Figures = [
        ("entries_per_s", observed.rate()),
        ("p50", observed.quantile(0.5)),
        ("p99", observed.quantile(0.99)),
        ("refused", observed.refused()),
        ("client_cpu", observed.own_cpu()),
        ("answer_bytes", observed.answer_bytes()),
    ]
    .map(|(metric, value)| (metric.to_owned(), value))
    .into();
    if let Some(used) = server {
        let server = [
            ("cpu_per_entry", used.cpu / done),
            ("written_per_entry", used.written / done),
            ("rss", used.rss),
        ];
        figures.extend(server.map(|(metric, value)| (metric.to_owned(), value)));
        figures.extend(used.peak_since(reset));
    }
    figures
}

/// Metrics that are no property of a server to be compared.
const NOT_COMPARED: [&str; 4] = ["client_cpu", "refused", "tree_size", wrk::RATIO];

fn rows(ledger: &Ledger, sides: &[Side], loads: &[Load]) -> Vec<Row> {
    let mut rows = Vec::new();
    let suffixes = loads.iter().map(|load| format!("_{}", load.suffix())).chain([String::new()]);
    for suffix in suffixes {
        let name = |side: &Side| format!("{}{suffix}", side.name);
        for side in sides {
            rows.extend(
                METRICS.into_iter().filter_map(|(metric, unit)| ledger.row(&name(side), metric, unit)),
            );
        }
        if suffix.is_empty() {
            rows.extend(sides.iter().filter_map(|side| {
                let row = ledger.row(&format!("{}_kill", side.name), "takeover", Unit::Seconds)?;
                Some(Row { name: side.name.to_owned(), ..row })
            }));
        }
        for other in sides.iter().filter(|side| side.has_tree() && !side.is_ours()) {
            let Some(ours) = sides.iter().find(|side| side.is_ours_to(other)) else { continue };
            let compared = METRICS.into_iter().filter(|(metric, _)| !NOT_COMPARED.contains(metric));
            rows.extend(compared.filter_map(|(metric, _)| ledger.ratio(&name(other), &name(ours), metric)));
        }
    }
    rows
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn what_adds_as_much_to_every_log_comes_first() {
        let full = Workload::read(false, None).unwrap().log;
        let loads = loads(&full);
        let (open, closed) = loads.split_at(full.rates.len());
        assert!(
            open.iter().all(|load| matches!(load, Load::Rate(_))) && closed.len() == full.connections.len()
        );
        assert!(closed.iter().all(|load| matches!(load, Load::Connections(_))));
    }
}
