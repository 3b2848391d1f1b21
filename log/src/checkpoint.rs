//! C2SP tlog-checkpoint: a log's commitment to its tree, signed by the log and by cosigners.

use std::fmt;

use crate::hash::Hash;
use crate::merkle::empty_root;
use crate::note::{NoteError, NoteKey, SignedNote};

/// The text of a checkpoint: origin, size, root, and lines that this reader carries but does not interpret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 root of the tree.
    pub root: Hash,
    /// Extension lines, each not empty.
    pub extensions: Vec<String>,
}

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// Not a note, or a bad signature by a known key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Another log's checkpoint.
    #[error("checkpoint of {actual}, not of {expected}")]
    Origin {
        /// Origin asked for.
        expected: String,
        /// Origin found.
        actual: String,
    },
    /// The log's own signature is missing.
    #[error("the log's own signature is missing")]
    NotSignedByLog,
    /// Fewer cosignatures than the policy demands.
    #[error("{actual} cosignatures where {required} are required")]
    TooFewCosignatures {
        /// What the policy demands.
        required: usize,
        /// What verified.
        actual: usize,
    },
}

impl CheckpointError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "checkpoint-malformed",
            Self::Note(error) => error.reason(),
            Self::Origin { .. } => "checkpoint-other-origin",
            Self::NotSignedByLog => "checkpoint-not-signed-by-log",
            Self::TooFewCosignatures { .. } => "checkpoint-too-few-cosignatures",
        }
    }
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Parses the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let body = text.strip_suffix('\n').ok_or(malformed("no newline at the end"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or(malformed("origin"))?;
        let size = lines.next().and_then(parse_decimal).ok_or(malformed("size"))?;
        let root = lines.next().and_then(Hash::from_base64).ok_or(malformed("root"))?;
        if size == 0 && root != empty_root() {
            return Err(malformed("root of an empty tree"));
        }
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(malformed("empty extension line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Decimal without sign or leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A verified cosignature on a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the cosigner.
    pub name: String,
    /// When it signed, Unix seconds.
    pub time: u64,
}

/// A checkpoint whose log signature, and those of all known cosigners on it, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    log_time: Option<u64>,
    cosignatures: Vec<Cosignature>,
    note: SignedNote,
}

impl VerifiedCheckpoint {
    /// Opens `bytes` as a checkpoint of the log with key `log` (whose name is the origin) and finds the
    /// cosignatures by `cosigners`.
    ///
    /// # Errors
    /// [`CheckpointError`]: malformed, of another origin, not signed by the log, or with a bad signature by
    /// a known key.
    pub fn open(bytes: &[u8], log: &NoteKey, cosigners: &[NoteKey]) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != log.name() {
            let (expected, actual) = (log.name().to_owned(), checkpoint.origin);
            return Err(CheckpointError::Origin { expected, actual });
        }
        let own = note.verify(std::slice::from_ref(log))?;
        let log_time = own.first().ok_or(CheckpointError::NotSignedByLog)?.timestamp;
        let cosignatures = note
            .verify(cosigners)?
            .into_iter()
            .filter_map(|line| {
                Some(Cosignature { name: cosigners[line.key].name().to_owned(), time: line.timestamp? })
            })
            .collect();
        Ok(Self { checkpoint, log_time, cosignatures, note })
    }

    /// As [`VerifiedCheckpoint::open`] without cosigners, of a log with several keys of which any may have signed.
    ///
    /// # Errors
    /// As there.
    pub fn open_by_any(bytes: &[u8], log: &[NoteKey]) -> Result<Self, CheckpointError> {
        let opened = log.iter().map(|key| Self::open(bytes, key, &[]));
        let signed = |opened: &Result<_, _>| !matches!(opened, Err(CheckpointError::NotSignedByLog));
        opened.into_iter().find(signed).unwrap_or(Err(CheckpointError::NotSignedByLog))
    }

    /// As [`VerifiedCheckpoint::open`], and refuses fewer than `required` cosignatures by distinct cosigners.
    ///
    /// # Errors
    /// Also [`CheckpointError::TooFewCosignatures`].
    pub fn open_witnessed(
        bytes: &[u8],
        log: &NoteKey,
        cosigners: &[NoteKey],
        required: usize,
    ) -> Result<Self, CheckpointError> {
        let opened = Self::open(bytes, log, cosigners)?;
        let actual = opened.cosignatures.len();
        if actual < required {
            return Err(CheckpointError::TooFewCosignatures { required, actual });
        }
        Ok(opened)
    }

    /// What the log committed to.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Time in the log's own signature (certificate logs only), Unix milliseconds.
    pub fn log_time(&self) -> Option<u64> {
        self.log_time
    }

    /// Verified cosignatures, one per known cosigner at most.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The note as received, with all lines.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }
}
