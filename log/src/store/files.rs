//! What the store does with a [`Disk`]: durable writes, erasure, and the lock of one writer.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::{Disk, DiskFile, Held, Kind, Open, Posix};

/// Suffix of files not yet complete; removed at start.
const TEMPORARY: &str = "tmp~";
/// How often an interrupted call is repeated. A signal interrupts one now and then, not this often in a row.
const INTERRUPTIONS: usize = 100;
/// How many files are open at once while they are made durable together.
const AT_ONCE: usize = 64;

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    PathBuf::from(name)
}

/// Where the bytes that a file held wait for being overwritten.
fn superseded(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    temporary(Path::new(&name))
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a file needs a folder"))
}

/// Repeats a call that a signal interrupted.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..INTERRUPTIONS {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
    call()
}

/// `Ok(None)` where nothing is found.
fn optional<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes all bytes at an offset, in as many calls as that takes.
pub(crate) fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = again(|| file.write_at(bytes, offset))?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Reads as many bytes from an offset on, in as many calls as that takes.
pub(crate) fn read_exact_at(file: &dyn DiskFile, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = again(|| file.read_at(bytes, offset))?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}

/// Makes what was written durable.
pub(crate) fn sync(file: &dyn DiskFile) -> io::Result<()> {
    again(|| file.sync())
}

/// The files of a log or of a witness. Clones share what they know of the folders.
#[derive(Debug, Clone)]
pub struct Files {
    disk: Arc<dyn Disk>,
    /// Folders that are durable, with the way to them, since this process saw to it: a folder that is merely there may
    /// be what a crash left before its name was synced.
    durable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Default for Files {
    fn default() -> Self {
        Self::new(Arc::new(Posix))
    }
}

#[allow(clippy::missing_errors_doc, reason = "all errors are the file system's")]
impl Files {
    /// Files on this disk.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, durable: Arc::default() }
    }

