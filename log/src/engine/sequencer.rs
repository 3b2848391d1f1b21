//! The one thread that writes to a log.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::known::Known;
use super::metrics::{self, Metrics};
use super::publish::{Published, Publisher};
use super::redact::{self, Coverage, RedactError, Redacted};
use super::tree::{CommittedTree, leaves};
use super::{AppendError, Config, Layout, OpenError, Receipt};
use crate::hash::Hash;
use crate::merkle::{inclusion_proof, leaf_hash};
use crate::store::files::FolderLock;
use crate::store::wal::Sequenced;
use crate::tile::TileTree;

/// An entry before it has its index.
pub(super) enum Draft {
    /// Refused when the log holds the same leaf: anywhere, or, if it may recur, in the last place.
    Fixed {
        entry: Sequenced,
        recurring: bool,
    },
    Indexed(Box<dyn FnOnce(u64) -> (Vec<u8>, Hash) + Send>),
}

impl Draft {
    pub(super) fn fixed(item: Vec<u8>, attachment: Vec<u8>) -> Self {
        Self::Fixed { entry: Sequenced { leaf: leaf_hash(&item), item, attachment }, recurring: false }
    }

    pub(super) fn recurring(item: Vec<u8>) -> Self {
        Self::Fixed {
            entry: Sequenced { leaf: leaf_hash(&item), item, attachment: Vec::new() },
            recurring: true,
        }
    }
}

pub(super) type Answer = oneshot::Sender<Result<Receipt, AppendError>>;

pub(super) enum Command {
    Append { draft: Draft, answer: Answer },
    Interlude(Interlude),
}

/// What is not appended, and ends a batch.
pub(super) enum Interlude {
    Redact {
        record: u64,
        coverage: Box<dyn Coverage + Send>,
        answer: oneshot::Sender<Result<Redacted, RedactError>>,
    },
    /// What was sent before is processed, and what comes after is not.
    Stop { answer: oneshot::Sender<()> },
}

/// Everything the thread owns.
pub(super) struct Sequencer {
    pub(super) config: Config,
    pub(super) tree: CommittedTree,
    pub(super) publisher: Publisher,
    /// The leaves, where the layout lets equal submissions have equal ones.
    known: Known,
    /// When storage failed or was last tried again: what is on disk is unknown until the folder is opened anew.
    failed: Option<Instant>,
    metrics: Arc<Metrics>,
    _lock: FolderLock,
}

/// Opens the folder and starts the thread.
pub(super) fn start(
    config: Config,
    metrics: Arc<Metrics>,
    commands: mpsc::Receiver<Command>,
) -> Result<(), OpenError> {
    let mut sequencer = Sequencer::open(config)?;
    sequencer.metrics = metrics;
    sequencer.measure();
    let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let name = format!("log {}", sequencer.publisher.log_key().name());
    let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
    thread.spawn(move || sequencer.run(&timer, commands))?;
    Ok(())
}

/// Reads what the folder holds and makes it consistent.
fn recover(config: &Config) -> Result<(Publisher, CommittedTree, Known), OpenError> {
    let mut publisher = Publisher::new(config);
    let published = publisher.recover()?;
    let tree = CommittedTree::open(config, published)?;
    let reader = config.reader();
    publisher.compare(&reader)?;
    let mut known = Known::with_capacity(if config.layout == Layout::TlogTiles { tree.size() } else { 0 });
    if config.layout == Layout::TlogTiles {
        leaves(&reader, tree.size(), |index, leaf| known.insert(&leaf, index))?;
    }
    Ok((publisher, tree, known))
}

impl Sequencer {
    pub(super) fn open(config: Config) -> Result<Self, OpenError> {
        let lock = config.files.lock(&config.folder)?.ok_or(OpenError::Locked)?;
        let (publisher, tree, known) = recover(&config)?;
        let mut sequencer =
            Self { config, tree, publisher, known, failed: None, metrics: Arc::default(), _lock: lock };
        sequencer.complete()?;
        Ok(sequencer)
    }

