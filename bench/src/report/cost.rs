//! What a million of an operation cost: measured resources times a price file.
//!
//! CPU of a signing is that of its three operations, each measured alone, on both sides alike: a certificate
//! (`op/issue/…`, one connection, with all that stands below the authority), a timestamp (`op/timestamp/…`, the same) and an
//! entry of the signature log at the highest rate that both logs were asked for (`SIDE_rN`, open loop). Of a deferred
//! certificate it is that of `zk`, whose proofs it gets later, and of two entries, as its receipt is one. Storage is what the
//! signature log keeps of an entry, for one year and once, at the largest size that ours and Rekor v2 were filled to in suite
//! growth, since a log that has just begun has files that are not full yet; of Rekor v1 at its own largest. [`Basis`] names
//! that rate and those sizes;
//! bytes sent are those of the bundle that cosign got, since it is made of the services' answers. A verification is the
//! verifier's own CPU and what it fetches: the bundle, and by `sigveil`, which is the library in a process that runs, the file
//! beside it with the proof of the search. A look-up, of a key that is not there, is the CPU of the index for one, and its answer. A GB-year is a
//! million times a thousand bytes, kept for a year.
//!
//! Left out: certificates within entries, which are of a bare key on all sides, what an instance of ours keeps beside the entry
//! (the index and its log, state of witnesses) and what the index spends on an entry; and, since it does not grow with use or no
//! row says it, memory, backups, requests that a provider bills one by one, people. Certificate logs have lines of their own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::data::{Data, Figure};

/// The prices that are used unless others are given.
const DEFAULT: &str = include_str!("../../prices.toml");
/// What each resource is priced by, in the order of [`Prices::all`].
const UNITS: [&str; 3] = ["vCPU hour", "GB month", "GB"];
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
        for ((what, price), unit) in prices.all().into_iter().zip(UNITS) {
            ensure!(
                0.0 <= price.low
                    && price.low <= price.typical
                    && price.typical <= price.high
                    && price.high.is_finite(),
                "{name}: the prices of {what} do not rise from low to high"
            );
            ensure!(
                price.unit == unit,
                "{name}: the prices of {what} are reckoned per {unit}, not per {}",
                price.unit
            );
            let is_told = [&price.source, &price.date].iter().all(|told| !told.trim().is_empty());
            ensure!(is_told, "{name}: the prices of {what} have no source or no date");
        }
        Ok(prices)
    }

    /// Each with its name.
    pub(crate) fn all(&self) -> [(&'static str, &Price); 3] {
        [("cpu", &self.cpu), ("storage", &self.storage), ("sent", &self.sent)]
    }
}

/// At which load and size costs are reckoned: none where nothing of it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// Entries a second, the most that our log and Rekor v2 were both asked for.
    pub(crate) rate: Option<u64>,
    /// Entries in the log, the most that both were filled to.
    pub(crate) size: Option<u64>,
    /// Entries in Rekor v1, the most that it was filled to.
    pub(crate) size_rekor1: Option<u64>,
}

impl Basis {
    pub(crate) fn of(data: &Data) -> Self {
        let size = |stems: &[&str]| common(data, "growth", stems, "bytes_per_entry");
        Self {
            rate: common(data, "log", &["sigveil_r", "rekor2_r"], "cpu_per_entry"),
            size: size(&["sigveil_n", "rekor2_n"]),
            size_rekor1: size(&["rekor1_n"]),
        }
    }

    fn size_of(self, log: &str) -> Option<u64> {
        if log == "rekor1" { self.size_rekor1 } else { self.size }
    }
}

