//! The report: recorded outcomes as one page, as CSV and, through `{…}` in a text, as the numbers of a paper.
//!
//! Without a folder of outcomes it has the suites run first. What goes in are the files that suites write with `--json=F`,
//! each whole or not there; what comes out is written whole or not at all, and says which suites are not in it. The columns
//! of the CSV and of the Parquet file are described in `docs/report.md`.

mod cost;
mod data;
mod diff;
mod html;
mod measure;
mod paper;
mod parquet;
mod pdf;
mod summary;
mod svg;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use sigveil::files;

use crate::{machine, said};
use cost::Prices;
use data::Data;
pub(crate) use measure::end_with;

const PDF: &str = "report.pdf";

/// What to make of recorded outcomes.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Folder of the outcomes: files that suites wrote with --json=F. Without it every suite is run first, and leaves its
    /// outcome under target/report; called again after a kill, what was finished is used.
    data: Option<PathBuf>,
    /// Folder that gets report.html, rows.csv, rows.parquet, the outcomes and, where Chromium is installed, report.pdf;
    /// without it, the folder of the outcomes.
    #[arg(long, value_name = "D")]
    to: Option<PathBuf>,
    /// Prices to reckon with, in the form of bench/prices.toml.
    #[arg(long, value_name = "F")]
    prices: Option<PathBuf>,
    /// Fill text.md too, of the folder that gets the report, in which each `{suite name metric}` becomes that figure, and
    /// write it here. Of workload full at a clean commit only; costs in it are by the prices of bench/prices.toml.
    #[arg(long, value_name = "F", conflicts_with = "prices")]
    paper: Option<PathBuf>,
    #[command(subcommand)]
    diff: Option<Diff>,
}

impl Arguments {
    /// Folders that get something.
    pub(crate) fn written_to(&self) -> impl Iterator<Item = PathBuf> {
        let paper = self.paper.as_deref().map(machine::folder_of);
        [self.data.clone(), self.to.clone(), paper].into_iter().flatten()
    }
}

/// Two reports against each other.
#[derive(Clone, Debug, Subcommand)]
enum Diff {
    /// What changed between two folders of outcomes, and whether it is more than noise.
    Diff {
        /// The earlier one.
        before: PathBuf,
        /// The later one.
        after: PathBuf,
    },
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments, thoroughness: &[OsString], workload: &str) -> anyhow::Result<()> {
    if let Some(Diff::Diff { before, after }) = &arguments.diff {
        print!("{}", diff::table(&Data::read(before)?, &Data::read(after)?));
        return Ok(());
    }
    let to = make(arguments, thoroughness, workload)?;
    let printed = to.join(PDF);
    match pdf::print(&to.join("report.html"), &printed)? {
        true => println!("{}", printed.display()),
        false => eprintln!("no report.pdf: Chromium prints it (Debian: apt-get install chromium)"),
    }
    Ok(())
}

/// Writes all but the PDF; gives the folder.
fn make(arguments: &Arguments, thoroughness: &[OsString], workload: &str) -> anyhow::Result<PathBuf> {
    // Refused before anything is measured.
    let prices = Prices::read(arguments.prices.as_deref())?;
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => {
            if arguments.paper.is_some() {
                ensure_publishable(&machine::commit(), workload)?;
            }
            let folder = measure::folder(workload);
            measure::all(&folder, thoroughness, workload)?;
            folder
        }
    };
    let data = Data::read(&folder)?;
    if arguments.paper.is_some() {
        ensure_publishable(&data.first().commit, &data.first().workload)?;
    }
    let costs = cost::costs(&data, &prices);
    let to: &Path = arguments.to.as_deref().unwrap_or(&folder);
    files::make_folder(to).map_err(said)?;
    // All of it is made before any of it is written.
    let mut made = vec![
        (to.join("report.html"), html::page(&data, &prices, &costs).into_bytes()),
        (to.join("rows.csv"), csv(&data).into_bytes()),
        (to.join("rows.parquet"), parquet::file(&data)?),
    ];
    if let Some(paper) = &arguments.paper {
        let text = files::read_text(&to.join("text.md"), files::JSON_LIMIT).map_err(said)?;
        made.push((paper.clone(), paper::filled(&text, &data, &costs)?.into_bytes()));
    }
    if to != folder {
        made.extend(data.files(to));
    }
    // One of earlier outcomes must not lie beside this page, if nothing prints another.
    let printed = to.join(PDF);
    if printed.exists() {
        std::fs::remove_file(&printed).with_context(|| format!("cannot remove {}", printed.display()))?;
    }
    for (path, contents) in made {
        files::write(&path, &contents).map_err(said)?;
        println!("{}", path.display());
    }
    Ok(to.to_owned())
}

