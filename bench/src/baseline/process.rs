//! Processes that this harness has started: known by id and start time, so that nobody else's is ever stopped, and
//! accounted by /proc.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(8);
/// Units of /proc's CPU times, per second: fixed by Linux's ABI on every machine that Rust runs on.
const TICKS: f64 = 100.0;

/// A process, by what only it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// What the harness calls it.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: i32,
    /// When it was started, in ticks since the machine was: with the id, nobody else's.
    pub(crate) started: u64,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU seconds, in steps of 10 ms.
    pub(crate) cpu: f64,
    /// Memory now, bytes.
    pub(crate) rss: f64,
    /// The most memory so far, bytes.
    pub(crate) peak_rss: f64,
    /// Bytes that it caused to be written to storage.
    pub(crate) written: f64,
}

impl std::ops::Sub for Usage {
    type Output = Self;

    /// What was used between two readings; of memory the later one.
    fn sub(self, before: Self) -> Self {
        Self { cpu: self.cpu - before.cpu, written: self.written - before.written, ..self }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(processes: I) -> Self {
        processes.fold(Self::default(), |sum, one| Self {
            cpu: sum.cpu + one.cpu,
            rss: sum.rss + one.rss,
            peak_rss: sum.peak_rss + one.peak_rss,
            written: sum.written + one.written,
        })
    }
}

impl Process {
    /// Starts a program in a process group of its own, so that an interrupted terminal does not end it before the
    /// harness does; what it says goes to a file.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let id = i32::try_from(child.id())?;
        // Reaped when it ends, whoever ends it.
        std::thread::spawn(move || {
            let mut child = child;
            child.wait().ok();
        });
        let started = stat(id).with_context(|| format!("{name} ended at once: {}", last_lines(log)))?.started;
        Ok(Self { name: name.to_owned(), id, started })
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&self) -> bool {
        stat(self.id).is_some_and(|stat| stat.started == self.started && !stat.ended)
    }

    /// Asks it to end, then makes it; returns when it is gone.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        for signal in [Signal::TERM, Signal::KILL] {
            if !self.is_alive() {
                return Ok(());
            }
            let id = Pid::from_raw(self.id).context("a process id is positive")?;
            // Gone in between is as good.
            kill_process(id, signal).ok();
            let asked = Instant::now();
            while self.is_alive() && asked.elapsed() < GRACE {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.is_alive() {
            bail!("{} (process {}) does not end", self.name, self.id);
        }
        Ok(())
    }

    /// Waits until `ready` says so; fails when it ends first or takes too long, with what it said last.
    pub(crate) fn wait_until(&self, log: &Path, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if !self.is_alive() {
                bail!("{} ended instead of serving:\n{}", self.name, last_lines(log));
            }
            if ready() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} does not answer after {PATIENCE:?}:\n{}", self.name, last_lines(log));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it has used; an error once it is gone, so that figures of a server that died go nowhere.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let gone = || format!("{} (process {}) has died", self.name, self.id);
        let stat = stat(self.id).filter(|stat| stat.started == self.started && !stat.ended);
        let cpu = stat.with_context(gone)?.cpu;
        let memory = |field| field_of(self.id, "status", field).map(|kilobytes| kilobytes * 1024.0);
        Ok(Usage {
            cpu,
            rss: memory("VmRSS:").unwrap_or(0.0),
            peak_rss: memory("VmHWM:").unwrap_or(0.0),
            written: field_of(self.id, "io", "write_bytes:").unwrap_or(0.0),
        })
    }
}

/// What failed, or better, that a server has died: its connections only say that nobody answers.
pub(crate) fn unless_dead<T>(
    outcome: anyhow::Result<T>,
    usage: impl FnOnce() -> anyhow::Result<Usage>,
) -> anyhow::Result<T> {
    outcome.map_err(|error| usage().err().unwrap_or(error))
}

/// CPU seconds of all children of this process that have ended and been waited for.
pub(crate) fn children_cpu() -> f64 {
    own_seconds([13, 14])
}

/// CPU seconds of this process outside the kernel.
pub(crate) fn own_user_cpu() -> f64 {
    own_seconds([11])
}

/// The sum of fields of this process's `stat` that count ticks.
fn own_seconds<const N: usize>(fields: [usize; N]) -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let all = after_name(&text);
    let ticks = |index: usize| all.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    fields.map(ticks).iter().sum::<f64>() / TICKS
}

/// The last lines of a file.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

struct Stat {
    ended: bool,
    cpu: f64,
    started: u64,
}

/// The fields of proc(5) `stat` after the name, which may hold anything: state first.
fn after_name(text: &str) -> Vec<&str> {
    text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default()
}

fn stat(id: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = after_name(&text);
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        ended: matches!(*fields.first()?, "Z" | "X"),
        cpu: (number(11)? + number(12)?) as f64 / TICKS,
        started: number(19)?,
    })
}

fn field_of(id: i32, file: &str, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/{file}")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Process {
        Process::start("sleeper", Command::new("sleep").arg("60"), &folder.join("log")).unwrap()
    }

    #[test]
    fn a_process_is_stopped_and_its_usage_is_then_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        assert!(process.is_alive() && process.usage().is_ok());
        process.stop().unwrap();
        assert!(!process.is_alive() && process.usage().is_err());
    }

    #[test]
    fn a_process_that_took_over_the_id_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let former = Process { started: process.started - 1, ..process.clone() };
        assert!(!former.is_alive());
        former.stop().unwrap();
        assert!(process.is_alive());
        process.stop().unwrap();
    }

    #[test]
    fn a_server_that_ends_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let process =
            Process::start("fails", Command::new("sh").args(["-c", "echo port busy; sleep 0.2"]), &log);
        let error = process.unwrap().wait_until(&log, || false).unwrap_err();
        assert!(error.to_string().contains("port busy"), "{error}");
    }
}
