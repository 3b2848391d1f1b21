//! Each operation alone, under load: issue, timestamp, log, and search for what nobody has signed. Such a search is
//! answered by the index with a proof of absence, and by Rekor v1 with an empty list.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::{OsRng, RngCore as _};
use serde_json::json;
use tokio::runtime::Runtime;

use super::Turn;
use super::ours::Ours;
use crate::baseline::{Baseline, EMAIL, Process, Served, reset_peaks, unless_dead, usage};
use crate::ledger::Figures;
use crate::load::{Asked, Observed, Pace, Target, prepared, run};
use crate::role::Variant;
use crate::suites::log::requests;
use crate::suites::wrk::{self, Wrk};

/// What is asked of a server.
#[derive(Clone, Copy)]
enum Operation {
    Issue {
        connections: usize,
        /// More than an authority issues.
        per_second: usize,
    },
    Timestamp,
    Log,
    /// At the index, or at Rekor v1's.
    Search(Searched),
}

/// Of a certificate without a proof. Most of an answer's time is waiting: sixteen connections did not keep an authority busy that
/// kept more than twice their rate in an open loop.
const ISSUE: Operation = Operation::Issue { connections: 128, per_second: 4_000 };
/// Of one with it. One proof at a time: a second request waits, and keeps the prover busy.
const PROVE: Operation = Operation::Issue { connections: 2, per_second: 20 };

impl Operation {
    /// As many connections as keep a server busy. None of a log that answers at checkpoints: what a closed loop does there is
    /// what the interval allows. What logs do, suite `log` says.
    fn busy(self) -> Option<usize> {
        match self {
            Self::Issue { connections, .. } => Some(connections),
            Self::Timestamp | Self::Search(_) => Some(16),
            Self::Log => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Searched {
    Index,
    Rekor1,
}

/// An operation on one side.
struct Side<'a> {
    name: &'static str,
    operation: Operation,
    target: Target,
    /// The metric of the server's CPU.
    cpu: &'static str,
    token: Box<dyn Fn() -> anyhow::Result<String> + 'a>,
    processes: &'a [Process],
    /// Who else asks for its rate.
    wrk: Option<&'a Wrk>,
}

/// A turn for each operation on each side. The null server is the harness alone.
pub(super) fn turns<'a>(
    runtime: &'a Runtime,
    span: Duration,
    ours: &'a [Ours],
    null: &'a Served,
    baseline: Option<&'a (Baseline, Served)>,
    wrk: Option<&'a Wrk>,
) -> anyhow::Result<Vec<Turn<'a>>> {
    let mut sides = Vec::new();
    for ours in ours {
        let side = |name, operation, target, cpu| {
            let token = Box::new(|| ours.token());
            Side { name, operation, target, cpu, token, processes: ours.processes(), wrk: None }
        };
        let services = &ours.services;
        let issue = |name, operation| {
            let target = issue_target(&services.ca)?;
            anyhow::Ok(side(name, operation, target, "ca_cpu"))
        };
        match ours.scheme {
            Variant::Clear => sides.push(issue("op/issue/clear", ISSUE)?),
            Variant::Hashed => sides.push(issue("op/issue/hashed", ISSUE)?),
            Variant::Zk => {
                sides.push(issue("op/issue/zk", PROVE)?);
                let target = Target { success: 201, ..timestamp_target(&services.tsa)? };
                let timestamp = side("op/timestamp/sigveil", Operation::Timestamp, target, "tsa_cpu");
                sides.push(Side { wrk, ..timestamp });
                let target = log_target(&services.rekor, requests::Face::Rekor2)?;
                sides.push(side("op/log/sigveil", Operation::Log, target, "log_cpu"));
                let target = Target { asked: Asked::Get, ..target_of(ours.index(), "/search", "", 200)? };
                sides.push(side(
                    "op/search/sigveil",
                    Operation::Search(Searched::Index),
                    target,
                    "search_cpu",
                ));
            }
            // A closed loop of it would owe proofs for minutes: its own rows have the latency.
            Variant::ZkDeferred => {}
        }
    }
    sides.push(Side {
        name: "op/timestamp/harness",
        operation: Operation::Timestamp,
        target: target_of(&null.url, "/api/v1/timestamp", TIMESTAMP_QUERY, 201)?,
        cpu: "tsa_cpu",
        token: Box::new(|| anyhow::bail!("timestamps need no token")),
        processes: &null.processes,
        wrk: None,
    });
    if let Some((baseline, rekor1)) = baseline {
        let services = &baseline.trusted.services;
        let side = |name, operation, target, cpu, processes: &'a [Process]| Side {
            name,
            operation,
            target,
            cpu,
            token: Box::new(|| baseline.token()),
            processes,
            wrk,
        };
        let (rekor, tsa) = (&baseline.rekor.processes, &baseline.tsa.processes);
        let log = log_target(&services.rekor, requests::Face::Rekor2)?;
        let search = target_of(&rekor1.url, "/api/v1/index/retrieve", "application/json", 200)?;
        let searched = Operation::Search(Searched::Rekor1);
        sides.extend([
            side("op/issue/fulcio", ISSUE, issue_target(&services.ca)?, "ca_cpu", &baseline.fulcio.processes),
            side("op/timestamp/tsa", Operation::Timestamp, timestamp_target(&services.tsa)?, "tsa_cpu", tsa),
            side("op/log/rekor2", Operation::Log, log, "log_cpu", rekor),
            Side { wrk: None, ..side("op/search/rekor1", searched, search, "search_cpu", &rekor1.processes) },
        ]);
    }
    Ok(sides.into_iter().map(|side| side.turn(runtime, span)).collect())
}

