//! The keys behind signature lines: Ed25519 (type 0x01), ECDSA (0x02), timestamped cosignatures (0x04, C2SP
//! tlog-cosignature) and RFC 6962 tree heads (0x05, C2SP static-ct-api).
//!
//! ECDSA is for others' notes, such as Rekor v1's checkpoints: it is verified, and nothing here signs with it. Of the
//! curves that signed-note allows it is P-256, the one that it recommends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use p256::ecdsa::signature::Verifier as _;
use spki::{DecodePublicKey as _, EncodePublicKey as _};

use super::{NoteSignature, valid_name};
use crate::checkpoint::Checkpoint;
use crate::hash::Hash;

/// Type byte of a signed-note key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureType {
    /// Plain Ed25519 over the text.
    Ed25519 = 0x01,
    /// ECDSA P-256 over the SHA-256 of the text.
    Ecdsa = 0x02,
    /// Ed25519 over the text and a time.
    CosignatureV1 = 0x04,
    /// RFC 6962 `TreeHeadSignature` over size, root and time of the checkpoint in the text.
    Rfc6962 = 0x05,
}

/// Why a verifier key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty name, or one with a space or plus sign.
    #[error("the key's name is empty or holds white space or a plus sign")]
    Name,
    /// Not a key of a known type in a known encoding.
    #[error("the key cannot be read")]
    Encoding,
    /// The hint in the encoding is not that of the key.
    #[error("the key's hint does not match the key")]
    Hint,
}

impl KeyError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Name => "note-key-name",
            Self::Encoding => "note-key-encoding",
            Self::Hint => "note-key-hint",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PublicKey {
    Ed25519(VerifyingKey),
    Ecdsa(Box<p256::ecdsa::VerifyingKey>),
    Cosignature(VerifyingKey),
    Rfc6962(Box<p256::ecdsa::VerifyingKey>),
}

/// A named public key that verifies signature lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key_id: [u8; 4],
    key: PublicKey,
}

