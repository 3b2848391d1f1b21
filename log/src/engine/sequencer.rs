//! The one writer of a log that lies in a folder.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::command::{Answer, Draft};
use super::freeze::{self, FreezeError};
use super::intent::Intent;
use super::known::{self, Known, Untold};
use super::metrics::{self, Metrics};
use super::place::place;
use super::publish::{Published, Publisher};
use super::redact::{self, Coverage, RedactError, Redacted};
use super::run::{Backlog, Writer};
use super::tree::CommittedTree;
use super::{AppendError, Config, Layout, OpenError};
use crate::batch::{Batch, Sequenced};
use crate::hash::Hash;
use crate::store::files::FolderLock;
use crate::store::wal::WriteAheadLog;
use crate::tile::{TILE_WIDTH, TileTree};

/// Everything that the log's thread owns.
pub(super) struct Sequencer {
    pub(super) config: Config,
    wal: WriteAheadLog,
    /// Bytes of the write-ahead log at which it is trimmed behind full bundles.
    trim_at: u64,
    pub(super) tree: CommittedTree,
    pub(super) publisher: Publisher,
    /// The leaves, where the layout lets equal submissions have equal ones.
    known: Option<Known>,
    /// The segment of these that could not be read, until it was made anew.
    suspect: Option<u64>,
    /// When storage failed or was last tried again: what is on disk is unknown until the folder is opened anew.
    failed: Option<Instant>,
    /// When witnesses were last asked.
    asked: Instant,
    backlog: Backlog,
    metrics: Arc<Metrics>,
    _lock: FolderLock,
}

/// What a folder holds.
struct Recovered {
    wal: WriteAheadLog,
    publisher: Publisher,
    tree: CommittedTree,
    known: Option<Known>,
}

/// Reads what the folder holds and makes it consistent; the segment of known leaves that is `suspect` is made anew. If fewer
/// entries are there than were published, or others, nothing is changed.
fn recover(config: &Config, suspect: Option<u64>) -> Result<Recovered, OpenError> {
    let mut publisher = Publisher::new(config);
    let published = publisher.recover(config)?;
    let is_begun = CommittedTree::is_begun(&config.objects())?;
    let (mut wal, batches) = WriteAheadLog::open(&config.files, &config.folder.join("wal"))?;
    let committed = batches.last().map_or(0, Batch::end);
    if committed < published {
        return Err(OpenError::PublishedAhead { published, committed });
    }
    if committed == 0 && is_begun {
        return Err(OpenError::Uncommitted);
    }
    publisher.compare(config.reader(), &batches)?;
    wal.settle()?;
    let tree = CommittedTree::open(config.objects(), config.layout, &batches)?;
    let known = match config.layout {
        Layout::StaticCt => None,
        Layout::TlogTiles => {
            let place = known::Place::new(&config.files, &config.folder, config.known_height);
            Some(Known::open(place, &TileTree::new(tree.tiles(), tree.size()), suspect)?)
        }
    };
    Ok(Recovered { wal, publisher, tree, known })
}

impl Sequencer {
    /// As whoever looks at nothing else first.
    #[cfg(test)]
    pub(super) fn open(config: Config) -> Result<Self, OpenError> {
        let lock = config.lock()?;
        Self::open_locked(config, lock)
    }

    /// Opens a folder that was not found frozen under this lock.
    pub(super) fn open_locked(config: Config, lock: FolderLock) -> Result<Self, OpenError> {
        let Recovered { wal, publisher, tree, known } = recover(&config, None)?;
        let mut sequencer = Self {
            trim_at: config.wal_limit,
            config,
            wal,
            tree,
            publisher,
            known,
            suspect: None,
            failed: None,
            asked: Instant::now(),
            backlog: Backlog::default(),
            metrics: Arc::default(),
            _lock: lock,
        };
        sequencer.complete()?;
        Ok(sequencer)
    }

