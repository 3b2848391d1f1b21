//! Which leaves the log holds, for refusing them a second time.
//!
//! The latest are in a table in memory; of those before them, each 2^n that lie together in a tree's subtree are in a file of
//! their own, a segment. So neither memory nor what a start reads of leaves grows with the log; what does is the segments, of
//! each of which a leaf that is new has a page read. Both know of a leaf some bits of a hash, which nobody can choose, and its
//! index; whether a leaf with those bits is the one asked for, the tree itself says.
//!
//! All of it is derived: what is not there, or is of another tree, is made anew from the tree's tiles when the log opens, and
//! what turns out to be damaged when its folder is opened again.

mod segment;
mod table;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{OpenError, leaves};
use crate::hash::Hash;
use crate::merkle::NodeSource as _;
use crate::store::files::Files;
use crate::tile::{TILE_HEIGHT, TileError, TileSource, TileTree};
use segment::Segment;
use table::Table;

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

    fn open(&self, number: u64, tree: &TileTree<impl TileSource>) -> Result<Option<Segment>, TileError> {
        let root = tree.node(self.height, number)?;
        Ok(Segment::open(&self.files, &self.path(number), root, self.height))
    }

    /// Writes a segment durably. Of the tree all tiles are read: what is written is right, or not there.
    fn make(&self, number: u64, tree: &TileTree<impl TileSource + Sync>) -> Result<Segment, OpenError> {
        let (root, mut slots) = (tree.node(self.height, number)?, Vec::with_capacity(1 << self.height));
        leaves::each(tree, self.leaves(number), |_, leaf| {
            let number = u32::try_from(slots.len()).expect("a segment has less than 2^32 leaves");
            slots.push(segment::slot(&root, leaf, number));
        })?;
        Ok(Segment::write(&self.files, &self.path(number), root, self.height, slots)?)
    }
}

