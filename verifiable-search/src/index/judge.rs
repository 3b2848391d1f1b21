//! What the rule makes of entries, tombstones among them.

use super::{Index, IndexError, LogEntries};
use crate::key_list::EntryKeys;
use crate::rule::{CaKey, Redactors, RuleError, keys_of};
use sigveil_log::entry::{Entry, RedactionRecord, Stored, Withheld, Withholding};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::leaf_hash;

/// Whose signatures count.
pub(super) struct Known<'a> {
    pub(super) authorities: &'a [CaKey],
    pub(super) redactors: &'a [Redactors],
}

/// What the rule made of one entry.
pub(super) struct Judged {
    pub(super) leaf: Hash,
    pub(super) keys: EntryKeys,
    /// About which entry a record is, and its body.
    pub(super) record: Option<(u64, Hash, Vec<u8>)>,
    pub(super) promise: Option<(u64, Hash)>,
}

impl Index {
    pub(super) fn judge(&self, log: &LogEntries, known: &Known<'_>) -> Result<Vec<Judged>, IndexError> {
        let first = self.size(&log.origin);
        let mut promised = self.logs.get(&log.origin).map(|log| log.promised.clone()).unwrap_or_default();
        let mut out = Vec::with_capacity(log.entries.len());
        for (index, entry) in (first..).zip(&log.entries) {
            let judged = match entry {
                Stored::Body(body) => judge_body(&log.origin, body, known.authorities)
                    .map_err(|source| IndexError::Rule { origin: log.origin.clone(), index, source })?,
                Stored::Withheld(withheld) => judge_withheld(log, index, withheld, known.redactors)
                    .ok_or_else(|| IndexError::Record { origin: log.origin.clone(), index })?,
            };
            // A record that a tombstone relied on must be what stands at its place.
            if promised.remove(&index).is_some_and(|leaf| leaf != judged.leaf) {
                return Err(IndexError::Record { origin: log.origin.clone(), index });
            }
            if let Some((record, leaf)) = judged.promise
                && promised.insert(record, leaf).is_some_and(|other| other != leaf)
            {
                return Err(IndexError::Record { origin: log.origin.clone(), index });
            }
            out.push(judged);
        }
        Ok(out)
    }
}

fn judge_body(origin: &str, body: &[u8], authorities: &[CaKey]) -> Result<Judged, RuleError> {
    let keys = keys_of(body, authorities)?;
    let record = match Entry::parse(body) {
        // One of another log, brought here by whoever likes, is about nothing of this one.
        Ok(Entry::Redaction(record)) if record.statement.origin == origin => {
            Some((record.statement.index, record.statement.leaf_hash, body.to_vec()))
        }
        _ => None,
    };
    Ok(Judged { leaf: leaf_hash(body), keys, record, promise: None })
}

fn judge_withheld(
    log: &LogEntries,
    index: u64,
    withheld: &Withheld,
    redactors: &[Redactors],
) -> Option<Judged> {
    let body = log.records.get(&withheld.record)?;
    let record = fitting_record(body, &log.origin, index, &withheld.leaf_hash)?;
    let keys = EntryKeys::from_elements(&record.map_keys).ok()?;
    // Without this, whoever serves the entries could take one out of the index by a record of their own.
    let is_signed = redactors.iter().any(|(keys, threshold)| record.verify(keys, *threshold).is_ok());
    let fits = is_signed
        && record.statement.withheld == Withholding::WholeBody
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
