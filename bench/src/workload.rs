//! How much a run measures: every count, span, rate and size, from `bench/workload` or from a file of the user's.
//!
//! Outcomes carry the workload's name, and blocks that were kept its whole, so that figures of two are never mixed.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const FULL: &str = include_str!("../workload/full.toml");
const QUICK: &str = include_str!("../workload/quick.toml");
/// No count of a workload is larger: it would not end.
const MOST: u64 = 10_000_000;
/// Exponents that a curve can have: fewer rows make no circuit of that kind, and more do not fit memory.
const CURVE: RangeInclusive<u32> = 10..=22;

/// A workload; `workload/full.toml` says what each key means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workload {
    /// `full`, `quick`, or of a user's file the digest.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) identity: Identity,
    pub(crate) search: Search,
    pub(crate) prover: Prover,
    pub(crate) sign: Sign,
    pub(crate) log: Log,
    pub(crate) sweep: Sweep,
    pub(crate) growth: Growth,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) samples: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) keys: u64,
    pub(crate) batches: u64,
    pub(crate) samples: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prover {
    pub(crate) proofs: usize,
    pub(crate) small_proofs: usize,
    pub(crate) other_proofs: usize,
    pub(crate) samples: usize,
    pub(crate) every_class: bool,
    curve: [u32; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sign {
    pub(crate) rounds: usize,
    pub(crate) signings: usize,
    span: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) entries: usize,
    pub(crate) rounds: usize,
    pub(crate) connections: Vec<usize>,
    pub(crate) rates: Vec<usize>,
    pub(crate) slow_connections: Vec<usize>,
    pub(crate) slow_rates: Vec<usize>,
    span: u64,
    slow_span: u64,
    idle_span: u64,
    wrk_span: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    pub(crate) rates: Vec<usize>,
    pub(crate) issue_rates: Vec<usize>,
    pub(crate) prove_rates: Vec<usize>,
    span: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Growth {
    pub(crate) logs: Vec<u64>,
    pub(crate) authorities: Vec<u64>,
    pub(crate) large: u64,
    pub(crate) blocks: usize,
    pub(crate) rate: usize,
    span: u64,
}

impl Workload {
    /// The user's file, or one of the two that are here.
    pub(crate) fn read(quick: bool, file: Option<&Path>) -> anyhow::Result<Self> {
        match file {
            Some(path) => {
                let shown = path.display().to_string();
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
                let digest = hex::encode(Sha256::digest(&text));
                Self::parse(&text, &digest[..12]).with_context(|| format!("{shown} is no workload"))
            }
            None if quick => Self::parse(QUICK, "quick"),
            None => Self::parse(FULL, "full"),
        }
    }

    fn parse(text: &str, name: &str) -> anyhow::Result<Self> {
        let mut workload: Self = toml::from_str(text)?;
        name.clone_into(&mut workload.name);
        let (log, sweep, growth) = (&workload.log, &workload.sweep, &workload.growth);
        for (what, counts) in [
            ("identity.samples", &[workload.identity.samples as u64][..]),
            ("search", &[workload.search.keys, workload.search.batches, workload.search.samples as u64]),
            ("prover", &workload.prover.counts()),
            ("sign", &[workload.sign.rounds as u64, workload.sign.signings as u64, workload.sign.span]),
            (
                "log",
                &[
                    log.entries as u64,
                    log.rounds as u64,
                    log.span,
                    log.slow_span,
                    log.idle_span,
                    log.wrk_span,
                ],
            ),
            ("sweep.span", &[sweep.span]),
            ("growth", &[growth.large, growth.blocks as u64, growth.rate as u64, growth.span]),
        ] {
            ensure!(counts.iter().all(|count| (1..=MOST).contains(count)), "{what}: between 1 and {MOST}");
        }
        let wide = |list: &[usize]| list.iter().map(|count| *count as u64).collect::<Vec<_>>();
        for (what, list) in [
            ("log.connections", wide(&log.connections)),
            ("log.slow_connections", wide(&log.slow_connections)),
            ("log.rates", wide(&log.rates)),
            ("log.slow_rates", wide(&log.slow_rates)),
            ("sweep.rates", wide(&sweep.rates)),
            ("sweep.issue_rates", wide(&sweep.issue_rates)),
            ("sweep.prove_rates", wide(&sweep.prove_rates)),
            ("growth.logs", growth.logs.clone()),
            ("growth.authorities", growth.authorities.clone()),
        ] {
            let rises = list.windows(2).all(|pair| pair[0] < pair[1]);
            let bounded = list.iter().all(|count| (1..=MOST).contains(count));
            ensure!(rises && bounded, "{what}: rising, between 1 and {MOST}");
        }
        // The open loops count for nothing without a closed one to say what a server can do.
        ensure!(!log.connections.is_empty(), "log.connections: one at least");
        let slow = |count| log.connections.contains(count);
        ensure!(log.slow_connections.iter().all(slow), "log.slow_connections: of log.connections");
        let slow = |rate| log.rates.contains(rate);
        ensure!(log.slow_rates.iter().all(slow), "log.slow_rates: of log.rates");
        ensure!(
            growth.logs.len() > 2 && growth.authorities.len() > 2,
            "growth: two sizes and one to test them"
        );
        // Rows are called by the size.
        ensure!(!growth.logs.contains(&growth.large), "growth.large: none of growth.logs");
        let next = |sizes: &[u64]| sizes.windows(2).all(|pair| pair[0] + growth.most() <= pair[1]);
        ensure!(
            next(&growth.logs) && next(&growth.authorities),
            "growth: no room for the blocks between two sizes"
        );
        Ok(workload)
    }
}

impl Prover {
    fn counts(&self) -> [u64; 6] {
        // An exponent that is not possible counts as nothing, which is refused; so does one where the second is below the first.
        let rises = self.curve[0] <= self.curve[1];
        let exponent = |n: u32| u64::from(if rises && CURVE.contains(&n) { n } else { 0 });
        let counts =
            [self.proofs, self.small_proofs, self.other_proofs, self.samples].map(|count| count as u64);
        let [proofs, small, other, samples] = counts;
        [proofs, small, other, samples, exponent(self.curve[0]), exponent(self.curve[1])]
    }

    /// Exponents of two.
    pub(crate) fn curve(&self) -> RangeInclusive<u32> {
        self.curve[0]..=self.curve[1]
    }
}

impl Sign {
    /// Of a closed loop of one operation.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.span)
    }
}

impl Log {
    /// Of a block on a log.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.span)
    }

    /// Of a block on the log that answers every ten seconds.
    pub(crate) fn slow_span(&self) -> Duration {
        Duration::from_secs(self.slow_span)
    }

    /// Whether the log that answers every ten seconds is asked at all.
    pub(crate) fn has_slow(&self) -> bool {
        !self.slow_connections.is_empty() || !self.slow_rates.is_empty()
    }

    /// Of a block by wrk, on a log that answers at checkpoints.
    pub(crate) fn wrk_span(&self) -> Duration {
        Duration::from_secs(self.wrk_span)
    }

    /// Of a block on the server that does nothing.
    pub(crate) fn idle_span(&self) -> Duration {
        Duration::from_secs(self.idle_span)
    }
}

