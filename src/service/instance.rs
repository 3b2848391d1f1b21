//! All roles of an instance in one process, over folders, with one trust root.
//!
//! Opening repairs what a kill left behind (each log replays its own), builds the trust root from what the roles hold,
//! and brings the index up to the log. Nothing is served before [`Instance::serve`].

mod certificates;
mod error;
mod issuers;
mod listen;
mod logs;
mod trust;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::get;
use rand_core::OsRng;
use sigveil_log::ct::CertificateLog as CtLog;
use sigveil_log::engine::{Clock, Config as LogConfig, Log};
use sigveil_log::http::{Limits, Shutdown, serve_until};
use sigveil_log::note::NoteSigner;
use sigveil_log::store::files::FolderLock;
use sigveil_log::witness::Witness;
use sigveil_verifiable_search::service::Indexer;
use sigveil_vrf_identity::service::InProcessEvaluator;
use sigveil_zk_ca::service::clock::{SharedClock, SystemClock};
use sigveil_zk_ca::service::issue::{Ca, CaParts, Deferral, Issuance, Proving};
use sigveil_zk_ca::service::local_prover::LocalProver;
use sigveil_zk_ca::service::oidc::IssuerKeys;
use sigveil_zk_ca::service::prover::ProverPool;
use sigveil_zk_ca::service::{fulcio, tsa};

use super::config::{Config, Ports, ProofTiming};
use super::issuer::Issuer;
use super::material::{Beginning, Material};
use super::stop::stop;
use crate::files;
use crate::stock::{Services, client_trust_config, signing_config};
use crate::trust::{Scheme, Trust};
pub use error::InstanceError;
use issuers::Discovered;
use listen::Listeners;
pub use logs::LogSide;
pub use trust::{EMBEDDED, header_of, known_trusts};

/// How many proofs are made at once, and how many requests may wait for one.
const PROVERS: usize = 1;
const WAITING: usize = 8;
/// How many deferred proofs may be owed.
const OWED: usize = 1024;

/// A running instance, and where it answers.
pub struct Instance {
    config: Config,
    ports: Ports,
    listeners: Option<Listeners>,
    /// What verifiers of this instance trust.
    pub trust: Arc<Trust>,
    /// The embedded identity provider.
    pub issuer: Option<Arc<Issuer>>,
    /// The signature log.
    pub rekor: Log,
    /// The index.
    pub indexer: Arc<Indexer>,
    /// The redaction authority's key.
    pub redaction: ed25519_dalek::SigningKey,
    witness: Arc<Witness>,
    ct: CtLog,
    ca: Arc<Ca>,
    tsa: sigveil_zk_ca::timestamp::TimestampAuthority,
    shutdown: Shutdown,
    _lock: FolderLock,
}

/// Milliseconds since the Unix epoch, by this machine's clock.
pub fn clock() -> Clock {
    Arc::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    })
}

/// Unix seconds, by this machine's clock.
pub fn now() -> u64 {
    clock()() / 1000
}

impl Instance {
    /// Takes the store for this process, making the folder if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made; nothing in it is then changed.
    pub fn lock(store: &Path) -> Result<FolderLock, InstanceError> {
        files::make_folder(store)?;
        let lock = FolderLock::take(store).map_err(|error| InstanceError::Store(error.to_string()))?;
        lock.ok_or_else(|| InstanceError::InUse(store.to_owned()))
    }

    /// Opens every role. Must be called where blocking is allowed, inside a multi-threaded runtime.
    ///
    /// # Errors
    /// When a port is taken, the store is in use or damaged, or a role refuses its part.
    pub fn open(config: Config, circuits: LocalProver) -> Result<Self, InstanceError> {
        let lock = Self::lock(&config.store)?;
        Self::open_locked(config, circuits, lock)
    }

