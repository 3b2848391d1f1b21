//! The file beside a bundle (`FILE.sigveil.json`): what only a sigveil verifier reads. Never a disclosure.

use serde::{Deserialize, Serialize};
use sigveil_verifiable_search::answer::Answer;
use sigveil_zk_ca::receipt::LoggedReceipt;

/// The media type of this version.
pub const MEDIA_TYPE: &str = "application/vnd.sigveil.companion+json;version=0.1";

/// Why the file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CompanionError {
    /// It is not that format.
    #[error("the file beside the bundle is malformed: {0}")]
    Malformed(String),
}

impl CompanionError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        "companion-malformed"
    }
}

crate::failure::failures!(CompanionError);

/// What travels beside a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Companion {
    media_type: String,
    /// The index's answer for the certificate's label: the complete list that the entry stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Answer>,
    /// The proofs of a certificate that was issued before they were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<LoggedReceipt>,
}

impl Companion {
    /// A file with this answer, and with the receipt of a deferred certificate.
    pub fn new(search: Option<Answer>, receipt: Option<LoggedReceipt>) -> Self {
        Self { media_type: MEDIA_TYPE.to_owned(), search, receipt }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not that format.
    pub fn parse(text: &str) -> Result<Self, CompanionError> {
        let read: Self =
            serde_json::from_str(text).map_err(|error| CompanionError::Malformed(error.to_string()))?;
        if read.media_type != MEDIA_TYPE {
            return Err(CompanionError::Malformed(format!("media type {}", read.media_type)));
        }
        Ok(read)
    }

    /// The file: JSON with a final newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data always has a JSON form") + "\n"
    }
}
