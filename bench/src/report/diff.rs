//! Two folders of outcomes against each other: a change is more than noise where the intervals do not meet. Of fewer samples
//! than six an interval is their range, of two by chance apart from that of another two in one of three cases: what changed in
//! such rows is told apart from the others. What is counted and not measured, as constraints, is told wherever it differs.
//! Intervals of six samples that were all different do not meet by chance once in 462 times; a change may well be there before
//! they are apart, so rows of which a median lies outside the other's interval are told too, as what may have changed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::data::{Data, Figure, Row};
use crate::row::shown;

/// Samples of which an interval covers the median in 95 % of cases.
const ENOUGH: usize = 6;

/// A line for each row that is in both and changed beyond its intervals, then those that may have; how many did neither; and
/// what is in one only.
pub(crate) fn table(before: &Data, after: &Data) -> String {
    let mut out = format!("{} → {}\n", before.first().commit, after.first().commit);
    if before.first().machine != after.first().machine {
        out += "measured on different machines: only ratios can be compared\n";
    }
    let of_what = [before, after].map(|data| &data.first().workload);
    if of_what[0] != of_what[1] {
        let _ = writeln!(out, "of different workloads, {} and {}", of_what[0], of_what[1]);
    }
    let lines = Lines::of(before, after);
    out += &lines.changed;
    if !lines.perhaps.is_empty() {
        let _ =
            write!(out, "may have changed, a median being outside the other's interval:\n{}", lines.perhaps);
    }
    let _ = writeln!(out, "{} rows within their intervals", lines.same);
    if !lines.few.is_empty() {
        let few = &lines.few;
        let _ =
            write!(out, "of fewer than {ENOUGH} samples, which tell no change from noise, changed:\n{few}");
    }
    for (what, names) in [
        ("no number in one of them", &lines.unknown),
        ("no longer there", &missing(before, after)),
        ("new", &missing(after, before)),
    ] {
        if !names.is_empty() {
            let _ = writeln!(out, "{} rows {what}: {}", names.len(), names.join(", "));
        }
    }
    out + &overlap(before, after)
}

/// Rows of both, by what became of them.
#[derive(Default)]
struct Lines {
    changed: String,
    perhaps: String,
    few: String,
    same: usize,
    unknown: Vec<String>,
}

impl Lines {
    fn of(before: &Data, after: &Data) -> Self {
        let mut lines = Self::default();
        for (suite, row, later) in pairs(before, after) {
            let (Some(old), Some(new)) = (row.figure(), later.figure()) else {
                lines.unknown.push(format!("{suite} {} {}", row.name, row.metric));
                continue;
            };
            let is_few = row.n.min(later.n) < ENOUGH && !is_counted(&row.metric);
            let list = match (apart(old, new), is_few) {
                (true, false) => &mut lines.changed,
                (true, true) => &mut lines.few,
                (false, false) if leaves(old, new) || leaves(new, old) => &mut lines.perhaps,
                (false, _) => {
                    lines.same += 1;
                    continue;
                }
            };
            let _ = writeln!(
                list,
                "{suite} {} {}: {} → {} ({:+.1} %)",
                row.name,
                row.metric,
                shown(old.median, &row.unit),
                shown(new.median, &row.unit),
                (new.median / old.median - 1.0) * 100.0
            );
        }
        lines
    }
}

/// Of how many ratios of sides the intervals overlap, if there are any.
fn overlap(before: &Data, after: &Data) -> String {
    let names: BTreeSet<(&str, &str)> = rows(before).map(|(suite, row)| (suite, row.name.as_str())).collect();
    let is_ratio = |suite, row| is_ratio(suite, row, &names);
    let all = rows(before).filter(|(suite, row)| is_ratio(suite, row)).count();
    let there: Vec<bool> = pairs(before, after)
        .filter(|(suite, row, _)| is_ratio(suite, row))
        .filter_map(|(_, row, later)| Some(!apart(row.figure()?, later.figure()?)))
        .collect();
    let (met, mut out) = (there.iter().filter(|met| **met).count(), String::new());
    if !there.is_empty() {
        let share = 100.0 * met as f64 / there.len() as f64;
        let _ =
            writeln!(out, "of {} ratios of sides the intervals of {met} overlap ({share:.0} %)", there.len());
    }
    if all > there.len() {
        let lost = all - there.len();
        let _ = writeln!(out, "{lost} ratios of sides are no longer there, and overlap with nothing");
    }
    out
}

/// The rows of one that the other has too.
fn pairs<'a>(before: &'a Data, after: &'a Data) -> impl Iterator<Item = (&'a str, &'a Row, &'a Row)> {
    rows(before).filter_map(|(suite, row)| Some((suite, row, like(after, suite, row)?)))
}

/// Names of the rows of one that the other does not have.
fn missing(one: &Data, other: &Data) -> Vec<String> {
    let alone = rows(one).filter(|(suite, row)| like(other, suite, row).is_none());
    alone.map(|(suite, row)| format!("{suite} {} {}", row.name, row.metric)).collect()
}