impl NoteKey {
    /// A log's Ed25519 key; the name is its origin.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn ed25519(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, PublicKey::Ed25519(key))
    }

    /// A log's P-256 key.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn ecdsa(name: &str, key: p256::ecdsa::VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, PublicKey::Ecdsa(Box::new(key)))
    }

    /// A witness's or re-executor's key.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn cosignature(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, PublicKey::Cosignature(key))
    }

    /// A certificate log's P-256 key; the name is its origin.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn rfc6962(name: &str, key: p256::ecdsa::VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, PublicKey::Rfc6962(Box::new(key)))
    }

    /// A certificate log's key from its DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] unless it is a P-256 key.
    pub fn rfc6962_from_spki(name: &str, spki: &[u8]) -> Result<Self, KeyError> {
        let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).map_err(|_| KeyError::Encoding)?;
        Self::rfc6962(name, key)
    }

    fn new(name: &str, key: PublicKey) -> Result<Self, KeyError> {
        if !valid_name(name) {
            return Err(KeyError::Name);
        }
        let recommended =
            |kind: SignatureType, key: &[u8]| Hash::of(&[name.as_bytes(), b"\n", &[kind as u8], key]);
        let digest = match &key {
            PublicKey::Ed25519(key) => recommended(SignatureType::Ed25519, key.as_bytes()),
            // The one type whose hint does not depend on the name.
            PublicKey::Ecdsa(key) => rfc6962_log_id(key),
            PublicKey::Cosignature(key) => recommended(SignatureType::CosignatureV1, key.as_bytes()),
            PublicKey::Rfc6962(key) => recommended(SignatureType::Rfc6962, &rfc6962_log_id(key).0),
        };
        let key_id = *digest.0.first_chunk().expect("32 bytes hold 4");
        Ok(Self { name: name.to_owned(), key_id, key })
    }

    /// Parses a verifier key `<name>+<hint>+<base64 of type and key>` (signed-note, "Verifier keys").
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hint), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Encoding);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Encoding)?;
        let (kind, key) = bytes.split_first().ok_or(KeyError::Encoding)?;
        let ed25519 = || {
            let key = key.try_into().map_err(|_| KeyError::Encoding)?;
            VerifyingKey::from_bytes(key).map_err(|_| KeyError::Encoding)
        };
        let parsed = match kind {
            0x01 => Self::ed25519(name, ed25519()?)?,
            0x02 => Self::ecdsa(name, p256_from_spki(key)?)?,
            0x04 => Self::cosignature(name, ed25519()?)?,
            _ => return Err(KeyError::Encoding),
        };
        if hex::encode(parsed.key_id) == hint { Ok(parsed) } else { Err(KeyError::Hint) }
    }

    /// The text that [`NoteKey::parse`] reads. For a certificate log, whose key such texts do not carry, the
    /// same form with its DER `SubjectPublicKeyInfo`.
    pub fn encode(&self) -> String {
        let bytes = match &self.key {
            PublicKey::Ed25519(key) => [&[1][..], key.as_bytes()].concat(),
            PublicKey::Ecdsa(key) => [&[2][..], &spki_of(key)].concat(),
            PublicKey::Cosignature(key) => [&[4][..], key.as_bytes()].concat(),
            PublicKey::Rfc6962(key) => [&[5][..], &spki_of(key)].concat(),
        };
        format!("{}+{}+{}", self.name, hex::encode(self.key_id), STANDARD.encode(bytes))
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type of its signature lines.
    pub fn kind(&self) -> SignatureType {
        match &self.key {
            PublicKey::Ed25519(_) => SignatureType::Ed25519,
            PublicKey::Ecdsa(_) => SignatureType::Ecdsa,
            PublicKey::Cosignature(_) => SignatureType::CosignatureV1,
            PublicKey::Rfc6962(_) => SignatureType::Rfc6962,
        }
    }

    /// Whether it is a certificate log's, which signs tree heads.
    pub fn is_rfc6962(&self) -> bool {
        self.kind() == SignatureType::Rfc6962
    }

    /// The 4-byte hint of its signature lines.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// Full log id: what the hint is the beginning of, or for a certificate log the RFC 6962 `LogID`, which an ECDSA
    /// log's has the form of.
    ///
    /// For an Ed25519 log this is the `keyId` of Rekor v2: `SHA-256(origin ‖ 0x0A ‖ 0x01 ‖ key)`.
    pub fn log_id(&self) -> Hash {
        match &self.key {
            PublicKey::Ed25519(key) => Hash::of(&[self.name.as_bytes(), b"\n\x01", key.as_bytes()]),
            PublicKey::Cosignature(key) => Hash::of(&[self.name.as_bytes(), b"\n\x04", key.as_bytes()]),
            PublicKey::Ecdsa(key) | PublicKey::Rfc6962(key) => rfc6962_log_id(key),
        }
    }

    /// SHA-256 of the key alone, whatever name it goes by; of P-256 keys of their `SubjectPublicKeyInfo`.
    pub fn fingerprint(&self) -> Hash {
        match &self.key {
            PublicKey::Ed25519(key) | PublicKey::Cosignature(key) => Hash::of(&[key.as_bytes()]),
            PublicKey::Ecdsa(key) | PublicKey::Rfc6962(key) => rfc6962_log_id(key),
        }
    }

    /// Verifies one line; `Some(time)` if it holds, where the type carries a time.
    pub(crate) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        match &self.key {
            PublicKey::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                key.verify_strict(text.as_bytes(), &signature).ok().map(|()| None)
            }
            PublicKey::Ecdsa(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
                key.verify(text.as_bytes(), &signature).ok().map(|()| None)
            }
            PublicKey::Cosignature(key) => {
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                key.verify_strict(cosigned_text(text, time).as_bytes(), &signature).ok().map(|()| Some(time))
            }
            PublicKey::Rfc6962(key) => verify_tree_head(key, text, signature).map(Some),
        }
    }
}

/// A named private key that makes signature lines.
#[derive(Clone)]
pub struct NoteSigner {
    public: NoteKey,
    key: SecretKey,
}

#[derive(Clone)]
enum SecretKey {
    Ed25519(Box<SigningKey>),
    Rfc6962(Box<p256::ecdsa::SigningKey>),
}

