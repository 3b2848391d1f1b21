//! A signature over a digest and the key or certificate that verifies it, in the form of Rekor v2's
//! `Signature` and `Verifier` messages.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature as algorithms;
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use serde::{Deserialize, Serialize};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::Certificate;

use super::{EntryError, base64_bytes};
use crate::der_sets;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Hash algorithm of an artifact's digest, in the names of Sigstore's `HashAlgorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashAlgorithm {
    /// SHA-256.
    #[serde(rename = "SHA2_256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "SHA2_384")]
    Sha384,
}

impl HashAlgorithm {
    /// Bytes of a digest.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// Key and signature algorithm, in the names of Sigstore's `PublicKeyDetails`. Pure Ed25519 is not among
/// them: it cannot be verified from a digest alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum KeyDetails {
    #[serde(rename = "PKIX_ECDSA_P256_SHA_256")]
    EcdsaP256Sha256,
    #[serde(rename = "PKIX_ECDSA_P384_SHA_384")]
    EcdsaP384Sha384,
    #[serde(rename = "PKIX_RSA_PKCS1V15_2048_SHA256")]
    RsaPkcs1v15Sha256Bits2048,
    #[serde(rename = "PKIX_RSA_PKCS1V15_3072_SHA256")]
    RsaPkcs1v15Sha256Bits3072,
    #[serde(rename = "PKIX_RSA_PKCS1V15_4096_SHA256")]
    RsaPkcs1v15Sha256Bits4096,
}

impl KeyDetails {
    /// Hash that the signature is over.
    pub fn hash(self) -> HashAlgorithm {
        match self {
            Self::EcdsaP384Sha384 => HashAlgorithm::Sha384,
            _ => HashAlgorithm::Sha256,
        }
    }

    fn matches(self, spki: &SubjectPublicKeyInfoOwned) -> bool {
        let curve =
            || spki.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        match self {
            Self::EcdsaP256Sha256 => spki.algorithm.oid == EC_PUBLIC_KEY && curve() == Some(SECP256R1),
            Self::EcdsaP384Sha384 => spki.algorithm.oid == EC_PUBLIC_KEY && curve() == Some(SECP384R1),
            // The modulus' length is compared when the key is parsed for verification.
            _ => spki.algorithm.oid == RSA_ENCRYPTION,
        }
    }

    fn rsa_bits(self) -> Option<usize> {
        match self {
            Self::RsaPkcs1v15Sha256Bits2048 => Some(2048),
            Self::RsaPkcs1v15Sha256Bits3072 => Some(3072),
            Self::RsaPkcs1v15Sha256Bits4096 => Some(4096),
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha384 => None,
        }
    }
}

/// What verifies a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifier {
    /// DER of an X.509 certificate.
    Certificate(Vec<u8>),
    /// DER `SubjectPublicKeyInfo`.
    PublicKey(Vec<u8>),
}

impl Verifier {
    /// DER of the `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`EntryError::BadKey`] when the certificate or key cannot be read.
    pub fn spki(&self) -> Result<SubjectPublicKeyInfoOwned, EntryError> {
        match self {
            Self::Certificate(der) if !der_sets::are_small(der) => return Err(EntryError::BadKey),
            Self::Certificate(der) => Certificate::from_der(der)
                .map(|certificate| certificate.tbs_certificate.subject_public_key_info),
            Self::PublicKey(der) => SubjectPublicKeyInfoOwned::from_der(der),
        }
        .map_err(|_| EntryError::BadKey)
    }

    /// The certificate, if that is what verifies.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(der) => Some(der),
            Self::PublicKey(_) => None,
        }
    }
}

/// A signature over a digest, with its verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signature's bytes (ECDSA: DER).
    pub content: Vec<u8>,
    /// Key and signature algorithm.
    pub key_details: KeyDetails,
    /// What verifies it.
    pub verifier: Verifier,
}

