//! A proof and its 128 bytes.

use std::fmt;

use ark_bn254::{G1Affine, G2Affine};

use super::{Error, encoding};

/// Length of an encoded proof in bytes.
pub const PROOF_LEN: usize = 128;

/// A proof whose points are known to be in their groups and not the identity. It may still prove nothing: see
/// [`verify`](super::verify).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub(super) a: G1Affine,
    pub(super) b: G2Affine,
    pub(super) c: G1Affine,
}

impl Proof {
    /// Decodes A (32 bytes), B (64), C (32), all compressed. Refuses other lengths, points off the curve or outside
    /// the subgroup, the identity, and any second encoding of a point.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != PROOF_LEN {
            return Err(Error::ProofMalformed("not 128 bytes"));
        }
        let a = encoding::take(&mut bytes).map_err(Error::ProofMalformed)?;
        let b = encoding::take(&mut bytes).map_err(Error::ProofMalformed)?;
        let c = encoding::take(&mut bytes).map_err(Error::ProofMalformed)?;
        Ok(Self { a, b, c })
    }

    /// A proof of points that were checked as [`Proof::from_bytes`] checks them.
    pub(crate) fn from_points(a: G1Affine, b: G2Affine, c: G1Affine) -> Self {
        Self { a, b, c }
    }

    /// A, B and C.
    pub(crate) fn points(&self) -> (&G1Affine, &G2Affine, &G1Affine) {
        (&self.a, &self.b, &self.c)
    }

    /// Encodes the proof as [`Proof::from_bytes`] reads it.
    pub fn to_bytes(&self) -> [u8; PROOF_LEN] {
        let mut out = Vec::with_capacity(PROOF_LEN);
        encoding::put(&mut out, &self.a);
        encoding::put(&mut out, &self.b);
        encoding::put(&mut out, &self.c);
        out.try_into().expect("two points of 32 bytes and one of 64")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", hex::encode(self.to_bytes()))
    }
}
