//! Who multiplied δ by what: a chain of records, each of which proves that its maker knew the factor.
//!
//! The digest of a transcript begins with what the ceremony is for, and goes on with each record; a record holds, for
//! the secret factor d,
//!
//! ```text
//! kind, 1 byte: 1 contribution, 2 beacon; name: length, 1 byte, then ASCII
//! d in G1; δ after it, in G1 and in G2: compressed points (see groth16)
//! SHA-256 of the points L and H after it
//! contribution: proof that d is known: R = k·1 in G1, then k + c·d, 32 bytes big-endian
//! beacon: its value: length, 1 byte, then bytes; exponent of the number of iterations, 1 byte
//! ```
//!
//! The proof is Schnorr's, with c the hash of the transcript so far, of the record and of R: so it is good at this
//! place of this transcript only, and nobody can repeat another's contribution. That δ follows by d is a pairing.

use std::collections::HashSet;
use std::fmt;

use ark_bn254::{G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField, UniformRand, Zero};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256, Sha512};
use zerocopy::IntoBytes;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Error;
use super::phase1::PowersDigest;
use super::sums::same_product;
use crate::Fr;
use crate::groth16::encoding;
use crate::prover::{Packed, PackedG1, PackedG2, Parts};

/// Longest name in bytes.
const LONGEST_NAME: usize = 64;
/// Longest value of a beacon in bytes.
const LONGEST_VALUE: usize = 64;
/// Most iterations of a beacon, as a power of two: a second or two.
const MOST_ITERATIONS: u8 = 24;
/// More records than any ceremony has.
const MOST_RECORDS: usize = 1 << 12;

/// Digest of a transcript up to a record: the name of that contribution, and at the end that of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TranscriptDigest(pub [u8; 32]);

impl fmt::Display for TranscriptDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

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
    factor: G1Affine,
    /// δ after it.
    delta: (G1Affine, G2Affine),
    /// Digest of the points after it.
    points: [u8; 32],
    source: Source,
}

/// The records of a ceremony, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Digest of everything before the first record.
    start: [u8; 32],
    /// Digest of the points L and H before the first record: whatever they were.
    first_points: [u8; 32],
    records: Vec<Record>,
}

impl Transcript {
    pub(super) fn begin(
        name: &str,
        shape: &[u8; 32],
        powers: PowersDigest,
        parts: &Parts,
    ) -> Result<Self, Error> {
        check_name(name)?;
        let first_points = digest_of(parts);
        let start = start(name, shape, powers, &first_points);
        Ok(Self { start, first_points, records: Vec::new() })
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Number of contributions, the beacon not counted.
    #[must_use]
    pub fn contributions(&self) -> usize {
        self.records.iter().filter(|record| matches!(record.source, Source::Secret { .. })).count()
    }

    /// Whether the beacon has been.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.records.last(), Some(Record { source: Source::Beacon(_), .. }))
    }

    /// Digest of the whole.
    #[must_use]
    pub fn digest(&self) -> TranscriptDigest {
        self.digests().last().unwrap_or(TranscriptDigest(self.start))
    }

    /// Digest after each record.
    pub fn digests(&self) -> impl Iterator<Item = TranscriptDigest> {
        self.records.iter().scan(self.start, |digest, record| {
            *digest = record.digest_after(digest);
            Some(TranscriptDigest(*digest))
        })
    }

