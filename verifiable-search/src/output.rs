//! Leaves of the output log: each commits to one state of the map and to what it was made from
//! (protocol.md §8).
//!
//! ```text
//! "sigveil-index-leaf/v1\n"
//! rule version (u16) ‖ SHA-256 of the trust root (32) ‖ map root (32) ‖ number of keys (u64)
//! number of inputs (u16), for each, ascending by origin:
//!     length (u16) ‖ origin ‖ size (u64) ‖ root (32) ‖ key-list root (32)
//! number of epoch lists (u16), for each, ascending: epoch (u64) ‖ size (u64) ‖ root (32)
//! stable list: 0 (u8), or 1 (u8) ‖ size (u64) ‖ root (32)
//! private-query database: 0 (u8), or 1 (u8) ‖ digest (32)
//! ```
//!
//! Numbers are big-endian; there is one encoding per leaf. The key-list root is the RFC 6962 root over the
//! digests ([`crate::key_list`]) of that input log's entries, one tree per log, so that an entry's place in it
//! is its index in the log, whatever the batches were. The last three parts stand in the format so that it
//! need not change; a leaf that has them is [`OutputError::NotServed`] until they are built.

use crate::rule::RULE_VERSION;
use sigveil_log::hash::Hash;

const DOMAIN: &[u8] = b"sigveil-index-leaf/v1\n";
/// Longest origin.
pub const MAX_ORIGIN: usize = 255;
/// Most input logs.
pub const MAX_INPUTS: usize = 1024;

/// A log that the map was made from, up to a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Origin of the log.
    pub origin: String,
    /// Entries indexed.
    pub size: u64,
    /// Root of the log at that size.
    pub root: Hash,
    /// RFC 6962 root over the key-list digests of those entries.
    pub key_lists: Hash,
}

/// One leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLeaf {
    /// SHA-256 of the trust root under which the entries new in this leaf were judged.
    pub trust_root: Hash,
    /// Root of the map.
    pub map_root: Hash,
    /// Number of keys in the map.
    pub keys: u64,
    /// The input logs, ascending by origin.
    pub inputs: Vec<Input>,
}

/// Why bytes are no leaf, or no successor of another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// Not in the one encoding.
    #[error("the output-log leaf is malformed")]
    Malformed,
    /// Made by another version of the rule.
    #[error("the output-log leaf is of rule version {0}")]
    RuleVersion(u16),
    /// Has parts that this version does not serve.
    #[error("the output-log leaf has {0}, which this version does not serve")]
    NotServed(&'static str),
    /// An input log shrank or is gone.
    #[error("input {0} shrank or is gone")]
    InputShrank(String),
    /// No input grew, under an unchanged trust root.
    #[error("no input has grown")]
    NotGrown,
}

impl OutputError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "output-leaf-malformed",
            Self::RuleVersion(_) => "output-rule-version",
            Self::NotServed(_) => "not-served-yet",
            Self::InputShrank(_) => "output-input-shrank",
            Self::NotGrown => "output-not-grown",
        }
    }
}

impl OutputLeaf {
    /// The encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = DOMAIN.to_vec();
        out.extend(RULE_VERSION.to_be_bytes());
        out.extend(self.trust_root.0);
        out.extend(self.map_root.0);
        out.extend(self.keys.to_be_bytes());
        out.extend((self.inputs.len() as u16).to_be_bytes());
        for input in &self.inputs {
            out.extend((input.origin.len() as u16).to_be_bytes());
            out.extend(input.origin.as_bytes());
            out.extend(input.size.to_be_bytes());
            out.extend(input.root.0);
            out.extend(input.key_lists.0);
        }
        out.extend([0; 4]);
        out
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// [`OutputError::RuleVersion`], [`OutputError::NotServed`], else [`OutputError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OutputError> {
        let mut reader = Reader(bytes.strip_prefix(DOMAIN).ok_or(OutputError::Malformed)?);
        let rule = reader.u16()?;
        if rule != RULE_VERSION {
            return Err(OutputError::RuleVersion(rule));
        }
        let (trust_root, map_root, keys) = (reader.hash()?, reader.hash()?, reader.u64()?);
        let count = usize::from(reader.u16()?);
        if count > MAX_INPUTS {
            return Err(OutputError::Malformed);
        }
        let inputs = (0..count).map(|_| reader.input()).collect::<Result<Vec<_>, _>>()?;
        if !inputs.is_sorted_by(|a, b| a.origin < b.origin) {
            return Err(OutputError::Malformed);
        }
        if reader.u16()? != 0 {
            return Err(OutputError::NotServed("epoch lists"));
        }
        for part in ["a list of stable labels", "a private-query database"] {
            match reader.array()? {
                [0] => {}
                [1] => return Err(OutputError::NotServed(part)),
                _ => return Err(OutputError::Malformed),
            }
        }
        if !reader.0.is_empty() {
            return Err(OutputError::Malformed);
        }
        Ok(Self { trust_root, map_root, keys, inputs })
    }

    /// The input log with this origin.
    pub fn input(&self, origin: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.origin == origin)
    }

    /// Checks that this leaf may follow `previous`: no input is gone or shorter, and at least one is longer or
    /// new. A leaf that names a new trust root may leave the inputs as they are, because a CA key has to be
    /// named before its first use.
    ///
    /// # Errors
    /// [`OutputError::InputShrank`], [`OutputError::NotGrown`].
    pub fn check_follows(&self, previous: &Self) -> Result<(), OutputError> {
        for old in &previous.inputs {
            if self.input(&old.origin).is_none_or(|new| new.size < old.size) {
                return Err(OutputError::InputShrank(old.origin.clone()));
            }
        }
        let grown =
            self.inputs.iter().any(|new| previous.input(&new.origin).is_none_or(|old| new.size > old.size));
        if grown || self.trust_root != previous.trust_root { Ok(()) } else { Err(OutputError::NotGrown) }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], OutputError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(OutputError::Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, OutputError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, OutputError> {
        self.array().map(u64::from_be_bytes)
    }

    fn hash(&mut self) -> Result<Hash, OutputError> {
        self.array().map(Hash)
    }

    fn input(&mut self) -> Result<Input, OutputError> {
        let length = usize::from(self.u16()?);
        let (origin, rest) = self.0.split_at_checked(length).ok_or(OutputError::Malformed)?;
        self.0 = rest;
        if origin.is_empty() || origin.len() > MAX_ORIGIN {
            return Err(OutputError::Malformed);
        }
        let origin = std::str::from_utf8(origin).map_err(|_| OutputError::Malformed)?.to_owned();
        Ok(Input { origin, size: self.u64()?, root: self.hash()?, key_lists: self.hash()? })
    }
}
