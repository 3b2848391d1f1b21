//! What a suite leaves: rows, and the one JSON object or table around them.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::machine::Machine;
use crate::stats::Summary;

/// Units of a row; nothing else is ever reported.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
    /// Events per second.
    #[serde(rename = "1/s")]
    PerSecond,
    /// Counts and ratios.
    #[serde(rename = "1")]
    One,
}

/// One figure: what was measured, how often, its median and the 95 % bootstrap interval of that median.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) metric: &'static str,
    pub(crate) unit: Unit,
    pub(crate) n: usize,
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Row {
    /// A row over repeated samples.
    pub(crate) fn over(name: &str, metric: &'static str, unit: Unit, samples: &[f64]) -> Self {
        let Summary { median, low, high } = Summary::of(samples);
        Self { name: name.to_owned(), metric, unit, n: samples.len(), median, low, high }
    }

    /// A row that one reading settles, such as a count or a size.
    pub(crate) fn exact(name: &str, metric: &'static str, unit: Unit, value: f64) -> Self {
        Self::over(name, metric, unit, &[value])
    }
}

/// Everything that one run of one suite says.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) suite: &'static str,
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// Of the programs of others that took part; empty where none did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) rows: Vec<Row>,
}

impl Outcome {
    /// A table for people, or the JSON object: whole or not at all.
    pub(crate) fn publish(&self, json: Option<&str>) -> anyhow::Result<()> {
        match json {
            None => {
                print!("{}", self.table());
                Ok(())
            }
            Some("-") => {
                println!("{}", serde_json::to_string(self)?);
                Ok(())
            }
            Some(path) => {
                let path = std::path::Path::new(path);
                let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
                let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
                serde_json::to_writer_pretty(&mut file, self)?;
                file.write_all(b"\n")?;
                file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
                print!("{}", self.table());
                Ok(())
            }
        }
    }

    fn table(&self) -> String {
        let machine = &self.machine;
        let mut out = format!(
            "suite {} at {} on {} ({} cores, {:.0} GiB)\n",
            self.suite,
            self.commit,
            machine.cpu,
            machine.cores,
            machine.memory as f64 / f64::from(1 << 30)
        );
        for (program, version) in &self.versions {
            out += &format!("with {program} {version}\n");
        }
        for row in &self.rows {
            out += &format!(
                "{:<22} {:<18} {:>14} [{}, {}] n={}\n",
                row.name,
                row.metric,
                shown(row.median, row.unit),
                shown(row.low, row.unit),
                shown(row.high, row.unit),
                row.n
            );
        }
        out
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 1e-3 => format!("{:.1} µs", value * 1e6),
        Unit::Seconds if value < 1.0 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Bytes if value >= 1e6 => format!("{:.1} MB", value / 1e6),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::PerSecond => format!("{value:.0}/s"),
        Unit::One if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::One => format!("{value:.3}"),
    }
}
