//! The JSON of RFC 6962 §4.1 and §4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{ChainError, SctError, SignedCertificateTimestamp};
use crate::entry::base64_bytes;
use crate::hash::Hash;

/// Body of `add-chain` and `add-pre-chain`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddChain {
    chain: Vec<String>,
}

impl AddChain {
    /// Of DER certificates, the one to be logged first.
    pub fn new<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { chain: chain.into_iter().map(|der| STANDARD.encode(der)).collect() }
    }

    /// Parses a body into DER certificates, which are not read yet.
    ///
    /// # Errors
    /// [`ChainError::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Vec<Vec<u8>>, ChainError> {
        let request: Self = serde_json::from_slice(body).map_err(|_| ChainError::Malformed)?;
        let decode = |text: &String| STANDARD.decode(text).map_err(|_| ChainError::Malformed);
        request.chain.iter().map(decode).collect()
    }
}

/// Answer to both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddChainAnswer {
    sct_version: u8,
    id: Hash,
    timestamp: u64,
    #[serde(with = "base64_bytes")]
    extensions: Vec<u8>,
    /// TLS `DigitallySigned`: algorithms, then the signature with its length.
    #[serde(with = "base64_bytes")]
    signature: Vec<u8>,
}

impl From<&SignedCertificateTimestamp> for AddChainAnswer {
    fn from(sct: &SignedCertificateTimestamp) -> Self {
        Self {
            sct_version: 0,
            id: sct.log_id,
            timestamp: sct.timestamp,
            extensions: sct.extensions.clone(),
            signature: sct.digitally_signed(),
        }
    }
}

impl TryFrom<AddChainAnswer> for SignedCertificateTimestamp {
    type Error = SctError;

    /// Puts the parts into the TLS encoding, which the strict parser reads.
    fn try_from(answer: AddChainAnswer) -> Result<Self, SctError> {
        let length = u16::try_from(answer.extensions.len()).map_err(|_| SctError::Malformed)?;
        let mut bytes = vec![answer.sct_version];
        bytes.extend(answer.id.0);
        bytes.extend(answer.timestamp.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(answer.extensions);
        bytes.extend(answer.signature);
        Self::parse(&bytes)
    }
}
