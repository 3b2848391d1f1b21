//! What of the baseline runs: a file that names every process from the moment it is started, so that whatever happens
//! to the harness, `baseline down` finds them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use sigveil::files;

use super::process::Process;

const NAME: &str = "running.json";
const LIMIT: u64 = 1 << 20;

/// What runs, and where it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// In the order in which they were started.
    pub(crate) processes: Vec<Process>,
    /// Whether they are meant to run on without the harness.
    #[serde(default)]
    pub(crate) kept: bool,
    /// Base URLs by role.
    pub(crate) urls: std::collections::BTreeMap<String, String>,
}

impl State {
    /// What the folder's file says; nothing if there is none.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = file(folder);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = files::read_text(&path, LIMIT)?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(files::write(&file(folder), &serde_json::to_vec_pretty(self)?)?)
    }

    /// Makes way for a new one: refuses when any of it runs and is meant to, and stops what a harness that was killed has
    /// left behind.
    pub(crate) fn clear(&self, folder: &Path) -> anyhow::Result<()> {
        let alive = self.processes.iter().find(|process| process.is_alive());
        let Some(alive) = alive else { return Ok(()) };
        ensure!(!self.kept, "{} of the baseline still runs: `sigveil-bench baseline down` first", alive.name);
        let count = self.stop(folder)?;
        eprintln!("sigveil-bench: {count} servers of a run that was killed are stopped");
        Ok(())
    }

    /// Stops everything, the last started first; tries all even if one does not end.
    pub(crate) fn stop(&self, folder: &Path) -> anyhow::Result<usize> {
        let alive: Vec<&Process> = self.processes.iter().rev().filter(|process| process.is_alive()).collect();
        let failures: Vec<String> =
            alive.iter().filter_map(|process| process.stop().err()).map(|error| error.to_string()).collect();
        ensure!(failures.is_empty(), "{}", failures.join("; "));
        if file(folder).exists() {
            std::fs::remove_file(file(folder))?;
        }
        Ok(alive.len())
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::baseline::words::Words;
    use std::process::Command;

    #[test]
    fn what_another_run_left_is_found_refused_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sleep");
        let process = Process::start("left", command.arg("60"), &log, Words::Direct).unwrap();
        let mut state = State { processes: vec![process.clone()], kept: true, ..State::default() };
        state.write(folder.path()).unwrap();

        let found = State::read(folder.path()).unwrap();
        assert_eq!(found, state);
        assert!(found.clear(folder.path()).unwrap_err().to_string().contains("left"));
        assert!(process.is_alive());
        // Of a harness that was killed.
        state.kept = false;
        state.clear(folder.path()).unwrap();
        assert!(!process.is_alive());
        assert_eq!(State::read(folder.path()).unwrap(), State::default());
        found.clear(folder.path()).unwrap();
    }
}
