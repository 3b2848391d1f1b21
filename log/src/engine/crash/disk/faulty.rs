//! A disk of which one call, or every call from it on, goes wrong.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::store::disk::{Disk, DiskFile, Held, Kind, Open};
use rustix::io::Errno;

use super::super::remote::Late;
use super::Memory;

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EIO, and nothing was done.
    Io,
    /// EIO, and yet it was done. A sync makes nothing durable.
    IoLate,
    /// ENOSPC from what takes space.
    Full,
    /// EINTR, and nothing was done.
    Interrupted,
    /// Half of the bytes are written.
    Short,
    /// It is done twice. Of remote calls alone.
    Twice,
    /// It fails, and is done some calls later. Of remote calls alone.
    Delayed,
    /// The process ends before the call.
    Death,
    /// The process ends in the call: of a write, half is done; of others, all.
    DeathWithin,
}

/// Which call goes wrong, counted over all disks that share it.
#[derive(Debug, Default)]
pub struct Plan(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    calls: u64,
    fault: Option<(Fault, u64, bool)>,
    dead: bool,
    /// All calls, where they are written down.
    trace: Option<Vec<String>>,
}

impl Plan {
    /// From now on, the call after `calls` more goes wrong; and all after it, if this is `lasting`.
    pub fn arm(&self, fault: Fault, calls: u64, lasting: bool) {
        let mut state = self.0.lock().unwrap();
        let at = state.calls + calls;
        (state.fault, state.dead) = (Some((fault, at, lasting)), false);
    }

    /// From now on, nothing goes wrong.
    pub fn disarm(&self) {
        let mut state = self.0.lock().unwrap();
        (state.fault, state.dead) = (None, false);
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.0.lock().unwrap().calls
    }

    /// From now on, calls are written down.
    pub fn trace(&self) {
        self.0.lock().unwrap().trace = Some(Vec::new());
    }

    /// What was written down.
    pub fn traced(&self) -> Vec<String> {
        self.0.lock().unwrap().trace.clone().unwrap_or_default()
    }

    /// What goes wrong with the call that begins now.
    pub(in crate::engine::crash) fn next(
        &self,
        what: fmt::Arguments<'_>,
    ) -> Result<Option<Fault>, io::Error> {
        let mut state = self.0.lock().unwrap();
        let call = state.calls;
        state.calls += 1;
        if let Some(trace) = &mut state.trace {
            trace.push(what.to_string());
        }
        if state.dead {
            return Err(io::Error::other("this process has ended"));
        }
        match state.fault {
            Some((fault, at, lasting)) if call == at || (lasting && call > at) => {
                state.dead = matches!(fault, Fault::Death | Fault::DeathWithin);
                Ok(Some(fault))
            }
            _ => Ok(None),
        }
    }
}

/// What a call does to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Reads,
    Takes,
    Other,
}

/// A disk whose calls the plan lets go wrong.
#[derive(Clone)]
pub struct Faulty {
    disk: Arc<dyn Disk>,
    plan: Arc<Plan>,
    /// Told of syncs that fail.
    memory: Option<Memory>,
    /// What happens in between.
    late: Late,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    pub fn new(disk: Arc<dyn Disk>, plan: Arc<Plan>, memory: Option<Memory>) -> Self {
        Self { disk, plan, memory, late: Late::default() }
    }

    pub fn with(self, late: Late) -> Self {
        Self { late, ..self }
    }

    /// What goes wrong with the call that begins now, after what happens before it.
    fn next(&self, what: &str, path: &Path) -> io::Result<Option<Fault>> {
        self.late.deliver(self.plan.calls());
        self.plan.next(format_args!("{what} {}", path.display()))
    }

    fn call<T>(
        &self,
        nature: Nature,
        (what, path): (&str, &Path),
        run: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.next(what, path)? {
            None | Some(Fault::Short | Fault::Twice | Fault::Delayed) => run(),
            Some(Fault::Full) if nature != Nature::Takes => run(),
            Some(Fault::Io) => Err(Errno::IO.into()),
            Some(Fault::IoLate) if nature != Nature::Reads => run().and(Err(Errno::IO.into())),
            Some(Fault::IoLate) => Err(Errno::IO.into()),
            Some(Fault::Full) => Err(Errno::NOSPC.into()),
            Some(Fault::Interrupted) => Err(Errno::INTR.into()),
            Some(Fault::Death) => Err(io::Error::other("this process ends")),
            Some(Fault::DeathWithin) => run().and(Err(io::Error::other("this process ends"))),
        }
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: Faulty,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DiskFile for FaultyFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let half = bytes.len().div_ceil(2);
        match self.disk.next("read", &self.path)? {
            None | Some(Fault::Full | Fault::Twice | Fault::Delayed) => self.file.read_at(bytes, offset),
            Some(Fault::Short) => self.file.read_at(&mut bytes[..half], offset),
            Some(Fault::Interrupted) => Err(Errno::INTR.into()),
            Some(Fault::Io | Fault::IoLate | Fault::Death | Fault::DeathWithin) => Err(Errno::IO.into()),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let half = &bytes[..bytes.len().div_ceil(2)];
        match self.disk.next("write", &self.path)? {
            None | Some(Fault::Twice | Fault::Delayed) => self.file.write_at(bytes, offset),
            Some(Fault::Short) => self.file.write_at(half, offset),
            Some(Fault::IoLate | Fault::DeathWithin) => {
                self.file.write_at(half, offset).and(Err(Errno::IO.into()))
            }
            Some(Fault::Full) => Err(Errno::NOSPC.into()),
            Some(Fault::Interrupted) => Err(Errno::INTR.into()),
            Some(Fault::Io | Fault::Death) => Err(Errno::IO.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let failed = |error: Errno| {
            if let Some(memory) = &self.disk.memory {
                memory.forget_pending(&self.path);
            }
            Err(error.into())
        };
        match self.disk.next("sync", &self.path)? {
            None | Some(Fault::Short | Fault::Twice | Fault::Delayed) => self.file.sync(),
            Some(Fault::Io | Fault::IoLate) => failed(Errno::IO),
            Some(Fault::Full) => failed(Errno::NOSPC),
            Some(Fault::Interrupted) => Err(Errno::INTR.into()),
            Some(Fault::Death) => Err(Errno::IO.into()),
            Some(Fault::DeathWithin) => self.file.sync().and(Err(Errno::IO.into())),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.call(Nature::Other, ("cut", &self.path), || self.file.set_len(length))
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        self.disk.call(Nature::Reads, ("measure", &self.path), || self.file.length_and_names())
    }
}

impl Disk for Faulty {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call(Nature::Reads, ("read", path), || self.disk.read(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        self.call(Nature::Reads, ("list", folder), || self.disk.list(folder))
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        self.call(Nature::Reads, ("kind", path), || self.disk.kind(path))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let nature = match how {
            Open::Reading | Open::Existing => Nature::Reads,
            Open::Kept | Open::Emptied => Nature::Takes,
        };
        let file = self.call(nature, ("open", path), || self.disk.open(path, how))?;
        Ok(Box::new(FaultyFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.call(Nature::Takes, ("create_folder", path), || self.disk.create_folder(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.call(Nature::Other, ("remove_folder", path), || self.disk.remove_folder(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Nature::Takes, ("rename", to), || self.disk.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Nature::Takes, ("link", to), || self.disk.link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Nature::Other, ("remove", path), || self.disk.remove(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.call(Nature::Other, ("sync_folder", path), || self.disk.sync_folder(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        self.call(Nature::Takes, ("lock", path), || self.disk.lock(path))
    }
}
