//! Giving the entries of a batch their indices, telling duplicates, and answering.

use std::collections::HashMap;

use super::command::{Answer, Draft};
use super::metrics::{self, Metrics};
use super::publish::Published;
use super::{AppendError, Receipt};
use crate::batch::Sequenced;
use crate::hash::Hash;
use crate::merkle::inclusion_proof;
use crate::tile::{TileSource, TileTree};

/// A batch with its places decided.
#[derive(Default)]
pub(super) struct Placed {
    /// What is appended.
    pub entries: Vec<Sequenced>,
    /// Who waits for it, with index and leaf.
    pub waiting: Vec<(u64, Hash, Answer)>,
    /// Who sent what the log holds at this index.
    pub duplicates: Vec<(u64, Answer)>,
}

/// Places a batch from the index `next` on, behind leaves of which `find` says the last index at which each stands.
pub(super) fn place(
    batch: Vec<(Draft, Answer)>,
    next: u64,
    find: impl Fn(&Hash) -> Result<Option<u64>, AppendError>,
) -> Placed {
    let (mut placed, mut within) = (Placed::default(), HashMap::new());
    for (draft, answer) in batch {
        let index = next + placed.entries.len() as u64;
        let (entry, recurring) = match draft {
            Draft::Fixed { entry, recurring } => (entry, recurring),
            Draft::Indexed { build, .. } => {
                let (item, leaf) = build(index);
                (Sequenced { leaf, item, attachment: Vec::new() }, false)
            }
        };
        let known = within.get(&entry.leaf).map_or_else(|| find(&entry.leaf), |index| Ok(Some(*index)));
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let _ = answer.send(Err(error));
                continue;
            }
        };
        if let Some(known) = known.filter(|known| !recurring || known + 1 == index) {
            placed.duplicates.push((known, answer));
            continue;
        }
        within.insert(entry.leaf, index);
        placed.waiting.push((index, entry.leaf, answer));
        placed.entries.push(entry);
    }
    placed
}

impl Placed {
    /// Bytes of what is appended.
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.item.len() + entry.attachment.len()).sum()
    }

    /// Answers everybody: duplicates too only once what they repeat is published.
    pub(super) fn answer(
        self,
        published: Result<Published, AppendError>,
        tiles: impl TileSource,
        metrics: &Metrics,
    ) {
        metrics::add(&metrics.duplicates, self.duplicates.len() as u64);
        let Published { checkpoint, note } = match published {
            Ok(published) => published,
            Err(error) => {
                let waiting = self.waiting.into_iter().map(|(_, _, answer)| answer);
                let all = waiting.chain(self.duplicates.into_iter().map(|(_, answer)| answer));
                all.for_each(|answer| drop(answer.send(Err(error.clone()))));
                return;
            }
        };
        for (index, answer) in self.duplicates {
            let _ = answer.send(Err(AppendError::Duplicate(index)));
        }
        metrics::add(&metrics.batches, 1);
        metrics::add(&metrics.acknowledged, self.waiting.len() as u64);
        let tree = TileTree::new(tiles, checkpoint.size);
        for (index, leaf_hash, answer) in self.waiting {
            // Of an order that was rolled back, others may have published another entry there.
            let proof = match tree.leaf(index) {
                Ok(found) if found == leaf_hash => inclusion_proof(&tree, index, checkpoint.size).ok(),
                _ => None,
            };
            let receipt = proof.ok_or(AppendError::Unavailable).map(|proof| Receipt {
                index,
                leaf_hash,
                tree_size: checkpoint.size,
                root: checkpoint.root,
                proof,
                checkpoint: note.clone(),
            });
            // Whoever went away finds the entry by its index or as a duplicate.
            let _ = answer.send(receipt);
        }
    }
}
