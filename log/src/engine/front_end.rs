//! One of several writers of a log whose order lies in a database.
//!
//! Every front end takes entries, and gives them their places in the shared order, batch by batch. The one that has the
//! lease also integrates what all of them ordered, stores tiles, and publishes; the others wait for its checkpoint and
//! answer from what is stored. When the lease is free, whoever sees that first takes it, and begins as a log does that
//! starts: from the order, the tiles and the published checkpoint.
//!
//! Two that think they have the lease do each other no harm: the order makes of them two that write the same tiles, and
//! the checkpoint is replaced only by whoever knows what stands there (a bucket), or holds the folder's lock. So a front
//! end that hangs and wakes up later publishes nothing older than what stands there. In a folder, one that hangs keeps the
//! lock: there the others publish again when it works or dies.

mod leading;
mod leaves;
mod ordering;
mod withhold;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::{Answer, Draft};
use super::freeze::FreezeError;
use super::metrics::{self, Metrics};
use super::publish::{Published, Publisher};
use super::redact::{Coverage, RedactError, Redacted};
use super::run::{Backlog, Writer};
use super::tree::RecentTiles;
use super::{AppendError, Config, OpenError, Shared};
use crate::store::shared::Journal;
use leading::Leading;

/// How often a front end that waits for a checkpoint looks for it.
const LOOK: Duration = Duration::from_millis(4);

/// How long the lease is at least while a front end begins to lead: it reads the end of the tree then, and prolongs nothing.
/// Of one that dies meanwhile the database knows.
const BEGINNING: Duration = Duration::from_secs(60);

/// Everything that the log's thread owns.
pub(super) struct FrontEnd {
    config: Config,
    shared: Shared,
    /// The order; `None` when it could not be reached, or what it did is unknown.
    journal: Option<Box<dyn Journal>>,
    leading: Option<Leading>,
    /// When the lease was last looked at.
    looked: Instant,
    /// When it was last tried to publish what is ordered.
    led: Instant,
    /// When storage failed or was last tried again.
    failed: Option<Instant>,
    /// What this front end last saw published, and committed.
    seen: (u64, u64),
    backlog: Backlog,
    /// How much of what was withheld it knew when it last led, until it has looked after what it then stored.
    knew: Option<u64>,
    metrics: Arc<Metrics>,
}

impl FrontEnd {
    /// Joins the front ends of a log; as the first, begins to lead.
    pub(super) fn open(config: Config, shared: Shared) -> Result<Self, OpenError> {
        let now = Instant::now();
        let mut front_end = Self {
            config,
            shared,
            journal: None,
            leading: None,
            looked: now,
            led: now,
            failed: None,
            seen: (0, 0),
            backlog: Backlog::default(),
            knew: None,
            metrics: Arc::default(),
        };
        front_end.connect()?;
        // Before it can be the one that publishes: others would wait for it.
        front_end.check_leaves()?;
        front_end.join()?;
        Ok(front_end)
    }

    /// Joins anew after storage failed.
    pub(super) fn heal(&mut self) -> Result<(), OpenError> {
        self.failed = Some(Instant::now());
        self.leave();
        if let Err(error) = self.connect().and_then(|()| self.join()) {
            // Another front end may be able to do what this one is not.
            self.leave();
            return Err(error);
        }
        self.failed = None;
        Ok(())
    }

    /// Lets others lead, at once where the order can still be reached, and else when the database finds this session ended.
    fn leave(&mut self) {
        // The folder is free before another may think so.
        self.leading = None;
        if let Some(mut journal) = self.journal.take() {
            let _ = journal.release();
        }
    }

    fn connect(&mut self) -> Result<(), OpenError> {
        self.journal = Some(self.shared.journal.connect(self.config.signer.public().name())?);
        Ok(())
    }