    /// As [`Self::open`], over a store that [`Self::lock`] has taken.
    ///
    /// # Errors
    /// When a port is taken, the store is damaged, or a role refuses its part.
    pub fn open_locked(
        config: Config,
        circuits: LocalProver,
        lock: FolderLock,
    ) -> Result<Self, InstanceError> {
        files::sweep_partial(&config.store)?;
        files::sweep_partial(&config.store.join("keys"))?;
        let mut bound = None;
        let beginning = Beginning::keep(&config.store, || {
            let (listeners, ports) =
                Listeners::bind(&config.listen, config.ports).map_err(InstanceError::Port)?;
            bound = Some(listeners);
            Ok::<_, InstanceError>(Beginning { created: now(), ports })
        })?;
        let listeners = match bound {
            Some(listeners) => listeners,
            None => Listeners::bind(&config.listen, beginning.ports).map_err(InstanceError::Port)?.0,
        };
        let material = Material::open(&config, beginning.created, &mut OsRng)?;
        Self::assemble(config, beginning, listeners, material, circuits, lock)
    }

    fn assemble(
        config: Config,
        beginning: Beginning,
        listeners: Listeners,
        material: Material,
        circuits: LocalProver,
        lock: FolderLock,
    ) -> Result<Self, InstanceError> {
        let ports = beginning.ports;
        let issuer = match &material.issuer {
            Some(key) => Some(Arc::new(Issuer::new(url(&config, ports.issuer), key)?)),
            None => None,
        };
        let discovered = issuers::discover(&config)?;
        let parts =
            trust::Parts { material: &material, embedded: issuer.as_deref(), discovered: &discovered };
        let trust = Arc::new(trust::build(&config, &beginning, &parts, &circuits)?);
        let history =
            trust::keep_history(&config.store, &trust, [material.ca.certificate(), material.ca.root()])?;
        let LogSide { rekor, indexer, witness } = LogSide::open(&config, &material, &trust, history)?;
        let ct_signer = NoteSigner::rfc6962(&format!("{}/ct", config.host), material.ct.clone())?;
        let ct_config = LogConfig::new(&config.store.join("ct"), ct_signer, clock());
        let ct = CtLog::open(ct_config, material.ct.clone(), certificates::roots(&config, &material)?)?;
        let issuance = issuance(&config, circuits, &rekor);
        let ca = authority(&config, &trust, &material, issuance, &ct, discovered)?;
        Ok(Self {
            ports,
            listeners: Some(listeners),
            trust,
            issuer,
            rekor,
            indexer,
            witness,
            redaction: material.redaction,
            ct,
            ca,
            tsa: material.tsa,
            shutdown: Shutdown::default(),
            config,
            _lock: lock,
        })
    }

    /// Where the roles answer.
    pub fn services(&self) -> Services {
        let url = |port| url(&self.config, port);
        let issuer = self.issuer.as_ref().map(|issuer| issuer.url().to_owned());
        let first = self.trust.section.proofs.issuers.first().map(|issuer| issuer.issuer.clone());
        Services {
            ca: url(self.ports.ca),
            oidc: issuer.or(first).unwrap_or_default(),
            rekor: url(self.ports.rekor),
            tsa: format!("{}{}", url(self.ports.tsa), tsa::TIMESTAMP_PATH),
            operator: self.config.operator.clone(),
            valid_from: trust::valid_from(&self.trust),
        }
    }

    /// Has the proofs made that are owed, the logs answer what they were sent, take nothing more, and free their folders.
    pub async fn stop(&self) {
        let logs = async {
            self.ca.settle().await;
            self.rekor.stop().await;
            self.ct.log().stop().await;
        };
        stop(&self.shutdown, logs).await;
    }

    /// Where the index answers.
    pub fn index_url(&self) -> String {
        url(&self.config, self.ports.index)
    }

