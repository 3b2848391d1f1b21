//! The keys of certificate authorities: to tell who signed a certificate.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::Decode as _;
use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::{Digest as _, Sha224};
use spki::SubjectPublicKeyInfoRef;

use crate::hash::Hash;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

type Algorithms = &'static [&'static dyn VerificationAlgorithm];

const P256: Algorithms = &[
    &signature::ECDSA_P256_SHA256_ASN1,
    &signature::ECDSA_P256_SHA384_ASN1,
    &signature::ECDSA_P256_SHA512_ASN1,
];
const P384: Algorithms = &[
    &signature::ECDSA_P384_SHA384_ASN1,
    &signature::ECDSA_P384_SHA256_ASN1,
    &signature::ECDSA_P384_SHA512_ASN1,
];
const RSA: Algorithms = &[
    &signature::RSA_PKCS1_2048_8192_SHA256,
    &signature::RSA_PKCS1_2048_8192_SHA384,
    &signature::RSA_PKCS1_2048_8192_SHA512,
    &signature::RSA_PSS_2048_8192_SHA256,
    &signature::RSA_PSS_2048_8192_SHA384,
    &signature::RSA_PSS_2048_8192_SHA512,
];
const EDDSA: Algorithms = &[&signature::ED25519];

/// A CA key that cannot be used. Leaving it out of an index would hide what it signs, so its trust root is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaKeyError {
    /// Not the DER of a `SubjectPublicKeyInfo`.
    #[error("the CA key is no SubjectPublicKeyInfo")]
    Malformed,
    /// None of ECDSA P-256 and P-384, RSA and Ed25519.
    #[error("CA keys of type {0} are not supported")]
    Unsupported(String),
}

impl CaKeyError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "ca-key-malformed",
            Self::Unsupported(_) => "ca-key-unsupported",
        }
    }
}

/// A key of a certificate authority.
#[derive(Clone)]
pub struct CaKey {
    fingerprint: Hash,
    raw: Vec<u8>,
    algorithms: Algorithms,
    /// Of an ECDSA key, P-256 or P-384.
    curve: Option<ObjectIdentifier>,
}

impl CaKey {
    /// The key in the DER of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`CaKeyError`].
    pub fn from_spki(spki: &[u8]) -> Result<Self, CaKeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| CaKeyError::Malformed)?;
        let raw = info.subject_public_key.as_bytes().ok_or(CaKeyError::Malformed)?.to_vec();
        let curve = || info.algorithm.parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let algorithms = match info.algorithm.oid {
            EC_PUBLIC_KEY if curve() == Some(SECP256R1) => P256,
            EC_PUBLIC_KEY if curve() == Some(SECP384R1) => P384,
            RSA_ENCRYPTION => RSA,
            ED25519 => EDDSA,
            other => return Err(CaKeyError::Unsupported(other.to_string())),
        };
        let curve = curve().filter(|_| info.algorithm.oid == EC_PUBLIC_KEY);
        Ok(Self { fingerprint: Hash::of(&[spki]), raw, algorithms, curve })
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`.
    pub fn fingerprint(&self) -> Hash {
        self.fingerprint
    }

    /// True when this key made `signature` over `message` by any algorithm that fits it: which one the
    /// certificate names is a matter for those who are stricter.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.algorithms
            .iter()
            .any(|algorithm| UnparsedPublicKey::new(*algorithm, &self.raw).verify(message, signature).is_ok())
            || self.signed_by_sha224(message, signature).is_some()
    }

    /// ECDSA with SHA-224, which AWS-LC does not have for these curves, and some clients take.
    fn signed_by_sha224(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let digest = Sha224::digest(message);
        match self.curve? {
            SECP256R1 => {
                let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.raw).ok()?;
                key.verify_prehash(&digest, &signature).ok()
            }
            _ => {
                let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&self.raw).ok()?;
                key.verify_prehash(&digest, &signature).ok()
            }
        }
    }
}
