//! The report as one page that needs nothing else: no network, no script.

use std::fmt::Write as _;

use super::cost::{Basis, Cost, Prices};
use super::data::{Data, Recorded, Row};
use super::measure;
use super::summary;
use super::svg::{Line, escaped, intervals, tornado};
use crate::row::{lasted, shown};
use crate::suites::growth::TRUSTED;

const STYLE: &str = include_str!("page.css");
/// Metrics that are drawn, for each suite, with what they are; tables hold all.
const PLOTS: [(&str, &str, &str); 22] = [
    ("sign", "wall", "How long a signing or an operation takes"),
    ("sign", "client_cpu", "CPU of the client"),
    ("sign", "server_cpu", "CPU of all servers for one signing"),
    ("sign", "proof_delay", "From a deferred certificate to its proofs"),
    ("sign", "rate_max", "The most that an operation is done per second, closed loop"),
    ("sign", "rate_wrk", "The same, by wrk"),
    ("sign", "rate_kept", "The highest rate of an operation that was kept, open loop"),
    ("sign", "verify", "Verifying a signature"),
    ("sign", "bundle_bytes", "Bytes of a bundle"),
    ("log", "p50", "Median latency of an entry"),
    ("log", "p99", "Latency that 99 of 100 entries stay below"),
    ("log", "entries_per_s", "Entries per second, closed loop"),
    ("log", "cpu_per_entry", "CPU of the server for one entry"),
    ("log", "written_per_entry", "Written to disk for one entry"),
    ("log", "rate_kept", "The highest rate that was kept, open loop"),
    ("growth", "cpu_per_entry", "CPU of the servers for one entry or certificate, by what was there before"),
    ("growth", "bytes_per_entry", "Kept on disk for one entry or certificate, by how many there are"),
    ("growth", "p50", "Median latency, by what was there before"),
    ("prover", "prove_wall", "Proving"),
    ("prover", "verify", "Verifying a proof"),
    ("search", "verify", "Verifying a map proof"),
    ("identity", "verify", "Verifying a VRF proof"),
];

