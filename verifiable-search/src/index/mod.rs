//! The deterministic state machine from log entries to output-log leaves: what an indexer runs, and what a
//! re-executor runs again (protocol.md §8).
//!
//! A [`Step`] names a trust root and, for any of the input logs, the entries that follow those indexed so far.
//! Entries are judged in the order of their logs' origins, then of their indices; a step that is refused
//! changes nothing. An entry whose body was redacted is indexed by the key list in its record, which redaction authorities
//! have signed: the leaf's key-list root shows whether that is what was indexed when the body was
//! there.

mod error;
mod judge;
mod read;

pub use error::IndexError;
pub(crate) use judge::fitting_record;

use crate::key::MapKey;
use crate::lists::{Lists, Packed};
use crate::map::{Map, MapError};
use crate::output::{Input, MAX_INPUTS, MAX_ORIGIN, OutputLeaf};
use crate::rule::{CaKey, Redactors, Trust};
use crate::tree::Tree;
use judge::{Judged, Known};
use sigveil_log::entry::Stored;
use sigveil_log::hash::Hash;
use sigveil_log::merkle::leaf_hash;
use std::collections::BTreeMap;

/// Entries of one input log, following on those indexed so far.
#[derive(Clone, Debug)]
pub struct LogEntries {
    /// Origin of the log.
    pub origin: String,
    /// What stands at the next indices.
    pub entries: Vec<Stored>,
    /// Bodies of the redaction records that the tombstones among `entries` point to, by index.
    pub records: BTreeMap<u64, Vec<u8>>,
}

/// One step: what becomes one leaf.
#[derive(Clone)]
pub struct Step {
    /// The trust root under which the new entries are judged, in addition to all before it.
    pub trust: Trust,
    /// Redaction authorities of every trust root that is known, later ones too: an entry may be withheld long after the leaf
    /// that covers it.
    pub redactors: Vec<Redactors>,
    /// New entries, for each log at most once.
    pub logs: Vec<LogEntries>,
}

/// A redaction record that has been indexed, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenRecord {
    pub(crate) index: u64,
    pub(crate) body: Vec<u8>,
}

struct LogState {
    number: u16,
    leaves: Tree,
    digests: Tree,
    key_lists: Tree,
    /// How many CA keys were known when the entries below each size were judged.
    judged: Vec<(u64, usize)>,
    /// The last record about an entry, by the entry's index.
    records: BTreeMap<u64, SeenRecord>,
    /// Leaf hashes of records that tombstones pointed to and that have not come yet.
    promised: BTreeMap<u64, Hash>,
}

/// The index: the map, its lists, and what they were made from.
#[derive(Default)]
pub struct Index {
    map: Map,
    lists: Lists,
    logs: BTreeMap<String, LogState>,
    authorities: Vec<CaKey>,
    leaf: Option<OutputLeaf>,
}

impl Index {
    /// The index of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The leaf of the last step.
    pub fn leaf(&self) -> Option<&OutputLeaf> {
        self.leaf.as_ref()
    }

    /// Entries indexed of the log with this origin.
    pub fn size(&self, origin: &str) -> u64 {
        self.logs.get(origin).map_or(0, |log| log.leaves.len())
    }

    /// Takes one step and returns its leaf. Whether that leaf may follow the last one is
    /// [`OutputLeaf::check_follows`]'s matter.
    ///
    /// # Errors
    /// [`IndexError`]; then nothing has changed.
    pub fn step(&mut self, step: &Step) -> Result<OutputLeaf, IndexError> {
        let mut authorities = self.authorities.clone();
        for key in step.trust.ca_keys() {
            if authorities.iter().all(|known| known.fingerprint() != key.fingerprint()) {
                authorities.push(key.clone());
            }
        }
        let mut logs: Vec<&LogEntries> = step.logs.iter().collect();
        logs.sort_by(|a, b| a.origin.cmp(&b.origin));
        self.check_inputs(&logs)?;
        let known = Known { authorities: &authorities, redactors: &step.redactors };
        let judged =
            logs.iter().map(|log| self.judge(log, &known)).collect::<Result<Vec<Vec<Judged>>, _>>()?;
        let keys: usize = judged.iter().flatten().map(|entry| entry.keys.keys().len()).sum();
        if keys > Map::CAPACITY - self.map.len() {
            return Err(MapError::Full.into());
        }
        self.authorities = authorities;
        let mut additions: BTreeMap<MapKey, Vec<Packed>> = BTreeMap::new();
        for (log, entries) in logs.iter().zip(judged) {
            self.take_in(&log.origin, entries, &mut additions);
        }
        self.update_map(additions)?;
        let leaf = self.make_leaf(step.trust.digest());
        self.leaf = Some(leaf.clone());
        Ok(leaf)
    }

