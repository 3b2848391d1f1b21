//! `log serve`: signature logs without the other roles, each in a folder or shared by several front ends, until
//! interrupted.

mod check;
pub mod config;
mod plan;
mod secrets;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use sigveil_log::engine::{Log, OpenError};
use sigveil_log::http::{Limits, Shutdown, serve_until};
use sigveil_log::note::KeyError as NoteKeyError;
use sigveil_log::shards::Shards;
use sigveil_log::witness::CosignError;
use tokio::net::TcpListener;

use super::config::ConfigError;
use super::instance::{InstanceError, clock};
use super::keys::KeyStoreError;
use super::runtime::runtime;
use super::serve::interrupted;
use super::stop::stop;
use crate::cli::output::Progress;
use crate::failure::Failure;
use config::LogsConfig;
pub use plan::Plan;
pub use secrets::{BucketSecrets, Secrets};

/// How often it is looked whether a shard's period is over.
const TENDED: Duration = Duration::from_secs(1);

/// Why logs are not served.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The config.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A log's key.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// A log's name, or a witness's key.
    #[error(transparent)]
    Name(#[from] NoteKeyError),
    /// Witnesses cannot be asked at all.
    #[error("no witness can be asked: {0}")]
    Witness(CosignError),
    /// A log does not open.
    #[error(transparent)]
    Log(#[from] OpenError),
}

impl LogsError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Config(error) => error.reason(),
            Self::Key(error) => error.reason(),
            Self::Name(error) => error.reason(),
            Self::Witness(_) => "runtime-unavailable",
            Self::Log(error) => error.reason(),
        }
    }
}

crate::failure::failures!(LogsError);

/// Logs that are open.
enum Running {
    One(Log),
    Shards(Shards),
}

impl Running {
    fn open(plan: Plan) -> Result<Self, LogsError> {
        Ok(match plan {
            Plan::One(config) => Self::One(Log::open(*config)?),
            Plan::Shards(periods) => Self::Shards(Shards::open(periods, clock())?),
        })
    }

    /// Each log, and its part of the address.
    fn all(&self) -> Vec<(&str, &Log)> {
        match self {
            Self::One(log) => vec![("", log)],
            Self::Shards(shards) => shards.all().iter().map(|shard| (shard.name(), shard.log())).collect(),
        }
    }

    fn router(&self) -> Router {
        match self {
            Self::One(log) => sigveil_log::rekor::router(log.clone()),
            Self::Shards(shards) => shards.router(),
        }
    }

    /// What is to be done meanwhile; ends never.
    async fn tend(&self) {
        match self {
            Self::One(_) => std::future::pending().await,
            Self::Shards(shards) => shards.tend(TENDED).await,
        }
    }
}

/// Serves the logs of a config file until the process is interrupted.
///
/// # Errors
/// When the config is not accepted, a log does not open or the address cannot be listened on.
pub fn serve(path: &Path, secrets: &Secrets, progress: &Progress) -> Result<(), Failure> {
    let config = LogsConfig::read(path)?;
    let plan = config.plan(secrets)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let logs = Running::open(plan)?;
    let port = |error: std::io::Error| Failure::from(InstanceError::Port(error));
    let listener = runtime.block_on(TcpListener::bind(&config.listen)).map_err(port)?;
    let address = listener.local_addr().map_err(port)?;
    for (name, log) in logs.all() {
        let slash = if name.is_empty() { "" } else { "/" };
        let frozen = if log.is_frozen() { ", frozen" } else { "" };
        progress.say(&format!("http://{address}{slash}{name} serves {}{frozen}", log.key().name()));
        tracing::info!(origin = log.key().name(), %address, shard = name, frozen = log.is_frozen(), "serving");
    }
    let limits = Limits { client: config.clients.limits(), ..Limits::default() };
    runtime.block_on(async {
        let shutdown = Shutdown::default();
        let (router, end) = (logs.router(), shutdown.clone());
        tokio::spawn(async move { serve_until(listener, router, limits, &end).await });
        let interrupted = tokio::select! {
            () = logs.tend() => Ok(()),
            interrupted = interrupted() => interrupted,
        };
        let end_of_logs = async {
            for (_, log) in logs.all() {
                log.stop().await;
            }
        };
        stop(&shutdown, end_of_logs).await;
        interrupted
    })
}
