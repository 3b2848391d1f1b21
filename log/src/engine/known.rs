//! Which leaves the log holds, for refusing them a second time.
//!
//! The latest are in a table in memory; of those before them, each 2^n that lie together in a tree's subtree are in a file of
//! their own, a segment. So neither memory nor what a start reads of leaves grows with the log. Both know of a leaf forty bits
//! of its hash and its index; whether a leaf with those bits is the one asked for, the tree itself says.
//!
//! All of it is derived: what is not there, or is of another tree, is made anew from the tree's tiles when the log opens, and
//! what turns out to be damaged when its folder is opened again.

mod segment;
mod table;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::tree::leaves;
use crate::hash::Hash;
use crate::merkle::NodeSource as _;
use crate::store::files::Files;
use crate::tile::{TILE_HEIGHT, TileSource, TileTree};
use segment::Segment;
use table::Table;

/// Bits of a hash by which a leaf is looked for.
const PREFIX_BITS: u32 = 40;

/// The first bits of a hash.
fn prefix(leaf: &Hash) -> u64 {
    let [a, b, c, d, e, ..] = leaf.0;
    u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
}

/// Where segments lie, and how large they are.
#[derive(Debug)]
pub(super) struct Place {
    files: Files,
    folder: PathBuf,
    height: u32,
}

impl Place {
    /// Below a log's folder, for 2^`height` leaves in each; no less than a tile has, and no more than an index has bits for.
    pub(super) fn new(files: &Files, log: &Path, height: u32) -> Self {
        let height = height.clamp(TILE_HEIGHT, u32::BITS - 1);
        Self { files: files.clone(), folder: log.join("known"), height }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    fn leaves(&self, number: u64) -> Range<u64> {
        number << self.height..(number + 1) << self.height
    }

    fn write(&self, number: u64, root: Hash, table: &Table) -> io::Result<Segment> {
        let which = self.leaves(number);
        // One that lacks leaves, whose tile was cut short, is of no tree: the next start makes it anew.
        let is_whole = table.count_before(which.end) as u64 == which.end - which.start;
        let root = if is_whole { root } else { Hash([0; 32]) };
        Segment::write(&self.files, &self.path(number), root, self.height, table.before(which.end))
    }
}

/// Indices by leaf hash.
#[derive(Debug)]
pub(super) struct Known {
    place: Place,
    /// In the order of what they are of, from the first leaf on.
    segments: Vec<Segment>,
    /// The leaves behind those.
    recent: Table,
}

impl Known {
    /// The leaves of a tree. Of segments that are there all pages are read if something went wrong before, otherwise what
    /// tells of which leaves they are: a page is looked at when it is used.
    pub(super) fn open(
        place: Place,
        tiles: &(impl TileSource + Sync),
        size: u64,
        suspicious: bool,
    ) -> Result<Self, OpenError> {
        let (tree, mut segments) = (TileTree::new(tiles, size), Vec::new());
        for number in 0..size >> place.height {
            let root = tree.node(place.height, number)?;
            let found = Segment::open(&place.files, &place.path(number), root, place.height)?;
            let sound = match found {
                Some(found) if !suspicious || found.is_whole() => Some(found),
                _ => None,
            };
            segments.push(match sound {
                Some(sound) => sound,
                None => place.write(number, root, &Table::of(place.leaves(number), tiles, size)?)?,
            });
        }
        let first = (segments.len() as u64) << place.height;
        let recent = Table::of(first..size, tiles, size)?;
        Ok(Self { place, segments, recent })
    }

