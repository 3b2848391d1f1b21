//! One multiplication of δ, and the proof that its maker knew the factor. The bytes are said in [`super::transcript`].

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField, UniformRand, Zero};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256, Sha512};
use zerocopy::IntoBytes;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Error;
use super::sums::same_product;
use super::transcript::{TranscriptDigest, array, hash, take};
use crate::Fr;
use crate::groth16::encoding;
use crate::prover::{Packed, PackedG1};

/// Longest name in bytes.
const LONGEST_NAME: usize = 64;
/// Longest value of a beacon in bytes.
const LONGEST_VALUE: usize = 64;
/// Most iterations of a beacon, as a power of two: a second or two.
const MOST_ITERATIONS: u8 = 24;
/// A factor of δ. Whoever makes one for a contribution forgets it: it is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub(super) Fr);

impl Secret {
    /// A secret that nobody knows but this process.
    pub fn random(rng: &mut dyn CryptoRngCore) -> Self {
        loop {
            let secret = Fr::rand(rng);
            if !secret.is_zero() {
                return Self(secret);
            }
        }
    }
}

/// A public value that could not be known before it was, such as a block's hash or a round of a randomness beacon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// The value.
    value: Vec<u8>,
    /// It is hashed 2^this often, so that nobody can try many.
    exponent: u8,
}

impl Beacon {
    /// A beacon's value.
    ///
    /// # Errors
    /// [`Error::Unacceptable`] for a value of less than 16 or more than 64 bytes, or an exponent above 24.
    pub fn new(value: Vec<u8>, exponent: u8) -> Result<Self, Error> {
        if !(16..=LONGEST_VALUE).contains(&value.len()) {
            return Err(Error::Unacceptable("a beacon's value has 16 to 64 bytes"));
        }
        if exponent > MOST_ITERATIONS {
            return Err(Error::Unacceptable("a beacon is iterated 2^24 times at most"));
        }
        Ok(Self { value, exponent })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// k, where the value is hashed 2^k times.
    #[must_use]
    pub fn exponent(&self) -> u8 {
        self.exponent
    }

    /// The factor that it stands for after this transcript.
    pub(super) fn secret(&self, transcript: &TranscriptDigest) -> Secret {
        let mut state: [u8; 32] = Sha256::digest(&self.value).into();
        for _ in 0..1u64 << self.exponent {
            state = Sha256::digest(state).into();
        }
        Secret(scalar(&[b"sigveil-ceremony-beacon-v1", &transcript.0, &state]))
    }
}

/// What a record's factor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A secret, and the proof that it was known.
    Secret {
        /// R.
        commitment: G1Affine,
        /// k + c·d.
        response: Fr,
    },
    /// A beacon.
    Beacon(Beacon),
}

/// One multiplication of δ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who, or which beacon: printable ASCII, believed by nobody.
    pub name: String,
    /// d in G1.
    pub(super) factor: G1Affine,
    /// δ after it.
    pub(super) delta: (G1Affine, G2Affine),
    /// Digest of the points after it.
    pub(super) points: [u8; 32],
    pub(super) source: Source,
}

impl Record {
    /// The beacon, if it is the record of one.
    #[must_use]
    pub fn beacon(&self) -> Option<&Beacon> {
        match &self.source {
            Source::Beacon(beacon) => Some(beacon),
            Source::Secret { .. } => None,
        }
    }

    pub(super) fn check(
        &self,
        number: usize,
        before: &TranscriptDigest,
        delta: G2Affine,
    ) -> Result<(), Error> {
        let one = G1Affine::generator();
        if self.factor == one {
            return Err(Error::Empty(number));
        }
        match &self.source {
            Source::Secret { commitment, response } => {
                let challenge = self.challenge(before, commitment);
                if one * response != self.factor * challenge + commitment {
                    return Err(Error::Knowledge(number));
                }
            }
            Source::Beacon(beacon) => {
                if (one * beacon.secret(before).0).into_affine() != self.factor {
                    return Err(Error::Beacon);
                }
            }
        }
        let (factor, after) = (self.factor.into_group(), self.delta.0.into_group());
        let two = G2Affine::generator();
        let follows = same_product((after, two), (factor, delta))
            && same_product((after, two), (one.into_group(), self.delta.1));
        if follows { Ok(()) } else { Err(Error::Delta(number)) }
    }

