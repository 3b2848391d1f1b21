//! The file of a proving key, which is mapped and read in place.
//!
//! Numbers are little-endian, coordinates in Montgomery form (see [`PackedG1`]).
//!
//! ```text
//! header
//!   magic, 23 bytes: "sigveil-proving-key-v2\n"
//!   length of the header without its digest, 4 bytes
//!   provenance, 33 bytes: 1 and zeros for a development key, 2 and the transcript's digest for that of a ceremony
//!   name of the statement: length, 1 byte, then ASCII
//!   digest of the circuit's shape, 32 bytes
//!   points of the domain, columns of the matrices, and of those constant and public inputs: 3 times 8 bytes
//!   verifying key (see groth16), 224 bytes and 32 for each input
//!   β and δ in G1, 64 bytes each
//!   for each section its number of items, 8 bytes, and its SHA-256
//!   SHA-256 of all of the above: the digest of the key
//! sections, each at the next multiple of 64 bytes after zeros:
//!   A: columns, 4 bytes each, in strictly increasing order;  A: a point of G1 for each, 64 bytes
//!   B: columns;  B: points of G1;  B: points of G2, 128 bytes each
//!   L: columns;  L: points of G1
//!   H: points of G1, as many as the domain has
//! ```
//!
//! What the queries are is said in [`crate::prover`]. Every point is checked to be on the curve: G1 is the whole curve.
//! That those of B in G2 are in the subgroup is not checked, which would take minutes. But δ is compared with the
//! verifying key: no file makes proofs that verify under that key and are not blinded.

use std::io::{self, Write};
use std::sync::Arc;

use ark_bn254::G1Affine;
use memmap2::Mmap;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{KeyDigest, Provenance, Statement};
use crate::groth16::VerifyingKey;
use crate::prover::{Domain, Packed, PackedG1, ProvingKey, Query, Section};

const MAGIC: &[u8; 23] = b"sigveil-proving-key-v2\n";
const DIGEST: usize = 32;
const ALIGNMENT: usize = 64;
const SECTIONS: usize = 8;
/// Points checked by one task.
const CHUNK: usize = 1 << 12;

/// Writes the file and returns its digest.
pub(super) fn write(
    out: &mut impl Write,
    statement: Statement,
    provenance: Provenance,
    shape: &[u8; 32],
    key: &ProvingKey,
) -> io::Result<KeyDigest> {
    let sections = sections(key);
    let header = header(statement, provenance, shape, key, &sections);
    let digest: [u8; DIGEST] = Sha256::digest(&header).into();
    out.write_all(&header)?;
    out.write_all(&digest)?;
    let mut end = header.len() + DIGEST;
    for (_, bytes) in sections {
        let start = end.next_multiple_of(ALIGNMENT);
        out.write_all(&[0; ALIGNMENT][..start - end])?;
        out.write_all(bytes)?;
        end = start + bytes.len();
    }
    Ok(KeyDigest(digest))
}

/// Items and bytes of each section.
fn sections(key: &ProvingKey) -> [(usize, &[u8]); SECTIONS] {
    fn of<T: FromBytes + IntoBytes + Immutable>(section: &Section<T>) -> (usize, &[u8]) {
        (section.len(), section.as_bytes())
    }
    [
        of(&key.a.at),
        of(&key.a.points),
        of(&key.b.at),
        of(&key.b.points),
        of(&key.b_g2),
        of(&key.l.at),
        of(&key.l.points),
        of(&key.h),
    ]
}

fn header(
    statement: Statement,
    provenance: Provenance,
    shape: &[u8; 32],
    key: &ProvingKey,
    sections: &[(usize, &[u8]); SECTIONS],
) -> Vec<u8> {
    let name = statement.name().as_bytes();
    let mut out = MAGIC.to_vec();
    out.extend([0; 4]);
    let (kind, transcript) = match provenance {
        Provenance::Development => (1, [0; 32]),
        Provenance::Ceremony(transcript) => (2, transcript),
    };
    out.push(kind);
    out.extend(transcript);
    out.push(name.len() as u8);
    out.extend(name);
    out.extend(shape);
    for number in [key.domain.size(), key.variables, key.verifying.inputs()] {
        out.extend((number as u64).to_le_bytes());
    }
    out.extend(key.verifying.to_bytes());
    out.extend(PackedG1::pack(&key.beta).as_bytes());
    out.extend(PackedG1::pack(&key.delta).as_bytes());
    let digests: Vec<_> = sections.par_iter().map(|(_, bytes)| Sha256::digest(bytes)).collect();
    for ((count, _), digest) in sections.iter().zip(digests) {
        out.extend((*count as u64).to_le_bytes());
        out.extend(digest);
    }
    let length = out.len() as u32;
    out[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&length.to_le_bytes());
    out
}

/// What a file holds.
pub(super) struct Contents {
    pub(super) key: ProvingKey,
    pub(super) digest: KeyDigest,
    pub(super) provenance: Provenance,
}

