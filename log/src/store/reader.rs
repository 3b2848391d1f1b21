//! Reading a log from where it lies, by whoever has only that.

use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::{self, BundleError};
use crate::checkpoint::Checkpoint;
use crate::entry::{EntryError, Stored};
use crate::hash::Hash;
use crate::note::SignedNote;
use crate::store::Objects;
use crate::store::files::Files;
use crate::tile::{TILE_WIDTH, TileError, TileKind, TilePath, TileSource, TileTree};

/// How often a tile is looked for that was removed between listing and reading.
const ROUNDS: usize = 8;

/// Why a log's folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// From the file system.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// From tiles.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// From a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An entry that does not belong to its leaf.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// An entry whose content is withheld, and no record of the tree says so.
    #[error("entry {index} is withheld, and entry {record} is no record of that in this tree")]
    Unrecorded {
        /// Index of the entry.
        index: u64,
        /// Where its record is said to be.
        record: u64,
    },
}

impl ReadError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "log-unreadable",
            Self::Tile(error) => error.reason(),
            Self::Bundle(error) => error.reason(),
            Self::Entry(error) => error.reason(),
            Self::Unrecorded { .. } => "withheld-without-record",
        }
    }

    /// Whether it is known that what was to be read is not there.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            Self::Io { error, .. } => error.kind() == io::ErrorKind::NotFound,
            Self::Tile(error) => matches!(error, TileError::Unavailable { .. }),
            _ => false,
        }
    }
}

/// A log, read only. Nothing read is trusted: trees are compared with a checkpoint's root, entries
/// with their leaf.
#[derive(Debug, Clone)]
pub struct Reader {
    objects: Objects,
}

