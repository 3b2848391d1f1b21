//! What an index holds: places, key lists, and the proofs of both.

use super::{Index, SeenRecord};
use crate::key::MapKey;
use crate::key_list::EntryKeys;
use crate::list::Growth;
use crate::lists::View;
use crate::proof::MapProof;
use crate::rule::keys_of;
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{ProofError, leaf_hash};

impl Index {
    /// True when every record that a tombstone relied on has been indexed itself.
    pub fn records_complete(&self) -> bool {
        self.logs.values().all(|log| log.promised.is_empty())
    }

    /// Proof of what stands under `key` in the last leaf's map.
    pub fn prove(&self, key: &MapKey) -> MapProof {
        self.map.prove(key)
    }

    /// Places of the entries under `key`, as (origin, index), in the order of indexing.
    pub fn places(&self, key: &MapKey) -> Vec<(&str, u64)> {
        let Some(view) = self.view(key) else { return Vec::new() };
        let mut origins = vec![""; self.logs.len()];
        for (origin, log) in &self.logs {
            origins[usize::from(log.number)] = origin;
        }
        view.items().iter().map(|item| (origins[usize::from(item.log())], item.index())).collect()
    }

    pub(crate) fn view(&self, key: &MapKey) -> Option<View<'_>> {
        self.map.slot(key).map(|slot| self.lists.view(slot))
    }

    /// RFC 6962 consistency proof of the list under `key` from its first `old` items to all of it.
    ///
    /// # Errors
    /// [`ProofError::Sizes`] when the list has not that many.
    pub fn growth(&self, key: &MapKey, old: u64) -> Result<Growth, ProofError> {
        let consistency = match self.view(key) {
            Some(view) => view.consistency(old)?,
            None if old == 0 => Vec::new(),
            None => return Err(ProofError::Sizes { old, new: 0 }),
        };
        Ok(Growth { consistency })
    }

    /// Key list of an indexed entry, recomputed from its body as it was judged then; `None` when the entry is
    /// not indexed, or these are not its bytes.
    pub fn entry_keys(&self, origin: &str, index: u64, body: &[u8]) -> Option<EntryKeys> {
        let log = self.logs.get(origin)?;
        let (_, known) = log.judged.get(log.judged.partition_point(|(size, _)| *size <= index))?;
        let keys = keys_of(body, &self.authorities[..*known]).ok()?;
        (log.leaves.leaf(index)? == leaf_hash(body) && log.digests.leaf(index)? == keys.digest())
            .then_some(keys)
    }

    /// Digest of the key list of an indexed entry, and its inclusion proof under the last leaf's key-list
    /// root.
    pub fn key_list_proof(&self, origin: &str, index: u64) -> Option<(Hash, Vec<Hash>)> {
        let log = self.logs.get(origin)?;
        let proof = log.key_lists.inclusion(index, log.key_lists.len()).ok()?;
        Some((log.digests.leaf(index)?, proof))
    }

    /// Inclusion proof of an indexed entry under the last leaf's root of its log.
    pub fn entry_proof(&self, origin: &str, index: u64) -> Option<(Hash, Vec<Hash>)> {
        let log = self.logs.get(origin)?;
        let proof = log.leaves.inclusion(index, log.leaves.len()).ok()?;
        Some((log.leaves.leaf(index)?, proof))
    }

    pub(crate) fn record(&self, origin: &str, index: u64) -> Option<&SeenRecord> {
        self.logs.get(origin)?.records.get(&index)
    }
}
