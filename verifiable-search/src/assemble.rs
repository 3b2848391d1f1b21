//! Making of answers and coverage proofs from an index and the state that was published for it.

use crate::answer::{Answer, AnswerList, FORMAT, Page, Place, State, Tombstone};
use crate::coverage::CoverageProof;
use crate::index::Index;
use crate::key::MapKey;
use crate::list::{PAGE, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Pages of a list, by number.
pub type Pages = Range<u64>;

impl Index {
    /// The answer for `key` in a published state of *this* index; `pages` chooses a part of the list, `None`
    /// all of it.
    pub fn answer(&self, key: &MapKey, pages: Option<Pages>, state: State) -> Answer {
        let list = self.list_under(key, pages);
        let places = list.iter().flat_map(|list| &list.pages).flat_map(|page| &page.items);
        let tombstones = places.filter_map(|place| self.tombstone(place)).collect();
        Answer {
            format: FORMAT.to_owned(),
            key: key.to_string(),
            proof: STANDARD.encode(self.prove(key).to_bytes()),
            list,
            state,
            tombstones,
        }
    }

    fn list_under(&self, key: &MapKey, pages: Option<Pages>) -> Option<AnswerList> {
        let view = self.view(key)?;
        let places = self.places(key);
        let Value { count, root } = view.value();
        let all = 0..count.div_ceil(PAGE);
        let chosen = pages.map_or(all.clone(), |pages| pages.start..pages.end.min(all.end));
        let page = |number: u64| {
            let (first, end) = (number * PAGE, ((number + 1) * PAGE).min(count));
            let items = places[first as usize..end as usize].iter();
            let items = items.map(|(log, index)| Place { log: (*log).to_owned(), index: *index }).collect();
            Page { first, items, proof: view.page_proof(first, end) }
        };
        Some(AnswerList { count, root, pages: chosen.map(page).collect() })
    }

    fn tombstone(&self, place: &Place) -> Option<Tombstone> {
        let record = self.record(&place.log, place.index)?;
        let (leaf_hash, inclusion) = self.entry_proof(&place.log, place.index)?;
        let (_, record_inclusion) = self.entry_proof(&place.log, record.index)?;
        let body = STANDARD.encode(&record.body);
        Some(Tombstone {
            place: place.clone(),
            leaf_hash,
            inclusion,
            record: record.index,
            body,
            record_inclusion,
        })
    }

    /// Proof that a published state of *this* index covers an entry, with the digest of its key list; `None`
    /// when it is not indexed.
    pub fn coverage(&self, place: &Place, state: State) -> Option<CoverageProof> {
        let (leaf_hash, inclusion) = self.entry_proof(&place.log, place.index)?;
        let (key_list_digest, key_list_inclusion) = self.key_list_proof(&place.log, place.index)?;
        let place = place.clone();
        Some(CoverageProof { place, leaf_hash, inclusion, key_list_digest, key_list_inclusion, state })
    }
}
