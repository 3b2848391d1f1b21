//! The certificate log: static-ct-api over the same engine.
//!
//! | request | answer |
//! |---|---|
//! | `POST /ct/v1/add-chain`, `/ct/v1/add-pre-chain` | 200 with an SCT (RFC 6962 §4.1, §4.2) |
//! | `GET /ct/v1/get-roots` | the accepted roots (RFC 6962 §4.7) |
//! | `GET /checkpoint`, `/tile/…`, `/issuer/<sha256>` | static-ct-api |
//! | `GET /api/sigveil/v1/events` | the feed ([`crate::http::Feed`]) |
//! | `GET /healthz`, `/readyz`, `/metrics` | as in `docs/metrics.md` |
//!
//! The SCT exists only once the entry is durable and in a published checkpoint. Chains are public, so that anybody can
//! submit one again: of the last 65,536 submissions each then gets the SCT it had (RFC 6962 §3), also after a restart, where
//! the published checkpoint proves to have it. It is logged again where it is older, or while it is being logged.
//! [`CertificateLog::issue`] is what a CA in the same process calls.

mod lately;

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::available_parallelism;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::SigningKey;
use tokio::sync::Semaphore;

use crate::checkpoint::VerifiedCheckpoint;
use crate::engine::{AppendError, Clock, Config, Layout, Log, OpenError};
use crate::hash::Hash;
use crate::http::{Tiles, guard, problem, watched};
use crate::merkle::{inclusion_proof, verify_inclusion};
use crate::note::NoteSigner;
use crate::sct::{
    AcceptedRoots, AddChain, AddChainAnswer, ChainError, EntryKind, LoggedCertificate,
    SignedCertificateTimestamp, Submission, TileLeaf,
};
use crate::tile::{TileKind, TileTree};
use lately::{Lately, Logged, Standing};

/// Why there is no SCT.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificates.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl IssueError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.reason(),
            Self::Append(error) => error.reason(),
        }
    }
}

/// A running certificate log.
#[derive(Clone)]
pub struct CertificateLog {
    log: Log,
    key: SigningKey,
    clock: Clock,
    roots: Arc<AcceptedRoots>,
    /// Issuers that are kept durably. Held while one is written: two writers of one file would share its temporary file.
    issuers: Arc<Mutex<HashSet<Hash>>>,
    lately: Arc<Mutex<Lately>>,
    /// As many chains are checked at once.
    checks: Arc<Semaphore>,
}

/// A submission that holds.
enum Checked {
    /// It was logged before.
    Again(SignedCertificateTimestamp),
    /// It is to be logged, with its chain's fingerprints.
    New(LoggedCertificate, Vec<Hash>),
}

