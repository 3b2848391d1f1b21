//! Blocks of measurement as they are finished: appended to a file, one line each, so that a run that was killed goes on
//! where it stopped and a block that was not finished is in no report.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::baseline::is_ending;
use crate::machine::Machine;
use crate::row::{Row, Unit};
use crate::stats::quantile;
use crate::workload::Workload;

/// The figures of one block, by metric.
pub(crate) type Figures = BTreeMap<String, f64>;

/// What blocks must have in common to be of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Heading {
    pub(crate) suite: String,
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    pub(crate) workload: Workload,
    /// Of the others that are compared with.
    pub(crate) versions: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    index: usize,
    figures: Figures,
}

/// The finished blocks of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    file: Option<File>,
    blocks: BTreeMap<(String, usize), Figures>,
    /// Whether it had blocks when it was opened.
    continued: bool,
}

impl Ledger {
    /// Goes on with what the file holds; without one, blocks are kept in memory only.
    pub(crate) fn open(path: Option<&Path>, heading: &Heading) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = match path.exists() {
            true => {
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            false => String::new(),
        };
        // A line without its end was being written when the run was killed.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines();
        let first = lines.next();
        match first {
            None => {
                let begun = serde_json::to_string(heading)?.starts_with(&text);
                ensure!(begun, "{} is no file of blocks", path.display());
            }
            Some(first) => {
                let known: Value = serde_json::from_str(first)
                    .with_context(|| format!("{} has no heading", path.display()))?;
                ensure!(
                    known == serde_json::to_value(heading)?,
                    "{} holds blocks of another run ({} at {}): give a new file",
                    path.display(),
                    known["suite"],
                    known["commit"]
                );
            }
        }
        let mut blocks = BTreeMap::new();
        for line in lines {
            let line: Line = serde_json::from_str(line)
                .with_context(|| format!("{} holds a line that is no block", path.display()))?;
            blocks.insert((line.name, line.index), line.figures);
        }
        // Cut only where it is known for what it is.
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole.len() as u64)?;
        if first.is_none() {
            append(&mut file, heading)?;
        }
        let continued = !blocks.is_empty();
        Ok(Self { file: Some(file), blocks, continued })
    }

    /// Whether it went on with blocks of an earlier process.
    pub(crate) fn is_continued(&self) -> bool {
        self.continued
    }

    /// Whether a block is there.
    pub(crate) fn has(&self, name: &str, index: usize) -> bool {
        self.blocks.contains_key(&(name.to_owned(), index))
    }

    /// Keeps a block that was finished. Refuses what is no number, and everything once the harness was asked to end: its
    /// servers are being stopped, which a block may take for a server that fails.
    pub(crate) fn add(&mut self, name: &str, index: usize, figures: Figures) -> anyhow::Result<()> {
        self.add_unless(is_ending(), name, index, figures)
    }

    fn add_unless(&mut self, ending: bool, name: &str, index: usize, figures: Figures) -> anyhow::Result<()> {
        ensure!(!ending, "block {index} of {name} is not kept: the harness was asked to end");
        if let Some((metric, value)) = figures.iter().find(|(_, value)| !value.is_finite()) {
            bail!("block {index} of {name} is not kept: its {metric} is {value}");
        }
        let line = Line { name: name.to_owned(), index, figures };
        if let Some(file) = &mut self.file {
            append(file, &line)?;
        }
        self.blocks.insert((line.name, index), line.figures);
        Ok(())
    }

    /// A metric's value in every block of that name that has it, by index.
    pub(crate) fn samples(&self, name: &str, metric: &str) -> BTreeMap<usize, f64> {
        let of_name = self.blocks.iter().filter(|((block, _), _)| block == name);
        of_name.filter_map(|((_, index), figures)| Some((*index, *figures.get(metric)?))).collect()
    }

    /// The names of which blocks have a metric, and how many.
    pub(crate) fn blocks_with(&self, metric: &str) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for ((name, _), _) in self.blocks.iter().filter(|(_, figures)| figures.contains_key(metric)) {
            *counts.entry(name.as_str()).or_default() += 1;
        }
        counts
    }

    /// The row of a name's metric over the blocks that have it, if any has. They are as many samples, but of memory one, since
    /// all are of the processes of one run.
    pub(crate) fn row(&self, name: &str, metric: &'static str, unit: Unit) -> Option<Row> {
        let samples = self.samples(name, metric).into_values().collect();
        over(name, metric, unit, independent(metric, samples))
    }

    /// The same of blocks of which each had a process of its own.
    pub(crate) fn row_of_processes(&self, name: &str, metric: &'static str, unit: Unit) -> Option<Row> {
        over(name, metric, unit, self.samples(name, metric).into_values().collect())
    }

    /// The ratio of two names' metric, over the blocks that both have. None if there are none, or if it is no number in any
    /// of them: without those in which a side took nothing, the rest would say something else.
    pub(crate) fn ratio(&self, above: &str, below: &str, metric: &'static str) -> Option<Row> {
        let (above_all, below_all) = (self.samples(above, metric), self.samples(below, metric));
        let pairs = above_all.iter().filter_map(|(index, value)| Some(value / below_all.get(index)?));
        let pairs: Vec<f64> = pairs.collect();
        let name = format!("{above}/{below}");
        let all_numbers = pairs.iter().all(|ratio| ratio.is_finite());
        all_numbers.then(|| over(&name, metric, Unit::One, independent(metric, pairs))).flatten()
    }
}

