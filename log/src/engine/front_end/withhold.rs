//! Withholding in a log of several front ends.
//!
//! Whichever is asked notes what is withheld in the order, and takes it out of the batch there in the same transaction. The
//! one that publishes finds the note with what it reads next, and erases what is stored; it is done when that is announced.
//! Who begins to lead does what the one before has left.
//!
//! One that hangs while it stores a bundle, and is overtaken, may store it as it was when it wakes: partial, under a name
//! that the others have left behind. It then finds that others publish, and erases what was withheld since it led. If it
//! dies instead, or the store carries the request out only later, that bundle stays as it was.

use std::io;
use std::time::Instant;

use super::{FrontEnd, LOOK};
use crate::engine::intent::Intent;
use crate::engine::publish::Publisher;
use crate::engine::redact::{Coverage, RedactError, check};
use crate::engine::{OpenError, Redacted};
use crate::store::shared::Journal;

/// What was withheld after the first `after` times, up to the time `last`.
pub(super) fn intents(journal: &mut dyn Journal, after: u64, last: u64) -> io::Result<Vec<Intent>> {
    if last <= after {
        return Ok(Vec::new());
    }
    let many = usize::try_from(last - after).unwrap_or(usize::MAX);
    journal.withheld(after)?.iter().take(many).map(|what| Intent::read(what)).collect()
}

impl FrontEnd {
    /// Checks a record, notes what it withholds, and waits until that is erased.
    pub(super) fn withhold(&mut self, record: u64, coverage: &dyn Coverage) -> Result<Redacted, RedactError> {
        if self.failed.is_some() {
            return Err(RedactError::Unavailable);
        }
        let mut publisher = Publisher::new(&self.config);
        publisher.recover(&self.config).map_err(|error| match error {
            OpenError::Io(error) => RedactError::Io(error),
            error => {
                tracing::error!(%error, "what is published cannot be read");
                RedactError::Unavailable
            }
        })?;
        let intent = check(&self.config, &publisher, record, coverage)?;
        let (number, intent) = self.note(intent).inspect_err(|_| self.fail())?;
        self.await_erased(number)?;
        Ok(intent.into())
    }

    /// Notes it, unless what was noted before leaves nothing to do; returns what is then to be waited for.
    fn note(&mut self, intent: Intent) -> io::Result<(u64, Intent)> {
        let journal = self.journal.as_deref_mut().ok_or(io::ErrorKind::NotConnected)?;
        journal.begin(&[])?;
        let before = intents(journal, 0, u64::MAX)?;
        if let Some((number, first)) = (1..).zip(before).find(|(_, first)| first.covers(&intent)) {
            journal.pass()?;
            return Ok((number, first));
        }
        let kept = journal.read(Some(intent.index))?.batches.into_iter().next();
        let mut holder = kept.filter(|batch| batch.first <= intent.index);
        if let Some(entry) = holder.as_mut().and_then(|batch| batch.entry_mut(intent.index)) {
            intent.strike(entry)?;
        }
        let number = journal.withhold(&intent.to_bytes()?, holder.as_ref())?;
        Ok((number, intent))
    }

    /// Waits until so much is erased, by this front end or another.
    fn await_erased(&mut self, number: u64) -> Result<(), RedactError> {
        let deadline = Instant::now() + self.shared.patience;
        while self.keep_lease() {
            // Whether it could publish too is for others to ask.
            drop(self.lead());
            match self.journal.as_deref_mut().map(|journal| journal.erased()) {
                Some(Ok(erased)) if erased >= number => return Ok(()),
                Some(Ok(_)) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Some(Err(error)) => {
                    self.fail();
                    return Err(error.into());
                }
                _ => break,
            }
        }
        Err(RedactError::Unavailable)
    }

    /// Erases what was withheld since this front end led, once it does not any more: it may have stored what it had then.
    /// In a folder nobody overtakes whoever writes.
    pub(super) fn sweep(&mut self) -> io::Result<()> {
        if let (Some(knew), Some(journal), Some(_)) =
            (self.knew, self.journal.as_deref_mut(), &self.shared.bucket)
        {
            let bundles = self.config.layout.bundle_kind();
            let since = intents(journal, knew, u64::MAX)?;
            since.iter().try_for_each(|intent| intent.erase(&self.config.objects(), bundles))?;
        }
        self.knew = None;
        Ok(())
    }
}
