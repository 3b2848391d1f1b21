//! The places of a batch in the order that all front ends share.

use super::FrontEnd;
use crate::batch::Batch;
use crate::engine::command::{Answer, Draft};
use crate::engine::place::{Placed, place};
use crate::engine::{AppendError, Layout};
use crate::hash::Hash;

fn unplaced(batch: Vec<(Draft, Answer)>) -> Placed {
    let waiting = batch.into_iter().map(|(_, answer)| (0, Hash([0; 32]), answer)).collect();
    Placed { waiting, ..Placed::default() }
}

impl FrontEnd {
    /// Gives a batch its places; or says why it has none.
    pub(super) fn order(&mut self, batch: Vec<(Draft, Answer)>) -> Result<Placed, (Placed, AppendError)> {
        let leaf = |(draft, _): &(Draft, Answer)| match draft {
            Draft::Fixed { entry, .. } => Some(entry.leaf),
            Draft::Indexed { .. } => None,
        };
        let leaves: Vec<_> = batch.iter().filter_map(leaf).collect();
        let turn = self.journal.as_deref_mut().map(|journal| journal.begin(&leaves));
        let turn = match turn {
            Some(Ok(turn)) => turn,
            other => {
                tracing::error!(error = ?other, "the log's order cannot be reached");
                return Err((unplaced(batch), AppendError::Unavailable));
            }
        };
        let refused = if turn.next < self.seen.0 {
            tracing::error!(next = turn.next, published = self.seen.0, "the log's order was rolled back");
            Some(AppendError::Unavailable)
        } else {
            turn.ended.then_some(AppendError::Frozen)
        };
        if let Some(refused) = refused {
            let passed = self.journal.as_deref_mut().map_or(Ok(()), |journal| journal.pass());
            return Err((unplaced(batch), passed.map_or(AppendError::Unavailable, |()| refused)));
        }
        let mut placed = match self.config.layout {
            // Each leaf depends on its index.
            Layout::StaticCt => place(batch, turn.next, |_| Ok(None)),
            Layout::TlogTiles => place(batch, turn.next, |leaf| Ok(turn.known.get(leaf).copied())),
        };
        self.backlog.add(placed.bytes());
        let batch = Batch { first: turn.next, entries: std::mem::take(&mut placed.entries) };
        let done = match self.journal.as_deref_mut() {
            Some(journal) if batch.entries.is_empty() => journal.pass(),
            Some(journal) => journal.commit(&batch),
            None => Ok(()),
        };
        match done {
            Ok(()) => Ok(placed),
            Err(error) => {
                tracing::error!(%error, "whether a batch is in the log's order is unknown");
                Err((placed, AppendError::Unavailable))
            }
        }
    }
}
