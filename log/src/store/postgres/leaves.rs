//! The leaves by which duplicates are told: rows that are derived from the order, and committed with it.
//!
//! With them a sum is kept, their number and a digest, so that a start can tell whether somebody else has changed them:
//! one pass over the rows. A digest of 64 bits notices accidents, not whoever wants it to agree.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Session, failed, schema, signed};
use crate::batch::Batch;
use crate::hash::Hash;
use crate::store::shared::Pieces;

/// Longer than [`schema::UNHURRIED`] lets the database take for a pass over all leaves.
const UNHURRIED: Duration = Duration::from_secs(660);

/// What a batch adds.
pub(super) struct Added {
    pub hashes: Vec<Vec<u8>>,
    pub indices: Vec<i64>,
    /// Leaves that were not there before.
    pub number: i64,
    /// What the digest of all changes by.
    pub digest: i64,
}

/// What a leaf's row adds to the digest of all: the first bytes of a hash of it, by exclusive or.
fn digest(leaf: &Hash, index: i64) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = Hash::of(&[&leaf.0, &index.to_be_bytes()]).0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Each leaf with the last of its indices, in the order of the table's index: the same order in every session.
fn rows(leaves: impl Iterator<Item = (Hash, u64)>) -> io::Result<Vec<(Hash, i64)>> {
    let last: HashMap<Hash, u64> = leaves.collect();
    let mut rows: Vec<_> = last.into_iter().collect();
    rows.sort_unstable_by_key(|(leaf, _)| leaf.0);
    rows.into_iter().map(|(leaf, index)| Ok((leaf, signed(index)?))).collect()
}

fn columns(rows: &[(Hash, i64)]) -> (Vec<Vec<u8>>, Vec<i64>) {
    rows.iter().map(|(leaf, index)| (leaf.0.to_vec(), *index)).unzip()
}

impl Added {
    /// Of a batch, some of whose leaves are `known`.
    pub(super) fn of(batch: &Batch, known: &HashMap<Hash, u64>) -> io::Result<Self> {
        let rows = rows((batch.first..).zip(&batch.entries).map(|(index, entry)| (entry.leaf, index)))?;
        let (mut number, mut sum) = (0, 0);
        for (leaf, index) in &rows {
            sum ^= digest(leaf, *index);
            match known.get(leaf) {
                Some(before) => sum ^= digest(leaf, signed(*before)?),
                None => number += 1,
            }
        }
        let (hashes, indices) = columns(&rows);
        Ok(Self { hashes, indices, number, digest: sum })
    }
}

impl Session {
    /// Whether the rows are as many as were put there, with their digest, and reach to the order's end.
    pub(super) fn compare_leaves(&self) -> io::Result<bool> {
        let (client, log) = (Arc::clone(&self.client), self.log);
        self.background.wait_for(UNHURRIED, async move {
            client.batch_execute(schema::UNHURRIED).await.map_err(failed)?;
            let agree = client.query_one(schema::AGREE, &[&log]).await.map_err(failed)?.get(0);
            client.batch_execute(schema::HURRIED).await.map_err(failed)?;
            Ok(agree)
        })
    }

    /// Puts these in the place of all leaves. Piece by piece: no statement takes long but the last.
    pub(super) fn replace_leaves(&self, pieces: &mut Pieces<'_>) -> io::Result<()> {
        for byte in 0..=u8::MAX {
            let from = if byte == 0 { Vec::new() } else { vec![byte] };
            let to = byte.checked_add(1).map_or(vec![u8::MAX; 64], |next| vec![next]);
            self.query(schema::FORGET, vec![Box::new(self.log), Box::new(from), Box::new(to)])?;
        }
        for piece in pieces {
            let (first, leaves) = piece?;
            let (hashes, indices) = columns(&rows(leaves.into_iter().zip(first..))?);
            self.query(schema::PUT, vec![Box::new(self.log), Box::new(hashes), Box::new(indices)])?;
        }
        let (client, log) = (Arc::clone(&self.client), self.log);
        self.background.wait_for(UNHURRIED, async move {
            client.batch_execute(schema::UNHURRIED).await.map_err(failed)?;
            client.execute(schema::SUM, &[&log]).await.map_err(failed)?;
            client.batch_execute(schema::HURRIED).await.map_err(failed)?;
            client.batch_execute("COMMIT").await.map_err(failed)
        })
    }
}
