//! The engine: one sequencer per log, over one folder; or several front ends over what they share ([`Shared`]).
//!
//! Accept → one write-ahead append with one `fdatasync` per batch → assign indices → tiles → sign → ask the
//! witnesses → publish. An answer means durable *and* included: it carries the inclusion proof under the
//! published checkpoint. Whatever a crash interrupts is completed when the folder is opened again; opening
//! refuses when the published checkpoint is of another log, or ahead of or different from the committed tree.
//! When storage fails while the log runs, what is on disk is unknown: the log then accepts nothing, opens its folder
//! anew at intervals as after a crash, and goes on where that succeeds.
//!
//! Deduplication is derived from the leaf hashes at every start and kept in memory, eight to ten bytes an entry.
//!
//! The queue before the sequencer is bounded: what finds it full is refused at once, to be sent again later.

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;
#[cfg(test)]
mod crash;
mod edge;
mod freeze;
mod front_end;
#[cfg(test)]
mod interrupted;
mod known;
mod metrics;
mod place;
mod publish;
mod redact;
mod run;
mod sequencer;
mod tree;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

pub use freeze::FreezeError;
pub use metrics::Metrics;
pub use redact::{Coverage, RedactError, Redacted};

use crate::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::entry::{Entry, EntryError, ProofReceipt, SealedPayload};
use crate::hash::Hash;
use crate::note::NoteSigner;
use crate::store::bucket::Bucket;
use crate::store::files::Files;
use crate::store::shared::Connect;
use crate::store::{Objects, ReadError, Reader};
use crate::tile::{TileError, TileKind};
use crate::witness::Cosigner;
use front_end::FrontEnd;
use sequencer::{Command, Draft, Interlude, Sequencer};

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
    /// How long after storage failed the folder is opened anew, again and again until that succeeds.
    pub storage_retry: Duration,
    /// Bytes by which the write-ahead log grows before it is trimmed behind full bundles.
    pub wal_limit: u64,
    /// How long the first entry of a batch waits for others.
    pub batch_age: Duration,
    /// Most entries of a batch.
    pub batch_size: usize,
    /// Most entries that wait for a batch; further ones are refused with [`AppendError::Busy`].
    pub queue: usize,
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
    /// How long the front end that publishes may be silent before another does.
    pub lease: Duration,
    /// How long an entry waits for its checkpoint before its sender is told [`AppendError::Unavailable`].
    pub patience: Duration,
}

impl Shared {
    /// With the order that `journal` leads to, a lease of five seconds, and ten seconds for an answer.
    pub fn new(journal: Arc<dyn Connect>, bucket: Option<Arc<dyn Bucket>>) -> Self {
        Self { journal, bucket, lease: Duration::from_secs(5), patience: Duration::from_secs(10) }
    }
}

impl Config {
    /// A log of the Rekor face, with the defaults: no witnesses, batches of at most 20 ms or 2,048 entries.
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
            storage_retry: Duration::from_secs(2),
            wal_limit: 16 << 20,
            batch_age: Duration::from_millis(20),
            batch_size: 2048,
            queue: 8192,
            clock,
            redaction: None,
            shared: None,
        }
    }

    fn objects(&self) -> Objects {
        match self.shared.as_ref().and_then(|shared| shared.bucket.as_ref()) {
            Some(bucket) => Objects::Bucket(Arc::clone(bucket)),
            None => Objects::Folder(self.files.clone(), self.folder.clone()),
        }
    }

    fn reader(&self) -> Reader {
        Reader::on(self.objects())
    }

    /// Opens a checkpoint that any of the log's keys has signed.
    fn open_checkpoint(&self, bytes: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        let open = |signer: &NoteSigner| VerifiedCheckpoint::open(bytes, signer.public(), &[]);
        let opened = open(&self.signer);
        if !matches!(opened, Err(CheckpointError::NotSignedByLog)) {
            return opened;
        }
        self.also_signed_by.iter().find_map(|signer| open(signer).ok()).map_or(opened, Ok)
    }

    /// Whether the keys are one log's.
    fn check_keys(&self) -> Result<(), OpenError> {
        let name = self.signer.public().name();
        let fits = |signer: &NoteSigner| signer.public().name() == name && !signer.public().is_rfc6962();
        let one = self.also_signed_by.is_empty() || !self.signer.public().is_rfc6962();
        if one && self.also_signed_by.iter().all(fits) { Ok(()) } else { Err(OpenError::Keys) }
    }
}

