//! The standard VRFs, beside the identity VRF (protocol.md §4.2).
//!
//! RFC 9381's ECVRF-EDWARDS25519-SHA512-TAI and -ELL2 ([`edwards`]) and C2SP's vrf-r255 ([`ristretto`]), all on
//! curve25519-dalek: for identity schemes without a circuit, and to compare with. Every published vector passes.
//!
//! Verification is RFC 9381 §5.3 with `validate_key` always on, and one thing stricter: Γ of small order is refused
//! when the proof is read. No honest prover makes one.

pub mod edwards;
mod elligator;
pub mod ristretto;

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use thiserror::Error;

/// Bytes of a proof: Γ, 16 bytes of c, s.
pub const PROOF_BYTES: usize = 32 + CHALLENGE_BYTES + 32;
/// Bytes of a VRF output, `beta_string`.
pub const OUTPUT_BYTES: usize = 64;

/// cLen of all three suites.
const CHALLENGE_BYTES: usize = 16;

/// Domain separators of RFC 9381 §5.4.3 and §5.2, in front and at the back.
const CHALLENGE_FRONT: u8 = 0x02;
const OUTPUT_FRONT: u8 = 0x03;
const BACK: u8 = 0x00;

/// Why a key or proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StandardError {
    /// A suite byte that is neither 0x03 nor 0x04.
    #[error("unknown ECVRF suite {0:#04x}")]
    UnknownSuite(u8),
    /// A key or proof of the wrong length.
    #[error("a key or proof of {0} bytes")]
    Length(usize),
    /// Bytes that encode no point, or not canonically.
    #[error("a point's encoding is not canonical or not on the curve")]
    Point,
    /// A point of small order, the identity included.
    #[error("a point has small order")]
    SmallOrder,
    /// A scalar not below the group's order.
    #[error("a scalar is not below the group's order")]
    Scalar,
    /// The secret key is zero.
    #[error("the secret key is zero")]
    ZeroKey,
    /// The message has no point: with probability 2^-256.
    #[error("the message cannot be encoded to the curve")]
    Encode,
    /// The proof does not verify.
    #[error("the proof does not verify")]
    Proof,
}

impl StandardError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownSuite(_) => "ecvrf-suite-unknown",
            Self::Length(_) => "ecvrf-length",
            Self::Point => "ecvrf-point",
            Self::SmallOrder => "ecvrf-small-order",
            Self::Scalar => "ecvrf-scalar",
            Self::ZeroKey => "ecvrf-key-zero",
            Self::Encode => "ecvrf-encode",
            Self::Proof => "ecvrf-proof-invalid",
        }
    }
}

/// A VRF's output for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output(pub [u8; OUTPUT_BYTES]);

/// A proof's three parts, before points are read.
struct ProofParts {
    gamma: [u8; 32],
    challenge: [u8; CHALLENGE_BYTES],
    response: Scalar,
}

impl ProofParts {
    /// RFC 9381 §5.4.4 without the point: the length, and s below q.
    fn read(bytes: &[u8]) -> Result<Self, StandardError> {
        let bytes: &[u8; PROOF_BYTES] = bytes.try_into().map_err(|_| StandardError::Length(bytes.len()))?;
        let mut parts = Self { gamma: [0; 32], challenge: [0; CHALLENGE_BYTES], response: Scalar::ZERO };
        parts.gamma.copy_from_slice(&bytes[..32]);
        parts.challenge.copy_from_slice(&bytes[32..32 + CHALLENGE_BYTES]);
        parts.response = read_scalar(&bytes[32 + CHALLENGE_BYTES..])?;
        Ok(parts)
    }

    fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut bytes = [0; PROOF_BYTES];
        bytes[..32].copy_from_slice(&self.gamma);
        bytes[32..32 + CHALLENGE_BYTES].copy_from_slice(&self.challenge);
        bytes[32 + CHALLENGE_BYTES..].copy_from_slice(self.response.as_bytes());
        bytes
    }
}

fn read_scalar(bytes: &[u8]) -> Result<Scalar, StandardError> {
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| StandardError::Length(bytes.len()))?;
    Option::from(Scalar::from_canonical_bytes(bytes)).ok_or(StandardError::Scalar)
}

/// RFC 9381 §5.4.3: 16 bytes over Y, H, Γ, U and V.
fn challenge(suite: &[u8], points: [[u8; 32]; 5]) -> [u8; CHALLENGE_BYTES] {
    let mut hash = Sha512::new_with_prefix(suite);
    hash.update([CHALLENGE_FRONT]);
    points.iter().for_each(|point| hash.update(point));
    hash.update([BACK]);
    let mut challenge = [0; CHALLENGE_BYTES];
    challenge.copy_from_slice(&hash.finalize()[..CHALLENGE_BYTES]);
    challenge
}

/// The challenge as a little-endian number.
fn challenge_scalar(challenge: &[u8; CHALLENGE_BYTES]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*challenge))
}

/// RFC 9381 §5.2 over the encoded cofactor·Γ.
fn output(suite: &[u8], cleared_gamma: &[u8; 32]) -> Output {
    let hash = Sha512::new_with_prefix(suite).chain_update([OUTPUT_FRONT]);
    Output(hash.chain_update(cleared_gamma).chain_update([BACK]).finalize().into())
}
