//! The engine: one sequencer per log, over one folder; or several front ends over what they share ([`Shared`]).
//!
//! Accept → one write-ahead append with one `fdatasync` per batch → assign indices → tiles → sign → ask the
//! witnesses → publish. An answer means durable *and* included: it carries the inclusion proof under the
//! published checkpoint. Whatever a crash interrupts is completed when the folder is opened again; opening
//! refuses when the published checkpoint is of another log, or ahead of or different from the committed tree.
//! When storage fails while the log runs, what is on disk is unknown: the log then accepts nothing, opens its folder
//! anew at intervals as after a crash, and goes on where that succeeds.
//!
//! Deduplication is derived from the leaf hashes: of the latest leaves in memory, of those before in files, which are made anew
//! where they do not fit the tree. Of several front ends it is the order's, and each that starts compares it with the order.
//!
//! The queue before the sequencer is bounded in entries and in bytes: what finds it full is refused at once, to be sent again
//! later.

mod command;
#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;
mod config;
#[cfg(test)]
mod crash;
mod edge;
mod error;
mod freeze;
mod front_end;
mod intent;
#[cfg(test)]
mod interrupted;
mod known;
mod leaves;
mod metrics;
mod place;
mod publish;
mod redact;
mod run;
mod sequencer;
mod tree;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

pub use config::{Clock, Config, Layout, RedactionPolicy, Shared};
pub use error::{AppendError, OpenError};
pub use freeze::FreezeError;
pub use metrics::Metrics;
pub use redact::{Coverage, RedactError, Redacted};

use crate::entry::{Entry, EntryError, ProofReceipt, SealedPayload};
use crate::hash::Hash;
use crate::note::NoteKey;
use crate::store::bucket::ensure_conditional;
use crate::store::{ReadError, Reader};
use command::{Command, Draft, Interlude};
use front_end::FrontEnd;
use sequencer::Sequencer;

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
    keys: Vec<NoteKey>,
    redaction: Option<RedactionPolicy>,
    metrics: Arc<Metrics>,
    published: watch::Receiver<u64>,
    /// Bytes that more drafts may have while others wait.
    room: Arc<Semaphore>,
    /// Set before the log's thread ends, so that nobody takes an end for a failure.
    frozen: Arc<AtomicBool>,
}

impl Handle {
    /// Of a log that is opened when it has ended.
    fn end(&self, published: &watch::Sender<u64>, size: u64) {
        self.metrics.set_all(size);
        published.send_replace(size);
        self.frozen.store(true, Ordering::SeqCst);
    }
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
            room: Arc::new(Semaphore::new(config.queue_bytes)),
            reader: config.reader(),
            keys: config.keys(),
            redaction: config.redaction.clone(),
            frozen: Arc::default(),
        };
        let (commands, receiver) = mpsc::channel(config.queue.max(1));
        let Some(shared) = config.shared.clone() else {
            let lock = config.lock()?;
            match freeze::is_frozen(&config, &lock)? {
                Some(size) => handle.end(&published, size),
                None => run::start(Sequencer::open_locked(config, lock)?, metrics, published, receiver)?,
            }
            return Ok(Self { commands, handle: Arc::new(handle) });
        };
        shared.bucket.as_deref().map_or(Ok(()), ensure_conditional)?;
        let mut front_end = FrontEnd::open(config, shared)?;
        match front_end.is_frozen()? {
            Some(size) => handle.end(&published, size),
            None => run::start(front_end, metrics, published, receiver)?,
        }
        Ok(Self { commands, handle: Arc::new(handle) })
    }

    /// Appends an entry after verifying its signatures.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, entry: &Entry) -> Result<Receipt, AppendError> {
        self.append_opaque(self.verified(entry)?).await
    }

    /// The body of an entry, if its signatures and this log allow that it is appended.
    pub(crate) fn verified(&self, entry: &Entry) -> Result<Vec<u8>, AppendError> {
        match entry {
            Entry::HashedRekord(entry) => entry.verify()?,
            Entry::Redaction(record) => {
                let refused = EntryError::KindNotServed("redaction");
                let policy = self.handle.redaction.as_ref().ok_or(refused)?;
                record.verify(&policy.authorities, policy.threshold)?;
                // Whoever likes may bring what the same authorities have signed about another log.
                if record.statement.origin != self.key().name() {
                    return Err(EntryError::OtherLog.into());
                }
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
        Ok(entry.body())
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

    /// Appends a leaf of some `bytes` that depends on its index; `build` gives the bundle's item and the leaf hash.
    pub(crate) async fn append_indexed(
        &self,
        bytes: usize,
        build: impl FnOnce(u64) -> (Vec<u8>, Hash) + Send + 'static,
    ) -> Result<Receipt, AppendError> {
        self.send(Draft::Indexed { bytes, build: Box::new(build) }).await
    }

    async fn send(&self, draft: Draft) -> Result<Receipt, AppendError> {
        let answer = self.ask(draft).await;
        if matches!(answer, Err(AppendError::Busy)) {
            metrics::add(&self.handle.metrics.refused_busy, 1);
        }
        answer
    }

    async fn ask(&self, draft: Draft) -> Result<Receipt, AppendError> {
        let (answer, receiver) = oneshot::channel();
        let bytes = u32::try_from(draft.bytes()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.handle.room).try_acquire_many_owned(bytes);
        let room = room.map_err(|_| AppendError::Busy)?;
        self.commands.try_send(Command::Append { draft, answer, room }).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Busy,
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
    /// the log works again may leave it frozen. Of several front ends the order ends first: unless it could not be reached,
    /// none takes anything more, and what was taken is published once that can be done.
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

    /// What says so, for whoever must not keep the log running.
    pub(crate) fn frozen(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.handle.frozen)
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

    /// Whether entries are accepted now, and what is committed is published; of a log that has ended, whether it is whole.
    pub fn is_ready(&self) -> bool {
        // Its thread's gauges say nothing of a thread that is gone.
        (self.is_frozen() || !self.commands.is_closed()) && self.handle.metrics.is_ready()
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

    /// Whether content of its entries may be erased.
    pub(crate) fn may_withhold(&self) -> bool {
        self.handle.redaction.is_some()
    }

    /// The log's public key; its name is the origin.
    pub fn key(&self) -> &NoteKey {
        &self.handle.keys[0]
    }

    /// All keys that sign for it, that one first.
    pub fn keys(&self) -> &[NoteKey] {
        &self.handle.keys
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
