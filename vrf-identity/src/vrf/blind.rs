//! Evaluation of an identity that the holder of the key does not learn (protocol.md §4.1).
//!
//! The signer sends B = β·H, the holder answers Z = sk·B with the proof for (PK, B, Z), and Γ = β⁻¹·Z. For a random β
//! B is a uniform point of the subgroup, whatever the identity: all that it tells is told to a statement `query`
//! (protocol.md §5.2), without which a holder must not answer: B could be anybody's.

use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Proof, PublicKey, SecretKey, VerifiedOutput, VrfError, verify_dleq};
use crate::curve::{Point, SCALAR_BYTES, Scalar};
use crate::domain::Domain;
use crate::elligator::encode_to_curve;
use crate::identity::Idf;
use crate::label::Mode;
use crate::{Fr, poseidon};

/// β, not zero. Whoever learns it can tell whose a blinded point was.
///
/// It cannot be printed:
/// ```compile_fail
/// fn print(secret: &sigveil_vrf_identity::vrf::Blinding) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(Clone, ZeroizeOnDrop)]
pub struct Blinding(Scalar);

impl Blinding {
    /// A fresh β.
    pub fn random(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut scalar = Scalar::random_nonzero(rng);
        let blinding = Self(scalar);
        scalar.zeroize();
        blinding
    }

    /// Reads 32 big-endian bytes of a number from 1 to l − 1.
    ///
    /// # Errors
    /// [`VrfError::Scalar`] for other bytes, [`VrfError::ZeroBlinding`] for zero.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VrfError> {
        let scalar = Scalar::from_bytes(bytes)?;
        if scalar.is_zero() { Err(VrfError::ZeroBlinding) } else { Ok(Self(scalar)) }
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The number.
    #[must_use]
    pub fn scalar(&self) -> &Scalar {
        &self.0
    }
}

/// B = β·H(μ, idf) with its mode: what the signer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blinded {
    /// μ.
    pub mode: Mode,
    /// B.
    pub point: Point,
}

impl Blinded {
    /// Blinds an identity.
    ///
    /// # Errors
    /// [`VrfError::Point`] if the identity has no point (see [`encode_to_curve`]).
    pub fn new(mode: Mode, idf: &Idf, blinding: &Blinding) -> Result<Self, VrfError> {
        Ok(Self { mode, point: encode_to_curve(mode, idf)?.multiply(&blinding.0)? })
    }

    /// `bind = Poseidon(DOM_EVAL, μ, B)`, to which the token of an evaluation is bound (protocol.md §5.1).
    #[must_use]
    pub fn bind(&self) -> Fr {
        let (x, y) = self.point.coordinates();
        poseidon::hash(Domain::EvaluationBinding, &[self.mode.to_field(), x, y])
    }
}

/// What the holder of the key answers: Z and the proof for it. It tells the signer nothing that an open evaluation of
/// the same identity would not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlindEvaluation {
    /// Z = sk·B.
    pub evaluated: Point,
    /// The proof that log_G PK = log_B Z.
    pub proof: Proof,
}

