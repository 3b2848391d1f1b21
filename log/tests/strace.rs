//! The system itself counts the file-system calls of a log and its witness, from outside by strace, and finds those that
//! went through the disk under which the crash suite puts its faults, and no other.
#![cfg(feature = "service")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::certificates::{Holder, constraints};
use common::*;
use sigveil_log::Hash;
use sigveil_log::ct::CertificateLog;
use sigveil_log::engine::{Config, Coverage, Log, RedactionPolicy};
use sigveil_log::entry::{Entry, Withholding};
use sigveil_log::sct::{AcceptedRoots, EntryKind};
use sigveil_log::store::disk::{Disk, DiskFile, Held, Kind, Open, Posix};
use sigveil_log::store::files::Files;
use sigveil_log::witness::Witness;

/// Folder in which the child writes; without it, the child's test does nothing.
const FOLDER: &str = "SIGVEIL_TEST_STRACE_FOLDER";
/// Whether that is a certificate log's.
const CERTIFICATES: &str = "SIGVEIL_TEST_STRACE_CERTIFICATES";

type Counts = BTreeMap<String, u64>;

/// The system's files, with each call counted by the system call that it should make.
#[derive(Debug, Clone, Default)]
struct Counting(Arc<Mutex<Counts>>);

impl Counting {
    fn count(&self, call: &str) {
        *self.0.lock().unwrap().entry(call.to_owned()).or_default() += 1;
    }
}

#[derive(Debug)]
struct CountingFile(Counting, Box<dyn DiskFile>);

impl DiskFile for CountingFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.count("pread64");
        self.1.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.count("pwrite64");
        self.1.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.count("fdatasync");
        self.1.sync()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.count("ftruncate");
        self.1.set_len(length)
    }

    fn length_and_names(&self) -> io::Result<(u64, u64)> {
        self.1.length_and_names()
    }
}

