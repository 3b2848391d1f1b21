//! What is wrong with a log's folder, without changing it.

use std::path::Path;

use super::walk::{Tally, walk};
use super::{Identity, WholeError};
use crate::batch::{self, Batch};
use crate::checkpoint::Checkpoint;
use crate::engine::Layout;
use crate::entry::Stored;
use crate::hash::Hash;
use crate::sct::TileLeaf;
use crate::store::files::Files;
use crate::store::{Objects, Reader};
use crate::tile::TileTree;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which file of the folder.
    pub path: String,
    /// Stable reason code.
    pub reason: &'static str,
    /// What is wrong, in words.
    pub message: String,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What is published.
    pub checkpoint: Checkpoint,
    /// What was found to hold.
    pub tally: Tally,
    /// Entries that are durable, published or not; `None` in a copy, which has no write-ahead log.
    pub committed: Option<u64>,
    /// What does not hold.
    pub findings: Vec<Finding>,
}

/// Reads the folder of a log or of a copy, which may run, and names everything that does not hold.
///
/// # Errors
/// When there is no checkpoint of this log.
pub fn examine(folder: &Path, identity: &Identity) -> Result<Examined, WholeError> {
    let files = Files::default();
    let reader = Reader::on(Objects::Folder(files.clone(), folder.to_owned()));
    let checkpoint = identity.open(&reader.checkpoint()?)?.checkpoint().clone();
    let mut findings = Vec::new();
    let walked = walk(&[&reader], &checkpoint, identity.layout, 0, |pieces| {
        findings.extend(pieces.into_iter().filter_map(|piece| {
            let error = piece.content.err()?;
            Some(Finding { path: piece.path.to_string(), reason: error.reason(), message: error.to_string() })
        }));
        Ok(())
    });
    let tally = walked.unwrap_or_else(|error| {
        let message = format!("the right edge of the tree: {error}");
        findings.push(Finding { path: "tile".to_owned(), reason: error.reason(), message });
        Tally::default()
    });
    findings.extend(tally.missing_issuers.iter().map(missing_issuer));
    let wal = files.read_optional(&folder.join("wal"))?.filter(|wal| !wal.is_empty());
    let committed = wal.map(|wal| examine_wal(&wal, &reader, &checkpoint, identity.layout, &mut findings));
    Ok(Examined { checkpoint, tally, committed, findings })
}

fn missing_issuer(fingerprint: &Hash) -> Finding {
    Finding {
        path: format!("issuer/{}", fingerprint.to_hex()),
        reason: "ct-no-issuer",
        message: "an issuer's certificate is missing or another".to_owned(),
    }
}

/// Compares the write-ahead log with what is published. Returns how many entries are durable.
fn examine_wal(
    bytes: &[u8],
    reader: &Reader,
    checkpoint: &Checkpoint,
    layout: Layout,
    findings: &mut Vec<Finding>,
) -> u64 {
    let mut find = |reason, message| findings.push(Finding { path: "wal".to_owned(), reason, message });
    let (batches, _) = batch::read(bytes);
    let committed = batches.last().map_or(0, Batch::end);
    if committed < checkpoint.size {
        let message = format!("{committed} entries are durable, and {} published", checkpoint.size);
        find("log-published-ahead", message);
    }
    let tree = TileTree::new(reader.clone(), checkpoint.size);
    for (index, entry) in batches.iter().flat_map(|batch| (batch.first..).zip(&batch.entries)) {
        let is_leaf = match layout {
            Layout::TlogTiles => Stored::parse(entry.item.clone(), &entry.leaf).is_ok(),
            Layout::StaticCt => {
                TileLeaf::parse_prefix(&entry.item).is_some_and(|(item, _)| item.leaf_hash() == entry.leaf)
            }
        };
        let published = index < checkpoint.size;
        if !is_leaf || published && tree.leaf(index).is_ok_and(|leaf| leaf != entry.leaf) {
            find("log-published-differs", format!("entry {index} is another than the published one"));
        }
    }
    committed
}
