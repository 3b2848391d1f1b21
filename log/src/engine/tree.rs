//! The committed tree where it is stored: tiles and bundles kept in step.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::edge::{Edge, EdgeTile};
use super::intent::{Intent, sealed};
use super::{Layout, OpenError};
use crate::batch::Batch;
use crate::bundle;
use crate::sct::TileLeaf;
use crate::store::{Objects, Reader};
use crate::tile::{TILE_WIDTH, TileError, TileKind, TilePath, TileSource};

/// Everything that one writer keeps of a log, but for what makes entries durable. All methods are idempotent with respect
/// to what is stored: whatever a crash interrupts, opening again completes.
#[derive(Debug)]
pub(crate) struct CommittedTree {
    objects: Objects,
    layout: Layout,
    edge: Edge,
    /// Items of the last bundle, which is not full.
    items: Vec<Vec<u8>>,
    /// Partial tiles that are stored, removed when the next are.
    partials: Vec<TilePath>,
    recent: RecentTiles,
    /// The latest timestamp of its leaves, where leaves have one.
    latest: u64,
}

impl CommittedTree {
    /// The tree at the end of these batches, with all its tiles stored. What is before them is in full tiles.
    pub(crate) fn open(objects: Objects, layout: Layout, batches: &[Batch]) -> Result<Self, OpenError> {
        objects.remove_temporaries()?;
        let first = batches.first().map_or(0, |batch| batch.first);
        let reader = Reader::on(objects.clone());
        let edge = Edge::recover(&reader, first)?;
        let items = read_items(&reader, layout, first)?;
        let latest = read_latest(&reader, layout, first)?;
        let recent = RecentTiles::new(reader);
        let mut tree = Self { objects, layout, edge, items, partials: Vec::new(), recent, latest };
        tree.append(batches)?;
        tree.objects.remove_stray_partials(&tree.partials)?;
        Ok(tree)
    }

    /// Whether tiles of a log stand there. Asked before it is read what is committed: that is so before it is stored.
    pub(super) fn is_begun(objects: &Objects) -> io::Result<bool> {
        let first = TilePath { kind: TileKind::Hashes(0), number: 0, width: 256 };
        Ok(!objects.widths(&first)?.is_empty() || objects.read(&first.to_string())?.is_some())
    }

    pub(crate) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The latest timestamp of its leaves, Unix milliseconds; of a log whose leaves have none, 0.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// Tiles for proofs: from memory where they changed lately.
    pub(crate) fn tiles(&self) -> &RecentTiles {
        &self.recent
    }

    /// Integrates batches that are durable, and stores their tiles. Returns whether some became full.
    pub(crate) fn append(&mut self, batches: &[Batch]) -> io::Result<bool> {
        let mut filled = Vec::new();
        for batch in batches {
            filled.extend(self.integrate(batch)?);
        }
        self.renew_partials(&filled)?;
        Ok(!filled.is_empty())
    }

    /// Takes a batch into the edge and writes what is kept beside it and what became full, which it returns.
    fn integrate(&mut self, batch: &Batch) -> Result<Vec<EdgeTile>, io::Error> {
        let (mut filled, mut beside) = (Vec::new(), Vec::new());
        for (index, entry) in (batch.first..).zip(&batch.entries) {
            if !entry.attachment.is_empty() {
                beside.push((sealed(index), entry.attachment.as_slice()));
            }
            if self.layout == Layout::StaticCt {
                self.latest = self.latest.max(TileLeaf::timestamp_of(&entry.item).unwrap_or(0));
            }
            self.items.push(entry.item.clone());
            self.edge.push(entry.leaf, &mut filled);
            if self.items.len() as u64 == TILE_WIDTH {
                let bundle = self.bundle_tile(index / TILE_WIDTH, &self.items);
                self.items.clear();
                filled.push(bundle);
            }
        }
        // All at once: one by one they would hold up whoever else is in the batch.
        let tiles = filled.iter().map(|tile| (tile.path.to_string(), tile.bytes.as_slice()));
        let contents: Vec<_> = beside.into_iter().chain(tiles).collect();
        self.objects.ensure_all_durable(&contents)?;
        Ok(filled)
    }

    /// Stores the partial tiles of this size and removes those that they, or full ones, take the place of.
    fn renew_partials(&mut self, filled: &[EdgeTile]) -> io::Result<()> {
        let mut partial = self.edge.partial();
        self.recent.update(filled.iter().chain(&partial));
        partial.extend(self.partial_bundle());
        let contents: Vec<_> = partial.iter().map(|tile| (tile.path, tile.bytes.as_slice())).collect();
        self.objects.write_partials(&contents)?;
        let old = std::mem::replace(&mut self.partials, partial.into_iter().map(|tile| tile.path).collect());
        for path in old.iter().filter(|path| !self.partials.contains(path)) {
            self.objects.remove_partial(path)?;
        }
        for tile in filled {
            self.objects.remove_partials_of(&tile.path)?;
        }
        Ok(())
    }

    /// Has the partial tiles stand there for good: once a log has ended, nobody derives them again.
    pub(crate) fn keep_partials(&self) -> io::Result<()> {
        let mut partial = self.edge.partial().into_iter().chain(self.partial_bundle());
        partial.try_for_each(|tile| self.objects.keep(&tile.path.to_string(), &tile.bytes))
    }

    /// The last bundle, if it is not full.
    fn partial_bundle(&self) -> Option<EdgeTile> {
        let number = self.size() / TILE_WIDTH;
        (!self.items.is_empty()).then(|| self.bundle_tile(number, &self.items))
    }

    fn bundle_tile(&self, number: u64, items: &[Vec<u8>]) -> EdgeTile {
        let width = u16::try_from(items.len()).expect("a bundle holds at most 256 items");
        let path = TilePath { kind: self.layout.bundle_kind(), number, width };
        EdgeTile { path, bytes: join(self.layout, items) }
    }

