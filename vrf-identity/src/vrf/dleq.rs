//! The Chaum–Pedersen proof that two logarithms are equal (protocol.md §4.1).
//!
//! For PK = sk·G and Z = sk·B, with a nonce k: U = k·G, V = k·B, c = the low 248 bits of
//! Poseidon(PK, B, Z, U, V) with each point as (x, y), s = k + c·sk mod l. A verifier recomputes U = s·G − c·PK and
//! V = s·B − c·Z and compares the challenge.

use ark_ec::CurveGroup;
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::{PublicKey, SecretKey, VrfError};
use crate::curve::{
    EdwardsAffine, Point, SCALAR_BYTES, Scalar, generator, multiply, multiply_two_public, normalise,
};
use crate::domain::{Domain, PROOF_NONCE};
use crate::{Fr, field, poseidon};

/// Bits of a challenge: as many as stay below l whatever they are.
pub const CHALLENGE_BITS: usize = 248;
/// Bytes of a challenge on the wire, big-endian.
pub const CHALLENGE_BYTES: usize = CHALLENGE_BITS / 8;
/// Bytes of a proof: the challenge, then s.
pub const PROOF_BYTES: usize = CHALLENGE_BYTES + SCALAR_BYTES;

/// A challenge c below 2^248.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge([u8; CHALLENGE_BYTES]);

impl Challenge {
    /// The low 248 bits of a digest.
    #[must_use]
    pub fn from_digest(digest: &Fr) -> Self {
        let mut low = [0; CHALLENGE_BYTES];
        low.copy_from_slice(&field::to_bytes(digest)[1..]);
        Self(low)
    }

    /// The 31 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; CHALLENGE_BYTES] {
        self.0
    }

    /// The number as a scalar.
    #[must_use]
    pub fn to_scalar(&self) -> Scalar {
        let mut bytes = [0; SCALAR_BYTES];
        bytes[1..].copy_from_slice(&self.0);
        Scalar::from_bytes(&bytes).expect("248 bits are below l")
    }
}

impl From<[u8; CHALLENGE_BYTES]> for Challenge {
    fn from(bytes: [u8; CHALLENGE_BYTES]) -> Self {
        Self(bytes)
    }
}

/// A proof (c, s).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The challenge c.
    pub challenge: Challenge,
    /// The response s = k + c·sk.
    pub response: Scalar,
}

impl Proof {
    /// The challenge's 31 bytes, then the 32 of the response.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut bytes = [0; PROOF_BYTES];
        bytes[..CHALLENGE_BYTES].copy_from_slice(&self.challenge.0);
        bytes[CHALLENGE_BYTES..].copy_from_slice(&self.response.to_bytes());
        bytes
    }

    /// Reads [`PROOF_BYTES`] bytes; a response not below l is refused.
    ///
    /// # Errors
    /// [`VrfError::ProofLength`] or [`VrfError::Scalar`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VrfError> {
        let bytes: &[u8; PROOF_BYTES] = bytes.try_into().map_err(|_| VrfError::ProofLength(bytes.len()))?;
        let mut challenge = [0; CHALLENGE_BYTES];
        challenge.copy_from_slice(&bytes[..CHALLENGE_BYTES]);
        let response = Scalar::from_bytes(&bytes[CHALLENGE_BYTES..])?;
        Ok(Self { challenge: Challenge(challenge), response })
    }
}

/// The challenge over PK, B, Z and the commitments U and V.
#[must_use]
pub fn challenge(points: [&EdwardsAffine; 5]) -> Challenge {
    let mut coordinates = [Fr::from(0u64); 10];
    for (pair, point) in coordinates.chunks_exact_mut(2).zip(points) {
        pair.copy_from_slice(&[point.x, point.y]);
    }
    Challenge::from_digest(&poseidon::hash(Domain::ChaumPedersen, &coordinates))
}

