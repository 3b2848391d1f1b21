//! ECVRF-EDWARDS25519-SHA512-TAI and -ELL2 (RFC 9381 §5.5).

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    BACK, Output, PROOF_BYTES, ProofParts, StandardError, challenge, challenge_scalar, elligator, output,
};

/// Front separator of try-and-increment (RFC 9381 §5.4.1.1).
const ENCODE_FRONT: u8 = 0x01;

/// Which of the two suites; they differ in how a message becomes a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Suite {
    /// ECVRF-EDWARDS25519-SHA512-TAI: try and increment. Its time depends on the message.
    TryAndIncrement = 0x03,
    /// ECVRF-EDWARDS25519-SHA512-ELL2: Elligator 2.
    Elligator2 = 0x04,
}

impl Suite {
    /// The suite with this `suite_string`.
    ///
    /// # Errors
    /// [`StandardError::UnknownSuite`] for all but 0x03 and 0x04.
    pub fn from_byte(byte: u8) -> Result<Self, StandardError> {
        match byte {
            0x03 => Ok(Self::TryAndIncrement),
            0x04 => Ok(Self::Elligator2),
            _ => Err(StandardError::UnknownSuite(byte)),
        }
    }

    /// The `suite_string`.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// `ECVRF_encode_to_curve` with the public key as salt (§5.4.1): a point of the prime-order subgroup.
    fn encode_to_curve(self, key: &PublicKey, alpha: &[u8]) -> Result<EdwardsPoint, StandardError> {
        let point = match self {
            Self::TryAndIncrement => (0..=u8::MAX).find_map(|counter| self.attempt(key, alpha, counter)),
            Self::Elligator2 => Some(elligator::encode_to_curve(&[&key.encoded[..], alpha], self.byte())),
        };
        point.filter(|point| !point.is_identity()).ok_or(StandardError::Encode)
    }

    fn attempt(self, key: &PublicKey, alpha: &[u8], counter: u8) -> Option<EdwardsPoint> {
        let hash = Sha512::new_with_prefix([self.byte(), ENCODE_FRONT]);
        let digest =
            hash.chain_update(key.encoded).chain_update(alpha).chain_update([counter, BACK]).finalize();
        let mut candidate = [0; 32];
        candidate.copy_from_slice(&digest[..32]);
        read_point(&candidate).ok().map(|point| point.mul_by_cofactor())
    }
}

/// RFC 8032 §5.1.3: the point, if this is its one encoding.
fn read_point(bytes: &[u8; 32]) -> Result<EdwardsPoint, StandardError> {
    let point = CompressedEdwardsY(*bytes).decompress().ok_or(StandardError::Point)?;
    // dalek takes y ≥ p, and a sign for x = 0; neither survives encoding again.
    if point.compress().0 == *bytes { Ok(point) } else { Err(StandardError::Point) }
}

/// A secret key: the 32 bytes of an Ed25519 key, from which scalar and nonces are derived (RFC 8032 §5.1.5).
#[derive(ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    /// The upper half of SHA-512(SK).
    nonce_prefix: [u8; 32],
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// Expands 32 secret bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut hashed = Zeroizing::new([0; 64]);
        hashed.copy_from_slice(&Sha512::digest(bytes));
        let (mut low, mut nonce_prefix) = ([0; 32], [0; 32]);
        low.copy_from_slice(&hashed[..32]);
        nonce_prefix.copy_from_slice(&hashed[32..]);
        // Reduced modulo q: it only ever multiplies points of the prime-order subgroup.
        let scalar = Scalar::from_bytes_mod_order(clamp_integer(low));
        low.zeroize();
        let point = EdwardsPoint::mul_base(&scalar);
        Self { scalar, nonce_prefix, public: PublicKey { point, encoded: point.compress().0 } }
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// `ECVRF_prove` (§5.1).
    ///
    /// # Errors
    /// [`StandardError::Encode`], with negligible probability.
    pub fn prove(&self, suite: Suite, alpha: &[u8]) -> Result<[u8; PROOF_BYTES], StandardError> {
        let base = suite.encode_to_curve(&self.public, alpha)?;
        let encoded_base = base.compress().0;
        let gamma = (base * self.scalar).compress().0;
        let mut nonce = self.nonce(&encoded_base);
        let u = EdwardsPoint::mul_base(&nonce).compress().0;
        let v = (base * nonce).compress().0;
        let challenge = challenge(&[suite.byte()], [self.public.encoded, encoded_base, gamma, u, v]);
        let response = nonce + challenge_scalar(&challenge) * self.scalar;
        nonce.zeroize();
        Ok(ProofParts { gamma, challenge, response }.to_bytes())
    }

    /// §5.4.2.2, the nonce of RFC 8032.
    fn nonce(&self, encoded_base: &[u8; 32]) -> Scalar {
        let hash = Sha512::new_with_prefix(self.nonce_prefix).chain_update(encoded_base);
        let wide = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        Scalar::from_bytes_mod_order_wide(&wide)
    }
}

/// A public key that is not of small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    point: EdwardsPoint,
    encoded: [u8; 32],
}

impl PublicKey {
    /// Reads and validates a key (§5.4.5).
    ///
    /// # Errors
    /// [`StandardError::Length`], [`StandardError::Point`] or [`StandardError::SmallOrder`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StandardError> {
        let encoded: [u8; 32] = bytes.try_into().map_err(|_| StandardError::Length(bytes.len()))?;
        let point = read_point(&encoded)?;
        if point.is_small_order() { Err(StandardError::SmallOrder) } else { Ok(Self { point, encoded }) }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.encoded
    }

    /// `ECVRF_verify` (§5.3): the output, if the proof is one for this message.
    ///
    /// # Errors
    /// Every [`StandardError`] but [`StandardError::UnknownSuite`] and [`StandardError::ZeroKey`].
    pub fn verify(&self, suite: Suite, alpha: &[u8], proof: &[u8]) -> Result<Output, StandardError> {
        let parts = ProofParts::read(proof)?;
        let gamma = read_point(&parts.gamma)?;
        if gamma.is_small_order() {
            return Err(StandardError::SmallOrder);
        }
        let base = suite.encode_to_curve(self, alpha)?;
        // U = s·B − c·Y and V = s·H − c·Γ, negating points: c mod q would not do for a Γ with a small-order part.
        let c = challenge_scalar(&parts.challenge);
        let u = EdwardsPoint::vartime_double_scalar_mul_basepoint(&c, &-self.point, &parts.response);
        let v = base * parts.response - gamma * c;
        let points = [self.encoded, base.compress().0, parts.gamma, u.compress().0, v.compress().0];
        if challenge(&[suite.byte()], points) != parts.challenge {
            return Err(StandardError::Proof);
        }
        Ok(output(&[suite.byte()], &gamma.mul_by_cofactor().compress().0))
    }
}
