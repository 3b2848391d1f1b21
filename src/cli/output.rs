//! What a command says: one object for programs, lines for people, never both on stdout.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::args::Global;
use crate::failure::Failure;

/// The result of a command.
#[derive(Debug)]
pub struct Report {
    /// The object of `--json`.
    pub json: Value,
    /// The same for people.
    pub text: String,
    /// Why the answer is no, if it is.
    pub failure: Option<Failure>,
}

impl Report {
    /// A command that did what was asked.
    pub fn done(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), failure: None }
    }

    /// A command that ended with a refusal and has an object of its own for it.
    pub fn refused(mut json: Value, failure: Failure) -> Self {
        if let Some(members) = json.as_object_mut() {
            members.entry("reason").or_insert_with(|| failure.reason().into());
        }
        Self { json, text: String::new(), failure: Some(failure) }
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        Self::refused(
            json!({"reason": failure.reason(), "message": failure.message(), "advice": failure.advice()}),
            failure,
        )
    }
}

/// Where progress goes.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    lines: bool,
    draws: bool,
}

impl Progress {
    /// Progress as the caller asked for it.
    pub fn new(global: &Global) -> Self {
        let lines = !global.quiet && !global.json;
        Self { lines, draws: !global.quiet && std::io::stderr().is_terminal() }
    }

    /// No progress at all.
    pub fn silent() -> Self {
        Self { lines: false, draws: false }
    }

    /// One line of the result itself, as it comes: on stdout, and not with `--json` or `--quiet`.
    pub fn say(&self, line: &str) {
        if self.lines {
            // A closed stdout is no reason to stop.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }

    /// One line for people: on stderr, so that stdout stays the result, and not with `--quiet`.
    pub fn line(&self, line: &str) {
        if self.lines {
            // A closed stderr is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Whether moving progress may be drawn: only for a person at a terminal.
    pub fn draws(&self) -> bool {
        self.draws
    }
}

/// Prints the report and gives the exit status.
pub fn print(global: &Global, report: &Report) -> u8 {
    // A closed stdout or stderr is no reason for another status.
    let mut stdout = std::io::stdout().lock();
    if global.json {
        let _ = writeln!(stdout, "{}", report.json);
    } else if !report.text.is_empty() {
        let _ = writeln!(stdout, "{}", report.text.trim_end());
    }
    let Some(failure) = &report.failure else { return 0 };
    if !global.json {
        let _ = writeln!(std::io::stderr(), "sigveil: {failure}");
    }
    failure.status() as u8
}