impl Disk for Counting {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.count("openat");
        Posix.read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(OsString, Kind)>> {
        self.count("openat");
        Posix.list(folder)
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Posix.kind(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        self.count("openat");
        Ok(Box::new(CountingFile(self.clone(), Posix.open(path, how)?)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.count("mkdir");
        Posix.create_folder(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.count("rmdir");
        Posix.remove_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count("rename");
        Posix.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count("link");
        Posix.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.count("unlink");
        Posix.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.count("openat");
        self.count("fsync");
        Posix.sync_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Held>>> {
        self.count("openat");
        self.count("flock");
        let lock = Posix.lock(path)?;
        Ok(lock.map(|lock| Box::new(CountingLock(self.clone(), lock)) as Box<dyn Held>))
    }
}

/// Gives back what it holds by a call, once it is counted.
#[derive(Debug)]
struct CountingLock(Counting, #[allow(dead_code, reason = "held until it is dropped")] Box<dyn Held>);

impl Held for CountingLock {}

impl Drop for CountingLock {
    fn drop(&mut self) {
        self.0.count("flock");
    }
}

struct Covered;

impl Coverage for Covered {
    fn covers(&self, _: &str, _: u64, _: &Hash, _: &Hash) -> bool {
        true
    }
}

fn open(folder: &Path, files: &Files) -> Log {
    let keys = vec![log_signer().public().clone()];
    let witness =
        Witness::open_on(files.clone(), &folder.join("witness"), witness_signer(), keys, Arc::new(|| NOW));
    let redaction =
        RedactionPolicy { authorities: vec![authority().verifying_key()], threshold: 1, witnesses: 1 };
    Log::open(Config {
        files: files.clone(),
        witnesses: vec![Arc::new(witness.unwrap())],
        witness_threshold: 1,
        wal_limit: 4 << 10,
        known_height: 8,
        redaction: Some(redaction),
        ..config(folder)
    })
    .unwrap()
}

/// Everything that a log does to files: bundles filled, the write-ahead log trimmed, openings kept, content withheld,
/// opened again over torn and temporary files, frozen.
async fn work(folder: &Path, files: &Files) {
    let log = open(folder, files);
    let (entry, payload) = sealed(b"a value to be forgotten");
    let receipt = log.append_sealed(&entry, &payload).await.unwrap();
    for round in 0..12u32 {
        let append = |n: u32| {
            let log = log.clone();
            tokio::spawn(async move { log.append_opaque(format!("{round}/{n}").into_bytes()).await.unwrap() })
        };
        for task in (0..60).map(append).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
    let record = record(receipt.index, receipt.leaf_hash, Withholding::WholeBody);
    let record = log.append(&Entry::Redaction(record)).await.unwrap().index;
    log.redact(record, Covered).await.unwrap();
    log.stop().await;
    drop(log);
    let log = open(folder, files);
    log.append_opaque(b"after".to_vec()).await.unwrap();
    log.freeze().await.unwrap();
}

/// The same of a certificate log, which keeps certificates of chains too.
async fn work_on_certificates(folder: &Path, files: &Files) {
    let root = Holder::root("CN=root", 1);
    let key = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
    let open = || {
        let roots = AcceptedRoots::new([root.certificate.clone()]).unwrap();
        let config = Config { files: files.clone(), wal_limit: 4 << 10, ..config(folder) };
        CertificateLog::open(config, key.clone(), roots).unwrap()
    };
    let log = open();
    let leaf =
        |issuer: &Holder, n: u32| issuer.certify(&format!("CN=leaf {n}"), &key, vec![constraints(false)]);
    for n in 0..260 {
        log.issue(vec![leaf(&root, n)], EntryKind::Certificate).await.unwrap();
    }
    log.log().stop().await;
    drop(log);
    let (log, issuer) = (open(), root.issue("CN=issuer", 2, vec![constraints(true)]));
    let chain = vec![leaf(&issuer, 260), issuer.certificate.clone()];
    log.issue(chain, EntryKind::Certificate).await.unwrap();
    log.log().freeze().await.unwrap();
}

/// Not a test by itself: what the child process runs. It says what it counted.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let counting = Counting::default();
    let files = Files::new(Arc::new(counting.clone()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var_os(CERTIFICATES) {
        None => runtime.block_on(work(Path::new(&folder), &files)),
        Some(_) => runtime.block_on(work_on_certificates(Path::new(&folder), &files)),
    }
    for (call, count) in counting.0.lock().unwrap().iter() {
        println!("\ncounted {call} {count}");
    }
}

/// Calls that strace saw by which a process changes or opens a folder or what lies under it.
fn seen(trace: &str, folder: &str) -> Counts {
    const CALLS: [&str; 25] = [
        "openat",
        "open",
        "creat",
        "pread64",
        "pwrite64",
        "write",
        "writev",
        "pwritev",
        "fdatasync",
        "fsync",
        "sync_file_range",
        "ftruncate",
        "truncate",
        "fallocate",
        "mkdir",
        "rmdir",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "unlink",
        "unlinkat",
        "flock",
        "mmap",
    ];
    let mut counts = Counts::new();
    for line in trace.lines().filter(|line| line.contains(folder)) {
        let call = line.split_whitespace().nth(1).and_then(|rest| rest.split('(').next()).unwrap_or_default();
        if CALLS.contains(&call) {
            let name = match call {
                "linkat" => "link",
                "unlinkat" if line.contains("AT_REMOVEDIR") => "rmdir",
                "unlinkat" => "unlink",
                "renameat" | "renameat2" => "rename",
                other => other,
            };
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// What a child counted of its calls, which are those that strace saw; `None` where that is missing.
fn counted(of: Option<&str>) -> Option<Counts> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs strace");
        eprintln!("skipped: strace is not installed");
        return None;
    }
    let temporary = tempfile::tempdir().unwrap();
    let (folder, trace) = (temporary.path().join("store"), temporary.path().join("trace"));
    std::fs::create_dir(&folder).unwrap();
    let output = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=file,desc", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, &folder)
        .envs(of.map(|of| (of, "1")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let counted: Counts = said
        .lines()
        .filter_map(|line| {
            let (call, count) = line.strip_prefix("counted ")?.split_once(' ')?;
            Some((call.to_owned(), count.parse().unwrap()))
        })
        .collect();
    // The folder above is synced too, because the log's is created in it.
    let seen = seen(&std::fs::read_to_string(&trace).unwrap(), &temporary.path().to_string_lossy());
    println!("{seen:?}");
    assert_eq!(seen, counted);
    Some(counted)
}

#[test]
fn strace_sees_no_call_that_the_disk_did_not_count() {
    let Some(counted) = counted(None) else { return };
    assert!(counted["pread64"] > 100 && counted["pwrite64"] > 100);
    assert!(counted["unlink"] > 10 && counted.contains_key("link"));
}

#[test]
fn strace_sees_no_call_of_a_certificate_log_that_the_disk_did_not_count() {
    let Some(counted) = counted(Some(CERTIFICATES)) else { return };
    assert!(counted["pwrite64"] > 100 && counted["unlink"] > 10 && counted["mkdir"] > 3);
}
