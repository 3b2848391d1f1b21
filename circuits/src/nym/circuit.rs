//! The statement as rows: the twin of [`super::native::check`] (protocol.md §5.2).
//!
//! Scalars that only the prover knows (β, ρ, s) enter as odd numbers ([`OddScalar`]); those that a hash determines
//! (m, c) by the bits of that hash's canonical form. Every sum of points is complete.

use std::sync::LazyLock;

use ark_ec::CurveGroup;
use ark_ed_on_bn254::EdwardsAffine;
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use sigveil_vrf_identity::commitment::{VALUE_BITS, randomness_generator, value_generator};
use sigveil_vrf_identity::curve::{generator, multiply_two_public};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::field;
use sigveil_vrf_identity::vrf::CHALLENGE_BITS;
use zeroize::Zeroize;

use super::{Instance, Witness};
use crate::Fr;
use crate::gadgets::bits::{Bit, canonical, decompose};
use crate::gadgets::edwards::{FixedBase, GivenScalar, OddScalar, Point, multiply};
use crate::gadgets::poseidon;
use crate::query::circuit::blinded_point;
use crate::r1cs::{Assignment, Cs, Num, Shape};

/// Bits of a slot, and of SLOTS − 1 − slot.
const SLOT_BITS: usize = 16;

/// The circuit's matrices.
pub fn shape() -> Shape {
    Shape::of(|cs| synthesize(cs, &Values::default()))
}

/// The values of an instance and a witness. They satisfy the rows, with the instance's digest as public input, if
/// and only if [`super::check`] passes, but for small-order parts (see [`super`]).
pub fn assign(instance: &Instance, witness: &Witness) -> Assignment {
    let values = Values::new(instance, witness);
    Assignment::of(|cs| synthesize(cs, &values))
}

/// What the prover puts into the variables that no other determines. Wiped when dropped.
#[derive(Clone, Default)]
pub(crate) struct Values {
    pub(super) key: EdwardsAffine,
    pub(super) mode: Fr,
    pub(super) profile: Fr,
    pub(super) epoch: Fr,
    pub(super) slots: Fr,
    pub(super) key_hash: Fr,
    pub(super) idf: Fr,
    pub(super) linking_randomness: Fr,
    pub(super) rho: BigInt<4>,
    pub(super) blinding: BigInt<4>,
    pub(super) evaluated: EdwardsAffine,
    /// The digest whose low bits are c.
    pub(crate) challenge: Fr,
    pub(super) response: BigInt<4>,
    pub(super) gamma: EdwardsAffine,
    pub(super) slot: Fr,
}

impl Drop for Values {
    fn drop(&mut self) {
        self.idf.zeroize();
        self.linking_randomness.zeroize();
        self.challenge.zeroize();
        self.slot.zeroize();
        for number in [&mut self.rho, &mut self.blinding, &mut self.response] {
            number.zeroize();
        }
        for point in [&mut self.evaluated, &mut self.gamma] {
            point.zeroize();
        }
    }
}

impl Values {
    pub(crate) fn new(instance: &Instance, witness: &Witness) -> Self {
        let lift = OddScalar::<Fr>::lift;
        Self {
            key: instance.key.point().affine(),
            mode: instance.mode.to_field(),
            profile: instance.profile.to_field(),
            epoch: Fr::from(instance.epoch.0),
            slots: Fr::from(instance.slots.number()),
            key_hash: instance.key_hash.to_field(),
            idf: witness.idf.0,
            linking_randomness: witness.linking_randomness.0,
            rho: lift(witness.rho.scalar()),
            blinding: lift(&witness.blinding),
            evaluated: witness.evaluated,
            challenge: challenge_digest(instance, witness),
            response: lift(&witness.proof.response),
            gamma: witness.gamma,
            slot: Fr::from(witness.slot),
        }
    }
}

/// The digest that the proof's challenge is the low bits of. The proof has only those; the six others are those of
/// the digest that its commitments have.
fn challenge_digest(instance: &Instance, witness: &Witness) -> Fr {
    let Ok(base) = encode_to_curve(instance.mode, &witness.idf) else { return Fr::ZERO };
    let blinded = sigveil_vrf_identity::curve::multiply(&base.affine(), &witness.blinding).into_affine();
    let key = instance.key.point().affine();
    let (response, minus_c) = (&witness.proof.response, witness.proof.challenge.to_scalar().negated());
    let u = multiply_two_public(response, &generator().affine(), &minus_c, &key).into_affine();
    let v = multiply_two_public(response, &blinded, &minus_c, &witness.evaluated).into_affine();
    let coordinates: Vec<Fr> =
        [key, blinded, witness.evaluated, u, v].iter().flat_map(|p| [p.x, p.y]).collect();
    let digest = sigveil_vrf_identity::poseidon::hash(Domain::ChaumPedersen, &coordinates);
    let mut bytes = field::to_bytes(&digest);
    bytes[1..].copy_from_slice(&witness.proof.challenge.to_bytes());
    Fr::from_be_bytes_mod_order(&bytes)
}

