//! Where one room's trait meets another room's type, and neither should know the other.

use std::path::Path;

use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::note::NoteKey;
use sigveil_log::store::Reader;
use sigveil_log::tile::{TilePath, TileSource};
use sigveil_verifiable_search::service::{FolderLog, InputLog, OutputLog, Pending, Unavailable};

/// An output log that is only read: an index over it can answer, and cannot grow.
pub struct ReadOnlyOutput {
    log: FolderLog,
    reader: Reader,
}

impl ReadOnlyOutput {
    /// The output log in a folder, whose checkpoints `key` signs.
    pub fn new(folder: &Path, key: NoteKey) -> Self {
        Self { log: FolderLog::new(folder, key), reader: Reader::new(folder) }
    }
}

impl OutputLog for ReadOnlyOutput {
    fn key(&self) -> &NoteKey {
        self.log.key()
    }

    fn append(&self, _: Vec<u8>) -> Pending<'_, Result<(), Unavailable>> {
        let behind = "the index is behind its log: start the instance once, so that it catches up";
        Box::pin(async move { Err(Unavailable(behind.to_owned())) })
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        self.log.checkpoint().map(Some)
    }

    fn leaves(&self, tree: &Checkpoint, begin: u64, end: u64) -> Result<Vec<Vec<u8>>, Unavailable> {
        use sigveil_log::entry::Stored;
        let bodies = self.log.entries(tree, begin, end)?.entries.into_iter().map(|stored| match stored {
            Stored::Body(body) => Ok(body),
            Stored::Withheld(_) => Err(Unavailable("a leaf of the output log is withheld".to_owned())),
        });
        bodies.collect()
    }

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Unavailable> {
        self.reader.read_tile(path).map_err(|error| Unavailable(error.to_string()))
    }
}
