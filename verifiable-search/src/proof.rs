//! Proofs of presence and absence in the map, and their wire form.
//!
//! ```text
//! version 1 (u8) ‖ terminal kind (u8) ‖ depth d (u16)
//! ‖ d × bit (u8), strictly increasing ‖ d × sibling (32)
//! ‖ terminal:  0 empty, 1 present: nothing
//!              2 another leaf:     key (32) ‖ value digest (32)
//!              3 another node:     bit (u8) ‖ prefix (32) ‖ left (32) ‖ right (32)
//! ```
//!
//! Numbers are big-endian. There is one encoding per proof: trailing bytes, bits out of order, a prefix with
//! bits beyond its length, or a terminal that the walk along the key could not have reached are refused.
//! Depth is at most 256; at 10^6 keys a proof has about 21 siblings.

use crate::key::MapKey;
use crate::map::{Digest, empty_root, leaf_hash, node_hash};

const VERSION: u8 = 1;

/// One step of the walk from the root: the bit at which the node parts, and the child not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) bit: u8,
    pub(crate) sibling: Digest,
}

/// Where the walk along the key ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// The map has no keys.
    Empty,
    /// At the key's own leaf.
    Present,
    /// At the leaf of another key.
    OtherLeaf { key: MapKey, value: Digest },
    /// At a node all of whose keys part from this one earlier.
    OtherNode { bit: u8, prefix: MapKey, left: Digest, right: Digest },
}

/// What stands under a key: see [`MapProof::verify_presence`] and [`MapProof::verify_absence`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    branches: Vec<Branch>,
    terminal: Terminal,
}

/// Why a map proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Bytes are missing, left over, or out of their bounds.
    #[error("map proof is not in its wire form")]
    Malformed,
    /// A version of the wire form that this program does not know.
    #[error("map proof has version {0}")]
    UnknownVersion(u8),
    /// The proof shows presence where absence is claimed, or the reverse.
    #[error("map proof shows the opposite of what is claimed")]
    WrongKind,
    /// The walk along the key cannot end where the proof says.
    #[error("map proof ends where the key does not lead")]
    OffPath,
    /// The recomputed root is another one.
    #[error("map proof does not lead to the map root")]
    RootMismatch,
}

impl ProofError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "map-proof-malformed",
            Self::UnknownVersion(_) => "map-proof-version",
            Self::WrongKind => "map-proof-wrong-kind",
            Self::OffPath => "map-proof-off-path",
            Self::RootMismatch => "map-root-mismatch",
        }
    }
}

impl MapProof {
    pub(crate) fn new(branches: Vec<Branch>, terminal: Terminal) -> Self {
        Self { branches, terminal }
    }

    /// True when this proof is one of presence.
    pub fn shows_presence(&self) -> bool {
        self.terminal == Terminal::Present
    }

    /// Checks that `value` stands under `key` in the map with this root.
    ///
    /// # Errors
    /// [`ProofError::WrongKind`] for a proof of absence, else [`ProofError::RootMismatch`].
    pub fn verify_presence(&self, key: &MapKey, value: &Digest, root: &Digest) -> Result<(), ProofError> {
        if self.terminal != Terminal::Present {
            return Err(ProofError::WrongKind);
        }
        self.climb(key, leaf_hash(key, value), root)
    }

