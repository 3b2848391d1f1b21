//! Provers of others, each a program of its own under `against/`, built on first use by its own package client.
//!
//! A rival prints one JSON line of facts when it is ready; then it proves once for each line that it reads, and prints
//! what that took. So both sides of a comparison stand ready and take turns. It ends with its input, whatever it is doing
//! then: no rival outlives a harness that was killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::baseline::Missing;
use crate::machine::Spent;
use crate::row::{Row, Unit};

/// What a rival says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Facts {
    /// Rows of its constraint system, if it has one.
    pub(crate) constraints: Option<u64>,
    /// What its values are, if it chose them.
    pub(crate) shares: Option<Shares>,
    /// What making its keys took, if they are made at every start.
    pub(crate) setup: Option<Spent>,
    /// Seconds to verify one proof, again and again after a first time.
    pub(crate) verify: Vec<f64>,
    /// Length of a proof as it encodes it.
    pub(crate) proof_bytes: u64,
}

/// What the values of a statement are, in shares of all: bits, others below 2³², and the rest.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Shares {
    pub(crate) bits: f64,
    pub(crate) small: f64,
    pub(crate) wide: f64,
}

/// The versions at which they are built, by the files that their package clients read.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let gnark = include_str!("../against/gnark/go.mod").lines();
    let gnark = gnark.filter_map(|line| line.trim().strip_prefix("github.com/consensys/gnark ")).next();
    let vega = include_str!("../against/vega/Cargo.toml").lines();
    let vega = vega.filter_map(|line| line.strip_prefix("vega-prover = \"=")?.strip_suffix('"')).next();
    let npm: serde_json::Value =
        serde_json::from_str(include_str!("../against/snarkjs/package.json")).unwrap_or_default();
    let npm = ["snarkjs", "@zk-email/circuits"].map(|name| (name, npm["dependencies"][name].as_str()));
    let all = [("gnark", gnark), ("vega-prover", vega)].into_iter().chain(npm);
    all.filter_map(|(name, version)| Some((name.to_owned(), version?.to_owned()))).collect()
}

impl Shares {
    /// Their rows.
    pub(crate) fn rows(&self, name: &str) -> Vec<Row> {
        let all = [("share_bits", self.bits), ("share_small", self.small), ("share_wide", self.wide)];
        all.into_iter().map(|(metric, share)| Row::exact(name, metric, Unit::One, share)).collect()
    }
}

/// Who there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// gnark's Groth16 over a circuit of equal size, with as many bits and small values as ours.
    Gnark,
    /// Vega's prover over SHA-256 of 1,024 bytes: no RSA, no JSON, and no trusted setup.
    Vega,
    /// snarkjs over zk-email's published circuits for SHA-256 of 1,024 bytes and RSA-2048.
    Snarkjs,
}

impl Name {
    const ALL: [(&str, Self); 3] = [("gnark", Self::Gnark), ("vega", Self::Vega), ("snarkjs", Self::Snarkjs)];

    /// The rival of a name.
    pub(crate) fn parse(name: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, name)| *name).with_context(|| format!("there is nobody called {name} to compare with"))
    }

    /// What it proves, as a row's name.
    pub(crate) fn row(self) -> &'static str {
        match self {
            Self::Gnark => "gnark_1024",
            Self::Vega => "sha_1024.vega",
            Self::Snarkjs => "zkemail_1024.snarkjs",
        }
    }

    /// Most proofs that a comparison waits for.
    pub(crate) fn patience(self) -> usize {
        match self {
            Self::Gnark | Self::Vega => usize::MAX,
            // A minute and a half of CPU each.
            Self::Snarkjs => 3,
        }
    }

    /// Whether what it measures of a proof has the computing of all values in it, which its interface does not part.
    pub(crate) fn solves(self) -> bool {
        match self {
            Self::Gnark | Self::Vega => true,
            Self::Snarkjs => false,
        }
    }

    /// Refuses where what builds and runs it is not installed.
    pub(crate) fn ensure_tools(self) -> anyhow::Result<()> {
        let tools: &[&'static str] = match self {
            Self::Gnark => &["go"],
            Self::Vega => &["cargo"],
            Self::Snarkjs => &["node", "npm"],
        };
        let absent = |tool: &&&str| Command::new(tool).arg("version").output().is_err();
        match tools.iter().find(absent) {
            Some(tool) => Err(Missing::Tool { tool, of: self.row() }.into()),
            None => Ok(()),
        }
    }

    /// Readies it; where its statement is of a chosen size and kind, for as many rows and values like these.
    pub(crate) fn start(self, constraints: usize, shares: &Shares) -> anyhow::Result<Rival> {
        match self {
            Self::Gnark => Rival::gnark(constraints, shares),
            Self::Vega => Rival::vega(1024),
            Self::Snarkjs => Rival::snarkjs(),
        }
        .with_context(|| format!("{} is not to be had", self.row()))
    }
}