    fn join(&mut self) -> Result<(), OpenError> {
        self.contend()?;
        match self.lead() {
            // Somebody else does.
            None => self.look(0).map(drop),
            // They are asked again after a while; until then the last checkpoint stands.
            Some(Ok(_) | Err(AppendError::Unwitnessed)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Whether it has to be healed.
    #[cfg(test)]
    pub(super) fn is_failed(&self) -> bool {
        self.failed.is_some()
    }

    #[cfg(test)]
    pub(super) fn leads(&self) -> bool {
        self.leading.is_some()
    }

    fn fail(&mut self) {
        self.failed = Some(Instant::now());
        self.leave();
        metrics::add(&self.metrics.storage_failures, 1);
    }

    /// Takes the lease if it is free, or prolongs it.
    fn contend(&mut self) -> Result<(), OpenError> {
        self.looked = Instant::now();
        let Some(journal) = self.journal.as_deref_mut() else { return Ok(()) };
        let begins = self.leading.is_none();
        if !journal.lease(if begins { self.shared.lease.max(BEGINNING) } else { self.shared.lease })? {
            self.leading = None;
            self.sweep()?;
        } else if begins {
            let begun = Leading::begin(&self.config, journal, self.knew);
            // What it has stored since may be what others withhold meanwhile.
            self.knew.get_or_insert(0);
            match begun? {
                Some(leading) if journal.lease(self.shared.lease)? => {
                    tracing::info!(size = leading.tree.size(), "this front end publishes now");
                    self.leading = Some(leading);
                }
                Some(_) => {}
                None => journal.release()?,
            }
        }
        Ok(())
    }

    /// Contends when it is time to. Returns whether storage works.
    fn keep_lease(&mut self) -> bool {
        let every = if self.leading.is_some() { self.shared.lease / 3 } else { self.shared.contend };
        if self.looked.elapsed() >= every
            && let Err(error) = self.contend()
        {
            tracing::error!(%error, "this front end cannot publish");
            self.fail();
        }
        self.failed.is_none()
    }

    /// The size of the tree, if the order has ended and all of it is published.
    pub(super) fn is_frozen(&mut self) -> Result<Option<u64>, OpenError> {
        let Some(journal) = self.journal.as_deref_mut() else { return Ok(None) };
        let turn = journal.begin(&[])?;
        journal.pass()?;
        if !turn.ended {
            return Ok(None);
        }
        let published = self.look(turn.next)?.map(|published| published.checkpoint.size);
        if published.is_some() {
            self.keep_partials()?;
        }
        Ok(published)
    }

    /// Has the last partial tiles stand there for good, if this front end leads: who reads the log then has no order to derive
    /// them from.
    fn keep_partials(&self) -> io::Result<()> {
        self.leading.as_ref().map_or(Ok(()), |leading| leading.tree.keep_partials())
    }

    /// Publishes what is ordered, if this front end leads.
    fn lead(&mut self) -> Option<Result<Published, AppendError>> {
        let (leading, journal) = (self.leading.as_mut()?, self.journal.as_deref_mut()?);
        let published = leading.lead(&self.config, journal);
        self.led = Instant::now();
        self.seen.1 = leading.tree.size();
        self.knew = Some(leading.erased);
        match &published {
            Ok(published) => self.seen.0 = published.checkpoint.size,
            Err(AppendError::Unwitnessed) => metrics::add(&self.metrics.unwitnessed, 1),
            Err(_) => self.fail(),
        }
        Some(published)
    }

    /// Whether as much is ordered and not published as whoever leads next can read at once.
    fn is_far_behind(&mut self) -> io::Result<bool> {
        if !self.backlog.is_full(self.seen.1, self.seen.0) {
            return Ok(false);
        }
        if let Some(journal) = self.journal.as_deref_mut() {
            // What this front end saw last may be long past.
            self.seen.0 = self.seen.0.max(journal.announced()?);
        }
        Ok(self.backlog.is_full(self.seen.1, self.seen.0))
    }

    /// Waits until a tree of this size is published, by this front end or another.
    fn await_published(&mut self, size: u64) -> Result<Published, AppendError> {
        let deadline = Instant::now() + self.shared.patience;
        loop {
            if !self.keep_lease() {
                return Err(AppendError::Unavailable);
            }
            if let Some(published) = self.lead() {
                return published;
            }
            match self.look(size) {
                Ok(Some(published)) => return Ok(published),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Ok(None) => return Err(AppendError::Unavailable),
                Err(error) => {
                    tracing::error!(%error, "what is published cannot be read");
                    self.fail();
                    return Err(AppendError::Unavailable);
                }
            }
        }
    }

    /// The published checkpoint, once it is said to be of this size or larger.
    fn look(&mut self, size: u64) -> Result<Option<Published>, OpenError> {
        let Some(journal) = self.journal.as_deref_mut() else { return Ok(None) };
        if journal.announced()? < size {
            return Ok(None);
        }
        let mut publisher = Publisher::new(&self.config);
        let read = publisher.recover(&self.config)?;
        self.seen = (read, self.seen.1.max(read));
        Ok(publisher.published().filter(|_| read >= size).cloned())
    }
}

impl Writer for FrontEnd {
    fn config(&self) -> &Config {
        &self.config
    }

    fn metrics(&mut self) -> &mut Arc<Metrics> {
        &mut self.metrics
    }

    fn due(&self) -> Option<Instant> {
        Some(match (self.failed, &self.leading) {
            (Some(since), _) => since + self.config.storage_retry,
            (None, Some(_)) => self.led + self.config.batch_age,
            (None, None) => self.looked + self.shared.contend,
        })
    }

    fn tend(&mut self) {
        if self.failed.is_some() {
            match self.heal() {
                Ok(()) => tracing::info!("storage works again"),
                Err(error) => tracing::error!(%error, "storage still fails"),
            }
        } else if self.keep_lease() && self.lead().is_none() {
            // What others publish is told here too, though nobody waits for it.
            let next = self.seen.0 + 1;
            if self.look(next).is_err() {
                self.fail();
            }
        }
    }

    fn process(&mut self, batch: Vec<(Draft, Answer)>) {
        let refused = match self.is_far_behind() {
            _ if self.failed.is_some() => Some(AppendError::Unavailable),
            Ok(false) => None,
            Ok(true) => Some(AppendError::Busy),
            Err(error) => {
                tracing::error!(%error, "what is published cannot be asked");
                self.fail();
                Some(AppendError::Unavailable)
            }
        };
        if let Some(error) = refused {
            batch.into_iter().for_each(|(_, answer)| drop(answer.send(Err(error.clone()))));
            return;
        }
        let (placed, published) = match self.order(batch) {
            Err((placed, error)) => {
                if error == AppendError::Unavailable {
                    self.fail();
                }
                (placed, Err(error))
            }
            Ok(placed) => {
                let waiting = placed.waiting.iter().map(|(index, _, _)| *index);
                let indices = waiting.chain(placed.duplicates.iter().map(|(index, _)| *index));
                let size = indices.max().map_or(0, |last| last + 1);
                self.seen.1 = self.seen.1.max(size);
                let published = self.await_published(size);
                if published.is_ok() {
                    self.backlog.clear();
                }
                (placed, published)
            }
        };
        let tiles = match &self.leading {
            Some(leading) => leading.tree.tiles().clone(),
            None => RecentTiles::new(self.config.reader()),
        };
        placed.answer(published, tiles, &self.metrics);
    }

    fn redact(&mut self, record: u64, coverage: &dyn Coverage) -> Result<Redacted, RedactError> {
        self.withhold(record, coverage)
    }

    /// Ends the order first, so that nobody appends more, and then waits until all of it is published.
    fn freeze(&mut self) -> Result<(), FreezeError> {
        let Some(journal) = self.journal.as_deref_mut().filter(|_| self.failed.is_none()) else {
            return Err(FreezeError::Unavailable);
        };
        let size = journal.end().inspect_err(|_| self.fail())?;
        self.seen.1 = self.seen.1.max(size);
        match self.await_published(size) {
            Ok(_) => Ok(self.keep_partials().inspect_err(|_| self.fail())?),
            Err(AppendError::Unwitnessed) => Err(FreezeError::Unwitnessed),
            Err(_) => Err(FreezeError::Unavailable),
        }
    }

    fn measure(&self) {
        metrics::set(&self.metrics.committed, self.seen.1);
        metrics::set(&self.metrics.published, self.seen.0);
        metrics::set(&self.metrics.storage_failing, u64::from(self.failed.is_some()));
        metrics::set(&self.metrics.publishing, u64::from(self.leading.is_some()));
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.leave();
    }
}
