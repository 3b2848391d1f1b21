//! Checking proofs: pairings only.

use std::fmt;

use ark_bn254::{Bn254, Fq12, G1Affine, G1Projective, G2Affine};
use ark_ec::bn::G2Prepared;
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, PrimeField};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};

use super::{Error, Proof, encoding};
use crate::Fr;

/// Length in bytes of an encoded verifying key for one public input, as all statements of protocol.md §5 have.
pub const VERIFYING_KEY_LEN: usize = PAIRED + 2 * INPUT;
/// Length of α, β, γ and δ.
const PAIRED: usize = 32 + 3 * 64;
/// Length of the point of an input.
const INPUT: usize = 32;

/// SHA-256 of an encoded verifying key, domain-separated: what a trust root names a key by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKeyDigest(pub [u8; 32]);

impl fmt::Display for VerifyingKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for VerifyingKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKeyDigest({self})")
    }
}

/// The key that checks proofs of one circuit, with what every check needs computed once.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(crate) points: Points,
    alpha_beta: PairingOutput<Bn254>,
    gamma_negated: G2Prepared<ark_bn254::Config>,
    delta_negated: G2Prepared<ark_bn254::Config>,
}

/// The points of a verifying key, in the order of its encoding.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Points {
    pub(crate) alpha: G1Affine,
    pub(crate) beta: G2Affine,
    pub(crate) gamma: G2Affine,
    pub(crate) delta: G2Affine,
    /// For the constant one and for each public input.
    pub(crate) inputs: Vec<G1Affine>,
}

impl VerifyingKey {
    pub(crate) fn new(points: Points) -> Self {
        Self {
            alpha_beta: Bn254::pairing(points.alpha, points.beta),
            gamma_negated: (-points.gamma).into(),
            delta_negated: (-points.delta).into(),
            points,
        }
    }

    /// Decodes α (32 bytes), β, γ, δ (64 each), and the points of the constant and of each public input (32 each), all
    /// compressed; as strict as [`Proof::from_bytes`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::VerifyingKeyMalformed;
        let inputs = bytes.len().checked_sub(PAIRED).filter(|rest| *rest > 0 && rest % INPUT == 0);
        let inputs = inputs.ok_or(malformed("not 224 bytes and 32 for each input"))? / INPUT;
        let alpha = encoding::take(&mut bytes).map_err(malformed)?;
        let beta = encoding::take(&mut bytes).map_err(malformed)?;
        let gamma = encoding::take(&mut bytes).map_err(malformed)?;
        let delta = encoding::take(&mut bytes).map_err(malformed)?;
        let inputs = (0..inputs).map(|_| encoding::take(&mut bytes)).collect::<Result<_, _>>();
        Ok(Self::new(Points { alpha, beta, gamma, delta, inputs: inputs.map_err(malformed)? }))
    }

    /// Encodes the key as [`VerifyingKey::from_bytes`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAIRED + INPUT * self.inputs());
        encoding::put(&mut out, &self.points.alpha);
        encoding::put(&mut out, &self.points.beta);
        encoding::put(&mut out, &self.points.gamma);
        encoding::put(&mut out, &self.points.delta);
        self.points.inputs.iter().for_each(|input| encoding::put(&mut out, input));
        out
    }

    /// Number of public inputs, and one for the constant.
    pub fn inputs(&self) -> usize {
        self.points.inputs.len()
    }

    /// Whether a point that a proving key gives for δ in G1 is that of this key. With it, a proof that verifies is
    /// blinded whatever else the proving key holds: A and B are uniform, and C is the only one that then verifies.
    #[cfg(feature = "prover")]
    pub(crate) fn is_delta(&self, point: G1Affine) -> bool {
        let negated = -G1Affine::generator();
        point.is_on_curve()
            && Bn254::multi_pairing([point, negated], [G2Affine::generator(), self.points.delta]).0.is_one()
    }

    /// The key's name in a trust root.
    pub fn digest(&self) -> VerifyingKeyDigest {
        let mut hash = Sha256::new();
        hash.update(b"sigveil-groth16-bn254-vk-v1");
        hash.update(self.to_bytes());
        VerifyingKeyDigest(hash.finalize().into())
    }

    /// The point that stands for the public inputs, if there are as many as the key has points for.
    fn input(&self, publics: &[Fr]) -> Option<G1Projective> {
        let (one, inputs) = self.points.inputs.split_first()?;
        let scaled =
            || inputs.iter().zip(publics).map(|(point, public)| point.mul_bigint(public.into_bigint()));
        (inputs.len() == publics.len()).then(|| scaled().sum::<G1Projective>() + one)
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.points == other.points
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.digest())
    }
}

/// Checks that `proof` proves the statement of `key` for its one public input: see [`verify_inputs`].
pub fn verify(key: &VerifyingKey, public: Fr, proof: &Proof) -> Result<(), Error> {
    verify_inputs(key, &[public], proof)
}

/// Checks that `proof` proves the statement of `key` for these public inputs: e(A, B) = e(α, β)·e(X, γ)·e(C, δ), where
/// X is the point of the inputs. Other numbers of inputs than the key's are refused.
pub fn verify_inputs(key: &VerifyingKey, publics: &[Fr], proof: &Proof) -> Result<(), Error> {
    let input = key.input(publics).ok_or(Error::ProofInvalid)?;
    let product = Bn254::multi_pairing(
        [proof.a, input.into_affine(), proof.c],
        [proof.b.into(), key.gamma_negated.clone(), key.delta_negated.clone()],
    );
    if product == key.alpha_beta { Ok(()) } else { Err(Error::ProofInvalid) }
}

/// Checks many proofs under one key, with one public input, at once: by a random combination with 128-bit factors, so
/// that a batch with a false proof passes with probability at most 2^-128. A refusal does not say which proof is false.
/// An empty batch holds.
pub fn verify_batch(
    key: &VerifyingKey,
    proofs: &[(Fr, Proof)],
    rng: &mut dyn CryptoRngCore,
) -> Result<(), Error> {
    let &[one, input] = &key.points.inputs[..] else { return Err(Error::ProofInvalid) };
    let mut factors = Fr::from(0u64);
    let mut inputs = G1Projective::default();
    let mut c = G1Projective::default();
    let mut left = Vec::with_capacity(proofs.len() + 2);
    let mut right: Vec<G2Prepared<ark_bn254::Config>> = Vec::with_capacity(proofs.len() + 2);
    for (public, proof) in proofs {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        let factor = Fr::from(u128::from_be_bytes(bytes));
        factors += factor;
        inputs += input * (factor * public);
        c += proof.c * factor;
        left.push((proof.a * factor).into_affine());
        right.push(proof.b.into());
    }
    inputs += one * factors;
    left.extend([inputs.into_affine(), c.into_affine()]);
    right.extend([key.gamma_negated.clone(), key.delta_negated.clone()]);
    let product: Fq12 = Bn254::multi_pairing(left, right).0;
    let expected =
        if factors == Fr::from(0u64) { Fq12::one() } else { key.alpha_beta.0.pow(factors.into_bigint()) };
    if product == expected { Ok(()) } else { Err(Error::ProofInvalid) }
}
