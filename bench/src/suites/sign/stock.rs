//! Signings and verifications by the stock clients, against both sides.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand_core::{OsRng, RngCore as _};

use super::Turn;
use super::ours::Ours;
use crate::baseline::{Baseline, Clients, Process, Signer, Stack, Stock, Usage};
use crate::ledger::Figures;

/// sigstore-python and cosign.
pub(super) struct Both {
    clients: Clients,
    home: PathBuf,
    /// Signings of one block, whose figures are their means: /proc counts CPU by 10 ms.
    signings: usize,
}

impl Both {
    pub(super) fn new(stack: &Stack, home: &Path, signings: usize) -> anyhow::Result<Self> {
        Ok(Self { clients: Clients::new(stack.programs(), home)?, home: home.to_owned(), signings })
    }

    /// Each client on each side.
    pub(super) fn turns<'a>(&'a self, ours: &'a [Ours], baseline: Option<&'a Baseline>) -> Vec<Turn<'a>> {
        let mut turns = Vec::new();
        for client in Stock::ALL {
            if let Some(baseline) = baseline {
                turns.push(Turn {
                    name: format!("baseline/{}", client.name()),
                    measure: Box::new(move || self.against_theirs(client, baseline)),
                });
            }
            turns.extend(ours.iter().map(|ours| Turn {
                name: ours.row(client.name()),
                measure: Box::new(move || self.against_ours(client, ours)),
            }));
        }
        turns
    }

    fn against_theirs(&self, client: Stock, baseline: &Baseline) -> anyhow::Result<Figures> {
        let roles = [
            ("ca_cpu", &baseline.fulcio),
            ("log_cpu", &baseline.rekor.processes),
            ("tsa_cpu", &baseline.tsa.processes),
        ];
        let read =
            || roles.iter().map(|(_, processes)| used(processes)).collect::<anyhow::Result<Vec<Usage>>>();
        let before = read()?;
        let (token, trust) = (|| baseline.token(), &baseline.trusted.folder);
        let mut figures = self.some(client, trust, &token, &baseline.signer(), &|_| Ok(()))?;
        let after = read()?;
        let mut sum = 0.0;
        for (((metric, _), before), after) in roles.iter().zip(before).zip(after) {
            let cpu = (after - before).cpu / self.signings as f64;
            sum += cpu;
            figures.insert((*metric).to_owned(), cpu);
        }
        figures.insert("server_cpu".to_owned(), sum);
        Ok(figures)
    }

    fn against_ours(&self, client: Stock, ours: &Ours) -> anyhow::Result<Figures> {
        let before = ours.usage()?;
        let settle = |bundle: &Path| ours.settle(bundle);
        let mut figures = self.some(client, &ours.folder, &|| ours.token(), ours.signer(), &settle)?;
        figures.insert("server_cpu".to_owned(), (ours.usage()? - before).cpu / self.signings as f64);
        Ok(figures)
    }

    /// The means of a block's signings.
    fn some(
        &self,
        client: Stock,
        trust: &Path,
        token: &dyn Fn() -> anyhow::Result<String>,
        signer: &Signer,
        settle: &dyn Fn(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Figures> {
        let mut means = Figures::new();
        for _ in 0..self.signings {
            for (metric, value) in self.one(client, trust, &token()?, signer, settle)? {
                *means.entry(metric).or_default() += value / self.signings as f64;
            }
        }
        Ok(means)
    }

    /// One signature over a file of its own, and its verification by the same client.
    fn one(
        &self,
        client: Stock,
        trust: &Path,
        token: &str,
        signer: &Signer,
        settle: &dyn Fn(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Figures> {
        let (file, bundle) = (self.home.join("artifact"), self.home.join("bundle.json"));
        if bundle.exists() {
            std::fs::remove_file(&bundle).context("cannot remove the last bundle")?;
        }
        std::fs::write(&file, OsRng.next_u64().to_be_bytes())?;
        let signed = self.clients.sign(client, trust, token, &file, &bundle)?;
        settle(&bundle)?;
        let verified = self.clients.verify(client, trust, signer, &file, &bundle)?;
        let figures = [
            ("wall", signed.wall),
            ("client_cpu", signed.cpu),
            ("bundle_bytes", std::fs::metadata(&bundle)?.len() as f64),
            ("verify", verified.wall),
            ("verify_cpu", verified.cpu),
        ];
        Ok(figures.map(|(metric, value)| (metric.to_owned(), value)).into())
    }
}

fn used(processes: &[Process]) -> anyhow::Result<Usage> {
    processes.iter().map(Process::usage).sum()
}
