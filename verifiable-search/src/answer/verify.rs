//! The walk along the chain, link by link.

use super::{
    Answer, AnswerError, AnswerList, FORMAT, FoundEntry, Place, Policy, Quorum, State, Tombstone,
    VerifiedAnswer, VerifiedState,
};
use crate::index::fitting_record;
use crate::key::MapKey;
use crate::list::{Item, Value, root_from_range};
use crate::output::OutputLeaf;
use crate::proof::MapProof;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::entry::RedactionRecord;
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{self, leaf_hash};
use std::collections::BTreeMap;

/// Most items that one answer may list.
const MAX_ITEMS: usize = 1 << 20;

impl Answer {
    /// Checks the answer to a question for `key`.
    ///
    /// # Errors
    /// [`AnswerError`], one for each link of the chain.
    pub fn verify(&self, key: &MapKey, policy: &Policy) -> Result<VerifiedAnswer, AnswerError> {
        if self.format != FORMAT {
            return Err(AnswerError::Malformed("format"));
        }
        if self.key != key.to_string() {
            return Err(AnswerError::OtherKey);
        }
        let state = self.state.verify(policy)?;
        let proof = MapProof::from_bytes(&decode(&self.proof)?)?;
        let (value, places) = match &self.list {
            None => {
                proof.verify_absence(key, &state.leaf.map_root.0)?;
                (None, Vec::new())
            }
            Some(list) => {
                let value = Value { count: list.count, root: list.root };
                proof.verify_presence(key, &value.digest(), &state.leaf.map_root.0)?;
                (Some(value), list.verify(&state.leaf)?)
            }
        };
        let entries = self.with_tombstones(places, &state.leaf, policy)?;
        Ok(VerifiedAnswer { key: *key, value, entries, state })
    }

    fn with_tombstones(
        &self,
        places: Vec<Place>,
        leaf: &OutputLeaf,
        policy: &Policy,
    ) -> Result<Vec<FoundEntry>, AnswerError> {
        let mut records = BTreeMap::new();
        for tombstone in &self.tombstones {
            let record = tombstone.verify(leaf, policy)?;
            if records.insert(tombstone.place.clone(), record).is_some() {
                return Err(AnswerError::Tombstone);
            }
        }
        let found = places.into_iter().map(|place| {
            let redaction = records.remove(&place);
            FoundEntry { place, redaction }
        });
        let found = found.collect();
        if records.is_empty() { Ok(found) } else { Err(AnswerError::Tombstone) }
    }
}

impl AnswerList {
    fn verify(&self, leaf: &OutputLeaf) -> Result<Vec<Place>, AnswerError> {
        if self.pages.iter().map(|page| page.items.len()).sum::<usize>() > MAX_ITEMS {
            return Err(AnswerError::Malformed("too many items"));
        }
        let mut next = 0;
        let mut places = Vec::new();
        for page in &self.pages {
            let items: Vec<Hash> =
                page.items.iter().map(|place| Item::new(&place.log, place.index).leaf()).collect();
            if page.first < next
                || root_from_range(&items, page.first, self.count, &page.proof) != Some(self.root)
            {
                return Err(AnswerError::List);
            }
            next = page.first + items.len() as u64;
            places.extend(page.items.iter().cloned());
        }
        let indexed = |place: &Place| leaf.input(&place.log).is_some_and(|input| place.index < input.size);
        if places.iter().all(indexed) { Ok(places) } else { Err(AnswerError::Place) }
    }
}

impl State {
    /// Checks the output log's checkpoint, that the leaf is its last, and the checkpoints of all inputs.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn verify(&self, policy: &Policy) -> Result<VerifiedState, AnswerError> {
        let Quorum { keys, threshold } = &policy.witnesses;
        let output =
            VerifiedCheckpoint::open_witnessed(self.checkpoint.as_bytes(), &policy.output, keys, *threshold)
                .map_err(AnswerError::OutputCheckpoint)?;
        let Quorum { keys, threshold } = &policy.reexecutors;
        VerifiedCheckpoint::open_witnessed(self.checkpoint.as_bytes(), &policy.output, keys, *threshold)
            .map_err(AnswerError::NotReexecuted)?;
        let bytes = decode(&self.leaf)?;
        let Checkpoint { size, root, .. } = output.checkpoint();
        let last = size.checked_sub(1).ok_or(AnswerError::LeafInclusion)?;
        merkle::verify_inclusion(&leaf_hash(&bytes), last, *size, &self.inclusion, root)
            .map_err(|_| AnswerError::LeafInclusion)?;
        let leaf = OutputLeaf::from_bytes(&bytes)?;
        if let Some(missing) = policy.inputs.iter().find(|log| leaf.input(log.name()).is_none()) {
            return Err(AnswerError::LogNotCovered(missing.name().to_owned()));
        }
        let inputs = self.verify_inputs(&leaf, policy)?;
        Ok(VerifiedState { leaf, output, inputs })
    }

    fn verify_inputs(
        &self,
        leaf: &OutputLeaf,
        policy: &Policy,
    ) -> Result<Vec<VerifiedCheckpoint>, AnswerError> {
        if self.inputs.len() != leaf.inputs.len() {
            return Err(AnswerError::Malformed("number of input checkpoints"));
        }
        let Quorum { keys, threshold } = &policy.witnesses;
        let pairs = leaf.inputs.iter().zip(&self.inputs);
        pairs
            .map(|(input, note)| {
                let refused = || AnswerError::InputCheckpoint(input.origin.clone());
                let log = policy.inputs.iter().find(|log| log.name() == input.origin).ok_or_else(refused)?;
                let opened = VerifiedCheckpoint::open_witnessed(note.as_bytes(), log, keys, *threshold)
                    .map_err(|_| refused())?;
                let Checkpoint { size, root, .. } = opened.checkpoint();
                if (*size, *root) != (input.size, input.root) {
                    return Err(AnswerError::InputMismatch(input.origin.clone()));
                }
                Ok(opened)
            })
            .collect()
    }
}

impl Tombstone {
    fn verify(&self, leaf: &OutputLeaf, policy: &Policy) -> Result<RedactionRecord, AnswerError> {
        let input = leaf.input(&self.place.log).ok_or(AnswerError::Tombstone)?;
        let included = |hash: &Hash, index: u64, proof: &[Hash]| {
            merkle::verify_inclusion(hash, index, input.size, proof, &input.root)
                .map_err(|_| AnswerError::Tombstone)
        };
        included(&self.leaf_hash, self.place.index, &self.inclusion)?;
        let body = decode(&self.body)?;
        included(&leaf_hash(&body), self.record, &self.record_inclusion)?;
        let record = fitting_record(&body, &self.place.log, self.place.index, &self.leaf_hash)
            .ok_or(AnswerError::Tombstone)?;
        let (authorities, threshold) = &policy.authorities;
        record.verify(authorities, *threshold).map_err(AnswerError::Record)?;
        Ok(record)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, AnswerError> {
    STANDARD.decode(text).map_err(|_| AnswerError::Malformed("base64"))
}
