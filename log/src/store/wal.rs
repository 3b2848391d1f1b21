//! The write-ahead log: batches of entries, each one append and one `fdatasync`.
//!
//! A record is `"SVWB" ‖ u32 length ‖ SHA-256(body) ‖ body`; a body is `u64 first index ‖ u32 count`, then
//! per entry `leaf hash ‖ u32 length ‖ item ‖ u32 length ‖ attachment`, integers big-endian. Reading stops
//! at the first record that is not whole: nothing behind it was ever acknowledged. Whether that is true, the
//! published checkpoint shows; what is not whole is cut off only after that comparison.
//!
//! What is read back need not be durable: a process may have died, or its sync failed, between write and sync, and the
//! system then shows what it may still lose. [`WriteAheadLog::settle`] therefore writes it again before anything is
//! built on it: after a failed sync, syncing alone would report success and write nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{DiskFile, Open};
use super::files::{self, Files};
use crate::hash::Hash;

const MAGIC: &[u8; 4] = b"SVWB";

/// One entry with its place decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequenced {
    /// Merkle leaf hash.
    pub leaf: Hash,
    /// Bytes in the bundle.
    pub item: Vec<u8>,
    /// Openings kept beside the log; empty if there are none.
    pub attachment: Vec<u8>,
}

/// Entries with consecutive indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Index of the first.
    pub first: u64,
    /// The entries.
    pub entries: Vec<Sequenced>,
}

impl Batch {
    /// Index after the last.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// As one record of the write-ahead log.
    pub(crate) fn to_record(&self) -> Vec<u8> {
        let mut body = self.first.to_be_bytes().to_vec();
        body.extend(length(self.entries.len()));
        for entry in &self.entries {
            body.extend(entry.leaf.0);
            for bytes in [&entry.item, &entry.attachment] {
                body.extend(length(bytes.len()));
                body.extend(bytes);
            }
        }
        [&MAGIC[..], &length(body.len()), &Hash::of(&[&body]).0, &body].concat()
    }

    /// The batch of exactly one record.
    #[cfg(feature = "postgres")]
    pub(crate) fn from_record(record: &[u8]) -> Option<Self> {
        let (batches, length) = parse(record);
        if length == record.len() as u64 {
            <[Self; 1]>::try_from(batches).ok().map(|[batch]| batch)
        } else {
            None
        }
    }

    fn parse_body(mut body: &[u8]) -> Option<Self> {
        let first = u64::from_be_bytes(*take(&mut body, 8)?.first_chunk()?);
        let count = read_length(&mut body)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let leaf = Hash::from_slice(take(&mut body, 32)?)?;
            let mut opaque = || {
                let length = read_length(&mut body)?;
                take(&mut body, length).map(<[u8]>::to_vec)
            };
            entries.push(Sequenced { leaf, item: opaque()?, attachment: opaque()? });
        }
        body.is_empty().then_some(Self { first, entries })
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("batches are bounded far below 4 GiB").to_be_bytes()
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    take(bytes, 4)?.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
}

/// Splits whole, consecutive records off the front; also returns their length in bytes.
fn parse(mut bytes: &[u8]) -> (Vec<Batch>, u64) {
    let whole = bytes.len();
    let mut batches: Vec<Batch> = Vec::new();
    let mut good = 0;
    let next = |bytes: &mut &[u8]| {
        take(bytes, 4).filter(|magic| magic == MAGIC)?;
        let length = read_length(bytes)?;
        let checksum = take(bytes, 32)?;
        let body = take(bytes, length).filter(|body| Hash::of(&[body]).0 == checksum)?;
        Batch::parse_body(body)
    };
    while let Some(batch) = next(&mut bytes) {
        if batches.last().is_some_and(|last| last.end() != batch.first) {
            break;
        }
        batches.push(batch);
        good = whole - bytes.len();
    }
    (batches, good as u64)
}

/// The whole, consistent batches at the beginning of a write-ahead log's bytes.
pub(crate) fn read(bytes: &[u8]) -> Vec<Batch> {
    parse(bytes).0
}

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
        let (batches, bytes) = parse(&files.read(path)?);
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

    /// Replaces item and attachment of one entry, and overwrites the old bytes. Returns whether the log held
    /// the entry.
    ///
    /// # Errors
    /// From the file system. What is on disk is then unknown: the caller must stop and open it again.
    pub fn withhold(&mut self, index: u64, item: Option<&[u8]>, attachment: &[u8]) -> io::Result<bool> {
        let mut batches = self.read_back()?;
        let holder = batches.iter_mut().find(|batch| (batch.first..batch.end()).contains(&index));
        let Some(batch) = holder else { return Ok(false) };
        let at = usize::try_from(index - batch.first).expect("an index inside the batch");
        let before = batch.entries[at].clone();
        if let Some(item) = item {
            batch.entries[at].item = item.to_vec();
        }
        batch.entries[at].attachment = attachment.to_vec();
        if batch.entries[at] != before {
            self.replace(&batches)?;
        }
        Ok(true)
    }

    /// What was appended, all of it: whoever rewrites the log from less would lose the rest.
    fn read_back(&self) -> io::Result<Vec<Batch>> {
        let (batches, bytes) = parse(&self.files.read(&self.path)?);
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
