//! Two folders of outcomes against each other: a change is more than noise where the intervals do not meet.

use std::fmt::Write as _;

use super::data::{Data, Figure, Row};
use crate::row::shown;

/// A line for each row that is in both and changed beyond its intervals, and how many did not; then what is in one only.
pub(crate) fn table(before: &Data, after: &Data) -> String {
    let mut out = format!("{} → {}\n", before.first().commit, after.first().commit);
    if before.first().machine != after.first().machine {
        out += "measured on different machines: only ratios can be compared\n";
    }
    let (mut same, mut gone) = (0, 0);
    let (mut ratios, mut met) = (0, 0);
    for (suite, row) in rows(before) {
        let Some(later) = rows(after).find(|(other, later)| {
            *other == suite && (&later.name, &later.metric) == (&row.name, &row.metric)
        }) else {
            gone += 1;
            continue;
        };
        if let (true, Some(old), Some(new)) = (is_ratio(row), row.figure(), later.1.figure()) {
            ratios += 1;
            met += usize::from(!apart(old, new));
        }
        match (row.figure(), later.1.figure()) {
            (Some(old), Some(new)) if apart(old, new) => {
                let _ = writeln!(
                    out,
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
    if ratios > 0 {
        let share = 100.0 * met as f64 / ratios as f64;
        let _ = writeln!(out, "of {ratios} ratios of sides the intervals of {met} overlap ({share:.0} %)");
    }
    out
}

/// A side's figure over another's.
fn is_ratio(row: &Row) -> bool {
    row.unit == "1" && row.name.contains('/') && row.n > 1
}

fn rows(data: &Data) -> impl Iterator<Item = (&str, &Row)> {
    data.outcomes.iter().flat_map(|outcome| outcome.rows.iter().map(|row| (outcome.suite.as_str(), row)))
}

/// Whether the intervals have no point in common. One of a single reading has no width: it says nothing of noise.
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
            ("x/y", "p50", "1", 3.0),
        ];
        let after = [
            ("a", "p50", "s", 1.1),
            ("b", "p50", "s", 2.0),
            ("d", "p50", "s", 1.0),
            ("x/y", "p50", "1", 3.1),
        ];
        std::fs::write(one.path().join("log.json"), outcome("log", &before).to_string()).unwrap();
        std::fs::write(two.path().join("log.json"), outcome("log", &after).to_string()).unwrap();
        let table = table(&Data::read(one.path()).unwrap(), &Data::read(two.path()).unwrap());
        assert!(table.contains("log b p50: 1.00 s → 2.00 s (+100.0 %)"), "{table}");
        assert!(!table.contains("log a"));
        assert!(table.contains("2 rows within their intervals, 1 no longer there, 1 new"), "{table}");
        assert!(table.contains("of 1 ratios of sides the intervals of 1 overlap (100 %)"), "{table}");
    }
}