/// Reads a file of this statement and shape; refuses all others with why.
pub(super) fn read(file: Mmap, statement: Statement, shape: &[u8; 32]) -> Result<Contents, &'static str> {
    let (header, digest) = authentic_header(&file)?;
    let end = header.len() + DIGEST;
    let mut rest = &header[MAGIC.len() + 4..];
    let kind = take(&mut rest, 1)?[0];
    let transcript: [u8; 32] = take(&mut rest, 32)?.try_into().expect("32 bytes were taken");
    let provenance = match kind {
        1 if transcript == [0; 32] => Provenance::Development,
        2 => Provenance::Ceremony(transcript),
        _ => return Err("unknown provenance"),
    };
    let length = usize::from(take(&mut rest, 1)?[0]);
    if take(&mut rest, length)? != statement.name().as_bytes() {
        return Err("of another statement");
    }
    if take(&mut rest, shape.len())? != shape {
        return Err("of another version of the circuit");
    }
    let (size, variables, inputs) = (number(&mut rest)?, number(&mut rest)?, number(&mut rest)?);
    let domain = Domain::of_size(size).ok_or("of no domain's size")?;
    let length = inputs.checked_mul(32).and_then(|length| length.checked_add(224)).ok_or("truncated")?;
    let verifying =
        VerifyingKey::from_bytes(take(&mut rest, length)?).map_err(|_| "malformed verifying key")?;
    let (beta, delta) = (point(&mut rest)?, point(&mut rest)?);
    if !verifying.is_delta(delta) {
        return Err("not that of its verifying key");
    }
    let entries = entries(rest)?;
    let file = Arc::new(file);
    let mut sections = Sections { file: &file, entries: entries.iter(), end };
    let key = ProvingKey {
        verifying,
        domain,
        variables,
        beta,
        delta,
        a: sections.query()?,
        b: sections.query()?,
        b_g2: sections.section()?,
        l: sections.query()?,
        h: sections.section()?,
    };
    sections.finish()?;
    check(&key, &entries)?;
    Ok(Contents { key, digest: KeyDigest(digest), provenance })
}

/// The header without its digest, and the digest, which is right.
fn authentic_header(file: &[u8]) -> Result<(&[u8], [u8; DIGEST]), &'static str> {
    let mut rest = file;
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err("no proving key of this format");
    }
    let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().expect("four bytes were taken"));
    let mut rest = file;
    let header = take(&mut rest, length as usize)?;
    let digest: [u8; DIGEST] = take(&mut rest, DIGEST)?.try_into().expect("32 bytes were taken");
    if header.len() < MAGIC.len() + 4 || Sha256::digest(header)[..] != digest[..] {
        return Err("truncated or altered");
    }
    Ok((header, digest))
}

/// Number of items and digest of a section.
type Entry = (usize, [u8; DIGEST]);

/// The header's list of sections, with which it ends.
fn entries(mut rest: &[u8]) -> Result<[Entry; SECTIONS], &'static str> {
    let mut entries = [(0, [0; DIGEST]); SECTIONS];
    for (count, digest) in &mut entries {
        *count = number(&mut rest)?;
        digest.copy_from_slice(take(&mut rest, DIGEST)?);
    }
    if rest.is_empty() { Ok(entries) } else { Err("trailing bytes") }
}

/// Goes through the sections in their order.
struct Sections<'a> {
    file: &'a Arc<Mmap>,
    entries: std::slice::Iter<'a, Entry>,
    /// Where the one before ends.
    end: usize,
}

impl Sections<'_> {
    fn section<T: FromBytes>(&mut self) -> Result<Section<T>, &'static str> {
        let (count, _) = self.entries.next().expect("there are as many entries as sections of a key");
        let length = count.checked_mul(size_of::<T>()).ok_or("too many points")?;
        let start = self.end.next_multiple_of(ALIGNMENT);
        let end = start.checked_add(length).ok_or("too many points")?;
        let padding = self.file.get(self.end..start).ok_or("truncated")?;
        if end > self.file.len() {
            return Err("truncated");
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err("truncated or altered");
        }
        self.end = end;
        Ok(Section::Mapped(self.file.clone(), start..end))
    }

    fn query(&mut self) -> Result<Query, &'static str> {
        Ok(Query { at: self.section()?, points: self.section()? })
    }

    fn finish(self) -> Result<(), &'static str> {
        if self.end == self.file.len() { Ok(()) } else { Err("trailing bytes") }
    }
}

/// Checks what the sections hold against their digests and one another.
fn check(key: &ProvingKey, entries: &[Entry; SECTIONS]) -> Result<(), &'static str> {
    if !sections(key).par_iter().zip(entries).all(|((_, bytes), entry)| Sha256::digest(bytes)[..] == entry.1)
    {
        return Err("truncated or altered");
    }
    if key.h.len() != key.domain.size() || key.b_g2.len() != key.b.points.len() {
        return Err("of numbers of points that do not belong together");
    }
    if key.variables < key.verifying.inputs() {
        return Err("of fewer variables than inputs");
    }
    if u32::try_from(key.variables).is_err() {
        return Err("of too many variables");
    }
    for Query { at, points } in [&key.a, &key.b, &key.l] {
        if at.len() != points.len() {
            return Err("of numbers of points that do not belong together");
        }
        let rising = at.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || at.last().is_some_and(|last| *last as usize >= key.variables) {
            return Err("of variables out of order");
        }
    }
    let in_g1 = [&key.a.points, &key.b.points, &key.l.points, &key.h];
    in_g1.into_par_iter().try_for_each(|points| on_curve(points))?;
    on_curve(&key.b_g2)
}

fn on_curve<P: Packed>(points: &[P]) -> Result<(), &'static str> {
    points.par_iter().with_min_len(CHUNK).try_for_each(|point| point.checked().map(|_| ()))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (head, tail) = rest.split_at_checked(length).ok_or("truncated")?;
    *rest = tail;
    Ok(head)
}

fn number(rest: &mut &[u8]) -> Result<usize, &'static str> {
    let bytes = take(rest, 8)?.try_into().expect("eight bytes were taken");
    usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "too many points")
}

fn point(rest: &mut &[u8]) -> Result<G1Affine, &'static str> {
    let bytes = take(rest, size_of::<PackedG1>())?;
    PackedG1::read_from_bytes(bytes).map_err(|_| "truncated")?.checked()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