    /// Records that δ was multiplied by the secret, which left these points.
    ///
    /// # Errors
    /// [`Error::Closed`] after the beacon; [`Error::Unacceptable`] for a bad name or too many records.
    pub fn contribute(
        &mut self,
        name: &str,
        secret: &Secret,
        parts: &Parts,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<TranscriptDigest, Error> {
        let mut record = self.record(name, secret, parts)?;
        let nonce = Zeroizing::new(Fr::rand(rng));
        let commitment = (G1Projective::from(G1Affine::generator()) * *nonce).into_affine();
        let challenge = record.challenge(&self.digest(), &commitment);
        record.source = Source::Secret { commitment, response: *nonce + challenge * secret.0 };
        self.records.push(record);
        Ok(self.digest())
    }

    /// Records that δ was multiplied by the beacon's factor.
    pub(super) fn close(
        &mut self,
        name: &str,
        beacon: Beacon,
        parts: &Parts,
    ) -> Result<TranscriptDigest, Error> {
        let mut record = self.record(name, &beacon.secret(&self.digest()), parts)?;
        record.source = Source::Beacon(beacon);
        self.records.push(record);
        Ok(self.digest())
    }

    /// Whether a record of this name may follow.
    pub(super) fn accepts(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if self.records.len() == MOST_RECORDS {
            return Err(Error::Unacceptable("a transcript has 4096 records at most"));
        }
        Ok(())
    }

    /// A record without its source.
    fn record(&self, name: &str, secret: &Secret, parts: &Parts) -> Result<Record, Error> {
        self.accepts(name)?;
        Ok(Record {
            name: name.to_owned(),
            factor: (G1Affine::generator() * secret.0).into_affine(),
            delta: (parts.delta, parts.verifying.points.delta),
            points: digest_of(parts),
            source: Source::Secret { commitment: G1Affine::identity(), response: Fr::zero() },
        })
    }

    /// Checks every record, and that the last one was made for these points.
    pub(super) fn check(
        &self,
        name: &str,
        shape: &[u8; 32],
        powers: PowersDigest,
        parts: &Parts,
    ) -> Result<(), Error> {
        if self.start != start(name, shape, powers, &self.first_points) {
            return Err(Error::Altered);
        }
        let mut before = (TranscriptDigest(self.start), G2Affine::generator());
        let (mut contributions, mut factors) = (0, HashSet::new());
        for (i, (record, after)) in self.records.iter().zip(self.digests()).enumerate() {
            record.check(i + 1, &before.0, before.1)?;
            if !factors.insert(PackedG1::pack(&record.factor).0) {
                return Err(Error::Repeated(i + 1));
            }
            match record.source {
                Source::Secret { .. } => contributions += 1,
                Source::Beacon(_) if contributions == 0 => return Err(Error::NoContribution),
                Source::Beacon(_) if i + 1 < self.records.len() => return Err(Error::Closed),
                Source::Beacon(_) => {}
            }
            before = (after, record.delta.1);
        }
        let (delta, points) = match self.records.last() {
            Some(record) => (record.delta, record.points),
            None => ((G1Affine::generator(), G2Affine::generator()), self.first_points),
        };
        let same = delta == (parts.delta, parts.verifying.points.delta) && points == digest_of(parts);
        if same { Ok(()) } else { Err(Error::Altered) }
    }

    /// Writes the transcript: digest of the points before the first record, number of records, u32 big-endian, records.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.first_points);
        out.extend((self.records.len() as u32).to_be_bytes());
        self.records.iter().for_each(|record| record.write(out));
    }

    /// Reads what [`Transcript::write`] wrote.
    pub(super) fn read(
        rest: &mut &[u8],
        name: &str,
        shape: &[u8; 32],
        powers: PowersDigest,
    ) -> Result<Self, &'static str> {
        let first_points = array(rest)?;
        let count = u32::from_be_bytes(array(rest)?) as usize;
        if count > MOST_RECORDS {
            return Err("too many records");
        }
        let records = (0..count).map(|_| Record::read(rest)).collect::<Result<_, _>>()?;
        Ok(Self { start: start(name, shape, powers, &first_points), first_points, records })
    }
}

impl Record {
    fn check(&self, number: usize, before: &TranscriptDigest, delta: G2Affine) -> Result<(), Error> {
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
    fn challenge(&self, before: &TranscriptDigest, commitment: &G1Affine) -> Fr {
        let mut record = Vec::new();
        self.write_statement(1, &mut record);
        scalar(&[b"sigveil-ceremony-knowledge-v1", &before.0, &record, PackedG1::pack(commitment).as_bytes()])
    }

    fn digest_after(&self, before: &[u8; 32]) -> [u8; 32] {
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

    fn write(&self, out: &mut Vec<u8>) {
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

    fn read(rest: &mut &[u8]) -> Result<Self, &'static str> {
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

fn start(name: &str, shape: &[u8; 32], powers: PowersDigest, first_points: &[u8; 32]) -> [u8; 32] {
    hash(&[b"sigveil-ceremony-v1", &[name.len() as u8], name.as_bytes(), shape, &powers.0, first_points])
}

/// SHA-256 over the points that contributions change.
fn digest_of(parts: &Parts) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"sigveil-ceremony-points-v1");
    hash.update(PackedG1::pack(&parts.delta).as_bytes());
    hash.update(PackedG2::pack(&parts.verifying.points.delta).as_bytes());
    for points in [&parts.l, &parts.h] {
        hash.update((points.len() as u64).to_be_bytes());
        points.iter().for_each(|point| hash.update(PackedG1::pack(point).as_bytes()));
    }
    hash.finalize().into()
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
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

pub(super) fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (head, tail) = rest.split_at_checked(length).ok_or("truncated")?;
    *rest = tail;
    Ok(head)
}

pub(super) fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (head, tail) = rest.split_first_chunk().ok_or("truncated")?;
    *rest = tail;
    Ok(*head)
}

/// What a cheat does to a transcript.
#[cfg(test)]
impl Transcript {
    pub(super) fn replace(&mut self, records: Vec<Record>) {
        self.records = records;
    }
}

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
