//! The machine and the commit that a figure belongs to, and what a process has used of it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// CPU features that the arithmetic of this project could use.
const FEATURES: [&str; 6] = ["adx", "bmi2", "avx2", "avx512f", "avx512ifma", "sha_ni"];

/// Of what no repository holds.
const UNKNOWN: &str = "unknown";

/// Where a figure was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) features: Vec<&'static str>,
    /// Its name and release.
    pub(crate) kernel: String,
    /// The types of the file systems that servers write to: of the cache, and of the folder for temporary files if that is
    /// another. What they sync costs nothing in memory.
    pub(crate) file_systems: Vec<String>,
}

impl Machine {
    /// Reads /proc; what cannot be read is left empty or zero.
    pub(crate) fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|l| l.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = field("flags").unwrap_or_default();
        Self {
            cpu: field("model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: kilobytes("/proc/meminfo", "MemTotal:") * 1024,
            features: FEATURES.into_iter().filter(|f| flags.split(' ').any(|flag| flag == *f)).collect(),
            kernel: ["ostype", "osrelease"].map(kernel).join(" "),
            file_systems: file_systems(),
        }
    }
}

fn kernel(file: &str) -> String {
    fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default().trim().to_owned()
}

fn file_systems() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let cache = sigveil::service::circuits::cache_folder(None).ok();
    let folders = cache.into_iter().chain([std::env::temp_dir()]);
    let mut found: Vec<String> = folders.filter_map(|folder| file_system(&mounts, &folder)).collect();
    found.dedup();
    found
}

/// The type of the file system that a folder is on, or will be once it is made (proc_pid_mountinfo(5)).
fn file_system(mounts: &str, folder: &Path) -> Option<String> {
    let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok())?;
    let mount = |line: &str| {
        let (place, of) = line.split_once(" - ")?;
        let at = PathBuf::from(place.split(' ').nth(4)?);
        there.starts_with(&at).then(|| (at.components().count(), of.split(' ').next().map(str::to_owned)))
    };
    // Of two at one place the later one hides the other.
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth)?.1
}

/// The commit of the working tree; where the tree differs from it, with `+` and a digest of the difference behind it, so that
/// two states of a tree have two names. Outside a repository "unknown" with a digest of this program, for the same reason.
pub(crate) fn commit() -> String {
    commit_of(Path::new(".")).unwrap_or_else(|| match std::env::current_exe().and_then(fs::read) {
        Ok(program) => format!("{UNKNOWN}+{}", &hex::encode(Sha256::digest(program))[..12]),
        Err(_) => UNKNOWN.to_owned(),
    })
}

/// The commit that this program was built from.
const BUILT_FROM: &str = env!("SIGVEIL_BUILT_FROM");

/// Refuses to measure for the record by a program that was built from another commit than this one, or without optimisation: it
/// would go under a name that is not its own, or be slow for no reason of the code.
pub(crate) fn ensure_built_from(commit: &str) -> anyhow::Result<()> {
    let head = commit.split('+').next().unwrap_or(commit);
    anyhow::ensure!(
        [BUILT_FROM, UNKNOWN].contains(&head),
        "this program was built from {BUILT_FROM}, and the tree here is {head}: build it again"
    );
    // Outside a repository nothing is published.
    let is_slow = cfg!(debug_assertions) && head != UNKNOWN;
    anyhow::ensure!(!is_slow, "this program was built without optimisation: build with --release");
    Ok(())
}

/// Whether a name of [`commit`] is one that others can check out.
pub(crate) fn is_clean(commit: &str) -> bool {
    commit != UNKNOWN && !commit.contains('+')
}

fn commit_of(folder: &Path) -> Option<String> {
    let git = |folder: &Path, arguments: &[&str]| {
        let out = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        out.status.success().then_some(out.stdout)
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let head = text(git(folder, &["rev-parse", "--short=12", "HEAD"])?);
    // From its top, as git lists files without a commit below the folder that it is called in.
    let top = PathBuf::from(text(git(folder, &["rev-parse", "--show-toplevel"])?));
    let changed = git(&top, &["diff", "HEAD", "--binary", "--no-ext-diff", "--no-color"])?;
    let fresh = git(&top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
    if changed.is_empty() && fresh.is_empty() {
        return Some(head);
    }
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    part(&changed);
    for name in fresh.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        part(name);
        // What cannot be read counts by its name.
        part(&fs::read(top.join(OsStr::from_bytes(name))).unwrap_or_default());
    }
    Some(format!("{head}+{}", &hex::encode(digest.finalize())[..12]))
}

/// Below so many bytes a disk is full for whatever runs here.
const FULL: u64 = 32 << 20;

/// Those of these folders, and of the user's cache, whose file system has no room left.
pub(crate) fn full_disks(folders: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    disks_below(folders, FULL)
}

fn disks_below(folders: &BTreeSet<PathBuf>, bytes: u64) -> Vec<PathBuf> {
    let full = |folder: &PathBuf| {
        rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < bytes)
    };
    let cache = sigveil::service::circuits::cache_folder(None).ok();
    folders.iter().cloned().chain(cache).filter(full).collect()
}

