//! The versions that `bench/baseline.toml` pins.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use super::install::mariadb;
use super::stores::{POSTGRES, VERSITYGW};

const FILE: &str = include_str!("../../baseline.toml");

/// The pinned versions, all of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Versions {
    /// The least Go that builds the programs, as `1.26`.
    pub(crate) go: String,
    /// sigstore-python's version on PyPI.
    pub(crate) sigstore_python: String,
    program: Vec<Program>,
}

/// A program that `go install` builds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    /// What this harness calls it.
    pub(crate) name: String,
    /// Its main package.
    pub(crate) package: String,
    /// The version of the module that holds the package.
    pub(crate) version: String,
}

impl Versions {
    /// What the file says.
    pub(crate) fn pinned() -> anyhow::Result<Self> {
        toml::from_str(FILE).context("bench/baseline.toml is malformed")
    }

    /// One program.
    pub(crate) fn program(&self, name: &str) -> anyhow::Result<&Program> {
        let found = self.program.iter().find(|program| program.name == name);
        found.with_context(|| format!("bench/baseline.toml names no {name}"))
    }

    /// Every name with its version, as reports print them.
    pub(crate) fn table(&self) -> BTreeMap<String, String> {
        let programs = self.program.iter().map(|program| (program.name.clone(), program.version.clone()));
        let (_, versitygw) = VERSITYGW.split_once('@').unwrap_or_default();
        let others =
            [("sigstore-python", &*self.sigstore_python), ("postgresql", POSTGRES), ("versitygw", versitygw)];
        let pinned = programs.chain(others.map(|(name, version)| (name.to_owned(), version.to_owned())));
        pinned
            .chain(INSTALLED.iter().filter_map(|program| Some((program[0].to_owned(), said(program)?))))
            .collect()
    }
}

/// What the machine has and takes part, by the command that says its version.
const INSTALLED: [&[&str]; 3] =
    [&["go", "env", "GOVERSION"], &["mariadbd", "--version"], &["wrk", "--version"]];

/// The first word with a number in it of what a program says of itself; nothing where it is not installed.
fn said(command: &[&'static str]) -> Option<String> {
    // Servers may be where only the system's administrator looks.
    let program = mariadb(command[0]).unwrap_or_else(|_| command[0].into());
    let said = Command::new(program).args(&command[1..]).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let first = said.split_whitespace().find(|word| word.contains(|letter: char| letter.is_ascii_digit()))?;
    Some(first.to_owned())
}

impl Program {
    /// The name that `go install` gives the binary: the last element of the package that is no version.
    pub(crate) fn binary(&self) -> &str {
        self.package.rsplit('/').next().unwrap_or(&self.package)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn the_file_pins_every_program_that_is_started() {
        let versions = Versions::pinned().unwrap();
        for name in super::super::PROGRAMS {
            let program = versions.program(name).unwrap();
            assert!(program.version.starts_with('v'), "{name} has no version");
        }
        assert_eq!(said(&["sh", "-c", "echo a tool, version v1.2-3 of x"]).as_deref(), Some("v1.2-3"));
        assert_eq!(said(&["no-such-program"]), None);
        assert!(versions.table()["versitygw"].starts_with('v'));
        assert_eq!(versions.program("rekor2").unwrap().binary(), "posix");
        assert!(versions.program("rekor3").is_err());
    }
}