    /// The last index whose leaf `is` this one.
    ///
    /// # Errors
    /// Where a segment cannot be read.
    pub(super) fn find(&self, leaf: &Hash, is: impl Fn(u64) -> bool) -> io::Result<Option<u64>> {
        let last = |mut candidates: Vec<u64>| {
            candidates.sort_unstable();
            candidates.into_iter().rev().find(|index| is(*index))
        };
        if let Some(index) = last(self.recent.candidates(leaf)) {
            return Ok(Some(index));
        }
        for (number, segment) in self.segments.iter().enumerate().rev() {
            let first = self.place.leaves(number as u64).start;
            let candidates = segment.candidates(leaf)?.into_iter().map(|at| first + u64::from(at));
            if let Some(index) = last(candidates.collect()) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Notes the next leaf.
    pub(super) fn push(&mut self, leaf: &Hash, index: u64) {
        self.recent.insert(leaf, index);
    }

    /// Writes segments of what fills them, durably: the log lies in these tiles.
    ///
    /// # Errors
    /// From storage. What is in memory is as before.
    pub(super) fn seal(&mut self, tiles: impl TileSource, size: u64) -> io::Result<()> {
        let full = size >> self.place.height;
        if full == self.segments.len() as u64 {
            return Ok(());
        }
        let tree = TileTree::new(tiles, size);
        while (self.segments.len() as u64) < full {
            let number = self.segments.len() as u64;
            let root = tree.node(self.place.height, number).map_err(io::Error::other)?;
            self.segments.push(self.place.write(number, root, &self.recent)?);
            self.recent = self.recent.behind(self.place.leaves(number).end);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::sync::Arc;

    use super::super::crash::disk::{Fault, Faulty, Plan};
    use super::super::edge::Edge;
    use super::*;
    use crate::store::disk::Posix;
    use crate::tile::{TileError, TilePath};

    /// Tiles of a tree that grows.
    #[derive(Default)]
    struct Tiles {
        edge: Edge,
        stored: HashMap<String, Vec<u8>>,
    }

    impl Tiles {
        fn of(leaves: u64) -> Self {
            let mut tiles = Self::default();
            (0..leaves).for_each(|index| tiles.push(leaf(index)));
            tiles
        }

        fn push(&mut self, leaf: Hash) {
            let mut changed = Vec::new();
            self.edge.push(leaf, &mut changed);
            changed.extend(self.edge.partial());
            self.stored.extend(changed.into_iter().map(|tile| (tile.path.to_string(), tile.bytes)));
        }
    }

    impl TileSource for Tiles {
        fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
            let path = path.to_string();
            let missing = || TileError::Unavailable { path: path.clone(), cause: "not there".to_owned() };
            self.stored.get(&path).cloned().ok_or_else(missing)
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    fn open(folder: &Path, tiles: &Tiles, suspicious: bool) -> Known {
        let place = Place::new(&Files::default(), folder, 0);
        Known::open(place, tiles, tiles.edge.size(), suspicious).unwrap()
    }

    fn finds_all(known: &Known, size: u64) -> bool {
        let found = |number: u64| known.find(&leaf(number), |index| index == number);
        (0..size).all(|number| found(number).is_ok_and(|found| found == Some(number)))
    }

    #[test]
    fn the_last_index_is_found_in_memory_in_a_file_and_after_a_start() {
        let (folder, mut tiles) = (tempfile::tempdir().unwrap(), Tiles::default());
        let mut known = open(folder.path(), &tiles, false);
        let (mut last, mut numbers) = (HashMap::new(), Vec::new());
        // Some stand several times, in one segment and in several.
        for (index, number) in
            (0..1_400u64).map(|index| (index, if index % 9 == 0 { index % 5 } else { index }))
        {
            tiles.push(leaf(number));
            known.push(&leaf(number), index);
            last.insert(number, index);
            numbers.push(number);
            // As after a batch.
            if index % 300 == 0 {
                known.seal(&tiles, index + 1).unwrap();
            }
        }
        assert_eq!(
            (known.segments.len(), fs::read_dir(folder.path().join("known")).unwrap().count()),
            (4, 4)
        );
        let again = open(folder.path(), &tiles, true);
        assert_eq!(again.segments.len(), 5);
        for known in [known, again] {
            for number in 0..1_500 {
                let is = |index| numbers.get(usize::try_from(index).unwrap()) == Some(&number);
                assert_eq!(known.find(&leaf(number), is).unwrap(), last.get(&number).copied(), "{number}");
            }
        }
    }

    #[test]
    fn files_that_are_not_of_the_tree_are_made_anew() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        assert!(finds_all(&open(folder.path(), &tiles, false), 600));
        let path = folder.path().join("known/1");
        let whole = fs::read(&path).unwrap();
        let other = fs::read(folder.path().join("known/0")).unwrap();
        for wrong in [None, Some(Vec::new()), Some(other), Some(vec![0; whole.len()])] {
            fs::remove_file(&path).unwrap();
            wrong.iter().for_each(|wrong| fs::write(&path, wrong).unwrap());
            assert!(finds_all(&open(folder.path(), &tiles, false), 600));
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_damaged_page_is_noticed_where_it_is_read_and_mended_where_it_is_suspected() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        drop(open(folder.path(), &tiles, false));
        let path = folder.path().join("known/0");
        let mut bytes = fs::read(&path).unwrap();
        bytes[700] ^= 1;
        fs::write(&path, bytes).unwrap();
        let known = open(folder.path(), &tiles, false);
        let errors = (0..600).filter(|number| known.find(&leaf(*number), |index| index == *number).is_err());
        assert!((1..256).contains(&errors.count()));
        assert!(finds_all(&open(folder.path(), &tiles, true), 600));
        assert!(finds_all(&open(folder.path(), &tiles, false), 600));
    }

    /// A place of the disk that fails for ever keeps nobody from what can be derived.
    #[test]
    fn what_cannot_be_read_is_made_anew() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        drop(open(folder.path(), &tiles, false));
        let mut reads = 0;
        for call in 0.. {
            let plan = Arc::new(Plan::default());
            plan.trace();
            plan.arm(Fault::Io, call, false);
            let files = Files::new(Arc::new(Faulty::new(Arc::new(Posix), Arc::clone(&plan), None)));
            let opened = Known::open(Place::new(&files, folder.path(), 0), &tiles, 600, true);
            let Some(hit) = plan.traced().into_iter().nth(usize::try_from(call).unwrap()) else { break };
            if hit.starts_with("read ") {
                assert!(finds_all(&opened.unwrap(), 600), "{hit}");
                reads += 1;
            }
        }
        assert!(reads > 10, "{reads}");
    }

    #[test]
    fn what_was_made_of_a_tile_that_was_cut_short_is_made_anew() {
        let (folder, mut tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        let cut = tiles.stored.get_mut("tile/0/001").unwrap();
        let end = cut.split_off(32 * 255);
        assert!(!finds_all(&open(folder.path(), &tiles, false), 600));
        tiles.stored.get_mut("tile/0/001").unwrap().extend(end);
        assert!(finds_all(&open(folder.path(), &tiles, false), 600));
    }
}
