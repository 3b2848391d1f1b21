//! The places of a batch in the order that all front ends share.

use std::collections::HashMap;

use super::FrontEnd;
use crate::batch::{Batch, Sequenced};
use crate::engine::command::{Answer, Draft};
use crate::engine::place::{Distinct, Leaves, Placed, place};
use crate::engine::{AppendError, Layout};
use crate::hash::Hash;

/// What the database says of the leaves of a batch, and the batch itself.
struct Told(HashMap<Hash, u64>);

impl Leaves for Told {
    fn find(&self, leaf: &Hash, _: &[Sequenced]) -> Result<Option<u64>, AppendError> {
        Ok(self.0.get(leaf).copied())
    }

    fn insert(&mut self, leaf: &Hash, index: u64) {
        self.0.insert(*leaf, index);
    }
}

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
            Layout::StaticCt => place(batch, turn.next, &mut Distinct),
            Layout::TlogTiles => place(batch, turn.next, &mut Told(turn.known)),
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
