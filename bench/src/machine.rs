//! The machine and the commit that a figure belongs to, and what a process has used of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// CPU features that the arithmetic of this project could use.
const FEATURES: [&str; 6] = ["adx", "bmi2", "avx2", "avx512f", "avx512ifma", "sha_ni"];

/// Where a figure was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) features: Vec<&'static str>,
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
        }
    }
}

/// The commit of the working tree, with `+` where the tree differs from it; "unknown" outside a repository.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let out = Command::new("git").args(arguments).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "--short=12", "HEAD"]), git(&["status", "--porcelain"])) {
        (Some(head), Some(changes)) if changes.is_empty() => head,
        (Some(head), _) => head + "+",
        _ => "unknown".to_owned(),
    }
}

/// Below so many bytes a disk is full for whatever runs here.
const FULL: u64 = 32 << 20;

/// Those of these folders, and of the user's cache, whose file system has no room left.
pub(crate) fn full_disks(folders: &[PathBuf]) -> Vec<PathBuf> {
    let full = |folder: &PathBuf| {
        rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL)
    };
    let cache = sigveil::service::circuits::cache_folder(None).ok();
    folders.iter().cloned().chain(cache).filter(full).collect()
}

/// The most memory that this process ever held, in bytes.
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
