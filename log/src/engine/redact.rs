//! Withholding content after its redaction record is in the log (`protocol.md §9`).
//!
//! The order is: record in the log and witnessed, coverage by the output log shown, intent durable under
//! `withheld/`, and only then erasure, file by file. Each erasure may be repeated, and opening the log
//! repeats those of all intents, so a crash in between is completed. Tree hashes are not touched: where the
//! body stood, the bundle holds a tombstone with the leaf hash and the index of the record.
//!
//! Of several front ends whichever is asked notes the intent in the order, where it is taken out of the batch at once, and
//! the one that publishes erases what is stored ([`super::front_end`]).

use std::collections::BTreeMap;
use std::io;

use super::Config;
use super::intent::Intent;
use super::publish::Publisher;
use super::sequencer::Sequencer;
use crate::checkpoint::{CheckpointError, VerifiedCheckpoint};
use crate::entry::{Entry, EntryError, RedactionRecord, Stored, Withholding};
use crate::hash::Hash;
use crate::store::{ReadError, Reader};
use crate::tile::TileTree;

/// Proof, checked by whoever makes the value, that a map covers an entry: that an output-log checkpoint with
/// enough re-executor cosignatures commits to this log's tree including `index`, and that the key list it
/// commits to for that entry has this digest.
pub trait Coverage {
    /// Whether this entry is covered, with this key-list digest.
    fn covers(&self, origin: &str, index: u64, leaf_hash: &Hash, key_list_digest: &Hash) -> bool;
}

/// Why nothing was withheld.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The log takes no redactions.
    #[error("this log has no redaction authorities")]
    NoPolicy,
    /// The record is not in the published tree, or is not a redaction record.
    #[error("there is no published redaction record at index {0}")]
    NoRecord(u64),
    /// The published checkpoint has too few cosignatures.
    #[error("the checkpoint that includes the record is not witnessed: {0}")]
    Unwitnessed(CheckpointError),
    /// The record does not verify.
    #[error(transparent)]
    Record(#[from] EntryError),
    /// The record names another log, another leaf, or an entry after itself.
    #[error("the record does not match the entry that it names")]
    Mismatch,
    /// Entries of this kind cannot be redacted.
    #[error("only hashedrekord and sealed entries can be redacted")]
    NotRedactable,
    /// No map covers the entry yet.
    #[error("no re-executed map covers the entry yet")]
    NotCovered,
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// From the file system.
    #[error("what the log lies on: {0}")]
    Io(#[from] io::Error),
    /// The log stopped.
    #[error("the log does not accept redactions now")]
    Unavailable,
}

impl RedactError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoPolicy => "redaction-no-authorities",
            Self::NoRecord(_) => "redaction-no-record",
            Self::Unwitnessed(_) => "redaction-unwitnessed",
            Self::Record(error) => error.reason(),
            Self::Mismatch => "redaction-mismatch",
            Self::NotRedactable => "redaction-not-redactable",
            Self::NotCovered => "redaction-not-covered",
            Self::Read(error) => error.reason(),
            Self::Io(_) => "log-unreadable",
            Self::Unavailable => "log-unavailable",
        }
    }
}

/// A redaction that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// Index of the entry.
    pub index: u64,
    /// Its leaf hash, which the tree keeps.
    pub leaf_hash: Hash,
    /// Index of the record.
    pub record: u64,
}

/// Checks the record at `record` and everything it demands.
pub(super) fn check(
    config: &Config,
    publisher: &Publisher,
    record: u64,
    coverage: &dyn Coverage,
) -> Result<Intent, RedactError> {
    let policy = config.redaction.as_ref().ok_or(RedactError::NoPolicy)?;
    let note = &publisher.published().ok_or(RedactError::NoRecord(record))?.note;
    let (log, witnesses) = (publisher.log_key(), publisher.witness_keys());
    let opened = VerifiedCheckpoint::open_witnessed(note.as_bytes(), log, &witnesses, policy.witnesses)
        .map_err(RedactError::Unwitnessed)?;
    let checkpoint = opened.checkpoint();
    let reader = config.reader();
    let tree = TileTree::open(reader.clone(), checkpoint.size, &checkpoint.root).map_err(ReadError::from)?;
    let found = read_record(&reader, &tree, record)?;
    found.verify(&policy.authorities, policy.threshold)?;
    let statement = found.statement;
    if statement.origin != checkpoint.origin || statement.index >= record {
        return Err(RedactError::Mismatch);
    }
    let leaf_hash = tree.leaf(statement.index).map_err(ReadError::from)?;
    if leaf_hash != statement.leaf_hash {
        return Err(RedactError::Mismatch);
    }
    check_redactable(&reader.entry(&tree, statement.index)?, &statement.withheld)?;
    if !coverage.covers(&statement.origin, statement.index, &leaf_hash, &statement.key_list_digest) {
        return Err(RedactError::NotCovered);
    }
    Ok(Intent { index: statement.index, leaf_hash, record, withheld: statement.withheld })
}

