//! The Merkle map: a path-compressed binary trie over 32-byte keys.
//!
//! Every inner node has two children, so `n` keys have exactly `n − 1` inner nodes and the trie, hence the
//! root, is a function of the *set* of (key, value) pairs: neither order nor batching shows.
//!
//! ```text
//! empty root = SHA-256("sigveil-map-empty-v1")
//! leaf       = SHA-256("sigveil-map-leaf-v1" ‖ key ‖ value digest)
//! node       = SHA-256("sigveil-map-node-v1" ‖ bit ‖ prefix ‖ left ‖ right)
//! ```
//!
//! `bit` (one byte) is the bit at which the children part, `prefix` (32 bytes) the bits before it, which all
//! keys below share, zero-padded. A node thus says where in the key space it stands: walking from a root
//! along a key is deterministic, so for *any* root, made by whomever, one key cannot be proven both present
//! and absent, nor present with two values. Leaf and node preimages are each two SHA-256 blocks.
//!
//! The map holds value *digests*; what they commit to is [`crate::list`]'s matter. It is derived state:
//! rebuilt from the logs, never trusted from a disk.

use crate::key::MapKey;
use crate::proof::{Branch, MapProof, Terminal};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A key and the value digest to set it to.
type Pair = (MapKey, Digest);

/// Root of the map without keys.
pub fn empty_root() -> Digest {
    Sha256::digest(b"sigveil-map-empty-v1").into()
}

/// Hash of the leaf of `key`.
pub fn leaf_hash(key: &MapKey, value: &Digest) -> Digest {
    let mut preimage = [0; 19 + 64];
    preimage[..19].copy_from_slice(b"sigveil-map-leaf-v1");
    preimage[19..51].copy_from_slice(key.as_bytes());
    preimage[51..].copy_from_slice(value);
    Sha256::digest(preimage).into()
}

/// Hash of the inner node whose children part at `bit`, and whose keys share `prefix` before it.
pub fn node_hash(bit: u8, prefix: &MapKey, left: &Digest, right: &Digest) -> Digest {
    let mut preimage = [0; 20 + 96];
    preimage[..19].copy_from_slice(b"sigveil-map-node-v1");
    preimage[19] = bit;
    preimage[20..52].copy_from_slice(prefix.as_bytes());
    preimage[52..84].copy_from_slice(left);
    preimage[84..].copy_from_slice(right);
    Sha256::digest(preimage).into()
}

/// Index into `Map::leaves`, or with the top bit set into `Map::nodes`.
#[derive(Clone, Copy)]
struct Child(u32);

const NODE: u32 = 1 << 31;

impl Child {
    fn is_node(self) -> bool {
        self.0 & NODE != 0
    }

    fn index(self) -> usize {
        (self.0 & !NODE) as usize
    }
}

struct Leaf {
    key: MapKey,
    value: Digest,
}

/// 48 bytes. The prefix is read off any leaf below, which `leaf` names.
struct Node {
    hash: Digest,
    children: [Child; 2],
    leaf: u32,
    bit: u8,
}

/// What [`Map::apply`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// One batch names a key twice: which value should win is not the map's to decide.
    #[error("a batch names key {0} twice")]
    DuplicateKey(MapKey),
    /// The map holds 2^31 keys, as many as its identifiers can name.
    #[error("the map is full")]
    Full,
}

impl MapError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::DuplicateKey(_) => "map-duplicate-key",
            Self::Full => "map-full",
        }
    }
}

/// The map. About 112 bytes per key.
#[derive(Default)]
pub struct Map {
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    root: Option<Child>,
}

impl Map {
    /// Most keys that a map can hold.
    pub const CAPACITY: usize = NODE as usize;

    /// The map without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// True when no key has been set.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The map's root.
    pub fn root(&self) -> Digest {
        self.root.map_or_else(empty_root, |root| self.hash(root))
    }