impl CertificateLog {
    /// Opens the log `origin` with a P-256 key, for chains that end in these roots. Of `config`, layout and signer are
    /// replaced.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(mut config: Config, key: SigningKey, roots: AcceptedRoots) -> Result<Self, OpenError> {
        if config.shared.is_some() {
            return Err(OpenError::CertificatesShared);
        }
        let signer = NoteSigner::rfc6962(config.signer.public().name(), key.clone());
        config.signer = signer.expect("the name of a signer is a valid name");
        config.layout = Layout::StaticCt;
        let clock = Arc::clone(&config.clock);
        let log = Log::open(config)?;
        let (mut lately, size) = (Lately::default(), *log.published().borrow());
        if let Err(error) = lately.recall(log.reader(), size) {
            tracing::warn!(%error, "what was logged lately cannot be read, and may be logged again");
        }
        Ok(Self {
            log,
            key,
            clock,
            roots: Arc::new(roots),
            issuers: Arc::default(),
            lately: Arc::new(Mutex::new(lately)),
            checks: Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))),
        })
    }

    /// The log under it.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Checks a chain of DER certificates, the one to be logged first, logs that one, and returns its SCT, with the
    /// leaf's index in its extension; of a chain that was logged lately the SCT it had.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        chain: Vec<Vec<u8>>,
        kind: EntryKind,
    ) -> Result<SignedCertificateTimestamp, IssueError> {
        // Whoever gives up leaves the queue; what has begun goes on, and keeps its place until it ends.
        let turn = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| AppendError::Unavailable)?;
        let log = self.clone();
        let check = move || {
            let _turn = turn;
            let Submission { entry, issuers } = Submission::check(chain, kind, &log.roots)?;
            if let Some(again) = log.logged(&entry)? {
                return Ok(Checked::Again(again));
            }
            let chain = log.keep_issuers(&issuers)?;
            Ok::<_, IssueError>(Checked::New(entry, chain))
        };
        // Signatures are verified and files may be synced: not on a thread that serves others.
        let checked = tokio::task::spawn_blocking(check).await.map_err(|_| AppendError::Unavailable)?;
        let (entry, chain) = match checked? {
            Checked::Again(sct) => {
                self.log.metrics().count_duplicate();
                return Ok(sct);
            }
            Checked::New(entry, chain) => (entry, chain),
        };
        // Goes on where nobody waits any more, so that it is known what came of it.
        let appended = tokio::spawn(self.clone().append(entry, chain)).await;
        Ok(appended.map_err(|_| AppendError::Unavailable)??)
    }

    /// The SCT of a certificate that was logged lately.
    ///
    /// # Errors
    /// [`AppendError::Unwitnessed`] where it is durable and not published yet, [`AppendError::Unavailable`] where the tree or
    /// its checkpoint cannot be read.
    fn logged(&self, entry: &LoggedCertificate) -> Result<Option<SignedCertificateTimestamp>, AppendError> {
        let name = lately::name(entry);
        let Some(logged) = self.lately().find(&name) else { return Ok(None) };
        let Logged { timestamp, index, standing } = logged;
        let size = *self.log.published().borrow();
        match standing {
            Standing::Published => {}
            Standing::Durable if index >= size => return Err(AppendError::Unwitnessed),
            Standing::Unknown if index >= size => return Ok(None),
            Standing::Durable | Standing::Unknown => {
                let leaf = TileLeaf { entry: entry.clone(), timestamp, leaf_index: index, chain: Vec::new() };
                if !self.stands(&leaf)? {
                    tracing::warn!(index, "a certificate is logged again: the tree has another leaf there");
                    return Ok(None);
                }
                // Once is enough, however often it comes.
                self.lately().note(name, Logged { standing: Standing::Published, ..logged });
            }
        }
        Ok(Some(SignedCertificateTimestamp::sign(&self.key, entry.signed(), timestamp, index)))
    }

    /// Whether a leaf is in the tree of the published checkpoint. Tiles alone do not say so: whoever can write to the folder
    /// can make them agree with each other, but not with what the log has signed.
    fn stands(&self, leaf: &TileLeaf) -> Result<bool, AppendError> {
        let note = self.log.checkpoint().map_err(unreadable)?;
        let opened = VerifiedCheckpoint::open(&note, self.log.key(), &[]).map_err(unreadable)?;
        let (index, size, root) = (leaf.leaf_index, opened.checkpoint().size, opened.checkpoint().root);
        let tree = TileTree::new(self.log.reader(), size);
        let proof = inclusion_proof(&tree, index, size).map_err(unreadable)?;
        Ok(verify_inclusion(&leaf.leaf_hash(), index, size, &proof, &root).is_ok())
    }

    /// Logs a certificate, and remembers where.
    async fn append(
        self,
        entry: LoggedCertificate,
        chain: Vec<Hash>,
    ) -> Result<SignedCertificateTimestamp, AppendError> {
        let timestamp = (self.clock)();
        let placed = Arc::new(OnceLock::new());
        let (logged, place) = (entry.clone(), Arc::clone(&placed));
        // Of a precertificate what is signed, too, which is no longer.
        let bytes = 2 * entry.der().len() + 32 * chain.len();
        let build = move |leaf_index| {
            let _ = place.set(leaf_index);
            let leaf = TileLeaf { entry: logged, timestamp, leaf_index, chain };
            (leaf.to_bytes(), leaf.leaf_hash())
        };
        let receipt = self.log.append_indexed(bytes, build).await;
        let standing = match &receipt {
            Ok(_) => Standing::Published,
            Err(AppendError::Unwitnessed) => Standing::Durable,
            Err(_) => Standing::Unknown,
        };
        // One that was refused before it had a place is not in the log.
        if let Some(&index) = placed.get() {
            self.lately().note(lately::name(&entry), Logged { timestamp, index, standing });
        }
        let index = receipt?.index;
        Ok(SignedCertificateTimestamp::sign(&self.key, entry.signed(), timestamp, index))
    }

    fn lately(&self) -> MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the chain's certificates under `issuer/<sha256>`, once each.
    fn keep_issuers(&self, chain: &[Vec<u8>]) -> Result<Vec<Hash>, IssueError> {
        let mut kept = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fingerprints = Vec::new();
        for certificate in chain {
            let fingerprint = Hash::of(&[certificate]);
            if !kept.contains(&fingerprint) {
                let name = format!("issuer/{}", fingerprint.to_hex());
                let objects = self.log.reader().objects();
                objects.ensure_durable(&name, certificate).map_err(|_| AppendError::Unavailable)?;
                kept.insert(fingerprint);
            }
            fingerprints.push(fingerprint);
        }
        Ok(fingerprints)
    }
}

