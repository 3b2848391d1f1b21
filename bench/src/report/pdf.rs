//! The page as PDF, by a Chromium that is installed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// What the program is called where it is.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Prints a page to a file; false where there is no Chromium.
pub(crate) fn print(page: &Path, to: &Path) -> anyhow::Result<bool> {
    let found = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let Some(name) = NAMES.into_iter().find(found) else { return Ok(false) };
    let home = tempfile::tempdir()?;
    let page = page.canonicalize()?;
    let fresh = home.path().join("report.pdf");
    let mut command = Command::new(name);
    // The page has no script and loads nothing; who is root in a container has no other sandbox.
    command.args(["--headless", "--disable-gpu", "--no-sandbox", "--no-pdf-header-footer"]);
    command.arg(format!("--user-data-dir={}", home.path().join("profile").display()));
    command.arg(format!("--print-to-pdf={}", fresh.display())).arg(format!("file://{}", page.display()));
    let said = command.output().with_context(|| format!("cannot run {name}"))?;
    ensure!(
        said.status.success() && fresh.exists(),
        "{name} printed nothing: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    let bytes = std::fs::read(&fresh)?;
    sigveil::files::write(to, &bytes).map_err(crate::said)?;
    Ok(true)
}
