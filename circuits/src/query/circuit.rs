//! The statement as rows: the twin of [`super::native::check`] (protocol.md §5.2).
//!
//! | family | enforces |
//! |---|---|
//! | `poseidon` | c_id opens to idf; the map's input; the public digest |
//! | `query` | μ is a bit; B is not the identity |
//! | `map-to-curve`, `canonical-bits` | H(μ, idf), one branch and one sign |
//! | `scalar-*`, `point-*` | ·8, and B = β·H |
//! | `public` | the public input |

use ark_ff::BigInt;
use sigveil_vrf_identity::domain::Domain;
use zeroize::Zeroize;

use super::{Instance, Witness};
use crate::Fr;
use crate::gadgets::bits::{Bit, enforce_not_zero};
use crate::gadgets::edwards::{OddScalar, Point, map_to_subgroup, multiply};
use crate::gadgets::poseidon;
use crate::r1cs::{Assignment, Cs, Shape};

/// The circuit's matrices.
#[must_use]
pub fn shape() -> Shape {
    Shape::of(|cs| synthesize(cs, &Values::default()))
}

/// The values of an instance and a witness. They satisfy the rows, with the instance's digest as public input, if
/// and only if [`super::check`] passes.
#[must_use]
pub fn assign(instance: &Instance, witness: &Witness) -> Assignment {
    let values = Values::new(instance, witness);
    Assignment::of(|cs| synthesize(cs, &values))
}

/// What the prover puts into the variables that no other determines. Wiped when dropped.
#[derive(Clone, Default)]
pub(crate) struct Values {
    pub(super) mode: Fr,
    pub(super) idf: Fr,
    pub(super) linking_randomness: Fr,
    pub(super) blinding: BigInt<4>,
}

impl Drop for Values {
    fn drop(&mut self) {
        self.idf.zeroize();
        self.linking_randomness.zeroize();
        self.blinding.zeroize();
    }
}

impl Values {
    pub(crate) fn new(instance: &Instance, witness: &Witness) -> Self {
        Self {
            mode: instance.blinded.mode.to_field(),
            idf: witness.idf.0,
            linking_randomness: witness.linking_randomness.0,
            blinding: OddScalar::<Fr>::lift(&witness.blinding),
        }
    }
}

/// The whole statement. Returns the public inputs, in the order in which they are hashed.
pub(crate) fn synthesize<C: Cs>(cs: &mut C, values: &Values) -> [C::Num; 4] {
    let mode = cs.hint(&[], |_| values.mode);
    let idf = cs.hint(&[], |_| values.idf);

    // c_id opens to idf.
    let linking_randomness = cs.hint(&[], |_| values.linking_randomness);
    let linking_commitment =
        poseidon::hash(cs, Domain::LinkingCommitment, &[idf.clone(), linking_randomness]);

    // B = β·H(μ, idf); B ≠ identity.
    let blinded = cs.family("query", |cs| {
        Bit::enforced(cs, mode.clone());
        blinded_point(cs, &mode, &idf, &values.blinding).1
    });

    let elements = [linking_commitment, blinded.x, blinded.y, mode];
    let digest = poseidon::hash(cs, Domain::QueryInstance, &elements);
    cs.public(&digest);
    elements
}

/// β and B = β·H(μ, idf), which is not the identity.
pub(crate) fn blinded_point<C: Cs>(
    cs: &mut C,
    mode: &C::Num,
    idf: &C::Num,
    blinding: &BigInt<4>,
) -> (OddScalar<C::Num>, Point<C::Num>) {
    let u = poseidon::hash(cs, Domain::EncodeToCurve, &[mode.clone(), idf.clone()]);
    let base = map_to_subgroup(cs, &u);
    let blinding = OddScalar::witness(cs, blinding);
    let blinded = multiply(cs, &[(blinding.digits(), &base)]);
    // A point of the prime-order subgroup is the identity where its abscissa is zero.
    enforce_not_zero(cs, &blinded.x);
    (blinding, blinded)
}
