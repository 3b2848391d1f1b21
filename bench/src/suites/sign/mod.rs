//! A whole signing and each step of it: by our own client and by the stock clients against our instance, and with
//! `--against=fulcio` by the same stock clients, unchanged, against the real servers.
//!
//! Both sides' servers run in processes of their own on this machine, and take turns. Tokens of both sides come from the
//! same issuer's code and are not bound to a key, since stock clients do not bind. Ours is an instance of each scheme, so
//! that each step of privacy shows its price: `clear`, `hashed`, `zk` and `zk_deferred`, whose `server_cpu` has the proofs
//! that follow too, and whose `wall` has not. Of the real servers each role has its
//! processes and so its own CPU; ours share one process, `server_cpu`, whose parts the rows `op/…` tell: each operation
//! alone, closed loop.

mod operations;
mod ours;
mod stock;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::Effort;
use crate::baseline::{Baseline, Stack, Versions, found};
use crate::ledger::{Figures, Heading, Ledger};
use crate::load::Target;
use crate::machine;
use crate::role::Variant;
use crate::row::{Row, Unit};
use crate::suites::sweep::{self, Swept};
pub(crate) use operations::{issue_target, log_target, signing_request, timestamp_request, timestamp_target};
use ours::Ours;

/// Metrics of these rows, and the unit of each.
const METRICS: [(&str, Unit); 17] = [
    ("wall", Unit::Seconds),
    ("issue", Unit::Seconds),
    ("timestamp", Unit::Seconds),
    ("log", Unit::Seconds),
    ("search", Unit::Seconds),
    ("verify", Unit::Seconds),
    ("client_cpu", Unit::Seconds),
    ("server_cpu", Unit::Seconds),
    ("ca_cpu", Unit::Seconds),
    ("log_cpu", Unit::Seconds),
    ("tsa_cpu", Unit::Seconds),
    ("bundle_bytes", Unit::Bytes),
    ("rate_max", Unit::PerSecond),
    ("peak_rss", Unit::Bytes),
    ("proof_delay", Unit::Seconds),
    // What the harness itself spends on a request, and its part of the wall clock with one connection.
    ("request_cpu", Unit::Seconds),
    ("harness_share", Unit::One),
];

/// Something that is measured in turn with the others, and the name of its rows.
struct Turn<'a> {
    name: String,
    /// One block of it.
    measure: Box<dyn Fn() -> anyhow::Result<Figures> + 'a>,
}

pub(crate) fn run(effort: Effort, against: &[String], record: Option<&Path>) -> anyhow::Result<Vec<Row>> {
    let compared = match against {
        [] => false,
        [one] if one == "fulcio" => true,
        other => bail!(
            "suite sign knows fulcio, with the servers around it, to compare with, not {}",
            other.join(",")
        ),
    };
    let heading = Heading {
        suite: format!("sign --against={}", against.join(",")),
        commit: machine::commit(),
        cpu: machine::Machine::read().cpu,
        quick: effort.quick,
        versions: Versions::pinned()?.table(),
    };
    let mut ledger = Ledger::open(record, &heading)?;
    let mut stack = Stack::new()?;
    let schemes: &[Variant] = if compared { &Variant::ALL } else { &[Variant::Zk, Variant::ZkDeferred] };
    let ours = schemes.iter().map(|scheme| Ours::start(&mut stack, *scheme));
    let ours = ours.collect::<anyhow::Result<Vec<_>>>()?;
    let null = stack.null()?;
    let baseline = if compared { found(Baseline::start(&mut stack))? } else { None };
    let home = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let clients = match compared {
        true => found(stock::Both::new(&stack, home.path(), effort.times(1, 3)))?,
        false => None,
    };
    let proving = |ours: &&Ours| matches!(ours.scheme, Variant::Zk | Variant::ZkDeferred);
    let mut turns: Vec<Turn<'_>> = ours.iter().filter(proving).map(Ours::turn).collect();
    turns.extend(clients.iter().flat_map(|clients| clients.turns(&ours, baseline.as_ref())));
    turns.extend(operations::turns(&runtime, effort, &ours, &null, baseline.as_ref())?);
    let begun = Instant::now();
    for index in 0..effort.times(2, 8) {
        for turn in &turns {
            if !ledger.has(&turn.name, index) {
                let figures = (turn.measure)().with_context(|| format!("block {index} of {}", turn.name))?;
                ledger.add(&turn.name, index, figures)?;
            }
        }
        eprintln!("round {} done, {:.0} s in", index + 1, begun.elapsed().as_secs_f64());
    }
    let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
    drop(turns);
    let zk = ours.iter().find(|ours| ours.scheme == Variant::Zk);
    let tsas = zk
        .map(|zk| ("sweep/timestamp/sigveil", &zk.services.tsa, 201))
        .into_iter()
        .chain(baseline.iter().map(|theirs| ("sweep/timestamp/tsa", &theirs.trusted.services.tsa, 200)));
    let mut rows = rows(&ledger, &names);
    for (name, url, success) in tsas {
        let target = Target { success, ..timestamp_target(url)? };
        let bodies = |count| Ok((0..count).map(|_| timestamp_request().to_vec()).collect());
        let swept = Swept { name, target: &target, interval: Duration::from_millis(250), bodies: &bodies };
        swept.sweep(&mut ledger, &runtime, effort.quick)?;
        rows.extend(sweep::rows(&ledger, name, effort.quick));
    }
    stack.stop()?;
    Ok(rows)
}

