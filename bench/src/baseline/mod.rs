//! The real Sigstore servers on this machine: Fulcio, Rekor v2 and v1, the CT log over Trillian and MariaDB, the
//! timestamp authority, and an OIDC issuer.
//!
//! They are the programs that their authors publish, built by `go install` at the versions that `bench/baseline.toml`
//! pins, on free loopback ports, each over an empty folder. Every process is noted by id and start time before anything
//! else happens to it, and stopped when the harness is done, interrupted or, by `baseline down`, after it was killed.

mod clients;
mod disk;
mod install;
mod process;
mod servers;
mod shared;
mod stack;
mod state;
#[path = "../../../log/tests/common/servers.rs"]
#[allow(
    clippy::unwrap_used,
    dead_code,
    reason = "of what the log's tests start their servers with, it is a part"
)]
mod stores;
mod trust;
mod versions;
mod words;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use sigveil::service::client::Client as OwnClient;

pub(crate) use clients::{Client, Signer, Stock};
pub(crate) use disk::stored;
pub(crate) use install::{Missing, output};
pub(crate) use process::{Process, Usage, reset_peaks, unless_dead, usage};
pub(crate) use servers::Served;
pub(crate) use shared::SharedLog;
pub(crate) use stack::{Stack, is_ending};
pub(crate) use stores::bucket;
pub(crate) use trust::Trusted;
pub(crate) use versions::Versions;

use crate::load::{self, Pace, Target};
use crate::row::{Measured, Row, Unit};
use crate::said;
use crate::suites::log::requests::{self, Face};
use crate::suites::sign::log_target;
use state::State;

/// Every program that is installed by `go install`.
#[cfg(test)]
pub(crate) const PROGRAMS: [&str; 9] = [
    "fulcio",
    "rekor2",
    "rekor1",
    "ct_server",
    "trillian_log_server",
    "trillian_log_signer",
    "createtree",
    "tsa",
    "cosign",
];

/// Whose address the tokens of comparisons name.
pub(crate) const EMAIL: &str = "signer@example.org";
/// What Fulcio's tokens are for.
pub(crate) const AUDIENCE: &str = "sigstore";
/// The shorter of the two checkpoint intervals that Rekor v2 is measured at.
pub(crate) const SHORT_INTERVAL: Duration = Duration::from_secs(1);
/// Rekor v2's own default.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// What to do with the real servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Action {
    /// Install what is missing, start everything, leave it running.
    Up,
    /// Stop what runs, by process id.
    Down,
    /// Say what runs, and where.
    Status,
    /// Start everything, sign and verify with each stock client, log an entry in Rekor v1, stop everything.
    Run,
}

/// Everything that a stock client signs against, ready.
pub(crate) struct Baseline {
    pub(crate) trusted: Trusted,
    /// With all that stands below it.
    pub(crate) fulcio: Served,
    pub(crate) rekor: Served,
    pub(crate) tsa: Served,
    issuer: String,
}

impl Baseline {
    /// Starts the servers of one whole signing.
    pub(crate) fn start(stack: &mut Stack) -> anyhow::Result<Self> {
        let authority = stack.authority()?;
        // First, since it can have its metrics on one port only.
        let tsa = stack.tsa()?;
        let issuer = stack.issuer()?;
        let trillian = stack.trillian("fulcio")?;
        let ct = stack.ct_server(&trillian)?;
        let fulcio = stack.fulcio(&issuer, &ct)?;
        let rekor = stack.rekor2("rekor2", SHORT_INTERVAL)?;
        let trusted = stack.publish(&issuer, &authority, [&fulcio, &ct, &rekor, &tsa])?;
        Ok(Self { trusted, fulcio, rekor, tsa, issuer: issuer.url })
    }