impl Reader {
    /// Reads the log in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::on(Objects::Folder(Files::default(), folder.to_owned()))
    }

    /// Reads the log that lies there.
    pub fn on(objects: Objects) -> Self {
        Self { objects }
    }

    /// Where the log lies.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let located = |error| ReadError::Io { path: self.objects.locate(name), error };
        self.objects.read(name).map_err(located)
    }

    /// The published checkpoint, not verified.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        let missing = || ReadError::Io {
            path: self.objects.locate("checkpoint"),
            error: io::ErrorKind::NotFound.into(),
        };
        self.read("checkpoint")?.ok_or_else(missing)
    }

    /// Size of the published tree as its checkpoint says, which is not verified; 0 where none is published.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub(crate) fn size(&self) -> Result<u64, ReadError> {
        let Some(bytes) = self.read("checkpoint")? else { return Ok(0) };
        let checkpoint = SignedNote::parse(&bytes).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        let damaged = || ReadError::Io {
            path: self.objects.locate("checkpoint"),
            error: io::ErrorKind::InvalidData.into(),
        };
        checkpoint.map(|checkpoint| checkpoint.size).ok_or_else(damaged)
    }

    /// The stored openings of a sealed entry; `None` when there are none (any more).
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn sealed(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        // What was withheld whole leaves an empty object in a bucket.
        Ok(self.read(&format!("sealed/{index}"))?.filter(|kept| !kept.is_empty()))
    }

    /// The certificate with this SHA-256 that a certificate log keeps beside its entries; `None` when it is not there.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(&format!("issuer/{}", fingerprint.to_hex()))
    }

    /// What stands at `begin..end` (cut at the tree's size), each compared with its leaf in `tree`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entries(&self, tree: &TileTree<Self>, begin: u64, end: u64) -> Result<Vec<Stored>, ReadError> {
        let end = end.min(tree.size());
        let mut stored = Vec::new();
        let mut index = begin;
        while index < end {
            let number = index / TILE_WIDTH;
            let path = TilePath::in_tree(TileKind::Entries, number, tree.size())
                .expect("the index is below the tree's size");
            let bytes = self.read_tile(&path)?;
            let items = bundle::split(&bytes, usize::from(path.width))?;
            for item in items.into_iter().skip(usize::try_from(index % TILE_WIDTH).unwrap_or(0)) {
                if index < end {
                    stored.push(Stored::parse(item.to_vec(), &tree.leaf(index)?)?);
                    index += 1;
                }
            }
        }
        Ok(stored)
    }

    /// What stands at one index.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, tree: &TileTree<Self>, index: u64) -> Result<Stored, ReadError> {
        let found = self.entries(tree, index, index.saturating_add(1))?.pop();
        found.ok_or_else(|| TileError::OutsideTree { level: 0, index }.into())
    }

    /// A tile's bytes; `None` when it is not there.
    fn find(&self, path: &TilePath) -> io::Result<Option<Vec<u8>>> {
        // A partial tile is removed once a wider one is published: between listing and reading, that can happen again, but
        // a tile becomes full at some point.
        for _ in 0..ROUNDS {
            if let Some(bytes) = self.objects.read(&path.to_string())? {
                return Ok(Some(bytes));
            }
            if path.is_full() {
                return Ok(None);
            }
            let full = TilePath { width: 256, ..*path };
            if let Some(bytes) = self.first_of(&full, path.width)? {
                return Ok(Some(bytes));
            }
            let wider = self.objects.widths(path)?.into_iter();
            let Some(width) = wider.filter(|width| (path.width..256).contains(width)).max() else {
                // None of them is left once the full one is there.
                return self.first_of(&full, path.width);
            };
            if let Some(bytes) = self.first_of(&TilePath { width, ..*path }, path.width)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The first `width` items of a tile; `None` when it is not there.
    fn first_of(&self, tile: &TilePath, width: u16) -> io::Result<Option<Vec<u8>>> {
        let Some(bytes) = self.objects.read(&tile.to_string())? else { return Ok(None) };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{tile} is damaged"));
        truncate(tile.kind, width, bytes).ok_or_else(damaged).map(Some)
    }
}

/// The first `width` items of a tile's bytes, copied: cut short in place they would keep the room of the whole tile for as
/// long as somebody is sent them.
pub(crate) fn truncate(kind: TileKind, width: u16, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let length = match kind {
        TileKind::Hashes(_) => 32 * usize::from(width),
        TileKind::Entries => {
            let (_, rest) = bundle::split_prefix(&bytes, usize::from(width)).ok()?;
            bytes.len() - rest.len()
        }
        TileKind::Data => {
            let mut rest = &bytes[..];
            for _ in 0..width {
                rest = crate::sct::TileLeaf::parse_prefix(rest)?.1;
            }
            bytes.len() - rest.len()
        }
    };
    if length == bytes.len() { Some(bytes) } else { bytes.get(..length).map(<[u8]>::to_vec) }
}

impl TileSource for Reader {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        match self.find(path) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => {
                Err(TileError::Unavailable { path: path.to_string(), cause: "not in the folder".to_owned() })
            }
            Err(error) => Err(TileError::Unreadable { path: path.to_string(), cause: error.to_string() }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::store::bucket::{Bucket, Created, Replaced, Version};

    /// A bucket that writes down what it is asked.
    #[derive(Debug, Default)]
    struct Asked {
        objects: BTreeMap<String, Vec<u8>>,
        /// Names that are listed and have vanished when they are read, one after the other.
        vanishing: Mutex<Vec<String>>,
        fails: Option<&'static str>,
        asked: Mutex<Vec<String>>,
    }

    impl Asked {
        fn note(&self, what: String) -> io::Result<()> {
            let fails = self.fails.is_some_and(|fails| what == fails);
            self.asked.lock().unwrap().push(what);
            if fails { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
        }
    }

    impl Bucket for Asked {
        fn name(&self) -> String {
            "bucket".to_owned()
        }
        fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
            self.note(format!("get {name}"))?;
            Ok(self.objects.get(name).map(|bytes| (bytes.clone(), Version(String::new()))))
        }
        fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
            self.note(format!("list {prefix}"))?;
            let vanishing = self.vanishing.lock().unwrap().pop();
            let there = self.objects.keys().filter(|name| name.starts_with(prefix)).cloned();
            Ok(vanishing.into_iter().chain(there).collect())
        }
        fn create(&self, _: &str, _: &[u8]) -> io::Result<Created> {
            unreachable!("a reader writes nothing")
        }
        fn replace(&self, _: &str, _: &[u8], _: &Version) -> io::Result<Replaced> {
            unreachable!("a reader writes nothing")
        }
        fn overwrite(&self, _: &str, _: &[u8]) -> io::Result<()> {
            unreachable!("a reader writes nothing")
        }
        fn remove(&self, _: &str) -> io::Result<()> {
            unreachable!("a reader writes nothing")
        }
    }

    const FIVE: TilePath = TilePath { kind: TileKind::Hashes(0), number: 0, width: 5 };

    /// What reading the tile of five comes to, and what the bucket was asked for it.
    fn read(bucket: Asked) -> (Result<Vec<u8>, &'static str>, Vec<String>) {
        let bucket = Arc::new(bucket);
        let asked: Arc<dyn Bucket> = Arc::clone(&bucket) as _;
        let read = Reader::on(Objects::Bucket(asked, false)).read_tile(&FIVE);
        let asked = bucket.asked.lock().unwrap().clone();
        (read.map_err(|error| error.reason()), asked)
    }

    fn holding(name: &str, width: usize) -> Asked {
        Asked { objects: [(name.to_owned(), vec![7; 32 * width])].into(), ..Asked::default() }
    }

    const EXACT: &str = "get tile/0/000.p/5";
    const FULL: &str = "get tile/0/000";
    const LIST: &str = "list tile/0/000.p/";

    #[test]
    fn a_tile_is_cut_from_whatever_wider_one_is_there() {
        let five = vec![7; 32 * 5];
        assert_eq!(read(holding("tile/0/000.p/5", 5)).0, Ok(five.clone()));
        assert_eq!(read(holding("tile/0/000.p/9", 9)).0, Ok(five.clone()));
        assert_eq!(read(holding("tile/0/000", 256)).0, Ok(five));
        assert_eq!(read(holding("tile/0/000.p/4", 4)).0, Err("tile-unavailable"));
    }

    #[test]
    fn a_part_of_a_full_bundle_takes_no_more_memory_than_it_has_bytes() {
        let mut bytes = Vec::new();
        (0..=255).for_each(|n| bundle::push(&mut bytes, &vec![n; 60_000]).unwrap());
        let full = ("tile/entries/000".to_owned(), bytes);
        let bucket: Arc<dyn Bucket> = Arc::new(Asked { objects: [full].into(), ..Asked::default() });
        let reader = Reader::on(Objects::Bucket(bucket, false));
        for width in [1, 200] {
            let part = reader.read_tile(&TilePath { kind: TileKind::Entries, number: 0, width }).unwrap();
            assert_eq!(part.len(), 60_002 * usize::from(width));
            assert!(part.capacity() <= part.len() + 4096, "{} bytes are held", part.capacity());
        }
    }

    #[test]
    fn what_is_not_there_is_looked_for_once() {
        let (read, asked) = read(Asked::default());
        assert_eq!(
            (read, asked),
            (Err("tile-unavailable"), [EXACT, FULL, LIST, FULL].map(str::to_owned).into())
        );
    }

    #[test]
    fn what_vanishes_between_listing_and_reading_is_looked_for_again() {
        let vanishing = vec!["tile/0/000.p/7".to_owned(), "tile/0/000.p/6".to_owned()];
        let (found, _) =
            read(Asked { vanishing: Mutex::new(vanishing.clone()), ..holding("tile/0/000.p/8", 4) });
        assert_eq!(found, Err("log-unreadable"), "the wider one is damaged");
        let there = Asked { vanishing: Mutex::new(vanishing), ..Asked::default() };
        let (found, asked) = read(there);
        assert_eq!(found, Err("tile-unavailable"));
        assert_eq!(asked.iter().filter(|what| *what == EXACT).count(), 3);
    }

    #[test]
    fn a_failure_is_not_taken_for_nothing_and_ends_the_search() {
        for (fails, requests) in [(EXACT, 1), (FULL, 2), (LIST, 3)] {
            let (found, asked) = read(Asked { fails: Some(fails), ..holding("tile/0/000.p/9", 9) });
            assert_eq!((found, asked.len()), (Err("log-unreadable"), requests), "{fails}");
        }
    }
}