/// A rival that is ready to prove.
pub(crate) struct Rival {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) facts: Facts,
}

impl Rival {
    fn gnark(constraints: usize, shares: &Shares) -> anyhow::Result<Self> {
        let program = built("gnark")?.join("gnark");
        run(Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source("gnark")))?;
        Self::start(Command::new(program).args([
            constraints.to_string(),
            shares.small.to_string(),
            shares.wide.to_string(),
        ]))
    }

    fn vega(bytes: usize) -> anyhow::Result<Self> {
        let target = built("vega")?;
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--quiet"]).current_dir(source("vega"));
        run(cargo.env("CARGO_TARGET_DIR", &target))?;
        Self::start(Command::new(target.join("release/vega-rival")).arg(bytes.to_string()))
    }

    fn snarkjs() -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for name in ["package.json", "package-lock.json", "signed.circom", "rival.mjs"] {
            let from = source("snarkjs").join(name);
            files.push((
                name,
                std::fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?,
            ));
        }
        // Circuit and key are of these files and of that phase 1: of others they are made anew, in a folder of their own.
        let parts = files.iter().map(|(_, bytes)| bytes.as_slice());
        let folder = built(&format!("snarkjs-{}", digest(parts.chain([crate::phase1::SOURCE.as_bytes()]))))?;
        for (name, bytes) in &files {
            sigveil::files::write(&folder.join(name), bytes).map_err(crate::said)?;
        }
        run(Command::new("npm").args(["ci", "--silent", "--ignore-scripts"]).current_dir(&folder))?;
        let phase1 = folder.join("phase1.ptau");
        if !phase1.exists() {
            crate::phase1::write(&phase1)?;
        }
        Self::start(Command::new("node").arg("rival.mjs").current_dir(&folder))
    }

    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let input = child.stdin.take().context("the child's input is piped")?;
        let output = child.stdout.take().context("the child's output is piped")?;
        let mut output = BufReader::new(output).lines();
        let facts = answer(&mut output).with_context(|| format!("{name} did not come up"))?;
        Ok(Self { child, input, output, facts })
    }

    /// Has it prove once.
    pub(crate) fn prove(&mut self) -> anyhow::Result<Spent> {
        self.input.write_all(b"\n")?;
        self.input.flush()?;
        answer(&mut self.output)
    }
}

impl Facts {
    /// Its rows.
    pub(crate) fn rows(&self, name: &str) -> Vec<Row> {
        let mut rows = vec![
            Row::over(name, "verify", Unit::Seconds, &self.verify),
            Row::exact(name, "proof_bytes", Unit::Bytes, self.proof_bytes as f64),
        ];
        rows.extend(self.shares.iter().flat_map(|shares| shares.rows(name)));
        rows.extend(self.constraints.map(|rows| Row::exact(name, "constraints", Unit::One, rows as f64)));
        rows.extend(self.setup.map(|setup| Row::exact(name, "setup_wall", Unit::Seconds, setup.wall)));
        rows
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have gone by itself; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer<T: for<'de> Deserialize<'de>>(output: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<T> {
    let line = output.next().context("it ended without an answer")??;
    serde_json::from_str(&line).with_context(|| format!("it answered {line:?}"))
}

/// Where the source of a rival lies.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("against").join(name)
}

/// Where what is built of it is kept: in the user's cache, since snarkjs' key takes a quarter of an hour to make.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let of_user = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(of_user);
    let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set")?;
    let folder = cache.join("sigveil-bench").join("against").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The first digits of a digest over all parts.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())[..12].to_owned()
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status =
        command.stdout(Stdio::null()).status().with_context(|| format!("{name} is not installed"))?;
    anyhow::ensure!(status.success(), "{name} failed: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rival_has_a_version() {
        let all = versions();
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["@zk-email/circuits", "gnark", "snarkjs", "vega-prover"]);
        assert!(all.values().all(|version| version.contains('.')), "{all:?}");
    }
}
