//! The proving key.
//!
//! With n points ωⁱ in the domain and ψ² = ω, A = Σ z_j·A_j and likewise B and C for the values z, the quotient H of
//! A·B − C by xⁿ − 1 is never computed. On the domain A·B is C, row by row; on the odd coset, where xⁿ = −1, it is
//! u_i = A(ψωⁱ)·B(ψωⁱ); and its degree is below 2n. So, L²ⁿ being the Lagrange polynomials of all powers of ψ,
//!
//! ```text
//! H·(xⁿ − 1) = Σ_i u_i·L²ⁿ_{2i+1} + C·(xⁿ − 1)/2,
//! ```
//!
//! as L²ⁿ_{2i} = Lⁿ_i·(xⁿ + 1)/2. The second sum is linear in z and lies in the key:
//!
//! | query | for | point |
//! |---|---|---|
//! | A | every variable j | `A_j(τ)` in G1 |
//! | B | every variable j | `B_j(τ)` in G1 and in G2 |
//! | L | the constant and public inputs | `C_j(τ)·(τⁿ − 1)/(2δ)` in G1 |
//! | L | witness variables | `(β·A_j(τ) + α·B_j(τ) + C_j(τ)·(τⁿ + 1)/2)/δ` in G1 |
//! | H | i < n | `L²ⁿ_{2i+1}(τ)/δ` in G1 |
//!
//! Each is a linear combination of the points `τ^i·(τⁿ − 1)/δ` and others of a key in the usual basis, and they of it:
//! who has one key can make the other. Verifying key and proofs are the usual ones.

use std::ops::{Deref, Range};
use std::sync::Arc;

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use memmap2::Mmap;
use zerocopy::FromBytes;

use super::point::{Packed, PackedG1, PackedG2};
use super::{Domain, Matrices};
use crate::groth16::{Error, VerifyingKey};

/// The key that makes proofs of one circuit.
pub struct ProvingKey {
    pub(crate) verifying: VerifyingKey,
    pub(crate) domain: Domain,
    /// All columns of the matrices.
    pub(crate) variables: usize,
    pub(crate) beta: G1Affine,
    pub(crate) delta: G1Affine,
    pub(crate) a: Query,
    pub(crate) b: Query,
    /// The points of `b` in G2.
    pub(crate) b_g2: Section<PackedG2>,
    pub(crate) l: Query,
    pub(crate) h: Section<PackedG1>,
}

/// The points of a query that are not the identity, each with its variable.
pub(crate) struct Query {
    /// Columns, strictly increasing.
    pub(crate) at: Section<u32>,
    pub(crate) points: Section<PackedG1>,
}

/// A part of a key: in memory of its own, or in a file that is mapped.
pub(crate) enum Section<T> {
    Owned(Vec<T>),
    /// These bytes of the file, known to be whole and aligned items.
    Mapped(Arc<Mmap>, Range<usize>),
}

impl<T: FromBytes + zerocopy::Immutable> Deref for Section<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Owned(items) => items,
            Self::Mapped(map, range) => {
                <[T]>::ref_from_bytes(&map[range.clone()]).expect("the reader of the file has checked this")
            }
        }
    }
}

/// All points of a key, one for each variable or point of the domain, the identity where there is none: what a
/// setup or a ceremony makes.
pub struct Parts {
    /// The key that checks the proofs.
    pub verifying: VerifyingKey,
    /// The domain.
    pub domain: Domain,
    /// β in G1.
    pub beta: G1Affine,
    /// δ in G1.
    pub delta: G1Affine,
    /// The query A.
    pub a: Vec<G1Affine>,
    /// The query B in G1.
    pub b_g1: Vec<G1Affine>,
    /// The query B in G2.
    pub b_g2: Vec<G2Affine>,
    /// The query L: the constant, public inputs, witness.
    pub l: Vec<G1Affine>,
    /// The query H.
    pub h: Vec<G1Affine>,
}

impl ProvingKey {
    /// The key of these points.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] if the numbers of points do not belong together, a variable is in B in one group only,
    /// or δ is not that of the verifying key.
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        let Parts { verifying, domain, beta, delta, a, b_g1, b_g2, l, h } = parts;
        let variables = a.len();
        let equal = b_g1.len() == variables && b_g2.len() == variables && l.len() == variables;
        let same = b_g1.iter().zip(&b_g2).all(|(one, two)| one.is_zero() == two.is_zero());
        if !equal
            || !same
            || variables < verifying.inputs()
            || h.len() != domain.size()
            || !verifying.is_delta(delta)
        {
            return Err(Error::KeyMismatch);
        }
        let (_, b_g2) = present(&b_g2);
        Ok(Self {
            verifying,
            domain,
            variables,
            beta,
            delta,
            a: Query::of(&a),
            b: Query::of(&b_g1),
            b_g2: Section::Owned(b_g2),
            l: Query::of(&l),
            h: Section::Owned(h.iter().map(PackedG1::pack).collect()),
        })
    }

    /// The key that checks what this one proves.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// Whether the key is one for as many inputs, variables and rows as these matrices have.
    pub(crate) fn fits(&self, matrices: &Matrices) -> bool {
        self.verifying.inputs() == matrices.inputs()
            && self.variables == matrices.variables()
            && self.domain.size() >= matrices.points()
    }
}

impl Query {
    fn of(points: &[G1Affine]) -> Self {
        let (at, points) = present(points);
        Self { at: Section::Owned(at), points: Section::Owned(points) }
    }
}

/// The points that are not the identity, and where they are.
fn present<P: Packed>(points: &[P::Affine]) -> (Vec<u32>, Vec<P>) {
    let present = points.iter().enumerate().filter(|(_, point)| !point.is_zero());
    present.map(|(at, point)| (at as u32, P::pack(point))).unzip()
}
