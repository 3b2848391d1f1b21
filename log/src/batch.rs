//! Batches of entries whose places are decided, and the record that keeps one: in the write-ahead log, and in the order that
//! several front ends share.
//!
//! A record is `"SVWB" ‖ u32 length ‖ SHA-256(body) ‖ body`; a body is `u64 first index ‖ u32 count`, then per entry
//! `leaf hash ‖ u32 length ‖ item ‖ u32 length ‖ attachment`, integers big-endian. A batch has one record, and a record
//! says one batch.

use crate::hash::Hash;

const MAGIC: &[u8; 4] = b"SVWB";

/// One entry with its place decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequenced {
    /// Merkle leaf hash.
    pub leaf: Hash,
    /// Bytes in the bundle.
    pub item: Vec<u8>,
    /// Openings kept beside the log; empty if there are none.
    pub attachment: Vec<u8>,
}

/// Entries with consecutive indices, the last below 2^64 − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Index of the first.
    pub first: u64,
    /// The entries.
    pub entries: Vec<Sequenced>,
}

impl Batch {
    /// Index after the last.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry at an index, if it is one of these.
    pub fn entry_mut(&mut self, index: u64) -> Option<&mut Sequenced> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(at)
    }

    /// Its record.
    ///
    /// # Panics
    /// When it takes 4 GiB or more, which the engine's limits of entries and batches keep far off.
    pub fn to_record(&self) -> Vec<u8> {
        let mut body = self.first.to_be_bytes().to_vec();
        body.extend(length(self.entries.len()));
        for entry in &self.entries {
            body.extend(entry.leaf.0);
            for bytes in [&entry.item, &entry.attachment] {
                body.extend(length(bytes.len()));
                body.extend(bytes);
            }
        }
        [&MAGIC[..], &length(body.len()), &Hash::of(&[&body]).0, &body].concat()
    }

    /// The batch of exactly one record.
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (batches, length) = read(record);
        let whole = length == record.len() as u64;
        <[Self; 1]>::try_from(batches).ok().filter(|_| whole).map(|[batch]| batch)
    }

    fn parse_body(mut body: &[u8]) -> Option<Self> {
        let first = u64::from_be_bytes(*take(&mut body, 8)?.first_chunk()?);
        let count = read_length(&mut body)?;
        first.checked_add(count as u64)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let leaf = Hash::from_slice(take(&mut body, 32)?)?;
            let mut opaque = || {
                let length = read_length(&mut body)?;
                take(&mut body, length).map(<[u8]>::to_vec)
            };
            entries.push(Sequenced { leaf, item: opaque()?, attachment: opaque()? });
        }
        body.is_empty().then_some(Self { first, entries })
    }
}

/// Splits whole records with consecutive batches off the front; also returns their length in bytes. What is behind them was
/// never whole, or does not belong there.
pub fn read(mut bytes: &[u8]) -> (Vec<Batch>, u64) {
    let whole = bytes.len();
    let mut batches: Vec<Batch> = Vec::new();
    let mut good = 0;
    let next = |bytes: &mut &[u8]| {
        take(bytes, 4).filter(|magic| magic == MAGIC)?;
        let length = read_length(bytes)?;
        let checksum = take(bytes, 32)?;
        let body = take(bytes, length).filter(|body| Hash::of(&[body]).0 == checksum)?;
        Batch::parse_body(body)
    };
    while let Some(batch) = next(&mut bytes) {
        if batches.last().is_some_and(|last| last.end() != batch.first) {
            break;
        }
        batches.push(batch);
        good = whole - bytes.len();
    }
    (batches, good as u64)
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("batches are bounded far below 4 GiB").to_be_bytes()
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

fn read_length(bytes: &mut &[u8]) -> Option<usize> {
    take(bytes, 4)?.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    fn batch(first: u64, items: &[&str]) -> Batch {
        let entry = |item: &&str| Sequenced {
            leaf: crate::merkle::leaf_hash(item.as_bytes()),
            item: item.as_bytes().to_vec(),
            attachment: item.as_bytes()[1..].to_vec(),
        };
        Batch { first, entries: items.iter().map(entry).collect() }
    }

    #[test]
    fn a_record_is_one_batch_and_no_byte_of_it_can_change() {
        let batch = batch(7, &["one", "two"]);
        let record = batch.to_record();
        assert_eq!(Batch::from_record(&record), Some(batch));
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert_eq!(Batch::from_record(&changed), None, "byte {at}");
        }
        assert_eq!(Batch::from_record(&[record.clone(), record].concat()), None);
    }

    #[test]
    fn reading_stops_at_what_does_not_follow() {
        let [one, two, far] = [batch(7, &["one", "two"]), batch(9, &["three"]), batch(11, &["four"])];
        let front = [one.to_record(), two.to_record()].concat();
        let bytes = [front.clone(), far.to_record()].concat();
        assert_eq!(read(&bytes), (vec![one, two], front.len() as u64));
    }

    #[test]
    fn indices_end_where_numbers_do() {
        let last = batch(u64::MAX - 1, &["one"]);
        assert_eq!(Batch::from_record(&last.to_record()).unwrap().end(), u64::MAX);
        assert_eq!(Batch::from_record(&batch(u64::MAX, &["one"]).to_record()), None);
    }
}
