//! `serve`: every role of one config, until interrupted.

use std::path::Path;

use super::circuits::{self, cache_folder};
use super::config::Config;
use super::instance::Instance;
use super::runtime::runtime;
use crate::cli::output::Progress;
use crate::failure::Failure;

/// Runs the roles of a config file until the process is interrupted.
///
/// # Errors
/// When the config is not accepted or a role does not start.
pub fn serve(path: &Path, cache: Option<&Path>, progress: &Progress) -> Result<(), Failure> {
    let config = Config::read(path)?;
    // The folder is tried before the minutes that keys may take.
    crate::files::make_folder(&config.store)?;
    let circuits = circuits::load_or_create(&cache_folder(cache)?, &config.classes()?, progress)?;
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
    runtime.block_on(interrupted())
}

/// Waits until the process is asked to stop.
///
/// # Errors
/// When the system gives no signals.
pub async fn interrupted() -> Result<(), Failure> {
    tokio::signal::ctrl_c().await.map_err(|error| Failure::new("runtime-unavailable", error.to_string()))
}
