//! Input and output logs that `sigveil-log` keeps: folders to follow, the engine to publish to.

use super::{InputLog, OutputLog, Pending, Unavailable};
use crate::coverage::Covered;
use crate::index::LogEntries;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::engine::{self, AppendError};
use sigveil_log::entry::Stored;
use sigveil_log::hash::Hash;
use sigveil_log::note::NoteKey;
use sigveil_log::store::{ReadError, Reader};
use sigveil_log::tile::{TilePath, TileSource, TileTree};
use std::path::Path;

impl From<ReadError> for Unavailable {
    fn from(error: ReadError) -> Self {
        Self(error.to_string())
    }
}

/// A log's folder, read only, whoever writes it.
pub struct FolderLog {
    reader: Reader,
    key: NoteKey,
}

impl FolderLog {
    /// The log in `folder`, whose checkpoints `key` signs.
    pub fn new(folder: &Path, key: NoteKey) -> Self {
        Self { reader: Reader::new(folder), key }
    }

    /// The folder of a log that runs in this process.
    pub fn of(log: &engine::Log) -> Self {
        Self { reader: log.reader().clone(), key: log.key().clone() }
    }
}

fn open(reader: &Reader, tree: &Checkpoint) -> Result<TileTree<Reader>, Unavailable> {
    Ok(TileTree::open(reader.clone(), tree.size, &tree.root).map_err(ReadError::from)?)
}

impl InputLog for FolderLog {
    fn key(&self) -> &NoteKey {
        &self.key
    }

    fn checkpoint(&self) -> Result<Vec<u8>, Unavailable> {
        Ok(self.reader.checkpoint()?)
    }

    fn entries(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<LogEntries, Unavailable> {
        let mut read =
            LogEntries { origin: tree.origin.clone(), entries: Vec::new(), records: Default::default() };
        if begin >= end {
            return Ok(read);
        }
        let tree = open(&self.reader, tree)?;
        read.entries = self.reader.entries(&tree, begin, end)?;
        for entry in &read.entries {
            let Stored::Withheld(withheld) = entry else { continue };
            // A record beyond this tree is no record: the index refuses the tombstone.
            if withheld.record < tree.size()
                && let Stored::Body(body) = self.reader.entry(&tree, withheld.record)?
            {
                read.records.insert(withheld.record, body);
            }
        }
        Ok(read)
    }
}

/// An output log that the engine of `sigveil-log` runs in this process.
pub struct EngineLog(pub engine::Log);

impl OutputLog for EngineLog {
    fn key(&self) -> &NoteKey {
        self.0.key()
    }

    fn append(&self, leaf: Vec<u8>) -> Pending<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            // A trust root that returns before any log has grown gives the same leaf as the first time.
            match self.0.append_recurring(leaf).await {
                // The same leaf in the last place is the one that an interrupted run left behind.
                Ok(_) | Err(AppendError::Duplicate(_)) => Ok(()),
                Err(error) => Err(Unavailable(error.to_string())),
            }
        })
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        match self.0.checkpoint() {
            Ok(note) => Ok(Some(note)),
            Err(ReadError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn leaves(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<Vec<Vec<u8>>, Unavailable> {
        if begin >= end {
            return Ok(Vec::new());
        }
        let stored = self.0.reader().entries(&open(self.0.reader(), tree)?, begin, end)?;
        let bodies = stored.into_iter().map(|leaf| match leaf {
            Stored::Body(body) => Ok(body),
            Stored::Withheld(_) => Err(Unavailable("a leaf of the output log is withheld".to_owned())),
        });
        bodies.collect()
    }

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Unavailable> {
        Ok(self.0.reader().read_tile(path).map_err(ReadError::from)?)
    }
}

impl engine::Coverage for Covered {
    fn covers(&self, origin: &str, index: u64, leaf_hash: &Hash, key_list_digest: &Hash) -> bool {
        self.place().log == origin
            && self.place().index == index
            && self.leaf_hash() == *leaf_hash
            && self.key_list_digest() == *key_list_digest
    }
}
