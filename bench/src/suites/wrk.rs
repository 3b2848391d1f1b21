//! wrk, which nobody here wrote, in the place of this harness: the same requests to the same server over as many connections,
//! in the same round. What it finds is `rate_wrk`, and `harness/wrk` this harness's rate over it, which is one where both find
//! the same. A report says where they do not.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::baseline::{Missing, SHORT_INTERVAL, output};
use crate::ledger::{Figures, Ledger};
use crate::load::{Asked, Target};
use crate::row::Row;

/// What is not there where they differ: no other measurement would bring it.
pub(crate) const AGREEMENT: &str = "agreement with wrk";
/// How far apart the two may be.
const TOLERANCE: f64 = 0.15;
/// The metric that says how far they are.
pub(crate) const RATIO: &str = "harness/wrk";
/// And that of wrk's rate.
pub(crate) const RATE: &str = "rate_wrk";
/// Of a block in which wrk's requests failed: of no row.
const FAILED: &str = "wrk_failed";

/// Each thread of wrk takes the bodies in turn; they are there once, a line each, in hexadecimal if one holds the end of a line.
const SCRIPT: &str = r#"
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do
  if os.getenv("HEXADECIMAL") then
    line = line:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
  end
  bodies[#bodies + 1] = line
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

/// What it told of one block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    /// Requests a second.
    Rate(f64),
    /// Nothing, since some of its requests failed.
    Failed,
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

    /// What it finds a second. Nothing, and a word about it, where its requests failed: it counts them all the same, and leaves
    /// whoever takes long.
    pub(crate) fn rate(
        &self,
        name: &str,
        target: &Target,
        connections: usize,
        span: Duration,
        bodies: &[Vec<u8>],
    ) -> anyhow::Result<Told> {
        let mut command = self.command(target, connections, span, bodies)?;
        let said = output(&mut command).map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
        // It leaves without its last answers, and Rekor v2 fails the batch that a client has left.
        std::thread::sleep(3 * SHORT_INTERVAL);
        match said.and_then(|said| rate(&said)) {
            Ok(rate) => Ok(Told::Rate(rate)),
            Err(error) => {
                eprintln!("sigveil-bench: nothing by wrk for {name}: {error:#}");
                Ok(Told::Failed)
            }
        }
    }

    fn command(
        &self,
        target: &Target,
        connections: usize,
        span: Duration,
        bodies: &[Vec<u8>],
    ) -> anyhow::Result<Command> {
        let file = |name: &str| self.home.path().join(name);
        let mut command = Command::new("wrk");
        if bodies.iter().any(|body| body.iter().any(|byte| b"\r\n".contains(byte))) {
            let lines: Vec<String> = bodies.iter().map(hex::encode).collect();
            std::fs::write(file("bodies"), lines.join("\n") + "\n")?;
            command.env("HEXADECIMAL", "yes");
        } else {
            std::fs::write(file("bodies"), [bodies.join(&b'\n'), b"\n".to_vec()].concat())?;
        }
        let Asked::Post(content_type) = target.asked else { bail!("{} is asked otherwise", target.path) };
        command.env("BODIES", file("bodies")).env("CONTENT_TYPE", content_type);
        command.args(["--threads=1", &format!("--connections={connections}"), "--timeout=30s"]);
        command.arg(format!("--duration={}s", span.as_secs())).arg("--script").arg(file("post.lua"));
        command.arg(format!("http://{}{}", target.address, target.path));
        Ok(command)
    }
}

/// A measurement by this harness, and wrk's beside it if there is one, first in every other round.
pub(crate) fn beside<T>(
    round: usize,
    by_wrk: impl FnOnce() -> anyhow::Result<Option<Told>>,
    by_harness: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Option<Told>)> {
    if round % 2 == 1 {
        let told = by_wrk()?;
        return Ok((by_harness()?, told));
    }
    Ok((by_harness()?, by_wrk()?))
}

