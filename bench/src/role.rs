//! Roles of ours in processes of their own, so that /proc tells what each uses as it does for the real servers.

pub(crate) mod filled;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use clap::Subcommand;
use der::Encode;
use rand_core::OsRng;
use sigveil::cli::output::Progress;
use sigveil::service::circuits;
use sigveil::service::config::{Config as InstanceConfig, Ports, ProofTiming};
use sigveil::service::instance::{Instance, clock};
use sigveil::service::issuer::Issuer;
use sigveil::service::keys::KeyStore;
use sigveil::service::runtime::runtime;
use sigveil::trust::Scheme;
use sigveil_circuits::token::{Class, SizeClass};
use sigveil_log::ct::CertificateLog;
use sigveil_log::engine::{Config, Log, Shared};
use sigveil_log::http::{Limits, serve};
use sigveil_log::note::NoteSigner;
use sigveil_log::sct::AcceptedRoots;
use sigveil_log::store::postgres::Postgres;
use sigveil_zk_ca::service::local_prover::LocalProver;

use crate::baseline::bucket;
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
    /// The signature log, filled at its engine.
    Fill {
        /// The folder with its data.
        #[arg(long)]
        folder: PathBuf,
        /// How many entries it has then.
        #[arg(long)]
        entries: u64,
    },
    /// One of several front ends of a signature log.
    FrontEnd {
        /// Loopback port.
        #[arg(long)]
        port: u16,
        /// The folder with its key.
        #[arg(long)]
        keys: PathBuf,
        /// A folder of its own.
        #[arg(long)]
        folder: PathBuf,
        /// Address of the PostgreSQL database with its order.
        #[arg(long)]
        database: String,
        /// URL of the object store with its tiles.
        #[arg(long)]
        endpoint: String,
    },
    /// The certificate log.
    CertificateLog {
        /// Loopback port.
        #[arg(long)]
        port: u16,
        /// The folder with its data.
        #[arg(long)]
        folder: PathBuf,
        /// PEM file of the roots whose chains it takes.
        #[arg(long)]
        roots: PathBuf,
    },
    /// Every role of an instance, with its own issuer.
    Instance {
        /// The folder with its data; `public` below it gets the trust files, and `ready` says that all roles listen.
        #[arg(long)]
        folder: PathBuf,
        /// What its certificates say, and prove.
        #[arg(long, value_enum)]
        scheme: Variant,
    },
    /// A log's face with nothing behind it: every request is read and answered with 201.
    Null {
        /// Loopback port.
        #[arg(long)]
        port: u16,
    },
}

/// A scheme as rows call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Variant {
    /// The e-mail address.
    Clear,
    /// The label, by the authority's word.
    Hashed,
    /// The label with its proofs.
    Zk,
    /// The label, and its proofs in the log.
    ZkDeferred,
}

impl Variant {
    /// Every one, cheapest first.
    pub(crate) const ALL: [Self; 4] = [Self::Clear, Self::Hashed, Self::Zk, Self::ZkDeferred];
    /// Seconds that the proofs of a deferred certificate may come after its end.
    const DELAY: u64 = 3_600;

    /// Its name in rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Hashed => "hashed",
            Self::Zk => "zk",
            Self::ZkDeferred => "zk_deferred",
        }
    }

    /// Whether its certificates are proven, now or later.
    pub(crate) fn proves(self) -> bool {
        matches!(self, Self::Zk | Self::ZkDeferred)
    }

    fn configure(self, config: &mut InstanceConfig) {
        config.scheme = match self {
            Self::Clear => Scheme::Clear,
            Self::Hashed => Scheme::Hashed,
            Self::Zk | Self::ZkDeferred => Scheme::Zk,
        };
        if self == Self::ZkDeferred {
            (config.proofs, config.deferral_delay_seconds) = (ProofTiming::Deferred, Self::DELAY);
        }
    }
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
        Role::Log { port, folder } => {
            runtime.block_on(async { listen(*port, sigveil_log::rekor::router(filled::open(folder)?)).await })
        }
        Role::Fill { folder, entries } => runtime.block_on(filled::fill(folder, *entries)),
        Role::FrontEnd { port, keys, folder, database, endpoint } => runtime.block_on(async {
            let key = KeyStore::existing(keys).existing_ed25519("s3pg").map_err(said)?;
            let bucket = Arc::new(bucket(endpoint, "log"));
            let shared = Shared::new(Arc::new(Postgres::new(database)?), Some(bucket));
            let config = Config::new(folder, NoteSigner::ed25519("localhost", key)?, clock());
            let log = Log::open(Config { shared: Some(shared), ..config })?;
            listen(*port, sigveil_log::rekor::router(log)).await
        }),
        Role::CertificateLog { port, folder, roots } => runtime.block_on(async {
            let key = p256::ecdsa::SigningKey::random(&mut OsRng);
            let signer = NoteSigner::rfc6962("localhost/ct", key.clone())?;
            let roots = x509_cert::Certificate::load_pem_chain(&std::fs::read(roots)?)?;
            let roots = roots.iter().map(Encode::to_der).collect::<Result<Vec<_>, _>>()?;
            let config = Config::new(folder, signer, clock());
            let log = CertificateLog::open(config, key, AcceptedRoots::new(roots)?)?;
            listen(*port, sigveil_log::ct::router(log)).await
        }),
        Role::Instance { folder, scheme } => instance(&runtime, folder, *scheme),
        Role::Null { port } => {
            let router = axum::Router::new()
                .route("/healthz", get(|| async {}))
                .route("/api/v2/log/entries", post(|_: Bytes| async { StatusCode::CREATED }))
                .route("/api/v1/timestamp", post(|_: Bytes| async { StatusCode::CREATED }));
            runtime.block_on(listen(*port, router))
        }
    }
}

async fn listen(port: u16, router: axum::Router) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    serve(listener, router, Limits::default()).await;
    Ok(())
}

/// The prover of tokens that the embedded issuer gives, whose unbound ones fit the smallest class. Its keys are made on first
/// use, which takes a minute or two.
pub(crate) fn prover() -> anyhow::Result<LocalProver> {
    let classes = [Class::rsa2048(SizeClass::B768)];
    let keys = circuits::cache_folder(None).map_err(said)?;
    circuits::load_or_create(&keys, &classes, &Progress::silent()).map_err(said)
}

fn instance(runtime: &tokio::runtime::Runtime, folder: &Path, scheme: Variant) -> anyhow::Result<()> {
    let circuits = match scheme {
        Variant::Clear | Variant::Hashed => LocalProver::none(),
        Variant::Zk | Variant::ZkDeferred => prover()?,
    };
    let mut config = InstanceConfig::embedded();
    scheme.configure(&mut config);
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
