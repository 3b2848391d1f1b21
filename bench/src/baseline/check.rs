//! The harness against wrk, which nobody here wrote: the same requests to the same real servers, over as many connections as
//! keep a server busy, in turns, every other block the other way about. Both must find the same rate: `agrees` is 1 where they
//! do, and where they do not the command leaves its rows and fails.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::runtime::Runtime;

use super::install::output;
use super::{Baseline, Missing, SHORT_INTERVAL};
use crate::load::{Asked, Pace, Target, run};
use crate::row::{Row, Unit};
use crate::suites::log::requests::{self, Face};
use crate::suites::sign::{issue_target, log_target, signing_requests, timestamp_request, timestamp_target};

/// How far apart the two may be.
const TOLERANCE: f64 = 0.15;
/// As few as have an interval that covers the median in 95 % of cases, and even, so that each is first as often.
const BLOCKS: usize = 6;
/// The metric that says whether they are not.
const AGREES: &str = "agrees";

/// Each thread of wrk takes the bodies in turn; they are there once, in hexadecimal, as a request may hold any byte.
const SCRIPT: &str = r#"
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do
  bodies[#bodies + 1] = (line:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end
local turn = 0
request = function()
  turn = turn + 1
  return wrk.format("POST", nil, { ["Content-Type"] = os.getenv("CONTENT_TYPE") }, bodies[(turn - 1) % #bodies + 1])
end
"#;

/// What is asked of one server.
struct Compared<'a> {
    name: &'static str,
    target: Target,
    connections: usize,
    /// Requests of one block: more than a span takes.
    count: usize,
    /// Of a server that answers in turns, many turns: a rate counts whole ones.
    span: Duration,
    bodies: &'a dyn Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>,
}

/// Rates by both for each server, their ratio, and whether they agree.
pub(super) fn rows(baseline: &Baseline) -> anyhow::Result<Vec<Row>> {
    if Command::new("wrk").arg("--version").output().is_err() {
        return Err(Missing::Wrk.into());
    }
    let home = tempfile::tempdir()?;
    let script = home.path().join("post.lua");
    std::fs::write(&script, SCRIPT)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let services = &baseline.trusted.services;
    let (short, long) = (Duration::from_secs(5), Duration::from_secs(20));
    let timestamps = |count| Ok((0..count).map(|_| timestamp_request().to_vec()).collect());
    let certificates = |count| signing_requests(count, &baseline.token()?);
    let entries = |count| requests::prepare(Face::Rekor2, count);
    let all = [
        Compared {
            name: "tsa",
            target: timestamp_target(&services.tsa)?,
            connections: 16,
            count: 60_000,
            span: short,
            bodies: &timestamps,
        },
        Compared {
            name: "fulcio",
            target: issue_target(&services.ca)?,
            connections: 16,
            count: 5_000,
            span: short,
            bodies: &certificates,
        },
        // Every entry for itself, or it would be a duplicate. Of a few connections any client finds as many a second as they
        // are, for each is answered at a checkpoint; of these a checkpoint does not take all, so that the rate is the server's.
        Compared {
            name: "rekor2",
            target: log_target(&services.rekor, Face::Rekor2)?,
            connections: 2_048,
            count: 24_000,
            span: long,
            bodies: &entries,
        },
    ];
    let mut rows = Vec::new();
    for compared in &all {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for index in 0..BLOCKS {
            if index % 2 == 1 {
                ours.push(compared.by_us(&runtime)?);
            }
            theirs.push(compared.by_wrk(&script, home.path())?);
            // wrk leaves without its last answers, and Rekor v2 fails the batch that a client has left.
            std::thread::sleep(3 * SHORT_INTERVAL);
            if index % 2 == 0 {
                ours.push(compared.by_us(&runtime)?);
            }
        }
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let name = format!("check/{}", compared.name);
        rows.push(Row::over(&name, "rate_harness", Unit::PerSecond, &ours));
        rows.push(Row::over(&name, "rate_wrk", Unit::PerSecond, &theirs));
        rows.extend(verdict(&name, &ratios));
    }
    Ok(rows)
}

/// The ratio, and 1 where its median is within the tolerance, 0 where it is not.
fn verdict(name: &str, ratios: &[f64]) -> [Row; 2] {
    let ratio = Row::over(name, "harness/wrk", Unit::One, ratios);
    let agrees = (ratio.median - 1.0).abs() <= TOLERANCE;
    eprintln!("{name}: the harness's rate is {:.3} of wrk's", ratio.median);
    [ratio, Row::exact(name, AGREES, Unit::One, f64::from(u8::from(agrees)))]
}

/// What the harness and wrk do not agree on, for whoever reads the rows: none where all is well.
pub(crate) fn disagreement(rows: &[Row]) -> Option<String> {
    let apart = rows.iter().filter(|row| row.metric == AGREES && row.median != 1.0);
    let names: Vec<&str> = apart.map(|row| row.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "agreement with wrk: the rates differ by more than {:.0} % in {}",
            TOLERANCE * 100.0,
            names.join(", ")
        )
    })
}

impl Compared<'_> {
    /// Requests per second, as the harness says.
    fn by_us(&self, runtime: &Runtime) -> anyhow::Result<f64> {
        let bodies = (self.bodies)(self.count)?;
        let pace = Pace::Closed { connections: self.connections, span: self.span };
        let observed = run(runtime, &self.target, bodies, pace)?;
        observed.ensure_whole()?;
        Ok(observed.rate())
    }

    /// Requests per second, as wrk says.
    fn by_wrk(&self, script: &Path, home: &Path) -> anyhow::Result<f64> {
        let bodies = home.join("bodies");
        let lines: Vec<String> = (self.bodies)(self.count)?.iter().map(hex::encode).collect();
        std::fs::write(&bodies, lines.join("\n") + "\n")?;
        let Asked::Post(content_type) = self.target.asked else { bail!("{} is asked otherwise", self.name) };
        let mut command = Command::new("wrk");
        command.env("BODIES", &bodies).env("CONTENT_TYPE", content_type);
        command.args(["--threads=1", &format!("--connections={}", self.connections)]);
        command
            .args([&format!("--duration={}s", self.span.as_secs()), "--timeout=30s"])
            .arg("--script")
            .arg(script);
        command.arg(format!("http://{}{}", self.target.address, self.target.path));
        let said = output(&mut command)?;
        rate(&String::from_utf8_lossy(&said.stdout))
    }
}

/// What wrk counted, if all answers were of success.
fn rate(said: &str) -> anyhow::Result<f64> {
    ensure!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "wrk's requests failed:\n{said}");
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("wrk said no rate:\n{said}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn rates_that_are_far_apart_are_named() {
        let near = verdict("check/tsa", &[0.9, 1.1, 1.2]);
        assert_eq!(near[1].median, 1.0);
        assert_eq!(disagreement(&near), None);
        let rows = [near, verdict("check/fulcio", &[0.7, 0.8, 1.0])].concat();
        let said = disagreement(&rows).unwrap();
        assert!(said.contains("check/fulcio") && !said.contains("check/tsa"), "{said}");
        // Whether faster or slower.
        assert!(disagreement(&verdict("check/tsa", &[1.16])).is_some());
    }

    #[test]
    fn a_rate_is_read_and_failures_are_none() {
        let said = "  4 requests in 1.00s, 2KB read\nRequests/sec:   5280.25\nTransfer/sec:  1MB\n";
        assert_eq!(rate(said).unwrap(), 5280.25);
        assert!(rate(&format!("{said}Non-2xx or 3xx responses: 4\n")).is_err());
        assert!(rate("").is_err());
    }
}