    /// Writes the public files: both parts of the trust root, the signing and the client trust configuration.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn publish(&self, folder: &Path) -> Result<(), InstanceError> {
        files::make_folder(folder)?;
        let signing = signing_config(&self.services())?;
        let client = client_trust_config(&self.trust.stock, &signing);
        let write = |name: &str, text: String| files::write(&folder.join(name), text.as_bytes());
        write("trusted_root.json", self.trust.stock.to_json())?;
        write("trusted_root.sigveil.json", self.trust.section_json())?;
        write("signing_config.json", format!("{signing:#}\n"))?;
        write("trust_config.json", format!("{client:#}\n"))?;
        Ok(())
    }

    /// The folder that [`Self::publish`] should write to, as configured.
    pub fn publish_folder(&self) -> PathBuf {
        self.config.publish.clone()
    }

    /// Serves every role until the runtime ends, and keeps the index up to the log.
    ///
    /// # Errors
    /// When a socket cannot be used, or this instance is being served already.
    pub fn serve(&mut self) -> Result<(), InstanceError> {
        let limits = Limits { client: self.config.clients.limits(), ..Limits::default() };
        let spawn = |listener, router| spawn(listener, router, limits, self.shutdown.clone());
        let Some(listeners) = self.listeners.take() else { return Ok(()) };
        let health = || Router::new().route("/healthz", get(|| async { "ok\n" }));
        if let Some(issuer) = &self.issuer {
            spawn(listeners.issuer, health().merge(Arc::clone(issuer).router()))?;
        }
        spawn(listeners.ca, health().merge(fulcio::router(Arc::clone(&self.ca))))?;
        spawn(listeners.tsa, health().merge(tsa::router(self.tsa.clone(), system_clock())))?;
        let redactions =
            super::redaction::router(self.rekor.clone(), Arc::clone(&self.indexer), Arc::clone(&self.trust));
        let further = redactions.nest("/witness", sigveil_log::witness::router(Arc::clone(&self.witness)));
        spawn(listeners.rekor, sigveil_log::rekor::router_with(self.rekor.clone(), further))?;
        spawn(listeners.ct, sigveil_log::ct::router(self.ct.clone()))?;
        spawn(listeners.index, sigveil_verifiable_search::service::router(Arc::clone(&self.indexer)))?;
        let indexer = Arc::clone(&self.indexer);
        tokio::spawn(async move {
            loop {
                if let Err(error) = indexer.update().await {
                    tracing::warn!(reason = error.reason(), %error, "the index could not be brought up to date");
                }
                tokio::time::sleep(INDEX_INTERVAL).await;
            }
        });
        Ok(())
    }
}

/// How long after one update of the index the next begins.
const INDEX_INTERVAL: std::time::Duration = std::time::Duration::from_millis(500);

fn url(config: &Config, port: u16) -> String {
    format!("http://{}:{port}", config.host)
}

fn system_clock() -> SharedClock {
    Arc::new(SystemClock)
}

fn spawn(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), InstanceError> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(InstanceError::Port)?;
    tokio::spawn(async move { serve_until(listener, router, limits, &shutdown).await });
    Ok(())
}

fn issuance(config: &Config, circuits: LocalProver, rekor: &Log) -> Issuance {
    match config.scheme {
        Scheme::Clear => Issuance::Clear,
        Scheme::Hashed => Issuance::Hashed,
        // A config with the blind one is not accepted.
        Scheme::Zk | Scheme::ZkBlind => Issuance::Proven(Proving {
            prover: Arc::new(circuits),
            pool: ProverPool::new(PROVERS, WAITING),
            deferral: (config.deferral_delay_seconds > 0).then(|| Deferral {
                log: rekor.clone(),
                pool: ProverPool::new(PROVERS, OWED),
                preferred: config.proofs == ProofTiming::Deferred,
            }),
        }),
    }
}

fn authority(
    config: &Config,
    trust: &Trust,
    material: &Material,
    issuance: Issuance,
    ct: &CtLog,
    mut discovered: BTreeMap<String, Discovered>,
) -> Result<Arc<Ca>, InstanceError> {
    let mut issuer_keys = BTreeMap::new();
    for (configured, trusted) in config.issuers.iter().zip(&trust.section.proofs.issuers) {
        let keys = match (&configured.jwks, discovered.remove(&configured.url)) {
            (Some(path), _) => IssuerKeys::fixed(trust::key_set(path)?),
            (None, Some(discovered)) => discovered.keys,
            (None, None) => IssuerKeys::discover(&trusted.issuer, issuers::policy(config))?,
        };
        issuer_keys.insert(trusted.issuer.clone(), keys);
    }
    Ok(Arc::new(Ca::new(CaParts {
        authority: material.ca.clone(),
        trust: trust.proofs.clone(),
        issuer_keys,
        evaluator: Arc::new(InProcessEvaluator::new(material.vrf()?)),
        issuance,
        certificate_log: certificates::log(config, ct)?,
        clock: system_clock(),
    })))
}
