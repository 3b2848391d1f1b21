//! A rate that rises until a server no longer keeps up: open loops, one after the other, the same moments for each side.
//!
//! A rate is kept when every request is answered and those who wait do not become more: no more than by a tenth of those who
//! come, so that a server which is asked for a tenth more than it can do still counts as keeping up. How often it answers, at
//! once or at checkpoints, makes no difference, as a quarter of a span has whole intervals. A low rate is asked for as long as
//! [`LEAST`] requests take. `SIDE_sN` are the rows at N a second; `SIDE_sweep` has the highest rate that was kept
//! (`rate_kept`; 0 where the lowest was not) and the first that was not (`rate_lost`; absent where all were, and then the
//! server can do that highest one at least). A server that dies has lost no rate: the sweep fails.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::baseline::{Usage, unless_dead};
use crate::ledger::{Figures, Ledger};
use crate::load::{Observed, Pace, Target, run as drive};
use crate::row::{Row, Unit};

const METRICS: [(&str, Unit); 7] = [
    ("p50", Unit::Seconds),
    ("p99", Unit::Seconds),
    ("done_per_s", Unit::PerSecond),
    ("failed", Unit::One),
    ("growth", Unit::One),
    ("client_cpu", Unit::Seconds),
    ("kept", Unit::One),
];
/// The part of those who come, by which those who wait may become more.
const SLACK: f64 = 0.1;
/// Requests of a rate, on average and at least.
const LEAST: f64 = 40.0;
/// The block that says that all steps before it are of one process.
const DONE: &str = "sweeps";
/// Requests before the first rate, so that connections and caches are warm.
const WARM: usize = 50;

/// A server that is swept.
pub(super) struct Swept<'a> {
    pub(super) name: &'a str,
    pub(super) target: &'a Target,
    pub(super) bodies: &'a dyn Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>,
    /// An error when one of its processes has died.
    pub(super) usage: &'a dyn Fn() -> anyhow::Result<Usage>,
    /// The rates, rising, and how long each is asked for, if that is long enough for [`LEAST`] requests.
    pub(super) rates: &'a [usize],
    pub(super) span: Duration,
}

impl Swept<'_> {
    /// Raises the rate until it is not kept.
    pub(super) fn sweep(&self, ledger: &mut Ledger, runtime: &Runtime) -> anyhow::Result<()> {
        if !self.rates.is_empty() {
            let pace = Pace::Closed { connections: 1, span: self.span };
            self.drive(runtime, WARM, pace)?.ensure_whole()?;
        }
        for rate in self.rates {
            let name = name_at(self.name, *rate);
            ledger.add(&name, 0, self.block(runtime, *rate)?)?;
            if ledger.samples(&name, "kept").get(&0) != Some(&1.0) {
                break;
            }
        }
        Ok(())
    }

    fn block(&self, runtime: &Runtime, rate: usize) -> anyhow::Result<Figures> {
        let span = span_at(self.span, rate);
        let pace = Pace::Open { rate: rate as f64, span, seed: rate as u64 };
        let span = span.as_secs_f64();
        let observed = self.drive(runtime, pace.requests().unwrap_or(0), pace)?;
        let failed: u64 = observed.failed.values().sum();
        let growth = observed.growth();
        let kept = failed == 0 && growth.is_some_and(|growth| growth <= SLACK);
        let figures = [
            ("p50", observed.quantile(0.5)),
            ("p99", observed.quantile(0.99)),
            ("done_per_s", observed.done() as f64 / observed.wall().max(span)),
            ("failed", failed as f64),
            ("client_cpu", observed.own_cpu()),
            ("kept", f64::from(u8::from(kept))),
        ];
        let growth = growth.map(|growth| ("growth", growth));
        let figures = figures.into_iter().chain(growth);
        // Of what was never done there are no latencies and no costs.
        let of_done = |metric: &str| ["p50", "p99", "client_cpu"].contains(&metric);
        let known = figures.filter(|(metric, _)| observed.done() > 0 || !of_done(metric));
        Ok(known.map(|(metric, value)| (metric.to_owned(), value)).collect())
    }

    /// Sends requests to a server that lives on: one that has died answers nobody, and that says nothing of a rate.
    fn drive(&self, runtime: &Runtime, count: usize, pace: Pace) -> anyhow::Result<Observed> {
        let observed = drive(runtime, self.target, (self.bodies)(count)?, pace);
        let observed = unless_dead(observed, self.usage)?;
        (self.usage)()?;
        Ok(observed)
    }
}

/// Whether all sweeps of a suite are there. They are measured by one process or anew: in a log that was filled for less, a rate is
/// kept by other means.
pub(super) fn are_done(ledger: &Ledger) -> bool {
    ledger.has(DONE, 0)
}

/// Has them be so.
pub(super) fn done(ledger: &mut Ledger) -> anyhow::Result<()> {
    ledger.add(DONE, 0, Figures::new())
}

fn span_at(span: Duration, rate: usize) -> Duration {
    span.max(Duration::from_secs_f64(LEAST / rate as f64))
}

fn name_at(side: &str, rate: usize) -> String {
    format!("{side}_s{rate}")
}

fn name_of_whole(side: &str) -> String {
    format!("{side}_sweep")
}

