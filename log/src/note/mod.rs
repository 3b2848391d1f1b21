//! C2SP signed-note: a text and signature lines, and the four signature types that logs use.
//!
//! A note is accepted under a list of known keys: a line by a known key must verify or the whole note is
//! refused; lines by other keys are ignored. How many verified lines are enough is for the caller to say
//! ([`crate::checkpoint`]).

mod key;

pub(crate) use key::rfc6962_log_id;
pub use key::{KeyError, NoteKey, NoteSigner, SignatureType};

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most bytes of a note that is read at all.
pub const MAX_NOTE: usize = 1 << 20;
/// Most signature lines of a note that is read at all; the specification demands at least 16.
pub const MAX_SIGNATURES: usize = 100;

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// Larger than this reader takes.
    #[error("the note is larger than {MAX_NOTE} bytes or has more than {MAX_SIGNATURES} signatures")]
    TooLarge,
    /// A line by a known key does not verify.
    #[error("the signature by known key {0} does not verify")]
    BadSignature(String),
}

impl NoteError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "note-malformed",
            Self::TooLarge => "note-too-large",
            Self::BadSignature(_) => "note-bad-signature",
        }
    }
}

/// One signature line, of whatever type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// The 4-byte key hint.
    pub key_id: [u8; 4],
    /// What follows the hint; its meaning is the key type's.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Parses one line without its newline.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("— ").ok_or(NoteError::Malformed("signature line without em dash"))?;
        let (name, encoded) =
            rest.split_once(' ').ok_or(NoteError::Malformed("signature line without name"))?;
        if !valid_name(name) {
            return Err(NoteError::Malformed("key name"));
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed("signature base64"))?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, signature)) if !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
            }
            _ => Err(NoteError::Malformed("signature too short")),
        }
    }

    /// Whether it says that it is by this key.
    pub(crate) fn is_by(&self, key: &NoteKey) -> bool {
        key.name() == self.name && key.key_id() == self.key_id
    }

    /// Whether it says that it is by the same key.
    fn is_beside(&self, other: &Self) -> bool {
        (&self.name, self.key_id) == (&other.name, other.key_id)
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A signature by a known key that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// Position of the key in the list of known keys.
    pub key: usize,
    /// Time that the signature covers: Unix seconds for a cosignature, Unix milliseconds for an RFC 6962
    /// tree head, none for plain Ed25519 and ECDSA.
    pub timestamp: Option<u64>,
}

/// A note as it stands: text and lines, nothing verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note of `text`, which must end in a newline, without signatures yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for a text that no note can have.
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(&text)?;
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Parses a whole note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] or [`NoteError::TooLarge`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLarge);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        let split = whole.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before signatures"))?;
        let (text, lines) = (&whole[..=split], &whole[split + 2..]);
        check_text(text)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("no newline at the end"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All lines, verified or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a line, replacing an earlier one by the same key.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.retain(|old| !old.is_beside(&signature));
        self.signatures.push(signature);
    }

    /// Whether it has a line by the key, by name and identifier, that this line names.
    pub fn has_key_of(&self, signature: &NoteSignature) -> bool {
        self.signatures.iter().any(|line| line.is_beside(signature))
    }

    /// Verifies every line by one of the `known` keys; a second line by the same key is ignored.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a line by a known key does not verify.
    pub fn verify(&self, known: &[NoteKey]) -> Result<Vec<VerifiedSignature>, NoteError> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let position = known.iter().position(|key| signature.is_by(key));
            let Some(key) = position else { continue };
            if verified.iter().any(|earlier| earlier.key == key) {
                continue;
            }
            let timestamp = known[key]
                .verify(&self.text, &signature.signature)
                .ok_or_else(|| NoteError::BadSignature(signature.name.clone()))?;
            verified.push(VerifiedSignature { key, timestamp });
        }
        Ok(verified)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// Whether a key may have this name: not empty, no white space, no plus sign.
pub(crate) fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c.is_control())
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("text does not end in a newline"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Malformed("control character"));
    }
    Ok(())
}
