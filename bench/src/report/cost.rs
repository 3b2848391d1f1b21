//! What a million of an operation cost: measured resources times a price file.
//!
//! CPU is what the servers used for a whole signing by cosign (rows `baseline/cosign`, `SCHEME/cosign`), or for one look-up
//! (the map's proof). Storage is what the signature log keeps of an entry, for one year and once, of a deferred certificate
//! of two, as its receipt is one; bytes sent are the bundle's, since it is made of the services' answers. A verification is
//! the verifier's own CPU and the bundle that it fetches. A GB-year is a million times a thousand bytes, kept for a year, of
//! whichever scheme; what a scheme keeps of its entries is the line before. Left out, since they do not grow with use or were not measured:
//! memory, backups, requests that a provider bills one by one, people.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::data::{Data, Figure};

/// The prices that are used unless others are given.
const DEFAULT: &str = include_str!("../../prices.toml");
const MILLION: f64 = 1e6;
const GIGABYTE: f64 = 1e9;
const HOUR: f64 = 3_600.0;
const MONTHS: f64 = 12.0;

/// A price file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    pub(crate) cpu: Price,
    pub(crate) storage: Price,
    pub(crate) sent: Price,
}

/// One price, US dollars.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) unit: String,
    pub(crate) low: f64,
    pub(crate) typical: f64,
    pub(crate) high: f64,
    pub(crate) source: String,
    pub(crate) date: String,
}

/// What one operation takes.
#[derive(Clone, Copy, Debug)]
struct Needs {
    /// CPU seconds.
    cpu: Figure,
    /// Bytes kept.
    stored: Figure,
    /// Bytes sent.
    sent: Figure,
}

/// What a million cost, US dollars.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cost {
    /// What a paper's text calls it.
    pub(crate) id: &'static str,
    /// Of what, by which scheme.
    pub(crate) name: &'static str,
    pub(crate) low: f64,
    pub(crate) typical: f64,
    pub(crate) high: f64,
    /// For each input, the cost with that input alone at its lowest and at its highest.
    pub(crate) swings: Vec<(&'static str, f64, f64)>,
}

impl Prices {
    /// The user's file, or the default one.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let (text, name) = match path {
            Some(path) => {
                let name = path.display().to_string();
                (std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?, name)
            }
            None => (DEFAULT.to_owned(), "bench/prices.toml".to_owned()),
        };
        let prices: Self = toml::from_str(&text).with_context(|| format!("{name} is no price file"))?;
        for (what, price) in prices.all() {
            ensure!(
                0.0 <= price.low
                    && price.low <= price.typical
                    && price.typical <= price.high
                    && price.high.is_finite(),
                "{name}: the prices of {what} do not rise from low to high"
            );
        }
        Ok(prices)
    }

    /// Each with its name.
    pub(crate) fn all(&self) -> [(&'static str, &Price); 3] {
        [("cpu", &self.cpu), ("storage", &self.storage), ("sent", &self.sent)]
    }
}

/// What signings and look-ups cost, by scheme, as far as the figures for it are there.
pub(crate) fn costs(data: &Data, prices: &Prices) -> Vec<Cost> {
    let signing = |scheme: &str, log: &str, entries: f64| {
        let row = format!("{scheme}/cosign");
        Some(Needs {
            cpu: data.figure("sign", &row, "server_cpu").ok()?,
            stored: data.figure("log", log, "bytes_per_entry").ok()?.times(entries),
            sent: data.figure("sign", &row, "bundle_bytes").ok()?,
        })
    };
    let nothing = Figure { low: 0.0, median: 0.0, high: 0.0 };
    let verification = |row: &str| {
        let figure = |metric| data.figure("sign", row, metric).ok();
        Some(Needs { cpu: figure("verify_cpu")?, stored: nothing, sent: figure("bundle_bytes")? })
    };
    let kept = |log: &str| {
        let stored = data.figure("log", log, "bytes_per_entry").ok()?;
        Some(Needs { cpu: nothing, stored, sent: nothing })
    };
    let searched = |side: &str| {
        let figure = |metric| data.figure("sign", side, metric).ok();
        Some(Needs { cpu: figure("search_cpu")?, stored: nothing, sent: figure("answer_bytes")? })
    };
    let lookup = || {
        let figure =
            |metric| ["map_1e6", "map_1e5"].iter().find_map(|map| data.figure("search", map, metric).ok());
        Some(Needs { cpu: figure("prove")?, stored: nothing, sent: figure("proof_bytes")? })
    };
    let gigabyte = Figure { low: GIGABYTE / MILLION, median: GIGABYTE / MILLION, high: GIGABYTE / MILLION };
    let gigabyte = Needs { cpu: nothing, stored: gigabyte, sent: nothing };
    [
        ("sign/baseline", "a million signings, real servers", signing("baseline", "rekor2", 1.0)),
        ("sign/clear", "a million signings, clear", signing("clear", "sigveil", 1.0)),
        ("sign/hashed", "a million signings, hashed", signing("hashed", "sigveil", 1.0)),
        ("sign/zk", "a million signings, zk", signing("zk", "sigveil", 1.0)),
        ("sign/zk_deferred", "a million signings, zk deferred", signing("zk_deferred", "sigveil", 2.0)),
        (
            "verify/baseline/cosign",
            "a million verifications by cosign, real servers",
            verification("baseline/cosign"),
        ),
        ("verify/zk/cosign", "a million verifications by cosign, zk", verification("zk/cosign")),
        ("verify/zk/sigveil", "a million verifications by sigveil, zk", verification("zk/sigveil")),
        (
            "verify/zk_deferred/sigveil",
            "a million verifications by sigveil, zk deferred",
            verification("zk_deferred/sigveil"),
        ),
        ("search/rekor1", "a million look-ups, Rekor v1, unproven", searched("op/search/rekor1")),
        ("search/sigveil", "a million look-ups, every scheme of ours", searched("op/search/sigveil")),
        ("search/map", "a million map proofs alone", lookup()),
        ("year/rekor2", "a million entries for a year, Rekor v2", kept("rekor2")),
        ("year/rekor1", "a million entries for a year, Rekor v1", kept("rekor1")),
        ("year/sigveil", "a million entries for a year, ours", kept("sigveil")),
        ("year/gigabyte", "a GB-year", Some(gigabyte)),
    ]
    .into_iter()
    .filter_map(|(id, name, needs)| Some(cost(id, name, &needs?, prices)))
    .collect()
}