/// Why it is not known what is logged.
fn unreadable(error: impl Display) -> AppendError {
    tracing::warn!(%error, "whether a certificate is logged already cannot be read");
    AppendError::Unavailable
}

/// The face over a running log.
pub fn router(log: CertificateLog) -> Router {
    let routes = Router::new()
        .route("/ct/v1/add-chain", post(add_chain))
        .route("/ct/v1/add-pre-chain", post(add_pre_chain))
        .route("/ct/v1/get-roots", get(roots))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/issuer/{fingerprint}", get(issuer));
    let watched = watched(log.log());
    guard(routes.with_state(log).merge(watched))
}

async fn add_chain(State(log): State<CertificateLog>, body: Bytes) -> Response {
    add(&log, &body, EntryKind::Certificate).await
}

async fn add_pre_chain(State(log): State<CertificateLog>, body: Bytes) -> Response {
    add(&log, &body, EntryKind::Precertificate).await
}

async fn add(log: &CertificateLog, body: &[u8], kind: EntryKind) -> Response {
    let issued = match AddChain::parse(body) {
        Ok(chain) => log.issue(chain, kind).await,
        Err(error) => Err(error.into()),
    };
    match issued {
        Ok(sct) => Json(AddChainAnswer::from(&sct)).into_response(),
        Err(IssueError::Append(error)) => crate::rekor::refuse(&error),
        Err(IssueError::Chain(error)) => {
            let status = if error == ChainError::TooLarge { 413 } else { 400 };
            problem(status, error.reason(), &error.to_string())
        }
    }
}

async fn roots(State(log): State<CertificateLog>) -> Response {
    let certificates: Vec<_> = log.roots.iter().map(|root| STANDARD.encode(root)).collect();
    Json(serde_json::json!({ "certificates": certificates })).into_response()
}

async fn checkpoint(State(log): State<CertificateLog>) -> Response {
    crate::http::checkpoint(log.log.reader().clone()).await
}

async fn tile(State(log): State<CertificateLog>, Path(path): Path<String>, asked: HeaderMap) -> Response {
    let (reader, published) = (log.log.reader().clone(), *log.log.published().borrow());
    let tiles = Tiles { reader, published, bundles: TileKind::Data, may_withhold: false };
    crate::http::tile(tiles, format!("tile/{path}"), &asked).await
}

async fn issuer(State(log): State<CertificateLog>, Path(fingerprint): Path<String>) -> Response {
    crate::http::issuer(log.log.reader().clone(), fingerprint).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::engine::Shared;
    use crate::store::shared::{Connect, Journal};

    #[derive(Debug)]
    struct Nowhere;

    impl Connect for Nowhere {
        fn connect(&self, _: &str) -> io::Result<Box<dyn Journal>> {
            panic!("nobody is to look for an order")
        }
    }

    fn configured(folder: &Path) -> Config {
        let signer = NoteSigner::ed25519("ct.example", ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
        Config::new(folder, signer.unwrap(), Arc::new(|| 0))
    }

    #[test]
    fn it_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configured(folder.path());
        config.shared = Some(Shared::new(Arc::new(Nowhere), None));
        let key = SigningKey::from_slice(&[5; 32]).unwrap();
        let refused = CertificateLog::open(config, key, AcceptedRoots::default()).map(drop);
        assert_eq!(refused.unwrap_err().reason(), "ct-shared");
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_and_may_give_up() {
        let folder = tempfile::tempdir().unwrap();
        let config = configured(folder.path());
        let key = SigningKey::from_slice(&[5; 32]).unwrap();
        let log = CertificateLog::open(config, key, AcceptedRoots::default()).unwrap();
        let all = u32::try_from(log.checks.available_permits()).unwrap();
        let held = log.checks.acquire_many(all).await.unwrap();
        let issue = || log.issue(vec![vec![0]], EntryKind::Certificate);
        assert!(tokio::time::timeout(Duration::from_millis(20), issue()).await.is_err());
        drop(held);
        assert_eq!(issue().await.unwrap_err().reason(), "ct-malformed");
        assert_eq!(log.checks.available_permits(), all as usize);
    }
}
