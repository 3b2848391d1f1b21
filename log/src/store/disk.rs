//! Every call by which this crate reaches a file system, and nothing else: one method, one call.
//!
//! Stores and engine hold a [`Disk`], never `std::fs` (a test reads their source for that), so whoever wraps one counts,
//! refuses or cuts short each call, or answers from memory what a power failure would have left. [`Posix`] adds nothing
//! to the system's calls; what is built of several of them, and repeating interrupted ones, is in [`super::files`].

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::path::Path;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It must be there, and is read alone.
    Reading,
    /// It must be there, and is written.
    Existing,
    /// Created if it is not there, otherwise as it is.
    Kept,
    /// Created, or emptied.
    Emptied,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// What is held until it is dropped.
pub trait Held: Send + Sync + fmt::Debug {}

/// A lock of the system's, given back by a call of its own: it is with the open file, which a child has too until it becomes
/// another program.
#[derive(Debug)]
struct Lock(File);

impl Held for Lock {}

impl Lock {
    fn of(file: File) -> io::Result<Option<Self>> {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}

/// A file system, call by call. Errors are the system's; an interrupted call is repeated by the caller.
#[allow(clippy::missing_errors_doc, reason = "all errors are the file system's")]
pub trait Disk: Send + Sync + fmt::Debug {
    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Names in a folder, with what they stand for.
    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>>;
    /// What stands at a path; [`io::ErrorKind::NotFound`] when nothing does.
    fn kind(&self, path: &Path) -> io::Result<Kind>;
    /// Opens a file, for reading or for writing.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;
    /// Creates a folder in one that is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name in the same folder, in the place of what stood there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must be free.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, created if it is not there; `None` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>>;
}

/// An open file.
#[allow(clippy::missing_errors_doc, reason = "all errors are the file system's")]
#[allow(clippy::len_without_is_empty, reason = "one method, one call")]
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads from an offset on, and returns how many bytes were; none at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset, and returns how many bytes were.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes content and length durable.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file, or lengthens it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Bytes in it, and names of it.
    fn length_and_names(&self) -> io::Result<(u64, u64)>;
}

/// The system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Posix;

impl Disk for Posix {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        let named = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { Kind::Folder } else { Kind::File };
            Ok((entry.file_name(), kind))
        };
        fs::read_dir(folder)?.map(named).collect()
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Ok(if fs::metadata(path)?.is_dir() { Kind::Folder } else { Kind::File })
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        match how {
            Open::Reading => options.read(true),
            Open::Existing => options.write(true),
            Open::Kept => options.write(true).create(true),
            Open::Emptied => options.write(true).create(true).truncate(true),
        };
        Ok(Box::new(options.open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        Ok(Lock::of(file)?.map(|lock| Box::new(lock) as Box<dyn Held>))
    }
}

impl DiskFile for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        let metadata = self.metadata()?;
        Ok((metadata.len(), metadata.nlink()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    /// As a child has it between its start and the program that it becomes.
    #[test]
    fn a_lock_that_is_given_back_is_free_though_another_has_the_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = File::create(&path).unwrap();
        let childs = file.try_clone().unwrap();
        let lock = Lock::of(file).unwrap();
        assert!(lock.is_some() && Posix.lock(&path).unwrap().is_none());
        drop(lock);
        assert!(Posix.lock(&path).unwrap().is_some());
        drop(childs);
    }
}