    /// Sets every key of `batch` to its value digest and recomputes the root, each changed node once.
    ///
    /// # Errors
    /// A key that occurs twice, a full map. Then nothing has changed.
    pub fn apply(&mut self, batch: &mut [Pair]) -> Result<(), MapError> {
        batch.sort_unstable_by_key(|(key, _)| *key);
        if let Some(twice) = batch.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(MapError::DuplicateKey(twice[0].0));
        }
        if batch.len() > Self::CAPACITY - self.leaves.len() {
            return Err(MapError::Full);
        }
        if !batch.is_empty() {
            self.root = Some(match self.root {
                Some(root) => self.update(root, batch),
                None => self.build(batch),
            });
        }
        Ok(())
    }

    /// The value digest under `key`.
    pub fn value(&self, key: &MapKey) -> Option<Digest> {
        self.slot(key).map(|slot| self.leaves[slot].value)
    }

    /// Number of the key's leaf, below [`Map::len`] and the same for ever.
    pub(crate) fn slot(&self, key: &MapKey) -> Option<usize> {
        let mut at = self.root?;
        while at.is_node() {
            let node = &self.nodes[at.index()];
            at = node.children[usize::from(key.bit(node.bit))];
        }
        (self.leaves[at.index()].key == *key).then_some(at.index())
    }

    /// Proof of what stands, or does not stand, under `key`.
    pub fn prove(&self, key: &MapKey) -> MapProof {
        let mut branches = Vec::with_capacity(40);
        let Some(mut at) = self.root else {
            return MapProof::new(branches, Terminal::Empty);
        };
        loop {
            if !at.is_node() {
                let leaf = &self.leaves[at.index()];
                let terminal = if leaf.key == *key {
                    Terminal::Present
                } else {
                    Terminal::OtherLeaf { key: leaf.key, value: leaf.value }
                };
                return MapProof::new(branches, terminal);
            }
            let node = &self.nodes[at.index()];
            let prefix = self.leaves[node.leaf as usize].key.prefix(node.bit);
            if key.prefix(node.bit) != prefix {
                let [left, right] = node.children.map(|child| self.hash(child));
                return MapProof::new(branches, Terminal::OtherNode { bit: node.bit, prefix, left, right });
            }
            let side = usize::from(key.bit(node.bit));
            branches.push(Branch { bit: node.bit, sibling: self.hash(node.children[1 - side]) });
            at = node.children[side];
        }
    }

    fn hash(&self, child: Child) -> Digest {
        if child.is_node() {
            self.nodes[child.index()].hash
        } else {
            let leaf = &self.leaves[child.index()];
            leaf_hash(&leaf.key, &leaf.value)
        }
    }

    /// Some leaf below `child`.
    fn any_leaf(&self, child: Child) -> u32 {
        if child.is_node() { self.nodes[child.index()].leaf } else { child.0 }
    }

    /// Merges a sorted batch, not empty, into the subtree at `child`.
    fn update(&mut self, child: Child, batch: &[Pair]) -> Child {
        let (first, last) = (&batch[0], &batch[batch.len() - 1]);
        let inside = self.leaves[self.any_leaf(child) as usize].key;
        // The batch is sorted: what its ends share with `inside`, all of it shares.
        let differs =
            inside.first_difference(&first.0).into_iter().chain(inside.first_difference(&last.0)).min();
        if child.is_node() {
            let Node { bit, children, .. } = self.nodes[child.index()];
            if differs.is_none_or(|at| at >= bit) {
                let (low, high) = split(batch, bit);
                let mut parts = children;
                for (part, batch) in parts.iter_mut().zip([low, high]) {
                    if !batch.is_empty() {
                        *part = self.update(*part, batch);
                    }
                }
                let hash = self.join_hash(bit, &inside, parts);
                let node = &mut self.nodes[child.index()];
                node.children = parts;
                node.hash = hash;
                return child;
            }
        }
        match differs {
            None => {
                self.leaves[child.index()].value = first.1;
                child
            }
            Some(bit) => self.branch_off(child, &inside, bit, batch),
        }
    }

    /// Puts a new node at `bit` above `child`, with the part of `batch` that lies beside `child`.
    fn branch_off(&mut self, child: Child, inside: &MapKey, bit: u8, batch: &[Pair]) -> Child {
        let (low, high) = split(batch, bit);
        let (own, other) = if inside.bit(bit) { (high, low) } else { (low, high) };
        let own = if own.is_empty() { child } else { self.update(child, own) };
        let other = self.build(other);
        self.join(bit, if inside.bit(bit) { [other, own] } else { [own, other] })
    }

    /// A new subtree of a sorted batch, not empty.
    fn build(&mut self, batch: &[Pair]) -> Child {
        let (first, last) = (&batch[0], &batch[batch.len() - 1]);
        match first.0.first_difference(&last.0) {
            None => {
                self.leaves.push(Leaf { key: first.0, value: first.1 });
                Child(self.leaves.len() as u32 - 1)
            }
            Some(bit) => {
                let (low, high) = split(batch, bit);
                let children = [self.build(low), self.build(high)];
                self.join(bit, children)
            }
        }
    }

    fn join(&mut self, bit: u8, children: [Child; 2]) -> Child {
        let leaf = self.any_leaf(children[0]);
        let inside = self.leaves[leaf as usize].key;
        let hash = self.join_hash(bit, &inside, children);
        self.nodes.push(Node { hash, children, leaf, bit });
        Child((self.nodes.len() as u32 - 1) | NODE)
    }

    fn join_hash(&self, bit: u8, inside: &MapKey, [left, right]: [Child; 2]) -> Digest {
        node_hash(bit, &inside.prefix(bit), &self.hash(left), &self.hash(right))
    }
}

/// The parts of a sorted batch with bit `bit` clear and set, given that all bits before it are shared.
fn split(batch: &[Pair], bit: u8) -> (&[Pair], &[Pair]) {
    batch.split_at(batch.partition_point(|(key, _)| !key.bit(bit)))
}
