//! Processes that this harness has started: known by id and start time, so that nobody else's is ever stopped, and
//! accounted by /proc.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::words::{Drain, Words, last_lines};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(8);
/// How long the last words of a process that has ended may take to its file.
const ECHO: Duration = Duration::from_secs(2);

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
    /// CPU seconds of all its threads, of those that have ended too: to the nanosecond, but of a thread that is running
    /// as of the kernel's last tick.
    pub(crate) cpu: f64,
    /// Memory now, bytes.
    pub(crate) rss: f64,
    /// The most memory ever, or since [`reset_peaks`], bytes.
    pub(crate) peak_rss: f64,
    /// Bytes that it caused to be written to storage.
    pub(crate) written: f64,
}

impl Usage {
    /// The most memory since [`reset_peaks`], if that did reset it: otherwise it is of whatever came before, and says nothing.
    pub(crate) fn peak_since(&self, reset: bool) -> Option<(String, f64)> {
        reset.then(|| ("peak_rss".to_owned(), self.peak_rss))
    }
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
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path, words: Words) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let drain = words.take(command, log)?;
        let child = command.process_group(0).stdin(Stdio::null()).spawn();
        Words::release(command);
        let child = child.with_context(|| format!("cannot start {name}"))?;
        let id = i32::try_from(child.id())?;
        // Before it can be reaped, or there would be nothing to read.
        let stat = stat(id);
        // Reaped when it ends, whoever ends it, and after its last words.
        std::thread::spawn(move || {
            let mut child = child;
            drain.into_iter().for_each(Drain::run);
            child.wait().ok();
        });
        let started = stat.with_context(|| format!("{name} ended at once: {}", last_lines(log)))?.started;
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
            self.send(signal)?;
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

    /// Ends it at once, whatever it is at.
    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        ensure!(self.is_alive(), "{} (process {}) has died", self.name, self.id);
        self.send(Signal::KILL)
    }

    fn send(&self, signal: Signal) -> anyhow::Result<()> {
        let id = Pid::from_raw(self.id).context("a process id is positive")?;
        // Gone in between is as good.
        kill_process(id, signal).ok();
        Ok(())
    }

    /// Waits until `ready` says so; fails when it ends first or takes too long, with what it said last.
    pub(crate) fn wait_until(&self, log: &Path, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if !self.is_alive() {
                self.has_its_say();
                bail!("{} ended instead of serving:\n{}", self.name, last_lines(log));
            }
            if ready() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("{} does not answer after {PATIENCE:?}:\n{}", self.name, last_lines(log));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a process that has ended is reaped, which comes after its last words.
    fn has_its_say(&self) {
        let begun = Instant::now();
        while stat(self.id).is_some_and(|stat| stat.started == self.started) && begun.elapsed() < ECHO {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has used; an error once it is gone, so that figures of a server that died go nowhere.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let gone = || format!("{} (process {}) has died", self.name, self.id);
        usage_of(self.id).filter(|_| self.is_alive()).with_context(gone)
    }
}

fn usage_of(id: i32) -> Option<Usage> {
    let memory = |field| field_of(id, "status", field).map(|kilobytes| kilobytes * 1024.0);
    Some(Usage {
        cpu: cpu_of(id)?,
        rss: memory("VmRSS:")?,
        peak_rss: memory("VmHWM:")?,
        written: field_of(id, "io", "write_bytes:")?,
    })
}

/// What all of them have used; an error once one of them is gone.
pub(crate) fn usage(processes: &[Process]) -> anyhow::Result<Usage> {
    processes.iter().map(Process::usage).sum()
}

/// Has the peaks of all of them, and of those below these parents, begin anew at what each holds now
/// (proc_pid_clear_refs(5)). Whether the kernel did it.
pub(crate) fn reset_peaks(processes: &[Process], parents: &[u32]) -> bool {
    // One that ends meanwhile is counted no more, and who lives is asked for its usage next.
    let reset = |id: i32| {
        fs::write(format!("/proc/{id}/clear_refs"), "5").is_ok()
            || !Path::new(&format!("/proc/{id}")).exists()
    };
    processes.iter().map(|process| process.id).chain(ids_below(parents)).all(reset)
}

/// What the processes below these have used, those that have ended too: of a database, which begins and ends some for itself.
/// What an ended one has written is its parent's then, as the kernel has it, and its CPU is kept beside.
pub(crate) fn below(parents: &[u32]) -> anyhow::Result<Usage> {
    let there = ids_below(parents);
    ensure!(!there.is_empty() || parents.is_empty(), "nothing is below processes {parents:?}");
    let mut used = Usage::default();
    for id in &there {
        match usage_of(*id) {
            Some(of_one) => used = [used, of_one].into_iter().sum(),
            None => ensure!(!is_there(*id), "/proc does not tell what process {id} has used"),
        }
    }
    // Last, so that one which ended meanwhile is among them.
    let ended: f64 = there.iter().filter_map(|id| cpu_of_ended(*id)).sum();
    Ok(Usage { cpu: used.cpu + ended, ..used })
}

fn is_there(id: i32) -> bool {
    stat(id).is_some_and(|stat| !stat.ended)
}

/// CPU seconds of the children of a process that have ended, in the kernel's ticks.
fn cpu_of_ended(parent: i32) -> Option<f64> {
    Some(stat(parent)?.of_ended as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn ids_below(parents: &[u32]) -> Vec<i32> {
    let mut found: Vec<i32> = parents.iter().filter_map(|id| i32::try_from(*id).ok()).collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(children(parent));
        next += 1;
    }
    found.split_off(parents.len().min(found.len()))
}

fn children(parent: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
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
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_or(0.0, |used| seconds(used.user_time()) + seconds(used.system_time()))
}

fn seconds(time: nix::sys::time::TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 * 1e-6
}

/// CPU seconds by a process's own clock: /proc counts in steps of 10 ms, in which much of what is measured here is nothing.
fn cpu_of(id: i32) -> Option<f64> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(id)).ok()?;
    let time = clock.now().ok()?;
    Some(time.tv_sec() as f64 + time.tv_nsec() as f64 * 1e-9)
}

