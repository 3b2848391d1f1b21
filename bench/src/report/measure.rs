//! A report from nothing: every suite in a process of its own, one after the other, then the page over what they left.
//!
//! A suite's outcome is a file that is whole or not there, and suites log and sign keep their blocks as they are finished:
//! called again after a kill, it goes on where it stopped. Outcomes of another commit lie in another folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::machine;

/// A suite, with whom it is compared in a quick run and in a full one.
struct Planned {
    suite: &'static str,
    quick: &'static str,
    full: &'static str,
    /// Whether it can go on after a kill.
    resumes: bool,
}

const PLAN: [Planned; 6] = [
    Planned { suite: "identity", quick: "", full: "", resumes: false },
    Planned { suite: "search", quick: "", full: "", resumes: false },
    Planned { suite: "prover", quick: "", full: "gnark,vega", resumes: false },
    Planned { suite: "sign", quick: "fulcio", full: "fulcio", resumes: true },
    Planned { suite: "log", quick: "rekor2,rekor1", full: "rekor2,rekor1", resumes: true },
    Planned { suite: "growth", quick: "rekor2,fulcio", full: "rekor2,rekor1,fulcio", resumes: true },
];

/// Where outcomes of this commit and thoroughness lie.
pub(super) fn folder(quick: bool) -> PathBuf {
    let kind = if quick { "quick" } else { "full" };
    Path::new("target").join("report").join(format!("{kind}-{}", machine::commit()))
}

/// Runs the suites whose outcomes are not there yet. Fails at the first that does.
pub(super) fn all(folder: &Path, quick: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let begun = Instant::now();
    for planned in &PLAN {
        let outcome = folder.join(planned.suite).with_extension("json");
        if outcome.exists() {
            eprintln!("suite {} is there already", planned.suite);
            continue;
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(planned.suite).arg(format!("--json={}", outcome.display()));
        let against = if quick { planned.quick } else { planned.full };
        if !against.is_empty() {
            command.arg(format!("--against={against}"));
        }
        if quick {
            command.arg("--quick");
        }
        if planned.resumes {
            command.arg("--record").arg(folder.join(planned.suite).with_extension("blocks"));
        }
        let status = command.stdout(std::process::Stdio::null()).status()?;
        ensure!(
            status.success(),
            "suite {} failed ({status}); what was finished is in {} and is used when this is called again",
            planned.suite,
            folder.display()
        );
        eprintln!("suite {} done, {:.0} s in", planned.suite, begun.elapsed().as_secs_f64());
    }
    Ok(())
}
