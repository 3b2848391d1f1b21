//! The programs and clients of others, installed by their own package clients into the user's cache folder.
//!
//! A program lies under `bin/NAME-VERSION`, so another version never answers for the pinned one; a build that fails or
//! is killed leaves nothing there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};

use super::versions::{Program, Versions};

/// Something that this harness does not install itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Missing {
    /// No Go, or one that is too old.
    #[error(
        "Go {needed} or later is needed to build the real servers, and {found}: install it from https://go.dev/dl"
    )]
    Go {
        /// The pinned least version.
        needed: String,
        /// What there is.
        found: String,
    },
    /// A program of MariaDB.
    #[error(
        "{0} is missing: Trillian keeps its trees in MariaDB; install it (Debian: apt-get install mariadb-server)"
    )]
    MariaDb(&'static str),
    /// The other load generator.
    #[error("wrk is needed to check the harness against it (Debian: apt-get install wrk)")]
    Wrk,
    /// What builds or runs a program of somebody's.
    #[error("{tool} is needed to compare with {of}, and there is none")]
    Tool {
        /// Which.
        tool: &'static str,
        /// The rows that are therefore missing.
        of: &'static str,
    },
    /// A program that its package client does not install.
    #[error("{of} needs {tool} to install something, which failed: {said}")]
    Install {
        /// The package client.
        tool: &'static str,
        /// The rows that are therefore missing.
        of: &'static str,
        /// What it said.
        said: String,
    },
    /// Python with venv.
    #[error("python3 with venv is needed for sigstore-python (Debian: apt-get install python3-venv)")]
    Python,
}

/// How the folder of a build begins that is not finished.
const UNFINISHED: &str = ".building";

/// Where programs are, and which.
pub(crate) struct Programs {
    folder: PathBuf,
    pub(crate) versions: Versions,
}

impl Programs {
    /// Programs in this cache folder, which nobody else uses now: what a build that was killed has left there goes.
    pub(crate) fn new(folder: PathBuf) -> anyhow::Result<Self> {
        for entry in std::fs::read_dir(folder.join("bin")).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { folder, versions: Versions::pinned()? })
    }

    /// A program's file; built first if it is not there.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<PathBuf> {
        let program = self.versions.program(name)?;
        let folder = self.folder.join("bin").join(format!("{}-{}", program.name, program.version));
        let file = folder.join(program.binary());
        if !file.exists() {
            self.build(program, &folder).with_context(|| format!("cannot build {name}"))?;
        }
        Ok(file)
    }

    fn build(&self, program: &Program, folder: &Path) -> anyhow::Result<()> {
        check_go(&self.versions.go)?;
        let bin = folder.parent().context("a program's folder is below bin")?;
        std::fs::create_dir_all(bin)?;
        let fresh = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(bin)?;
        let module = format!("{}@{}", program.package, program.version);
        eprintln!("building {module}: once, some minutes of CPU for the large ones");
        output(Command::new("go").args(["install", &module]).env("GOBIN", fresh.path()).current_dir(bin))?;
        ensure!(fresh.path().join(program.binary()).exists(), "{module} left no {}", program.binary());
        // What an earlier version of this harness may have left half done.
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::rename(fresh.keep(), folder).context("cannot put the program in its place")
    }

    /// A file of a program's module: Trillian's schema lies in its source.
    pub(crate) fn module_file(&self, name: &str, module: &str, path: &str) -> anyhow::Result<PathBuf> {
        check_go(&self.versions.go)?;
        let module = format!("{module}@{}", self.versions.program(name)?.version);
        let said = output(Command::new("go").args(["mod", "download", "-json", &module]).current_dir("/"))?;
        let facts: serde_json::Value = serde_json::from_slice(&said.stdout)?;
        let folder = facts["Dir"].as_str().with_context(|| format!("{module} has no folder"))?;
        Ok(Path::new(folder).join(path))
    }

    /// The `sigstore` command of sigstore-python.
    pub(crate) fn sigstore_python(&self) -> anyhow::Result<PathBuf> {
        let version = &self.versions.sigstore_python;
        let folder = self.folder.join(format!("sigstore-python-{version}"));
        let (file, whole) = (folder.join("bin/sigstore"), folder.join("installed"));
        if !whole.exists() {
            eprintln!("installing sigstore-python {version}");
            std::fs::create_dir_all(&folder)?;
            let venv = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).output();
            ensure!(venv.is_ok_and(|venv| venv.status.success()), Missing::Python);
            let package = format!("sigstore=={version}");
            output(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &package]))?;
            std::fs::write(&whole, version)?;
        }
        Ok(file)
    }
}

/// A program of MariaDB: servers are often outside an ordinary user's path.
pub(crate) fn mariadb(name: &'static str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from);
    let found =
        std::env::split_paths(&path).chain(extra).map(|folder| folder.join(name)).find(|f| f.exists());
    found.ok_or(Missing::MariaDb(name)).map_err(Into::into)
}

fn check_go(needed: &str) -> Result<(), Missing> {
    let missing = |found: String| Missing::Go { needed: needed.to_owned(), found };
    let said = Command::new("go").args(["env", "GOVERSION"]).output();
    let said = said.map_err(|_| missing("there is no go".to_owned()))?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    if parts(version.trim_start_matches("go")) >= parts(needed) {
        Ok(())
    } else {
        Err(missing(format!("this is {version}")))
    }
}

/// The first two numbers of a version; what is no number counts as nothing.
fn parts(version: &str) -> (u32, u32) {
    let number = |text: Option<&str>| {
        let digits: String = text.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let mut split = version.split('.');
    (number(split.next()), number(split.next()))
}

/// Runs to the end; a failure says what the program said.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(12).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        anyhow::bail!("{name} failed ({}):\n{}", output.status, last.join("\n"));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn versions_compare_by_number() {
        assert!(parts("1.26.8") >= parts("1.26"));
        assert!(parts("1.9") < parts("1.26"));
        assert!(parts("2.0rc1") > parts("1.26"));
        assert!(parts("devel") < parts("1.26"));
    }
}
