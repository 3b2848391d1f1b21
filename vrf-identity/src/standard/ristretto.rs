//! ECVRF-RISTRETTO255-SHA512 (C2SP vrf-r255).

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    Output, PROOF_BYTES, ProofParts, StandardError, challenge, challenge_scalar, output, read_scalar,
};

const SUITE: &[u8] = b"\xffc2sp.org/vrf-r255";
/// Separators of the nonce and of `encode_to_curve`.
const NONCE_FRONT: u8 = 0x81;
const ENCODE_FRONT: u8 = 0x82;

fn encode_to_curve(key: &PublicKey, alpha: &[u8]) -> RistrettoPoint {
    let hash = Sha512::new_with_prefix(SUITE).chain_update([ENCODE_FRONT]);
    RistrettoPoint::from_uniform_bytes(&hash.chain_update(key.encoded).chain_update(alpha).finalize().into())
}

fn read_element(bytes: &[u8; 32]) -> Result<RistrettoPoint, StandardError> {
    let element = CompressedRistretto(*bytes).decompress().ok_or(StandardError::Point)?;
    if element.is_identity() { Err(StandardError::SmallOrder) } else { Ok(element) }
}

/// A secret key: a scalar other than zero.
#[derive(ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// A random key.
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        loop {
            rng.fill_bytes(&mut *wide);
            if let Ok(key) = Self::from_scalar(Scalar::from_bytes_mod_order_wide(&wide)) {
                return key;
            }
        }
    }

    /// Reads 32 little-endian bytes of a number from 1 to q − 1.
    ///
    /// # Errors
    /// [`StandardError::Length`], [`StandardError::Scalar`] or [`StandardError::ZeroKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StandardError> {
        Self::from_scalar(read_scalar(bytes)?)
    }

    fn from_scalar(scalar: Scalar) -> Result<Self, StandardError> {
        let element = RistrettoPoint::mul_base(&scalar);
        if element.is_identity() {
            return Err(StandardError::ZeroKey);
        }
        Ok(Self { scalar, public: PublicKey { element, encoded: element.compress().0 } })
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// `ECVRF_prove`.
    #[must_use]
    pub fn prove(&self, alpha: &[u8]) -> [u8; PROOF_BYTES] {
        let base = encode_to_curve(&self.public, alpha);
        let encoded_base = base.compress().0;
        let gamma = (base * self.scalar).compress().0;
        let mut nonce = self.nonce(&encoded_base);
        let u = RistrettoPoint::mul_base(&nonce).compress().0;
        let v = (base * nonce).compress().0;
        let challenge = challenge(SUITE, [self.public.encoded, encoded_base, gamma, u, v]);
        let response = nonce + challenge_scalar(&challenge) * self.scalar;
        nonce.zeroize();
        ProofParts { gamma, challenge, response }.to_bytes()
    }

    fn nonce(&self, encoded_base: &[u8; 32]) -> Scalar {
        let hash = Sha512::new_with_prefix(SUITE).chain_update([NONCE_FRONT]);
        let hash = hash.chain_update(self.scalar.as_bytes()).chain_update(encoded_base);
        let wide = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        Scalar::from_bytes_mod_order_wide(&wide)
    }
}

/// A public key other than the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    element: RistrettoPoint,
    encoded: [u8; 32],
}

impl PublicKey {
    /// Reads and validates a key.
    ///
    /// # Errors
    /// [`StandardError::Length`], [`StandardError::Point`] or [`StandardError::SmallOrder`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StandardError> {
        let encoded: [u8; 32] = bytes.try_into().map_err(|_| StandardError::Length(bytes.len()))?;
        Ok(Self { element: read_element(&encoded)?, encoded })
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.encoded
    }

    /// `ECVRF_verify`: the output, if the proof is one for this message.
    ///
    /// # Errors
    /// [`StandardError::Length`], [`StandardError::Scalar`], [`StandardError::Point`], [`StandardError::SmallOrder`]
    /// or [`StandardError::Proof`].
    pub fn verify(&self, alpha: &[u8], proof: &[u8]) -> Result<Output, StandardError> {
        let parts = ProofParts::read(proof)?;
        let gamma = read_element(&parts.gamma)?;
        let base = encode_to_curve(self, alpha);
        let c = challenge_scalar(&parts.challenge);
        let u = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-c, &self.element, &parts.response);
        let v = base * parts.response - gamma * c;
        let points = [self.encoded, base.compress().0, parts.gamma, u.compress().0, v.compress().0];
        if challenge(SUITE, points) != parts.challenge {
            return Err(StandardError::Proof);
        }
        Ok(output(SUITE, &parts.gamma))
    }
}
