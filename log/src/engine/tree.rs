//! The committed tree on disk: write-ahead log, tiles and bundles kept in step.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::edge::{Edge, EdgeTile};
use super::{Config, Layout, OpenError};
use crate::bundle;
use crate::hash::Hash;
use crate::sct::TileLeaf;
use crate::store::Reader;
use crate::store::disk::Kind;
use crate::store::files::Files;
use crate::store::wal::{Batch, Sequenced, WriteAheadLog};
use crate::tile::{TILE_WIDTH, TileError, TileKind, TilePath, TileSource};

/// Everything that one writer keeps of a log. All methods are idempotent with respect to what is on disk:
/// whatever a crash interrupts, opening again completes.
#[derive(Debug)]
pub(crate) struct CommittedTree {
    folder: PathBuf,
    files: Files,
    layout: Layout,
    wal: WriteAheadLog,
    /// Bytes by which the write-ahead log may grow before it is trimmed behind full bundles.
    wal_limit: u64,
    /// Its size at which that is.
    trim_at: u64,
    edge: Edge,
    /// Items of the last bundle, which is not full.
    items: Vec<Vec<u8>>,
    /// Partial files on disk, removed when the next are published.
    partials: Vec<TilePath>,
    recent: RecentTiles,
}

impl CommittedTree {
    /// Opens the tree, of which `published` entries were published: if fewer are there, nothing is changed.
    pub(crate) fn open(config: &Config, published: u64) -> Result<Self, OpenError> {
        let (files, folder) = (&config.files, &config.folder);
        let (mut wal, batches) = WriteAheadLog::open(files, &folder.join("wal"))?;
        let committed = batches.last().map_or(0, Batch::end);
        if committed < published {
            return Err(OpenError::PublishedAhead { published, committed });
        }
        wal.settle()?;
        files.remove_temporaries(folder)?;
        let first = batches.first().map_or(0, |batch| batch.first);
        let reader = Reader::on(files.clone(), folder);
        let edge = Edge::recover(&reader, first)?;
        let items = read_items(&reader, config.layout, first)?;
        let recent = RecentTiles::new(reader);
        let mut tree = Self {
            folder: folder.clone(),
            files: files.clone(),
            layout: config.layout,
            wal,
            wal_limit: config.wal_limit,
            trim_at: config.wal_limit,
            edge,
            items,
            partials: Vec::new(),
            recent,
        };
        let mut filled = Vec::new();
        for batch in &batches {
            filled.extend(tree.integrate(batch)?);
        }
        tree.renew_partials(&filled)?;
        tree.remove_stray_partials()?;
        remove_outgrown(files, &folder.join("tile"))?;
        Ok(tree)
    }

    pub(crate) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The leaf hash at an index; `None` where it cannot be read.
    pub(crate) fn leaf(&self, index: u64) -> Option<Hash> {
        let path = TilePath::in_tree(TileKind::Hashes(0), index / TILE_WIDTH, self.size())?;
        let tile = self.recent.read_tile(&path).ok()?;
        tile.chunks_exact(32).nth(usize::try_from(index % TILE_WIDTH).ok()?).and_then(Hash::from_slice)
    }

    /// Tiles for proofs: from memory where they changed lately.
    pub(crate) fn tiles(&self) -> RecentTiles {
        self.recent.clone()
    }

    /// Makes the entries durable, then integrates them.
    pub(crate) fn append(&mut self, entries: Vec<Sequenced>) -> Result<(), io::Error> {
        let batch = Batch { first: self.size(), entries };
        self.wal.append(&batch)?;
        let filled = self.integrate(&batch)?;
        self.renew_partials(&filled)?;
        if self.wal.bytes() > self.trim_at {
            let size = self.size();
            self.wal.trim(size - size % TILE_WIDTH, size)?;
            // What has to stay may be larger than the limit: rewriting it at every append gains nothing.
            self.trim_at = self.wal.bytes() + self.wal_limit;
        }
        Ok(())
    }

