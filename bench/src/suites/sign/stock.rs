//! Signings and verifications by the stock clients, against both sides.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use rand_core::{OsRng, RngCore as _};

use super::Turn;
use super::ours::Ours;
use crate::baseline::{Baseline, Client, Process, Signer, Stack, Stock, found, usage};
use crate::ledger::Figures;

/// sigstore-python and cosign, as far as they are there.
pub(super) struct Clients {
    clients: Vec<Client>,
    home: PathBuf,
    /// Signings of one block, whose figures are their means.
    signings: usize,
}

impl Clients {
    /// Where one lacks something, the other is measured.
    pub(super) fn new(
        stack: &Stack,
        home: &Path,
        signings: usize,
        left_out: &mut Vec<String>,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for stock in Stock::ALL {
            clients.extend(found(Client::new(stock, stack.programs(), home), left_out)?);
        }
        Ok(Self { clients, home: home.to_owned(), signings })
    }

    /// Each client on each side.
    pub(super) fn turns<'a>(&'a self, ours: &'a [Ours], baseline: Option<&'a Baseline>) -> Vec<Turn<'a>> {
        let mut turns = Vec::new();
        for client in &self.clients {
            if let Some(baseline) = baseline {
                turns.push(Turn {
                    name: format!("baseline/{}", client.stock.name()),
                    measure: Box::new(move |_| self.against_theirs(client, baseline)),
                });
            }
            turns.extend(ours.iter().map(|ours| Turn {
                name: ours.row(client.stock.name()),
                measure: Box::new(move |_| self.against_ours(client, ours)),
            }));
        }
        turns
    }

    fn against_theirs(&self, client: &Client, baseline: &Baseline) -> anyhow::Result<Figures> {
        self.some(&Against {
            client,
            trust: &baseline.trusted.folder,
            token: &|| baseline.token(),
            signer: &baseline.signer(),
            settle: &|_| Ok(0),
            roles: &[
                ("ca_cpu", &baseline.fulcio.processes),
                ("log_cpu", &baseline.rekor.processes),
                ("tsa_cpu", &baseline.tsa.processes),
            ],
        })
    }

    fn against_ours(&self, client: &Client, ours: &Ours) -> anyhow::Result<Figures> {
        self.some(&Against {
            client,
            trust: &ours.folder,
            token: &|| ours.token(),
            signer: ours.signer(),
            settle: &|bundle| ours.settle(bundle),
            roles: &[("server_cpu", ours.processes())],
        })
    }

    /// The means of a block's signings.
    fn some(&self, against: &Against<'_>) -> anyhow::Result<Figures> {
        let mut means = Figures::new();
        for _ in 0..self.signings {
            for (metric, value) in self.one(against)? {
                *means.entry(metric).or_default() += value / self.signings as f64;
            }
        }
        Ok(means)
    }

    /// One signature over a file of its own, and its verification by the same client. The token is made before the servers
    /// are read, since our issuer shares a process with what is read and theirs does not; they are read again before the
    /// verification, which asks none of them.
    fn one(&self, against: &Against<'_>) -> anyhow::Result<Figures> {
        let Against { client, trust, signer, .. } = *against;
        let (file, bundle) = (self.home.join("artifact"), self.home.join("bundle.json"));
        if bundle.exists() {
            std::fs::remove_file(&bundle).context("cannot remove the last bundle")?;
        }
        std::fs::write(&file, OsRng.next_u64().to_be_bytes())?;
        let token = (against.token)()?;
        let before = against.cpu()?;
        let signed = client.sign(trust, &token, &file, &bundle)?;
        let followed = (against.settle)(&bundle)?;
        let after = against.cpu()?;
        let verified = client.verify(trust, signer, &file, &bundle)?;
        let used: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
        let figures = [
            ("wall", signed.wall),
            ("client_cpu", signed.cpu),
            ("server_cpu", used.iter().sum()),
            ("bundle_bytes", std::fs::metadata(&bundle)?.len() as f64),
            ("body_bytes", (body_bytes(&bundle)? + followed) as f64),
            ("verify", verified.wall),
            ("verify_cpu", verified.cpu),
        ];
        let roles = against.roles.iter().map(|(metric, _)| *metric).zip(used);
        Ok(figures.into_iter().chain(roles).map(|(metric, value)| (metric.to_owned(), value)).collect())
    }
}

/// The length of the log entry's body in a bundle.
fn body_bytes(bundle: &Path) -> anyhow::Result<usize> {
    let bundle: serde_json::Value = serde_json::from_slice(&std::fs::read(bundle)?)?;
    let body = bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"].as_str();
    let body = body.context("a bundle has the entry's body")?;
    Ok(base64::engine::general_purpose::STANDARD.decode(body)?.len())
}

/// Whom a client signs against.
struct Against<'a> {
    client: &'a Client,
    trust: &'a Path,
    token: &'a dyn Fn() -> anyhow::Result<String>,
    signer: &'a Signer,
    /// Waits for what follows a signing, given its bundle, and says how much of it is logged.
    settle: &'a dyn Fn(&Path) -> anyhow::Result<usize>,
    /// The servers, and the metric of each one's CPU.
    roles: &'a [(&'static str, &'a [Process])],
}

impl Against<'_> {
    /// CPU seconds that each role has used.
    fn cpu(&self) -> anyhow::Result<Vec<f64>> {
        self.roles.iter().map(|(_, processes)| Ok(usage(processes)?.cpu)).collect()
    }
}
