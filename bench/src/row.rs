//! What a suite leaves: rows, and the one JSON object or table around them.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Context as _;
use serde::Serialize;

use crate::machine::{Machine, folder_of};
use crate::stats::Summary;

/// Units of a row; nothing else is ever reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Events per second.
    PerSecond,
    /// Counts and ratios.
    One,
}

impl Unit {
    /// As rows have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::PerSecond => "1/s",
            Self::One => "1",
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One figure: what was measured, how often, its median and an interval that covers it ([`Summary`]).
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

/// What a suite has measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// What it could not measure for want of a program, and which.
    pub(crate) left_out: Vec<String>,
    /// Whether some of its blocks are of an earlier process.
    pub(crate) continued: bool,
}

impl From<Vec<Row>> for Measured {
    fn from(rows: Vec<Row>) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// Everything that one run of one suite says.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) suite: &'static str,
    pub(crate) commit: String,
    /// The name of the workload.
    pub(crate) workload: String,
    pub(crate) machine: Machine,
    /// Seconds of the process that measured, from its start to its last row; none where it went on with what an earlier one had
    /// measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// What it was compared with, or was to be.
    pub(crate) against: Vec<String>,
    /// Of the programs of others that took part; empty where none did.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) versions: BTreeMap<String, String>,
    /// What was asked for and could not be measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<String>,
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
                let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
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
            "suite {} at {}, workload {}, on {} ({} cores, {:.0} GiB)\n",
            self.suite,
            self.commit,
            self.workload,
            machine.cpu,
            machine.cores,
            machine.memory as f64 / f64::from(1 << 30)
        );
        if let Some(seconds) = self.seconds {
            out += &format!("in {}\n", lasted(seconds));
        }
        for (program, version) in &self.versions {
            out += &format!("with {program} {version}\n");
        }
        for what in &self.left_out {
            out += &format!("left out: {what}\n");
        }
        for row in &self.rows {
            out += &format!(
                "{:<22} {:<18} {:>14} [{}, {}] n={}\n",
                row.name,
                row.metric,
                shown(row.median, row.unit.name()),
                shown(row.low, row.unit.name()),
                shown(row.high, row.unit.name()),
                row.n
            );
        }
        out
    }
}

/// How long a suite took, as people say it.
pub(crate) fn lasted(seconds: f64) -> String {
    match seconds {
        short if short < 100.0 => format!("{short:.0} s"),
        long => format!("{:.0} min", long / 60.0),
    }
}

/// A value as people read it. Of a unit that rows do not have, the bare number.
pub(crate) fn shown(value: f64, unit: &str) -> String {
    match unit {
        "s" if value < 1e-3 => format!("{:.1} µs", value * 1e6),
        "s" if value < 1.0 => format!("{:.2} ms", value * 1e3),
        "s" => format!("{value:.2} s"),
        "bytes" if value >= 1e6 => format!("{:.1} MB", value / 1e6),
        "bytes" => format!("{value:.0} B"),
        "1/s" if value < 100.0 => format!("{value:.2}/s"),
        "1/s" => format!("{value:.0}/s"),
        // Of two counts the median may lie between.
        _ if value.fract() == 0.0 || value >= 1e3 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}
