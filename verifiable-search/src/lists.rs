//! The lists of all keys, in 8 bytes for each key that has one entry, as nearly all have.

use crate::list::{Item, PAGE, Value, range_proof};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{self, NodeSource, ProofError, node_hash};

/// Bits of an index; above them the number of the log.
const INDEX_BITS: u32 = 48;
/// Stands for a log in a head that points to a long list.
const LONG: u16 = u16::MAX;

/// An item as stored: log number and index.
#[derive(Clone, Copy)]
pub(crate) struct Packed(u64);

impl Packed {
    /// Most logs, and entries of one log, that can be told apart.
    pub(crate) const MAX_LOGS: usize = LONG as usize;
    pub(crate) const MAX_INDEX: u64 = (1 << INDEX_BITS) - 1;

    pub(crate) fn new(log: u16, index: u64) -> Self {
        Self(u64::from(log) << INDEX_BITS | index)
    }

    pub(crate) fn log(self) -> u16 {
        (self.0 >> INDEX_BITS) as u16
    }

    pub(crate) fn index(self) -> u64 {
        self.0 & Self::MAX_INDEX
    }
}

/// A list of more than one item.
#[derive(Default)]
struct Long {
    items: Vec<Packed>,
    /// Roots of the full pages.
    pages: Vec<Hash>,
}

/// By the map's slots.
#[derive(Default)]
pub(crate) struct Lists {
    heads: Vec<Packed>,
    long: Vec<Long>,
    /// Identifiers of the logs, by their numbers.
    pub(crate) logs: Vec<Hash>,
}

impl Lists {
    /// Makes room for the slots below `len`; a slot is valid once it has been appended to.
    pub(crate) fn grow(&mut self, len: usize) {
        self.heads.resize(len, Packed::new(LONG, Packed::MAX_INDEX));
    }

    /// Appends to the list of `slot`.
    pub(crate) fn append(&mut self, slot: usize, items: &[Packed]) {
        let head = self.heads[slot];
        let empty = head.log() == LONG && head.index() == Packed::MAX_INDEX;
        let long = match (head.log(), items) {
            (LONG, [one]) if empty => {
                self.heads[slot] = *one;
                return;
            }
            (LONG, _) if !empty => head.index() as usize,
            _ => {
                let items = if empty { Vec::new() } else { vec![head] };
                self.long.push(Long { items, pages: Vec::new() });
                self.heads[slot] = Packed::new(LONG, self.long.len() as u64 - 1);
                self.long.len() - 1
            }
        };
        let Long { items: all, pages } = &mut self.long[long];
        all.extend(items);
        for page in all.chunks_exact(PAGE as usize).skip(pages.len()) {
            pages.push(items_root(&self.logs, page));
        }
    }

    pub(crate) fn view(&self, slot: usize) -> View<'_> {
        let head = &self.heads[slot];
        if head.log() == LONG {
            let long = &self.long[head.index() as usize];
            View { items: &long.items, pages: &long.pages, logs: &self.logs }
        } else {
            View { items: std::slice::from_ref(head), pages: &[], logs: &self.logs }
        }
    }

    /// The list that `items` alone are.
    pub(crate) fn fresh<'a>(&'a self, items: &'a [Packed]) -> View<'a> {
        View { items, pages: &[], logs: &self.logs }
    }
}

/// One list.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    items: &'a [Packed],
    /// Roots of the first full pages; of none where they have not been kept.
    pages: &'a [Hash],
    logs: &'a [Hash],
}

impl View<'_> {
    pub(crate) fn items(&self) -> &[Packed] {
        self.items
    }

    pub(crate) fn count(&self) -> u64 {
        self.items.len() as u64
    }

    pub(crate) fn value(&self) -> Value {
        let root = merkle::root(self, self.count()).expect("every node below the count is there");
        Value { count: self.count(), root }
    }

    pub(crate) fn page_proof(&self, begin: u64, end: u64) -> Vec<Hash> {
        range_proof(self, begin, end, self.count()).expect("every node below the count is there")
    }

    /// Proof that the list begins with its own first `old` items.
    pub(crate) fn consistency(&self, old: u64) -> Result<Vec<Hash>, ProofError> {
        if old == 0 { Ok(Vec::new()) } else { merkle::consistency_proof(self, old, self.count()) }
    }
}

impl NodeSource for View<'_> {
    type Error = ProofError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let beyond = ProofError::IndexBeyondSize { index, size: self.count() };
        if level == PAGE.trailing_zeros()
            && let Some(page) = self.pages.get(index as usize)
        {
            return Ok(*page);
        }
        if level > PAGE.trailing_zeros() {
            return Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?));
        }
        let (first, count) = ((index << level) as usize, 1usize << level);
        let items = self.items.get(first..first + count).ok_or(beyond)?;
        Ok(items_root(self.logs, items))
    }
}

/// Root of a number of items that is a power of two.
fn items_root(logs: &[Hash], items: &[Packed]) -> Hash {
    let mut row: Vec<Hash> = items
        .iter()
        .map(|item| Item { log: logs[usize::from(item.log())], index: item.index() }.leaf())
        .collect();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row[0]
}
