//! wrk, which nobody here wrote, in the place of this harness: the same requests to the same server over as many connections,
//! in the same round. What it finds is `rate_wrk`, and `harness/wrk` this harness's rate over it, which is one where both find
//! the same. A report says where they do not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::baseline::{Missing, SHORT_INTERVAL, output};
use crate::ledger::Figures;
use crate::load::{Asked, Target};
use crate::row::Row;

/// How far apart the two may be.
const TOLERANCE: f64 = 0.15;
/// The metric that says how far they are.
pub(crate) const RATIO: &str = "harness/wrk";
/// And that of wrk's rate.
pub(crate) const RATE: &str = "rate_wrk";

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

/// wrk, and where its script and its requests are.
pub(crate) struct Wrk {
    home: TempDir,
}

impl Wrk {
    /// If it is installed.
    pub(crate) fn new() -> anyhow::Result<Self> {
        if Command::new("wrk").arg("--version").output().is_err() {
            return Err(Missing::Wrk.into());
        }
        let home = tempfile::tempdir()?;
        std::fs::write(home.path().join("post.lua"), SCRIPT)?;
        Ok(Self { home })
    }

    /// What it finds where this harness has found so many a second, and the ratio. Nothing, and a word about it, where its
    /// requests failed: it leaves whoever takes long, and says no rate of those that were done alone.
    pub(crate) fn beside(
        &self,
        found: f64,
        target: &Target,
        connections: usize,
        span: Duration,
        bodies: &[Vec<u8>],
    ) -> anyhow::Result<Figures> {
        let said = self.run(target, connections, span, bodies)?;
        // It leaves without its last answers, and Rekor v2 fails the batch that a client has left.
        std::thread::sleep(3 * SHORT_INTERVAL);
        match rate(&said) {
            Ok(rate) => Ok([(RATE.to_owned(), rate), (RATIO.to_owned(), found / rate)].into()),
            Err(error) => {
                eprintln!("sigveil-bench: nothing by wrk: {error:#}");
                Ok(Figures::new())
            }
        }
    }

    fn run(
        &self,
        target: &Target,
        connections: usize,
        span: Duration,
        bodies: &[Vec<u8>],
    ) -> anyhow::Result<String> {
        let file = |name: &str| self.home.path().join(name);
        write_lines(&file("bodies"), bodies)?;
        let Asked::Post(content_type) = target.asked else { bail!("{} is asked otherwise", target.path) };
        let mut command = Command::new("wrk");
        command.env("BODIES", file("bodies")).env("CONTENT_TYPE", content_type);
        command.args(["--threads=1", &format!("--connections={connections}"), "--timeout=30s"]);
        command.arg(format!("--duration={}s", span.as_secs())).arg("--script").arg(file("post.lua"));
        command.arg(format!("http://{}{}", target.address, target.path));
        Ok(String::from_utf8_lossy(&output(&mut command)?.stdout).into_owned())
    }
}

fn write_lines(file: &Path, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let lines: Vec<String> = bodies.iter().map(hex::encode).collect();
    Ok(std::fs::write(file, lines.join("\n") + "\n")?)
}

/// What the harness and wrk do not agree on, for whoever reads the rows: none where all is well.
pub(crate) fn disagreement(rows: &[Row]) -> Option<String> {
    let apart = rows.iter().filter(|row| row.metric == RATIO && (row.median - 1.0).abs() > TOLERANCE);
    let names: Vec<&str> = apart.map(|row| row.name.as_str()).collect();
    let far = format!("agreement with wrk: the rates differ by more than {:.0} % in ", TOLERANCE * 100.0);
    (!names.is_empty()).then(|| far + &names.join(", "))
}

/// What wrk counted, if all answers were of success.
fn rate(said: &str) -> anyhow::Result<f64> {
    ensure!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "its requests failed:\n{said}");
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.and_then(|rate| rate.trim().parse().ok()).with_context(|| format!("it said no rate:\n{said}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::row::Unit;

    #[test]
    fn rates_that_are_far_apart_are_named() {
        let ratio = |name, ratios: &[f64]| Row::over(name, RATIO, Unit::One, ratios);
        let near = ratio("op/timestamp/tsa", &[0.9, 1.1, 1.2]);
        assert_eq!(disagreement(std::slice::from_ref(&near)), None);
        let said = disagreement(&[near, ratio("op/issue/fulcio", &[0.7, 0.8, 1.0])]).unwrap();
        assert!(said.contains("op/issue/fulcio") && !said.contains("tsa"), "{said}");
        // Whether faster or slower, and of that metric alone.
        assert!(disagreement(&[ratio("x", &[1.16])]).is_some());
        assert!(disagreement(&[Row::over("x", RATE, Unit::PerSecond, &[1.16])]).is_none());
    }

    #[test]
    fn a_rate_is_read_and_failures_are_none() {
        let said = "  4 requests in 1.00s, 2KB read\nRequests/sec:   5280.25\nTransfer/sec:  1MB\n";
        assert_eq!(rate(said).unwrap(), 5280.25);
        assert!(rate(&format!("{said}Non-2xx or 3xx responses: 4\n")).is_err());
        assert!(rate("").is_err());
    }
}