/// What a block says where the harness has found one rate and wrk another, or was to.
pub(crate) fn figures(found: f64, by_wrk: Option<Told>) -> Figures {
    match by_wrk {
        Some(Told::Rate(rate)) => [(RATE.to_owned(), rate), (RATIO.to_owned(), found / rate)].into(),
        Some(Told::Failed) => [(FAILED.to_owned(), 1.0)].into(),
        None => Figures::new(),
    }
}

/// The blocks of a run that it has no figure for.
pub(crate) fn left_out(ledger: &Ledger) -> Vec<String> {
    let failed = ledger.blocks_with(FAILED).into_iter();
    failed.map(|(name, blocks)| format!("{blocks} blocks by wrk for {name}, which failed")).collect()
}

/// What the harness and wrk do not agree on, for whoever reads the rows: none where all is well.
pub(crate) fn disagreement(rows: &[Row]) -> Option<String> {
    let apart = rows.iter().filter(|row| row.metric == RATIO && (row.median - 1.0).abs() > TOLERANCE);
    let names: Vec<&str> = apart.map(|row| row.name.as_str()).collect();
    let far = format!("{AGREEMENT}: the rates differ by more than {:.0} % in ", TOLERANCE * 100.0);
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
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use axum::http::StatusCode;

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

    /// A server that takes each body once, and one that takes any.
    async fn serving(once: bool) -> (Target, Arc<Mutex<BTreeSet<Vec<u8>>>>) {
        let seen: Arc<Mutex<BTreeSet<Vec<u8>>>> = Arc::default();
        let told = seen.clone();
        let answer = move |body: axum::body::Bytes| async move {
            let is_new = told.lock().unwrap().insert(body.to_vec());
            if is_new || !once { StatusCode::CREATED } else { StatusCode::CONFLICT }
        };
        let router = axum::Router::new().route("/add", axum::routing::post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (path, asked) = ("/add".to_owned(), Asked::Post("text/plain"));
        (Target { address, further: Vec::new(), path, asked, success: 201 }, seen)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_body_is_sent_as_it_is_and_what_was_refused_is_no_figure() {
        let Ok(wrk) = Wrk::new() else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs wrk");
            eprintln!("skipped: wrk is not installed");
            return;
        };
        for bodies in [["{\"a\":1}", "b"], ["one\ntwo\r", "\0\u{7f}"]] {
            let bodies = bodies.map(|body| body.as_bytes().to_vec());
            let (target, seen) = serving(false).await;
            let rate = |wrk: &Wrk, target| wrk.rate("x", target, 2, Duration::from_secs(1), &bodies).unwrap();
            let told = tokio::task::block_in_place(|| rate(&wrk, &target));
            assert!(matches!(told, Told::Rate(rate) if rate > 0.0), "{told:?}");
            assert_eq!(*seen.lock().unwrap(), BTreeSet::from(bodies.clone()));
            let (target, _) = serving(true).await;
            assert_eq!(tokio::task::block_in_place(|| rate(&wrk, &target)), Told::Failed);
        }
    }

    #[test]
    fn a_block_that_failed_is_named_by_whatever_process_ends_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let heading = crate::ledger::tests::heading();
        let mut ledger = Ledger::open(Some(&path), &heading).unwrap();
        ledger.add("x", 0, figures(3.0, Some(Told::Rate(2.0)))).unwrap();
        ledger.add("x", 1, figures(3.0, Some(Told::Failed))).unwrap();
        ledger.add("y", 0, figures(3.0, None)).unwrap();
        drop(ledger);
        let ledger = Ledger::open(Some(&path), &heading).unwrap();
        assert_eq!(left_out(&ledger), ["1 blocks by wrk for x, which failed"]);
        assert_eq!(ledger.samples("x", RATIO), [(0, 1.5)].into());
    }

    #[test]
    fn a_rate_is_read_and_failures_are_none() {
        let said = "  4 requests in 1.00s, 2KB read\nRequests/sec:   5280.25\nTransfer/sec:  1MB\n";
        assert_eq!(rate(said).unwrap(), 5280.25);
        assert!(rate(&format!("{said}Non-2xx or 3xx responses: 4\n")).is_err());
        assert!(rate("").is_err());
    }
}
