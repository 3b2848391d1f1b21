//! Recorded outcomes, as suites leave them by `--json=F`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// One outcome file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) suite: String,
    pub(crate) commit: String,
    /// The name of the workload.
    pub(crate) workload: String,
    pub(crate) machine: Machine,
    /// How long it took; none of a run that went on after a kill.
    #[serde(default)]
    pub(crate) seconds: Option<f64>,
    /// What it was compared with; outcomes of old do not say.
    #[serde(default)]
    pub(crate) against: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) versions: BTreeMap<String, String>,
    /// What was asked for and could not be measured.
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
    pub(crate) rows: Vec<Row>,
    /// SHA-256 of the file, in hexadecimal.
    #[serde(skip)]
    pub(crate) checksum: String,
    /// The file as it is.
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) features: Vec<String>,
    /// With its release; outcomes of old say nothing of it.
    #[serde(default)]
    pub(crate) kernel: String,
    /// Those that servers write to.
    #[serde(default)]
    pub(crate) file_systems: Vec<String>,
}

/// One figure with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) metric: String,
    pub(crate) unit: String,
    pub(crate) n: usize,
    // serde_json writes what is no number as null.
    pub(crate) median: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

/// Every outcome of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) outcomes: Vec<Recorded>,
}

/// A figure that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Data {
    /// Reads every `*.json` of a folder. Refuses a folder without one, and outcomes of different commits, workloads or
    /// machines: a report is of one.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths: Vec<PathBuf> =
            entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let outcomes = paths.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        let first = outcomes.first().with_context(|| format!("{} has no outcomes", folder.display()))?;
        for other in &outcomes {
            ensure!(
                other.of() == first.of(),
                "{} was measured at {}, workload {}, on {}, and {} at {}, workload {}, on {}: a report is of one commit, \
                 workload and machine",
                first.suite,
                first.commit,
                first.workload,
                first.machine.cpu,
                other.suite,
                other.commit,
                other.workload,
                other.machine.cpu
            );
            let suites = outcomes.iter().filter(|outcome| outcome.suite == other.suite).count();
            ensure!(suites == 1, "suite {} is there {suites} times", other.suite);
        }
        Ok(Self { outcomes })
    }

    /// The outcomes, as files of another folder.
    pub(crate) fn files(&self, folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let file =
            |outcome: &Recorded| (folder.join(&outcome.suite).with_extension("json"), outcome.bytes.clone());
        self.outcomes.iter().map(file).collect()
    }

    /// What they have in common.
    pub(crate) fn first(&self) -> &Recorded {
        &self.outcomes[0]
    }

    /// A figure by suite, name and metric.
    pub(crate) fn figure(&self, suite: &str, name: &str, metric: &str) -> anyhow::Result<Figure> {
        let found = self.row(suite, name, metric)?.figure();
        found.with_context(|| format!("{metric} of {name} in suite {suite} is no number"))
    }

    /// A figure's unit.
    pub(crate) fn unit(&self, suite: &str, name: &str, metric: &str) -> anyhow::Result<&str> {
        Ok(&self.row(suite, name, metric)?.unit)
    }

    /// The names of which a metric was measured.
    pub(crate) fn names(&self, suite: &str, metric: &str) -> impl Iterator<Item = &str> {
        self.rows(suite).filter(move |row| row.metric == metric).map(|row| row.name.as_str())
    }

    fn rows(&self, suite: &str) -> impl Iterator<Item = &Row> {
        self.outcomes.iter().filter(move |outcome| outcome.suite == suite).flat_map(|outcome| &outcome.rows)
    }

    fn row(&self, suite: &str, name: &str, metric: &str) -> anyhow::Result<&Row> {
        let found = self.rows(suite).find(|row| row.name == name && row.metric == metric);
        found.with_context(|| format!("no figure {metric} of {name} in suite {suite}"))
    }
}

impl Machine {
    /// As a sentence has it.
    pub(crate) fn described(&self) -> String {
        let memory = self.memory as f64 / f64::from(1 << 30);
        let features = match &self.features[..] {
            [] => "none of the features that the arithmetic could use".to_owned(),
            some => some.join(", "),
        };
        let mut described = format!("{}, {} cores, {memory:.0} GiB, {features}", self.cpu, self.cores);
        if !self.kernel.is_empty() {
            described += &format!(", {}, files on {}", self.kernel, self.file_systems.join(" and "));
        }
        described
    }
}

impl Recorded {
    fn of(&self) -> (&str, &str, &Machine) {
        (&self.commit, &self.workload, &self.machine)
    }
}

impl Figure {
    /// Both together: their least, and their most.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, median: self.median + other.median, high: self.high + other.high }
    }

    /// So many of it.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, median: self.median * factor, high: self.high * factor }
    }
}

impl Row {
    /// Its three numbers, if they are numbers.
    pub(crate) fn figure(&self) -> Option<Figure> {
        Some(Figure { low: self.low?, median: self.median?, high: self.high? })
    }
}

/// One outcome, whole.
pub(super) fn read(path: &Path) -> anyhow::Result<Recorded> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut outcome: Recorded =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no whole outcome", path.display()))?;
    outcome.checksum = hex::encode(Sha256::digest(&bytes));
    outcome.bytes = bytes;
    Ok(outcome)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in crate::report) fn outcome(suite: &str, rows: &[(&str, &str, &str, f64)]) -> Value {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(name, metric, unit, median)| {
                json!({"name": name, "metric": metric, "unit": unit, "n": 6, "median": median,
                    "low": median * 0.9, "high": median * 1.1})
            })
            .collect();
        json!({"suite": suite, "commit": "abc", "workload": "quick", "left_out": ["no go"], "machine": {"cpu": "<x>", "cores": 2, "memory": 1, "features": []},
            "versions": {"rekor2": "v2"}, "rows": rows})
    }

    #[test]
    fn half_an_outcome_is_refused_and_so_are_two_commits_or_workloads() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Data::read(folder.path()).is_err());
        let whole = outcome("log", &[("a", "p50", "s", 1.0)]);
        std::fs::write(folder.path().join("log.json"), whole.to_string()).unwrap();
        let data = Data::read(folder.path()).unwrap();
        assert_eq!(data.figure("log", "a", "p50").unwrap().median, 1.0);
        assert!(data.figure("log", "a", "p99").is_err() && data.figure("sign", "a", "p50").is_err());

        let mut other = outcome("sign", &[]);
        other["commit"] = json!("def");
        std::fs::write(folder.path().join("sign.json"), other.to_string()).unwrap();
        assert!(Data::read(folder.path()).unwrap_err().to_string().contains("one commit"));
        other["commit"] = json!("abc");
        other["workload"] = json!("full");
        std::fs::write(folder.path().join("sign.json"), other.to_string()).unwrap();
        assert!(Data::read(folder.path()).unwrap_err().to_string().contains("workload full"));
        std::fs::write(folder.path().join("sign.json"), whole.to_string()).unwrap();
        assert!(Data::read(folder.path()).unwrap_err().to_string().contains("2 times"));
        let half = &whole.to_string()[..100];
        std::fs::write(folder.path().join("sign.json"), half).unwrap();
        assert!(Data::read(folder.path()).unwrap_err().to_string().contains("no whole outcome"));
    }
}
