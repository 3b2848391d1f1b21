//! The logs that are compared: how each is started and what is asked of it beside its entries.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;

use sigveil_zk_ca::authority::CertificateAuthority;

use super::requests::{self, Face};
use super::{Load, certificates};
use crate::baseline::{DEFAULT_INTERVAL, SHORT_INTERVAL, Served, SharedLog, Stack, Usage, found};
use crate::load::{self, Pace, Target};
use crate::suites::sign::{certificate_log_target, log_target};
use crate::workload::Log as Amount;

/// As many connections as a checkpoint of Rekor v2 does not take all of.
const MANY: usize = 1_024;
/// How long a tree may take until it has what was answered.
const MERGE: Duration = Duration::from_secs(60);

/// A log of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rival {
    /// Rekor v2, once with checkpoints every second and once at its default of ten seconds.
    Rekor2,
    /// Rekor v1 over Trillian and MariaDB.
    Rekor1,
    /// Our own log by two front ends over PostgreSQL and an S3 server.
    Shared,
    /// The certificate log that Fulcio runs with, over Trillian and MariaDB; our certificate log beside it.
    CtServer,
}

impl Rival {
    /// The rivals of these names.
    pub(super) fn parse(names: &[String]) -> anyhow::Result<Vec<Self>> {
        let known = |name: &String| match name.as_str() {
            "rekor2" => Ok(Self::Rekor2),
            "rekor1" => Ok(Self::Rekor1),
            "ct_server" => Ok(Self::CtServer),
            "s3pg" => Ok(Self::Shared),
            _ => bail!("suite log knows rekor2, rekor1, ct_server and s3pg to compare with, not {name}"),
        };
        names.iter().map(known).collect()
    }

    fn start(self, stack: &mut Stack, amount: &Amount) -> anyhow::Result<Vec<Side>> {
        let is_asked = |interval| interval != DEFAULT_INTERVAL || amount.has_slow();
        match self {
            Self::Rekor2 => [("rekor2", SHORT_INTERVAL), ("rekor2_10s", DEFAULT_INTERVAL)]
                .into_iter()
                .filter(|(_, interval)| is_asked(*interval))
                .map(|(name, interval)| {
                    Side::new(name, Kind::Rekor2(interval), stack.rekor2(name, interval)?)
                })
                .collect(),
            Self::Rekor1 => {
                let trillian = stack.trillian("rekor1")?;
                Ok(vec![Side::new("rekor1", Kind::Rekor1, stack.rekor1(&trillian)?)?])
            }
            Self::Shared => {
                let log = SharedLog::start(stack)?;
                let (further, served) = (log.front_ends[1].url.clone(), log.served());
                let mut side = Side::new("s3pg", Kind::Shared(Rc::new(RefCell::new(log))), served)?;
                side.target.further.push(log_target(&further, Face::Rekor2)?.address);
                Ok(vec![side])
            }
            Self::CtServer => {
                let authority = Rc::new(stack.authority()?);
                let trillian = stack.trillian("ct")?;
                let theirs = Kind::Certificates(Rc::clone(&authority), By::CtServer);
                let served = stack.ct_server(&trillian)?;
                let ours = Kind::Certificates(authority, By::Us);
                Ok(vec![
                    Side::new("sigveil_ct", ours, stack.certificate_log("sigveil_ct")?)?,
                    Side::new("ct_server", theirs, served)?,
                ])
            }
        }
    }
}

/// A log under load.
pub(super) struct Side {
    pub(super) name: &'static str,
    pub(super) target: Target,
    kind: Kind,
    served: Served,
}

#[derive(Clone)]
enum Kind {
    /// Answers and does nothing: what the harness itself costs.
    Null,
    Ours,
    Shared(Rc<RefCell<SharedLog>>),
    Rekor2(Duration),
    Rekor1,
    /// A certificate log, and the authority whose certificates it takes.
    Certificates(Rc<CertificateAuthority>, By),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Us,
    CtServer,
}

impl Side {
    /// Starts the null server, ours, and the rivals.
    pub(super) fn start(
        stack: &mut Stack,
        rivals: &[Rival],
        amount: &Amount,
        left_out: &mut Vec<String>,
    ) -> anyhow::Result<Vec<Self>> {
        let mut sides = vec![
            Self::new("harness", Kind::Null, stack.null()?)?,
            Self::new("sigveil", Kind::Ours, stack.log("sigveil")?)?,
        ];
        for rival in rivals {
            sides.extend(found(rival.start(stack, amount), left_out)?.into_iter().flatten());
        }
        Ok(sides)
    }

    fn new(name: &'static str, kind: Kind, served: Served) -> anyhow::Result<Self> {
        let target = match &kind {
            Kind::Certificates(..) => certificate_log_target(&served.url)?,
            Kind::Rekor1 => log_target(&served.url, Face::Rekor1)?,
            Kind::Null | Kind::Ours | Kind::Shared(_) | Kind::Rekor2(_) => {
                log_target(&served.url, Face::Rekor2)?
            }
        };
        Ok(Self { name, target, kind, served })
    }

