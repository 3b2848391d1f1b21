//! What a running log counts, in Prometheus's text format. Nothing in it says who signed what.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters and gauges of one log; those of this process begin at zero.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(super) committed: AtomicU64,
    pub(super) published: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) refused_busy: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) batch_microseconds: AtomicU64,
    pub(super) unwitnessed: AtomicU64,
    pub(super) storage_failures: AtomicU64,
    pub(super) storage_failing: AtomicU64,
    pub(super) publishing: AtomicU64,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// Sets a gauge.
pub(super) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}

impl Metrics {
    /// Whether storage works, and what is committed is published.
    pub(super) fn is_ready(&self) -> bool {
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        read(&self.storage_failing) == 0 && read(&self.published) >= read(&self.committed)
    }

    /// Of a log in which nothing happens any more.
    pub(super) fn set_all(&self, size: u64) {
        set(&self.committed, size);
        set(&self.published, size);
    }

    /// Counts a submission that was answered with what the log holds, without coming to the engine.
    pub(crate) fn count_duplicate(&self) {
        add(&self.duplicates, 1);
    }

    /// Entries under the published checkpoint.
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Name, type, meaning and value of each.
    fn rows(&self) -> [(&'static str, &'static str, &'static str, f64); 11] {
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64;
        let seconds = read(&self.batch_microseconds) / 1e6;
        [
            ("sigveil_log_committed_entries", "gauge", "Entries that are durable.", read(&self.committed)),
            (
                "sigveil_log_published_entries",
                "gauge",
                "Entries under the published checkpoint.",
                read(&self.published),
            ),
            (
                "sigveil_log_acknowledged_total",
                "counter",
                "Entries answered with a receipt.",
                read(&self.acknowledged),
            ),
            (
                "sigveil_log_duplicates_total",
                "counter",
                "Submissions of what the log holds already.",
                read(&self.duplicates),
            ),
            (
                "sigveil_log_busy_total",
                "counter",
                "Submissions refused because too much waits, for a batch or for its checkpoint.",
                read(&self.refused_busy),
            ),
            ("sigveil_log_batches_total", "counter", "Batches committed and published.", read(&self.batches)),
            (
                "sigveil_log_batch_seconds_total",
                "counter",
                "Time spent on them, from full batch to answers.",
                seconds,
            ),
            (
                "sigveil_log_unwitnessed_total",
                "counter",
                "Checkpoints that too few witnesses cosigned.",
                read(&self.unwitnessed),
            ),
            (
                "sigveil_log_storage_failures_total",
                "counter",
                "Times that storage failed.",
                read(&self.storage_failures),
            ),
            (
                "sigveil_log_storage_failing",
                "gauge",
                "1 while nothing is accepted because storage fails.",
                read(&self.storage_failing),
            ),
            (
                "sigveil_log_publishing",
                "gauge",
                "1 on the front end that publishes what all ordered.",
                read(&self.publishing),
            ),
        ]
    }

    /// All of them in Prometheus's text format 0.0.4, labelled with the log's origin.
    pub fn to_text(&self, origin: &str) -> String {
        let origin = origin.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let mut text = String::new();
        for (name, kind, meaning, value) in self.rows() {
            writeln!(
                text,
                "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name}{{origin=\"{origin}\"}} {value}"
            )
            .expect("a string takes all");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/metrics.md` lists what is there, and nothing else.
    #[test]
    fn the_documented_list_is_the_list() {
        let page = include_str!("../../../docs/metrics.md");
        let listed: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let rows = Metrics::default().rows();
        let expected: Vec<_> = rows
            .iter()
            .map(|(name, kind, meaning, _)| format!("| `{name}` | {kind} | {meaning} |"))
            .collect();
        assert_eq!(listed, expected);
    }

    /// `docs/grafana-log.json` shows each of them, and asks for nothing that is not there.
    #[test]
    fn the_dashboard_shows_the_list() {
        let dashboard = include_str!("../../../docs/grafana-log.json");
        let parsed: serde_json::Value = serde_json::from_str(dashboard).unwrap_or_default();
        let panels = parsed["panels"].as_array().cloned().unwrap_or_default();
        let targets =
            panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
        let expressions: String = targets.map(|target| target["expr"].to_string()).collect();
        let asked: std::collections::BTreeSet<_> = expressions
            .split(|c: char| !c.is_ascii_lowercase() && c != '_')
            .filter(|word| word.starts_with("sigveil_"))
            .collect();
        let rows = Metrics::default().rows();
        assert_eq!(asked, rows.iter().map(|(name, ..)| *name).collect());
    }
}