/// The whole page.
pub(crate) fn page(data: &Data, prices: &Prices, costs: &[Cost]) -> String {
    let first = data.first();
    let mut page = String::from("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>sigveil: figures</title>";
    let _ = write!(page, "<style>{STYLE}</style></head><body><h1>sigveil: figures</h1>");
    let _ = write!(
        page,
        "<p>Measured at commit <code>{}</code>, workload {}, on one machine: {}. Every interval is \
         between two order statistics of the blocks counted as n, and covers the median in at least 95 % of cases; of fewer than \
         six blocks it is their range, which covers it in 1 − 2<sup>1−n</sup>; where sides are compared, blocks took turns in one run, \
         and <code>A/B</code> is A's figure over B's of the same round. Rates that rise (<code>_sN</code>, <code>_sweep</code>) \
         took no turns: one side came after the other, each once.</p>",
        escaped(&first.commit),
        escaped(&first.workload),
        escaped(&first.machine.described()),
    );
    versions(&mut page, data);
    absent(&mut page, data);
    page += &summary::table(data);
    cost_section(&mut page, prices, costs, Basis::of(data));
    for outcome in &data.outcomes {
        suite(&mut page, outcome);
    }
    page + "</body></html>\n"
}

fn versions(page: &mut String, data: &Data) {
    let all: std::collections::BTreeMap<_, _> =
        data.outcomes.iter().flat_map(|outcome| &outcome.versions).collect();
    if all.is_empty() {
        return;
    }
    let list: Vec<String> =
        all.into_iter().map(|(name, version)| format!("{} {}", escaped(name), escaped(version))).collect();
    let _ = write!(page, "<p>Others took part as {}.</p>", list.join(", "));
}

/// Suites that are not there, with whom others were not compared, and what they had to leave out.
fn absent(page: &mut String, data: &Data) {
    let there = |suite: &&str| data.outcomes.iter().any(|outcome| outcome.suite == **suite);
    let mut all: Vec<String> =
        measure::suites().filter(|suite| !there(suite)).map(|suite| format!("suite {suite}")).collect();
    for outcome in &data.outcomes {
        let missing = measure::not_compared(outcome).into_iter();
        all.extend(missing.map(|other| format!("of suite {}: {other}", outcome.suite)));
        all.extend(outcome.left_out.iter().map(|what| format!("of suite {}: {what}", outcome.suite)));
    }
    if !all.is_empty() {
        let _ = write!(page, "<p><strong>Not in this report:</strong> {}.</p>", escaped(&all.join("; ")));
    }
}

fn suite(page: &mut String, outcome: &Recorded) {
    let _ = write!(page, "<h2>Suite {}</h2>", escaped(&outcome.suite));
    let measured = outcome.seconds.map_or_else(
        || "piece by piece: it was interrupted, and went on with what was whole".to_owned(),
        |seconds| format!("in {}", lasted(seconds)),
    );
    let _ = write!(page, "<p>Measured {measured}.</p>");
    for (_, metric, title) in PLOTS.iter().filter(|(suite, _, _)| *suite == outcome.suite) {
        let of_metric = |ratios: bool| -> Vec<Line> {
            let wanted =
                |row: &&Row| row.metric == *metric && (row.unit == "1") == ratios && !is_step(&row.name);
            let rows = outcome.rows.iter().filter(wanted);
            rows.filter_map(line).collect()
        };
        let unit = outcome.rows.iter().find(|row| row.metric == *metric && row.unit != "1");
        let unit = unit.map(|row| row.unit.as_str()).unwrap_or_default();
        let ratios = format!("{title}: ratios");
        figure(page, title, &intervals(title, &of_metric(false), |value| shown(value, unit)));
        figure(page, &ratios, &intervals(&ratios, &of_metric(true), |value| format!("{value}×")));
    }
    page.push_str("<details><summary>All rows</summary><div class=\"wide\"><table><tr><th>name<th>metric<th>median<th>low<th>high<th>n</tr>");
    for row in &outcome.rows {
        let missed = missed(row, outcome);
        let cell = |value: Option<f64>| {
            let value = value.filter(|_| missed.is_none_or(|error| error.abs() <= TRUSTED));
            value.map_or("–".to_owned(), |value| escaped(&shown(value, &row.unit)))
        };
        let beside = missed
            .map_or(String::new(), |error| format!(" (a model that missed by {:+.0} %)", 100.0 * error));
        let _ = write!(
            page,
            "<tr><td>{}<td>{}{beside}<td>{}<td>{}<td>{}<td>{}</tr>",
            escaped(&row.name),
            escaped(&row.metric),
            cell(row.median),
            cell(row.low),
            cell(row.high),
            row.n
        );
    }
    let _ = write!(
        page,
        "</table></div><p>SHA-256 of the recorded file: <code>{}</code></p></details>",
        outcome.checksum
    );
}

/// Of what a model says beyond what was measured, by how much it missed what was: the largest size, or the log that was filled
/// at its engine, whichever it missed by more.
fn missed(row: &Row, outcome: &Recorded) -> Option<f64> {
    if row.metric != "at_thousandfold" {
        return None;
    }
    let is_error = |metric: &str| ["model_error", "large_error"].contains(&metric);
    let errors = outcome.rows.iter().filter(|other| other.name == row.name && is_error(&other.metric));
    errors.filter_map(|error| error.median).max_by(|one, other| one.abs().total_cmp(&other.abs()))
}

/// Whether a row is of one of many rising rates, `SIDE_sN`: the highest that was kept is drawn.
fn is_step(name: &str) -> bool {
    let rate = name.rsplit_once("_s").map(|(_, rate)| rate);
    rate.is_some_and(|rate| !rate.is_empty() && rate.bytes().all(|byte| byte.is_ascii_digit()))
}

fn line(row: &Row) -> Option<Line> {
    let figure = row.figure()?;
    let value = shown(figure.median, &row.unit);
    Some(Line { label: row.name.clone(), low: figure.low, middle: figure.median, high: figure.high, value })
}

fn figure(page: &mut String, title: &str, svg: &str) {
    if !svg.is_empty() {
        let _ = write!(page, "<figure><figcaption>{}</figcaption>{svg}</figure>", escaped(title));
    }
}

fn cost_section(page: &mut String, prices: &Prices, costs: &[Cost], basis: Basis) {
    if costs.is_empty() {
        return;
    }
    page.push_str(
        "<h2>What it costs</h2><p>Measured resources times list prices. A signing is the CPU of a certificate, a timestamp \
         and an entry, each operation measured alone, the entry at the same rate on both sides; storage of the signature log's \
         entry for a year, at the same size of both logs; bytes of cosign's bundle, sent once. Not counted: certificates within entries, which are of a bare key on all sides, the index and what \
         it keeps, the certificate log's storage (lines of its own), memory, what is written to disk and not kept, capacity that \
         stands idle (CPU is charged as if all of it were always used), backups, requests billed one by one, people; of a \
         verification by our library the start of a process. CPU is this machine's.</p>",
    );
    for (what, number) in [
        ("Entries a second of a log, at which its CPU is taken", basis.rate),
        ("Entries in our log and in Rekor v2, at which what they keep of one is taken", basis.size),
        ("Entries in Rekor v1, the same", basis.size_rekor1),
    ] {
        let _ = number.map(|number| write!(page, "<p>{what}: {}.</p>", grouped(number)));
    }
    page.push_str("<div class=\"wide\"><table><tr><th>of<th>low<th>typical<th>high</tr>");
    for cost in costs {
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}</tr>",
            escaped(cost.name),
            dollars(cost.low),
            dollars(cost.typical),
            dollars(cost.high)
        );
    }
    page.push_str("</table></div>");
    for cost in costs {
        // What moves it by less than a hundredth has no bar that could be seen.
        let moving = cost.swings.iter().filter(|(_, low, high)| (high - low).abs() > 0.01 * cost.typical);
        let lines: Vec<Line> = moving
            .map(|(name, low, high)| Line {
                label: (*name).to_owned(),
                low: *low,
                middle: cost.typical,
                high: *high,
                // Both ends, as the middle is seldom in the middle.
                value: format!("{} – {}", dollars(*low), dollars(*high)),
            })
            .collect();
        // Of one input there is nothing to compare.
        if lines.len() > 1 {
            let title = format!("What moves the cost of {}", cost.name);
            figure(page, &title, &tornado(&title, &lines, dollars));
        }
    }
    page.push_str("<div class=\"wide\"><table><tr><th>price<th>per<th>low<th>typical<th>high<th>of</tr>");
    for (name, price) in prices.all() {
        let _ = write!(
            page,
            "<tr><td>{name}<td>{}<td>${}<td>${}<td>${}<td>{}</tr>",
            escaped(&price.unit),
            price.low,
            price.typical,
            price.high,
            escaped(&price.date)
        );
    }
    page.push_str("</table></div><p>Where they are from.");
    for (name, price) in prices.all() {
        let _ = write!(page, " Of {name}: {}.", escaped(&price.source));
    }
    page.push_str("</p>");
}

/// A count, with a comma before each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

pub(super) fn dollars(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("${value:.0}"),
        small if small < 0.1 => format!("${value:.4}"),
        _ => format!("${value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cost_is_shown_by_both_ends() {
        let swings = vec![("price of CPU", 1.0, 7.0), ("CPU seconds", 1.5, 2.5)];
        let cost = Cost { id: "x", name: "x", low: 1.0, typical: 2.0, high: 7.0, swings };
        let mut page = String::new();
        let prices = Prices::read(None).expect("the default prices are sound");
        let basis = Basis { rate: Some(400), size: Some(1_000_000), size_rekor1: None };
        cost_section(&mut page, &prices, &[cost], basis);
        assert!(page.contains("$1.00 – $7.00") && page.contains("$1.50 – $2.50"), "{page}");
        assert!(page.contains("CPU is taken: 400.") && page.contains("taken: 1,000,000."), "{page}");
        assert!(!page.contains("Rekor v1"), "it was not measured");
    }
}
