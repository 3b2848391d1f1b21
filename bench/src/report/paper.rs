//! A text whose numbers are recorded ones: `{suite name metric}` becomes the figure with its unit, and
//! `{suite name metric interval}` the figure with its 95 % interval; `{cost name}` is a cost with what it is at least and at
//! most, and `{basis rate}`, `{basis size}` and `{basis size_rekor1}` are the load and sizes at which costs are reckoned. `{machine}`
//! is the one that was measured on, `{commit}` what was measured. A brace that stands for itself is doubled.

use anyhow::{Context as _, bail};

use super::cost::{Basis, Cost};
use super::data::Data;
use super::html::{dollars, grouped};
use super::measure;
use crate::row::shown;

/// The text with every figure in it. Fails at the first that is not recorded, so that no text is half filled.
pub(crate) fn filled(text: &str, data: &Data, costs: &[Cost]) -> anyhow::Result<String> {
    with(text, |inside| figure(inside, data, costs))
}

/// Refuses, before anything is measured, a text that no data could fill: with a brace that is not closed, or a suite that is not.
pub(crate) fn ensure_sound(text: &str) -> anyhow::Result<()> {
    let is_known = |inside: &str| {
        let known = ["cost", "machine", "commit", "basis"].into_iter().chain(measure::suites());
        let first = inside.split_whitespace().next();
        anyhow::ensure!(known.into_iter().any(|name| Some(name) == first), "{{{inside}}} names no suite");
        Ok(String::new())
    };
    with(text, is_known).map(drop)
}

/// The text with what stands in braces replaced.
fn with(text: &str, mut figure: impl FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out += &rest[..at];
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out += brace;
            rest = after;
            continue;
        }
        let (inside, after) = match brace {
            "{" => rest.split_once('}').context("a brace is not closed")?,
            _ => bail!(
                "a brace closes what none opened, before {:?}",
                rest.chars().take(30).collect::<String>()
            ),
        };
        out += &figure(inside)?;
        rest = after;
    }
    Ok(out + rest)
}

fn figure(inside: &str, data: &Data, costs: &[Cost]) -> anyhow::Result<String> {
    let parts: Vec<&str> = inside.split_whitespace().collect();
    let (suite, name, metric, interval) = match parts[..] {
        ["cost", name] => {
            let cost = costs.iter().find(|cost| cost.id == name);
            let cost = cost.with_context(|| format!("no cost {name} follows from what was measured"))?;
            let [typical, low, high] = [cost.typical, cost.low, cost.high].map(dollars);
            return Ok(format!("{typical} [{low}, {high}]"));
        }
        ["machine"] => return Ok(data.first().machine.described()),
        ["commit"] => return Ok(data.first().commit.clone()),
        ["basis", what] => {
            let basis = Basis::of(data);
            let number = match what {
                "rate" => basis.rate,
                "size" => basis.size,
                "size_rekor1" => basis.size_rekor1,
                _ => bail!("costs have no basis {what}"),
            };
            return number.map(grouped).with_context(|| format!("the {what} of costs was not measured"));
        }
        [suite, name, metric] => (suite, name, metric, false),
        [suite, name, metric, "interval"] => (suite, name, metric, true),
        _ => bail!("{{{inside}}} is not of the form {{suite name metric}}"),
    };
    let found = data.figure(suite, name, metric)?;
    let unit = data.unit(suite, name, metric)?;
    let show = |value| shown(value, unit);
    Ok(match interval {
        false => show(found.median),
        true => format!("{} [{}, {}]", show(found.median), show(found.low), show(found.high)),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::data::tests::outcome;
    use super::*;

    #[test]
    fn figures_replace_their_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let rows =
            [("a", "p50", "s", 0.25), ("b/a", "p50", "1", 4.0), ("sigveil_r1600", "cpu_per_entry", "s", 1.0)];
        let mut written = outcome("log", &rows);
        written["machine"]["features"] = serde_json::json!(["adx", "bmi2"]);
        std::fs::write(folder.path().join("log.json"), written.to_string()).unwrap();
        let data = Data::read(folder.path()).unwrap();
        let costs = [Cost { id: "x", name: "x", low: 1.0, typical: 2.0, high: 150.0, swings: Vec::new() }];
        let text = filled(
            "{{x}} {log a p50}, {log b/a p50} times; {log a p50 interval}; {cost x} at {basis rate} on {machine}, {commit}.",
            &data,
            &costs,
        );
        let text = text.unwrap();
        assert_eq!(
            text,
            "{x} 250.00 ms, 4 times; 250.00 ms [225.00 ms, 275.00 ms]; $2.00 [$1.00, $150] at 1,600 on <x>, 2 cores, 0 GiB, adx, bmi2, abc."
        );
        for wrong in [
            "{log a p99}",
            "{log a}",
            "{log a p50",
            "x } y",
            "{sign a p50}",
            "{cost y}",
            "{basis size}",
            "{basis x}",
        ] {
            assert!(filled(wrong, &data, &costs).is_err(), "{wrong}");
        }
        for (text, is_sound) in [
            ("{{x}} {log a p50} {cost x} {commit}", true),
            ("{log a p50", false),
            ("x } y", false),
            ("{logs a p50}", false),
        ] {
            assert_eq!(ensure_sound(text).is_ok(), is_sound, "{text}");
        }
    }
}
