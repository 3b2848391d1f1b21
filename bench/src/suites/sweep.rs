//! A rate that rises until a server no longer keeps up: open loops, one after the other, the same moments for each side.
//!
//! A rate is kept when every request is answered, and the last one no later than the span and two of the server's own
//! intervals. `SIDE_sN` are the rows at N a second; `SIDE_sweep` has the highest rate that was kept (`rate_kept`; 0 where
//! the lowest was not) and the first that was not (`rate_lost`; absent where all were).

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::ledger::{Figures, Ledger};
use crate::load::{Pace, Target, run as drive};
use crate::row::{Row, Unit};

const METRICS: [(&str, Unit); 5] = [
    ("p50", Unit::Seconds),
    ("p99", Unit::Seconds),
    ("done_per_s", Unit::PerSecond),
    ("failed", Unit::One),
    ("kept", Unit::One),
];

/// A server that is swept.
pub(super) struct Swept<'a> {
    pub(super) name: &'a str,
    pub(super) target: &'a Target,
    /// Between answers, of a server that answers many at once.
    pub(super) interval: Duration,
    pub(super) bodies: &'a dyn Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>,
    /// The rates, rising, and how long each is asked for.
    pub(super) rates: &'a [usize],
    pub(super) span: Duration,
}

impl Swept<'_> {
    fn name_at(&self, rate: usize) -> String {
        format!("{}_s{rate}", self.name)
    }

    /// Raises the rate until it is not kept; what the ledger has is not measured again.
    pub(super) fn sweep(&self, ledger: &mut Ledger, runtime: &Runtime) -> anyhow::Result<()> {
        for rate in self.rates {
            let name = self.name_at(*rate);
            if !ledger.has(&name, 0) {
                ledger.add(&name, 0, self.block(runtime, *rate)?)?;
            }
            if ledger.samples(&name, "kept").get(&0) != Some(&1.0) {
                break;
            }
        }
        Ok(())
    }

    fn block(&self, runtime: &Runtime, rate: usize) -> anyhow::Result<Figures> {
        let span = self.span;
        let pace = Pace::Open { rate: rate as f64, span, seed: rate as u64 };
        let bodies = (self.bodies)(pace.requests().unwrap_or(0))?;
        let observed = drive(runtime, self.target, bodies, pace)?;
        let failed: u64 = observed.failed.values().sum();
        let in_time = span.as_secs_f64() * 1.05 + 2.0 * self.interval.as_secs_f64();
        let kept = failed == 0 && observed.wall() <= in_time;
        let figures = [
            ("p50", observed.quantile(0.5)),
            ("p99", observed.quantile(0.99)),
            ("done_per_s", observed.done() as f64 / observed.wall().max(span.as_secs_f64())),
            ("failed", failed as f64),
            ("kept", f64::from(u8::from(kept))),
        ];
        Ok(figures.map(|(metric, value)| (metric.to_owned(), value)).into())
    }
}

/// The rows of a side of this name.
pub(super) fn rows(ledger: &Ledger, side: &str, rates: &[usize]) -> Vec<Row> {
    let (mut rows, mut best, mut lost) = (Vec::new(), 0, None);
    for rate in rates {
        let name = format!("{side}_s{rate}");
        let Some(kept) = ledger.samples(&name, "kept").get(&0).copied() else { break };
        rows.extend(METRICS.into_iter().filter_map(|(metric, unit)| {
            let value = *ledger.samples(&name, metric).get(&0)?;
            Some(Row::exact(&name, metric, unit, value))
        }));
        match kept == 1.0 {
            true => best = *rate,
            false => lost = Some(*rate),
        }
    }
    if !rows.is_empty() {
        let name = format!("{side}_sweep");
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

    #[test]
    fn a_sweep_ends_at_the_first_rate_that_is_not_kept() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        // Serves one request at a time, of 2 ms each: 500 a second and no more.
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
        let target =
            Target { address, path: "/add".into(), asked: Asked::Post("application/json"), success: 201 };
        let mut ledger = Ledger::default();
        let bodies = |count| Ok(vec![b"{}".to_vec(); count]);
        let interval = Duration::from_millis(200);
        let (rates, span) = (&[200, 1_600, 3_200][..], Duration::from_secs(2));
        let swept = Swept { name: "x", target: &target, interval, bodies: &bodies, rates, span };
        swept.sweep(&mut ledger, &runtime).unwrap();
        let rows = rows(&ledger, "x", rates);
        let value = |metric: &str| {
            rows.iter().find(|row| row.name == "x_sweep" && row.metric == metric).unwrap().median
        };
        // Two orders apart from what it can do, on a machine however slow.
        assert!(value("rate_kept") <= 400.0 && value("rate_lost") <= 1_600.0);
        assert!(!ledger.has("x_s3200", 0));
        assert!(super::rows(&ledger, "y", rates).is_empty());
    }
}
