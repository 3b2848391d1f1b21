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

    /// Refuses when any of it runs.
    pub(crate) fn ensure_down(&self) -> anyhow::Result<()> {
        let alive = self.processes.iter().find(|process| process.is_alive());
        let name = alive.map(|process| process.name.as_str()).unwrap_or_default();
        ensure!(alive.is_none(), "{name} of the baseline still runs: `sigveil-bench baseline down` first");
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
    use std::process::Command;

    #[test]
    fn what_another_run_left_is_found_refused_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let process = Process::start("left", Command::new("sleep").arg("60"), &log).unwrap();
        let state = State { processes: vec![process.clone()], ..State::default() };
        state.write(folder.path()).unwrap();

        let found = State::read(folder.path()).unwrap();
        assert_eq!(found, state);
        assert!(found.ensure_down().unwrap_err().to_string().contains("left"));
        assert_eq!(found.stop(folder.path()).unwrap(), 1);
        assert!(!process.is_alive());
        assert_eq!(State::read(folder.path()).unwrap(), State::default());
        found.ensure_down().unwrap();
    }
}
