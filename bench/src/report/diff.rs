//! Two folders of outcomes against each other: a change is more than noise where the intervals do not meet. Of fewer samples
//! than six an interval is their range, of two by chance apart from that of another two in one of three cases: what changed in
//! such rows is told apart from the others. What is counted and not measured, as constraints, is told wherever it differs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::data::{Data, Figure, Row};
use crate::row::shown;

/// Samples of which an interval covers the median in 95 % of cases.
const ENOUGH: usize = 6;

/// A line for each row that is in both and changed beyond its intervals, and how many did not; then what is in one only.
pub(crate) fn table(before: &Data, after: &Data) -> String {
    let mut out = format!("{} → {}\n", before.first().commit, after.first().commit);
    if before.first().machine != after.first().machine {
        out += "measured on different machines: only ratios can be compared\n";
    }
    let of_what = [before, after].map(|data| &data.first().workload);
    if of_what[0] != of_what[1] {
        let _ = writeln!(out, "of different workloads, {} and {}", of_what[0], of_what[1]);
    }
    let names: BTreeSet<(&str, &str)> = rows(before).map(|(suite, row)| (suite, row.name.as_str())).collect();
    let (mut same, mut gone, mut few) = (0, 0, String::new());
    let (mut ratios, mut met, mut lost) = (0, 0, 0);
    for (suite, row) in rows(before) {
        let Some(later) = rows(after).find(|(other, later)| {
            *other == suite && (&later.name, &later.metric) == (&row.name, &row.metric)
        }) else {
            gone += 1;
            lost += usize::from(is_ratio(suite, row, &names));
            continue;
        };
        if let (true, Some(old), Some(new)) = (is_ratio(suite, row, &names), row.figure(), later.1.figure()) {
            ratios += 1;
            met += usize::from(!apart(old, new));
        }
        let is_few = row.n.min(later.1.n) < ENOUGH && !is_counted(&row.metric);
        match (row.figure(), later.1.figure()) {
            (Some(old), Some(new)) if apart(old, new) => {
                let _ = writeln!(
                    if is_few { &mut few } else { &mut out },
                    "{suite} {} {}: {} → {} ({:+.1} %)",
                    row.name,
                    row.metric,
                    shown(old.median, &row.unit),
                    shown(new.median, &row.unit),
                    (new.median / old.median - 1.0) * 100.0
                );
            }
            _ => same += 1,
        }
    }
    let fresh = rows(after).count() + gone - rows(before).count();
    let _ = writeln!(out, "{same} rows within their intervals, {gone} no longer there, {fresh} new");
    if !few.is_empty() {
        let _ =
            write!(out, "of fewer than {ENOUGH} samples, which tell no change from noise, changed:\n{few}");
    }
    if ratios > 0 {
        let share = 100.0 * met as f64 / ratios as f64;
        let _ = writeln!(out, "of {ratios} ratios of sides the intervals of {met} overlap ({share:.0} %)");
    }
    if lost > 0 {
        let _ = writeln!(out, "{lost} ratios of sides are no longer there, and overlap with nothing");
    }
    out
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
        ];
        let after = [
            ("a", "p50", "s", 1.1),
            ("b", "p50", "s", 2.0),
            ("d", "p50", "s", 1.0),
            ("x/a", "p50", "s", 3.0),
            ("b/x/a", "p50", "1", 3.1),
            ("x/a", "share", "1", 3.0),
        ];
        std::fs::write(one.path().join("log.json"), outcome("log", &before).to_string()).unwrap();
        std::fs::write(two.path().join("log.json"), outcome("log", &after).to_string()).unwrap();
        let table = table(&Data::read(one.path()).unwrap(), &Data::read(two.path()).unwrap());
        assert!(table.contains("log b p50: 1.00 s → 2.00 s (+100.0 %)"), "{table}");
        assert!(!table.contains("log a"));
        assert!(!table.contains("workload") && !table.contains("fewer"), "{table}");
        assert!(table.contains("4 rows within their intervals, 2 no longer there, 1 new"), "{table}");
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
