//! The calls of one signing by our own client, against the real servers and the schemes without proofs: the same four, with
//! nothing of what only certificates with proofs have.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::{OsRng, RngCore as _};
use sha2::{Digest as _, Sha256};
use sigveil::files;
use sigveil::service::client::{Client, Wish};
use sigveil::stock::{self, Bundle, Parts, Services, StockError, TrustedRoot};

use super::Turn;
use super::ours::Ours;
use crate::baseline::{Baseline, EMAIL, Signer};
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
        turns.push(Turn { name: "baseline/sigveil".to_owned(), measure: Box::new(sign) });
    }
    for ours in ours.iter().filter(|ours| !ours.scheme.proves()) {
        let sign = move || {
            let (services, folder, signer) = (&ours.services, &*ours.folder, ours.signer());
            let (token, cpu) = (|| ours.token(), || Ok(ours.usage()?.cpu));
            Against { services, folder, signer, token: &token, cpu: &cpu }.sign(client)
        };
        sign().with_context(|| ours.row("sigveil"))?;
        turns.push(Turn { name: ours.row("sigveil"), measure: Box::new(sign) });
    }
    Ok(turns)
}

impl Against<'_> {
    fn sign(&self, client: &Client) -> anyhow::Result<Figures> {
        let token = (self.token)()?;
        let mut digest = [0; 32];
        OsRng.fill_bytes(&mut digest);
        let (server, own, start) = ((self.cpu)()?, machine::cpu_seconds(), Instant::now());
        let key = SigningKey::random(&mut OsRng);
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF)?;
        let possession: DerSignature = key.sign(EMAIL.as_bytes());
        let begun = start.elapsed();
        let chain =
            client.certificate(&self.services.ca, &token, &pem, possession.as_bytes(), &Wish::default());
        let certificate =
            chain.map_err(said)?.into_iter().next().context("an authority answers with a chain")?;
        let issued = start.elapsed();
        let signature: DerSignature = key.sign_prehash(&digest)?;
        let signature = signature.as_bytes().to_vec();
        let imprint = Sha256::digest(&signature).into();
        let timestamp = client.timestamp(&self.services.tsa, imprint, OsRng.next_u64()).map_err(said)?;
        let stamped = start.elapsed();
        let log_entry =
            client.submit(&self.services.rekor, digest, &signature, &certificate).map_err(said)?;
        let logged = start.elapsed();
        let parts = Parts { certificate, log_entry, timestamp, digest, signature };
        let (built, bundle) = Bundle::build(&parts)?;
        let wall = start.elapsed();
        let (own, server) = (machine::cpu_seconds() - own, (self.cpu)()? - server);
        self.verify(digest, &built)?;
        let figures = [
            ("wall", wall.as_secs_f64()),
            ("issue", (issued - begun).as_secs_f64()),
            ("timestamp", (stamped - issued).as_secs_f64()),
            ("log", (logged - stamped).as_secs_f64()),
            ("client_cpu", own),
            ("server_cpu", server),
            ("bundle_bytes", bundle.len() as f64),
        ];
        Ok(figures.map(|(metric, value)| (metric.to_owned(), value)).into())
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
