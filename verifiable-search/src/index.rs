//! The deterministic state machine from log entries to output-log leaves: what an indexer runs, and what a
//! re-executor runs again (protocol.md §8).
//!
//! A [`Step`] names a trust root and, for any of the input logs, the entries that follow those indexed so far.
//! Entries are judged in the order of their logs' origins, then of their indices; a step that is refused
//! changes nothing. An entry whose body was redacted is indexed by the key list in its record: the leaf's
//! key-list root shows whether that is what was indexed when the body was there.

use crate::key::MapKey;
use crate::key_list::EntryKeys;
use crate::lists::{Lists, Packed, View};
use crate::map::{Map, MapError};
use crate::output::{Input, MAX_INPUTS, MAX_ORIGIN, OutputLeaf};
use crate::proof::MapProof;
use crate::rule::{CaKey, RuleError, Trust, keys_of};
use crate::tree::Tree;
use sigveil_log::entry::{Entry, RedactionRecord, Stored, Withheld, Withholding};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{ProofError, leaf_hash};
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
    /// New entries, for each log at most once.
    pub logs: Vec<LogEntries>,
}

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The rule cannot judge an entry.
    #[error("entry {index} of {origin}: {source}")]
    Rule {
        /// Origin of the log.
        origin: String,
        /// Index of the entry.
        index: u64,
        /// Why.
        source: RuleError,
    },
    /// A tombstone whose record is missing, of another entry, or not what stands in the log.
    #[error("entry {index} of {origin} is withheld without a fitting record")]
    Record {
        /// Origin of the log.
        origin: String,
        /// Index of the withheld entry.
        index: u64,
    },
    /// One log twice in a step, an origin that no leaf can hold, or more logs or entries than can be told apart.
    #[error("input {0} cannot be indexed")]
    Input(String),
    /// The map refused.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl IndexError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Rule { source, .. } => source.reason(),
            Self::Record { .. } => "withheld-without-record",
            Self::Input(_) => "index-input-refused",
            Self::Map(error) => error.reason(),
        }
    }
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

/// What the rule made of one entry.
struct Judged {
    leaf: Hash,
    keys: EntryKeys,
    record: Option<(u64, Vec<u8>)>,
    promise: Option<(u64, Hash)>,
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
        let judged =
            logs.iter().map(|log| self.judge(log, &authorities)).collect::<Result<Vec<Vec<Judged>>, _>>()?;
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

    fn judge(&self, log: &LogEntries, authorities: &[CaKey]) -> Result<Vec<Judged>, IndexError> {
        let first = self.size(&log.origin);
        let mut promised = self.logs.get(&log.origin).map(|log| log.promised.clone()).unwrap_or_default();
        let mut out = Vec::with_capacity(log.entries.len());
        for (index, entry) in (first..).zip(&log.entries) {
            let judged =
                match entry {
                    Stored::Body(body) => judge_body(body, authorities)
                        .map_err(|source| IndexError::Rule { origin: log.origin.clone(), index, source })?,
                    Stored::Withheld(withheld) => judge_withheld(log, index, withheld)
                        .ok_or_else(|| IndexError::Record { origin: log.origin.clone(), index })?,
                };
            // A record that a tombstone relied on must be what stands at its place.
            if promised.remove(&index).is_some_and(|leaf| leaf != judged.leaf) {
                return Err(IndexError::Record { origin: log.origin.clone(), index });
            }
            if let Some((record, leaf)) = judged.promise {
                promised.insert(record, leaf);
            }
            out.push(judged);
        }
        Ok(out)
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
            if let Some((about, body)) = judged.record {
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
    pub fn growth(&self, key: &MapKey, old: u64) -> Result<crate::list::Growth, ProofError> {
        let consistency = match self.view(key) {
            Some(view) => view.consistency(old)?,
            None if old == 0 => Vec::new(),
            None => return Err(ProofError::Sizes { old, new: 0 }),
        };
        Ok(crate::list::Growth { consistency })
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

fn judge_body(body: &[u8], authorities: &[CaKey]) -> Result<Judged, RuleError> {
    let keys = keys_of(body, authorities)?;
    let record = match Entry::parse(body) {
        Ok(Entry::Redaction(record)) => Some((record.statement.index, body.to_vec())),
        _ => None,
    };
    Ok(Judged { leaf: leaf_hash(body), keys, record, promise: None })
}

fn judge_withheld(log: &LogEntries, index: u64, withheld: &Withheld) -> Option<Judged> {
    let body = log.records.get(&withheld.record)?;
    let record = fitting_record(body, &log.origin, index, &withheld.leaf_hash)?;
    let keys = EntryKeys::from_elements(&record.map_keys).ok()?;
    let fits = record.statement.withheld == Withholding::WholeBody
        && record.statement.key_list_digest == keys.digest()
        && withheld.record > index;
    let promise = Some((withheld.record, leaf_hash(body)));
    fits.then_some(Judged { leaf: withheld.leaf_hash, keys, record: None, promise })
}

/// The redaction record in `body`, if it is one about this entry.
pub(crate) fn fitting_record(body: &[u8], origin: &str, index: u64, leaf: &Hash) -> Option<RedactionRecord> {
    let Ok(Entry::Redaction(record)) = Entry::parse(body) else { return None };
    let about = &record.statement;
    (about.origin == origin && about.index == index && about.leaf_hash == *leaf).then_some(record)
}
