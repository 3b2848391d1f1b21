//! Verifier keys in configs.

use serde::{Deserialize, Serialize};
use sigveil_log::note::NoteKey;

/// A key that verifies a log's or a witness's signature lines, in the form of C2SP signed-note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey(pub NoteKey);

impl TryFrom<String> for VerifierKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        NoteKey::parse(&text).map(Self).map_err(|error| format!("{text} is no verifier key: {error}"))
    }
}

impl From<VerifierKey> for String {
    fn from(key: VerifierKey) -> Self {
        key.0.encode()
    }
}
