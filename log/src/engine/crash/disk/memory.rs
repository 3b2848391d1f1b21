//! A file system in memory that knows of every write and of every name whether it is durable.
//!
//! What was not synced may survive a power failure or not, each change by itself, in any order, and of a write each
//! sector by itself. That is more than a journalling file system loses, and what POSIX permits. A sync that fails makes
//! nothing durable and is not made good by the next one, as on Linux; what was written is still shown.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::store::disk::{Disk, DiskFile, Held, Kind, Open};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

const SECTOR: usize = 512;
type Id = usize;

/// What a power failure leaves of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    Nothing,
    /// Each with one chance in two, drawn from this seed.
    Drawn(u64),
    Everything,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
    Name(OsString, Id),
    Unname(OsString),
    Rename(OsString, OsString, Id),
}

#[derive(Debug, Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    names: BTreeMap<OsString, Id>,
}

impl Content {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write(offset, bytes) => {
                let end = offset + bytes.len();
                self.bytes.resize(self.bytes.len().max(end), 0);
                self.bytes[*offset..end].copy_from_slice(bytes);
            }
            Change::Length(length) => self.bytes.resize(*length, 0),
            Change::Name(name, id) => drop(self.names.insert(name.clone(), *id)),
            Change::Unname(name) => drop(self.names.remove(name)),
            Change::Rename(from, to, id) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *id);
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Inode {
    folder: bool,
    links: u64,
    shown: Content,
    durable: Content,
    pending: Vec<Change>,
}

impl Inode {
    fn new(folder: bool) -> Self {
        Self { folder, links: 1, shown: Content::default(), durable: Content::default(), pending: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        self.shown.apply(&change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            self.durable.apply(&change);
        }
    }

    /// What the power failure leaves is now all there is.
    fn fail(&mut self, survives: &mut impl FnMut() -> bool) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write(offset, bytes) => {
                    let sectors = bytes.chunks(SECTOR).enumerate().filter(|_| survives());
                    for (n, sector) in sectors.collect::<Vec<_>>() {
                        self.durable.apply(&Change::Write(offset + n * SECTOR, sector.to_vec()));
                    }
                }
                change if survives() => self.durable.apply(&change),
                _ => {}
            }
        }
        self.shown = self.durable.clone();
    }
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    locks: HashSet<PathBuf>,
}

impl State {
    fn count_links(&mut self) {
        let names: Vec<Id> =
            self.inodes.iter().flat_map(|inode| inode.shown.names.values().copied()).collect();
        self.inodes.iter_mut().for_each(|inode| inode.links = 0);
        names.into_iter().for_each(|id| self.inodes[id].links += 1);
    }