    /// Opens the folder anew after storage failed; the lock is kept.
    pub(super) fn heal(&mut self) -> Result<(), OpenError> {
        self.failed = Some(Instant::now());
        (self.publisher, self.tree, self.known) = recover(&self.config)?;
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

    /// Brings the gauges up to date.
    fn measure(&self) {
        let published = self.publisher.published().map_or(0, |published| published.checkpoint.size);
        metrics::set(&self.metrics.committed, self.tree.size());
        metrics::set(&self.metrics.published, published);
        metrics::set(&self.metrics.storage_failing, u64::from(self.failed.is_some()));
    }

    /// Whether entries are committed and not published.
    fn is_behind(&self) -> bool {
        let size = self.tree.size();
        self.publisher.published().is_none_or(|published| published.checkpoint.size < size)
    }

    /// The next command. While storage fails or entries wait for witnesses, both are tried again at intervals.
    fn next(&mut self, timer: &Runtime, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        loop {
            let due = match self.failed {
                Some(since) => since + self.config.storage_retry,
                None if self.is_behind() => Instant::now() + self.config.witness_retry,
                None => return commands.blocking_recv(),
            };
            match timer.block_on(async { tokio::time::timeout_at(due.into(), commands.recv()).await }) {
                Ok(command) => return command,
                Err(_) => {
                    self.try_again();
                    self.measure();
                }
            }
        }
    }

    fn try_again(&mut self) {
        if self.failed.is_some() {
            match self.heal() {
                Ok(()) => tracing::info!(size = self.tree.size(), "storage works again"),
                Err(error) => tracing::error!(%error, "storage still fails"),
            }
        } else {
            match self.publish() {
                Ok(published) => tracing::info!(size = published.checkpoint.size, "published late"),
                Err(error) => tracing::warn!(%error, "entries wait for their checkpoint"),
            }
        }
    }

    fn fail(&mut self) {
        self.failed = Some(Instant::now());
        metrics::add(&self.metrics.storage_failures, 1);
    }

    /// Runs until the last sender is gone or asks for it.
    fn run(mut self, timer: &Runtime, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = self.next(timer, &mut commands) {
            let (batch, interlude) = self.gather(command, &mut commands);
            let begun = Instant::now();
            self.process(batch);
            let spent = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            metrics::add(&self.metrics.batch_microseconds, spent);
            self.measure();
            match interlude {
                None => {}
                Some(Interlude::Redact { record, coverage, answer }) => {
                    let _ = answer.send(self.redact(record, coverage.as_ref()));
                }
                Some(Interlude::Stop { answer }) => {
                    // The folder is free once this is answered.
                    drop(self);
                    let _ = answer.send(());
                    return;
                }
            }
        }
    }

    /// A batch: what comes within its age, up to its size or what ends it.
    fn gather(
        &self,
        first: Command,
        commands: &mut mpsc::Receiver<Command>,
    ) -> (Vec<(Draft, Answer)>, Option<Interlude>) {
        let (mut batch, opened) = (Vec::new(), Instant::now());
        let mut command = first;
        loop {
            match command {
                Command::Append { draft, answer } => batch.push((draft, answer)),
                Command::Interlude(interlude) => return (batch, Some(interlude)),
            }
            if batch.len() >= self.config.batch_size {
                return (batch, None);
            }
            command = loop {
                match commands.try_recv() {
                    Ok(command) => break command,
                    Err(mpsc::error::TryRecvError::Empty) if opened.elapsed() < self.config.batch_age => {
                        std::thread::sleep(self.config.batch_age / 10);
                    }
                    Err(_) => return (batch, None),
                }
            };
        }
    }

    /// Withholds. When storage fails in between, what is on disk is unknown until the folder is opened again,
    /// which completes the erasure.
    pub(super) fn redact(&mut self, record: u64, coverage: &dyn Coverage) -> Result<Redacted, RedactError> {
        if self.failed.is_some() {
            return Err(RedactError::Unavailable);
        }
        let redacted = redact::redact(self, record, coverage);
        if matches!(redacted, Err(RedactError::Io(_))) {
            self.fail();
        }
        redacted
    }

    /// Commits a batch, publishes, and answers.
    pub(super) fn process(&mut self, batch: Vec<(Draft, Answer)>) {
        if batch.is_empty() {
            return;
        }
        if self.failed.is_some() {
            batch.into_iter().for_each(|(_, answer)| drop(answer.send(Err(AppendError::Unavailable))));
            return;
        }
        let mut waiting = Vec::new();
        let mut duplicates = Vec::new();
        let mut entries = Vec::new();
        for (draft, answer) in batch {
            let index = self.tree.size() + entries.len() as u64;
            let (entry, recurring) = match draft {
                Draft::Fixed { entry, recurring } => (entry, recurring),
                Draft::Indexed(build) => {
                    let (item, leaf) = build(index);
                    (Sequenced { leaf, item, attachment: Vec::new() }, false)
                }
            };
            if self.config.layout == Layout::TlogTiles {
                let (tree, leaf) = (&self.tree, entry.leaf);
                let is = |index: u64| match index.checked_sub(tree.size()) {
                    None => tree.leaf(index) == Some(leaf),
                    Some(at) => usize::try_from(at)
                        .is_ok_and(|at| entries.get(at).is_some_and(|e: &Sequenced| e.leaf == leaf)),
                };
                let known = self.known.find(&leaf, is);
                if let Some(known) = known.filter(|known| !recurring || known + 1 == index) {
                    duplicates.push((known, answer));
                    continue;
                }
                self.known.insert(&entry.leaf, index);
            }
            waiting.push((index, entry.leaf, answer));
            entries.push(entry);
        }
        let published = self.commit(entries);
        metrics::add(&self.metrics.duplicates, duplicates.len() as u64);
        for (index, answer) in duplicates {
            let _ = answer.send(Err(match &published {
                Ok(_) => AppendError::Duplicate(index),
                Err(error) => error.clone(),
            }));
        }
        match published {
            Err(error) => {
                waiting.into_iter().for_each(|(_, _, answer)| drop(answer.send(Err(error.clone()))))
            }
            Ok(published) => {
                metrics::add(&self.metrics.batches, 1);
                metrics::add(&self.metrics.acknowledged, waiting.len() as u64);
                self.answer(waiting, &published);
            }
        }
    }

    pub(super) fn commit(&mut self, entries: Vec<Sequenced>) -> Result<Published, AppendError> {
        if !entries.is_empty()
            && let Err(error) = self.tree.append(entries)
        {
            tracing::error!(%error, "storage failed; nothing is accepted until it works again");
            self.fail();
            return Err(AppendError::Unavailable);
        }
        match self.publisher.published() {
            Some(published) if published.checkpoint.size == self.tree.size() => Ok(published.clone()),
            _ => self.publish(),
        }
    }

    fn publish(&mut self) -> Result<Published, AppendError> {
        let published = self.publisher.publish(&self.tree.tiles(), self.tree.size());
        match published {
            Err(AppendError::Unavailable) => self.fail(),
            Err(AppendError::Unwitnessed) => metrics::add(&self.metrics.unwitnessed, 1),
            _ => {}
        }
        published
    }

    fn answer(&self, waiting: Vec<(u64, Hash, Answer)>, published: &Published) {
        let checkpoint = &published.checkpoint;
        let tree = TileTree::new(self.tree.tiles(), checkpoint.size);
        for (index, leaf_hash, answer) in waiting {
            let receipt = inclusion_proof(&tree, index, checkpoint.size).map(|proof| Receipt {
                index,
                leaf_hash,
                tree_size: checkpoint.size,
                root: checkpoint.root,
                proof,
                checkpoint: published.note.clone(),
            });
            // Whoever went away finds the entry by its index or as a duplicate.
            let _ = answer.send(receipt.map_err(|_| AppendError::Unavailable));
        }
    }
}