    /// A whole file.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        again(|| self.disk.read(path))
    }

    /// A whole file; `None` when it is not there.
    pub fn read_optional(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        optional(self.read(path))
    }

    /// What is in a folder; nothing when it is not there.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        optional(again(|| self.disk.list(folder))).map(Option::unwrap_or_default)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        optional(again(|| self.disk.kind(path)))
    }

    pub(crate) fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        again(|| self.disk.open(path, how))
    }

    /// Syncs a folder, so that renames in it survive a crash.
    pub fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        again(|| self.disk.sync_folder(folder))
    }

    fn is_durable(&self, folder: &Path) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    /// Creates a folder and its parents, each name durable. Of folders that were there, as far up as one that this
    /// process created or used before, and at least one.
    pub fn create_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.as_os_str().is_empty() || self.is_durable(folder) {
            return Ok(());
        }
        let Some(above) = folder.parent() else { return Ok(()) };
        if !self.is_durable(above) && self.kind(folder)? == Some(Kind::Folder) {
            // The first folder used: whoever may not read the one above did not create it there either.
            let outside = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            match self.sync_folder(outside) {
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
                _ => {}
            }
        } else {
            self.create_folder(above)?;
            match again(|| self.disk.create_folder(folder)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            self.sync_folder(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
        }
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    /// Writes the temporary file that will take the place of `path`, and does not sync it yet.
    fn begin_temporary(
        &self,
        path: &Path,
        parts: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        self.create_folder(parent(path)?)?;
        let temporary = temporary(path);
        let file = self.open(&temporary, Open::Emptied)?;
        let mut offset = 0;
        for part in parts {
            write_all_at(file.as_ref(), part.as_ref(), offset)?;
            offset += part.as_ref().len() as u64;
        }
        Ok((temporary, file))
    }

    fn write_temporary(
        &self,
        path: &Path,
        parts: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> io::Result<PathBuf> {
        let (temporary, file) = self.begin_temporary(path, parts)?;
        sync(file.as_ref())?;
        Ok(temporary)
    }

    /// Replaces a file whole: temporary file, sync, rename, sync of the folder. On an error the old content stands, or
    /// the new one does and may not be durable.
    pub fn write_durable(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write_durable_in_parts(path, [bytes])
    }

    /// The same of parts that follow each other, and need not be in memory at once.
    pub(crate) fn write_durable_in_parts(
        &self,
        path: &Path,
        parts: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> io::Result<()> {
        let temporary = self.write_temporary(path, parts)?;
        self.rename(&temporary, path)?;
        self.sync_folder(parent(path)?)
    }

    /// Has a file with this content stand there durably. Different content that is there already is erased; the same
    /// one may be what a crash left before the name was synced.
    pub fn ensure_durable(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.read_optional(path)? {
            None => self.write_durable(path, bytes),
            Some(old) if old != bytes => self.erase(path, Some(bytes)),
            Some(_) => {
                self.create_folder(parent(path)?)?;
                self.sync_folder(parent(path)?)?;
                // What was to be erased may still be there under its other name.
                self.erase_temporary(&superseded(path))
            }
        }
    }

    /// As [`Files::ensure_durable`] for several files, with each folder synced once for every [`AT_ONCE`] of them.
    pub(crate) fn ensure_all_durable(&self, contents: &[(PathBuf, &[u8])]) -> io::Result<()> {
        contents.chunks(AT_ONCE).try_for_each(|some| self.ensure_some_durable(some))
    }

    fn ensure_some_durable(&self, contents: &[(PathBuf, &[u8])]) -> io::Result<()> {
        let mut temporaries = Vec::new();
        for (path, bytes) in contents {
            if self.read_optional(path)?.is_some() {
                self.ensure_durable(path, bytes)?;
            } else {
                temporaries.push((path, self.begin_temporary(path, [bytes])?));
            }
        }
        // All are written before the first is waited for.
        temporaries.iter().try_for_each(|(_, (_, file))| sync(file.as_ref()))?;
        for (path, (temporary, _)) in &temporaries {
            self.rename(temporary, path)?;
        }
        let folders: BTreeSet<&Path> = temporaries.iter().filter_map(|(path, _)| path.parent()).collect();
        folders.into_iter().try_for_each(|folder| self.sync_folder(folder))
    }

    /// Replaces a file whole for readers, without syncing it: for what can be derived again. Its folder holds nothing
    /// durable; the one above may.
    pub fn write_derived(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = temporary(path);
        let folder = parent(path)?;
        let file = match optional(self.open(&temporary, Open::Emptied))? {
            Some(file) => file,
            None => {
                self.create_folder(parent(folder)?)?;
                match again(|| self.disk.create_folder(folder)) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => self.open(&temporary, Open::Emptied)?,
                }
            }
        };
        write_all_at(file.as_ref(), bytes, 0)?;
        self.rename(&temporary, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        again(|| self.disk.rename(from, to))
    }

    /// Removes a file that was derived, if it is there.
    pub(crate) fn remove_derived(&self, path: &Path) -> io::Result<()> {
        optional(again(|| self.disk.remove(path))).map(|_| ())
    }

    /// Removes a folder of derived files with them, if it is there, and overwrites none.
    pub(crate) fn remove_derived_folder(&self, folder: &Path) -> io::Result<()> {
        for (name, _) in self.list(folder)? {
            self.remove_derived(&folder.join(name))?;
        }
        optional(again(|| self.disk.remove_folder(folder))).map(|_| ())
    }

    /// Replaces a file, or removes it, and overwrites the bytes that stood there with zeros before they are
    /// unlinked. Readers find the old file whole or the new one, never a half: the old bytes are first given a
    /// temporary name, under which the next start finds and overwrites them if a crash comes in between.
    ///
    /// Limits: only the file that is there now is overwritten. Partial tiles and bundles that the log outgrew held the
    /// same bytes; they were unlinked as it grew, and their blocks keep what they held until the file system uses them
    /// again. Where the file system has no hard links, a crash between replacing and overwriting leaves the old
    /// blocks free but not overwritten. Copies that a copy-on-write file system, a journal of data, a snapshot or
    /// the device's wear levelling keep are out of reach. A file that is not there is left so. Repeating the call after
    /// an error completes it.
    pub fn erase(&self, path: &Path, replacement: Option<&[u8]>) -> io::Result<()> {
        let superseded = superseded(path);
        // Of a call that failed.
        self.erase_temporary(&superseded)?;
        let Some(old) = optional(self.open(path, Open::Existing))? else { return Ok(()) };
        match replacement {
            Some(bytes) => {
                let temporary = self.write_temporary(path, [bytes])?;
                match again(|| self.disk.link(path, &superseded)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                    Err(error) => tracing::debug!(%error, "no hard links: overwritten after unlinking"),
                    Ok(()) => {}
                }
                self.rename(&temporary, path)?;
            }
            None => self.rename(path, &superseded)?,
        }
        self.sync_folder(parent(path)?)?;
        overwrite(old.as_ref())?;
        self.remove(&superseded)
    }

    /// Removes a file durably, if it is there.
    fn remove(&self, path: &Path) -> io::Result<()> {
        match optional(again(|| self.disk.remove(path)))? {
            Some(()) => self.sync_folder(parent(path)?),
            None => Ok(()),
        }
    }

    /// Erases temporary files that a crash left under `folder`, but for those below it in a folder that others write to.
    pub fn remove_temporaries(&self, folder: &Path, others: Option<&str>) -> io::Result<()> {
        for (name, kind) in self.list(folder)? {
            let path = folder.join(&name);
            if others.is_some_and(|others| name == others) {
                continue;
            }
            if kind == Kind::Folder {
                self.remove_temporaries(&path, None)?;
            } else if Path::new(&name).extension() == Some(OsStr::new(TEMPORARY)) {
                self.erase_temporary(&path)?;
            }
        }
        Ok(())
    }

    /// Erases a temporary file, if it is there.
    fn erase_temporary(&self, path: &Path) -> io::Result<()> {
        let Some(file) = optional(self.open(path, Open::Existing))? else { return Ok(()) };
        // A second name means that the file has not been replaced yet: its bytes are still in use. So they are while the
        // replacement's name is not durable.
        if again(|| file.length_and_names())?.1 == 1 {
            self.sync_folder(parent(path)?)?;
            overwrite(file.as_ref())?;
        }
        self.remove(path)
    }

    /// Takes the lock of `folder`; `None` when another writer, in this process or another, holds it.
    pub fn lock(&self, folder: &Path) -> io::Result<Option<FolderLock>> {
        self.create_folder(folder)?;
        let held = again(|| self.disk.lock(&folder.join("lock")))?;
        Ok(held.map(|held| FolderLock { _held: held }))
    }
}

/// Overwrites a file with zeros, durably.
fn overwrite(file: &dyn DiskFile) -> io::Result<()> {
    let length = again(|| file.length_and_names())?.0;
    let zeros = [0; 64 << 10];
    let mut offset = 0;
    while offset < length {
        let step = usize::try_from(length - offset).unwrap_or(zeros.len()).min(zeros.len());
        write_all_at(file, &zeros[..step], offset)?;
        offset += step as u64;
    }
    sync(file)
}

/// An exclusive lock on a folder, held while the value lives.
#[derive(Debug)]
pub struct FolderLock {
    _held: Box<dyn Held>,
}

impl FolderLock {
    /// Takes the lock on one of the system's folders; `None` when another writer holds it.
    ///
    /// # Errors
    /// From the file system.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        Files::default().lock(folder)
    }
}