    fn check_inputs(&self, logs: &[&LogEntries]) -> Result<(), IndexError> {
        let new = logs.iter().filter(|log| !self.logs.contains_key(&log.origin)).count();
        for (at, log) in logs.iter().enumerate() {
            let end = self.size(&log.origin) + log.entries.len() as u64;
            let fits = !log.origin.is_empty() && log.origin.len() <= MAX_ORIGIN && end <= Packed::MAX_INDEX;
            let twice = at > 0 && logs[at - 1].origin == log.origin;
            if !fits || twice || self.logs.len() + new > MAX_INPUTS.min(Packed::MAX_LOGS) {
                return Err(IndexError::Input(log.origin.clone()));
            }
        }
        Ok(())
    }

    fn take_in(&mut self, origin: &str, entries: Vec<Judged>, additions: &mut BTreeMap<MapKey, Vec<Packed>>) {
        let (lists, authorities) = (&mut self.lists, self.authorities.len());
        let log = self.logs.entry(origin.to_owned()).or_insert_with(|| {
            lists.logs.push(Hash::of(&[origin.as_bytes()]));
            LogState::new(lists.logs.len() as u16 - 1)
        });
        for judged in entries {
            let index = log.leaves.len();
            log.leaves.push(judged.leaf);
            log.promised.remove(&index);
            log.promised.extend(judged.promise);
            let digest = judged.keys.digest();
            log.digests.push(digest);
            log.key_lists.push(leaf_hash(&digest.0));
            for key in judged.keys.keys() {
                additions.entry(*key).or_default().push(Packed::new(log.number, index));
            }
            if let Some((about, leaf, body)) = judged.record
                && log.leaves.leaf(about) == Some(leaf)
            {
                log.records.insert(about, SeenRecord { index, body });
            }
        }
        log.judged.push((log.leaves.len(), authorities));
    }

    fn update_map(&mut self, additions: BTreeMap<MapKey, Vec<Packed>>) -> Result<(), MapError> {
        let mut batch = Vec::with_capacity(additions.len());
        let mut fresh = Vec::new();
        for (key, items) in additions {
            let value = match self.map.slot(&key) {
                Some(slot) => {
                    self.lists.append(slot, &items);
                    self.lists.view(slot).value()
                }
                None => {
                    let value = self.lists.fresh(&items).value();
                    fresh.push((key, items));
                    value
                }
            };
            batch.push((key, value.digest()));
        }
        self.map.apply(&mut batch)?;
        self.lists.grow(self.map.len());
        for (key, items) in fresh {
            let slot = self.map.slot(&key).expect("the batch has set it");
            self.lists.append(slot, &items);
        }
        Ok(())
    }

    fn make_leaf(&self, trust_root: Hash) -> OutputLeaf {
        let inputs = self.logs.iter().map(|(origin, log)| {
            let size = log.leaves.len();
            let root = |tree: &Tree| tree.root(size).expect("a tree has a root at its own size");
            Input { origin: origin.clone(), size, root: root(&log.leaves), key_lists: root(&log.key_lists) }
        });
        OutputLeaf {
            trust_root,
            map_root: Hash(self.map.root()),
            keys: self.map.len() as u64,
            inputs: inputs.collect(),
        }
    }
}

impl LogState {
    fn new(number: u16) -> Self {
        Self {
            number,
            leaves: Tree::default(),
            digests: Tree::default(),
            key_lists: Tree::default(),
            judged: Vec::new(),
            records: BTreeMap::new(),
            promised: BTreeMap::new(),
        }
    }
}
