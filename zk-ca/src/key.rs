//! Public keys that may be certified, and the key that signs certificates.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, ParsedPublicKey};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use p256::ecdsa::SigningKey;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use sigveil_vrf_identity::commitment::KeyHash;
use spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

use crate::oid;

/// Why a public key or a signature under it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not one DER SubjectPublicKeyInfo, or a key that is no point of its curve.
    #[error("the public key is malformed")]
    Malformed,
    /// Neither ECDSA P-256, ECDSA P-384 nor Ed25519.
    #[error("the public key is of a type that is not accepted: use ECDSA P-256, P-384 or Ed25519")]
    Unsupported,
    /// The signature does not verify under the key.
    #[error("the signature does not verify under the public key")]
    Signature,
}

impl KeyError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "public-key-malformed",
            Self::Unsupported => "public-key-unsupported",
            Self::Signature => "proof-of-possession-invalid",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyType {
    P256,
    P384,
    Ed25519,
}

/// A checked subject public key: one canonical DER encoding, a point on its curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectKey {
    der: Vec<u8>,
    raw: Vec<u8>,
    key_type: KeyType,
}

impl SubjectKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5480, RFC 8410); points uncompressed only.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| KeyError::Malformed)?;
        if info.to_der().map_err(|_| KeyError::Malformed)? != der {
            return Err(KeyError::Malformed);
        }
        let curve = info.algorithm.parameters.as_ref().map(|any| any.decode_as::<ObjectIdentifier>());
        let key_type = match (info.algorithm.oid, curve) {
            (oid::EC_PUBLIC_KEY, Some(Ok(oid::P256))) => KeyType::P256,
            (oid::EC_PUBLIC_KEY, Some(Ok(oid::P384))) => KeyType::P384,
            (oid::ED25519, None) => KeyType::Ed25519,
            _ => return Err(KeyError::Unsupported),
        };
        let raw = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?.to_vec();
        let length = match key_type {
            KeyType::P256 => 65,
            KeyType::P384 => 97,
            KeyType::Ed25519 => 32,
        };
        let key = Self { der: der.to_vec(), raw, key_type };
        if key.raw.len() != length {
            return Err(KeyError::Malformed);
        }
        ParsedPublicKey::new(key.algorithm(), &key.raw).map_err(|_| KeyError::Malformed)?;
        Ok(key)
    }

    /// Reads a PEM `PUBLIC KEY`.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|_| KeyError::Malformed)?;
        if label != "PUBLIC KEY" {
            return Err(KeyError::Malformed);
        }
        Self::from_der(&der)
    }

    /// The SubjectPublicKeyInfo, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// `pkh`, the form in which the proofs name the key.
    pub fn key_hash(&self) -> KeyHash {
        KeyHash::of_spki(&self.der)
    }

    /// Subject key identifier: the leftmost 160 bits of SHA-256 over the key's bit string (RFC 7093 §2 method 1).
    pub fn key_identifier(&self) -> [u8; 20] {
        let digest = Sha256::digest(&self.raw);
        let mut identifier = [0; 20];
        identifier.copy_from_slice(&digest[..20]);
        identifier
    }

    /// Checks a signature over `message`: ECDSA with the curve's own hash in DER, or Ed25519.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        ParsedPublicKey::new(self.algorithm(), &self.raw)
            .map(|key| key.verify_sig(message, signature))
            .map_err(|_| KeyError::Malformed)?
            .map_err(|_| KeyError::Signature)
    }

    /// OID of the signature algorithm that [`SubjectKey::verify`] takes.
    pub fn signature_algorithm(&self) -> ObjectIdentifier {
        match self.key_type {
            KeyType::P256 => oid::ECDSA_WITH_SHA256,
            KeyType::P384 => oid::ECDSA_WITH_SHA384,
            KeyType::Ed25519 => oid::ED25519,
        }
    }

    fn algorithm(&self) -> &'static dyn signature::VerificationAlgorithm {
        match self.key_type {
            KeyType::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            KeyType::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            KeyType::Ed25519 => &signature::ED25519,
        }
    }
}

/// An ECDSA P-256 private key that signs certificates or timestamps. Zeroized on drop; never printed.
#[derive(Clone)]
pub struct SigningKeyP256 {
    key: SigningKey,
    /// The same key where it signs, ten times as fast.
    signer: Arc<EcdsaKeyPair>,
}

impl SigningKeyP256 {
    /// Draws a key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self::of(SigningKey::random(rng))
    }

    fn of(key: SigningKey) -> Self {
        let document = key.to_pkcs8_der().expect("a P-256 key always has a PKCS#8 encoding");
        let signer =
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, document.as_bytes());
        Self {
            key,
            signer: Arc::new(signer.expect("an encoding just made is of a P-256 key with its point")),
        }
    }

    /// Reads a PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem).map(Self::of).map_err(|_| KeyError::Malformed)
    }

    /// The key as PKCS#8 PEM, for a file of mode 0600.
    pub fn to_pem(&self) -> Zeroizing<String> {
        self.key.to_pkcs8_pem(Default::default()).expect("a P-256 key always has a PKCS#8 encoding")
    }

    /// Its public half.
    pub fn public_key(&self) -> SubjectKey {
        let der =
            self.key.verifying_key().to_public_key_der().expect("a P-256 key always has an SPKI encoding");
        SubjectKey::from_der(der.as_bytes())
            .expect("an encoding just made is canonical and of an accepted type")
    }

    /// Signs with ECDSA over SHA-256, DER signature. AWS-LC draws the nonce itself, from the key, the message and the
    /// system's randomness: nothing but the signature's bytes depends on it.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.signer.sign(&SystemRandom::new(), message);
        signature.expect("a checked key signs whatever it is given").as_ref().to_vec()
    }
}