/// The folder of a file.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Has [`peak_rss`] begin anew, at what this process holds now (proc_pid_clear_refs(5)). Fails where the kernel lacks it.
pub(crate) fn reset_peak_rss() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// The most memory that this process held, in bytes: ever, or since [`reset_peak_rss`].
pub(crate) fn peak_rss() -> f64 {
    kilobytes("/proc/self/status", "VmHWM:") as f64 * 1024.0
}

/// The memory that this process holds now, in bytes.
pub(crate) fn rss() -> f64 {
    kilobytes("/proc/self/status", "VmRSS:") as f64 * 1024.0
}

fn kilobytes(file: &str, field: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// CPU seconds that all threads of this process have used, those that have ended too.
pub(crate) fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// What one call took.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Spent {
    /// Seconds on the wall clock.
    pub(crate) wall: f64,
    /// Seconds of CPU, over all threads.
    pub(crate) cpu: f64,
}

/// Runs `work` and measures it.
pub(crate) fn spent<T>(work: impl FnOnce() -> T) -> (Spent, T) {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let out = std::hint::black_box(work());
    (Spent { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu }, out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn a_peak_that_was_reset_is_of_what_came_after() {
        let large = vec![1u8; 256 << 20];
        std::hint::black_box(&large);
        let with = peak_rss();
        drop(large);
        if reset_peak_rss().is_err() {
            // Not every kernel lets it be reset; suite prover leaves the row out then.
            return;
        }
        assert!(with - peak_rss() > f64::from(128 << 20), "{with} and {}", peak_rss());
    }

    #[test]
    fn a_folder_is_on_the_file_system_that_was_mounted_nearest_and_last() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n\
            2 1 0:5 / /proc rw shared:1 - proc proc rw\n\
            3 2 0:6 / /proc/sys rw - overlay o rw\n\
            4 2 0:7 / /proc/sys rw - tmpfs t rw\n";
        let of = |folder| file_system(mounts, Path::new(folder)).unwrap();
        assert_eq!([of("/"), of("/proc"), of("/proc/sys/kernel")], ["ext4", "proc", "tmpfs"]);
        // Not there yet, and a name that begins like another's.
        assert_eq!([of("/proc/sys/none/such"), of("/procession")], ["tmpfs", "ext4"]);
        assert!(!Machine::read().file_systems.is_empty() && Machine::read().kernel.contains(' '));
    }

    #[test]
    fn a_disk_counts_as_full_below_what_is_asked_for() {
        let folder = BTreeSet::from([std::env::temp_dir()]);
        assert!(disks_below(&folder, u64::MAX).contains(&std::env::temp_dir()));
        assert!(disks_below(&folder, 0).is_empty());
    }

    #[test]
    fn each_state_of_a_tree_has_a_name_of_its_own() {
        let tree = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(tree.path()).args(["-c", "user.name=x", "-c", "user.email=x@example.org"]);
            assert!(command.args(arguments).output().unwrap().status.success(), "git {arguments:?}");
        };
        let write = |name: &str, text: &str| fs::write(tree.path().join(name), text).unwrap();
        let below = tree.path().join("below");
        fs::create_dir(&below).unwrap();
        // Whatever folder of the tree it is asked in.
        let name = || {
            let name = commit_of(tree.path()).unwrap();
            assert_eq!(commit_of(&below).unwrap(), name);
            name
        };
        git(&["init", "--quiet"]);
        write("known", "one");
        git(&["add", "known"]);
        git(&["commit", "--quiet", "--no-gpg-sign", "-m", "x"]);
        let clean = name();
        assert!(is_clean(&clean) && !is_clean(UNKNOWN));
        let mut names = vec![clean.clone()];
        for (file, text) in [("known", "two"), ("known", "three"), ("fresh", "one"), ("fresh", "two")] {
            write(file, text);
            let name = name();
            assert!(name.starts_with(&format!("{clean}+")) && !is_clean(&name), "{name}");
            assert!(!names.contains(&name), "{file} {text} has the name of another state");
            names.push(name);
        }
        // What is about to be committed is no commit yet.
        git(&["add", "known"]);
        assert_eq!(name(), names[4]);
        fs::remove_file(tree.path().join("fresh")).unwrap();
        write("known", "one");
        assert_eq!(name(), clean);
    }
}
