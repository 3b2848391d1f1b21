//! What the rule makes of entries, tombstones among them.

use super::{Index, IndexError, LogEntries};
use crate::key_list::EntryKeys;
use crate::rule::{CaKey, RuleError, keys_of};
use sigveil_log::entry::{Entry, RedactionRecord, Stored, Withheld, Withholding};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::leaf_hash;

/// What the rule made of one entry.
pub(super) struct Judged {
    pub(super) leaf: Hash,
    pub(super) keys: EntryKeys,
    pub(super) record: Option<(u64, Vec<u8>)>,
    pub(super) promise: Option<(u64, Hash)>,
}

impl Index {
    pub(super) fn judge(&self, log: &LogEntries, authorities: &[CaKey]) -> Result<Vec<Judged>, IndexError> {
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
