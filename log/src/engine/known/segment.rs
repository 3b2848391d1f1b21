//! A file of the leaves of one complete subtree.
//!
//! A head, then pages of 512 bytes, each of 63 slots, in order. A leaf's home is the page that stands among all where a hash of
//! the subtree's root and the leaf stands among all hashes: whoever chooses leaves does not choose where they lie, since the
//! root follows from all of them. Looking a leaf up reads its home, and what found it full lies in the next page that is not;
//! all between them are full, as the last never is. Every page ends with a check that has the root in it, so that a file is of
//! these leaves or of none.

use std::io;
use std::path::Path;

use crate::hash::Hash;
use crate::store::disk::{DiskFile, Open};
use crate::store::files::{Files, read_exact_at};

const MAGIC: &[u8] = b"sigveil known leaves, version 2";
const PAGE: usize = 512;
const CHECK: usize = 8;
const SLOTS: usize = (PAGE - CHECK) / 8;
/// Leaves for each page: few enough that one in fifty is full.
const LOAD: u64 = 48;
/// Pages that are written at once.
const TOGETHER: usize = 2048;

/// Of slots, or of zeros behind them.
type Page = [u64; SLOTS];

/// A file of leaves, open.
#[derive(Debug)]
pub(super) struct Segment {
    file: Box<dyn DiskFile>,
    root: Hash,
    homes: u64,
}

/// What stands for the leaf of this number in the subtree: `tag ‖ number + 1`.
pub(super) fn slot(root: &Hash, leaf: &Hash, number: u32) -> u64 {
    u64::from(tag(root, leaf)) << u32::BITS | (u64::from(number) + 1)
}

fn tag(root: &Hash, leaf: &Hash) -> u32 {
    let [a, b, c, d, ..] = Hash::of(&[&root.0, &leaf.0]).0;
    u32::from_be_bytes([a, b, c, d])
}

impl Segment {
    /// The file of 2^`height` leaves whose subtree has this root, if there is one that can be read.
    pub(super) fn open(files: &Files, path: &Path, root: Hash, height: u32) -> Option<Self> {
        let file = files.open(path, Open::Reading).ok()?;
        let segment = Self { file, root, homes: homes(height) };
        segment.read(0).is_ok_and(|head| head == content(MAGIC)).then_some(segment)
    }

    /// Makes the file, of what stands for each leaf, and opens it.
    ///
    /// # Errors
    /// From the file system.
    pub(super) fn write(
        files: &Files,
        path: &Path,
        root: Hash,
        height: u32,
        mut slots: Vec<u64>,
    ) -> io::Result<Self> {
        slots.sort_unstable();
        let homes = homes(height);
        let pages = pages(homes, &slots).map(|page| content(&page.map(u64::to_be_bytes).concat()));
        let mut contents = std::iter::once(content(MAGIC)).chain(pages);
        let mut written = 0;
        let parts = std::iter::from_fn(|| {
            let mut part = Vec::with_capacity(TOGETHER * PAGE);
            for content in contents.by_ref().take(TOGETHER) {
                part.extend(content);
                part.extend(check(&root, written, &content));
                written += 1;
            }
            (!part.is_empty()).then_some(part)
        });
        files.write_durable_in_parts(path, parts)?;
        Ok(Self { file: files.open(path, Open::Reading)?, root, homes })
    }

    /// The numbers that the leaf may have in the subtree.
    ///
    /// # Errors
    /// From the file system; [`io::ErrorKind::InvalidData`] or [`io::ErrorKind::UnexpectedEof`] where the file is damaged.
    pub(super) fn candidates(&self, leaf: &Hash) -> io::Result<Vec<u32>> {
        self.tagged(tag(&self.root, leaf))
    }

    fn tagged(&self, tag: u32) -> io::Result<Vec<u32>> {
        let mut found = Vec::new();
        for at in home(tag, self.homes).. {
            let page = self.page(at)?;
            let numbers = page.iter().filter(|slot| upper(**slot) == tag);
            found.extend(numbers.filter_map(|slot| lower(*slot).checked_sub(1)));
            if !is_full(&page) {
                break;
            }
        }
        Ok(found)
    }

    fn page(&self, at: u64) -> io::Result<Page> {
        let content = self.read(at + 1)?;
        let slot = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| content[8 * at + byte]));
        Ok(std::array::from_fn(slot))
    }

    /// Reads the head, which is the first, or a page behind it.
    fn read(&self, at: u64) -> io::Result<[u8; PAGE - CHECK]> {
        let (mut content, mut read) = ([0; PAGE - CHECK], [0; PAGE]);
        read_exact_at(self.file.as_ref(), &mut read, at * PAGE as u64)?;
        let (before, end) = read.split_at(PAGE - CHECK);
        content.copy_from_slice(before);
        if check(&self.root, at, &content) != end {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a page of known leaves is damaged"));
        }
        Ok(content)
    }
}

/// How many pages are some leaf's home.
fn homes(height: u32) -> u64 {
    (1_u64 << height).div_ceil(LOAD)
}

fn home(tag: u32, homes: u64) -> u64 {
    (u64::from(tag) * homes) >> u32::BITS
}

fn upper(slot: u64) -> u32 {
    u32::try_from(slot >> u32::BITS).expect("the upper half")
}

fn lower(slot: u64) -> u32 {
    u32::try_from(slot & u64::from(u32::MAX)).expect("the lower half")
}

fn is_full(page: &Page) -> bool {
    page[SLOTS - 1] != 0
}

