//! The native twin: RSASSA-PKCS1-v1_5 verification (RFC 8017 §8.2.2), strict.

use num_bigint::BigUint;
use thiserror::Error;

use super::{PACKED_BYTES, Size};
use crate::Fr;

/// DER of DigestInfo for SHA-256 up to the digest (RFC 8017 §9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
/// The public exponent.
const EXPONENT: u32 = 65537;

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RsaError {
    /// The modulus is even, or its length is not exactly that of its size.
    #[error("no RSA modulus of {0} bits")]
    Modulus(usize),
    /// The signature has not exactly the length of the modulus.
    #[error("the signature has {0} bytes, not as many as the modulus")]
    SignatureLength(usize),
    /// The signature, as a number, is not below the modulus.
    #[error("the signature is not below the modulus")]
    SignatureNotReduced,
    /// The signature is not one of this digest under this modulus.
    #[error("the RSA signature does not verify")]
    Signature,
}

impl RsaError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Modulus(_) => "rsa-modulus",
            Self::SignatureLength(_) => "rsa-signature-length",
            Self::SignatureNotReduced => "rsa-signature-not-reduced",
            Self::Signature => "rsa-signature",
        }
    }
}

/// Verifies a signature of a SHA-256 digest with e = 65537. Modulus and signature are big-endian; zeros in front of
/// the modulus are ignored.
///
/// # Errors
/// As [`RsaError`] says.
pub fn verify(size: Size, modulus: &[u8], signature: &[u8], digest: &[u8; 32]) -> Result<(), RsaError> {
    let modulus = BigUint::from_bytes_be(modulus);
    if modulus.bits() != size.bits() as u64 || !modulus.bit(0) {
        return Err(RsaError::Modulus(size.bits()));
    }
    if signature.len() != size.bytes() {
        return Err(RsaError::SignatureLength(signature.len()));
    }
    let signature = BigUint::from_bytes_be(signature);
    if signature >= modulus {
        return Err(RsaError::SignatureNotReduced);
    }
    if signature.modpow(&EXPONENT.into(), &modulus) != encoded_message(size, digest) {
        return Err(RsaError::Signature);
    }
    Ok(())
}

/// EM = 00 01 FF…FF 00 DigestInfo digest, as long as the modulus (RFC 8017 §9.2).
pub(super) fn encoded_message(size: Size, digest: &[u8; 32]) -> BigUint {
    let padding = size.bytes() - 3 - DIGEST_INFO.len() - digest.len();
    let padding = vec![0xff; padding];
    BigUint::from_bytes_be(&[&[0, 1][..], &padding, &[0], &DIGEST_INFO, digest].concat())
}

/// The modulus, big-endian, as elements of 31 bytes, padded in front with zeros (protocol.md §5.1); nine for 2,048
/// bits. `None` for a modulus that is too long.
pub fn packed(size: Size, modulus: &[u8]) -> Option<Vec<Fr>> {
    let bytes = BigUint::from_bytes_be(modulus).to_bytes_be();
    let mut padded = vec![0; size.packed_elements() * PACKED_BYTES];
    let start = padded.len().checked_sub(bytes.len()).filter(|_| bytes.len() <= size.bytes())?;
    padded[start..].copy_from_slice(&bytes);
    Some(sigveil_vrf_identity::field::pack31(&padded))
}