    /// Takes a batch into the edge and writes what became full, which it returns.
    fn integrate(&mut self, batch: &Batch) -> Result<Vec<EdgeTile>, io::Error> {
        let mut filled = Vec::new();
        for (index, entry) in (batch.first..).zip(&batch.entries) {
            if !entry.attachment.is_empty() {
                self.files.ensure_durable(&self.sealed(index), &entry.attachment)?;
            }
            self.items.push(entry.item.clone());
            self.edge.push(entry.leaf, &mut filled);
            if self.items.len() as u64 == TILE_WIDTH {
                let bundle = self.bundle_tile(index / TILE_WIDTH, &self.items);
                self.items.clear();
                filled.push(bundle);
            }
        }
        let contents: Vec<_> =
            filled.iter().map(|tile| (self.path(&tile.path), tile.bytes.as_slice())).collect();
        self.files.ensure_all_durable(&contents)?;
        Ok(filled)
    }

    /// Writes the partial files of this size and removes those that they, or full ones, take the place of.
    fn renew_partials(&mut self, filled: &[EdgeTile]) -> io::Result<()> {
        let mut partial = self.edge.partial();
        self.recent.update(filled.iter().chain(&partial));
        if !self.items.is_empty() {
            partial.push(self.bundle_tile(self.size() / TILE_WIDTH, &self.items));
        }
        for tile in &partial {
            self.write_partial(tile)?;
        }
        let old = std::mem::replace(&mut self.partials, partial.into_iter().map(|tile| tile.path).collect());
        for path in old.iter().filter(|path| !self.partials.contains(path)) {
            self.files.remove_derived(&self.path(path))?;
        }
        for tile in filled {
            self.files.remove_derived_folder(&self.partials_of(&tile.path))?;
        }
        Ok(())
    }

    fn path(&self, tile: &TilePath) -> PathBuf {
        self.folder.join(tile.to_string())
    }

    /// The folder of a tile's partial files.
    fn partials_of(&self, tile: &TilePath) -> PathBuf {
        self.folder.join(format!("{}.p", TilePath { width: 256, ..*tile }))
    }

    fn sealed(&self, index: u64) -> PathBuf {
        self.folder.join("sealed").join(index.to_string())
    }

    /// A partial file is there already only at replay.
    fn write_partial(&self, tile: &EdgeTile) -> io::Result<()> {
        let path = self.path(&tile.path);
        match self.files.read(&path) {
            Ok(old) if old == tile.bytes => Ok(()),
            Ok(_) => self.files.erase(&path, Some(&tile.bytes)),
            Err(_) => self.files.write_derived(&path, &tile.bytes),
        }
    }

    fn bundle_tile(&self, number: u64, items: &[Vec<u8>]) -> EdgeTile {
        let width = u16::try_from(items.len()).expect("a bundle holds at most 256 items");
        let path = TilePath { kind: self.layout.bundle_kind(), number, width };
        EdgeTile { path, bytes: join(self.layout, items) }
    }

