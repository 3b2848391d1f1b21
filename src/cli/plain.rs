//! Commands that only print what the definition of the command line knows.

use serde_json::json;

use super::args;
use super::output::Report;
use crate::failure::Failure;

/// `completions`: a script for the shell.
pub fn completions(shell: clap_complete::Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "sigveil", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::done(json!({"shell": shell.to_string(), "script": script}), script)
}

/// `man`: the manual page, roff.
pub fn manual() -> Result<Report, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(args::command())
        .render(&mut page)
        .map_err(|error| Failure::new("file-unwritable", error.to_string()))?;
    let page = String::from_utf8_lossy(&page).into_owned();
    Ok(Report::done(json!({"man": page}), page))
}