/// What signings and look-ups cost, by scheme, as far as the figures for it are there.
pub(crate) fn costs(data: &Data, prices: &Prices) -> Vec<Cost> {
    let sign = |row: &str, metric| data.figure("sign", row, metric).ok();
    let nothing = Figure { low: 0.0, median: 0.0, high: 0.0 };
    let basis = Basis::of(data);
    let entry = |log: &str| {
        let name = format!("{log}_n{}", basis.size_of(log)?);
        data.figure("growth", &name, "bytes_per_entry").ok()
    };
    let signing = |scheme: &str, by: &Servers, entries: f64| {
        let logged = data.figure("log", &format!("{}_r{}", by.log, basis.rate?), "cpu_per_entry").ok()?;
        let issued = sign(&format!("op/issue/{}", by.authority), "ca_cpu")?;
        let stamped = sign(&format!("op/timestamp/{}", by.timestamps), "tsa_cpu")?;
        Some(Needs {
            cpu: issued.plus(stamped).plus(logged.times(entries)),
            stored: entry(by.log)?.times(entries),
            sent: sign(&format!("{scheme}/cosign"), "bundle_bytes")?,
        })
    };
    let ours = |authority| Servers { authority, timestamps: "sigveil", log: "sigveil" };
    let theirs = Servers { authority: "fulcio", timestamps: "tsa", log: "rekor2" };
    let verification = |row: &str, fetched: &[&'static str]| {
        let mut bytes = fetched.iter().map(|metric| sign(row, metric));
        let sent = bytes.try_fold(nothing, |sum, figure| Some(sum.plus(figure?)))?;
        Some(Needs { cpu: sign(row, "verify_cpu")?, stored: nothing, sent })
    };
    let (stock, ours_too) = (&["bundle_bytes"][..], &["bundle_bytes", "companion_bytes"][..]);
    let kept = |stored: Option<Figure>| Some(Needs { cpu: nothing, stored: stored?, sent: nothing });
    let entries = |log: &str, count: f64| kept(entry(log).map(|one| one.times(count)));
    let certificate = |log: &str| data.figure("log", log, "bytes_per_entry").ok();
    let searched = |side: &str| {
        Some(Needs { cpu: sign(side, "search_cpu")?, stored: nothing, sent: sign(side, "answer_bytes")? })
    };
    let lookup = || {
        let figure =
            |metric| ["map_1e6", "map_1e5"].iter().find_map(|map| data.figure("search", map, metric).ok());
        Some(Needs { cpu: figure("prove")?, stored: nothing, sent: figure("proof_bytes")? })
    };
    let gigabyte = Figure { low: GIGABYTE / MILLION, median: GIGABYTE / MILLION, high: GIGABYTE / MILLION };
    [
        ("sign/baseline", "a million signings, real servers", signing("baseline", &theirs, 1.0)),
        ("sign/clear", "a million signings, clear", signing("clear", &ours("clear"), 1.0)),
        ("sign/hashed", "a million signings, hashed", signing("hashed", &ours("hashed"), 1.0)),
        ("sign/zk", "a million signings, zk", signing("zk", &ours("zk"), 1.0)),
        ("sign/zk_deferred", "a million signings, zk deferred", signing("zk_deferred", &ours("zk"), 2.0)),
        (
            "verify/baseline/cosign",
            "a million verifications by cosign, real servers",
            verification("baseline/cosign", stock),
        ),
        (
            "verify/clear/cosign",
            "a million verifications by cosign, clear",
            verification("clear/cosign", stock),
        ),
        (
            "verify/hashed/cosign",
            "a million verifications by cosign, hashed",
            verification("hashed/cosign", stock),
        ),
        ("verify/zk/cosign", "a million verifications by cosign, zk", verification("zk/cosign", stock)),
        (
            "verify/zk_deferred/cosign",
            "a million verifications by cosign, zk deferred",
            verification("zk_deferred/cosign", stock),
        ),
        (
            "verify/zk/sigveil",
            "a million verifications by our library, zk",
            verification("zk/sigveil", ours_too),
        ),
        (
            "verify/zk_deferred/sigveil",
            "a million verifications by our library, zk deferred",
            verification("zk_deferred/sigveil", ours_too),
        ),
        ("search/rekor1", "a million look-ups, Rekor v1, unproven", searched("op/search/rekor1")),
        ("search/sigveil", "a million look-ups, every scheme of ours", searched("op/search/sigveil")),
        ("search/map", "a million map proofs alone", lookup()),
        ("year/rekor2", "a million entries for a year, Rekor v2", entries("rekor2", 1.0)),
        ("year/rekor1", "a million entries for a year, Rekor v1", entries("rekor1", 1.0)),
        ("year/sigveil", "a million entries for a year, clear, hashed or zk", entries("sigveil", 1.0)),
        (
            "year/zk_deferred",
            "a million entries and receipts for a year, zk deferred",
            entries("sigveil", 2.0),
        ),
        ("year/ct_server", "a million precertificates for a year, ct_server", kept(certificate("ct_server"))),
        ("year/sigveil_ct", "a million precertificates for a year, our log", kept(certificate("sigveil_ct"))),
        ("year/gigabyte", "a GB-year", kept(Some(gigabyte))),
    ]
    .into_iter()
    .filter_map(|(id, name, needs)| Some(cost(id, name, &needs?, prices)))
    .collect()
}

/// Whose operations a signing is made of, as rows call them.
struct Servers {
    authority: &'static str,
    timestamps: &'static str,
    log: &'static str,
}