fn cost(id: &'static str, name: &'static str, needs: &Needs, prices: &Prices) -> Cost {
    let sum = |needs: [f64; 3], prices: [f64; 3]| {
        let [cpu, stored, sent] = needs;
        let units = [cpu / HOUR, stored / GIGABYTE * MONTHS, sent / GIGABYTE];
        MILLION * units.iter().zip(prices).map(|(unit, price)| unit * price).sum::<f64>()
    };
    let all = [needs.cpu, needs.stored, needs.sent];
    let middle = (all.map(|figure| figure.median), prices.all().map(|(_, price)| price.typical));
    let mut swings = Vec::new();
    for (index, name) in ["CPU seconds", "bytes stored", "bytes sent"].into_iter().enumerate() {
        let with = |value: f64| {
            let mut needs = middle.0;
            needs[index] = value;
            sum(needs, middle.1)
        };
        swings.push((name, with(all[index].low), with(all[index].high)));
    }
    for (index, name) in ["price of CPU", "price of storage", "price of sending"].into_iter().enumerate() {
        let price = prices.all()[index].1;
        let with = |value: f64| {
            let mut prices = middle.1;
            prices[index] = value;
            sum(middle.0, prices)
        };
        swings.push((name, with(price.low), with(price.high)));
    }
    swings.sort_by(|a, b| (b.2 - b.1).total_cmp(&(a.2 - a.1)));
    Cost {
        id,
        name,
        low: sum(all.map(|figure| figure.low), prices.all().map(|(_, price)| price.low)),
        typical: sum(middle.0, middle.1),
        high: sum(all.map(|figure| figure.high), prices.all().map(|(_, price)| price.high)),
        swings,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    fn price(typical: f64) -> Price {
        let (unit, source, date) = (String::new(), String::new(), String::new());
        Price { unit, low: typical / 2.0, typical, high: typical * 2.0, source, date }
    }

    #[test]
    fn a_cost_is_the_sum_of_its_parts() {
        let exactly = |value| Figure { low: value, median: value, high: value };
        let needs = Needs { cpu: exactly(0.36), stored: exactly(1_000.0), sent: exactly(2_000.0) };
        let prices = Prices { cpu: price(0.01), storage: price(0.02), sent: price(0.1) };
        let cost = cost("x", "x", &needs, &prices);
        // 100 hours at 0.01, 1 GB for 12 months at 0.02, 2 GB at 0.1.
        assert!((cost.typical - (1.0 + 0.24 + 0.2)).abs() < 1e-9, "{}", cost.typical);
        assert!((cost.low - cost.typical / 2.0).abs() < 1e-9);
        assert_eq!(cost.swings[0].0, "price of CPU");
        assert!((cost.swings[0].2 - (2.0 + 0.24 + 0.2)).abs() < 1e-9);
        assert_eq!(cost.swings.iter().filter(|(_, low, high)| low == high).count(), 3);
    }

    #[test]
    fn the_default_prices_are_sound_and_others_are_checked() {
        let default = Prices::read(None).unwrap();
        assert!(default.all().iter().all(|(_, price)| !price.source.is_empty() && !price.date.is_empty()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        std::fs::write(&path, DEFAULT.replace("typical = 0.0218", "typical = 9.0")).unwrap();
        assert!(Prices::read(Some(&path)).unwrap_err().to_string().contains("cpu"));
        std::fs::write(&path, "cpu = 1").unwrap();
        assert!(Prices::read(Some(&path)).unwrap_err().to_string().contains("no price file"));
    }
}
