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

const PAGE: &str = "report.html";
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
    match pdf::print(&to.join(PAGE), &printed)? {
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
            let commit = machine::commit();
            machine::ensure_built_from(&commit)?;
            let folder = measure::folder(workload);
            if arguments.paper.is_some() {
                ensure_publishable(&commit, workload)?;
                paper::ensure_sound(&text_in(arguments.to.as_deref().unwrap_or(&folder))?)?;
            }
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
        (to.join("rows.csv"), csv(&data).into_bytes()),
        (to.join("rows.parquet"), parquet::file(&data)?),
    ];
    if let Some(paper) = &arguments.paper {
        let text = text_in(to)?;
        made.push((paper.clone(), paper::filled(&text, &data, &costs)?.into_bytes()));
    }
    if to != folder {
        made.extend(data.files(to));
    }
    // The page is the last: without the rest there is none.
    made.push((to.join(PAGE), html::page(&data, &prices, &costs).into_bytes()));
    replace_all(&made, &[to.join(PDF), to.join(PAGE)])?;
    Ok(to.to_owned())
}

/// The text of a paper that lies in a folder.
fn text_in(folder: &Path) -> anyhow::Result<String> {
    files::read_text(&folder.join("text.md"), files::JSON_LIMIT).map_err(said)
}

/// Writes all of it or nothing: beside what is there first, since a disk gets full within a file, and then in its place. What
/// shows earlier outcomes goes before: a page beside the rows of another would look whole if this were killed between the two,
/// and a PDF beside another page if nothing prints one.
fn replace_all(made: &[(PathBuf, Vec<u8>)], shown: &[PathBuf]) -> anyhow::Result<()> {
    let beside = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!(".{name}.new"))
    };
    let written = made.iter().try_for_each(|(path, contents)| files::write(&beside(path), contents));
    if written.is_err() {
        // What was not begun is not there.
        made.iter().for_each(|(path, _)| drop(std::fs::remove_file(beside(path))));
    }
    written.map_err(said)?;
    for earlier in shown.iter().filter(|earlier| earlier.exists()) {
        std::fs::remove_file(earlier).with_context(|| format!("cannot remove {}", earlier.display()))?;
    }
    for (path, _) in made {
        std::fs::rename(beside(path), path).with_context(|| format!("cannot replace {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
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
mod tests;