    /// Takes what is withheld out of everything that is stored, overwriting what stood there.
    pub(crate) fn withhold(&mut self, intent: &Intent) -> io::Result<()> {
        let at = usize::try_from(intent.index % TILE_WIDTH).unwrap_or(0);
        if intent.index / TILE_WIDTH == self.size() / TILE_WIDTH
            && let (Some(kept), Some(item)) = (self.items.get_mut(at), intent.item())
        {
            *kept = item;
        }
        intent.erase(&self.objects, self.layout.bundle_kind())
    }
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
            let leaves = TileLeaf::parse_first(&bytes, width).ok_or(bundle::BundleError)?;
            Ok(leaves.iter().map(TileLeaf::to_bytes).collect())
        }
    }
}

/// The latest timestamp in the bundle that ends before `size` or in which it lies, where leaves have one: earlier ones are
/// older by more than clocks differ.
fn read_latest(reader: &Reader, layout: Layout, size: u64) -> Result<u64, OpenError> {
    let (Layout::StaticCt, Some(last)) = (layout, size.checked_sub(1)) else { return Ok(0) };
    let path = TilePath { kind: layout.bundle_kind(), number: last / TILE_WIDTH, width: 256 };
    let count = usize::try_from(last % TILE_WIDTH + 1).unwrap_or(0);
    let leaves = TileLeaf::parse_first(&reader.read_tile(&path)?, count).ok_or(bundle::BundleError)?;
    Ok(leaves.iter().map(|leaf| leaf.timestamp).max().unwrap_or(0))
}

/// Bytes of tiles by kind and number.
type TileBytes = HashMap<(TileKind, u64), Vec<u8>>;

/// Tiles from memory where they changed lately, from where they are stored otherwise.
#[derive(Debug, Clone)]
pub(crate) struct RecentTiles {
    reader: Reader,
    recent: Arc<Mutex<TileBytes>>,
}

impl RecentTiles {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, recent: Arc::default() }
    }

    /// Those of the first `size` leaves, of which what these batches hold need not be stored yet, or may be stored otherwise.
    pub(super) fn of(reader: Reader, batches: &[Batch], size: u64) -> Result<Self, TileError> {
        let first = batches.first().map_or(0, |batch| batch.first);
        let mut edge = Edge::recover(&reader, first.min(size))?;
        let mut tiles = Vec::new();
        let ordered = batches.iter().flat_map(|batch| &batch.entries);
        let more = usize::try_from(size.saturating_sub(first)).unwrap_or(usize::MAX);
        ordered.take(more).for_each(|entry| edge.push(entry.leaf, &mut tiles));
        tiles.extend(edge.partial());
        let recent = Self::new(reader);
        recent.update(tiles.iter());
        Ok(recent)
    }

    fn recent(&self, path: &TilePath) -> Option<Vec<u8>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = recent.get(&(path.kind, path.number))?;
        bytes.get(..32 * usize::from(path.width)).map(<[u8]>::to_vec)
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
        // Storage is read without the lock: the log's own thread must not wait for an old tile that somebody else is after.
        match self.recent(path) {
            Some(bytes) => Ok(bytes),
            None => self.reader.read_tile(path),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::store::bucket::{Bucket, Created, Replaced, Version};

    /// A bucket that says when it is asked, and answers when it is told to.
    #[derive(Debug)]
    struct Slow {
        asked: mpsc::SyncSender<()>,
        answer: Mutex<mpsc::Receiver<()>>,
    }

    impl Bucket for Slow {
        fn name(&self) -> String {
            "slow".to_owned()
        }
        fn get(&self, _: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
            self.asked.send(()).unwrap();
            self.answer.lock().unwrap().recv().unwrap();
            Ok(Some((vec![7; 32 * 256], Version(String::new()))))
        }
        fn list(&self, _: &str) -> io::Result<Vec<String>> {
            unreachable!("full tiles are not looked for")
        }
        fn create(&self, _: &str, _: &[u8]) -> io::Result<Created> {
            unreachable!("nothing is written")
        }
        fn replace(&self, _: &str, _: &[u8], _: &Version) -> io::Result<Replaced> {
            unreachable!("nothing is written")
        }
        fn overwrite(&self, _: &str, _: &[u8]) -> io::Result<()> {
            unreachable!("nothing is written")
        }
        fn remove(&self, _: &str) -> io::Result<()> {
            unreachable!("nothing is written")
        }
    }

    #[test]
    fn recent_tiles_are_read_while_somebody_waits_for_an_old_one() {
        let ((asked, is_asked), (tell, answer)) = (mpsc::sync_channel(1), mpsc::channel());
        let bucket = Arc::new(Slow { asked, answer: Mutex::new(answer) });
        let tiles = RecentTiles::new(Reader::on(Objects::Bucket(bucket, false)));
        let full = |number| TilePath { kind: TileKind::Hashes(0), number, width: 256 };
        tiles.update([EdgeTile { path: full(1), bytes: vec![1; 32 * 256] }].iter());
        let others = tiles.clone();
        let old = std::thread::spawn(move || others.read_tile(&full(0)));
        is_asked.recv().unwrap();
        let (sender, read) = mpsc::channel();
        let recent = std::thread::spawn(move || sender.send(tiles.read_tile(&full(1))));
        let read = read.recv_timeout(Duration::from_secs(10));
        tell.send(()).unwrap();
        assert_eq!(read.unwrap().unwrap(), [1; 32 * 256]);
        assert_eq!(old.join().unwrap().unwrap(), [7; 32 * 256]);
        recent.join().unwrap().unwrap();
    }
}
