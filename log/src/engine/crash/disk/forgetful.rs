//! A disk that says it synced and did not: what an engine that forgets a sync would do.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::store::disk::{Disk, DiskFile, Held, Kind, Open};

use super::Memory;

/// Which syncs are forgotten: of files, or of folders, at these paths.
#[derive(Debug, Clone)]
pub struct Forgetful {
    pub memory: Memory,
    pub files: fn(&Path) -> bool,
    pub folders: fn(&Path) -> bool,
}

#[derive(Debug)]
struct ForgetfulFile {
    forget: bool,
    file: Box<dyn DiskFile>,
}

impl DiskFile for ForgetfulFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        if self.forget { Ok(()) } else { self.file.sync() }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        self.file.length_and_names()
    }
}

impl Disk for Forgetful {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.memory.read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        self.memory.list(folder)
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        self.memory.kind(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let file = self.memory.open(path, how)?;
        Ok(Box::new(ForgetfulFile { forget: (self.files)(path), file }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.memory.create_folder(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.memory.remove_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.memory.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.memory.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.memory.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if (self.folders)(path) { Ok(()) } else { self.memory.sync_folder(path) }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        self.memory.lock(path)
    }
}