    /// Opens the folder anew after storage failed; the lock is kept.
    pub(super) fn heal(&mut self) -> Result<(), OpenError> {
        self.failed = Some(Instant::now());
        freeze::forget_attempt(&self.config)?;
        // Two of them at once would take twice the memory.
        self.known = None;
        let Recovered { wal, publisher, tree, known } = recover(&self.config, self.suspect)?;
        self.suspect = None;
        (self.wal, self.publisher, self.tree, self.known) = (wal, publisher, tree, known);
        self.trim_at = self.config.wal_limit;
        self.complete()?;
        self.failed = None;
        Ok(())
    }

    /// Completes what was interrupted: erasures, and the publication of what is committed.
    fn complete(&mut self) -> Result<(), OpenError> {
        redact::complete_interrupted(self)?;
        if self.is_behind() {
            match self.publish() {
                // They are asked again after a while; until then the last checkpoint stands.
                Ok(_) | Err(AppendError::Unwitnessed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether what is committed is not published, or not with all signatures.
    fn is_behind(&self) -> bool {
        self.publisher.whole(self.tree.size()).is_none()
    }

    fn fail(&mut self) {
        self.failed = Some(Instant::now());
        metrics::add(&self.metrics.storage_failures, 1);
    }

    /// The last index of a leaf.
    fn find(&self, leaf: &Hash) -> Result<Option<u64>, Untold> {
        let Some(known) = &self.known else { return Ok(None) };
        known.find(leaf, &TileTree::new(self.tree.tiles(), self.tree.size()))
    }

    /// Writes down the leaves by which duplicates are told, where there are enough for a file. Returns whether that went well.
    fn seal(&mut self) -> bool {
        let Some(known) = &mut self.known else { return true };
        let sealed = known.seal(&TileTree::new(self.tree.tiles(), self.tree.size()));
        sealed.inspect_err(|error| tracing::error!(%error, "leaves cannot be written down")).is_ok()
    }

    pub(super) fn commit(&mut self, entries: Vec<Sequenced>) -> Result<Published, AppendError> {
        if !entries.is_empty()
            && let Err(error) = self.append(entries)
        {
            tracing::error!(%error, "storage failed; nothing is accepted until it works again");
            self.fail();
            return Err(AppendError::Unavailable);
        }
        match self.publisher.whole(self.tree.size()) {
            Some(published) => Ok(published.clone()),
            None => self.publish(),
        }
    }

    /// Makes entries durable, and integrates them.
    fn append(&mut self, entries: Vec<Sequenced>) -> io::Result<()> {
        let batch = Batch { first: self.tree.size(), entries };
        self.wal.append(&batch)?;
        self.tree.append(std::slice::from_ref(&batch))?;
        if let Some(known) = &mut self.known {
            (batch.first..).zip(&batch.entries).for_each(|(index, entry)| known.push(&entry.leaf, index));
        }
        if self.wal.bytes() > self.trim_at {
            let size = self.tree.size();
            self.wal.trim(size - size % TILE_WIDTH, size)?;
            // What has to stay may be larger than the limit: rewriting it at every append gains nothing.
            self.trim_at = self.wal.bytes() + self.config.wal_limit;
        }
        Ok(())
    }

    /// Takes what is withheld out of every file.
    pub(super) fn withhold(&mut self, intents: &BTreeMap<u64, Intent>) -> io::Result<()> {
        if intents.is_empty() {
            return Ok(());
        }
        let strike =
            |index, entry: &mut Sequenced| intents.get(&index).map_or(Ok(()), |intent| intent.strike(entry));
        self.wal.rewrite(strike)?;
        intents.values().try_for_each(|intent| self.tree.withhold(intent))
    }

    fn publish(&mut self) -> Result<Published, AppendError> {
        let published = self.publisher.publish(&self.tree);
        self.asked = Instant::now();
        match published {
            Err(AppendError::Unavailable) => self.fail(),
            Err(AppendError::Unwitnessed) => metrics::add(&self.metrics.unwitnessed, 1),
            _ => {}
        }
        published
    }
}

impl Writer for Sequencer {
    fn config(&self) -> &Config {
        &self.config
    }

    fn metrics(&mut self) -> &mut Arc<Metrics> {
        &mut self.metrics
    }

    /// While storage fails or entries wait for witnesses, both are tried again at intervals; so are checkpoints renewed.
    fn due(&self) -> Option<Instant> {
        match self.failed {
            Some(since) => Some(since + self.config.storage_retry),
            None if self.is_behind() => Some(self.asked + self.config.witness_retry),
            None => self.config.refreshed_every().map(|every| self.asked + every),
        }
    }

    fn tend(&mut self) {
        if self.failed.is_some() {
            match self.heal() {
                Ok(()) => tracing::info!(size = self.tree.size(), "storage works again"),
                Err(error) => tracing::error!(%error, "storage still fails"),
            }
        } else {
            match (self.is_behind(), self.publish()) {
                (true, Ok(published)) => tracing::info!(size = published.checkpoint.size, "published late"),
                (true, Err(error)) => tracing::warn!(%error, "entries wait for their checkpoint"),
                (false, Ok(_)) => {}
                (false, Err(error)) => tracing::warn!(%error, "the checkpoint grows old"),
            }
        }
    }

    fn process(&mut self, batch: Vec<(Draft, Answer)>) {
        let refused = match self.backlog.is_full(self.tree.size(), self.publisher.published_size()) {
            _ if self.failed.is_some() => Some(AppendError::Unavailable),
            // What is tried again at each batch while there is room is now tried at intervals.
            true => Some(AppendError::Busy),
            false => None,
        };
        if let Some(error) = refused {
            batch.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone()))));
            return;
        }
        let suspect = Cell::new(None);
        let mut placed = place(batch, self.tree.size(), |leaf| {
            // Nobody is told anything by a file that cannot be read: from the first on whom it concerns, all come again.
            if suspect.get().is_some() {
                return Err(AppendError::Unavailable);
            }
            self.find(leaf).map_err(|error| {
                tracing::error!(%error, "whether the log holds an entry cannot be told");
                if let Untold::Segment(number, _) = error {
                    suspect.set(Some(number));
                }
                AppendError::Unavailable
            })
        });
        self.backlog.add(placed.bytes());
        let published = self.commit(std::mem::take(&mut placed.entries));
        placed.answer(published, self.tree.tiles(), &self.metrics);
        self.suspect = self.suspect.or(suspect.get());
        if self.failed.is_none() && (self.suspect.is_some() || !self.seal()) {
            self.fail();
        }
    }

