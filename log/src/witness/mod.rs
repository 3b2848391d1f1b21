//! The witness: cosigns checkpoints of logs it knows, only forward, only consistently (C2SP tlog-witness).
//!
//! The rules are pure ([`AddCheckpoint`], [`authenticate`], [`decide`]); the running part keeps one file per log and writes it
//! before it answers.

#[cfg(feature = "service")]
mod service;

#[cfg(feature = "service")]
pub use service::{HttpWitness, Witness, router};

use crate::checkpoint::{Checkpoint, parse_decimal};
use crate::hash::Hash;
use crate::merkle::verify_consistency;
use crate::note::{NoteKey, NoteSignature, SignedNote};

/// Most lines of a consistency proof.
pub const MAX_PROOF: usize = 63;

/// Body of `POST /add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the last checkpoint that the witness has cosigned.
    pub old_size: u64,
    /// Consistency proof from there.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub note: SignedNote,
}

impl AddCheckpoint {
    /// Parses a request.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(Refusal::Malformed)?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_decimal)
            .ok_or(Refusal::Malformed)?;
        let proof: Vec<_> = lines.map(Hash::from_base64).collect::<Option<_>>().ok_or(Refusal::Malformed)?;
        if proof.len() > MAX_PROOF {
            return Err(Refusal::Malformed);
        }
        let note = SignedNote::parse(note.as_bytes()).map_err(|_| Refusal::Malformed)?;
        Ok(Self { old_size, proof, note })
    }

    /// The text that [`AddCheckpoint::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            text.push_str(&hash.to_base64());
            text.push('\n');
        }
        format!("{text}\n{}", self.note)
    }
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a request, or its old size is above the checkpoint's.
    #[error("the request cannot be read")]
    Malformed,
    /// A log that the witness does not know.
    #[error("the log is unknown")]
    UnknownLog,
    /// No valid signature by the log.
    #[error("the log's signature does not verify")]
    BadSignature,
    /// The witness is at another size, or saw another root at this size.
    #[error("the witness is at size {0}")]
    Conflict(u64),
    /// The consistency proof does not verify.
    #[error("the consistency proof does not verify")]
    BadProof,
    /// The witness cannot store what it would cosign, or what it has stored before is gone or another.
    #[error("the witness cannot rely on what it stores")]
    Storage,
}

impl Refusal {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "witness-malformed",
            Self::UnknownLog => "witness-unknown-log",
            Self::BadSignature => "witness-bad-signature",
            Self::Conflict(_) => "witness-conflict",
            Self::BadProof => "witness-bad-proof",
            Self::Storage => "witness-storage",
        }
    }

    /// HTTP status (C2SP tlog-witness).
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::BadSignature => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) => 409,
            Self::BadProof => 422,
            Self::Storage => 500,
        }
    }
}

/// What a witness last cosigned of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Seen {
    /// Parses what a witness keeps of the log `origin`; `None` for anything else, also for what it keeps of another.
    pub fn parse(bytes: &[u8], origin: &str) -> Option<Self> {
        let checkpoint = Checkpoint::parse(std::str::from_utf8(bytes).ok()?).ok()?;
        let seen = Self { size: checkpoint.size, root: checkpoint.root };
        (seen.to_text(origin).as_bytes() == bytes).then_some(seen)
    }

    /// The text that [`Seen::parse`] reads.
    pub fn to_text(&self, origin: &str) -> String {
        Checkpoint::new(origin, self.size, self.root).to_string()
    }
}

/// The checkpoint of a request, signed by one of the `logs`.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::UnknownLog`] or [`Refusal::BadSignature`].
pub fn authenticate(logs: &[NoteKey], request: &AddCheckpoint) -> Result<Checkpoint, Refusal> {
    let checkpoint = Checkpoint::parse(request.note.text()).map_err(|_| Refusal::Malformed)?;
    // While a log's key changes, it has several.
    let mut keys = logs.iter().filter(|log| log.name() == checkpoint.origin).peekable();
    keys.peek().ok_or(Refusal::UnknownLog)?;
    let verified = |log: &NoteKey| request.note.verify(std::slice::from_ref(log));
    if !keys.any(|log| verified(log).is_ok_and(|lines| !lines.is_empty())) {
        return Err(Refusal::BadSignature);
    }
    Ok(checkpoint)
}

/// Whether a witness that has last `seen` this of a log may cosign its checkpoint, which is the request's.
///
/// # Errors
/// [`Refusal`].
pub fn decide(seen: Option<Seen>, checkpoint: &Checkpoint, request: &AddCheckpoint) -> Result<(), Refusal> {
    if request.old_size > checkpoint.size {
        return Err(Refusal::Malformed);
    }
    let size = seen.map_or(0, |seen| seen.size);
    if request.old_size != size {
        return Err(Refusal::Conflict(size));
    }
    match seen {
        Some(seen) if seen.size == checkpoint.size && seen.root != checkpoint.root => {
            Err(Refusal::Conflict(size))
        }
        Some(seen) if seen.size > 0 => {
            verify_consistency(seen.size, &seen.root, checkpoint.size, &checkpoint.root, &request.proof)
                .map_err(|_| Refusal::BadProof)
        }
        _ if request.proof.is_empty() => Ok(()),
        _ => Err(Refusal::BadProof),
    }
}

/// Why a log gets no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The witness is at this size.
    #[error("the witness is at size {0}")]
    Conflict(u64),
    /// It refused.
    #[error(transparent)]
    Refused(Refusal),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// What a witness with this key has answered to `POST /add-checkpoint`: its cosignature, which is not verified here.
///
/// # Errors
/// [`CosignError`].
pub fn read_answer(key: &NoteKey, status: u16, body: &[u8]) -> Result<NoteSignature, CosignError> {
    let other = |text: &str| CosignError::Other(text.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| other("not text"))?;
    match status {
        200 => text
            .lines()
            .filter_map(|line| NoteSignature::parse(line).ok())
            .find(|line| line.name == key.name() && line.key_id == key.key_id())
            .ok_or_else(|| other("the answer holds no cosignature by its key")),
        409 => match parse_decimal(text.trim_end()) {
            Some(size) => Err(CosignError::Conflict(size)),
            None => Err(other("conflict without a size")),
        },
        403 => Err(CosignError::Refused(Refusal::BadSignature)),
        404 => Err(CosignError::Refused(Refusal::UnknownLog)),
        422 => Err(CosignError::Refused(Refusal::BadProof)),
        status => Err(CosignError::Other(format!("status {status}"))),
    }
}

/// A witness as a log sees it, in the same process or elsewhere. Asked from the log's own thread: it may
/// block, and should give up in seconds.
pub trait Cosigner: Send + Sync {
    /// The key that verifies its cosignatures.
    fn key(&self) -> &NoteKey;

    /// Asks for a cosignature.
    ///
    /// # Errors
    /// [`CosignError`].
    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError>;
}
