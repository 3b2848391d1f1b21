//! What is to be withheld of one entry: durable before anything is erased, and carried out on whatever holds the entry, again
//! and again until all of it was.

use std::collections::BTreeSet;
use std::io;

use serde::{Deserialize, Serialize};

use crate::batch::Sequenced;
use crate::bundle;
use crate::entry::{SealedField, Withheld, Withholding};
use crate::hash::Hash;
use crate::store::Objects;
use crate::tile::{TILE_WIDTH, TileKind, TilePath};

/// Which record withholds what of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Intent {
    pub index: u64,
    pub leaf_hash: Hash,
    pub record: u64,
    pub withheld: Withholding,
}

/// A payload of which fields were withheld: those are null.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPayload {
    fields: Vec<Option<SealedField>>,
}

/// Where what is kept beside an entry is stored.
pub(crate) fn sealed(index: u64) -> String {
    format!("sealed/{index}")
}

impl Intent {
    pub(crate) fn read(bytes: &[u8]) -> io::Result<Self> {
        serde_json::from_slice(bytes).map_err(io::Error::from)
    }

    pub(crate) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(io::Error::from)
    }

    /// Whether this one, which was first, leaves nothing for the other to do: nothing is left of an entry that was withheld
    /// whole, and what readers were pointed to stays.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self == other || (self.index == other.index && self.withheld == Withholding::WholeBody)
    }

    /// Both of one entry, this one first: what is noted of it says all that is withheld, however often it was asked for.
    pub(crate) fn with(self, other: Self) -> Self {
        let withheld = match (&self.withheld, &other.withheld) {
            _ if self.covers(&other) => return self,
            (Withholding::Fields(before), Withholding::Fields(more)) => {
                let all: BTreeSet<_> = before.iter().chain(more).copied().collect();
                Withholding::Fields(all.into_iter().collect())
            }
            _ => Withholding::WholeBody,
        };
        Self { withheld, ..other }
    }

    /// What stands in the place of the item, if it is withheld.
    pub(crate) fn item(&self) -> Option<Vec<u8>> {
        let tombstone = Withheld { leaf_hash: self.leaf_hash, record: self.record };
        (self.withheld == Withholding::WholeBody).then(|| tombstone.body())
    }

    /// What is left of what is kept beside the entry; empty for nothing.
    fn attachment(&self, kept: &[u8]) -> io::Result<Vec<u8>> {
        let fields = match &self.withheld {
            Withholding::Fields(fields) if !kept.is_empty() => fields,
            _ => return Ok(Vec::new()),
        };
        let mut payload: StoredPayload = serde_json::from_slice(kept)?;
        for field in fields {
            if let Some(field) = payload.fields.get_mut(usize::from(*field)) {
                *field = None;
            }
        }
        Ok(serde_json_canonicalizer::to_vec(&payload)?)
    }

    /// Takes it out of a batch's entry.
    pub(crate) fn strike(&self, entry: &mut Sequenced) -> io::Result<()> {
        entry.attachment = self.attachment(&entry.attachment)?;
        if let Some(item) = self.item() {
            entry.item = item;
        }
        Ok(())
    }

    /// Takes it out of everything that is stored for readers: what is kept beside the entry, and bundles, full and partial.
    pub(crate) fn erase(&self, objects: &Objects, bundles: TileKind) -> io::Result<()> {
        objects.rewrite(&sealed(self.index), |kept| self.attachment(kept))?;
        let Some(item) = self.item() else { return Ok(()) };
        let full = TilePath { kind: bundles, number: self.index / TILE_WIDTH, width: 256 };
        let at = usize::try_from(self.index % TILE_WIDTH).expect("a remainder of 256 is small");
        let partial = objects.widths(&full)?.into_iter().map(|width| TilePath { width, ..full });
        for path in partial.chain([full]).filter(|path| usize::from(path.width) > at) {
            objects.rewrite(&path.to_string(), |bytes| replaced(bytes, path.width, at, &item))?;
        }
        Ok(())
    }
}

/// A bundle with another item at a place; nothing of a partial one that a crash left damaged, as it is derived again.
fn replaced(bytes: &[u8], width: u16, at: usize, item: &[u8]) -> io::Result<Vec<u8>> {
    let mut items = match bundle::split(bytes, usize::from(width)) {
        Ok(items) => items,
        Err(_) if u64::from(width) < TILE_WIDTH => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::other(error)),
    };
    items[at] = item;
    let mut bytes = Vec::new();
    for item in items {
        bundle::push(&mut bytes, item).map_err(io::Error::other)?;
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn withholding(fields: &BTreeSet<u16>) -> Intent {
        let withheld = Withholding::Fields(fields.iter().copied().collect());
        Intent { index: 7, leaf_hash: Hash([1; 32]), record: 9, withheld }
    }

    proptest! {
        /// What is read back from stores may be damaged.
        #[test]
        fn what_is_damaged_is_answered(at in any::<usize>(), byte in any::<u8>(), field in 0u16..4) {
            let intent = withholding(&[field].into());
            let mut bytes = intent.to_bytes().unwrap();
            prop_assert_eq!(Intent::read(&bytes).unwrap(), intent.clone());
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(other) = Intent::read(&bytes) {
                prop_assert_eq!(Intent::read(&other.to_bytes().unwrap()).unwrap(), other);
            }
            prop_assert!(intent.attachment(&bytes).is_err(), "it is no payload");
        }

        #[test]
        fn what_is_left_of_a_payload_is_what_was_not_withheld(
            count in 1usize..6,
            withheld in proptest::collection::btree_set(0u16..8, 1..4),
        ) {
            let field = |at: usize| SealedField {
                name: format!("name{at}"),
                salt: vec![at as u8; 32],
                value: format!("value {at}").into_bytes(),
            };
            let payload = StoredPayload { fields: (0..count).map(|at| Some(field(at))).collect() };
            let kept = serde_json_canonicalizer::to_vec(&payload).unwrap();
            let intent = withholding(&withheld);
            let left = intent.attachment(&kept).unwrap();
            let read: StoredPayload = serde_json::from_slice(&left).unwrap();
            prop_assert_eq!(read.fields.len(), count);
            for (at, left) in read.fields.iter().enumerate() {
                let expected = (!withheld.contains(&(at as u16))).then(|| field(at));
                prop_assert!(*left == expected, "field {}", at);
            }
            // Again, as after a crash.
            prop_assert_eq!(intent.attachment(&left).unwrap(), left);
            let whole = Intent { withheld: Withholding::WholeBody, ..intent };
            prop_assert!(whole.attachment(&kept).unwrap().is_empty());
        }
    }
}
