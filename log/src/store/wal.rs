//! The write-ahead log: batches of entries, each one append and one `fdatasync`.
//!
//! It is records ([`crate::batch`]) one behind the other. Reading stops at the first that is not whole: nothing behind
//! it was ever acknowledged. Whether that is true, the published checkpoint shows; what is not whole is cut off only
//! after that comparison.
//!
//! What is read back need not be durable: a process may have died, or its sync failed, between write and sync, and the
//! system then shows what it may still lose. [`WriteAheadLog::settle`] therefore writes it again before anything is
//! built on it: after a failed sync, syncing alone would report success and write nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{DiskFile, Open};
use super::files::{self, Files};
use crate::batch::{Batch, Sequenced, read};

/// The open write-ahead log.
#[derive(Debug)]
pub struct WriteAheadLog {
    path: PathBuf,
    files: Files,
    file: Box<dyn DiskFile>,
    bytes: u64,
}

impl WriteAheadLog {
    /// Opens or creates it, and returns what it holds. Nothing is changed yet: call [`WriteAheadLog::settle`] before
    /// building on it.
    ///
    /// # Errors
    /// From the file system.
    pub fn open(files: &Files, path: &Path) -> io::Result<(Self, Vec<Batch>)> {
        let file = files.open(path, Open::Kept)?;
        let (batches, bytes) = read(&files.read(path)?);
        Ok((Self { path: path.to_owned(), files: files.clone(), file, bytes }, batches))
    }

    /// Cuts off what a crash left half written, and makes the rest durable.
    ///
    /// # Errors
    /// From the file system.
    pub fn settle(&mut self) -> io::Result<()> {
        let content = self.files.read(&self.path)?;
        let whole = usize::try_from(self.bytes).unwrap_or(content.len()).min(content.len());
        if content.len() > whole {
            self.file.set_len(self.bytes)?;
        }
        files::write_all_at(self.file.as_ref(), &content[..whole], 0)?;
        files::sync(self.file.as_ref())?;
        self.path.parent().map_or(Ok(()), |folder| self.files.sync_folder(folder))
    }

    /// Appends a batch; it is durable when this returns.
    ///
    /// # Errors
    /// From the file system. What is on disk is then unknown: the caller must stop and open it again.
    pub fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let record = batch.to_record();
        files::write_all_at(self.file.as_ref(), &record, self.bytes)?;
        files::sync(self.file.as_ref())?;
        self.bytes += record.len() as u64;
        Ok(())
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Drops all batches that end at or before `keep_from`; `size` is the index that comes next.
    ///
    /// # Errors
    /// From the file system. What is on disk is then unknown: the caller must stop and open it again.
    pub fn trim(&mut self, keep_from: u64, size: u64) -> io::Result<()> {
        let mut batches = self.read_back()?;
        batches.retain(|batch| batch.end() > keep_from);
        if batches.is_empty() {
            batches.push(Batch { first: size, entries: Vec::new() });
        }
        self.replace(&batches)
    }

    /// Hands each entry that it holds to `change`, with its index; where one was changed, overwrites the old bytes.
    ///
    /// # Errors
    /// From the file system. What is on disk is then unknown: the caller must stop and open it again.
    pub fn rewrite(
        &mut self,
        mut change: impl FnMut(u64, &mut Sequenced) -> io::Result<()>,
    ) -> io::Result<()> {
        let before = self.read_back()?;
        let mut batches = before.clone();
        for batch in &mut batches {
            (batch.first..).zip(&mut batch.entries).try_for_each(|(index, entry)| change(index, entry))?;
        }
        if batches == before { Ok(()) } else { self.replace(&batches) }
    }

    /// What was appended, all of it: whoever rewrites the log from less would lose the rest.
    fn read_back(&self) -> io::Result<Vec<Batch>> {
        let (batches, bytes) = read(&self.files.read(&self.path)?);
        if bytes == self.bytes {
            Ok(batches)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the write-ahead log was changed by another"))
        }
    }

    fn replace(&mut self, batches: &[Batch]) -> io::Result<()> {
        let bytes: Vec<u8> = batches.iter().flat_map(Batch::to_record).collect();
        self.files.erase(&self.path, Some(&bytes))?;
        self.file = self.files.open(&self.path, Open::Existing)?;
        self.bytes = bytes.len() as u64;
        Ok(())
    }
}
