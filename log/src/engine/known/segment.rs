//! A file of the leaves of one complete subtree.
//!
//! A head, then pages of 512 bytes, each of 63 slots in the order of hashes. A leaf's home is the page that stands among all
//! where its first bits stand among all bits, so that looking it up reads one page: what finds its home full lies in the next
//! that is not, and all between them are full, as the last never is. Every page ends with a check that has the subtree's root
//! in it, so that a file is of these leaves or of none.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::{PREFIX_BITS, prefix};
use crate::hash::Hash;
use crate::store::disk::{DiskFile, Open};
use crate::store::files::{Files, read_exact_at};

const MAGIC: &[u8] = b"sigveil known leaves, version 1";
const PAGE: usize = 512;
const CHECK: usize = 8;
const SLOTS: usize = (PAGE - CHECK) / 8;
/// Leaves for each page: few enough that hardly one is full.
const LOAD: u64 = 48;
/// Pages that are written at once.
const TOGETHER: usize = 2048;

/// `tag ‖ number + 1`, or zero, which only others like it follow.
type Slots = [u64; SLOTS];

/// A file of leaves, open.
#[derive(Debug)]
pub(super) struct Segment {
    file: Box<dyn DiskFile>,
    root: Hash,
    homes: u64,
}

impl Segment {
    /// The file of 2^`height` leaves whose subtree has this root; `None` where there is none, one of others, or one that cannot
    /// be read.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) fn open(files: &Files, path: &Path, root: Hash, height: u32) -> io::Result<Option<Self>> {
        let file = match files.open(path, Open::Reading) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let segment = Self { file, root, homes: homes(height) };
        Ok(segment.read(0).is_ok_and(|head| head == content(MAGIC)).then_some(segment))
    }

    /// Makes the file of `leaves`, which come in the order of their first bits with their numbers in the subtree, and opens it.
    ///
    /// # Errors
    /// From the file system.
    pub(super) fn write(
        files: &Files,
        path: &Path,
        root: Hash,
        height: u32,
        leaves: impl Iterator<Item = (u64, u32)>,
    ) -> io::Result<Self> {
        let homes = homes(height);
        let slots = pages(homes, leaves).map(|slots| content(&slots.map(u64::to_be_bytes).concat()));
        let mut contents = std::iter::once(content(MAGIC)).chain(slots);
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
        let (prefix, mut found) = (prefix(leaf), Vec::new());
        for page in home(prefix, self.homes).. {
            let slots = self.slots(page)?;
            found.extend(slots.iter().filter_map(|slot| {
                let number = low(*slot).checked_sub(1)?;
                (slot >> u32::BITS == u64::from(low(prefix))).then_some(number)
            }));
            if !is_full(&slots) {
                break;
            }
        }
        Ok(found)
    }

    /// Whether all pages can be read as they were written.
    pub(super) fn is_whole(&self) -> bool {
        for page in 0.. {
            match self.slots(page) {
                Err(_) => return false,
                Ok(slots) if page + 1 >= self.homes && !is_full(&slots) => break,
                Ok(_) => {}
            }
        }
        true
    }

    fn slots(&self, page: u64) -> io::Result<Slots> {
        let content = self.read(page + 1)?;
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

fn home(prefix: u64, homes: u64) -> u64 {
    u64::try_from((u128::from(prefix) * u128::from(homes)) >> PREFIX_BITS).expect("below the number of pages")
}

fn low(bits: u64) -> u32 {
    u32::try_from(bits & u64::from(u32::MAX)).expect("32 bits")
}

fn is_full(slots: &Slots) -> bool {
    slots[SLOTS - 1] != 0
}

/// All pages of leaves that come in order.
fn pages(homes: u64, leaves: impl Iterator<Item = (u64, u32)>) -> impl Iterator<Item = Slots> {
    let (mut leaves, mut waiting) = (leaves.peekable(), VecDeque::new());
    let (mut page, mut is_last) = (0, false);
    std::iter::from_fn(move || {
        if is_last {
            return None;
        }
        while let Some((prefix, number)) = leaves.next_if(|(prefix, _)| home(*prefix, homes) <= page) {
            waiting.push_back(u64::from(low(prefix)) << u32::BITS | (u64::from(number) + 1));
        }
        let slots = std::array::from_fn(|_| waiting.pop_front().unwrap_or(0));
        page += 1;
        is_last = page >= homes && !is_full(&slots);
        Some(slots)
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
    use std::fs;

    use proptest::prelude::*;

    use super::super::table::Table;
    use super::*;

    const HEIGHT: u32 = 8;
    const ROOT: Hash = Hash([9; 32]);

    fn written(folder: &Path, leaves: &[Hash]) -> Segment {
        let mut table = Table::new(0, 0);
        leaves.iter().zip(0..).for_each(|(leaf, index)| table.insert(leaf, index));
        let leaves = table.before(leaves.len() as u64);
        Segment::write(&Files::default(), &folder.join("known/0"), ROOT, HEIGHT, leaves).unwrap()
    }

    fn opened(folder: &Path, root: Hash) -> Option<Segment> {
        Segment::open(&Files::default(), &folder.join("known/0"), root, HEIGHT).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However many have one home, that of the last page too, all are found, and what has none of their bits is not.
        #[test]
        fn every_leaf_is_found(firsts in proptest::collection::vec(prop_oneof![Just(0u8), Just(255), any::<u8>()], 256)) {
            let leaf = |(first, number): (&u8, u64)| {
                let mut leaf = Hash::of(&[&number.to_be_bytes()]);
                (leaf.0[0], leaf.0[1]) = (*first, if *first == 255 { 255 } else { leaf.0[1] });
                leaf
            };
            let leaves: Vec<Hash> = firsts.iter().zip(0..).map(leaf).collect();
            let folder = tempfile::tempdir().unwrap();
            drop(written(folder.path(), &leaves));
            let segment = opened(folder.path(), ROOT).unwrap();
            prop_assert!(segment.is_whole());
            for (leaf, number) in leaves.iter().zip(0u32..) {
                prop_assert_eq!(segment.candidates(leaf).unwrap(), vec![number]);
                let mut other = *leaf;
                other.0[4] ^= 1;
                prop_assert!(!segment.candidates(&other).unwrap().contains(&number));
            }
        }
    }

    #[test]
    fn a_file_that_was_damaged_anywhere_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let leaves: Vec<Hash> = (0..256u64).map(|number| Hash::of(&[&number.to_be_bytes()])).collect();
        drop(written(folder.path(), &leaves));
        let path = folder.path().join("known/0");
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(61).chain([0, PAGE - 1, whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let found = opened(folder.path(), ROOT);
            assert_eq!(found.is_some(), at >= PAGE, "the head is looked at first: {at}");
            if let Some(segment) = found {
                assert!(!segment.is_whole(), "{at}");
                let refused = leaves.iter().filter(|leaf| segment.candidates(leaf).is_err()).count();
                assert!(refused > 0, "{at}");
            }
        }
        for length in [0, PAGE / 2, PAGE, whole.len() - 1, whole.len() - PAGE] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(opened(folder.path(), ROOT).is_none_or(|segment| !segment.is_whole()), "{length}");
        }
        // Pages that changed places, and a file of other leaves.
        let mut bytes = whole.clone();
        bytes[PAGE..3 * PAGE].rotate_left(PAGE);
        fs::write(&path, bytes).unwrap();
        assert!(!opened(folder.path(), ROOT).unwrap().is_whole());
        fs::write(&path, &whole).unwrap();
        assert!(opened(folder.path(), Hash([8; 32])).is_none());
        // One of another version, sound in itself.
        let head = content(b"sigveil known leaves, version 2");
        fs::write(&path, [&head[..], &check(&ROOT, 0, &head), &whole[PAGE..]].concat()).unwrap();
        assert!(opened(folder.path(), ROOT).is_none());
        fs::write(&path, whole).unwrap();
        assert!(opened(folder.path(), ROOT).unwrap().is_whole());
    }
}
