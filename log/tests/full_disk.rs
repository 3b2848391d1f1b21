//! A disk that fills up under a running log, and is freed again.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::*;
use sigveil_log::engine::{AppendError, Config, Log};
use sigveil_log::store::disk::{Disk, DiskFile, Held, Kind, Open, Posix};
use sigveil_log::store::files::Files;
use sigveil_log::whole::{Identity, examine};

/// The system's files on a disk with so many bytes left.
#[derive(Debug, Clone)]
struct Small(Arc<AtomicUsize>);

#[derive(Debug)]
struct SmallFile(Small, Box<dyn DiskFile>);

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl DiskFile for SmallFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let left = self
            .0
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(bytes.len())));
        match left.unwrap().min(bytes.len()) {
            0 => Err(full()),
            some => self.1.write_at(&bytes[..some], offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.1.sync()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.1.set_len(length)
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        self.1.length_and_names()
    }
}

impl Small {
    fn if_not_full<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.0.load(Ordering::SeqCst) == 0 { Err(full()) } else { call() }
    }
}

impl Disk for Small {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Posix.read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        Posix.list(folder)
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Posix.kind(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SmallFile(self.clone(), Posix.open(path, how)?)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.if_not_full(|| Posix.create_folder(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Posix.remove_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.if_not_full(|| Posix.link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Posix.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Posix.sync_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        Posix.lock(path)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_a_full_disk_takes_nothing_and_goes_on_by_itself_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Small(Arc::new(AtomicUsize::new(usize::MAX)));
    let log = Log::open(Config {
        files: Files::new(Arc::new(disk.clone())),
        storage_retry: Duration::from_millis(5),
        wal_limit: 4 << 10,
        ..config(folder.path())
    })
    .unwrap();
    let mut next = 0;
    let mut acknowledged = Vec::new();
    let body = |n: u64| format!("{n:0200}").into_bytes();
    for round in 0..20usize {
        // Full at another byte each time: within the write-ahead log, a tile, the checkpoint.
        disk.0.store(3_000 + 1_777 * round, Ordering::SeqCst);
        loop {
            match log.append_opaque(body(next)).await {
                Ok(receipt) => acknowledged.push((receipt.index, next)),
                Err(AppendError::Duplicate(index)) => acknowledged.push((index, next)),
                Err(error) => {
                    assert_eq!(error, AppendError::Unavailable);
                    break;
                }
            }
            next += 1;
        }
        assert!(disk.0.load(Ordering::SeqCst) == 0, "it is the disk that is full");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(log.append_opaque(b"while it is full".to_vec()).await, Err(AppendError::Unavailable));
        assert!(!log.is_ready());
        disk.0.store(usize::MAX, Ordering::SeqCst);
        while !log.is_ready() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(next > 20, "{next} entries");
    log.stop().await;
    let examined = examine(&folder.path().join("log"), &Identity::new(log.key().clone())).unwrap();
    assert_eq!(examined.findings, []);
    assert!(acknowledged.windows(2).all(|pair| pair[0].0 < pair[1].0), "once, in order");
    let log = Log::open(config(folder.path())).unwrap();
    for (index, n) in acknowledged {
        assert_eq!(log.append_opaque(body(n)).await, Err(AppendError::Duplicate(index)));
    }
}