fn like<'a>(data: &'a Data, suite: &str, row: &Row) -> Option<&'a Row> {
    let is_it =
        |(of, other): &(&str, &Row)| *of == suite && (&other.name, &other.metric) == (&row.name, &row.metric);
    rows(data).find(is_it).map(|(_, row)| row)
}

/// A side's figure over another's: both are rows of the suite, and names of sides may have slashes of their own.
fn is_ratio(suite: &str, row: &Row, names: &BTreeSet<(&str, &str)>) -> bool {
    let mut slashes = row.name.match_indices('/');
    let of_sides = slashes.any(|(at, _)| {
        names.contains(&(suite, &row.name[..at])) && names.contains(&(suite, &row.name[at + 1..]))
    });
    of_sides && row.n > 1
}

/// Whether a metric is the same each time that it is read of the same program.
fn is_counted(metric: &str) -> bool {
    metric.starts_with("constraints") || ["proof_bytes", "key_bytes"].contains(&metric)
}

fn rows(data: &Data) -> impl Iterator<Item = (&str, &Row)> {
    data.outcomes.iter().flat_map(|outcome| outcome.rows.iter().map(|row| (outcome.suite.as_str(), row)))
}

/// Whether the intervals have no point in common.
fn apart(old: Figure, new: Figure) -> bool {
    old.high < new.low || new.high < old.low
}

/// Whether the one's median is outside the other's interval.
fn leaves(one: Figure, other: Figure) -> bool {
    !(other.low..=other.high).contains(&one.median)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::data::tests::outcome;
    use super::*;

    #[test]
    fn only_what_left_its_interval_is_told() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = [
            ("a", "p50", "s", 1.0),
            ("b", "p50", "s", 1.0),
            ("c", "p50", "s", 1.0),
            ("x/a", "p50", "s", 3.0),
            ("b/x/a", "p50", "1", 3.0),
            // Of one side, whatever its unit.
            ("x/a", "share", "1", 3.0),
            ("b/x/a", "rate", "1", 3.0),
            ("e", "p50", "s", 1.0),
            ("f", "p50", "s", f64::NAN),
        ];
        let after = [
            ("a", "p50", "s", 1.1),
            ("b", "p50", "s", 2.0),
            ("d", "p50", "s", 1.0),
            ("x/a", "p50", "s", 3.0),
            ("b/x/a", "p50", "1", 3.1),
            ("x/a", "share", "1", 3.0),
            ("e", "p50", "s", 1.15),
            ("f", "p50", "s", 1.0),
        ];
        std::fs::write(one.path().join("log.json"), outcome("log", &before).to_string()).unwrap();
        std::fs::write(two.path().join("log.json"), outcome("log", &after).to_string()).unwrap();
        let table = table(&Data::read(one.path()).unwrap(), &Data::read(two.path()).unwrap());
        assert!(table.contains("log b p50: 1.00 s → 2.00 s (+100.0 %)"), "{table}");
        assert!(!table.contains("log a"));
        assert!(table.contains("other's interval:\nlog e p50: 1.00 s → 1.15 s (+15.0 %)\n4 rows"), "{table}");
        assert!(!table.contains("workload") && !table.contains("fewer"), "{table}");
        assert!(table.contains("4 rows within their intervals\n"), "{table}");
        assert!(table.contains("1 rows no number in one of them: log f p50\n"), "{table}");
        assert!(table.contains("2 rows no longer there: log c p50, log b/x/a rate\n"), "{table}");
        assert!(table.contains("1 rows new: log d p50\n"), "{table}");
        assert!(table.contains("of 1 ratios of sides the intervals of 1 overlap (100 %)"), "{table}");
        assert!(table.contains("1 ratios of sides are no longer there"), "{table}");
    }

    #[test]
    fn what_changed_in_few_samples_is_told_apart_and_workloads_are_named() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, workload, value) in [(&one, "full", 1.0), (&two, "quick", 2.0)] {
            let rows = [
                ("a", "rate_kept", "1/s", value),
                ("b", "constraints", "1", 1.0),
                ("c", "proof_bytes", "bytes", 128.0 * value),
            ];
            let mut written = outcome("log", &rows);
            written["workload"] = workload.into();
            for row in written["rows"].as_array_mut().unwrap() {
                (row["n"], row["low"], row["high"]) =
                    (1.into(), row["median"].clone(), row["median"].clone());
            }
            std::fs::write(folder.path().join("log.json"), written.to_string()).unwrap();
        }
        let table = table(&Data::read(one.path()).unwrap(), &Data::read(two.path()).unwrap());
        let few = table.find("of fewer than 6 samples").unwrap();
        assert!(table.find("log a rate_kept: ").unwrap() > few, "{table}");
        // Two programs, and no noise.
        assert!(table.find("log c proof_bytes: 128 B → 256 B").unwrap() < few, "{table}");
        assert!(table.contains("1 rows within their intervals"), "{table}");
        assert!(table.contains("of different workloads, full and quick"), "{table}");
    }
}
