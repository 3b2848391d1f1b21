//! A whole signing and each step of it: by our own client and by the stock clients against our instance, and with
//! `--against=fulcio` by the same clients against the real servers, the stock ones unchanged.
//!
//! Both sides' servers run in processes of their own on this machine, and take turns. Tokens of both sides come from the
//! same issuer's code and are not bound to a key, since stock clients do not bind. Ours is an instance of each scheme, so
//! that each step of privacy shows its price: `clear`, `hashed`, `zk` and `zk_deferred`, whose `server_cpu` has the proofs
//! that follow too, and whose `wall` has not. Of the real servers each role has its
//! processes and so its own CPU; ours share one process, `server_cpu`, whose parts the rows `op/…` tell: each operation
//! alone, closed loop. A signing begins with its token in hand: what an issuer spends on making one is in no figure of
//! either side. CPU of a signing ends with it, and with the proofs that follow; what servers do while a client verifies is
//! in none.

mod idle;
mod operations;
mod ours;
mod plain;
mod stock;

use std::time::Instant;

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;

use crate::Run;
use crate::baseline::{Baseline, Served, Stack, Usage, found};
use crate::ledger::{Figures, Ledger};
use crate::load::Target;
use crate::role::Variant;
use crate::row::{Measured, Row, Unit};
use crate::suites::in_turn;
use crate::suites::sweep::{self, Swept};
use crate::suites::wrk::{self, Wrk};
pub(crate) use operations::{
    certificate_log_target, issue_target, log_target, signing_requests, timestamp_request, timestamp_target,
};
pub(crate) use ours::Ours;

/// Metrics of these rows, and the unit of each.
const METRICS: [(&str, Unit); 29] = [
    ("wall", Unit::Seconds),
    ("issue", Unit::Seconds),
    ("timestamp", Unit::Seconds),
    ("log", Unit::Seconds),
    ("search", Unit::Seconds),
    ("verify", Unit::Seconds),
    ("verify_cpu", Unit::Seconds),
    ("client_cpu", Unit::Seconds),
    ("server_cpu", Unit::Seconds),
    ("ca_cpu", Unit::Seconds),
    ("log_cpu", Unit::Seconds),
    ("tsa_cpu", Unit::Seconds),
    ("search_cpu", Unit::Seconds),
    ("bundle_bytes", Unit::Bytes),
    // What the log keeps as the body of the entry, and of the receipt that follows a deferred certificate.
    ("body_bytes", Unit::Bytes),
    ("companion_bytes", Unit::Bytes),
    ("rate_max", Unit::PerSecond),
    (wrk::RATE, Unit::PerSecond),
    (wrk::RATIO, Unit::One),
    ("answer_bytes", Unit::Bytes),
    ("written", Unit::Bytes),
    ("rss", Unit::Bytes),
    ("peak_rss", Unit::Bytes),
    ("proof_delay", Unit::Seconds),
    // What the client of one connection spends on a request, and its part of the wall clock: most is the kernel's sending and
    // receiving, which any client pays. What goes by between such calls is the harness itself.
    ("request_cpu", Unit::Seconds),
    ("request_share", Unit::One),
    ("harness_wall", Unit::Seconds),
    ("harness_share", Unit::One),
    // Of one core, by servers that nobody asks.
    ("idle_cpu", Unit::One),
];

/// Metrics that are no property of a server to be compared.
const OF_THE_HARNESS: [&str; 5] =
    ["request_cpu", "request_share", "harness_wall", "harness_share", wrk::RATIO];

/// Something that is measured in turn with the others, and the name of its rows.
struct Turn<'a> {
    name: String,
    /// One block of it, of the round with this number.
    measure: Box<dyn Fn(usize) -> anyhow::Result<Figures> + 'a>,
}

pub(crate) fn run(run: &Run<'_>) -> anyhow::Result<Measured> {
    let compared = match run.against {
        [] => false,
        [one] if one == "fulcio" => true,
        other => bail!(
            "suite sign knows fulcio, with the servers around it, to compare with, not {}",
            other.join(",")
        ),
    };
    let (amount, mut left_out) = (&run.workload.sign, Vec::new());
    let mut ledger = run.ledger("sign")?;
    let mut stack = Stack::new()?;
    let schemes: &[Variant] = if compared { &Variant::ALL } else { &[Variant::Zk, Variant::ZkDeferred] };
    let ours = schemes.iter().map(|scheme| Ours::start(&mut stack, scheme.name(), *scheme));
    let ours = ours.collect::<anyhow::Result<Vec<_>>>()?;
    let null = stack.null()?;
    let theirs = if compared { found(with_rekor1(&mut stack), &mut left_out)? } else { None };
    let baseline = theirs.as_ref().map(|(baseline, _)| baseline);
    let home = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let clients = match compared {
        true => Some(stock::Clients::new(&stack, home.path(), amount.signings, &mut left_out)?),
        false => None,
    };
    let wrk = if compared { found(Wrk::new(), &mut left_out)? } else { None };
    let proving = |ours: &&Ours| ours.scheme.proves();
    let client = sigveil::service::client::Client::new().map_err(crate::said)?;
    let mut turns: Vec<Turn<'_>> = ours.iter().filter(proving).map(Ours::turn).collect();
    turns.extend(plain::turns(&client, &ours, baseline)?);
    turns.extend(clients.iter().flat_map(|clients| clients.turns(&ours, baseline)));
    turns.extend(operations::turns(&runtime, amount.span(), &ours, &null, theirs.as_ref(), wrk.as_ref())?);
    turns.extend(idle::turns(amount.span(), &ours, theirs.as_ref()));
    let begun = Instant::now();
    for index in 0..amount.rounds {
        // A round that was interrupted is measured anew: turns of two processes are none.
        if turns.iter().all(|turn| ledger.has(&turn.name, index)) {
            continue;
        }
        for turn in in_turn(&turns, index) {
            let figures = (turn.measure)(index).with_context(|| format!("block {index} of {}", turn.name))?;
            ledger.add(&turn.name, index, figures)?;
        }
        eprintln!("round {} done, {:.0} s in", index + 1, begun.elapsed().as_secs_f64());
    }
    let names: Vec<String> = turns.iter().map(|turn| turn.name.clone()).collect();
    drop(turns);
    left_out.extend(wrk::left_out(&ledger));
    let mut rows = rows(&ledger, &names);
    rows.extend(sweeps(run, &mut ledger, &runtime, &ours, baseline)?);
    stack.stop()?;
    Ok(Measured { rows, left_out, continued: ledger.is_continued() })
}