/// All pages of slots that come in order.
fn pages(homes: u64, slots: &[u64]) -> impl Iterator<Item = Page> {
    let mut slots = slots.iter().copied().peekable();
    let (mut at, mut is_last) = (0, false);
    std::iter::from_fn(move || {
        if is_last {
            return None;
        }
        let mut next = || slots.next_if(|slot| home(upper(*slot), homes) <= at).unwrap_or(0);
        let page = std::array::from_fn(|_| next());
        at += 1;
        is_last = at >= homes && !is_full(&page);
        Some(page)
    })
}

/// What stands in a page before its check: these bytes, and zeros.
fn content(bytes: &[u8]) -> [u8; PAGE - CHECK] {
    let mut content = [0; PAGE - CHECK];
    content[..bytes.len()].copy_from_slice(bytes);
    content
}

fn check(root: &Hash, at: u64, content: &[u8]) -> [u8; CHECK] {
    let hash = Hash::of(&[&root.0, &at.to_be_bytes(), content]);
    std::array::from_fn(|byte| hash.0[byte])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use std::collections::HashMap;
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const HEIGHT: u32 = 8;
    const ROOT: Hash = Hash([9; 32]);

    fn written(folder: &Path, slots: Vec<u64>) -> Segment {
        Segment::write(&Files::default(), &folder.join("known/0"), ROOT, HEIGHT, slots).unwrap()
    }

    fn opened(folder: &Path, root: Hash) -> Option<Segment> {
        Segment::open(&Files::default(), &folder.join("known/0"), root, HEIGHT)
    }

    fn leaf(number: u32) -> Hash {
        Hash::of(&[&number.to_be_bytes()])
    }

    fn numbered(tags: &[u32]) -> Vec<u64> {
        tags.iter().zip(1u64..).map(|(tag, number)| u64::from(*tag) << 32 | number).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However many have one home, that of the last page too, all are found, and nothing else is.
        #[test]
        fn every_tag_is_found(
            tags in proptest::collection::vec(prop_oneof![0..9u32, u32::MAX - 9.., any::<u32>()], 256),
        ) {
            let folder = tempfile::tempdir().unwrap();
            drop(written(folder.path(), numbered(&tags)));
            let segment = opened(folder.path(), ROOT).unwrap();
            for tag in tags.iter().flat_map(|tag| [*tag, tag ^ 1]) {
                let expected: Vec<u32> = (0..256).filter(|number| tags[*number as usize] == tag).collect();
                prop_assert_eq!(segment.tagged(tag).unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_leaf_is_found_by_its_hash_with_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let segment =
            written(folder.path(), (0..256).map(|number| slot(&ROOT, &leaf(number), number)).collect());
        assert!((0..256).all(|number| segment.candidates(&leaf(number)).unwrap().contains(&number)));
    }

    /// Leaves are chosen by whoever sends entries, as many as they like: those that lie together under one root do not under
    /// another, and the root follows from all leaves.
    #[test]
    fn leaves_that_were_chosen_lie_apart() {
        let homes = homes(12);
        let home = |root, leaf: &Hash| home(tag(&root, leaf), homes);
        let chosen: Vec<Hash> = (0..10_000).map(leaf).filter(|leaf| home(ROOT, leaf) == 0).collect();
        let mut lie = HashMap::<u64, u32>::new();
        chosen.iter().for_each(|leaf| *lie.entry(home(Hash([8; 32]), leaf)).or_default() += 1);
        // Some 116 in 86 pages.
        assert!(chosen.len() > 63 && lie.values().all(|together| *together < 15), "{lie:?}");
    }

    #[test]
    fn a_file_that_was_damaged_anywhere_says_so() {
        let folder = tempfile::tempdir().unwrap();
        // None is full, so that there are no more than are homes.
        drop(written(folder.path(), (0..256).map(|number| slot(&ROOT, &leaf(number), number)).collect()));
        let path = folder.path().join("known/0");
        let whole = fs::read(&path).unwrap();
        let pages = homes(HEIGHT);
        assert_eq!(whole.len() as u64, (pages + 1) * PAGE as u64);
        let damaged =
            |segment: &Segment| (0..pages).filter(|at| segment.page(*at).is_err()).collect::<Vec<_>>();
        assert!(damaged(&opened(folder.path(), ROOT).unwrap()).is_empty());
        for at in (0..whole.len()).step_by(61).chain([0, PAGE - 1, whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let found = opened(folder.path(), ROOT).map(|segment| damaged(&segment));
            let expected = (at / PAGE).checked_sub(1).map(|page| vec![page as u64]);
            assert_eq!(found, expected, "the head is looked at first: {at}");
        }
        for length in [0, PAGE / 2, PAGE, whole.len() - 1, whole.len() - PAGE] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(
                opened(folder.path(), ROOT).is_none_or(|segment| damaged(&segment).contains(&(pages - 1)))
            );
        }
        // Pages that changed places, and a file of other leaves.
        let mut bytes = whole.clone();
        bytes[PAGE..3 * PAGE].rotate_left(PAGE);
        fs::write(&path, bytes).unwrap();
        assert_eq!(damaged(&opened(folder.path(), ROOT).unwrap()), [0, 1]);
        fs::write(&path, &whole).unwrap();
        assert!(opened(folder.path(), Hash([8; 32])).is_none());
        // One of another version, sound in itself.
        let head = content(b"sigveil known leaves, version 1");
        fs::write(&path, [&head[..], &check(&ROOT, 0, &head), &whole[PAGE..]].concat()).unwrap();
        assert!(opened(folder.path(), ROOT).is_none());
    }
}