impl Signature {
    /// Verifies the signature over a digest that was computed with [`KeyDetails::hash`].
    ///
    /// # Errors
    /// [`EntryError::DigestLength`], [`EntryError::BadKey`], [`EntryError::KeyMismatch`] or
    /// [`EntryError::BadSignature`].
    pub fn verify(&self, digest: &[u8]) -> Result<(), EntryError> {
        if digest.len() != self.key_details.hash().length() {
            return Err(EntryError::DigestLength);
        }
        let spki = self.verifier.spki()?;
        if !self.key_details.matches(&spki) {
            return Err(EntryError::KeyMismatch);
        }
        if let Some(bits) = self.key_details.rsa_bits() {
            check_modulus(&spki, bits)?;
        }
        let (hash, algorithm): (_, &'static dyn algorithms::VerificationAlgorithm) = match self.key_details {
            KeyDetails::EcdsaP256Sha256 => (&digest::SHA256, &algorithms::ECDSA_P256_SHA256_ASN1),
            KeyDetails::EcdsaP384Sha384 => (&digest::SHA384, &algorithms::ECDSA_P384_SHA384_ASN1),
            _ => (&digest::SHA256, &algorithms::RSA_PKCS1_2048_8192_SHA256),
        };
        let digest = Digest::import_less_safe(digest, hash).map_err(|_| EntryError::DigestLength)?;
        let spki = spki.to_der().map_err(|_| EntryError::BadKey)?;
        algorithms::ParsedPublicKey::new(algorithm, spki)
            .map_err(|_| EntryError::BadKey)?
            .verify_digest_sig(&digest, &self.content)
            .map_err(|_| EntryError::BadSignature)
    }
}

#[derive(der::Sequence)]
struct RsaPublicKey {
    modulus: der::asn1::Uint,
    #[allow(dead_code, reason = "the verification itself reads the exponent")]
    exponent: der::asn1::Uint,
}

fn check_modulus(spki: &SubjectPublicKeyInfoOwned, bits: usize) -> Result<(), EntryError> {
    let bytes = spki.subject_public_key.as_bytes().ok_or(EntryError::BadKey)?;
    let key = RsaPublicKey::from_der(bytes).map_err(|_| EntryError::BadKey)?;
    let modulus = key.modulus.as_bytes();
    let high = modulus.first().ok_or(EntryError::BadKey)?;
    if modulus.len() * 8 - high.leading_zeros() as usize == bits {
        Ok(())
    } else {
        Err(EntryError::KeyMismatch)
    }
}

/// The wire form, shared by requests and bodies. A member that is null counts as absent, as in ProtoJSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireSignature {
    #[serde(with = "base64_bytes")]
    content: Vec<u8>,
    verifier: WireVerifier,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireVerifier {
    key_details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RawBytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBytes {
    #[serde(with = "base64_bytes")]
    raw_bytes: Vec<u8>,
}

impl TryFrom<WireSignature> for Signature {
    type Error = EntryError;

    fn try_from(wire: WireSignature) -> Result<Self, EntryError> {
        let WireVerifier { key_details, public_key, x509_certificate } = wire.verifier;
        let details = serde_json::from_value(serde_json::Value::String(key_details.clone()));
        let key_details = details.map_err(|_| EntryError::UnsupportedKey(key_details))?;
        let verifier = match (public_key, x509_certificate) {
            (Some(key), None) => Verifier::PublicKey(key.raw_bytes),
            (None, Some(certificate)) => Verifier::Certificate(certificate.raw_bytes),
            _ => return Err(EntryError::Malformed("exactly one verifier is required".to_owned())),
        };
        Ok(Self { content: wire.content, key_details, verifier })
    }
}

impl From<&Signature> for WireSignature {
    fn from(signature: &Signature) -> Self {
        let name = serde_json::to_value(signature.key_details).expect("a unit variant serialises");
        let key_details = name.as_str().expect("a unit variant is a string").to_owned();
        let raw = |bytes: &Vec<u8>| Some(RawBytes { raw_bytes: bytes.clone() });
        let (public_key, x509_certificate) = match &signature.verifier {
            Verifier::PublicKey(key) => (raw(key), None),
            Verifier::Certificate(der) => (None, raw(der)),
        };
        let verifier = WireVerifier { key_details, public_key, x509_certificate };
        Self { content: signature.content.clone(), verifier }
    }
}