/// The servers of a whole signing, and Rekor v1 for what only it answers: searches. Over a Trillian of its own, so that none
/// of its CPU is Fulcio's.
fn with_rekor1(stack: &mut Stack) -> anyhow::Result<(Baseline, Served)> {
    let baseline = Baseline::start(stack)?;
    let trillian = stack.trillian("rekor1")?;
    let rekor1 = stack.rekor1(&trillian)?;
    Ok((baseline, rekor1))
}

/// Rates that rise until a server no longer keeps them: of timestamps, and of certificates of each scheme.
fn sweeps(
    run: &Run<'_>,
    ledger: &mut Ledger,
    runtime: &Runtime,
    ours: &[Ours],
    baseline: Option<&Baseline>,
) -> anyhow::Result<Vec<Row>> {
    let (sweep, mut rows, are_done) = (&run.workload.sweep, Vec::new(), sweep::are_done(ledger));
    let mut one = |name: &str, target: Target, bodies: Bodies<'_>, usage: Used<'_>, rates: &[usize]| {
        let swept = Swept { name, target: &target, bodies, usage, rates, span: sweep.span() };
        if !are_done {
            swept.sweep(ledger, runtime)?;
        }
        rows.extend(sweep::rows(ledger, name, rates));
        anyhow::Ok(())
    };
    let timestamps = |count| Ok((0..count).map(|_| timestamp_request().to_vec()).collect());
    if let Some(zk) = ours.iter().find(|ours| ours.scheme == Variant::Zk) {
        let target = Target { success: 201, ..timestamp_target(&zk.services.tsa)? };
        one("sweep/timestamp/sigveil", target, &timestamps, &|| zk.usage(), &sweep.rates)?;
    }
    if let Some(theirs) = baseline {
        let services = &theirs.trusted.services;
        let target = timestamp_target(&services.tsa)?;
        one("sweep/timestamp/tsa", target, &timestamps, &|| theirs.tsa.usage(), &sweep.rates)?;
        let certificates = |count| signing_requests(count, &theirs.token()?);
        let target = issue_target(&services.ca)?;
        one("sweep/issue/fulcio", target, &certificates, &|| theirs.fulcio.usage(), &sweep.issue_rates)?;
    }
    // A deferred certificate owes a proof: rates beyond those of `zk` would be owed for minutes.
    for side in ours.iter().filter(|ours| ours.scheme != Variant::ZkDeferred) {
        let certificates = |count| signing_requests(count, &side.token()?);
        let name = format!("sweep/issue/{}", side.scheme.name());
        let target = issue_target(&side.services.ca)?;
        let rates = if side.scheme.proves() { &sweep.prove_rates } else { &sweep.issue_rates };
        one(&name, target, &certificates, &|| side.usage(), rates)?;
    }
    if !are_done {
        sweep::done(ledger)?;
    }
    Ok(rows)
}

/// Makes so many requests.
type Bodies<'a> = &'a dyn Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>;
/// What a server has used, if it lives.
type Used<'a> = &'a dyn Fn() -> anyhow::Result<Usage>;

/// A row for each metric that a name has, and the ratio of ours to theirs for each pair of names.
fn rows(ledger: &Ledger, names: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in names {
        rows.extend(METRICS.into_iter().filter_map(|(metric, unit)| ledger.row(name, metric, unit)));
    }
    for (ours, theirs) in names.iter().filter_map(|name| Some((name, counterpart(name, names)?))) {
        let compared = METRICS.into_iter().filter(|(metric, _)| !OF_THE_HARNESS.contains(metric));
        rows.extend(compared.filter_map(|(metric, _)| ledger.ratio(ours, theirs, metric)));
    }
    rows
}

/// What a row of ours is compared with, if it was measured.
fn counterpart<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    let theirs = match name {
        "op/timestamp/sigveil" => "op/timestamp/tsa",
        "op/log/sigveil" => "op/log/rekor2",
        "op/search/sigveil" => "op/search/rekor1",
        _ => match name.strip_prefix("op/issue/") {
            Some("fulcio") => return None,
            Some(_) => "op/issue/fulcio",
            None => match name.split_once('/') {
                Some(("baseline" | "op", _)) | None => return None,
                Some((_, "python")) => "baseline/python",
                Some((_, "cosign")) => "baseline/cosign",
                Some((_, "sigveil")) => "baseline/sigveil",
                Some((_, "idle")) => "baseline/idle",
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
        let mut ledger = Ledger::default();
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
        assert_eq!(counterpart("baseline/sigveil", &["baseline/sigveil".to_owned()]), None);
    }
}