    fn find(&self, path: &Path) -> io::Result<Id> {
        let mut at = 0;
        for part in path.iter().filter(|part| *part != "/" && *part != ".") {
            at = *self.inodes[at].shown.names.get(part).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn folder_and_name(&self, path: &Path) -> io::Result<(Id, OsString)> {
        let folder = self.find(path.parent().unwrap())?;
        Ok((folder, path.file_name().unwrap().to_owned()))
    }

    fn create(&mut self, path: &Path, folder: bool) -> io::Result<Id> {
        let (above, name) = self.folder_and_name(path)?;
        self.inodes.push(Inode::new(folder));
        let id = self.inodes.len() - 1;
        self.inodes[above].change(Change::Name(name, id));
        Ok(id)
    }
}

/// Clones are the same file system.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Mutex<State>>);

impl Memory {
    /// With this folder in it, durably.
    pub fn with_folder(folder: &Path) -> Self {
        let memory = Self(Arc::new(Mutex::new(State { inodes: vec![Inode::new(true)], ..State::default() })));
        let mut at = PathBuf::new();
        for part in folder.iter() {
            at.push(part);
            if part != "/" {
                memory.create_folder(&at).unwrap();
            }
        }
        memory.0.lock().unwrap().inodes.iter_mut().for_each(Inode::sync);
        memory
    }

    /// Another with what this one has, all of it durable.
    pub fn copy(&self) -> Self {
        self.lose_power(Survival::Everything);
        let mut inodes = self.0.lock().unwrap().inodes.clone();
        // What has no name any more is most of it.
        let nameless = inodes.iter_mut().skip(1).filter(|inode| inode.links == 0);
        nameless.for_each(|inode| *inode = Inode::new(inode.folder));
        Self(Arc::new(Mutex::new(State { inodes, ..State::default() })))
    }

    /// The power fails and comes back.
    pub fn lose_power(&self, survival: Survival) {
        let mut rng = match survival {
            Survival::Drawn(seed) => ChaCha20Rng::seed_from_u64(seed),
            _ => ChaCha20Rng::seed_from_u64(0),
        };
        let mut survives = || match survival {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Drawn(_) => rng.next_u32() & 1 == 1,
        };
        let mut state = self.0.lock().unwrap();
        state.locks.clear();
        state.inodes.iter_mut().for_each(|inode| inode.fail(&mut survives));
        state.count_links();
    }

    /// All locks are free, whatever their holders think.
    pub fn break_locks(&self) {
        self.0.lock().unwrap().locks.clear();
    }

    /// A sync of this file has failed: what was pending is shown, and will never be durable.
    pub fn forget_pending(&self, path: &Path) {
        let mut state = self.0.lock().unwrap();
        if let Ok(id) = state.find(path) {
            state.inodes[id].pending.clear();
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    memory: Memory,
    id: Id,
}

impl DiskFile for MemoryFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let shown = &self.memory.0.lock().unwrap().inodes[self.id].shown.bytes;
        let from = usize::try_from(offset).unwrap().min(shown.len());
        let read = bytes.len().min(shown.len() - from);
        bytes[..read].copy_from_slice(&shown[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap();
        self.memory.0.lock().unwrap().inodes[self.id].change(Change::Write(offset, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.memory.0.lock().unwrap().inodes[self.id].sync();
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.memory.0.lock().unwrap().inodes[self.id].change(Change::Length(length));
        Ok(())
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        let inode = &self.memory.0.lock().unwrap().inodes[self.id];
        Ok((inode.shown.bytes.len() as u64, inode.links))
    }
}

#[derive(Debug)]
struct Lock(Memory, PathBuf);

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().locks.remove(&self.1);
    }
}

impl Disk for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let inode = &state.inodes[state.find(path)?];
        if inode.folder { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(inode.shown.bytes.clone()) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        let state = self.0.lock().unwrap();
        let names = &state.inodes[state.find(folder)?].shown.names;
        let kind = |id: &Id| if state.inodes[*id].folder { Kind::Folder } else { Kind::File };
        Ok(names.iter().map(|(name, id)| (name.clone(), kind(id))).collect())
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let state = self.0.lock().unwrap();
        Ok(if state.inodes[state.find(path)?].folder { Kind::Folder } else { Kind::File })
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock().unwrap();
        let id = match state.find(path) {
            Err(_) if matches!(how, Open::Kept | Open::Emptied) => state.create(path, false)?,
            found => found?,
        };
        if how == Open::Emptied && !state.inodes[id].shown.bytes.is_empty() {
            state.inodes[id].change(Change::Length(0));
        }
        Ok(Box::new(MemoryFile { memory: self.clone(), id }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.create(path, true).map(drop)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let id = state.find(path)?;
        if !state.inodes[id].shown.names.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (above, name) = state.folder_and_name(path)?;
        state.inodes[above].change(Change::Unname(name));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let id = state.find(from)?;
        if let Ok(replaced) = state.find(to) {
            state.inodes[replaced].links -= 1;
        }
        let ((folder, from), (same, to)) = (state.folder_and_name(from)?, state.folder_and_name(to)?);
        assert_eq!(folder, same, "renames stay in one folder");
        state.inodes[folder].change(Change::Rename(from, to, id));
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.find(to).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.find(from)?;
        let (folder, name) = state.folder_and_name(to)?;
        state.inodes[id].links += 1;
        state.inodes[folder].change(Change::Name(name, id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let id = state.find(path)?;
        let (folder, name) = state.folder_and_name(path)?;
        state.inodes[id].links -= 1;
        state.inodes[folder].change(Change::Unname(name));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let id = state.find(path)?;
        state.inodes[id].sync();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        self.open(path, Open::Kept)?;
        let mut state = self.0.lock().unwrap();
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Lock(self.clone(), path.to_owned()))))
    }
}
