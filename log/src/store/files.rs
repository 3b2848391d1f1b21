//! Durable writes, erasure, and the lock of one writer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Suffix of files not yet complete; removed at start.
const TEMPORARY: &str = "tmp~";

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY);
    PathBuf::from(name)
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
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if above.as_os_str().is_empty() { Ok(()) } else { sync_folder(above) }
}

/// Replaces a file whole: temporary file, sync, rename, sync of the folder.
///
/// # Errors
/// From the file system; the old content then still stands.
pub fn write_durable(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    create_folder(folder)?;
    let temporary = temporary(path);
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(folder)
}

/// Replaces a file whole for readers, without syncing: for what can be derived again.
///
/// # Errors
/// From the file system.
pub fn write_derived(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(parent(path)?)?;
    let temporary = temporary(path);
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

/// Replaces a file, or removes it, and overwrites the bytes that stood there with zeros. Copies that the
/// file system or the device keeps elsewhere are out of reach. A file that is not there is left so.
///
/// # Errors
/// From the file system. Repeating the call completes it.
pub fn erase(path: &Path, replacement: Option<&[u8]>) -> io::Result<()> {
    let mut old = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match replacement {
        Some(bytes) => write_durable(path, bytes)?,
        None => {
            fs::remove_file(path)?;
            sync_folder(parent(path)?)?;
        }
    }
    let mut length = old.metadata()?.len();
    old.seek(SeekFrom::Start(0))?;
    let zeros = [0; 4096];
    while length > 0 {
        let step = length.min(zeros.len() as u64);
        old.write_all(&zeros[..usize::try_from(step).unwrap_or(zeros.len())])?;
        length -= step;
    }
    old.sync_data()
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
            erase(&path, None)?;
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