impl Growth {
    /// More requests than the blocks at one size are: their number is drawn, and by so much it seldom differs.
    fn most(&self) -> u64 {
        (self.blocks as u64).saturating_mul(self.rate as u64).saturating_mul(self.span).saturating_mul(6) / 5
    }

    /// Of a block.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.span)
    }
}

impl Sweep {
    /// Of each rate.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(self.span)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn the_two_that_are_here_are_sound_and_differ() {
        let (full, quick) = (Workload::read(false, None).unwrap(), Workload::read(true, None).unwrap());
        assert_eq!((full.name.as_str(), quick.name.as_str()), ("full", "quick"));
        assert!(quick.sign.rounds < full.sign.rounds && quick.growth.logs.last() < full.growth.logs.last());
        // Of fewer no interval is of 95 %.
        assert!([full.log.rounds, full.growth.blocks, full.sign.rounds].iter().all(|rounds| *rounds >= 6));
        assert!(full.prover.curve().contains(&20) && !quick.prover.curve().contains(&20));
    }

    /// In each only the one check refuses.
    #[test]
    fn malformed_workloads_are_refused_by_name() {
        for (from, to, said) in [
            ("rounds = 2\nsignings", "rounds = 0\nsignings", "sign"),
            ("rates = [400]", "rates = [400, 400]", "sweep.rates"),
            ("connections = [1, 64]\nrates", "connections = [0, 64]\nrates", "log.connections"),
            ("connections = [1, 64]\nrates", "connections = []\nrates", "log.connections: one"),
            ("slow_connections = []", "slow_connections = [65]", "log.slow_connections: of"),
            ("slow_rates = []", "slow_rates = [99]", "log.slow_rates: of"),
            ("slow_rates = []", "slow_rates = [0]", "log.slow_rates: rising"),
            ("wrk_span = 4", "wrk_span = 0", "log: between"),
            ("logs = [1_000, 1_500, 2_500]", "logs = [1_000, 2_500]", "growth"),
            ("curve = [15, 16]", "curve = [15, 40]", "prover"),
            ("curve = [15, 16]", "curve = [16, 15]", "prover"),
            ("keys = 100_000", "keys = 100_000_000", "search"),
            ("samples = 10", "samples = 10\nsample = 10", "unknown field"),
            ("entries = 1_000", "entries = 0", "log"),
            ("logs = [1_000, 1_500, 2_500]", "logs = [1_000, 1_100, 2_500]", "no room"),
            ("large = 100_000", "large = 2_500", "growth.large: none of"),
            ("blocks = 2\n", "", "missing field"),
        ] {
            let text = QUICK.replacen(from, to, 1);
            assert_ne!(text, QUICK, "{from}");
            let error = format!("{:#}", Workload::parse(&text, "x").unwrap_err());
            assert!(error.contains(said), "{to}: {error}");
        }
    }

    #[test]
    fn a_users_file_is_named_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, QUICK).unwrap();
        let mine = Workload::read(false, Some(&path)).unwrap();
        assert!(mine.name.len() == 12 && mine.name != "quick");
        std::fs::write(&path, "rounds = 2").unwrap();
        assert!(format!("{:#}", Workload::read(false, Some(&path)).unwrap_err()).contains("is no workload"));
    }
}