const SIGNING_CERT: &str = "/api/v2/signingCert";
const ENTRIES: &str = "/api/v2/log/entries";
const TIMESTAMP_QUERY: &str = "application/timestamp-query";

fn target_of(url: &str, path: &str, content_type: &'static str, success: u16) -> anyhow::Result<Target> {
    let rest = url.strip_prefix("http://").context("servers here speak plain HTTP")?;
    let (address, below) = rest.split_once('/').unwrap_or((rest, ""));
    let below = if below.is_empty() { String::new() } else { format!("/{below}") };
    Ok(Target {
        address: address.replace("localhost", "127.0.0.1"),
        further: Vec::new(),
        path: below + path,
        asked: Asked::Post(content_type),
        success,
    })
}

/// An authority that certifies keys.
pub(crate) fn issue_target(url: &str) -> anyhow::Result<Target> {
    target_of(url, SIGNING_CERT, "application/json", 200)
}

/// A log that takes entries.
pub(crate) fn log_target(url: &str, face: requests::Face) -> anyhow::Result<Target> {
    let path = match face {
        requests::Face::Rekor2 => ENTRIES,
        requests::Face::Rekor1 => "/api/v1/log/entries",
    };
    target_of(url, path, "application/json", 201)
}

/// A certificate log, by its submission prefix.
pub(crate) fn certificate_log_target(url: &str) -> anyhow::Result<Target> {
    target_of(url, "/ct/v1/add-pre-chain", "application/json", 200)
}

/// A timestamp authority, by its full URL; the real one answers with 200.
pub(crate) fn timestamp_target(url: &str) -> anyhow::Result<Target> {
    target_of(url, "", TIMESTAMP_QUERY, 200)
}

