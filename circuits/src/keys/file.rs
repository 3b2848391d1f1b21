//! The file of a proving key.
//!
//! ```text
//! magic, 23 bytes: "sigveil-proving-key-v1\n"
//! provenance, 1 byte
//! name of the statement: length, 1 byte, then ASCII
//! digest of the circuit's shape, 32 bytes
//! verifying key, 288 bytes (see groth16)
//! numbers of points in A, B, H, L: 4 times u64 big-endian
//! β and δ in G1, then A, B (G1), B (G2), H, L: uncompressed points, 64 bytes in G1, 128 in G2
//! SHA-256 of all of the above, 32 bytes
//! ```
//!
//! Points are read without group checks, which would take minutes, and only after the digest is checked. But δ is
//! compared with the verifying key: no file makes proofs that verify under that key and are not blinded.

use std::io::{self, Write};

use ark_bn254::G1Affine;
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{KeyDigest, Provenance, Statement};
use crate::groth16::{ProvingKey, VERIFYING_KEY_LEN, VerifyingKey};

const MAGIC: &[u8; 23] = b"sigveil-proving-key-v1\n";
const DIGEST: usize = 32;
/// Points written or read by one task.
const CHUNK: usize = 1 << 12;

/// Writes the file and returns its digest.
pub(super) fn write(
    out: &mut impl Write,
    statement: Statement,
    shape: &[u8; 32],
    key: &ProvingKey,
) -> io::Result<KeyDigest> {
    let mut out = Hashing { out, hash: Sha256::new() };
    let name = statement.name().as_bytes();
    out.put(MAGIC)?;
    out.put(&[Provenance::Development as u8, name.len() as u8])?;
    out.put(name)?;
    out.put(shape)?;
    out.put(&key.verifying.to_bytes())?;
    let inner = &key.inner;
    let counts = [&inner.a_query, &inner.b_g1_query, &inner.h_query, &inner.l_query].map(Vec::len);
    counts.iter().try_for_each(|count| out.put(&(*count as u64).to_be_bytes()))?;
    put_points(&mut out, &[inner.beta_g1, inner.delta_g1])?;
    put_points(&mut out, &inner.a_query)?;
    put_points(&mut out, &inner.b_g1_query)?;
    put_points(&mut out, &inner.b_g2_query)?;
    put_points(&mut out, &inner.h_query)?;
    put_points(&mut out, &inner.l_query)?;
    let digest: [u8; DIGEST] = out.hash.finalize().into();
    out.out.write_all(&digest)?;
    Ok(KeyDigest(digest))
}

struct Hashing<'a, W> {
    out: &'a mut W,
    hash: Sha256,
}

impl<W: Write> Hashing<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

fn put_points<P: AffineRepr>(out: &mut Hashing<'_, impl Write>, points: &[P]) -> io::Result<()> {
    for chunk in points.chunks(CHUNK * 16) {
        let encoded: Vec<Vec<u8>> = chunk.par_chunks(CHUNK).map(encode).collect();
        encoded.iter().try_for_each(|bytes| out.put(bytes))?;
    }
    Ok(())
}

fn encode<P: AffineRepr>(points: &[P]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(points.len() * P::zero().uncompressed_size());
    for point in points {
        point.serialize_uncompressed(&mut bytes).expect("writing to a vector does not fail");
    }
    bytes
}

/// What a file holds.
pub(super) struct Contents {
    pub(super) key: ProvingKey,
    pub(super) digest: KeyDigest,
}

/// Reads a file of this statement and shape; refuses all others with why.
pub(super) fn read(bytes: &[u8], statement: Statement, shape: &[u8; 32]) -> Result<Contents, &'static str> {
    let (body, digest) = bytes.split_last_chunk::<DIGEST>().ok_or("truncated")?;
    let mut rest = body;
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err("no proving key of this format");
    }
    if Sha256::digest(body)[..] != digest[..] {
        return Err("truncated or altered");
    }
    if take(&mut rest, 1)? != [Provenance::Development as u8] {
        return Err("unknown provenance");
    }
    let length = usize::from(take(&mut rest, 1)?[0]);
    if take(&mut rest, length)? != statement.name().as_bytes() {
        return Err("of another statement");
    }
    if take(&mut rest, shape.len())? != shape {
        return Err("of another version of the circuit");
    }
    let verifying = VerifyingKey::from_bytes(take(&mut rest, VERIFYING_KEY_LEN)?)
        .map_err(|_| "malformed verifying key")?;
    let mut counts = [0; 4];
    for count in &mut counts {
        let bytes = take(&mut rest, 8)?.try_into().expect("eight bytes were taken");
        *count = usize::try_from(u64::from_be_bytes(bytes)).map_err(|_| "too many points")?;
    }
    let [a, b, h, l] = counts;
    let fixed: Vec<G1Affine> = points(&mut rest, 2)?;
    if !verifying.is_delta(fixed[1]) {
        return Err("not that of its verifying key");
    }
    let inner = ark_groth16::ProvingKey {
        vk: verifying.to_arkworks(),
        beta_g1: fixed[0],
        delta_g1: fixed[1],
        a_query: points(&mut rest, a)?,
        b_g1_query: points(&mut rest, b)?,
        b_g2_query: points(&mut rest, b)?,
        h_query: points(&mut rest, h)?,
        l_query: points(&mut rest, l)?,
    };
    if !rest.is_empty() {
        return Err("trailing bytes");
    }
    Ok(Contents { key: ProvingKey { inner, verifying }, digest: KeyDigest(*digest) })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (head, tail) = rest.split_at_checked(length).ok_or("truncated")?;
    *rest = tail;
    Ok(head)
}

fn points<P: SWCurveConfig>(rest: &mut &[u8], count: usize) -> Result<Vec<Affine<P>>, &'static str> {
    let size = Affine::<P>::zero().uncompressed_size();
    let bytes = take(rest, count.checked_mul(size).ok_or("too many points")?)?;
    let decode = |point| {
        let point = Affine::<P>::deserialize_uncompressed_unchecked(point).map_err(|_| "malformed point")?;
        if point.is_on_curve() { Ok(point) } else { Err("point off the curve") }
    };
    bytes.par_chunks(size).with_min_len(CHUNK).map(decode).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
