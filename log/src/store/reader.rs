//! Reading a log from where it lies, by whoever has only that.

use std::io;
use std::path::{Path, PathBuf};

use crate::bundle::{self, BundleError};
use crate::entry::{EntryError, Stored};
use crate::hash::Hash;
use crate::store::Objects;
use crate::store::files::Files;
use crate::tile::{TILE_WIDTH, TileError, TileKind, TilePath, TileSource, TileTree};

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
}

impl ReadError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "log-unreadable",
            Self::Tile(error) => error.reason(),
            Self::Bundle(error) => error.reason(),
            Self::Entry(error) => error.reason(),
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

    /// The stored openings of a sealed entry; `None` when there are none (any more).
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn sealed(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(&format!("sealed/{index}"))
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

    /// A wider tile at the same place: the newest partial one, or the full one.
    fn wider(&self, path: &TilePath) -> Option<(TilePath, Vec<u8>)> {
        let read = |tile: TilePath| Some((tile, self.objects.read(&tile.to_string()).ok()??));
        read(TilePath { width: 256, ..*path }).or_else(|| {
            let widths = self.objects.widths(path).ok()?.into_iter();
            let width = widths.filter(|width| *width >= path.width && *width < 256).max()?;
            read(TilePath { width, ..*path })
        })
    }
}

/// The first `width` items of a tile's bytes.
pub(crate) fn truncate(kind: TileKind, width: u16, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
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
    if length > bytes.len() {
        return None;
    }
    bytes.truncate(length);
    Some(bytes)
}

impl TileSource for Reader {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        // A partial tile is removed once a wider one is published: between looking and reading, that can
        // happen again, but a tile becomes full at some point.
        for _ in 0..8 {
            if let Ok(Some(bytes)) = self.objects.read(&path.to_string()) {
                return Ok(bytes);
            }
            if let Some((wider, bytes)) = self.wider(path)
                && let Some(bytes) = truncate(wider.kind, path.width, bytes)
            {
                return Ok(bytes);
            }
        }
        Err(TileError::Unavailable { path: path.to_string(), cause: "not in the folder".to_owned() })
    }
}
