//! Items of static-ct-api data tiles.

use super::{
    LoggedCertificate, PrecertEntry, Reader, leaf_index_extension, merkle_tree_leaf, parse_leaf_index,
    push_u16, push_u24, timestamped_entry,
};
use crate::hash::Hash;
use crate::merkle::leaf_hash;

/// static-ct-api `TileLeaf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileLeaf {
    /// What was submitted.
    pub entry: LoggedCertificate,
    /// Unix milliseconds.
    pub timestamp: u64,
    /// Index in the log.
    pub leaf_index: u64,
    /// SHA-256 of each certificate of the chain above it.
    pub chain: Vec<Hash>,
}

impl TileLeaf {
    /// Merkle leaf hash.
    pub fn leaf_hash(&self) -> Hash {
        let extensions = leaf_index_extension(self.leaf_index);
        leaf_hash(&merkle_tree_leaf(self.entry.signed(), self.timestamp, &extensions))
    }

    /// Bytes in the data tile.
    pub fn to_bytes(&self) -> Vec<u8> {
        let extensions = leaf_index_extension(self.leaf_index);
        let mut bytes = timestamped_entry(self.entry.signed(), self.timestamp, &extensions);
        if let LoggedCertificate::Precertificate { der, .. } = &self.entry {
            push_u24(&mut bytes, der);
        }
        let fingerprints: Vec<u8> = self.chain.iter().flat_map(|hash| hash.0).collect();
        push_u16(&mut bytes, &fingerprints);
        bytes
    }

    /// The timestamp of one item, Unix milliseconds; `None` of what is too short for one.
    pub fn timestamp_of(item: &[u8]) -> Option<u64> {
        item.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// The first so many items of a data tile; `None` where there are fewer.
    pub fn parse_first(mut bytes: &[u8], count: usize) -> Option<Vec<Self>> {
        let mut leaves = Vec::with_capacity(count);
        for _ in 0..count {
            let (leaf, rest) = Self::parse_prefix(bytes)?;
            leaves.push(leaf);
            bytes = rest;
        }
        Some(leaves)
    }

    /// Reads one item from the beginning of a data tile, and what follows it. Its one extension is `leaf_index`, since
    /// static-ct-api knows no other.
    pub fn parse_prefix(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(bytes);
        let timestamp = u64::from_be_bytes(reader.array()?);
        let kind = reader.array::<2>()?;
        let issuer_key_hash = match kind {
            [0, 0] => None,
            [0, 1] => Some(Hash(reader.array()?)),
            _ => return None,
        };
        let signed = reader.opaque_u24()?.to_vec();
        let extensions = reader.opaque_u16()?;
        let leaf_index = parse_leaf_index(extensions)?;
        // The leaf hash is made of the index alone: with more beside it here, it would be that of another leaf.
        if leaf_index_extension(leaf_index) != extensions {
            return None;
        }
        let entry = match issuer_key_hash {
            None => LoggedCertificate::Certificate(signed),
            Some(issuer_key_hash) => LoggedCertificate::Precertificate {
                entry: PrecertEntry { issuer_key_hash, tbs: signed },
                der: reader.opaque_u24()?.to_vec(),
            },
        };
        let (chain, rest) = reader.opaque_u16()?.as_chunks::<32>();
        let chain = rest.is_empty().then(|| chain.iter().map(|bytes| Hash(*bytes)).collect())?;
        Some((Self { entry, timestamp, leaf_index, chain }, reader.0))
    }
}
