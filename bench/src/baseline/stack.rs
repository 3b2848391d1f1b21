//! The servers that run for one use of the harness: started one after the other, stopped when this is dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sigveil::files;
use sigveil::service::circuits::cache_folder;
use sigveil::service::keys::KeyStore;
use sigveil_log::store::files::FolderLock;

use super::install::Programs;
use super::process::Process;
use super::state::State;
use super::words::Words;
use crate::said;

/// Servers in a folder of their own, which begins empty.
pub(crate) struct Stack {
    pub(super) folder: PathBuf,
    pub(super) programs: Programs,
    pub(super) keys: KeyStore,
    state: State,
    /// Held while a process is started and noted, and for good once all are stopped at a signal.
    starting: Arc<Mutex<()>>,
    words: Words,
    detached: bool,
    _lock: FolderLock,
}

/// Where an earlier use of the harness may have left what `baseline down` stops.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    Ok(cache_folder(None).map_err(said)?.join("baseline").join("run"))
}

impl Stack {
    /// Nothing running yet, over an empty folder. Refuses while another use of the harness has it.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::open(Words::Piped)
    }

    /// The same, for servers that run on without the harness: to be left by [`Self::detach`].
    pub(crate) fn to_stay() -> anyhow::Result<Self> {
        Self::open(Words::Direct)
    }

    fn open(words: Words) -> anyhow::Result<Self> {
        let folder = folder()?;
        files::make_folder(&folder)?;
        let lock = FolderLock::take(&folder)?.context("another sigveil-bench uses the baseline's folder")?;
        State::read(&folder)?.clear(&folder)?;
        for name in ["data", "logs", "keys", "trust"] {
            let below = folder.join(name);
            if below.exists() {
                std::fs::remove_dir_all(&below)
                    .with_context(|| format!("cannot empty {}", below.display()))?;
            }
            files::make_secret_folder(&below)?;
        }
        let cache = folder.parent().context("the folder is below the cache's")?.to_owned();
        let keys = KeyStore::open(&folder.join("keys")).map_err(said)?;
        let programs = Programs::new(cache)?;
        let starting = Arc::default();
        interrupt::stop_at_signals(&folder, Arc::clone(&starting));
        allow_many_files();
        let state = State::default();
        Ok(Self { folder, programs, keys, state, starting, words, detached: false, _lock: lock })
    }

    /// Starts a server, notes it before anything else, and waits until it is ready.
    pub(super) fn start(
        &mut self,
        name: &str,
        command: &mut Command,
        ready: impl Fn() -> bool,
    ) -> anyhow::Result<Process> {
        let process = self.begin(name, command)?;
        process.wait_until(&self.output(name), ready)?;
        Ok(process)
    }

    /// Runs what ends by itself.
    pub(super) fn run_to_end(&mut self, name: &str, command: &mut Command) -> anyhow::Result<()> {
        let process = self.begin(name, command)?;
        while process.is_alive() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn begin(&mut self, name: &str, command: &mut Command) -> anyhow::Result<Process> {
        let log = self.output(name);
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let process = Process::start(name, command.current_dir(&self.folder), &log, self.words)?;
        self.state.processes.push(process.clone());
        self.state.write(&self.folder)?;
        Ok(process)
    }

    /// Notes where a role answers.
    pub(super) fn answers(&mut self, role: &str, url: &str) -> anyhow::Result<()> {
        self.state.urls.insert(role.to_owned(), url.to_owned());
        self.state.write(&self.folder)
    }

    /// What a server said.
    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(name).with_extension("log")
    }

    /// A fresh folder for a server's data.
    pub(super) fn data(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("data").join(name);
        files::make_secret_folder(&folder)?;
        Ok(folder)
    }

    /// The folder of trust files.
    pub(crate) fn trust(&self) -> PathBuf {
        self.folder.join("trust")
    }

    /// Whatever runs.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// A program of the pinned ones.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Leaves everything running when this is dropped, for `baseline down` to stop.
    pub(crate) fn detach(mut self) -> anyhow::Result<()> {
        ensure!(self.words == Words::Direct, "servers whose words are piped end with the harness");
        self.state.kept = true;
        self.state.write(&self.folder)?;
        self.detached = true;
        Ok(())
    }

    /// Stops everything now, and says if something does not end.
    pub(crate) fn stop(mut self) -> anyhow::Result<usize> {
        self.detached = true;
        self.state.stop(&self.folder)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // At a signal this waits for the end, which is the signal's and not that of a server that was missed.
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.detached
            && let Err(error) = self.state.stop(&self.folder)
        {
            eprintln!("sigveil-bench: {error:#}");
        }
    }
}

/// Thousands of connections are as many files, here and in every server that is started from here.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, a load that needs more fails and says so.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
}

/// Loopback ports that were free a moment ago, all different.
pub(super) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let ports: Result<Vec<u16>, _> =
        listeners.iter().map(|listener| listener.local_addr().map(|address| address.port())).collect();
    ports?.try_into().ok().context("one port was taken for each listener")
}

/// Whether a GET is answered with success.
pub(super) fn answers(url: &str) -> bool {
    let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(2)).build();
    client.and_then(|client| client.get(url).send()).is_ok_and(|answer| answer.status().is_success())
}

/// Whether somebody listens.
pub(super) fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether the harness was asked to end: whatever fails from then on may fail because its servers are being stopped.
pub(crate) fn is_ending() -> bool {
    interrupt::ENDING.load(Ordering::SeqCst)
}

mod interrupt {
    //! Ctrl-C, termination and the end of the terminal: what was started is stopped, then the harness ends.

    use std::sync::atomic::AtomicBool;

    use super::{Arc, Mutex, Ordering, Path, PoisonError, State};

    /// Set before the first server is stopped.
    pub(super) static ENDING: AtomicBool = AtomicBool::new(false);

    pub(super) fn stop_at_signals(folder: &Path, starting: Arc<Mutex<()>>) {
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(asked_to_end());
            ENDING.store(true, Ordering::SeqCst);
            // Nothing is started from here on that nobody would stop.
            let _closed = starting.lock().unwrap_or_else(PoisonError::into_inner);
            let stopped = State::read(&folder).and_then(|state| state.stop(&folder));
            match stopped {
                Ok(count) => eprintln!("sigveil-bench: interrupted; {count} servers stopped"),
                Err(error) => eprintln!("sigveil-bench: interrupted; {error:#}"),
            }
            std::process::exit(130);
        });
    }

    async fn asked_to_end() {
        use tokio::signal::unix::{SignalKind, signal};
        let survives = ignores_hangup();
        let asked = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [Ok(mut interrupt), Ok(mut terminate)] = asked else {
            return std::future::pending().await;
        };
        let mut hangup = signal(SignalKind::hangup()).ok().filter(|_| !survives);
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hung_up => {}
        }
    }

    /// Whoever calls this by nohup has it go on. Asked before a handler is set, which takes the place of that.
    fn ignores_hangup() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_nobody_listens_there() {
        let ports = free_ports::<8>().unwrap();
        let different: std::collections::BTreeSet<u16> = ports.into_iter().collect();
        assert_eq!(different.len(), 8);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(listens(listener.local_addr().unwrap().port()));
    }
}
