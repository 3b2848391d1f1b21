//! The identity VRF on Baby Jubjub (protocol.md §4.1).
//!
//! `Γ = sk·H` with H the identity as a point, and a proof that log_G PK = log_H Γ. The output is hashed from 8·Γ, so
//! a small-order part added to Γ changes nothing and the output is unique. Two values come out of it: the
//! [`MonitoringKey`], from which all of the identity's labels of one mode follow, and the [`OpeningKey`], which opens
//! its commitments.
//!
//! Blind evaluation is the same proof for another base ([`Blinded`]); who may ask for one is decided elsewhere.

mod blind;
mod dleq;
mod key;
mod output;

use rand_core::CryptoRngCore;
use thiserror::Error;

use crate::curve::{CurveError, Point, ScalarError};
use crate::elligator::encode_to_curve;
use crate::field::FieldError;
use crate::identity::Idf;
use crate::label::Mode;

pub use blind::{BlindEvaluation, Blinded, Blinding, Unblinded};
pub use dleq::{CHALLENGE_BITS, CHALLENGE_BYTES, Challenge, PROOF_BYTES, Proof, challenge, verify_dleq};
pub use key::{PublicKey, SecretKey};
pub use output::{MonitoringKey, OpeningKey, VerifiedOutput};

/// Why a key, an evaluation or a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VrfError {
    /// The secret key is zero.
    #[error("the secret key is zero")]
    ZeroKey,
    /// β is zero.
    #[error("the blinding is zero")]
    ZeroBlinding,
    /// A proof of another length than [`PROOF_BYTES`].
    #[error("the proof has {0} bytes")]
    ProofLength(usize),
    /// The proof does not show what it should.
    #[error("the evaluation's proof does not verify")]
    Proof,
    /// A point that is none.
    #[error(transparent)]
    Point(#[from] CurveError),
    /// A scalar that is none.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
    /// A field element that is none.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl VrfError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ZeroKey => "vrf-key-zero",
            Self::ZeroBlinding => "vrf-blinding-zero",
            Self::ProofLength(_) => "vrf-proof-length",
            Self::Proof => "vrf-proof-invalid",
            Self::Point(error) => error.reason(),
            Self::Scalar(error) => error.reason(),
            Self::Field(error) => error.reason(),
        }
    }
}

/// What the holder of the key answers: Γ and the proof for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Evaluation {
    /// Γ = sk·H.
    pub gamma: Point,
    /// The proof that log_G PK = log_H Γ.
    pub proof: Proof,
}

impl SecretKey {
    /// Evaluates an identity.
    ///
    /// # Errors
    /// [`VrfError::Point`] if the identity has no point (see [`encode_to_curve`]).
    pub fn evaluate(
        &self,
        mode: Mode,
        idf: &Idf,
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<Evaluation, VrfError> {
        let (gamma, proof) = self.prove_dleq(&encode_to_curve(mode, idf)?, rng)?;
        Ok(Evaluation { gamma, proof })
    }
}

impl Evaluation {
    /// Checks the evaluation of an identity and derives its output.
    ///
    /// # Errors
    /// [`VrfError::Proof`] if the proof does not verify; [`VrfError::Point`] if the identity has no point.
    pub fn verify(&self, key: &PublicKey, mode: Mode, idf: &Idf) -> Result<VerifiedOutput, VrfError> {
        verify_dleq(key, &encode_to_curve(mode, idf)?, &self.gamma, &self.proof)?;
        Ok(VerifiedOutput::derive(mode, idf, &self.gamma.affine()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::Fr;
    use crate::curve::generator;
    use crate::curve::tests::order_eight;
    use ark_ec::CurveGroup;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn key(seed: u64) -> SecretKey {
        SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    fn idf(number: u64) -> Idf {
        Idf(Fr::from(number))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn evaluations_verify_and_do_not_depend_on_randomness(seed: u64, number: u64, blind: bool) {
            let mode = if blind { Mode::Blind } else { Mode::Open };
            let secret = key(seed);
            let mut rng = ChaCha20Rng::seed_from_u64(number);
            let one = secret.evaluate(mode, &idf(number), &mut rng).unwrap();
            let two = secret.evaluate(mode, &idf(number), &mut rng).unwrap();
            prop_assert!(one.proof != two.proof && one.gamma == two.gamma);
            let output = one.verify(&secret.public_key(), mode, &idf(number)).unwrap();
            let again = two.verify(&secret.public_key(), mode, &idf(number)).unwrap();
            prop_assert!(output.monitoring_key == again.monitoring_key);
            prop_assert!(output.opening_key == again.opening_key);
        }

        #[test]
        fn output_is_unique_under_torsion(seed: u64, number: u64, multiple in 0usize..8) {
            let gamma = key(seed).evaluate(Mode::Open, &idf(number), &mut ChaCha20Rng::seed_from_u64(0)).unwrap().gamma;
            let mut shifted = gamma.affine();
            for _ in 0..multiple {
                shifted = (shifted + order_eight()).into_affine();
            }
            let plain = VerifiedOutput::derive(Mode::Open, &idf(number), &gamma.affine());
            let torsion = VerifiedOutput::derive(Mode::Open, &idf(number), &shifted);
            prop_assert!(plain.monitoring_key == torsion.monitoring_key);
            prop_assert!(plain.opening_key == torsion.opening_key);
        }
    }

    #[test]
    fn outputs_differ_by_identity_mode_and_key() {
        let output = |seed, mode, number| {
            let evaluation =
                key(seed).evaluate(mode, &idf(number), &mut ChaCha20Rng::seed_from_u64(9)).unwrap();
            evaluation.verify(&key(seed).public_key(), mode, &idf(number)).unwrap().monitoring_key
        };
        let base = output(1, Mode::Open, 1);
        assert!(base != output(2, Mode::Open, 1));
        assert!(base != output(1, Mode::Open, 2));
        assert!(base.to_field() != output(1, Mode::Blind, 1).to_field());
    }

    #[test]
    fn evaluation_of_another_statement_is_refused() {
        let secret = key(1);
        let public = secret.public_key();
        let good = secret.evaluate(Mode::Open, &idf(1), &mut ChaCha20Rng::seed_from_u64(9)).unwrap();
        let refused = |evaluation: &Evaluation, public: &PublicKey, mode, number| {
            evaluation.verify(public, mode, &idf(number)).err() == Some(VrfError::Proof)
        };
        assert!(good.verify(&public, Mode::Open, &idf(1)).is_ok());
        assert!(refused(&good, &public, Mode::Blind, 1));
        assert!(refused(&good, &public, Mode::Open, 2));
        assert!(refused(&good, &key(2).public_key(), Mode::Open, 1));
        let other_gamma = Evaluation { gamma: generator(), ..good };
        assert!(refused(&other_gamma, &public, Mode::Open, 1));
        let negative = Point::from_affine(-good.gamma.affine()).unwrap();
        assert!(refused(&Evaluation { gamma: negative, ..good }, &public, Mode::Open, 1));
    }
}