/// Why a log does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another writer has the folder.
    #[error("another process writes to this log")]
    Locked,
    /// From the file system.
    #[error("what the log lies on: {0}")]
    Io(#[from] io::Error),
    /// The published checkpoint is not this log's.
    #[error("the published checkpoint is not of this log: {0}")]
    Published(#[from] CheckpointError),
    /// More was published than is committed: the write-ahead log was lost or rolled back.
    #[error("a tree of {published} entries was published and only {committed} are committed")]
    PublishedAhead {
        /// Size of the published checkpoint.
        published: u64,
        /// Entries recovered.
        committed: u64,
    },
    /// Keys of several names, or more than one of a certificate log.
    #[error("keys that sign for one log have its name, and a certificate log has one")]
    Keys,
    /// The published root is not that of the committed tree.
    #[error("the committed tree does not have the published root")]
    PublishedDiffers,
    /// A full tile is missing or damaged.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// A full bundle is missing or damaged.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::BundleError),
    /// A checkpoint could not be published.
    #[error("the recovered tree could not be published: {0}")]
    Publish(#[from] AppendError),
    /// A redaction that a crash interrupted could not be completed.
    #[error("an interrupted redaction could not be completed: {0}")]
    Redact(#[from] RedactError),
}

impl OpenError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Locked => "log-locked",
            Self::Io(_) => "log-unreadable",
            Self::Published(error) => error.reason(),
            Self::PublishedAhead { .. } => "log-published-ahead",
            Self::PublishedDiffers => "log-published-differs",
            Self::Keys => "log-keys-differ",
            Self::Tile(error) => error.reason(),
            Self::Bundle(error) => error.reason(),
            Self::Publish(error) => error.reason(),
            Self::Redact(error) => error.reason(),
        }
    }
}

/// Why an entry was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log holds it already.
    #[error("the log holds this entry at index {0}")]
    Duplicate(u64),
    /// Refused as it is.
    #[error(transparent)]
    Refused(#[from] EntryError),
    /// Too few witnesses cosigned; the entry is durable, and published once enough do: they are asked again
    /// at intervals, and whoever submits it again then gets [`AppendError::Duplicate`].
    #[error("too few witnesses cosigned the checkpoint")]
    Unwitnessed,
    /// More entries wait than may; this one does not, and can be sent again later.
    #[error("too many entries wait already")]
    Busy,
    /// The log takes no entries any more, for ever.
    #[error("the log is frozen")]
    Frozen,
    /// Storage failed, or the log is shutting down. Whether the entry is in it is unknown; once storage works again,
    /// whoever submits it again gets a receipt or [`AppendError::Duplicate`].
    #[error("the log does not accept entries now")]
    Unavailable,
}

impl AppendError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "log-duplicate",
            Self::Refused(error) => error.reason(),
            Self::Unwitnessed => "log-unwitnessed",
            Self::Busy => "log-busy",
            Self::Frozen => "log-frozen",
            Self::Unavailable => "log-unavailable",
        }
    }
}

/// What an acknowledged entry gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// Size of the published tree.
    pub tree_size: u64,
    /// Root of the published tree.
    pub root: Hash,
    /// Inclusion proof in that tree, leaf side first.
    pub proof: Vec<Hash>,
    /// The published checkpoint, with all signatures.
    pub checkpoint: Arc<str>,
}

/// A running log. Clones share it; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Log {
    commands: mpsc::Sender<Command>,
    handle: Arc<Handle>,
}

