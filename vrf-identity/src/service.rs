//! The nym service: the holder of the VRF key, and how a CA asks it (protocol.md §4.1).
//!
//! In open issuance it evaluates only the identity that a checked token names, and only in mode open. Here it lives
//! within the CA's own trust domain: the CA has checked the token and passes the [`Identity`] that came out of it.
//! A service outside of that domain, blind evaluation and shared keys will stand behind the same trait.

use rand_core::CryptoRngCore;
use thiserror::Error;

use crate::identity::Identity;
use crate::label::Mode;
use crate::vrf::{Evaluation, PublicKey, SecretKey, VrfError};

/// Why nothing is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EvaluatorError {
    /// Blind evaluation, which this version of the software has not.
    #[error("blind evaluation is not supported yet")]
    BlindNotSupported,
    /// The evaluation itself failed.
    #[error(transparent)]
    Vrf(#[from] VrfError),
}

impl EvaluatorError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::BlindNotSupported => "blind-evaluation-not-supported",
            Self::Vrf(error) => error.reason(),
        }
    }
}

/// An evaluation and the key it was made with; the asker verifies it against the key of its trust root.
#[derive(Clone, Copy)]
pub struct Answer {
    /// PK of the key that was used.
    pub public_key: PublicKey,
    /// Γ and its proof.
    pub evaluation: Evaluation,
}

/// Whoever evaluates identities under one VRF key.
pub trait NymEvaluator: Send + Sync {
    /// PK.
    fn public_key(&self) -> PublicKey;

    /// Evaluates the identity that a checked token names.
    ///
    /// # Errors
    /// [`EvaluatorError`].
    fn evaluate(
        &self,
        mode: Mode,
        identity: &Identity,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Answer, EvaluatorError>;
}

/// A nym service in the CA's own process, with the whole key.
pub struct InProcessEvaluator {
    key: SecretKey,
}

impl InProcessEvaluator {
    /// A service with this key.
    #[must_use]
    pub fn new(key: SecretKey) -> Self {
        Self { key }
    }
}

impl NymEvaluator for InProcessEvaluator {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    fn evaluate(
        &self,
        mode: Mode,
        identity: &Identity,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Answer, EvaluatorError> {
        match mode {
            Mode::Open => {
                let evaluation = self.key.evaluate(mode, &identity.idf(), rng)?;
                Ok(Answer { public_key: self.public_key(), evaluation })
            }
            Mode::Blind => Err(EvaluatorError::BlindNotSupported),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::identity::Kind;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn evaluator() -> (InProcessEvaluator, ChaCha20Rng) {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        (InProcessEvaluator::new(SecretKey::generate(&mut rng)), rng)
    }

    #[test]
    fn answers_verify_for_the_identity_asked() {
        let (evaluator, mut rng) = evaluator();
        let identity = Identity::new("https://issuer.example", Kind::Sub, "1").unwrap();
        let answer = evaluator.evaluate(Mode::Open, &identity, &mut rng).unwrap();
        assert_eq!(answer.public_key, evaluator.public_key());
        assert!(answer.evaluation.verify(&evaluator.public_key(), Mode::Open, &identity.idf()).is_ok());
        let other = Identity::new("https://issuer.example", Kind::Sub, "2").unwrap();
        let refused = answer.evaluation.verify(&evaluator.public_key(), Mode::Open, &other.idf());
        assert_eq!(refused.err(), Some(VrfError::Proof));
    }

    #[test]
    fn blind_evaluation_is_refused_by_name() {
        let (evaluator, mut rng) = evaluator();
        let identity = Identity::new("https://issuer.example", Kind::Sub, "1").unwrap();
        let refused = evaluator.evaluate(Mode::Blind, &identity, &mut rng).err().unwrap();
        assert_eq!(refused.reason(), "blind-evaluation-not-supported");
    }
}