struct Stat {
    ended: bool,
    started: u64,
    /// Ticks of CPU that its ended children had used.
    of_ended: u64,
}

/// The fields of proc(5) `stat` after the name, which may hold anything: state first.
fn after_name(text: &str) -> Vec<&str> {
    text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default()
}

fn stat(id: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = after_name(&text);
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Its first thread may have ended before others, which have its files and locks until they do.
    let ended = matches!(*fields.first()?, "Z" | "X") && number(17)? <= 1;
    Some(Stat { ended, started: number(19)?, of_ended: number(13)? + number(14)? })
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
        let mut command = Command::new("sleep");
        Process::start("sleeper", command.arg("60"), &folder.join("log"), Words::Piped).unwrap()
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
    fn a_process_of_which_one_thread_is_left_has_not_ended() {
        let folder = tempfile::tempdir().unwrap();
        let exit = if cfg!(target_arch = "x86_64") { 60 } else { 93 };
        let script = format!(
            "import ctypes, threading, time\n\
             threading.Thread(target=time.sleep, args=(60,)).start()\n\
             ctypes.CDLL(None).syscall({exit}, 0)"
        );
        let mut command = Command::new("python3");
        let command = command.args(["-c", &script]);
        let process = Process::start("threads", command, &folder.path().join("log"), Words::Piped).unwrap();
        let first_ended =
            || after_name(&fs::read_to_string(format!("/proc/{}/stat", process.id)).unwrap())[0] == "Z";
        let begun = Instant::now();
        while !first_ended() && begun.elapsed() < PATIENCE {}
        assert!(first_ended() && process.is_alive());
        process.stop().unwrap();
        assert!(!process.is_alive());
    }

    #[test]
    fn a_peak_that_was_reset_is_none_of_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let script = "import time; x = bytearray(b'1') * (256 << 20); del x; time.sleep(60)";
        let mut command = Command::new("python3");
        let command = command.args(["-c", script]);
        let process = Process::start("large", command, &folder.path().join("log"), Words::Piped).unwrap();
        let half = f64::from(128 << 20);
        // Far apart: while it grows, the peak is read a moment after what it holds.
        let freed = |used: Usage| used.peak_rss > 1.5 * half && used.rss < half;
        let begun = Instant::now();
        while !freed(process.usage().unwrap()) && begun.elapsed() < PATIENCE {}
        let reset = reset_peaks(std::slice::from_ref(&process), &[]);
        let used = process.usage().unwrap();
        process.stop().unwrap();
        // Not every kernel lets it be reset; there is no such figure then.
        assert_eq!(used.peak_since(reset).is_some(), reset);
        assert!(!reset || used.peak_rss < half, "{}", used.peak_rss);
    }

    #[test]
    fn what_is_below_a_process_is_counted_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let command = command.args(["-c", "sleep 60; true"]);
        let process = Process::start("shell", command, &folder.path().join("log"), Words::Piped).unwrap();
        let parents = [u32::try_from(process.id).unwrap()];
        let begun = Instant::now();
        while children(process.id).is_empty() && begun.elapsed() < PATIENCE {}
        let child = children(process.id)[0];
        // Until it is the other program, it holds what the shell does.
        let is_sleep = || fs::read_to_string(format!("/proc/{child}/comm")).unwrap() == "sleep\n";
        while !is_sleep() && begun.elapsed() < PATIENCE {}
        let rss = below(&parents).unwrap().rss;
        assert!(rss > 0.0 && rss <= usage_of(child).unwrap().peak_rss);
        process.kill().unwrap();
        kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    }

    /// A child of what is counted works and writes, and ends: what it used stays counted.
    #[test]
    fn what_has_ended_below_a_process_stays_counted() {
        // Beside the programs: what is in memory only is written nowhere.
        let own = std::env::current_exe().unwrap();
        let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
        let work = "import os, time\n\
            file = os.open('written', os.O_WRONLY | os.O_CREAT)\n\
            os.write(file, os.urandom(4 << 20))\n\
            os.fsync(file)\n\
            while time.process_time() < 0.3: pass\n";
        for (name, text) in [
            ("work.py", work),
            // Who says that it ended is who stays: nobody else is below at that moment.
            ("inner.sh", "python3 work.py; : > ended; exec sleep 60"),
            ("outer.sh", "sh inner.sh; true"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut command = Command::new("sh");
        let command = command.arg("outer.sh").current_dir(folder.path());
        let process = Process::start("shell", command, &folder.path().join("log"), Words::Piped).unwrap();
        let parents = [u32::try_from(process.id).unwrap()];
        let begun = Instant::now();
        while !folder.path().join("ended").exists() && begun.elapsed() < PATIENCE {}
        let used = below(&parents).unwrap();
        let left = ids_below(&parents);
        process.kill().unwrap();
        for id in left {
            kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
        }
        assert!(used.cpu >= 0.29 && used.written >= f64::from(4 << 20), "{used:?}");
    }

    #[test]
    fn cpu_of_less_than_a_tick_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        // To start takes a millisecond or two, which count when it sleeps.
        let begun = Instant::now();
        let mut used = 0.0;
        while used == 0.0 && begun.elapsed() < ECHO {
            used = process.usage().unwrap().cpu;
        }
        assert!((used * 100.0).fract() != 0.0, "{used} is a number of ticks");
        process.stop().unwrap();
        // A child's is this process's once it is reaped.
        process.has_its_say();
        assert!(children_cpu() >= used);
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
        let mut command = Command::new("sh");
        let process = Process::start("fails", command.args(["-c", "echo port busy"]), &log, Words::Piped);
        let error = process.unwrap().wait_until(&log, || false).unwrap_err();
        assert!(error.to_string().contains("port busy"), "{error}");
    }
}
