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
use ark_ff::{UniformRand, Zero};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;
use zeroize::Zeroizing;

use super::Error;
use super::phase1::PowersDigest;
use super::record::{Beacon, Record, Secret, Source, check_name};
use crate::Fr;
use crate::prover::{Packed, PackedG1, PackedG2, Parts};

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
    ///
    /// # Errors
    /// [`Error::Closed`] after the beacon; [`Error::Unacceptable`] for a name that is not 1 to 64 printable characters of
    /// ASCII, or too many records.
    pub fn accepts(&self, name: &str) -> Result<(), Error> {
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

fn start(name: &str, shape: &[u8; 32], powers: PowersDigest, first_points: &[u8; 32]) -> [u8; 32] {
    hash(&[b"sigveil-ceremony-v2", &[name.len() as u8], name.as_bytes(), shape, &powers.0, first_points])
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

/// SHA-256 over all parts.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
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