/// The multiples of the fixed points.
struct Bases {
    /// (1 + 2·k)·G.
    generator: FixedBase,
    /// k·G1.
    value: FixedBase,
    /// (1 + 2·k)·G2.
    randomness: FixedBase,
}

static BASES: LazyLock<Bases> = LazyLock::new(|| {
    let odd =
        |base: EdwardsAffine| FixedBase::new(&(base + base).into_affine(), &base, OddScalar::<Fr>::BITS);
    Bases {
        generator: odd(generator().affine()),
        value: FixedBase::new(&value_generator().affine(), &EdwardsAffine::zero(), VALUE_BITS),
        randomness: odd(randomness_generator().affine()),
    }
});

/// Public inputs that are not computed from the witness.
struct Given<N> {
    key: Point<N>,
    mode: N,
    profile: N,
    epoch: N,
    slots: N,
    key_hash: N,
}

/// What an examination of the circuit looks at.
#[cfg_attr(not(feature = "prover"), expect(dead_code, reason = "examinations are built with the prover"))]
pub(crate) struct Landmarks<N> {
    /// The public inputs, in the order of [`Instance::elements`].
    pub(crate) elements: [N; 11],
    /// B.
    pub(crate) blinded: Point<N>,
    /// Z, the first that the prover chooses behind B.
    pub(crate) evaluated: Point<N>,
    /// What the commitments hash to, less the digest that c is the low bits of: zero.
    pub(crate) challenge_gap: N,
}

/// The whole statement.
pub(crate) fn synthesize<C: Cs>(cs: &mut C, values: &Values) -> Landmarks<C::Num> {
    let given = Given {
        // On the curve and in the subgroup: every verifier's PK is.
        key: Point { x: cs.hint(&[], |_| values.key.x), y: cs.hint(&[], |_| values.key.y) },
        mode: cs.hint(&[], |_| values.mode),
        profile: cs.hint(&[], |_| values.profile),
        epoch: cs.hint(&[], |_| values.epoch),
        slots: cs.hint(&[], |_| values.slots),
        key_hash: cs.hint(&[], |_| values.key_hash),
    };
    let idf = cs.hint(&[], |_| values.idf);

    // c_id opens to idf.
    let linking_randomness = cs.hint(&[], |_| values.linking_randomness);
    let linking_commitment =
        poseidon::hash(cs, Domain::LinkingCommitment, &[idf.clone(), linking_randomness]);

    let Evaluation { blinded, evaluated, gamma, challenge_gap } =
        cs.family("nym-evaluation", |cs| evaluation(cs, values, &given, &idf));
    let slot = cs.family("nym-scope", |cs| scope(cs, values, &given));
    let label = cs.family("nym-label", |cs| label(cs, &given, &idf, &gamma, slot));
    let commitment = cs.family("nym-commitment", |cs| commitment(cs, values, &idf));

    let Given { key, mode, profile, epoch, slots, key_hash } = given;
    let elements = [
        key.x,
        key.y,
        linking_commitment,
        mode,
        profile,
        epoch,
        slots,
        label,
        commitment.x,
        commitment.y,
        key_hash,
    ];
    let digest = poseidon::hash(cs, Domain::NymInstance, &elements);
    cs.public(&digest);
    Landmarks { elements, blinded, evaluated, challenge_gap }
}

/// B, Z and Γ.
struct Evaluation<N> {
    blinded: Point<N>,
    evaluated: Point<N>,
    gamma: Point<N>,
    challenge_gap: N,
}

