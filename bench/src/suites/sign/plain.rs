//! A signing by our own client, against the real servers and the schemes without proofs: the same calls, with nothing of
//! what only certificates with proofs have.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use p256::ecdsa::SigningKey;
use rand_core::OsRng;
use sigveil::files;
use sigveil::service::client::{Client, Wish};
use sigveil::service::sign::{Login, sign_with};
use sigveil::stock::{self, Bundle, Services, StockError, TrustedRoot};

use super::Turn;
use super::ours::{Ours, digest, lengths};
use crate::baseline::{Baseline, Signer};
use crate::ledger::Figures;
use crate::machine;
use crate::said;

/// Whom the client signs against.
struct Against<'a> {
    services: &'a Services,
    /// The folder of the trust root, and whom its certificates name: a signature that nobody accepts has no figures.
    folder: &'a Path,
    signer: &'a Signer,
    token: &'a dyn Fn() -> anyhow::Result<String>,
    /// CPU seconds that its servers have used.
    cpu: &'a dyn Fn() -> anyhow::Result<f64>,
}

/// A turn on each side whose certificates have no proofs. Each was signed against once before, as the others' clients were.
pub(super) fn turns<'a>(
    client: &'a Client,
    ours: &'a [Ours],
    baseline: Option<&'a Baseline>,
) -> anyhow::Result<Vec<Turn<'a>>> {
    let mut turns = Vec::new();
    if let Some(baseline) = baseline {
        let signer = baseline.signer();
        let sign = move || {
            let cpu = || {
                let servers = [&baseline.fulcio, &baseline.rekor, &baseline.tsa];
                servers.iter().try_fold(0.0, |sum, server| anyhow::Ok(sum + server.usage()?.cpu))
            };
            let (services, folder) = (&baseline.trusted.services, &*baseline.trusted.folder);
            let token = || baseline.token();
            Against { services, folder, signer: &signer, token: &token, cpu: &cpu }.sign(client)
        };
        sign().context("our client, against the real servers")?;
        turns.push(Turn { name: "baseline/sigveil".to_owned(), measure: Box::new(move |_| sign()) });
    }
    for ours in ours.iter().filter(|ours| !ours.scheme.proves()) {
        let sign = move || {
            let (services, folder, signer) = (&ours.services, &*ours.folder, ours.signer());
            let (token, cpu) = (|| ours.token(), || Ok(ours.usage()?.cpu));
            Against { services, folder, signer, token: &token, cpu: &cpu }.sign(client)
        };
        sign().with_context(|| ours.row("sigveil"))?;
        turns.push(Turn { name: ours.row("sigveil"), measure: Box::new(move |_| sign()) });
    }
    Ok(turns)
}

impl Against<'_> {
    fn sign(&self, client: &Client) -> anyhow::Result<Figures> {
        let token = (self.token)()?;
        let (digest, mut begun) = (digest(), Vec::new());
        let (server, own, start) = ((self.cpu)()?, machine::cpu_seconds(), Instant::now());
        let key = SigningKey::random(&mut OsRng);
        let login = Login { token: &token, wish: Wish::default() };
        let mut step = |step| begun.push((step, start.elapsed()));
        let signed = sign_with(client, self.services, &key, &login, digest, |_| Ok(()), &mut step);
        let ((), bundle, json) = signed.map_err(said)?;
        let wall = start.elapsed();
        let (own, server) = (machine::cpu_seconds() - own, (self.cpu)()? - server);
        begun.push(("end", wall));
        self.verify(digest, &bundle)?;
        let mut figures: Figures = [
            ("wall", wall.as_secs_f64()),
            ("client_cpu", own),
            ("server_cpu", server),
            ("bundle_bytes", json.len() as f64),
        ]
        .map(|(metric, value)| (metric.to_owned(), value))
        .into();
        figures.extend(lengths(&begun)?);
        Ok(figures)
    }

    /// By the checks that stock clients make. An address is a name that our library does not read: it says so last, when all
    /// else has held.
    fn verify(&self, artifact: [u8; 32], bundle: &Bundle) -> anyhow::Result<()> {
        let text =
            files::read_text(&self.folder.join("trusted_root.json"), files::JSON_LIMIT).map_err(said)?;
        let root = TrustedRoot::from_json(&text)?;
        let expected = &self.signer.identity;
        match stock::verify(artifact, bundle, &root) {
            Ok(evidence) => ensure!(evidence.san == *expected, "it names {}", evidence.san),
            Err(StockError::Subject) if expected.contains('@') => {}
            Err(error) => return Err(error).context("its signature was refused"),
        }
        Ok(())
    }
}