    /// As many requests, every one for another entry.
    pub(super) fn prepare(&self, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        match &self.kind {
            Kind::Certificates(authority, _) => certificates::prepare(authority, count),
            Kind::Rekor1 => requests::prepare(Face::Rekor1, count),
            Kind::Null | Kind::Ours | Kind::Shared(_) | Kind::Rekor2(_) => {
                requests::prepare(Face::Rekor2, count)
            }
        }
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Ours | Kind::Certificates(_, By::Us))
    }

    /// Whether somebody reads its feed in each block.
    pub(super) fn is_followed(&self) -> bool {
        matches!(self.kind, Kind::Ours | Kind::Shared(_))
    }

    /// Of a log of several front ends, how long it takes until another answers when the one that publishes is killed.
    pub(super) fn takeover(&self, stack: &mut Stack, runtime: &Runtime) -> anyhow::Result<Option<f64>> {
        let Kind::Shared(log) = &self.kind else { return Ok(None) };
        let took = log.borrow_mut().kill_one(stack, |left| {
            let (target, request) = (log_target(&left.url, Face::Rekor2)?, self.prepare(1)?);
            load::run(runtime, &target, request, Pace::Closed { connections: 1, span: MERGE })?.ensure_whole()
        })?;
        Ok(Some(took.as_secs_f64()))
    }

    /// Whether it is what of ours the other is compared with.
    pub(super) fn is_ours_to(&self, other: &Self) -> bool {
        self.is_ours() && self.has_certificates() == other.has_certificates()
    }

    fn has_certificates(&self) -> bool {
        matches!(self.kind, Kind::Certificates(..))
    }

    /// Whether rates are raised on it: what answers every ten seconds would have tens of thousands waiting. On the server that
    /// does nothing they find what the harness itself can ask for beside a server. A log with others' stores beside it is
    /// asked at the loads that its goal names.
    pub(super) fn is_swept(&self) -> bool {
        match self.kind {
            Kind::Null | Kind::Ours | Kind::Rekor1 => true,
            Kind::Rekor2(interval) => interval == SHORT_INTERVAL,
            Kind::Shared(_) | Kind::Certificates(..) => false,
        }
    }

    /// As many connections fill it fast. What answers at checkpoints does at each what waits for it.
    pub(super) fn filling(&self) -> usize {
        match self.kind {
            Kind::Rekor2(_) => 4_096,
            Kind::Null | Kind::Ours | Kind::Shared(_) => 512,
            Kind::Rekor1 | Kind::Certificates(..) => 64,
        }
    }

    /// Whether it is a log at all.
    pub(super) fn has_tree(&self) -> bool {
        !matches!(self.kind, Kind::Null)
    }

    /// Whether it is measured under this load. Over Trillian a log does some hundred a second, so 2,048 at once would wait
    /// until they give up. A log that answers every ten seconds takes longer under each load.
    pub(super) fn takes(&self, amount: &Amount, load: Load) -> bool {
        match (&self.kind, load) {
            (Kind::Rekor1 | Kind::Certificates(..), Load::Connections(count)) => count <= 64,
            (Kind::Rekor1 | Kind::Certificates(..) | Kind::Shared(_), Load::Rate(_)) => false,
            (Kind::Rekor2(DEFAULT_INTERVAL), Load::Connections(count)) => {
                amount.slow_connections.contains(&count)
            }
            (Kind::Rekor2(DEFAULT_INTERVAL), Load::Rate(rate)) => amount.slow_rates.contains(&rate),
            _ => true,
        }
    }

    /// Whether wrk asks it for the same. Of few connections any client finds as many a second as they are where each is answered
    /// at a checkpoint, so under the most, if these are many; ours too, as it is what the other is compared with.
    pub(super) fn is_checked(&self, amount: &Amount, load: Load) -> bool {
        let is_one = matches!(self.kind, Kind::Ours | Kind::Rekor2(SHORT_INTERVAL));
        let most = amount.connections.last().filter(|most| **most >= MANY);
        is_one && most.map(|most| Load::Connections(*most)) == Some(load)
    }

    /// How long a block takes: several checkpoints of a log that answers at checkpoints.
    pub(super) fn span(&self, amount: &Amount) -> Duration {
        match self.kind {
            Kind::Rekor2(DEFAULT_INTERVAL) => amount.slow_span(),
            Kind::Null => amount.idle_span(),
            _ => amount.span(),
        }
    }

    /// How long wrk asks it. It counts from its beginning what is answered before its end: of what answers at checkpoints it
    /// misses one at each end.
    pub(super) fn wrk_span(&self, amount: &Amount) -> Duration {
        match self.kind {
            Kind::Rekor2(_) => amount.wrk_span(),
            _ => self.span(amount),
        }
    }

    /// The most requests of a closed loop: more than it does, by all connections and by each. Whoever answers at checkpoints
    /// answers a connection once at each. A block whose requests have run out ends with them.
    pub(super) fn most(&self, connections: usize, span: Duration) -> usize {
        let (per_second, of_each) = match self.kind {
            Kind::Null => (4_000.0, 400.0),
            Kind::Ours | Kind::Shared(_) => (10_000.0, 100.0),
            Kind::Rekor2(interval) => (2_000.0, 1.0 / interval.as_secs_f64()),
            Kind::Rekor1 => (1_000.0, 100.0),
            Kind::Certificates(_, By::Us) => (4_000.0, 100.0),
            Kind::Certificates(_, By::CtServer) => (2_000.0, 400.0),
        };
        most(connections, span, per_second, of_each)
    }

    /// Requests before those that are measured: one for each connection, and no fewer than fill the caches.
    pub(super) fn warm_up(&self, load: Load) -> usize {
        match (load, &self.kind) {
            // Of ten seconds each.
            (Load::Connections(1), Kind::Rekor2(DEFAULT_INTERVAL)) => 1,
            (Load::Connections(1) | Load::Rate(_), _) => 4,
            (Load::Connections(count), _) => count,
        }
    }

    /// Entries in its tree.
    pub(super) fn tree_size(&self) -> anyhow::Result<u64> {
        match self.kind {
            Kind::Null => Ok(0),
            Kind::Ours | Kind::Shared(_) => size_of_checkpoint(&self.get("/api/v2/checkpoint")?.text()?),
            Kind::Certificates(_, By::Us) => size_of_checkpoint(&self.get("/checkpoint")?.text()?),
            // It serves no reads: whoever runs it serves its folder.
            Kind::Rekor2(_) => {
                let file = self.served.data.join("checkpoint");
                size_of_checkpoint(&std::fs::read_to_string(file).unwrap_or_else(|_| "\n0\n".to_owned()))
            }
            Kind::Rekor1 => {
                let head: serde_json::Value = self.get("/api/v1/log")?.json()?;
                head["treeSize"].as_u64().context("the log says no size")
            }
            Kind::Certificates(_, By::CtServer) => {
                let head: serde_json::Value = self.get("/ct/v1/get-sth")?.json()?;
                head["tree_size"].as_u64().context("the log says no size")
            }
        }
    }

    /// The same, once it has so many or had its time: the ct_server answers first and has the entry in its tree later.
    pub(super) fn tree_size_reaching(&self, expected: u64) -> anyhow::Result<u64> {
        let begun = Instant::now();
        loop {
            let size = self.tree_size()?;
            let later = matches!(self.kind, Kind::Certificates(_, By::CtServer));
            if !later || size >= expected || begun.elapsed() > MERGE {
                return Ok(size);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<reqwest::blocking::Response> {
        Ok(reqwest::blocking::get(format!("{}{path}", self.served.url))?.error_for_status()?)
    }

    /// What its processes have used.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        self.served.usage()
    }

    /// Has its peak of memory begin anew; whether the kernel did it.
    pub(super) fn reset_peaks(&self) -> bool {
        self.served.reset_peaks()
    }

    /// Bytes that it has on disk for its entries.
    pub(super) fn stored(&self) -> f64 {
        self.served.stored()
    }

    /// Whether what it has on disk is in a folder of its own.
    pub(super) fn has_folder(&self) -> bool {
        !matches!(self.kind, Kind::Null | Kind::Shared(_))
    }
}

/// What so many connections ask for in a span at most, and one or two each that are under way at its ends.
fn most(connections: usize, span: Duration, per_second: f64, of_each: f64) -> usize {
    let (connections, seconds) = (connections as f64, span.as_secs_f64());
    let together = (per_second * seconds).max(2.0 * connections);
    together.min(connections * (of_each * seconds + 2.0)).ceil() as usize
}

fn size_of_checkpoint(checkpoint: &str) -> anyhow::Result<u64> {
    let line = checkpoint.lines().nth(1).context("a checkpoint has a size")?;
    line.parse().with_context(|| format!("{line:?} is no size"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_prepared_than_a_log_and_its_connections_do() {
        let span = Duration::from_secs(20);
        // A connection is answered twice in the span, and once after it.
        assert_eq!(most(64, span, 2_000.0, 0.1), 64 * 4);
        assert_eq!(most(2_048, span, 2_000.0, 1.0), 40_000);
        // Each has one that is under way at the end, however many there are.
        assert_eq!(most(2_048, span, 100.0, 1.0), 2 * 2_048);
    }

    #[test]
    fn the_size_is_the_second_line() {
        assert_eq!(size_of_checkpoint("localhost\n17\nroot\n\n— x y\n").unwrap(), 17);
        assert!(size_of_checkpoint("localhost\n").is_err());
        assert!(Rival::parse(&["rekor3".to_owned()]).is_err());
    }
}
