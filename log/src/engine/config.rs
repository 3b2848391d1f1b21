//! How a log runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;

use super::OpenError;
use crate::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::note::{NoteKey, NoteSigner, SignatureType};
use crate::store::bucket::Bucket;
use crate::store::files::{Files, FolderLock};
use crate::store::shared::Connect;
use crate::store::{Objects, Reader};
use crate::tile::TileKind;
use crate::witness::Cosigner;

/// Which bundles a log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// C2SP tlog-tiles: `tile/entries`.
    TlogTiles,
    /// C2SP static-ct-api: `tile/data`.
    StaticCt,
}

impl Layout {
    pub(crate) fn bundle_kind(self) -> TileKind {
        match self {
            Self::TlogTiles => TileKind::Entries,
            Self::StaticCt => TileKind::Data,
        }
    }
}

/// Milliseconds since the Unix epoch, from wherever the caller takes its time.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Who may have content withheld.
#[derive(Debug, Clone)]
pub struct RedactionPolicy {
    /// Keys of the redaction authorities.
    pub authorities: Vec<VerifyingKey>,
    /// How many of them must sign.
    pub threshold: usize,
    /// How many witnesses must have cosigned a checkpoint that includes the record.
    pub witnesses: usize,
}

/// How a log runs.
pub struct Config {
    /// The log's folder.
    pub folder: PathBuf,
    /// What the folder lies on.
    pub files: Files,
    /// The log's key; its name is the origin.
    pub signer: NoteSigner,
    /// Keys of the same name that sign too: one that is to follow, or that went before, for as long as some who verify know
    /// only one of the two. A checkpoint by any of them is the log's. A certificate log has none: its key is what it is.
    pub also_signed_by: Vec<NoteSigner>,
    /// Kind of bundles.
    pub layout: Layout,
    /// Witnesses that are asked before a checkpoint is published.
    pub witnesses: Vec<Arc<dyn Cosigner>>,
    /// How many cosignatures a checkpoint needs to be published.
    pub witness_threshold: usize,
    /// How long after too few witnesses cosigned they are asked again.
    pub witness_retry: Duration,
    /// How long after a checkpoint was published it is published anew, with nothing more in it, where its signatures have
    /// times in them: a certificate log's own (RFC 6962 §3.5: no older than its merge delay), and witnesses'.
    pub refresh: Duration,
    /// How long after storage failed the folder is opened anew, again and again until that succeeds.
    pub storage_retry: Duration,
    /// Bytes by which the write-ahead log grows before it is trimmed behind full bundles.
    pub wal_limit: u64,
    /// The leaves by which duplicates are told lie in files of 2^`known_height` each, those behind them in memory: at least
    /// 2^8, at most 2^31.
    pub known_height: u32,
    /// How long the first entry of a batch waits for others.
    pub batch_age: Duration,
    /// Most entries of a batch.
    pub batch_size: usize,
    /// Bytes of entries, and of what is kept beside them, at which a batch is whole.
    pub batch_bytes: usize,
    /// Most entries that wait for a batch; further ones are refused with [`super::AppendError::Busy`].
    pub queue: usize,
    /// And most bytes of them.
    pub queue_bytes: usize,
    /// Time for tree heads that carry one.
    pub clock: Clock,
    /// Redaction authorities; without them no redaction record is accepted.
    pub redaction: Option<RedactionPolicy>,
    /// What several front ends of this log share; without it, this is the only writer, and all is in the folder.
    pub shared: Option<Shared>,
}

/// What several front ends of one log share. Each has the log's key.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The way to the log's order.
    pub journal: Arc<dyn Connect>,
    /// Where tiles and checkpoint lie, if not in the log's folder.
    pub bucket: Option<Arc<dyn Bucket>>,
    /// How long the front end that publishes may be silent before another does; while it begins to, a minute at least.
    pub lease: Duration,
    /// How often a front end without the lease looks whether it is free.
    pub contend: Duration,
    /// How long an entry waits for its checkpoint before its sender is told [`super::AppendError::Unavailable`].
    pub patience: Duration,
}