    /// Narrower partial files that a crash left behind.
    fn remove_stray_partials(&self) -> io::Result<()> {
        for kept in &self.partials {
            let folder = self.partials_of(kept);
            for (name, _) in self.files.list(&folder)? {
                let path = folder.join(name);
                if path != self.path(kept) {
                    self.files.erase(&path, None)?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the item at `index` (if `item` is given) and its attachment in every file, overwriting what
    /// stood there.
    pub(crate) fn withhold(&mut self, index: u64, item: Option<&[u8]>, attachment: &[u8]) -> io::Result<()> {
        self.wal.withhold(index, item, attachment)?;
        let payload = self.sealed(index);
        if self.files.read_optional(&payload)?.is_some_and(|current| current != attachment) {
            self.files.erase(&payload, (!attachment.is_empty()).then_some(attachment))?;
        }
        let Some(item) = item else { return Ok(()) };
        let (number, at) = (index / TILE_WIDTH, usize::try_from(index % TILE_WIDTH).unwrap_or(0));
        if number == self.size() / TILE_WIDTH {
            self.items[at] = item.to_vec();
            let tile = self.bundle_tile(number, &self.items);
            return self.write_partial(&tile);
        }
        let path = TilePath { kind: self.layout.bundle_kind(), number, width: 256 };
        let bytes = self.files.read(&self.path(&path))?;
        let split = bundle::split(&bytes, 256);
        let mut items: Vec<_> = split.map_err(io::Error::other)?.into_iter().map(<[u8]>::to_vec).collect();
        items[at] = item.to_vec();
        let tile = self.bundle_tile(number, &items);
        self.files.ensure_durable(&self.path(&path), &tile.bytes)
    }
}

/// Removes partial files beside full ones. Their removal was not synced, and after a power failure they may be back, with
/// anything in them.
fn remove_outgrown(files: &Files, folder: &Path) -> io::Result<()> {
    let names = files.list(folder)?;
    let full: HashSet<&OsStr> =
        names.iter().filter(|(_, kind)| *kind == Kind::File).map(|(name, _)| name.as_os_str()).collect();
    for (name, _) in names.iter().filter(|(_, kind)| *kind == Kind::Folder) {
        let path = folder.join(name);
        match Path::new(name).file_stem() {
            Some(stem) if path.extension() == Some(OsStr::new("p")) => {
                if full.contains(stem) {
                    files
                        .list(&path)?
                        .iter()
                        .try_for_each(|(width, _)| files.erase(&path.join(width), None))?;
                    files.remove_derived_folder(&path)?;
                }
            }
            _ => remove_outgrown(files, &path)?,
        }
    }
    Ok(())
}

fn join(layout: Layout, items: &[Vec<u8>]) -> Vec<u8> {
    match layout {
        Layout::StaticCt => items.concat(),
        Layout::TlogTiles => {
            let mut bytes = Vec::new();
            for item in items {
                bundle::push(&mut bytes, item).expect("entries are bounded when they are parsed");
            }
            bytes
        }
    }
}

/// The items of the bundle in which `size` lies, before it, from the durable full bundle.
fn read_items(reader: &Reader, layout: Layout, size: u64) -> Result<Vec<Vec<u8>>, OpenError> {
    let width = usize::try_from(size % TILE_WIDTH).unwrap_or(0);
    if width == 0 {
        return Ok(Vec::new());
    }
    let path = TilePath { kind: layout.bundle_kind(), number: size / TILE_WIDTH, width: 256 };
    let bytes = reader.read_tile(&path)?;
    match layout {
        Layout::TlogTiles => {
            let (items, _) = bundle::split_prefix(&bytes, width)?;
            Ok(items.into_iter().map(<[u8]>::to_vec).collect())
        }
        Layout::StaticCt => {
            let mut rest = &bytes[..];
            let mut items = Vec::new();
            for _ in 0..width {
                let (leaf, tail) = TileLeaf::parse_prefix(rest).ok_or(bundle::BundleError)?;
                items.push(leaf.to_bytes());
                rest = tail;
            }
            Ok(items)
        }
    }
}

/// Bytes of tiles by kind and number.
type TileBytes = HashMap<(TileKind, u64), Vec<u8>>;

/// Tiles from memory where they changed lately, from the folder otherwise.
#[derive(Debug, Clone)]
pub(crate) struct RecentTiles {
    reader: Reader,
    recent: Arc<Mutex<TileBytes>>,
}

impl RecentTiles {
    fn new(reader: Reader) -> Self {
        Self { reader, recent: Arc::default() }
    }

    fn update<'a>(&self, tiles: impl Iterator<Item = &'a EdgeTile>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() > 64 {
            recent.clear();
        }
        for tile in tiles {
            recent.insert((tile.path.kind, tile.path.number), tile.bytes.clone());
        }
    }
}

impl TileSource for RecentTiles {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        let wanted = 32 * usize::from(path.width);
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        match recent.get(&(path.kind, path.number)) {
            Some(bytes) if bytes.len() >= wanted => Ok(bytes[..wanted].to_vec()),
            _ => self.reader.read_tile(path),
        }
    }
}

/// Hands on all leaf hashes of a tree, for what is derived from them.
pub(crate) fn leaves(
    source: &impl TileSource,
    size: u64,
    mut each: impl FnMut(u64, Hash),
) -> Result<(), TileError> {
    for number in 0..size.div_ceil(TILE_WIDTH) {
        let path = TilePath::in_tree(TileKind::Hashes(0), number, size).expect("the tile is in the tree");
        let tile = source.read_tile(&path)?;
        let first = number * TILE_WIDTH;
        (first..)
            .zip(tile.chunks_exact(32).filter_map(Hash::from_slice))
            .for_each(|(at, leaf)| each(at, leaf));
    }
    Ok(())
}