impl<'a> Side<'a> {
    fn turn(self, runtime: &'a Runtime, span: Duration) -> Turn<'a> {
        Turn {
            name: self.name.to_owned(),
            measure: Box::new(move |index| self.measure(runtime, span, index)),
        }
    }

    /// One client first, for latency and CPU; then as many as keep the server busy, for the rate, and wrk in their place.
    fn measure(&self, runtime: &Runtime, span: Duration, index: usize) -> anyhow::Result<Figures> {
        self.send(runtime, 1, Duration::from_secs(30), 3)?;
        let bodies = self.bodies(self.most(span, 1))?;
        let (reset, before) = (reset_peaks(self.processes, &[]), usage(self.processes)?);
        let one = self.drive(runtime, 1, span, bodies)?;
        let used = usage(self.processes)? - before;
        let (done, own, harness) = (one.done() as f64, one.own_cpu(), one.between_calls());
        let share = done / one.wall();
        let rates = match self.operation.busy() {
            Some(busy) => self.rates(runtime, busy, span, index)?,
            None => Figures::new(),
        };
        let figures = [
            ("wall", one.quantile(0.5)),
            (self.cpu, used.cpu / done),
            ("written", used.written / done),
            ("answer_bytes", one.answer_bytes()),
            ("rss", used.rss),
            ("request_cpu", own),
            ("request_share", own * share),
            ("harness_wall", harness),
            ("harness_share", harness * share),
        ];
        let figures = figures.map(|(metric, value)| (metric.to_owned(), value));
        Ok(figures.into_iter().chain(used.peak_since(reset)).chain(rates).collect())
    }

    /// The most that it does a second, by this harness and by wrk; each is first as often as the other.
    fn rates(&self, runtime: &Runtime, busy: usize, span: Duration, index: usize) -> anyhow::Result<Figures> {
        let count = self.most(span, busy);
        let by_wrk = || match self.wrk {
            Some(wrk) => wrk.rate(self.name, &self.target, busy, span, &self.bodies(count)?).map(Some),
            None => Ok(None),
        };
        let by_harness = || Ok(self.send(runtime, busy, span, count)?.rate());
        let (rate, by_wrk) = wrk::beside(index, by_wrk, by_harness)?;
        let mut rates = wrk::figures(rate, by_wrk);
        rates.insert("rate_max".to_owned(), rate);
        Ok(rates)
    }

    fn send(
        &self,
        runtime: &Runtime,
        connections: usize,
        span: Duration,
        count: usize,
    ) -> anyhow::Result<Observed> {
        self.drive(runtime, connections, span, self.bodies(count)?)
    }

    fn drive(
        &self,
        runtime: &Runtime,
        connections: usize,
        span: Duration,
        bodies: Vec<Vec<u8>>,
    ) -> anyhow::Result<Observed> {
        let observed = run(runtime, &self.target, bodies, Pace::Closed { connections, span });
        let observed = unless_dead(observed, || usage(self.processes))?;
        observed.ensure_whole()?;
        Ok(observed)
    }

    /// More requests than a span takes.
    fn most(&self, span: Duration, connections: usize) -> usize {
        let per_second = match (self.operation, connections) {
            (Operation::Issue { per_second, .. }, 1) => per_second.min(600),
            (Operation::Issue { per_second, .. }, _) => per_second,
            (Operation::Timestamp | Operation::Search(_), _) => 40_000,
            (Operation::Log, _) => 400,
        };
        per_second * usize::try_from(span.as_secs()).unwrap_or(1)
    }

    fn bodies(&self, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        match self.operation {
            Operation::Issue { .. } => {
                let token = (self.token)()?;
                signing_requests(count, &token)
            }
            Operation::Timestamp => Ok((0..count).map(|_| timestamp_request().to_vec()).collect()),
            Operation::Log => requests::prepare(requests::Face::Rekor2, count),
            Operation::Search(of) => Ok((0..count).map(|_| of.nobody()).collect()),
        }
    }
}

impl Searched {
    /// A request for a key that nobody has.
    fn nobody(self) -> Vec<u8> {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        let key = hex::encode(key);
        match self {
            Self::Index => key.into_bytes(),
            Self::Rekor1 => json!({ "hash": format!("sha256:{key}") }).to_string().into_bytes(),
        }
    }
}

/// Certificate requests by one token, each for a key of its own.
pub(crate) fn signing_requests(count: usize, token: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    prepared(count, |_| signing_request(token))
}

/// In the form of Go and JavaScript clients.
fn signing_request(token: &str) -> anyhow::Result<Vec<u8>> {
    let key = p256::ecdsa::SigningKey::random(&mut OsRng);
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF)?;
    let possession: p256::ecdsa::DerSignature = key.sign(EMAIL.as_bytes());
    let request = json!({
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": pem},
            "proofOfPossession": base64::engine::general_purpose::STANDARD.encode(possession.as_bytes()),
        },
    });
    Ok(serde_json::to_vec(&request)?)
}

/// RFC 3161 §2.4.1: version 1, SHA-256 of something random, a nonce, the certificate wanted.
pub(crate) fn timestamp_request() -> [u8; 69] {
    const SHA_256: [u8; 15] = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
    let mut request = [0; 69];
    OsRng.fill_bytes(&mut request);
    request[..7].copy_from_slice(&[0x30, 67, 2, 1, 1, 0x30, 49]);
    request[7..22].copy_from_slice(&SHA_256);
    request[22..24].copy_from_slice(&[4, 32]);
    // The digest is 24..56; the nonce follows, positive and of full length.
    request[56..58].copy_from_slice(&[2, 8]);
    request[58] = request[58] & 0x3f | 0x40;
    request[66..].copy_from_slice(&[1, 1, 0xff]);
    request
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_request_is_canonical_der() {
        use der::{Decode as _, Encode as _};
        let bytes = timestamp_request();
        let decoded = der::Any::from_der(&bytes).unwrap();
        assert_eq!(decoded.to_der().unwrap(), bytes);
        assert_ne!(timestamp_request(), bytes);
    }

    #[test]
    fn a_target_keeps_the_path_of_a_full_url() {
        let target = timestamp_target("http://localhost:80/api/v1/timestamp").unwrap();
        assert_eq!((target.address.as_str(), target.path.as_str()), ("127.0.0.1:80", "/api/v1/timestamp"));
    }
}
