//! What the front end that has the lease does: integrating what all of them ordered, and publishing it.

use std::io;
use std::time::Instant;

use super::withhold::intents;
use crate::batch::Batch;
use crate::engine::publish::{Published, Publisher};
use crate::engine::tree::CommittedTree;
use crate::engine::{AppendError, Config, OpenError};
use crate::store::files::FolderLock;
use crate::store::shared::{Journal, Ordered};
use crate::tile::TILE_WIDTH;

/// What the front end that has the lease has besides.
pub(super) struct Leading {
    pub(super) tree: CommittedTree,
    publisher: Publisher,
    /// When the witnesses may be asked again after too few of them cosigned.
    again: Option<Instant>,
    /// When it was last tried to publish.
    tried: Instant,
    /// How much of what was withheld is erased.
    pub(super) erased: u64,
    _lock: Option<FolderLock>,
}

/// What is published, and what is ordered, which has that root; of an order that keeps no batch, an empty one at its end.
pub(super) fn published_and_ordered(
    config: &Config,
    journal: &mut dyn Journal,
) -> Result<(Publisher, Ordered), OpenError> {
    let mut publisher = Publisher::new(config);
    let published = publisher.recover(config)?;
    let is_begun = CommittedTree::is_begun(&config.objects())?;
    let mut ordered = journal.read(None)?;
    if ordered.size < published {
        return Err(OpenError::PublishedAhead { published, committed: ordered.size });
    }
    if ordered.size == 0 && is_begun {
        return Err(OpenError::Uncommitted);
    }
    if ordered.batches.is_empty() {
        ordered.batches.push(Batch { first: ordered.size, entries: Vec::new() });
    }
    publisher.compare(config.reader(), &ordered.batches)?;
    Ok((publisher, ordered))
}

impl Leading {
    /// Begins to lead: reads what is ordered and stored, and completes what was interrupted. `None` when another process
    /// still writes to the folder. One that led before says how much of what was withheld it knew then.
    pub(super) fn begin(
        config: &Config,
        journal: &mut dyn Journal,
        knew: Option<u64>,
    ) -> Result<Option<Self>, OpenError> {
        let lock = match config.shared.as_ref().is_some_and(|shared| shared.bucket.is_some()) {
            true => None,
            false => match config.files.lock(&config.folder)? {
                None => return Ok(None),
                held => held,
            },
        };
        let (publisher, Ordered { batches, withheld, .. }) = published_and_ordered(config, journal)?;
        let erased = if withheld == 0 { 0 } else { journal.erased()? };
        // A folder may have been completed from a copy that is older, since this process was not there.
        let knew = knew.unwrap_or(if lock.is_some() { 0 } else { erased });
        // From here on the order does not have it any more, and what is stored must be as the order says.
        let mut erase = |after| -> io::Result<()> {
            let since = intents(journal, after, withheld)?;
            since.iter().try_for_each(|intent| intent.erase(&config.objects(), config.layout.bundle_kind()))
        };
        erase(knew.min(erased))?;
        let open = || CommittedTree::open(config.objects(), config.layout, &batches);
        let tree = match open() {
            // Who was overtaken may have stored it as it was before it was withheld.
            Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::InvalidData && withheld > 0 => {
                erase(0)?;
                open()
            }
            tree => tree,
        }?;
        // Whoever led before may have gone between publishing and saying so, and there may be nothing more to publish.
        journal.announce(publisher.published_size())?;
        if erased < withheld {
            journal.announce_erased(withheld)?;
        }
        Ok(Some(Self { tree, publisher, again: None, tried: Instant::now(), erased: withheld, _lock: lock }))
    }

    /// Erases what was withheld since, and integrates and publishes what was ordered.
    pub(super) fn lead(
        &mut self,
        config: &Config,
        journal: &mut dyn Journal,
    ) -> Result<Published, AppendError> {
        let storage = |error: io::Error| {
            tracing::error!(%error, "storage failed; this front end begins anew");
            AppendError::Unavailable
        };
        let Ordered { batches, size: ordered, withheld } =
            journal.read(Some(self.tree.size())).map_err(storage)?;
        if let Some(first) = batches.first().filter(|batch| batch.first != self.tree.size()) {
            tracing::error!(first = first.first, size = self.tree.size(), "others have published since");
            return Err(AppendError::Unavailable);
        }
        if withheld > self.erased {
            self.erase(journal, withheld).map_err(storage)?;
        }
        if !batches.is_empty() {
            let filled = self.tree.append(&batches).map_err(storage)?;
            if filled {
                let size = self.tree.size();
                journal.trim(size - size % TILE_WIDTH).map_err(storage)?;
            }
        }
        if self.tree.size() != ordered {
            tracing::error!(
                ordered,
                size = self.tree.size(),
                "others have dropped what they published since"
            );
            return Err(AppendError::Unavailable);
        }
        let whole = self.publisher.whole(self.tree.size()).cloned();
        let is_old = config.refreshed_every().is_some_and(|every| self.tried.elapsed() >= every);
        if let Some(published) = whole.clone().filter(|_| !is_old) {
            return Ok(published);
        }
        if whole.is_none() && self.again.is_some_and(|again| Instant::now() < again) {
            return Err(AppendError::Unwitnessed);
        }
        let published = self.publisher.publish(&self.tree);
        self.tried = Instant::now();
        if let (Err(AppendError::Unwitnessed), Some(old)) = (&published, whole) {
            tracing::warn!("the checkpoint grows old: too few witnesses cosigned it anew");
            return Ok(old);
        }
        let unwitnessed = matches!(published, Err(AppendError::Unwitnessed));
        self.again = unwitnessed.then(|| self.tried + config.witness_retry);
        let published = published?;
        journal.announce(published.checkpoint.size).map_err(storage)?;
        Ok(published)
    }

    fn erase(&mut self, journal: &mut dyn Journal, withheld: u64) -> io::Result<()> {
        for intent in intents(journal, self.erased, withheld)? {
            self.tree.withhold(&intent)?;
        }
        journal.announce_erased(withheld)?;
        self.erased = withheld;
        Ok(())
    }
}