    /// c of the proof of knowledge, after this transcript.
    pub(super) fn challenge(&self, before: &TranscriptDigest, commitment: &G1Affine) -> Fr {
        let mut record = Vec::new();
        self.write_statement(1, &mut record);
        scalar(&[b"sigveil-ceremony-knowledge-v1", &before.0, &record, PackedG1::pack(commitment).as_bytes()])
    }

    pub(super) fn digest_after(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut record = Vec::new();
        self.write(&mut record);
        hash(&[b"sigveil-ceremony-record-v1", before, &record])
    }

    fn write_statement(&self, kind: u8, out: &mut Vec<u8>) {
        out.extend([kind, self.name.len() as u8]);
        out.extend(self.name.as_bytes());
        encoding::put(out, &self.factor);
        encoding::put(out, &self.delta.0);
        encoding::put(out, &self.delta.1);
        out.extend(self.points);
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match &self.source {
            Source::Secret { commitment, response } => {
                self.write_statement(1, out);
                encoding::put(out, commitment);
                out.extend(response.into_bigint().to_bytes_be());
            }
            Source::Beacon(Beacon { value, exponent }) => {
                self.write_statement(2, out);
                out.push(value.len() as u8);
                out.extend(value);
                out.push(*exponent);
            }
        }
    }

    pub(super) fn read(rest: &mut &[u8]) -> Result<Self, &'static str> {
        let [kind, length] = array(rest)?;
        let name =
            String::from_utf8(take(rest, length.into())?.to_vec()).map_err(|_| "a name that is not ASCII")?;
        check_name(&name).map_err(|_| "a name that is not 1 to 64 printable characters")?;
        let factor = encoding::take(rest)?;
        let delta = (encoding::take(rest)?, encoding::take(rest)?);
        let points = array(rest)?;
        let source = match kind {
            1 => {
                let commitment = encoding::take(rest)?;
                Source::Secret { commitment, response: field_element(array(rest)?)? }
            }
            2 => {
                let [length] = array(rest)?;
                let value = take(rest, length.into())?.to_vec();
                let [exponent] = array(rest)?;
                Source::Beacon(Beacon::new(value, exponent).map_err(|_| "a beacon out of bounds")?)
            }
            _ => return Err("a record of unknown kind"),
        };
        Ok(Self { name, factor, delta, points, source })
    }
}

/// Names stand in terminals and transcripts: printable ASCII.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let printable = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if printable && (1..=LONGEST_NAME).contains(&name.len()) {
        Ok(())
    } else {
        Err(Error::Unacceptable("a name is 1 to 64 printable characters of ASCII"))
    }
}

/// A field element of which every bit depends on all parts.
fn scalar(parts: &[&[u8]]) -> Fr {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    Fr::from_be_bytes_mod_order(&hash.finalize())
}

fn field_element(bytes: [u8; 32]) -> Result<Fr, &'static str> {
    let element = Fr::from_be_bytes_mod_order(&bytes);
    let same = element.into_bigint().to_bytes_be() == bytes;
    same.then_some(element).ok_or("a number that is not below the field's order")
}

/// What a cheat does to a record.
#[cfg(test)]
impl Record {
    pub(super) fn with_response(&self, response: Fr) -> Self {
        let mut record = self.clone();
        if let Source::Secret { response: old, .. } = &mut record.source {
            *old = response;
        }
        record
    }

    pub(super) fn with_beacon(&self, beacon: Beacon) -> Self {
        Self { source: Source::Beacon(beacon), ..self.clone() }
    }
}