    /// Checks that nothing stands under `key` in the map with this root.
    ///
    /// # Errors
    /// [`ProofError::WrongKind`] for a proof of presence, [`ProofError::OffPath`] when the terminal does not
    /// part from the key where it must, else [`ProofError::RootMismatch`].
    pub fn verify_absence(&self, key: &MapKey, root: &Digest) -> Result<(), ProofError> {
        let last = self.branches.last().map(|branch| branch.bit);
        match &self.terminal {
            Terminal::Present => Err(ProofError::WrongKind),
            Terminal::Empty if last.is_some() => Err(ProofError::OffPath),
            Terminal::Empty if empty_root() == *root => Ok(()),
            Terminal::Empty => Err(ProofError::RootMismatch),
            Terminal::OtherLeaf { key: other, value } => {
                // Shares the path's bits, up to and with the last turn, and parts from the key after it.
                let parts_at = key.first_difference(other).ok_or(ProofError::OffPath)?;
                if last.is_some_and(|last| parts_at <= last) {
                    return Err(ProofError::OffPath);
                }
                self.climb(key, leaf_hash(other, value), root)
            }
            Terminal::OtherNode { bit, prefix, left, right } => {
                let parts_at = key.prefix(*bit).first_difference(prefix).ok_or(ProofError::OffPath)?;
                if last.is_some_and(|last| parts_at <= last) {
                    return Err(ProofError::OffPath);
                }
                self.climb(key, node_hash(*bit, prefix, left, right), root)
            }
        }
    }

    fn climb(&self, key: &MapKey, terminal: Digest, root: &Digest) -> Result<(), ProofError> {
        let computed = self.branches.iter().rev().fold(terminal, |hash, Branch { bit, sibling }| {
            let prefix = key.prefix(*bit);
            if key.bit(*bit) {
                node_hash(*bit, &prefix, sibling, &hash)
            } else {
                node_hash(*bit, &prefix, &hash, sibling)
            }
        });
        if computed == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + 33 * self.branches.len() + 97);
        out.push(VERSION);
        out.push(match self.terminal {
            Terminal::Empty => 0,
            Terminal::Present => 1,
            Terminal::OtherLeaf { .. } => 2,
            Terminal::OtherNode { .. } => 3,
        });
        out.extend((self.branches.len() as u16).to_be_bytes());
        out.extend(self.branches.iter().map(|branch| branch.bit));
        out.extend(self.branches.iter().flat_map(|branch| branch.sibling));
        match &self.terminal {
            Terminal::Empty | Terminal::Present => {}
            Terminal::OtherLeaf { key, value } => {
                out.extend(key.as_bytes());
                out.extend(value);
            }
            Terminal::OtherNode { bit, prefix, left, right } => {
                out.push(*bit);
                out.extend(prefix.as_bytes());
                out.extend(left);
                out.extend(right);
            }
        }
        out
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// [`ProofError::UnknownVersion`], else [`ProofError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(ProofError::UnknownVersion(version));
        }
        let kind = reader.byte()?;
        let depth = u16::from_be_bytes([reader.byte()?, reader.byte()?]);
        // 256 bits can part 256 times; this also bounds what is read next.
        if depth > 256 {
            return Err(ProofError::Malformed);
        }
        let bits = reader.take(usize::from(depth))?;
        if bits.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(ProofError::Malformed);
        }
        let branches = bits
            .iter()
            .map(|bit| Ok(Branch { bit: *bit, sibling: reader.digest()? }))
            .collect::<Result<Vec<_>, _>>()?;
        let terminal = match kind {
            0 => Terminal::Empty,
            1 => Terminal::Present,
            2 => Terminal::OtherLeaf { key: reader.key()?, value: reader.digest()? },
            3 => reader.other_node(bits.last().copied())?,
            _ => return Err(ProofError::Malformed),
        };
        if !reader.0.is_empty() {
            return Err(ProofError::Malformed);
        }
        Ok(Self { branches, terminal })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ProofError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(ProofError::Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, ProofError> {
        Ok(self.take(1)?[0])
    }

    fn digest(&mut self) -> Result<Digest, ProofError> {
        self.take(32)?.try_into().map_err(|_| ProofError::Malformed)
    }

    fn key(&mut self) -> Result<MapKey, ProofError> {
        self.digest().map(MapKey::from_bytes)
    }

    fn other_node(&mut self, last: Option<u8>) -> Result<Terminal, ProofError> {
        let (bit, prefix) = (self.byte()?, self.key()?);
        if prefix.prefix(bit) != prefix || last.is_some_and(|last| bit <= last) {
            return Err(ProofError::Malformed);
        }
        Ok(Terminal::OtherNode { bit, prefix, left: self.digest()?, right: self.digest()? })
    }
}