struct Handle {
    reader: Reader,
    key: crate::note::NoteKey,
    redaction: Option<RedactionPolicy>,
    metrics: Arc<Metrics>,
    published: watch::Receiver<u64>,
    /// Set before the log's thread ends, so that nobody takes an end for a failure.
    frozen: Arc<AtomicBool>,
}

impl Log {
    /// Opens the folder, completes what a crash interrupted, publishes, and starts the sequencer's thread. A log that was
    /// frozen is opened for reading.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(config: Config) -> Result<Self, OpenError> {
        config.check_keys()?;
        let metrics = Arc::new(Metrics::default());
        let (published, seen) = watch::channel(0);
        let handle = Handle {
            metrics: Arc::clone(&metrics),
            published: seen,
            reader: config.reader(),
            key: config.signer.public().clone(),
            redaction: config.redaction.clone(),
            frozen: Arc::default(),
        };
        let (commands, receiver) = mpsc::channel(config.queue.max(1));
        if let Some(size) = freeze::is_frozen(&config)? {
            metrics.set_all(size);
            published.send_replace(size);
            handle.frozen.store(true, Ordering::SeqCst);
            return Ok(Self { commands, handle: Arc::new(handle) });
        }
        match config.shared.clone() {
            None => run::start(Sequencer::open(config)?, metrics, published, receiver)?,
            Some(shared) => run::start(FrontEnd::open(config, shared)?, metrics, published, receiver)?,
        }
        Ok(Self { commands, handle: Arc::new(handle) })
    }

    /// Appends an entry after verifying its signatures.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, entry: &Entry) -> Result<Receipt, AppendError> {
        match entry {
            Entry::HashedRekord(entry) => entry.verify()?,
            Entry::Redaction(record) => {
                let refused = EntryError::KindNotServed("redaction");
                let policy = self.handle.redaction.as_ref().ok_or(refused)?;
                record.verify(&policy.authorities, policy.threshold)?;
                // Whatever anybody could add to a record or leave out of it would be another entry about the same.
                if record.clone().minimal(&policy.authorities, policy.threshold) != *record {
                    return Err(EntryError::NotCanonical.into());
                }
                // Authorities sign what they like; readers stop at what has not the form.
                Entry::parse(&entry.body())?;
            }
            Entry::Sealed(_) => return Err(EntryError::KindNotServed("sealed without its payload").into()),
            Entry::IssuerKeys(_) => return Err(EntryError::KindNotServed("issuer-keys").into()),
            Entry::ProofReceipt(_) => return Err(EntryError::KindNotServed("proof-receipt").into()),
        }
        self.append_opaque(entry.body()).await
    }

    /// Appends the proof of a deferred certificate. No face of the log takes one from outside: nobody signs it, and what it
    /// says is the certificate authority's to check, which runs in the same process.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_receipt(&self, receipt: &ProofReceipt) -> Result<Receipt, AppendError> {
        self.append_opaque(Entry::ProofReceipt(receipt.clone()).body()).await
    }

    /// Appends a sealed entry with its openings, which are kept beside the log.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_sealed(
        &self,
        entry: &Entry,
        payload: &SealedPayload,
    ) -> Result<Receipt, AppendError> {
        let Entry::Sealed(sealed) = entry else { return Err(EntryError::KindNotServed("not sealed").into()) };
        sealed.verify()?;
        payload.verify(sealed)?;
        let body = entry.body();
        check_length(&body)?;
        self.send(Draft::fixed(body, payload.to_bytes())).await
    }

    /// Appends bytes as they are: for logs whose leaves are not entries of [`crate::entry`]. At most 65,535
    /// bytes.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_opaque(&self, body: Vec<u8>) -> Result<Receipt, AppendError> {
        check_length(&body)?;
        self.send(Draft::fixed(body, Vec::new())).await
    }

    /// Appends bytes as they are where equal ones may stand further back, as in the output log of a map, which
    /// may return to an earlier state. Only what stands last is a duplicate, so that repeating an append whose
    /// answer was lost is harmless.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_recurring(&self, body: Vec<u8>) -> Result<Receipt, AppendError> {
        check_length(&body)?;
        self.send(Draft::recurring(body)).await
    }

    /// Appends a leaf that depends on its index; `build` gives the bundle's item and the leaf hash.
    pub(crate) async fn append_indexed(
        &self,
        build: impl FnOnce(u64) -> (Vec<u8>, Hash) + Send + 'static,
    ) -> Result<Receipt, AppendError> {
        self.send(Draft::Indexed(Box::new(build))).await
    }

    async fn send(&self, draft: Draft) -> Result<Receipt, AppendError> {
        let (answer, receiver) = oneshot::channel();
        let command = Command::Append { draft, answer };
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => {
                metrics::add(&self.handle.metrics.refused_busy, 1);
                AppendError::Busy
            }
            TrySendError::Closed(_) => self.ended(),
        })?;
        receiver.await.map_err(|_| self.ended())?
    }

    /// Why nobody answers.
    fn ended(&self) -> AppendError {
        if self.is_frozen() { AppendError::Frozen } else { AppendError::Unavailable }
    }

    /// Ends the log: what was sent before is published, nothing is ever taken after it, also by whoever opens the log
    /// again, and reading goes on. Repeating it is harmless.
    ///
    /// # Errors
    /// [`FreezeError`]; the log then goes on as it was, or has stopped. After [`FreezeError::Io`] a process that ends before
    /// the log works again may leave it frozen.
    pub async fn freeze(&self) -> Result<(), FreezeError> {
        let (answer, frozen) = oneshot::channel();
        let freeze = Interlude::Freeze { ended: Arc::clone(&self.handle.frozen), answer };
        let sent = self.commands.send(Command::Interlude(freeze)).await;
        let answered = if sent.is_ok() { frozen.await.ok() } else { None };
        match answered {
            Some(frozen) => frozen,
            None if self.is_frozen() => Ok(()),
            None => Err(FreezeError::Unavailable),
        }
    }

    /// Whether it takes no entries any more.
    pub fn is_frozen(&self) -> bool {
        self.handle.frozen.load(Ordering::SeqCst)
    }

    /// Processes and answers what was sent before, takes nothing after it, and returns once the folder is free.
    pub async fn stop(&self) {
        let (answer, stopped) = oneshot::channel();
        if self.commands.send(Command::Interlude(Interlude::Stop { answer })).await.is_ok() {
            let _ = stopped.await;
        }
    }

    /// Withholds what the redaction record at `record` says, once that record is in a witnessed checkpoint
    /// and `coverage` shows that the map covers the entry (`protocol.md §9`). Repeating it is harmless.
    ///
    /// # Errors
    /// [`RedactError`].
    pub async fn redact(
        &self,
        record: u64,
        coverage: impl Coverage + Send + 'static,
    ) -> Result<Redacted, RedactError> {
        let (answer, receiver) = oneshot::channel();
        let redact = Interlude::Redact { record, coverage: Box::new(coverage), answer };
        self.commands.send(Command::Interlude(redact)).await.map_err(|_| RedactError::Unavailable)?;
        receiver.await.map_err(|_| RedactError::Unavailable)?
    }

    /// What the log counts.
    pub fn metrics(&self) -> &Metrics {
        &self.handle.metrics
    }

    /// Size of the published tree, as it grows.
    pub fn published(&self) -> watch::Receiver<u64> {
        self.handle.published.clone()
    }

    /// The log's folder, for reading.
    pub fn reader(&self) -> &Reader {
        &self.handle.reader
    }

    /// The log's public key; its name is the origin.
    pub fn key(&self) -> &crate::note::NoteKey {
        &self.handle.key
    }

    /// The published checkpoint.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        self.handle.reader.checkpoint()
    }
}

fn check_length(body: &[u8]) -> Result<(), EntryError> {
    if body.len() > crate::entry::MAX_BODY { Err(EntryError::TooLarge) } else { Ok(()) }
}