/// A row for each metric that a name has, and the ratio of ours to theirs for each pair of names.
fn rows(ledger: &Ledger, names: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in names {
        for (metric, unit) in METRICS {
            let samples: Vec<f64> = ledger.samples(name, metric).into_values().collect();
            if !samples.is_empty() {
                rows.push(Row::over(name, metric, unit, &samples));
            }
        }
    }
    for (ours, theirs) in names.iter().filter_map(|name| Some((name, counterpart(name, names)?))) {
        rows.extend(METRICS.into_iter().filter_map(|(metric, _)| ledger.ratio(ours, theirs, metric)));
    }
    rows
}

/// What a row of ours is compared with, if it was measured.
fn counterpart<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    let theirs = match name {
        "op/timestamp/sigveil" => "op/timestamp/tsa",
        "op/log/sigveil" => "op/log/rekor2",
        _ => match name.strip_prefix("op/issue/") {
            Some("fulcio") => return None,
            Some(_) => "op/issue/fulcio",
            None => match name.split_once('/') {
                Some(("baseline" | "op", _)) | None => return None,
                Some((_, "python")) => "baseline/python",
                Some((_, "cosign")) => "baseline/cosign",
                Some(_) => return None,
            },
        },
    };
    names.iter().find(|name| *name == theirs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn ratios_pair_blocks_of_the_same_round() {
        let heading = Heading {
            suite: String::new(),
            commit: String::new(),
            cpu: String::new(),
            quick: true,
            versions: Default::default(),
        };
        let mut ledger = Ledger::open(None, &heading).unwrap();
        let wall = |value| Figures::from([("wall".to_owned(), value)]);
        ledger.add("zk/cosign", 0, wall(2.0)).unwrap();
        ledger.add("zk/cosign", 1, wall(8.0)).unwrap();
        ledger.add("baseline/cosign", 0, wall(1.0)).unwrap();
        // Of round 1 the other side was not finished: there is no pair.
        let names = ["zk/cosign", "baseline/cosign"].map(str::to_owned);
        let rows = rows(&ledger, &names);
        let ratio = rows.iter().find(|row| row.name == "zk/cosign/baseline/cosign").unwrap();
        assert_eq!((ratio.median, ratio.n), (2.0, 1));
        assert_eq!(counterpart("zk/python", &names), None);
        assert_eq!(counterpart("hashed/cosign", &names), Some(&names[1]));
        assert_eq!(counterpart("baseline/cosign", &names), None);
    }
}