/// Checks a record, and then erases what it withholds.
pub(super) fn redact(
    sequencer: &mut Sequencer,
    record: u64,
    coverage: &dyn Coverage,
) -> Result<Redacted, RedactError> {
    let intent = check(&sequencer.config, &sequencer.publisher, record, coverage)?;
    let path = sequencer.config.folder.join("withheld").join(intent.index.to_string());
    let files = sequencer.config.files.clone();
    let first = files.read_optional(&path)?.map(|bytes| Intent::read(&bytes)).transpose()?;
    let intent = match first {
        Some(first) => first.with(intent),
        None => intent,
    };
    files.ensure_durable(&path, &intent.to_bytes()?)?;
    sequencer.withhold(&[(intent.index, intent.clone())].into())?;
    Ok(intent.into())
}

impl From<Intent> for Redacted {
    fn from(Intent { index, leaf_hash, record, .. }: Intent) -> Self {
        Self { index, leaf_hash, record }
    }
}

fn read_record(reader: &Reader, tree: &TileTree<Reader>, index: u64) -> Result<RedactionRecord, RedactError> {
    if index >= tree.size() {
        return Err(RedactError::NoRecord(index));
    }
    let Stored::Body(body) = reader.entry(tree, index)? else { return Err(RedactError::NoRecord(index)) };
    match Entry::parse(&body) {
        Ok(Entry::Redaction(record)) => Ok(record),
        _ => Err(RedactError::NoRecord(index)),
    }
}

fn check_redactable(stored: &Stored, withheld: &Withholding) -> Result<(), RedactError> {
    let Stored::Body(body) = stored else { return Ok(()) };
    match (Entry::parse(body), withheld) {
        (Ok(Entry::HashedRekord(_)), Withholding::WholeBody) => Ok(()),
        (Ok(Entry::Sealed(_)), Withholding::WholeBody) => Ok(()),
        (Ok(Entry::Sealed(entry)), Withholding::Fields(fields)) => {
            let inside = fields.iter().all(|field| usize::from(*field) < entry.commitments.len());
            if inside { Ok(()) } else { Err(RedactError::Mismatch) }
        }
        _ => Err(RedactError::NotRedactable),
    }
}

/// Repeats the erasures of all intents.
pub(super) fn complete_interrupted(sequencer: &mut Sequencer) -> Result<(), RedactError> {
    let intents = intents(&sequencer.config)?;
    Ok(sequencer.withhold(&intents)?)
}

/// As [`complete_interrupted`] on a log that has ended, of which nothing is open.
pub(super) fn complete_frozen(config: &Config) -> Result<(), RedactError> {
    let (objects, bundles) = (config.objects(), config.layout.bundle_kind());
    Ok(intents(config)?.values().try_for_each(|intent| intent.erase(&objects, bundles))?)
}

/// What the folder says is to be withheld, durable from here on.
fn intents(config: &Config) -> io::Result<BTreeMap<u64, Intent>> {
    let (files, folder) = (&config.files, config.folder.join("withheld"));
    let mut intents = BTreeMap::new();
    for (name, _) in files.list(&folder)? {
        let path = folder.join(name);
        let bytes = files.read(&path)?;
        let intent = Intent::read(&bytes)?;
        // It may be there without being durable yet.
        files.ensure_durable(&path, &bytes)?;
        intents.insert(intent.index, intent);
    }
    Ok(intents)
}
