//! The versions that `bench/baseline.toml` pins.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

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
        let others =
            [("sigstore-python", &*self.sigstore_python), ("postgresql", POSTGRES), ("versitygw", VERSITYGW)];
        programs.chain(others.map(|(name, version)| (name.to_owned(), version.to_owned()))).collect()
    }
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
        assert_eq!(versions.program("rekor2").unwrap().binary(), "posix");
        assert!(versions.program("rekor3").is_err());
    }
}