/// A paper's figures are of a full run, of code that others can check out.
fn ensure_publishable(commit: &str, workload: &str) -> anyhow::Result<()> {
    ensure!(
        machine::is_clean(commit) && workload == "full",
        "a paper is made of workload full at a commit, from a tree without changes: this is workload {workload} at {commit}"
    );
    Ok(())
}

fn csv(data: &Data) -> String {
    let mut csv = String::from("suite,name,metric,unit,n,median,low,high,commit\n");
    for outcome in &data.outcomes {
        for row in &outcome.rows {
            let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let fields = [
                outcome.suite.clone(),
                row.name.clone(),
                row.metric.clone(),
                row.unit.clone(),
                row.n.to_string(),
                number(row.median),
                number(row.low),
                number(row.high),
                outcome.commit.clone(),
            ];
            csv += &fields.map(|field| quoted(&field)).join(",");
            csv.push('\n');
        }
    }
    csv
}

/// RFC 4180 §2.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use std::path::Path;

    use super::data::tests::outcome;
    use super::*;

    fn recorded(folder: &Path) {
        let sign = [
            ("op/issue/zk", "ca_cpu", "s", 0.7),
            ("op/timestamp/sigveil", "tsa_cpu", "s", 0.001),
            ("zk/cosign", "bundle_bytes", "bytes", 7_000.0),
            ("zk/cosign", "wall", "s", 0.9),
        ];
        let log = [("sigveil_r100", "cpu_per_entry", "s", 0.001), ("a,\"b\"", "p50", "s", 0.1)];
        let growth = [("sigveil_n1000", "bytes_per_entry", "bytes", 1_000.0)];
        let all = [("sign", &sign[..]), ("log", &log), ("growth", &growth)];
        write(folder, "full", "abc", all.map(|(suite, rows)| outcome(suite, rows)));
    }

    fn write<const N: usize>(folder: &Path, workload: &str, commit: &str, outcomes: [serde_json::Value; N]) {
        for mut outcome in outcomes {
            outcome["workload"] = workload.into();
            outcome["commit"] = commit.into();
            let file = folder.join(outcome["suite"].as_str().unwrap()).with_extension("json");
            std::fs::write(file, outcome.to_string()).unwrap();
        }
    }

    fn arguments(folder: &Path) -> Arguments {
        Arguments { data: Some(folder.to_owned()), to: None, prices: None, paper: None, diff: None }
    }

    #[test]
    fn a_page_holds_every_row_and_nothing_from_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path());
        make(&arguments(folder.path()), &[], "full").unwrap();
        assert!(std::fs::read(folder.path().join("rows.parquet")).unwrap().starts_with(b"PAR1"));
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        for part in ["zk/cosign", "a million signings, zk", "<svg", "&lt;x&gt;", "rekor2 v2", "</html>"] {
            assert!(page.contains(part), "{part} is missing");
        }
        // Costs of what was not measured are not made up.
        assert!(!page.contains("real servers</td>") && !page.contains("a million look-ups"));
        assert!(
            page.contains("Not in this report") && page.contains("suite prover") && page.contains("no go")
        );
        assert!(!page.contains("<script") && !page.contains("src="));
        let csv = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
        assert_eq!(csv.lines().count(), 8);
        assert!(csv.contains("log,\"a,\"\"b\"\"\",p50,s,5,0.1,"));
    }

    #[test]
    fn a_page_says_how_long_a_suite_took_where_its_outcome_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut known = outcome("log", &[]);
        known["seconds"] = 1_500.0.into();
        write(folder.path(), "full", "abc", [known, outcome("sign", &[])]);
        make(&arguments(folder.path()), &[], "full").unwrap();
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("<h2>Suite log</h2><p>Measured in 25 min.</p>"), "{page}");
        assert_eq!(page.matches("Measured in ").count(), 1);
    }

    #[test]
    fn what_a_model_says_is_beside_what_it_missed_or_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [
            ("a_model_rss", "model_error", "1", -0.25),
            ("a_model_rss", "at_thousandfold", "bytes", 123.0),
            ("b_model_rss", "model_error", "1", 6.29),
            ("b_model_rss", "at_thousandfold", "bytes", 456.0),
        ];
        write(folder.path(), "full", "abc", [outcome("growth", &rows)]);
        make(&arguments(folder.path()), &[], "full").unwrap();
        let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(page.contains("at_thousandfold (a model that missed by -25 %)<td>123 B"), "{page}");
        assert!(page.contains("at_thousandfold (a model that missed by +629 %)<td>–<td>–<td>–"), "{page}");
    }

    #[test]
    fn a_text_that_names_a_figure_which_is_not_there_leaves_no_report() {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path());
        let to = folder.path().join("out");
        let text = to.join("text.md");
        std::fs::create_dir(&to).unwrap();
        let paper = Some(to.join("paper.md"));
        let wanted = Arguments { paper, to: Some(to.clone()), ..arguments(folder.path()) };
        std::fs::write(&text, "It takes {sign zk/python wall}.").unwrap();
        assert!(make(&wanted, &[], "full").is_err());
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
        std::fs::write(&text, "It takes {sign zk/cosign wall}.").unwrap();
        make(&wanted, &[], "full").unwrap();
        assert_eq!(std::fs::read_to_string(to.join("paper.md")).unwrap(), "It takes 900.00 ms.");
        // What was moved is what was recorded.
        let moved = Data::read(&to).unwrap();
        assert_eq!(moved.outcomes[1].checksum, Data::read(folder.path()).unwrap().outcomes[1].checksum);
    }

    /// In each only the one thing is amiss.
    #[test]
    fn no_paper_is_made_of_a_quick_run_or_of_a_tree_with_changes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("text.md"), "Nothing.").unwrap();
        let paper = folder.path().join("paper.md");
        let wanted = Arguments { paper: Some(paper.clone()), ..arguments(folder.path()) };
        for (workload, commit, made) in [
            ("quick", "abc", false),
            ("0123456789ab", "abc", false),
            ("full", "abc+0123", false),
            ("full", "unknown", false),
            ("full", "abc", true),
        ] {
            write(folder.path(), workload, commit, ["sign", "log"].map(|suite| outcome(suite, &[])));
            let of = make(&wanted, &[], "full");
            assert_eq!((of.is_ok(), paper.exists()), (made, made), "{workload} at {commit}: {of:?}");
        }
    }

    #[test]
    fn a_page_has_no_older_print_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        recorded(folder.path());
        let printed = folder.path().join(PDF);
        std::fs::write(&printed, "of earlier outcomes").unwrap();
        make(&arguments(folder.path()), &[], "full").unwrap();
        assert!(!printed.exists());
    }

    /// A full run would find it late: braces are whole, suites are part of a report, and each cost follows from rows.
    #[test]
    fn the_text_of_the_paper_can_be_filled() {
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("papers").join("evaluation/text.md");
        let text = std::fs::read_to_string(text).unwrap();
        let inside = text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0);
        let named = inside.map(|inside| inside.split_whitespace().collect::<Vec<_>>());
        let named: Vec<Vec<&str>> =
            named.filter(|parts| !["cost", "basis", "machine"].contains(&parts[0])).collect();
        let unnamed = [
            ("op/timestamp/sigveil", "tsa_cpu"),
            ("op/timestamp/tsa", "tsa_cpu"),
            ("op/search/rekor1", "answer_bytes"),
            ("zk/cosign", "verify_cpu"),
            ("zk/sigveil", "verify_cpu"),
            ("zk/sigveil", "bundle_bytes"),
            ("baseline/cosign", "verify_cpu"),
        ];
        let folder = tempfile::tempdir().unwrap();
        for suite in measure::suites() {
            let of_suite = named.iter().filter(|parts| parts[0] == suite);
            let mut rows: Vec<_> = of_suite.map(|parts| (parts[1], parts[2], "s", 1.0)).collect();
            // What costs are made of and no sentence names.
            rows.extend(unnamed.map(|(name, metric)| (name, metric, "s", 1.0)));
            let file = folder.path().join(suite).with_extension("json");
            std::fs::write(file, outcome(suite, &rows).to_string()).unwrap();
        }
        let data = Data::read(folder.path()).unwrap();
        let costs = cost::costs(&data, &Prices::read(None).unwrap());
        let filled = paper::filled(&text, &data, &costs).unwrap();
        assert!(!filled.contains(['{', '}']));
    }

    /// Every number of ours in the paper is recorded: it is what the command makes of text and data that lie there.
    #[test]
    fn the_paper_is_what_its_data_make_of_its_text() {
        let papers = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("papers");
        let (folder, paper) = (papers.join("evaluation"), papers.join("evaluation.md"));
        if !paper.exists() {
            // Before the first full run is recorded there is a text and no paper.
            assert!(folder.join("text.md").exists());
            return;
        }
        let data = Data::read(&folder).unwrap();
        let text = std::fs::read_to_string(folder.join("text.md")).unwrap();
        let costs = cost::costs(&data, &Prices::read(None).unwrap());
        assert_eq!(paper::filled(&text, &data, &costs).unwrap(), std::fs::read_to_string(paper).unwrap());
    }
}