/// Why it cannot be told whether the log holds a leaf.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untold {
    /// A segment, which is made anew where it is told to be suspect.
    #[error("file {0} of the leaves by which duplicates are told: {1}")]
    Segment(u64, io::Error),
    /// What the tree says, of which nothing can be made anew here.
    #[error(transparent)]
    Tile(#[from] TileError),
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
    /// The leaves of a tree. Of segments that are there it is read of which leaves they are, and a page when it is used; one
    /// that is suspect is made anew.
    pub(super) fn open(
        place: Place,
        tree: &TileTree<impl TileSource + Sync>,
        suspect: Option<u64>,
    ) -> Result<Self, OpenError> {
        let mut segments = Vec::new();
        for number in 0..tree.size() >> place.height {
            let found = place.open(number, tree)?.filter(|_| suspect != Some(number));
            segments.push(found.map_or_else(|| place.make(number, tree), Ok)?);
        }
        let first = (segments.len() as u64) << place.height;
        let recent = Table::of(first..tree.size(), tree)?;
        Ok(Self { place, segments, recent })
    }

    /// The last index of a leaf in the tree.
    pub(super) fn find(&self, leaf: &Hash, tree: &TileTree<impl TileSource>) -> Result<Option<u64>, Untold> {
        let last = |mut candidates: Vec<u64>| -> Result<Option<u64>, Untold> {
            candidates.sort_unstable();
            for index in candidates.into_iter().rev() {
                if leaves::stands_at(tree, index, leaf)? {
                    return Ok(Some(index));
                }
            }
            Ok(None)
        };
        if let Some(index) = last(self.recent.candidates(leaf))? {
            return Ok(Some(index));
        }
        for (number, segment) in self.segments.iter().enumerate().rev() {
            let number = number as u64;
            let candidates = segment.candidates(leaf).map_err(|error| Untold::Segment(number, error))?;
            let first = self.place.leaves(number).start;
            if let Some(index) = last(candidates.into_iter().map(|at| first + u64::from(at)).collect())? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Notes the next leaf.
    pub(super) fn push(&mut self, leaf: &Hash, index: u64) {
        self.recent.insert(leaf, index);
    }

    /// Writes segments of what fills them in a tree whose tiles are durable.
    ///
    /// # Errors
    /// From storage, or of a tile that is damaged. What is in memory still has all leaves.
    pub(super) fn seal(&mut self, tree: &TileTree<impl TileSource + Sync>) -> Result<(), OpenError> {
        for number in self.segments.len() as u64..tree.size() >> self.place.height {
            self.segments.push(self.place.make(number, tree)?);
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
    use crate::tile::{TileKind, TilePath};

    /// Tiles of a tree that grows, and what stands for some of them.
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
            let mut full = Vec::new();
            self.edge.push(leaf, &mut full);
            self.stored.extend(full.into_iter().map(|tile| (tile.path.to_string(), tile.bytes)));
        }

        fn tree(&self) -> TileTree<&Self> {
            TileTree::new(self, self.edge.size())
        }
    }

    impl TileSource for Tiles {
        fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
            let partial = || self.edge.partial().into_iter().find(|tile| tile.path == *path);
            let stored = self.stored.get(&path.to_string()).cloned();
            Ok(stored.unwrap_or_else(|| partial().unwrap().bytes))
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    fn place(folder: &Path, height: u32) -> Place {
        Place::new(&Files::default(), folder, height)
    }

    /// In segments as small as may be.
    fn open(folder: &Path, tiles: &Tiles, suspect: Option<u64>) -> Known {
        Known::open(place(folder, 0), &tiles.tree(), suspect).unwrap()
    }

    fn finds_all(known: &Known, tiles: &Tiles) -> bool {
        let tree = tiles.tree();
        let found = |number| known.find(&leaf(number), &tree);
        (0..tree.size()).all(|number| found(number).is_ok_and(|found| found == Some(number)))
    }

    #[test]
    fn the_last_index_is_found_in_memory_in_a_file_and_after_a_start() {
        let (folder, mut tiles) = (tempfile::tempdir().unwrap(), Tiles::default());
        let mut known = open(folder.path(), &tiles, None);
        let mut last = HashMap::new();
        // Some stand several times, in one segment and in several.
        for (index, number) in
            (0..1_400u64).map(|index| (index, if index % 9 == 0 { index % 5 } else { index }))
        {
            tiles.push(leaf(number));
            known.push(&leaf(number), index);
            last.insert(number, index);
            // As after a batch.
            if index % 300 == 0 {
                known.seal(&tiles.tree()).unwrap();
            }
        }
        let written = fs::read_dir(folder.path().join("known")).unwrap().count();
        assert_eq!((known.segments.len(), written), (4, 4));
        let again = open(folder.path(), &tiles, None);
        assert_eq!(again.segments.len(), 5);
        for known in [known, again] {
            for number in 0..1_500 {
                let found = known.find(&leaf(number), &tiles.tree()).unwrap();
                assert_eq!(found, last.get(&number).copied(), "{number}");
            }
        }
    }

    /// Subtrees of every height have their root in another row or level of tiles.
    #[test]
    fn segments_of_every_size_begin_and_end_where_they_should() {
        for (height, end) in [(8, 512), (9, 1_024), (12, 8_192), (15, 65_536), (17, 262_144)] {
            let (folder, mut tiles) = (tempfile::tempdir().unwrap(), Tiles::of(end - 1));
            let mut known = Known::open(place(folder.path(), height), &tiles.tree(), None).unwrap();
            assert_eq!(known.segments.len() as u64, (end >> height) - 1);
            for index in end - 1..=end {
                tiles.push(leaf(index));
                known.push(&leaf(index), index);
                known.seal(&tiles.tree()).unwrap();
                let again = Known::open(place(folder.path(), height), &tiles.tree(), None).unwrap();
                for known in [&known, &again] {
                    assert_eq!(known.segments.len() as u64, end >> height);
                    let some = (0..end).step_by(997).chain([0, end / 2 - 1, end / 2]).chain(end - 1..=index);
                    for index in some {
                        assert_eq!(known.find(&leaf(index), &tiles.tree()).unwrap(), Some(index), "{height}");
                    }
                    let mut others = end + 1..end + 20_000;
                    assert!(others.all(|other| known.find(&leaf(other), &tiles.tree()).unwrap().is_none()));
                }
            }
        }
    }

    #[test]
    fn files_that_are_not_of_the_tree_are_made_anew() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        assert!(finds_all(&open(folder.path(), &tiles, None), &tiles));
        let path = folder.path().join("known/1");
        let whole = fs::read(&path).unwrap();
        let other = fs::read(folder.path().join("known/0")).unwrap();
        for wrong in [None, Some(Vec::new()), Some(other), Some(vec![0; whole.len()])] {
            fs::remove_file(&path).unwrap();
            wrong.iter().for_each(|wrong| fs::write(&path, wrong).unwrap());
            assert!(finds_all(&open(folder.path(), &tiles, None), &tiles));
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_damaged_page_is_noticed_where_it_is_read_and_its_file_made_anew_where_it_is_suspect() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        drop(open(folder.path(), &tiles, None));
        let path = folder.path().join("known/1");
        let mut bytes = fs::read(&path).unwrap();
        bytes[700] ^= 1;
        fs::write(&path, bytes).unwrap();
        let known = open(folder.path(), &tiles, None);
        let untold =
            |number: &u64| matches!(known.find(&leaf(*number), &tiles.tree()), Err(Untold::Segment(1, _)));
        // What stands behind the segment needs it not.
        assert!((512..600).all(|number| !untold(&number)));
        assert!((1..256).contains(&(256..512).filter(untold).count()));
        assert!(!finds_all(&open(folder.path(), &tiles, Some(0)), &tiles));
        assert!(finds_all(&open(folder.path(), &tiles, Some(1)), &tiles));
        assert!(finds_all(&open(folder.path(), &tiles, None), &tiles));
    }

    /// A place of the disk that fails for ever keeps nobody from what can be derived.
    #[test]
    fn what_cannot_be_read_is_made_anew() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
        drop(open(folder.path(), &tiles, None));
        let plan = Arc::new(Plan::default());
        let files = Files::new(Arc::new(Faulty::new(Arc::new(Posix), Arc::clone(&plan), None)));
        let opened = || Known::open(Place::new(&files, folder.path(), 0), &tiles.tree(), None).unwrap();
        drop(opened());
        let calls = plan.calls();
        assert_eq!(calls, 4, "each is opened, and its head read");
        for call in 0..calls {
            plan.arm(Fault::Io, call, false);
            assert!(finds_all(&opened(), &tiles));
        }
    }

    /// A file may say what it likes: here, of each leaf that it stands one further.
    #[test]
    fn what_a_file_says_is_compared_with_the_tree() {
        let (folder, tiles) = (tempfile::tempdir().unwrap(), Tiles::of(256));
        let (place, root) = (place(folder.path(), 0), tiles.tree().node(8, 0).unwrap());
        let slots = (0..256).map(|number| segment::slot(&root, &leaf(u64::from(number)), (number + 1) % 256));
        Segment::write(&place.files, &place.path(0), root, 8, slots.collect()).unwrap();
        let known = open(folder.path(), &tiles, None);
        assert!((0..256).all(|index| known.find(&leaf(index), &tiles.tree()).unwrap().is_none()));
    }

    /// A tile of leaves that was cut short, or has a bit turned: nothing is made of it, and no leaf of it is taken for new.
    #[test]
    fn a_damaged_tile_is_noticed_whatever_it_is_read_for() {
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 32);
        let turned = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
        for damage in [cut as fn(&mut Vec<u8>), turned] {
            for last in [255, 511, 599] {
                let (folder, mut tiles) = (tempfile::tempdir().unwrap(), Tiles::of(600));
                let known = open(folder.path(), &tiles, None);
                let path = TilePath::in_tree(TileKind::Hashes(0), last / 256, 600).unwrap();
                let mut bytes = tiles.read_tile(&path).unwrap();
                let length = bytes.len();
                damage(&mut bytes);
                // What is not full has nothing above it; the log has it in memory.
                let noticed = path.is_full() || bytes.len() < length;
                tiles.stored.insert(path.to_string(), bytes);
                let told = known.find(&leaf(last), &tiles.tree());
                assert_eq!(matches!(told, Err(Untold::Tile(_))), noticed, "{path}");
                // Of a leaf that stands where it should no other is asked.
                assert_eq!(known.find(&leaf(last - 1), &tiles.tree()).unwrap(), Some(last - 1));
                fs::remove_dir_all(folder.path().join("known")).unwrap();
                let opened = Known::open(place(folder.path(), 0), &tiles.tree(), None);
                assert_eq!(opened.is_err(), noticed, "{path}");
            }
        }
    }
}