impl NoteSigner {
    /// Signs as a log with plain Ed25519.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn ed25519(name: &str, key: SigningKey) -> Result<Self, KeyError> {
        Ok(Self {
            public: NoteKey::ed25519(name, key.verifying_key())?,
            key: SecretKey::Ed25519(Box::new(key)),
        })
    }

    /// Signs as a witness, with a time in seconds.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn cosignature(name: &str, key: SigningKey) -> Result<Self, KeyError> {
        Ok(Self {
            public: NoteKey::cosignature(name, key.verifying_key())?,
            key: SecretKey::Ed25519(Box::new(key)),
        })
    }

    /// Signs as a certificate log, with a time in milliseconds.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn rfc6962(name: &str, key: p256::ecdsa::SigningKey) -> Result<Self, KeyError> {
        let public = NoteKey::rfc6962(name, *key.verifying_key())?;
        Ok(Self { public, key: SecretKey::Rfc6962(Box::new(key)) })
    }

    /// The key that verifies its lines.
    pub fn public(&self) -> &NoteKey {
        &self.public
    }

    /// Signs the text of a checkpoint. `time` is in milliseconds since the epoch: written as such by a
    /// certificate log, in whole seconds by a cosigner, not at all by a plain log.
    pub fn sign(&self, checkpoint: &Checkpoint, time: u64) -> NoteSignature {
        let text = checkpoint.to_string();
        let signature = match (&self.key, &self.public.key) {
            (SecretKey::Ed25519(key), PublicKey::Cosignature(_)) => {
                let seconds = time / 1000;
                let signature = key.sign(cosigned_text(&text, seconds).as_bytes());
                [&seconds.to_be_bytes()[..], &signature.to_bytes()].concat()
            }
            (SecretKey::Ed25519(key), _) => key.sign(text.as_bytes()).to_bytes().to_vec(),
            (SecretKey::Rfc6962(key), _) => sign_tree_head(key, checkpoint, time),
        };
        NoteSignature { name: self.public.name.clone(), key_id: self.public.key_id, signature }
    }
}

/// What a cosigner signs (C2SP tlog-cosignature, "Format").
fn cosigned_text(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// RFC 6962 §3.5 `TreeHeadSignature` input.
fn tree_head(size: u64, root: &Hash, milliseconds: u64) -> Vec<u8> {
    [&[0, 1][..], &milliseconds.to_be_bytes(), &size.to_be_bytes(), &root.0].concat()
}

fn sign_tree_head(key: &p256::ecdsa::SigningKey, checkpoint: &Checkpoint, time: u64) -> Vec<u8> {
    let signature: p256::ecdsa::DerSignature = key.sign(&tree_head(checkpoint.size, &checkpoint.root, time));
    let signature = signature.as_bytes();
    let length = u16::try_from(signature.len()).expect("a P-256 signature is at most 72 bytes");
    // DigitallySigned: SHA-256 (4), ECDSA (3), then the signature with its length.
    [&time.to_be_bytes()[..], &[4, 3], &length.to_be_bytes(), signature].concat()
}

fn verify_tree_head(key: &p256::ecdsa::VerifyingKey, text: &str, signature: &[u8]) -> Option<u64> {
    let checkpoint = Checkpoint::parse(text).ok()?;
    // The tree head covers size and root only, so an extension line would be unsigned.
    if !checkpoint.extensions.is_empty() {
        return None;
    }
    let (time, rest) = signature.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    let (head, signature) = rest.split_first_chunk::<4>()?;
    if head[..2] != [4, 3] || usize::from(u16::from_be_bytes([head[2], head[3]])) != signature.len() {
        return None;
    }
    let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
    key.verify(&tree_head(checkpoint.size, &checkpoint.root, time), &signature).ok().map(|()| time)
}

/// A P-256 key from its one DER form: with its point in short form the same key would have two texts.
fn p256_from_spki(spki: &[u8]) -> Result<p256::ecdsa::VerifyingKey, KeyError> {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).map_err(|_| KeyError::Encoding)?;
    if spki_of(&key) == spki { Ok(key) } else { Err(KeyError::Encoding) }
}

fn spki_of(key: &p256::ecdsa::VerifyingKey) -> Vec<u8> {
    key.to_public_key_der().expect("a P-256 key always encodes").into_vec()
}

/// RFC 6962 §3.2 `LogID`.
pub(crate) fn rfc6962_log_id(key: &p256::ecdsa::VerifyingKey) -> Hash {
    Hash::of(&[&spki_of(key)])
}