impl SecretKey {
    /// Z = sk·B with the proof that log_G PK = log_B Z.
    ///
    /// The nonce is derived from the key, the statement and 32 bytes of `rng`: a source that repeats itself never
    /// has two statements share a nonce.
    ///
    /// # Errors
    /// None in practice: sk is not zero and B has prime order. The type keeps the invariant of [`Point`].
    pub fn prove_dleq(
        &self,
        base: &Point,
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<(Point, Proof), VrfError> {
        let public = self.public_key().point();
        let product = base.multiply(self.scalar())?;
        let mut nonce = self.nonce(base, &product, rng);
        let u = normalise(&multiply(&generator().affine(), &nonce));
        let v = normalise(&multiply(&base.affine(), &nonce));
        let challenge = challenge([&public.affine(), &base.affine(), &product.affine(), &u, &v]);
        let response = nonce.plus_product(&challenge.to_scalar(), self.scalar());
        nonce.zeroize();
        Ok((product, Proof { challenge, response }))
    }

    fn nonce(&self, base: &Point, product: &Point, rng: &mut (impl CryptoRngCore + ?Sized)) -> Scalar {
        let mut fresh = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *fresh);
        let mut hash = Sha512::new();
        hash.update(PROOF_NONCE);
        hash.update(*self.to_bytes());
        hash.update(*fresh);
        for point in [&self.public_key().point(), base, product] {
            hash.update(point.to_bytes());
        }
        let wide = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        Scalar::from_wide_bytes(&wide)
    }
}

/// Checks that log_G PK = log_B Z.
///
/// # Errors
/// [`VrfError::Proof`] if it is not shown.
pub fn verify_dleq(key: &PublicKey, base: &Point, product: &Point, proof: &Proof) -> Result<(), VrfError> {
    let (public, base, product) = (key.point().affine(), base.affine(), product.affine());
    let minus_c = proof.challenge.to_scalar().negated();
    let u = multiply_two_public(&proof.response, &generator().affine(), &minus_c, &public).into_affine();
    let v = multiply_two_public(&proof.response, &base, &minus_c, &product).into_affine();
    if challenge([&public, &base, &product, &u, &v]) == proof.challenge {
        Ok(())
    } else {
        Err(VrfError::Proof)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::curve::ScalarError;
    use ark_ff::PrimeField;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn statement() -> (SecretKey, Point, Point, Proof) {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let key = SecretKey::generate(&mut rng);
        let base = generator().multiply(&Scalar::random_nonzero(&mut rng)).unwrap();
        let (product, proof) = key.prove_dleq(&base, &mut rng).unwrap();
        (key, base, product, proof)
    }

    #[test]
    fn proofs_round_trip_and_refuse_other_lengths() {
        let (_, _, _, proof) = statement();
        let bytes = proof.to_bytes();
        assert!(Proof::from_bytes(&bytes) == Ok(proof));
        assert!(Proof::from_bytes(&bytes[1..]) == Err(VrfError::ProofLength(62)));
        assert!(Proof::from_bytes(&[&bytes[..], &[0]].concat()) == Err(VrfError::ProofLength(64)));
    }

    /// s + l would verify as well: only the range check refuses it.
    #[test]
    fn unreduced_response_is_refused() {
        let (_, _, _, proof) = statement();
        let mut bytes = proof.to_bytes();
        let order = field::limbs_to_bytes(&ark_ed_on_bn254::Fr::MODULUS);
        let mut carry = 0u16;
        for (byte, add) in bytes[CHALLENGE_BYTES..].iter_mut().zip(order).rev() {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert!(Proof::from_bytes(&bytes) == Err(VrfError::Scalar(ScalarError::NotReduced)));
    }

    #[test]
    fn every_changed_part_is_refused() {
        let (key, base, product, proof) = statement();
        let public = key.public_key();
        let other = generator();
        assert_eq!(verify_dleq(&public, &base, &product, &proof), Ok(()));
        assert_eq!(verify_dleq(&other.into(), &base, &product, &proof), Err(VrfError::Proof));
        assert_eq!(verify_dleq(&public, &other, &product, &proof), Err(VrfError::Proof));
        assert_eq!(verify_dleq(&public, &base, &other, &proof), Err(VrfError::Proof));
        for bit in 0..PROOF_BYTES * 8 {
            let mut bytes = proof.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = Proof::from_bytes(&bytes) {
                assert_eq!(
                    verify_dleq(&public, &base, &product, &changed),
                    Err(VrfError::Proof),
                    "bit {bit}"
                );
            }
        }
    }

    /// A source that repeats itself: equal for one statement, unrelated for two.
    #[test]
    fn nonce_depends_on_the_statement() {
        let (key, base, product, _) = statement();
        let nonce =
            |base: &Point, product: &Point| key.nonce(base, product, &mut ChaCha20Rng::seed_from_u64(0));
        assert!(nonce(&base, &product) == nonce(&base, &product));
        assert!(nonce(&base, &product) != nonce(&product, &base));
        let fresh = key.nonce(&base, &product, &mut ChaCha20Rng::seed_from_u64(1));
        assert!(nonce(&base, &product) != fresh);
    }
}
