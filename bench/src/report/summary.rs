//! What a reader looks for first: ours beside the real servers, with the ratio of the same rounds.

use std::fmt::Write as _;

use super::data::{Data, Figure};
use super::svg::escaped;
use crate::row::shown;

/// What is compared.
struct Headline {
    what: &'static str,
    suite: &'static str,
    ours: &'static str,
    theirs: &'static str,
    metric: &'static str,
}

const fn headline(what: &'static str, of: [&'static str; 4]) -> Headline {
    let [suite, ours, theirs, metric] = of;
    Headline { what, suite, ours, theirs, metric }
}

const HEADLINES: [Headline; 16] = [
    headline("cosign signs (zk)", ["sign", "zk/cosign", "baseline/cosign", "wall"]),
    headline("sigstore-python signs (zk)", ["sign", "zk/python", "baseline/python", "wall"]),
    headline("cosign verifies (zk)", ["sign", "zk/cosign", "baseline/cosign", "verify"]),
    headline("bundle (zk)", ["sign", "zk/cosign", "baseline/cosign", "bundle_bytes"]),
    headline("CPU of a certificate (zk)", ["sign", "op/issue/zk", "op/issue/fulcio", "ca_cpu"]),
    headline("CPU of a certificate (hashed)", ["sign", "op/issue/hashed", "op/issue/fulcio", "ca_cpu"]),
    headline("certificates a second (zk)", ["sign", "op/issue/zk", "op/issue/fulcio", "rate_max"]),
    headline("a timestamp", ["sign", "op/timestamp/sigveil", "op/timestamp/tsa", "wall"]),
    headline("a search", ["sign", "op/search/sigveil", "op/search/rekor1", "wall"]),
    headline("an entry, 64 connections (Rekor v2, 1 s)", ["log", "sigveil_c64", "rekor2_c64", "p50"]),
    headline(
        "entries a second, the highest rate kept",
        ["log", "sigveil_sweep", "rekor2_sweep", "rate_kept"],
    ),
    // At equal load: closed loops ask of each side as much as it answers.
    headline("CPU of an entry, 100 a second", ["log", "sigveil_r100", "rekor2_r100", "cpu_per_entry"]),
    headline("CPU of an entry, 400 a second", ["log", "sigveil_r400", "rekor2_r400", "cpu_per_entry"]),
    headline(
        "written for an entry, 100 a second",
        ["log", "sigveil_r100", "rekor2_r100", "written_per_entry"],
    ),
    headline(
        "written for an entry, 400 a second",
        ["log", "sigveil_r400", "rekor2_r400", "written_per_entry"],
    ),
    headline(
        "a timestamp, highest rate kept",
        ["sign", "sweep/timestamp/sigveil_sweep", "sweep/timestamp/tsa_sweep", "rate_kept"],
    ),
];

/// A table of the comparisons of which both sides were measured; nothing if there is none.
pub(super) fn table(data: &Data) -> String {
    let rows: String = HEADLINES.iter().filter_map(|headline| headline.row(data)).collect();
    if rows.is_empty() {
        return rows;
    }
    let mut table = String::from("<h2>At a glance</h2><div class=\"wide\"><table><tr><th>");
    let _ = write!(table, "<th>sigveil<th>real servers<th>ours / theirs</tr>{rows}</table></div>");
    table
}

impl Headline {
    fn row(&self, data: &Data) -> Option<String> {
        let figure = |name: &str| data.figure(self.suite, name, self.metric).ok();
        let unit = data.unit(self.suite, self.ours, self.metric).ok()?;
        let (ours, theirs) = (figure(self.ours)?, figure(self.theirs)?);
        // Suites state the ratio one way or the other.
        let over = |above, below| figure(&format!("{above}/{below}"));
        let ratio = over(self.ours, self.theirs).or_else(|| Some(inverse(over(self.theirs, self.ours)?)));
        let show = |value| escaped(&shown(value, unit));
        let ratio = ratio.map_or_else(
            || "–".to_owned(),
            |of| format!("{} [{}, {}]", times(of.median), times(of.low), times(of.high)),
        );
        Some(format!(
            "<tr><td>{}<td>{}<td>{}<td>{ratio}</tr>",
            escaped(self.what),
            show(ours.median),
            show(theirs.median)
        ))
    }
}

fn inverse(of: Figure) -> Figure {
    Figure { low: 1.0 / of.high, median: 1.0 / of.median, high: 1.0 / of.low }
}

/// Three digits that count.
fn times(ratio: f64) -> String {
    match ratio {
        large if large >= 100.0 => format!("{large:.0}×"),
        middle if middle >= 10.0 => format!("{middle:.1}×"),
        one if one >= 1.0 => format!("{one:.2}×"),
        small => format!("{small:.3}×"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::data::tests::outcome;
    use super::*;

    #[test]
    fn a_ratio_is_ours_over_theirs_whichever_way_it_was_stated() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [
            ("sigveil_c64", "p50", "s", 0.01),
            ("rekor2_c64", "p50", "s", 1.0),
            ("rekor2_c64/sigveil_c64", "p50", "1", 100.0),
        ];
        std::fs::write(folder.path().join("log.json"), outcome("log", &rows).to_string()).unwrap();
        let data = Data::read(folder.path()).unwrap();
        let table = table(&data);
        // The interval is from 90 to 110 the other way about.
        assert!(table.contains("<td>10.00 ms<td>1.00 s<td>0.010× [0.009×, 0.011×]"), "{table}");
        assert!(!table.contains("timestamp"), "what was not measured has no line");
    }
}