    /// A token for [`EMAIL`].
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        OwnClient::new().map_err(said)?.token(&self.issuer, EMAIL, AUDIENCE, None).map_err(said)
    }

    /// Whom verifications expect.
    pub(crate) fn signer(&self) -> Signer {
        Signer { identity: EMAIL.to_owned(), issuer: self.issuer.clone() }
    }

    /// Signs once with each stock client and verifies with both; another file must be refused.
    fn smoke(&self, stack: &Stack) -> anyhow::Result<Vec<Row>> {
        let home = tempfile::tempdir()?;
        let install = |stock| Client::new(stock, stack.programs(), home.path());
        let clients = Stock::ALL.into_iter().map(install).collect::<anyhow::Result<Vec<_>>>()?;
        let (file, other) = (home.path().join("artifact"), home.path().join("other"));
        std::fs::write(&file, b"an artifact\n")?;
        std::fs::write(&other, b"another artifact\n")?;
        let (trust, signer) = (&self.trusted.folder, self.signer());
        let mut rows = Vec::new();
        for client in &clients {
            let bundle = home.path().join(client.stock.name()).with_extension("json");
            let spent = client.sign(trust, &self.token()?, &file, &bundle)?;
            for verifier in &clients {
                verifier.verify(trust, &signer, &file, &bundle)?;
                let refused = verifier.verify(trust, &signer, &other, &bundle).is_err();
                ensure!(refused, "{} took a signature over another file", verifier.stock.name());
            }
            let name = format!("baseline/{}", client.stock.name());
            rows.extend([
                Row::exact(&name, "wall", Unit::Seconds, spent.wall),
                Row::exact(&name, "client_cpu", Unit::Seconds, spent.cpu),
                Row::exact(&name, "bundle_bytes", Unit::Bytes, std::fs::metadata(&bundle)?.len() as f64),
            ]);
        }
        Ok(rows)
    }
}

/// What there is; none, and a word about it, where something that it needs is not installed: somebody's machine without Go,
/// MariaDB or Python still measures the rest.
pub(crate) fn found<T>(outcome: anyhow::Result<T>, left_out: &mut Vec<String>) -> anyhow::Result<Option<T>> {
    match outcome {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.is::<Missing>() => {
            eprintln!("sigveil-bench: left out: {error:#}");
            left_out.push(format!("{error:#}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Does what was asked; `run` measures something.
pub(crate) fn act(action: Action) -> anyhow::Result<Option<Measured>> {
    match action {
        Action::Up => {
            let mut stack = Stack::to_stay()?;
            let baseline = Baseline::start(&mut stack)?;
            let trillian = stack.trillian("rekor1")?;
            stack.rekor1(&trillian)?;
            print_state(stack.state());
            println!("trust files: {}", baseline.trusted.folder.display());
            stack.detach()?;
            Ok(None)
        }
        Action::Down => {
            let folder = stack::folder()?;
            println!("{} processes stopped", State::read(&folder)?.stop(&folder)?);
            Ok(None)
        }
        Action::Status => {
            print_state(&State::read(&stack::folder()?)?);
            Ok(None)
        }
        Action::Run => {
            let begun = Instant::now();
            let mut stack = Stack::new()?;
            let baseline = Baseline::start(&mut stack)?;
            let mut rows =
                vec![Row::exact("baseline", "start", Unit::Seconds, begun.elapsed().as_secs_f64())];
            rows.extend(baseline.smoke(&stack)?);
            let trillian = stack.trillian("rekor1")?;
            let rekor1 = stack.rekor1(&trillian)?;
            takes_an_entry(&log_target(&rekor1.url, Face::Rekor1)?, Face::Rekor1).context("Rekor v1")?;
            stack.stop()?;
            Ok(Some(rows.into()))
        }
    }
}

/// One entry, as a smoke test of a log that no stock client signs against any more.
fn takes_an_entry(log: &Target, face: Face) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pace = Pace::Closed { connections: 1, span: Duration::from_secs(60) };
    load::run(&runtime, log, requests::prepare(face, 1)?, pace)?.ensure_whole()
}

fn print_state(state: &State) {
    if state.processes.is_empty() {
        println!("nothing runs");
    }
    for process in &state.processes {
        let alive = if process.is_alive() { "runs" } else { "has ended" };
        let url = state.urls.get(&process.name).map(String::as_str).unwrap_or_default();
        println!("{:<20} process {:<8} {alive:<10} {url}", process.name, process.id);
    }
}
