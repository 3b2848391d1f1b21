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

/// Length of an encoded verifying key in bytes.
pub const VERIFYING_KEY_LEN: usize = 288;

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

/// The key that checks proofs of one circuit with one public input, with what every check needs computed once.
#[derive(Clone)]
pub struct VerifyingKey {
    pub(super) points: Points,
    alpha_beta: PairingOutput<Bn254>,
    gamma_negated: G2Prepared<ark_bn254::Config>,
    delta_negated: G2Prepared<ark_bn254::Config>,
}

/// The points of a verifying key, in the order of its encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Points {
    pub(super) alpha: G1Affine,
    pub(super) beta: G2Affine,
    pub(super) gamma: G2Affine,
    pub(super) delta: G2Affine,
    /// For the constant one and for the public input.
    pub(super) inputs: [G1Affine; 2],
}

impl VerifyingKey {
    pub(super) fn new(points: Points) -> Self {
        Self {
            alpha_beta: Bn254::pairing(points.alpha, points.beta),
            gamma_negated: (-points.gamma).into(),
            delta_negated: (-points.delta).into(),
            points,
        }
    }

    /// Decodes α (32 bytes), β, γ, δ (64 each), and the two input points (32 each), all compressed; as strict as
    /// [`Proof::from_bytes`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != VERIFYING_KEY_LEN {
            return Err(Error::VerifyingKeyMalformed("not 288 bytes"));
        }
        let malformed = Error::VerifyingKeyMalformed;
        let alpha = encoding::take(&mut bytes).map_err(malformed)?;
        let beta = encoding::take(&mut bytes).map_err(malformed)?;
        let gamma = encoding::take(&mut bytes).map_err(malformed)?;
        let delta = encoding::take(&mut bytes).map_err(malformed)?;
        let one = encoding::take(&mut bytes).map_err(malformed)?;
        let input = encoding::take(&mut bytes).map_err(malformed)?;
        Ok(Self::new(Points { alpha, beta, gamma, delta, inputs: [one, input] }))
    }

    /// Encodes the key as [`VerifyingKey::from_bytes`] reads it.
    pub fn to_bytes(&self) -> [u8; VERIFYING_KEY_LEN] {
        let mut out = Vec::with_capacity(VERIFYING_KEY_LEN);
        encoding::put(&mut out, &self.points.alpha);
        encoding::put(&mut out, &self.points.beta);
        encoding::put(&mut out, &self.points.gamma);
        encoding::put(&mut out, &self.points.delta);
        encoding::put(&mut out, &self.points.inputs[0]);
        encoding::put(&mut out, &self.points.inputs[1]);
        out.try_into().expect("three points of 32 bytes and three of 64")
    }

    /// The key as the prover beneath knows it.
    #[cfg(feature = "prover")]
    pub(crate) fn to_arkworks(&self) -> ark_groth16::VerifyingKey<Bn254> {
        ark_groth16::VerifyingKey {
            alpha_g1: self.points.alpha,
            beta_g2: self.points.beta,
            gamma_g2: self.points.gamma,
            delta_g2: self.points.delta,
            gamma_abc_g1: self.points.inputs.to_vec(),
        }
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

    /// The point that stands for the public input.
    fn input(&self, public: Fr) -> G1Projective {
        self.points.inputs[1].mul_bigint(public.into_bigint()) + self.points.inputs[0]
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

/// Checks that `proof` proves the statement of `key` for the public input: e(A, B) = e(α, β)·e(X, γ)·e(C, δ), where
/// X is the point of the input.
pub fn verify(key: &VerifyingKey, public: Fr, proof: &Proof) -> Result<(), Error> {
    let product = Bn254::multi_pairing(
        [proof.a, key.input(public).into_affine(), proof.c],
        [proof.b.into(), key.gamma_negated.clone(), key.delta_negated.clone()],
    );
    if product == key.alpha_beta { Ok(()) } else { Err(Error::ProofInvalid) }
}

/// Checks many proofs under one key at once, by a random combination with 128-bit factors: a batch with a false
/// proof passes with probability at most 2^-128. A refusal does not say which proof is false. An empty batch holds.
pub fn verify_batch(
    key: &VerifyingKey,
    proofs: &[(Fr, Proof)],
    rng: &mut dyn CryptoRngCore,
) -> Result<(), Error> {
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
        inputs += key.points.inputs[1] * (factor * public);
        c += proof.c * factor;
        left.push((proof.a * factor).into_affine());
        right.push(proof.b.into());
    }
    inputs += key.points.inputs[0] * factors;
    left.extend([inputs.into_affine(), c.into_affine()]);
    right.extend([key.gamma_negated.clone(), key.delta_negated.clone()]);
    let product: Fq12 = Bn254::multi_pairing(left, right).0;
    let expected =
        if factors == Fr::from(0u64) { Fq12::one() } else { key.alpha_beta.0.pow(factors.into_bigint()) };
    if product == expected { Ok(()) } else { Err(Error::ProofInvalid) }
}