/// B = β·H(μ, idf), not the identity; the Chaum–Pedersen proof verifies for (PK, B, Z); β·Γ = Z.
fn evaluation<C: Cs>(cs: &mut C, values: &Values, given: &Given<C::Num>, idf: &C::Num) -> Evaluation<C::Num> {
    let (blinding, blinded) = blinded_point(cs, &given.mode, idf, &values.blinding);

    let evaluated = Point::witness(cs, &values.evaluated);
    let challenge_gap = chaum_pedersen(cs, values, &given.key, &blinded, &evaluated);

    let gamma = Point::witness(cs, &values.gamma);
    let blinded_gamma = multiply(cs, &[(blinding.digits(), &gamma)]);
    cs.equal(&blinded_gamma.x, &evaluated.x);
    cs.equal(&blinded_gamma.y, &evaluated.y);
    Evaluation { blinded, evaluated, gamma, challenge_gap }
}

/// c = the low 248 bits of Poseidon(PK, B, Z, U, V), with U = s·G − c·PK and V = s·B − c·Z. Returns what that hash is
/// more than the digest whose bits c has.
fn chaum_pedersen<C: Cs>(
    cs: &mut C,
    values: &Values,
    key: &Point<C::Num>,
    blinded: &Point<C::Num>,
    evaluated: &Point<C::Num>,
) -> C::Num {
    let digest = cs.hint(&[], |_| values.challenge);
    let bits = canonical(cs, &digest);
    let c = GivenScalar::new(cs, &bits[..CHALLENGE_BITS]);
    let s = OddScalar::witness(cs, &values.response);

    let minus_key = key.negated();
    let minus_c_key = multiply(cs, &[(c.digits(), &minus_key)]);
    let minus_c_key = c.correct(cs, &minus_c_key, &minus_key);
    let u = BASES.generator.multiply(cs, s.bits(), Some(minus_c_key));

    let minus_evaluated = evaluated.negated();
    let v = multiply(cs, &[(s.digits(), blinded), (c.digits(), &minus_evaluated)]);
    let v = c.correct(cs, &v, &minus_evaluated);

    let points = [key, blinded, evaluated, &u, &v];
    let coordinates: Vec<_> = points.iter().flat_map(|point| [point.x.clone(), point.y.clone()]).collect();
    let computed = poseidon::hash(cs, Domain::ChaumPedersen, &coordinates);
    cs.equal(&computed, &digest);
    computed.minus(&digest)
}

/// μ ∈ {0, 1}; profile ∈ {1, 2, 3}; slot < SLOTS; epoch = 0 for `stable`, slot = 0 but for `unlinkable`. Returns
/// the slot.
fn scope<C: Cs>(cs: &mut C, values: &Values, given: &Given<C::Num>) -> C::Num {
    let less = |n: u64| given.profile.minus(&C::Num::constant(Fr::from(n)));
    Bit::enforced(cs, given.mode.clone());
    // 2 for `stable`, zero for the others; and 2 for `unlinkable`.
    let stable = cs.product(&less(2), &less(3));
    let unlinkable = cs.product(&less(1), &less(2));
    cs.enforce(&stable, &less(1), &C::Num::zero());
    cs.enforce(&given.epoch, &stable, &C::Num::zero());

    let slot = cs.hint(&[], |_| values.slot);
    let two = C::Num::constant(Fr::from(2u64));
    cs.enforce(&slot, &two.minus(&unlinkable), &C::Num::zero());
    decompose(cs, &slot, SLOT_BITS);
    decompose(cs, &given.slots.minus(&slot).minus(&C::Num::one()), SLOT_BITS);
    slot
}

/// k_id = Poseidon(DOM_VRF, μ, idf, 8·Γ), L = Poseidon(DOM_LABEL, profile, k_id, epoch, slot).
fn label<C: Cs>(
    cs: &mut C,
    given: &Given<C::Num>,
    idf: &C::Num,
    gamma: &Point<C::Num>,
    slot: C::Num,
) -> C::Num {
    let Point { x, y } = gamma.clear_cofactor(cs);
    let monitoring_key = poseidon::hash(cs, Domain::MonitoringKey, &[given.mode.clone(), idf.clone(), x, y]);
    poseidon::hash(cs, Domain::Label, &[given.profile.clone(), monitoring_key, given.epoch.clone(), slot])
}

/// C = m·G1 + ρ·G2, with m the low 250 bits of idf.
fn commitment<C: Cs>(cs: &mut C, values: &Values, idf: &C::Num) -> Point<C::Num> {
    let bits = canonical(cs, idf);
    let rho = OddScalar::witness(cs, &values.rho);
    let value = BASES.value.multiply(cs, &bits[..VALUE_BITS], None);
    BASES.randomness.multiply(cs, rho.bits(), Some(value))
}