impl SecretKey {
    /// Evaluates a blinded point. Whether its asker may have it evaluated is for the caller.
    ///
    /// # Errors
    /// As [`SecretKey::prove_dleq`].
    pub fn evaluate_blinded(
        &self,
        blinded: &Blinded,
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<BlindEvaluation, VrfError> {
        let (evaluated, proof) = self.prove_dleq(&blinded.point, rng)?;
        Ok(BlindEvaluation { evaluated, proof })
    }
}

/// What a blind evaluation gives the signer.
pub struct Unblinded {
    /// Γ = sk·H, as the open way gives it; a secret of the signer's.
    pub gamma: Point,
    /// The keys derived from it.
    pub output: VerifiedOutput,
}

impl BlindEvaluation {
    /// Checks the evaluation of this identity under this β, and takes β out of it.
    ///
    /// # Errors
    /// [`VrfError::Proof`] if the proof does not verify; [`VrfError::Point`] if the identity has no point.
    pub fn unblind(
        &self,
        key: &PublicKey,
        mode: Mode,
        idf: &Idf,
        blinding: &Blinding,
    ) -> Result<Unblinded, VrfError> {
        let blinded = Blinded::new(mode, idf, blinding)?;
        verify_dleq(key, &blinded.point, &self.evaluated, &self.proof)?;
        let inverse = Zeroizing::new(blinding.0.inverse().ok_or(VrfError::ZeroBlinding)?);
        let gamma = self.evaluated.multiply(&inverse)?;
        let output = VerifiedOutput::derive(mode, idf, &gamma.affine());
        Ok(Unblinded { gamma, output })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::curve::{ScalarError, generator};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn idf(number: u64) -> Idf {
        Idf(Fr::from(number))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn unblinded_evaluation_is_the_open_one(seed: u64, number: u64, blind: bool) {
            let mode = if blind { Mode::Blind } else { Mode::Open };
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (secret, blinding) = (SecretKey::generate(&mut rng), Blinding::random(&mut rng));
            let blinded = Blinded::new(mode, &idf(number), &blinding).unwrap();
            let evaluation = secret.evaluate_blinded(&blinded, &mut rng).unwrap();
            let public = secret.public_key();
            let unblinded = evaluation.unblind(&public, mode, &idf(number), &blinding).unwrap();
            let open = secret.evaluate(mode, &idf(number), &mut rng).unwrap();
            prop_assert_eq!(unblinded.gamma, open.gamma);
            let output = open.verify(&public, mode, &idf(number)).unwrap();
            prop_assert!(unblinded.output.monitoring_key == output.monitoring_key);
            prop_assert!(unblinded.output.opening_key == output.opening_key);
        }
    }

    #[test]
    fn evaluation_of_another_statement_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (secret, blinding) = (SecretKey::generate(&mut rng), Blinding::random(&mut rng));
        let public = secret.public_key();
        let blinded = Blinded::new(Mode::Blind, &idf(5), &blinding).unwrap();
        let good = secret.evaluate_blinded(&blinded, &mut rng).unwrap();
        let refusal = |evaluation: &BlindEvaluation, key: &PublicKey, mode, number, blinding: &Blinding| {
            evaluation.unblind(key, mode, &idf(number), blinding).err()
        };
        assert_eq!(refusal(&good, &public, Mode::Blind, 5, &blinding), None);
        let no_proof = Some(VrfError::Proof);
        assert_eq!(refusal(&good, &public, Mode::Open, 5, &blinding), no_proof);
        assert_eq!(refusal(&good, &public, Mode::Blind, 6, &blinding), no_proof);
        assert_eq!(refusal(&good, &public, Mode::Blind, 5, &Blinding::random(&mut rng)), no_proof);
        let other = SecretKey::generate(&mut rng).public_key();
        assert_eq!(refusal(&good, &other, Mode::Blind, 5, &blinding), no_proof);
        let moved = BlindEvaluation { evaluated: generator(), ..good };
        assert_eq!(refusal(&moved, &public, Mode::Blind, 5, &blinding), no_proof);
    }

    #[test]
    fn blindings_round_trip_and_zero_is_refused() {
        let blinding = Blinding::random(&mut ChaCha20Rng::seed_from_u64(2));
        assert!(
            Blinding::from_bytes(&*blinding.to_bytes())
                .is_ok_and(|again| again.scalar() == blinding.scalar())
        );
        let refusal = |bytes: &[u8]| Blinding::from_bytes(bytes).err();
        assert_eq!(refusal(&[0; 32]), Some(VrfError::ZeroBlinding));
        assert_eq!(refusal(&[255; 32]), Some(VrfError::Scalar(ScalarError::NotReduced)));
    }

    /// What a token for the evaluation is bound to depends on all that is asked.
    #[test]
    fn bindings_are_of_mode_and_point() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let blinded = Blinded::new(Mode::Open, &idf(5), &Blinding::random(&mut rng)).unwrap();
        let (x, y) = blinded.point.coordinates();
        let expected = poseidon::hash(Domain::EvaluationBinding, &[Mode::Open.to_field(), x, y]);
        assert_eq!(blinded.bind(), expected);
        assert_ne!(Blinded { mode: Mode::Blind, ..blinded }.bind(), expected);
        assert_ne!(Blinded { point: generator(), ..blinded }.bind(), expected);
    }
}
