//! Verifier keys in configs, in the form of C2SP signed-note: of a log, or of a witness.

use serde::{Deserialize, Serialize};
use sigveil_log::note::{NoteKey, SignatureType};

/// A key that verifies a log's signature lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogKey(NoteKey);

/// A key that verifies a witness's cosignatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WitnessKey(NoteKey);

/// The text is not repeated in what is said: it may be a private key.
fn parse(text: &str) -> Result<NoteKey, String> {
    NoteKey::parse(text).map_err(|error| format!("this is no verifier key: {error}"))
}

impl LogKey {
    /// The key.
    pub fn note_key(&self) -> &NoteKey {
        &self.0
    }
}

impl WitnessKey {
    /// The key.
    pub fn note_key(&self) -> &NoteKey {
        &self.0
    }
}

impl TryFrom<String> for LogKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let key = parse(&text)?;
        match key.kind() {
            SignatureType::Ed25519 | SignatureType::Ecdsa => Ok(Self(key)),
            _ => Err(format!("the key of {} is a witness's and not a log's", key.name())),
        }
    }
}

impl TryFrom<String> for WitnessKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let key = parse(&text)?;
        match key.kind() {
            SignatureType::CosignatureV1 => Ok(Self(key)),
            _ => Err(format!("the key of {} is a log's and not a witness's", key.name())),
        }
    }
}

impl From<LogKey> for String {
    fn from(key: LogKey) -> Self {
        key.0.encode()
    }
}

impl From<WitnessKey> for String {
    fn from(key: WitnessKey) -> Self {
        key.0.encode()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_for_what_it_signs_and_for_nothing_else() {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let ecdsa = *p256::ecdsa::SigningKey::from_slice(&[1; 32]).unwrap().verifying_key();
        let log = NoteKey::ed25519("a.example", secret).unwrap().encode();
        let ecdsa = NoteKey::ecdsa("a.example", ecdsa).unwrap().encode();
        let witness = NoteKey::cosignature("a.example", secret).unwrap().encode();
        for key in [&log, &ecdsa] {
            assert_eq!(LogKey::try_from(key.clone()).unwrap().note_key().encode(), *key);
            assert!(WitnessKey::try_from(key.clone()).unwrap_err().contains("not a witness's"));
        }
        assert_eq!(WitnessKey::try_from(witness.clone()).unwrap().note_key().encode(), witness);
        assert!(LogKey::try_from(witness).unwrap_err().contains("not a log's"));
    }

    #[test]
    fn what_is_no_key_is_not_repeated() {
        let pasted = || "PRIVATE+KEY+a.example+00000000+hunter2".to_owned();
        for refused in [LogKey::try_from(pasted()).unwrap_err(), WitnessKey::try_from(pasted()).unwrap_err()]
        {
            assert!(refused.contains("no verifier key") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