/// The largest number with which every side that has such rows at all has one: rows are called by the side's stem and a
/// number. Sides are comparable there.
fn common(data: &Data, suite: &str, stems: &[&str], metric: &str) -> Option<u64> {
    let of_stem = |stem: &&str| {
        let number = |name: &str| name.strip_prefix(*stem)?.parse::<u64>().ok();
        data.names(suite, metric).filter_map(number).collect::<BTreeSet<_>>()
    };
    let sides = stems.iter().map(of_stem).filter(|numbers| !numbers.is_empty());
    sides.reduce(|all, one| &all & &one)?.last().copied()
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
    use super::super::data::tests::outcome;
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
    fn a_signing_is_its_operations_at_equal_load_and_its_entry_at_equal_size() {
        let folder = tempfile::tempdir().unwrap();
        let sign = [
            ("op/issue/zk", "ca_cpu", "s", 3.0),
            ("op/issue/fulcio", "ca_cpu", "s", 0.3),
            ("op/timestamp/sigveil", "tsa_cpu", "s", 0.5),
            ("op/timestamp/tsa", "tsa_cpu", "s", 0.05),
            ("zk/cosign", "bundle_bytes", "bytes", 9_000.0),
            ("zk_deferred/cosign", "bundle_bytes", "bytes", 9_500.0),
            ("baseline/cosign", "bundle_bytes", "bytes", 5_000.0),
            // Whole signings have their client's pauses in them: not what is counted.
            ("zk/cosign", "server_cpu", "s", 77.0),
        ];
        let log = [
            ("sigveil_r100", "cpu_per_entry", "s", 0.01),
            ("sigveil_r400", "cpu_per_entry", "s", 0.02),
            ("sigveil_r800", "cpu_per_entry", "s", 77.0),
            ("rekor2_r100", "cpu_per_entry", "s", 77.0),
            ("rekor2_r400", "cpu_per_entry", "s", 0.04),
            ("sigveil_c64", "cpu_per_entry", "s", 77.0),
        ];
        let growth = [
            ("sigveil_n1000", "bytes_per_entry", "bytes", 77.0),
            ("sigveil_n10000", "bytes_per_entry", "bytes", 1_000.0),
            ("sigveil_n100000", "bytes_per_entry", "bytes", 77.0),
            ("rekor2_n1000", "bytes_per_entry", "bytes", 77.0),
            ("rekor2_n10000", "bytes_per_entry", "bytes", 3_000.0),
            // It was filled to less, which is no reason to take less of the others.
            ("rekor1_n1000", "bytes_per_entry", "bytes", 5_000.0),
        ];
        for (suite, rows) in [("sign", &sign[..]), ("log", &log[..]), ("growth", &growth[..])] {
            let file = folder.path().join(suite).with_extension("json");
            std::fs::write(file, outcome(suite, rows).to_string()).unwrap();
        }
        let data = Data::read(folder.path()).unwrap();
        let prices = Prices { cpu: price(3.6), storage: price(1.0 / 12.0), sent: price(1.0) };
        let costs = costs(&data, &prices);
        // A million seconds of CPU are $1,000, a million times a kilobyte is $1 kept for a year, and $1 sent.
        for (id, dollars) in [
            ("sign/zk", 3_520.0 + 1.0 + 9.0),
            ("sign/zk_deferred", 3_540.0 + 2.0 + 9.5),
            ("sign/baseline", 390.0 + 3.0 + 5.0),
            ("year/sigveil", 1.0),
            ("year/rekor2", 3.0),
            ("year/rekor1", 5.0),
            ("year/zk_deferred", 2.0),
            ("year/gigabyte", 1.0),
        ] {
            let cost = costs.iter().find(|cost| cost.id == id).unwrap();
            assert!((cost.typical - dollars).abs() < 1e-6, "{id}: {}", cost.typical);
        }
        assert!(!costs.iter().any(|cost| cost.id == "sign/clear"));
        let basis = Basis { rate: Some(400), size: Some(10_000), size_rekor1: Some(1_000) };
        assert_eq!(Basis::of(&data), basis);
    }

    #[test]
    fn the_default_prices_are_sound_and_others_are_checked() {
        let default = Prices::read(None).unwrap();
        assert!(default.all().iter().all(|(_, price)| !price.source.is_empty() && !price.date.is_empty()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        std::fs::write(&path, DEFAULT.replacen("typical = ", "typical = 9", 1)).unwrap();
        assert!(Prices::read(Some(&path)).unwrap_err().to_string().contains("cpu"));
        for (from, to, said) in [
            ("unit = \"vCPU hour\"", "unit = \"vCPU second\"", "per vCPU hour, not per vCPU second"),
            ("source = ", "source = \"\" # ", "no source"),
            ("date = ", "date = \" \" # ", "no source or no date"),
        ] {
            let text = DEFAULT.replacen(from, to, 1);
            assert_ne!(text, DEFAULT, "{from}");
            std::fs::write(&path, text).unwrap();
            let error = Prices::read(Some(&path)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        std::fs::write(&path, "cpu = 1").unwrap();
        assert!(Prices::read(Some(&path)).unwrap_err().to_string().contains("no price file"));
    }
}