    /// Withholds. When storage fails in between, what is on disk is unknown until the folder is opened again,
    /// which completes the erasure.
    fn redact(&mut self, record: u64, coverage: &dyn Coverage) -> Result<Redacted, RedactError> {
        if self.failed.is_some() {
            return Err(RedactError::Unavailable);
        }
        let redacted = redact::redact(self, record, coverage);
        if matches!(redacted, Err(RedactError::Io(_))) {
            self.fail();
        }
        redacted
    }

    fn freeze(&mut self) -> Result<(), FreezeError> {
        if self.failed.is_some() {
            return Err(FreezeError::Unavailable);
        }
        if self.is_behind() {
            self.publish().map_err(|error| match error {
                AppendError::Unwitnessed => FreezeError::Unwitnessed,
                _ => FreezeError::Unavailable,
            })?;
        }
        let note = self.publisher.published().ok_or(FreezeError::Unavailable)?.note.clone();
        let kept = self.tree.keep_partials().map_err(FreezeError::from);
        kept.and_then(|()| freeze::freeze(&self.config, &note)).inspect_err(|_| self.fail())
    }

    fn measure(&self) {
        metrics::set(&self.metrics.committed, self.tree.size());
        metrics::set(&self.metrics.published, self.publisher.published_size());
        metrics::set(&self.metrics.storage_failing, u64::from(self.failed.is_some()));
        metrics::set(&self.metrics.publishing, 1);
    }
}
