//! What a monitor remembers between runs, and the form in which callers keep it.

use super::{Alert, Event, Report};
use crate::answer::{Place, VerifiedAnswer};
use crate::key::MapKey;
use crate::list::{Growth, Value};
use serde::{Deserialize, Serialize};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::hash::Hash;
use sigveil_log::merkle::verify_consistency;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the JSON form.
const FORMAT: &str = "sigveil-monitor-memory-v1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    logs: Vec<SeenLog>,
    lists: Vec<SeenList>,
    redacted: Vec<Place>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenLog {
    origin: String,
    size: u64,
    root: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenList {
    key: String,
    count: u64,
    root: Hash,
}

/// Not the form of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the monitor's memory is malformed: {0}")]
pub struct MemoryError(&'static str);

impl MemoryError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        "monitor-memory-malformed"
    }
}

/// What a monitor remembers between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    checkpoints: BTreeMap<String, Checkpoint>,
    lists: BTreeMap<MapKey, Value>,
    redacted: BTreeSet<Place>,
}

impl Memory {
    /// The form in which [`Memory::from_json`] takes it back. It names what is watched: keep it as private as
    /// the monitoring keys.
    pub fn to_json(&self) -> Vec<u8> {
        let logs = self.checkpoints.values();
        let lists = self.lists.iter();
        let wire = Wire {
            format: FORMAT.to_owned(),
            logs: logs
                .map(|seen| SeenLog { origin: seen.origin.clone(), size: seen.size, root: seen.root })
                .collect(),
            lists: lists
                .map(|(key, list)| SeenList { key: key.to_string(), count: list.count, root: list.root })
                .collect(),
            redacted: self.redacted.iter().cloned().collect(),
        };
        serde_json::to_vec(&wire).expect("strings, numbers and arrays serialise")
    }

    /// Reads [`Memory::to_json`] and nothing else. A damaged memory must not be taken for an empty one: a
    /// monitor that starts over forgets which history it has seen.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn from_json(json: &[u8]) -> Result<Self, MemoryError> {
        let wire: Wire = serde_json::from_slice(json).map_err(|_| MemoryError("JSON"))?;
        if wire.format != FORMAT {
            return Err(MemoryError("format"));
        }
        let ascending = wire.logs.is_sorted_by(|a, b| a.origin < b.origin)
            && wire.lists.is_sorted_by(|a, b| a.key < b.key)
            && wire.redacted.is_sorted_by(|a, b| a < b);
        if !ascending {
            return Err(MemoryError("order"));
        }
        let mut memory = Self { redacted: wire.redacted.into_iter().collect(), ..Self::default() };
        for SeenLog { origin, size, root } in wire.logs {
            memory.checkpoints.insert(origin.clone(), Checkpoint::new(&origin, size, root));
        }
        for SeenList { key, count, root } in wire.lists {
            let mut bytes = [0; 32];
            hex::decode_to_slice(&key, &mut bytes).map_err(|_| MemoryError("key"))?;
            if count == 0 || hex::encode(bytes) != key {
                return Err(MemoryError("list"));
            }
            memory.lists.insert(MapKey::from_bytes(bytes), Value { count, root });
        }
        Ok(memory)
    }

    /// The last checkpoint seen of the log with this origin: a consistency proof from it is what
    /// [`Memory::see_checkpoint`] wants next.
    pub fn checkpoint(&self, origin: &str) -> Option<&Checkpoint> {
        self.checkpoints.get(origin)
    }

    /// What was last seen under `key`: a growth proof from it is what [`Memory::see_answer`] wants next.
    pub fn list(&self, key: &MapKey) -> Option<&Value> {
        self.lists.get(key)
    }

    /// Compares a verified checkpoint of a log with the last one seen; `proof` is the RFC 6962 consistency
    /// proof between the two, empty for the first or the same.
    ///
    /// # Errors
    /// [`Alert::LogFork`], [`Alert::LogShrank`]. Then the older one stays remembered.
    pub fn see_checkpoint(&mut self, new: &Checkpoint, proof: &[Hash]) -> Result<(), Alert> {
        if let Some(old) = self.checkpoints.get(&new.origin) {
            if new.size < old.size {
                return Err(Alert::LogShrank(new.origin.clone()));
            }
            let consistent = old.size == 0 && new.size > 0
                || verify_consistency(old.size, &old.root, new.size, &new.root, proof).is_ok();
            if !consistent {
                return Err(Alert::LogFork(new.origin.clone()));
            }
        }
        self.checkpoints.insert(new.origin.clone(), new.clone());
        Ok(())
    }

    /// What a verified checkpoint says against the last one seen without a proof between the two: that it is smaller, or
    /// another of the same size. It is not remembered, since a larger one may continue another history.
    ///
    /// # Errors
    /// [`Alert::LogFork`], [`Alert::LogShrank`].
    pub fn compare(&self, new: &Checkpoint) -> Result<(), Alert> {
        match self.checkpoints.get(&new.origin) {
            Some(old) if new.size < old.size => Err(Alert::LogShrank(new.origin.clone())),
            Some(old) if new.size == old.size && new.root != old.root => {
                Err(Alert::LogFork(new.origin.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Compares a complete, verified answer with what was last seen under its key and reports what is new.
    pub fn see_answer(&mut self, answer: &VerifiedAnswer, growth: &Growth) -> Report {
        let mut report = Report::default();
        let (key, old) = (*answer.key(), self.lists.get(answer.key()).copied());
        let grown = match (old, answer.value()) {
            (Some(_), None) => false,
            (None, None) => true,
            (old, Some(new)) => growth.verify(old.as_ref(), new).is_ok(),
        };
        if !grown || !answer.is_complete() {
            report.alerts.push(Alert::ListRewritten(key));
            return report;
        }
        let known = old.map_or(0, |old| old.count) as usize;
        for entry in answer.entries().iter().skip(known) {
            report.events.push(Event::Signed { key, place: entry.place.clone() });
        }
        for entry in answer.entries().iter().filter(|entry| entry.redaction.is_some()) {
            if self.redacted.insert(entry.place.clone()) {
                report.events.push(Event::Redacted { place: entry.place.clone() });
            }
        }
        self.lists.extend(answer.value().map(|value| (key, *value)));
        report
    }
}
