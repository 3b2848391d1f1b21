//! Roles of ours in processes of their own, so that /proc tells what each uses as it does for the real servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Subcommand;
use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use sigveil::cli::output::Progress;
use sigveil::service::circuits;
use sigveil::service::config::{Config as InstanceConfig, Ports};
use sigveil::service::instance::{Instance, clock};
use sigveil::service::issuer::Issuer;
use sigveil::service::keys::KeyStore;
use sigveil::service::runtime::runtime;
use sigveil_circuits::token::{Class, SizeClass};
use sigveil_log::engine::{Config, Log};
use sigveil_log::http::{Limits, serve};
use sigveil_log::note::NoteSigner;

use crate::said;

/// A role.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Role {
    /// The OIDC issuer: gives anybody any token.
    Issuer {
        /// Loopback port.
        #[arg(long)]
        port: u16,
        /// The folder with its key.
        #[arg(long)]
        keys: PathBuf,
    },
    /// The signature log.
    Log {
        /// Loopback port.
        #[arg(long)]
        port: u16,
        /// The folder with its data.
        #[arg(long)]
        folder: PathBuf,
    },
    /// Every role of an instance, with its own issuer.
    Instance {
        /// The folder with its data; `public` below it gets the trust files, and `ready` says that all roles listen.
        #[arg(long)]
        folder: PathBuf,
    },
    /// A log's face with nothing behind it: every request is read and answered with 201.
    Null {
        /// Loopback port.
        #[arg(long)]
        port: u16,
    },
}

/// Plays it until the process is ended.
pub(crate) fn play(role: &Role) -> anyhow::Result<()> {
    let runtime = runtime().map_err(said)?;
    match role {
        Role::Issuer { port, keys } => {
            let key = KeyStore::open(keys).and_then(|keys| keys.issuer()).map_err(said)?;
            let issuer = Issuer::new(format!("http://localhost:{port}"), &key).map_err(said)?;
            runtime.block_on(listen(*port, Arc::new(issuer).router()))
        }
        Role::Log { port, folder } => runtime.block_on(async {
            let signer = NoteSigner::ed25519("localhost", SigningKey::generate(&mut OsRng))?;
            let log = Log::open(Config::new(folder, signer, clock()))?;
            listen(*port, sigveil_log::rekor::router(log)).await
        }),
        Role::Instance { folder } => instance(&runtime, folder),
        Role::Null { port } => {
            let router = axum::Router::new()
                .route("/healthz", get(|| async {}))
                .route("/api/v2/log/entries", post(|_: Bytes| async { StatusCode::CREATED }));
            runtime.block_on(listen(*port, router))
        }
    }
}

async fn listen(port: u16, router: axum::Router) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    serve(listener, router, Limits::default()).await;
    Ok(())
}

fn instance(runtime: &tokio::runtime::Runtime, folder: &Path) -> anyhow::Result<()> {
    // Unbound tokens of the embedded issuer fit the smallest class.
    let classes = [Class::rsa2048(SizeClass::B768)];
    let keys = circuits::cache_folder(None).map_err(said)?;
    let circuits = circuits::load_or_create(&keys, &classes, &Progress::silent()).map_err(said)?;
    let mut config = InstanceConfig::embedded();
    config.store = folder.join("store");
    config.publish = folder.join("public");
    config.ports = Ports { issuer: 0, ca: 0, tsa: 0, rekor: 0, ct: 0, index: 0 };
    for issuer in &mut config.issuers {
        "none".clone_into(&mut issuer.binding);
    }
    let _inside = runtime.enter();
    let mut instance = Instance::open(config, circuits).map_err(said)?;
    instance.publish(&instance.publish_folder()).map_err(said)?;
    instance.serve().map_err(said)?;
    std::fs::write(folder.join("ready"), "")?;
    runtime.block_on(std::future::pending())
}
