//! Durable writes, erasure, and the lock of one writer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Suffix of files not yet complete; removed at start.
const TEMPORARY: &str = "tmp~";

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

/// Called before every change of the file system, so that tests can stop after any of them.
#[cfg(not(test))]
pub(crate) fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(crate) use faults::step;

/// Failing at the n-th change of the file system, as a crash there would look to the next start.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Lets `steps` more changes through in this thread, or all.
    pub(crate) fn allow(steps: Option<usize>) {
        LEFT.set(steps);
    }

    pub(crate) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("injected fault")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a file needs a folder"))
}

/// Syncs a folder, so that renames in it survive a crash.
///
/// # Errors
/// From the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates a folder and its parents, each entry durable.
///
/// # Errors
/// From the file system.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = parent(folder)?;
    if !above.as_os_str().is_empty() {
        create_folder(above)?;
    }
    step()?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if above.as_os_str().is_empty() { Ok(()) } else { sync_folder(above) }
}

/// Writes the temporary file that will take the place of `path`.
fn write_temporary(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    create_folder(parent(path)?)?;
    let temporary = temporary(path);
    step()?;
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(temporary)
}

/// Replaces a file whole: temporary file, sync, rename, sync of the folder.
///
/// # Errors
/// From the file system; the old content then still stands.
pub fn write_durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, bytes)?;
    step()?;
    fs::rename(&temporary, path)?;
    sync_folder(parent(path)?)
}

/// Replaces a file whole for readers, without syncing it: for what can be derived again. Folders are synced,
/// because durable files will stand in them too.
///
/// # Errors
/// From the file system.
pub fn write_derived(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_folder(parent(path)?)?;
    let temporary = temporary(path);
    step()?;
    fs::write(&temporary, bytes)?;
    step()?;
    fs::rename(&temporary, path)
}

/// Replaces a file, or removes it, and overwrites the bytes that stood there with zeros before they are
/// unlinked. Readers find the old file whole or the new one, never a half: the old bytes are first given a
/// temporary name, under which the next start finds and overwrites them if a crash comes in between.
///
/// Limits: only the file that is there now is overwritten. Partial tiles and bundles that the log outgrew held the same
/// bytes; they were unlinked as it grew, and their blocks keep what they held until the file system uses them again.
/// Where the file system has no hard links, a crash between replacing and overwriting leaves the old
/// blocks free but not overwritten. Copies that a copy-on-write file system, a journal of data, a snapshot or
/// the device's wear levelling keep are out of reach. A file that is not there is left so.
///
/// # Errors
/// From the file system. Repeating the call completes it.
pub fn erase(path: &Path, replacement: Option<&[u8]>) -> io::Result<()> {
    let mut old = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let superseded = superseded(path);
    match replacement {
        Some(bytes) => {
            let temporary = write_temporary(path, bytes)?;
            step()?;
            match fs::hard_link(path, &superseded) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(error) => tracing::debug!(%error, "no hard links: overwritten after unlinking"),
                Ok(()) => {}
            }
            step()?;
            fs::rename(&temporary, path)?;
        }
        None => {
            step()?;
            fs::rename(path, &superseded)?;
        }
    }
    sync_folder(parent(path)?)?;
    overwrite(&mut old)?;
    remove(&superseded)
}

/// Overwrites a file with zeros, durably.
fn overwrite(file: &mut File) -> io::Result<()> {
    step()?;
    let mut length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let zeros = [0; 4096];
    while length > 0 {
        let step = length.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(step).unwrap_or(zeros.len())])?;
        length -= step;
    }
    file.sync_data()
}

/// Removes a file durably, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    step()?;
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Erases temporary files that a crash left under `folder`.
///
/// # Errors
/// From the file system.
pub fn remove_temporaries(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_temporaries(&path)?;
        } else if path.extension().is_some_and(|extension| extension == TEMPORARY) {
            // A second name means that the file has not been replaced yet: its bytes are still in use.
            let mut file = OpenOptions::new().write(true).open(&path)?;
            if file.metadata()?.nlink() == 1 {
                overwrite(&mut file)?;
            }
            remove(&path)?;
        }
    }
    Ok(())
}

/// An exclusive lock on a folder, held while the value lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock; `None` when another writer, in this process or another, holds it.
    ///
    /// # Errors
    /// From the file system.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        create_folder(folder)?;
        let path = folder.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
