//! What an answer that holds says.

use super::Place;
use crate::key::MapKey;
use crate::list::Value;
use crate::output::OutputLeaf;
use sigveil_log::checkpoint::{Checkpoint, Cosignature, VerifiedCheckpoint};
use sigveil_log::entry::RedactionRecord;

/// An entry found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEntry {
    /// Where it stands.
    pub place: Place,
    /// The record of its redaction, if its content or parts of it are gone.
    pub redaction: Option<RedactionRecord>,
}

impl FoundEntry {
    /// True when a record that verifies says that its content, or parts of it, are gone.
    pub fn is_redacted(&self) -> bool {
        self.redaction.is_some()
    }
}

/// A state of the index whose whole chain has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedState {
    pub(super) leaf: OutputLeaf,
    pub(super) output: VerifiedCheckpoint,
    pub(super) inputs: Vec<VerifiedCheckpoint>,
}

impl VerifiedState {
    /// The output log's last leaf.
    pub fn leaf(&self) -> &OutputLeaf {
        &self.leaf
    }

    /// The output log's checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.output.checkpoint()
    }

    /// Checkpoints of the inputs, in the order of the leaf, with the witnesses' cosignatures.
    pub fn inputs(&self) -> &[VerifiedCheckpoint] {
        &self.inputs
    }

    /// The latest time by which at least `threshold` witnesses had cosigned *every* input, Unix seconds: an
    /// owner refuses a state in which this lies more than 24 h back. `None` when some input has fewer.
    pub fn witnessed_at(&self, threshold: usize) -> Option<u64> {
        let times = self.inputs.iter().map(|input| {
            let mut times: Vec<u64> =
                input.cosignatures().iter().map(|line: &Cosignature| line.time).collect();
            times.sort_unstable_by(|a, b| b.cmp(a));
            times.get(threshold.checked_sub(1)?).copied()
        });
        times.min().flatten()
    }
}

/// An answer that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAnswer {
    pub(super) key: MapKey,
    pub(super) value: Option<Value>,
    pub(super) entries: Vec<FoundEntry>,
    pub(super) state: VerifiedState,
}

impl VerifiedAnswer {
    /// The key asked for.
    pub fn key(&self) -> &MapKey {
        &self.key
    }

    /// True when something stands under the key.
    pub fn is_present(&self) -> bool {
        self.value.is_some()
    }

    /// Commitment to the whole list; `None` when the key is absent.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// The entries listed, in the order of indexing.
    pub fn entries(&self) -> &[FoundEntry] {
        &self.entries
    }

    /// True when [`VerifiedAnswer::entries`] is the complete list.
    pub fn is_complete(&self) -> bool {
        self.value.is_none_or(|value| value.count == self.entries.len() as u64)
    }

    /// The state of the index that answered.
    pub fn state(&self) -> &VerifiedState {
        &self.state
    }
}