impl Shared {
    /// With the order that `journal` leads to, a lease of five seconds that is looked at every tenth of one, and ten seconds
    /// for an answer.
    pub fn new(journal: Arc<dyn Connect>, bucket: Option<Arc<dyn Bucket>>) -> Self {
        let [lease, contend, patience] = [5_000, 100, 10_000].map(Duration::from_millis);
        Self { journal, bucket, lease, contend, patience }
    }
}

impl Config {
    /// A log of the Rekor face, with the defaults: no witnesses, batches of at most 20 ms, 2,048 entries or 8 MiB.
    pub fn new(folder: &Path, signer: NoteSigner, clock: Clock) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Files::default(),
            signer,
            also_signed_by: Vec::new(),
            layout: Layout::TlogTiles,
            witnesses: Vec::new(),
            witness_threshold: 0,
            witness_retry: Duration::from_secs(2),
            refresh: Duration::from_secs(30),
            storage_retry: Duration::from_secs(2),
            wal_limit: 16 << 20,
            known_height: 22,
            batch_age: Duration::from_millis(20),
            batch_size: 2048,
            batch_bytes: 8 << 20,
            queue: 8192,
            queue_bytes: 64 << 20,
            clock,
            redaction: None,
            shared: None,
        }
    }

    pub(super) fn objects(&self) -> Objects {
        match self.shared.as_ref().and_then(|shared| shared.bucket.as_ref()) {
            Some(bucket) => Objects::Bucket(Arc::clone(bucket), self.redaction.is_some()),
            None => Objects::Folder(self.files.clone(), self.folder.clone()),
        }
    }

    /// Takes the folder for the one who writes to it.
    pub(super) fn lock(&self) -> Result<FolderLock, OpenError> {
        self.files.lock(&self.folder)?.ok_or(OpenError::Locked)
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::on(self.objects())
    }

    /// How often a checkpoint is published though nothing is appended; `None` where its signatures would be the same.
    pub(super) fn refreshed_every(&self) -> Option<Duration> {
        let is_timed = self.signer.public().is_rfc6962() || !self.witnesses.is_empty();
        is_timed.then_some(self.refresh)
    }

    /// All that sign, the first key first.
    pub(super) fn signers(&self) -> impl Iterator<Item = &NoteSigner> {
        std::iter::once(&self.signer).chain(&self.also_signed_by)
    }

    /// The log's keys, the first one first.
    pub(super) fn keys(&self) -> Vec<NoteKey> {
        self.signers().map(|signer| signer.public().clone()).collect()
    }

    /// Opens a checkpoint that any of the log's keys has signed.
    pub(super) fn open_checkpoint(&self, bytes: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        VerifiedCheckpoint::open_by_any(bytes, &self.keys())
    }

    /// Whether the keys are one log's, and each witness counts once and as one.
    pub(super) fn check_keys(&self) -> Result<(), OpenError> {
        let keys = self.keys();
        let first = &keys[0];
        if keys.iter().any(|key| key.name() != first.name()) {
            return Err(OpenError::Keys("keys that sign for one log have its name"));
        }
        if keys.len() > 1 && keys.iter().any(NoteKey::is_rfc6962) {
            return Err(OpenError::Keys("a certificate log has one key"));
        }
        let witnesses: Vec<_> = self.witnesses.iter().map(|witness| witness.key().clone()).collect();
        if witnesses.iter().any(|key| key.kind() != SignatureType::CosignatureV1) {
            return Err(OpenError::Keys("a witness's key is one for cosignatures"));
        }
        let mut seen = BTreeSet::new();
        let mut is_new = |key: &NoteKey| seen.insert(key.fingerprint().0);
        if keys.iter().chain(&witnesses).all(&mut is_new) {
            Ok(())
        } else {
            Err(OpenError::Keys("no key signs twice"))
        }
    }
}
