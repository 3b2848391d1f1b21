//! `serve`: every role of one config, until interrupted.

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::circuits::{self, cache_folder};
use super::config::Config;
use super::instance::Instance;
use super::runtime::runtime;
use crate::cli::output::Progress;
use crate::failure::Failure;
use crate::files;
use crate::stock::TrustedRoot;
use crate::trust::{Scheme, Trust};
use sigveil_zk_ca::service::local_prover::LocalProver;

/// Runs the roles of a config file until the process is interrupted.
///
/// # Errors
/// When the config is not accepted or a role does not start.
pub fn serve(
    path: &Path,
    cache: Option<&Path>,
    insecure_dev_keys: bool,
    progress: &Progress,
) -> Result<(), Failure> {
    let config = Config::read(path)?;
    // The folder is tried before the minutes that keys may take.
    files::make_folder(&config.store)?;
    let circuits = prover(&config, cache, insecure_dev_keys, progress)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let mut instance = Instance::open(config, circuits)?;
    instance.publish(&instance.publish_folder())?;
    instance.serve()?;
    let services = instance.services();
    progress.line(&format!("certificate authority  {}", services.ca));
    progress.line(&format!("timestamp authority    {}", services.tsa));
    progress.line(&format!("signature log          {}", services.rekor));
    progress.line(&format!("index                  {}", instance.index_url()));
    if let Some(issuer) = &instance.issuer {
        progress.line(&format!("embedded issuer        {} (development only)", issuer.url()));
    }
    let (index, url) = (instance.index_url(), &services.rekor);
    tracing::info!(ca = %services.ca, tsa = %services.tsa, rekor = %url, index = %index, "serving");
    let interrupted = runtime.block_on(interrupted());
    runtime.block_on(instance.stop());
    interrupted
}

/// The keys that an instance of this config may prove with, none where its scheme proves nothing: see
/// [`circuits::for_service`]. Its trust root is the one
/// that it has published, if any.
///
/// # Errors
/// As there, and when what is published cannot be read.
pub fn prover(
    config: &Config,
    cache: Option<&Path>,
    insecure_dev_keys: bool,
    progress: &Progress,
) -> Result<LocalProver, Failure> {
    if matches!(config.scheme, Scheme::Clear | Scheme::Hashed) {
        return Ok(LocalProver::none());
    }
    let [stock, section] =
        ["trusted_root.json", "trusted_root.sigveil.json"].map(|name| config.publish.join(name));
    let trust = match section.exists() {
        true => {
            let stock = TrustedRoot::from_json(&files::read_text(&stock, files::JSON_LIMIT)?)?;
            Some(Trust::read(stock, &section)?)
        }
        false => None,
    };
    let trust = trust.as_ref().map(|trust| &trust.proofs);
    circuits::for_service(&cache_folder(cache)?, &config.classes()?, insecure_dev_keys, trust, progress)
}

/// Waits until the process is asked to stop.
///
/// # Errors
/// When the system gives no signals.
pub async fn interrupted() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new("runtime-unavailable", error.to_string());
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map_err(failed),
        _ = terminated.recv() => Ok(()),
    }
}