/// What a process holds at one time tells what it holds at the next: all readings are one sample, of which there is a median
/// and nothing that says how another process would differ.
fn independent(metric: &str, samples: Vec<f64>) -> Vec<f64> {
    match metric {
        "rss" | "peak_rss" if !samples.is_empty() => vec![quantile(&samples, 0.5)],
        _ => samples,
    }
}

fn over(name: &str, metric: &'static str, unit: Unit, samples: Vec<f64>) -> Option<Row> {
    (!samples.is_empty()).then(|| Row::over(name, metric, unit, &samples))
}

fn append(file: &mut File, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line).context("cannot record a block")?;
    file.sync_data().context("cannot record a block")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn heading() -> Heading {
        let versions = [("rekor2".to_owned(), "v2".to_owned())].into();
        let workload = Workload::read(true, None).unwrap();
        let (kernel, file_systems) = ("x".into(), Vec::new());
        let machine =
            Machine { cpu: "x".into(), cores: 2, memory: 1, features: vec!["adx"], kernel, file_systems };
        Heading { suite: "log".into(), commit: "c".into(), machine, workload, versions }
    }

    #[test]
    fn a_run_goes_on_after_its_last_whole_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let mut ledger = Ledger::open(Some(&path), &heading()).unwrap();
        assert!(!ledger.is_continued());
        ledger.add("a", 0, [("p50".to_owned(), 0.1)].into()).unwrap();
        ledger.add("a", 1, [("p50".to_owned(), 0.3)].into()).unwrap();
        drop(ledger);
        // Killed while it wrote the third.
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"name\":\"a\",\"index\":2,\"figures\":{\"p50\":9.0}}");
        std::fs::write(&path, text).unwrap();

        let mut ledger = Ledger::open(Some(&path), &heading()).unwrap();
        assert!(ledger.has("a", 1) && !ledger.has("a", 2));
        assert!(ledger.is_continued());
        ledger.add("a", 2, [("p50".to_owned(), 0.2)].into()).unwrap();
        drop(ledger);
        let ledger = Ledger::open(Some(&path), &heading()).unwrap();
        assert_eq!(ledger.samples("a", "p50"), [(0, 0.1), (1, 0.3), (2, 0.2)].into());
        assert!(ledger.samples("a", "p99").is_empty());
    }

    #[test]
    fn nothing_is_kept_once_the_end_was_asked_for_and_no_figure_that_is_no_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        let mut ledger = Ledger::open(Some(&path), &heading()).unwrap();
        let figures = |value| Figures::from([("kept".to_owned(), value)]);
        assert!(ledger.add_unless(true, "a", 0, figures(0.0)).unwrap_err().to_string().contains("to end"));
        for value in [f64::NAN, f64::INFINITY] {
            let error = ledger.add("a", 0, figures(value)).unwrap_err().to_string();
            assert!(error.contains("its kept is"), "{error}");
        }
        assert!(!ledger.has("a", 0));
        ledger.add("a", 0, figures(0.0)).unwrap();
        drop(ledger);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn blocks_of_another_commit_workload_or_machine_are_not_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        Ledger::open(Some(&path), &heading()).unwrap();
        let workload = Workload::read(false, None).unwrap();
        // One of the same kind.
        let machine = |cores, memory| Machine { cores, memory, ..heading().machine };
        for other in [
            Heading { commit: "d".into(), ..heading() },
            Heading { workload, ..heading() },
            Heading { machine: machine(4, 1), ..heading() },
            Heading { machine: machine(2, 2), ..heading() },
        ] {
            assert!(Ledger::open(Some(&path), &other).unwrap_err().to_string().contains("another run"));
        }
    }

    #[test]
    fn a_ratio_leaves_no_round_out() {
        let mut ledger = Ledger::default();
        let figures = |cpu, wall| Figures::from([("cpu".to_owned(), cpu), ("wall".to_owned(), wall)]);
        ledger.add("a", 0, figures(2.0, 2.0)).unwrap();
        ledger.add("b", 0, figures(1.0, 1.0)).unwrap();
        ledger.add("a", 1, figures(2.0, 3.0)).unwrap();
        ledger.add("b", 1, figures(0.0, 1.0)).unwrap();
        assert!(ledger.ratio("a", "b", "cpu").is_none());
        assert_eq!(ledger.ratio("a", "b", "wall").unwrap().n, 2);
        assert!(ledger.ratio("a", "c", "wall").is_none());
    }

    #[test]
    fn memory_of_one_process_is_one_sample() {
        let mut ledger = Ledger::default();
        for (index, rss) in [30.0, 10.0, 20.0].into_iter().enumerate() {
            let figures = |rss| Figures::from([("rss".to_owned(), rss), ("p50".to_owned(), rss)]);
            ledger.add("a", index, figures(rss)).unwrap();
            ledger.add("b", index, figures(10.0)).unwrap();
        }
        let told = |row: Option<Row>| row.map(|row| (row.n, row.low, row.median, row.high)).unwrap();
        assert_eq!(told(ledger.row("a", "rss", Unit::Bytes)), (1, 20.0, 20.0, 20.0));
        assert_eq!(told(ledger.ratio("a", "b", "rss")), (1, 2.0, 2.0, 2.0));
        assert_eq!(told(ledger.row("a", "p50", Unit::Seconds)), (3, 10.0, 20.0, 30.0));
        assert_eq!(told(ledger.row_of_processes("a", "rss", Unit::Bytes)), (3, 10.0, 20.0, 30.0));
        assert!(ledger.row("c", "rss", Unit::Bytes).is_none());
    }

    #[test]
    fn what_is_no_file_of_blocks_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        for text in ["one line", "{\"suite\":\"log\"}\nand half a line"] {
            std::fs::write(&path, text).unwrap();
            assert!(Ledger::open(Some(&path), &heading()).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        // Killed while it wrote the heading.
        let begun = &serde_json::to_string(&heading()).unwrap()[..20];
        std::fs::write(&path, begun).unwrap();
        assert!(!Ledger::open(Some(&path), &heading()).unwrap().is_continued());
    }

    #[test]
    fn a_damaged_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        drop(Ledger::open(Some(&path), &heading()).unwrap());
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{}\n");
        std::fs::write(&path, text).unwrap();
        assert!(Ledger::open(Some(&path), &heading()).is_err());
    }
}