/// The rows of a side of this name.
pub(super) fn rows(ledger: &Ledger, side: &str, rates: &[usize]) -> Vec<Row> {
    let (mut rows, mut best, mut lost) = (Vec::new(), 0, None);
    for rate in rates {
        let name = name_at(side, *rate);
        let Some(kept) = ledger.samples(&name, "kept").get(&0).copied() else { break };
        rows.extend(METRICS.into_iter().filter_map(|(metric, unit)| {
            let value = *ledger.samples(&name, metric).get(&0)?;
            Some(Row::exact(&name, metric, unit, value))
        }));
        match kept == 1.0 {
            true => best = *rate,
            false => {
                // What comes then was left by a process that was killed.
                lost = Some(*rate);
                break;
            }
        }
    }
    if !rows.is_empty() {
        let name = name_of_whole(side);
        rows.push(Row::exact(&name, "rate_kept", Unit::PerSecond, best as f64));
        rows.extend(lost.map(|rate| Row::exact(&name, "rate_lost", Unit::PerSecond, rate as f64)));
    }
    rows
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::load::Asked;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
    }

    /// Serves one request at a time, of 2 ms each: 500 a second and no more.
    fn slow_server(runtime: &Runtime) -> Target {
        let turn = std::sync::Arc::new(tokio::sync::Mutex::new(()));
        let answer = move || {
            let turn = turn.clone();
            async move {
                let _turn = turn.lock().await;
                tokio::time::sleep(Duration::from_millis(2)).await;
                axum::http::StatusCode::CREATED
            }
        };
        let router = axum::Router::new().route("/add", axum::routing::post(answer));
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        });
        let (path, asked) = ("/add".into(), Asked::Post("application/json"));
        Target { address, further: Vec::new(), path, asked, success: 201 }
    }

    fn value(rows: &[Row], metric: &str) -> Option<f64> {
        rows.iter().find(|row| row.name == "x_sweep" && row.metric == metric).map(|row| row.median)
    }

    #[test]
    fn a_sweep_ends_at_the_first_rate_that_is_not_kept() {
        let runtime = runtime();
        let target = slow_server(&runtime);
        let mut ledger = Ledger::default();
        let bodies = |count| Ok(vec![b"{}".to_vec(); count]);
        let usage = || Ok(Usage::default());
        let (rates, span) = (&[200, 1_600, 3_200][..], Duration::from_secs(2));
        let swept = Swept { name: "x", target: &target, bodies: &bodies, usage: &usage, rates, span };
        swept.sweep(&mut ledger, &runtime).unwrap();
        let rows = rows(&ledger, "x", rates);
        // Two orders apart from what it can do, on a machine however slow.
        assert!(value(&rows, "rate_kept").unwrap() <= 400.0 && value(&rows, "rate_lost").unwrap() <= 1_600.0);
        assert!(!ledger.has("x_s3200", 0));
        assert!(super::rows(&ledger, "y", rates).is_empty());
    }

    #[test]
    fn a_server_that_died_has_lost_no_rate() {
        let runtime = runtime();
        let target = slow_server(&runtime);
        // Nobody listens there any more.
        let gone = Target { address: "127.0.0.1:1".into(), ..target.clone() };
        let dead = || Err(anyhow::anyhow!("x has died"));
        let bodies = |count| Ok(vec![b"{}".to_vec(); count]);
        let (rates, span) = (&[20][..], Duration::from_millis(200));
        for target in [target, gone] {
            let mut ledger = Ledger::default();
            let swept = Swept { name: "x", target: &target, bodies: &bodies, usage: &dead, rates, span };
            assert!(swept.sweep(&mut ledger, &runtime).unwrap_err().to_string().contains("has died"));
            assert!(!ledger.has("x_s20", 0));
        }
    }

    #[test]
    fn of_a_low_rate_enough_is_asked() {
        let span = Duration::from_secs(6);
        assert_eq!([span_at(span, 1), span_at(span, 8)], [Duration::from_secs(40), span]);
    }

    #[test]
    fn where_every_rate_was_kept_none_was_lost() {
        let mut ledger = Ledger::default();
        for rate in [100, 200] {
            ledger.add(&name_at("x", rate), 0, [("kept".to_owned(), 1.0)].into()).unwrap();
        }
        let rows = rows(&ledger, "x", &[100, 200]);
        assert_eq!(value(&rows, "rate_kept"), Some(200.0));
        assert_eq!(value(&rows, "rate_lost"), None);
    }

    #[test]
    fn steps_that_a_killed_process_left_are_no_part_of_what_is_measured_anew() {
        let mut ledger = Ledger::default();
        for (rate, kept) in [(100, 1.0), (200, 0.0), (400, 1.0)] {
            ledger.add(&name_at("x", rate), 0, [("kept".to_owned(), kept)].into()).unwrap();
        }
        assert!(!are_done(&ledger));
        done(&mut ledger).unwrap();
        assert!(are_done(&ledger));
        let rows = rows(&ledger, "x", &[100, 200, 400]);
        assert_eq!((value(&rows, "rate_kept"), value(&rows, "rate_lost")), (Some(100.0), Some(200.0)));
        assert!(!rows.iter().any(|row| row.name == "x_s400"));
    }
}
