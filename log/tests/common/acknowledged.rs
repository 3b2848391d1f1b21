//! What child processes acknowledged before they were killed, and whether a log kept it.

use std::collections::{BTreeMap, HashSet};

use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{Log, Receipt};
use sigveil_log::entry::Stored;
use sigveil_log::merkle::root;
use sigveil_log::tile::TileTree;

use super::log_witness;

/// Bodies by index, and roots by size.
#[derive(Default)]
pub struct Acknowledged {
    pub bodies: BTreeMap<u64, String>,
    roots: BTreeMap<u64, Hash>,
}

/// What a child says of an entry that it acknowledges.
pub fn line(receipt: &Receipt, body: &str) -> String {
    format!("ack {} {} {} {body}", receipt.index, receipt.tree_size, receipt.root.to_base64())
}

impl Acknowledged {
    /// Notes such a line, without its first word.
    pub fn note(&mut self, line: &str) {
        let mut parts = line.splitn(4, ' ');
        let mut next = || parts.next().unwrap();
        let (index, size) = (next().parse().unwrap(), next().parse().unwrap());
        let root = Hash::from_base64(next()).unwrap();
        assert!(self.bodies.insert(index, next().to_owned()).is_none(), "index {index} was given twice");
        assert_eq!(*self.roots.entry(size).or_insert(root), root, "size {size} has two trees");
    }

    /// Everything that was acknowledged is in the log, once, in its place and in order, and every tree that was ever
    /// signed is a beginning of the last. Returns how much that was, in words.
    pub fn check(&self, log: &Log) -> String {
        let checkpoint = log.checkpoint().unwrap();
        let opened = VerifiedCheckpoint::open_witnessed(&checkpoint, log.key(), &[log_witness()], 1).unwrap();
        let (size, last) = (opened.checkpoint().size, opened.checkpoint().root);
        let tree = TileTree::open(log.reader().clone(), size, &last).unwrap();
        let entries = log.reader().entries(&tree, 0, size).unwrap();
        let bodies: Vec<_> = entries
            .into_iter()
            .map(|stored| match stored {
                Stored::Body(body) => String::from_utf8(body).unwrap(),
                Stored::Withheld(_) => panic!("nothing was withheld"),
            })
            .collect();
        assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), bodies.len(), "every entry once");
        for (index, body) in &self.bodies {
            assert_eq!(bodies.get(*index as usize), Some(body), "acknowledged at {index}");
        }
        for (size, signed) in &self.roots {
            assert_eq!(root(&tree, *size).unwrap(), *signed, "the tree of {size} entries");
        }
        // Of one writer, what was acknowledged later stands later.
        let mut order = BTreeMap::new();
        for (index, body) in &self.bodies {
            let (writer, n) = body.rsplit_once('/').unwrap();
            let before = order.insert(writer.to_owned(), n.parse::<u64>().unwrap());
            assert!(before.is_none_or(|before| before < n.parse().unwrap()), "{body} at {index}");
        }
        format!("{} of {size} entries acknowledged, {} trees signed", self.bodies.len(), self.roots.len())
    }
}
