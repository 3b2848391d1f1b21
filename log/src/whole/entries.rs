//! The entries of a bundle, compared with the leaves of its tile, and what a leaf does not say of them.

use std::collections::BTreeSet;

use super::Source;
use super::issuers::Issuers;
use super::source::first_sound;
use crate::bundle::{self, BundleError};
use crate::engine::Layout;
use crate::entry::{Entry, EntryError, RedactionStatement, Stored, Withheld, Withholding};
use crate::hash::Hash;
use crate::sct::TileLeaf;
use crate::store::ReadError;
use crate::tile::{TILE_WIDTH, TileKind, TilePath};

/// What the entries of one bundle say.
#[derive(Default)]
pub(super) struct Found {
    pub withheld: BTreeSet<u64>,
    /// Entries that a record in this bundle withholds.
    pub records: Vec<u64>,
    pub issuers: BTreeSet<Hash>,
    /// Those of the issuers that no source has.
    pub missing: BTreeSet<Hash>,
}

/// The leaves in the lowest tile of this number, which are those of the tree.
pub(super) type Leaves<'a> = dyn Fn(u64) -> Result<Vec<u8>, ReadError> + Sync + 'a;

/// What the entries of one tree are held to.
pub(super) struct Entries<'a> {
    pub sources: &'a [&'a dyn Source],
    pub layout: Layout,
    /// Name of the log.
    pub origin: &'a str,
    /// Leaves in the tree.
    pub size: u64,
    /// Is asked for the tiles of entries that are checked, and for those behind them.
    pub leaves: &'a Leaves<'a>,
    pub issuers: &'a Issuers<'a>,
}

impl Entries<'_> {
    /// Compares a bundle with the leaves of its tile.
    pub(super) fn check(&self, path: &TilePath, bytes: &[u8], leaves: &[u8]) -> Result<Found, ReadError> {
        let leaves = leaves.chunks_exact(32).filter_map(Hash::from_slice);
        let places = (path.number * TILE_WIDTH..).zip(leaves);
        match self.layout {
            Layout::TlogTiles => self.check_bodies(path, bytes, places),
            Layout::StaticCt => self.check_certificates(bytes, places),
        }
    }

    fn check_bodies(
        &self,
        path: &TilePath,
        bytes: &[u8],
        places: impl Iterator<Item = (u64, Hash)>,
    ) -> Result<Found, ReadError> {
        let mut found = Found::default();
        let items = bundle::split(bytes, usize::from(path.width))?;
        for ((index, leaf), item) in places.zip(items) {
            match Stored::parse(item.to_vec(), &leaf)? {
                Stored::Withheld(withheld) => {
                    self.check_recorded(index, &withheld)?;
                    found.withheld.insert(index);
                }
                // A record is about what is before it; one that says otherwise withholds nothing.
                Stored::Body(body) => {
                    let about = self.withheld_by(&body).filter(|about| about.index < index);
                    found.records.extend(about.map(|about| about.index));
                }
            }
        }
        Ok(found)
    }

    fn check_certificates(
        &self,
        bytes: &[u8],
        places: impl Iterator<Item = (u64, Hash)>,
    ) -> Result<Found, ReadError> {
        let (mut found, mut rest) = (Found::default(), bytes);
        for (index, leaf) in places {
            let (item, tail) = TileLeaf::parse_prefix(rest).ok_or(BundleError)?;
            if item.leaf_hash() != leaf {
                let what = "the bundle's item is not that of the leaf".to_owned();
                return Err(EntryError::Malformed(what).into());
            }
            found.missing.extend(self.issuers.check(index, &item)?);
            found.issuers.extend(item.chain);
            rest = tail;
        }
        if rest.is_empty() { Ok(found) } else { Err(BundleError.into()) }
    }

    /// What a body says, if it is a record of this log that withholds an entry.
    fn withheld_by(&self, body: &[u8]) -> Option<RedactionStatement> {
        // Few entries are records: the others are not parsed.
        const KIND: &[u8] = br#""kind":"redaction""#;
        body.windows(KIND.len()).any(|window| window == KIND).then_some(())?;
        let Ok(Entry::Redaction(record)) = Entry::parse(body) else { return None };
        let says = record.statement;
        (says.withheld == Withholding::WholeBody && says.origin == self.origin).then_some(says)
    }

    /// Checks that the record stands where a tombstone says: whoever serves entries could else withhold any of them.
    fn check_recorded(&self, index: u64, withheld: &Withheld) -> Result<(), ReadError> {
        let record = withheld.record;
        // A log withholds what is before the record, so that is where it is looked for: behind the entry.
        let says = if record > index { self.read_record(record)? } else { None };
        match says {
            Some(says) if says.index == index && says.leaf_hash == withheld.leaf_hash => Ok(()),
            _ => Err(ReadError::Unrecorded { index, record }),
        }
    }

    /// What the record at an index says, from whichever source has it; `None` where another entry is, or none.
    fn read_record(&self, index: u64) -> Result<Option<RedactionStatement>, ReadError> {
        let number = index / TILE_WIDTH;
        let Some(path) = TilePath::in_tree(TileKind::Entries, number, self.size) else { return Ok(None) };
        let at = usize::try_from(index % TILE_WIDTH).unwrap_or(0);
        let leaves = (self.leaves)(number)?;
        let leaf = leaves.chunks_exact(32).nth(at).and_then(Hash::from_slice);
        let Some(leaf) = leaf else { return Ok(None) };
        let read = |source: &dyn Source| -> Result<Option<RedactionStatement>, ReadError> {
            let bytes = source.read_tile(&path)?;
            let items = bundle::split(&bytes, usize::from(path.width))?;
            match Stored::parse(items.get(at).ok_or(BundleError)?.to_vec(), &leaf)? {
                Stored::Body(body) => Ok(self.withheld_by(&body)),
                Stored::Withheld(_) => Ok(None),
            }
        };
        first_sound(self.sources, read, Option::is_some).1
    }
}
