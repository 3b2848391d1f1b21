//! The stock clients, unmodified: one signature or verification by each is one run of its program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::ensure;

use super::install::{Programs, output};
use super::process::children_cpu;
use crate::machine::Spent;

/// A stock client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stock {
    /// sigstore-python.
    Python,
    /// cosign.
    Cosign,
}

/// A stock client, installed.
pub(crate) struct Client {
    pub(crate) stock: Stock,
    program: PathBuf,
    /// Its home folder, so that no user's settings or caches matter.
    home: PathBuf,
}

/// Whose signature a verification expects.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    /// The certificate's subject alternative name.
    pub(crate) identity: String,
    /// The issuer in the certificate.
    pub(crate) issuer: String,
}

impl Stock {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Python, Self::Cosign];

    /// Its name in rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Cosign => "cosign",
        }
    }
}

impl Client {
    /// Installs it where it is missing.
    pub(crate) fn new(stock: Stock, programs: &Programs, home: &Path) -> anyhow::Result<Self> {
        let program = match stock {
            Stock::Python => programs.sigstore_python()?,
            Stock::Cosign => programs.get("cosign")?,
        };
        Ok(Self { stock, program, home: home.to_owned() })
    }

    /// Signs a file; says what that took of wall clock and of the client's CPU.
    pub(crate) fn sign(
        &self,
        trust: &Path,
        token: &str,
        file: &Path,
        bundle: &Path,
    ) -> anyhow::Result<Spent> {
        let mut command = self.command();
        match self.stock {
            Stock::Python => {
                command.arg("--trust-config").arg(trust.join("trust_config.json"));
                command.args(["sign", "--overwrite", "--identity-token", token]);
            }
            Stock::Cosign => {
                command.args(["sign-blob", "-y", "--identity-token", token]);
                command.arg("--signing-config").arg(trust.join("signing_config.json"));
                command.arg("--trusted-root").arg(trust.join("trusted_root.json"));
            }
        }
        let spent = run(command.arg("--bundle").arg(bundle).arg(file))?;
        ensure!(bundle.exists(), "{} left no bundle", self.stock.name());
        Ok(spent)
    }

    /// Verifies a file against a bundle; says what that took.
    pub(crate) fn verify(
        &self,
        trust: &Path,
        signer: &Signer,
        file: &Path,
        bundle: &Path,
    ) -> anyhow::Result<Spent> {
        let mut command = self.command();
        match self.stock {
            Stock::Python => {
                command.arg("--trust-config").arg(trust.join("trust_config.json"));
                command.args(["verify", "identity", "--cert-identity", &signer.identity]);
                command.args(["--cert-oidc-issuer", &signer.issuer]);
            }
            Stock::Cosign => {
                command.args([
                    "verify-blob",
                    "--use-signed-timestamps",
                    "--certificate-identity",
                    &signer.identity,
                ]);
                command.args(["--certificate-oidc-issuer", &signer.issuer]);
                command.arg("--trusted-root").arg(trust.join("trusted_root.json"));
            }
        }
        run(command.arg("--bundle").arg(bundle).arg(file))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.home).env_remove("XDG_CACHE_HOME").env_remove("XDG_DATA_HOME");
        command.env("TUF_ROOT", self.home.join("tuf")).current_dir(&self.home);
        command
    }
}

/// Runs alone: the CPU time of children is counted for this process as a whole.
fn run(command: &mut Command) -> anyhow::Result<Spent> {
    let (cpu, begun) = (children_cpu(), Instant::now());
    output(command)?;
    Ok(Spent { wall: begun.elapsed().as_secs_f64(), cpu: children_cpu() - cpu })
}
