//! Every family of rows is needed: without it a false witness passes.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use sigveil_vrf_identity::curve::{generator, multiply_two_public};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::Challenge;

use super::*;
use crate::gadgets::edwards::OddScalar;

/// The families that no witness of this suite shows to be needed here, and why they are there all the same.
///
/// A point off the curve must still satisfy β·Γ = Z and the Chaum–Pedersen proof, whose sums are then no group law;
/// nobody is known to find one, but that the rows refuse all but the one Γ is proven on the curve only. That they
/// refuse a point off it, alone: `edwards::tests::points_off_the_curve_are_refused`.
const ARGUED: [&str; 1] = ["point-on-curve"];

/// What a dishonest prover comes to.
struct Forgery {
    values: Assignment,
    /// What it would have a verifier believe, where the native check refuses it with this reason. `None` where the
    /// honest witness comes to another c_id, L or C than those that are functions of it. (The C of `fixed-base` and
    /// `scalar-bits` is off the curve, which a verifier's type refuses; the rows alone must.)
    claim: Option<(Instance, &'static str)>,
}

/// The values of a prover who changes the hints of one family: (index among them, honest value) to value.
fn with(
    values: &Values,
    family: &'static str,
    mut change: impl FnMut(usize, Fr) -> Fr + 'static,
) -> Assignment {
    let mut count = 0;
    let tamper = move |of: &str, _: usize, value| {
        if of != family {
            return value;
        }
        count += 1;
        change(count - 1, value)
    };
    Assignment::tampered(tamper, |cs| circuit::synthesize(cs, values))
}

/// Number of hints of a family.
fn hints(values: &Values, family: &'static str) -> usize {
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    with(values, family, move |at, value| {
        seen.set(at + 1);
        value
    });
    count.get()
}

/// One hint changed, counted from the last of its family: a c_id, L or C that is not that of the witness.
fn another_output(family: &'static str, from_last: usize, change: fn(Fr) -> Fr) -> Forgery {
    let (instance, witness) = good();
    let values = Values::new(&instance, &witness);
    let target = hints(&values, family) - 1 - from_last;
    let change = move |at, value| if at == target { change(value) } else { value };
    Forgery { values: with(&values, family, change), claim: None }
}

/// A changed witness, with the label that goes with its Γ.
fn another_gamma(change: impl FnOnce(&mut Instance, &mut Witness)) -> (Instance, Witness) {
    let (mut instance, mut witness) = changed(change);
    let output = VerifiedOutput::derive(instance.mode, &witness.idf, &witness.gamma);
    let slot = instance.slots.slot(witness.slot).unwrap();
    instance.label = Label::derive(&output.monitoring_key, Scope::Unlinkable(instance.epoch, slot));
    witness.slot = slot.number().into();
    (instance, witness)
}

fn claimed(instance: Instance, witness: &Witness, values: Assignment) -> Forgery {
    let refusal = check(&instance, witness).expect_err("the statement is false");
    Forgery { values, claim: Some((instance, refusal.reason())) }
}

/// Γ is twice what it was: only β·Γ = Z stands against it.
fn doubled_gamma() -> (Instance, Witness) {
    another_gamma(|_, w| w.gamma = (w.gamma + w.gamma).into_affine())
}

/// slot = SLOTS, for which there is a label too.
fn slot_beyond() -> Forgery {
    let (mut instance, mut witness) = good();
    let output = VerifiedOutput::derive(instance.mode, &witness.idf, &witness.gamma);
    witness.slot = SLOTS;
    let scope = [instance.profile.to_field(), output.monitoring_key.to_field(), Fr::from(instance.epoch.0)];
    let label = poseidon::hash(Domain::Label, &[&scope[..], &[Fr::from(SLOTS)]].concat());
    instance.label = Label::from_bytes(&sigveil_vrf_identity::field::to_bytes(&label)).unwrap();
    let values = circuit::assign(&instance, &witness);
    claimed(instance, &witness, values)
}

/// The last sum of all is C: here that to another identity.
fn commitment_to_another() -> Forgery {
    let (mut instance, witness) = good();
    instance.commitment = Commitment::new(&idf(8), &rho()).unwrap();
    let (x, y) = instance.commitment.point().coordinates();
    let values = Values::new(&instance, &witness);
    let last = hints(&values, "point-addition") - 1;
    let forged = with(&values, "point-addition", move |at, value| match last - at {
        0 => y,
        1 => x,
        _ => value,
    });
    claimed(instance, &witness, forged)
}

/// The digest of a proof's commitments.
fn commitments_digest(points: [EdwardsAffine; 5]) -> Fr {
    poseidon::hash(Domain::ChaumPedersen, &points.map(|p| [p.x, p.y]).concat())
}

/// The map ends in (−s/t, …): H is its own negative, and the evaluation is of that.
fn negative_base() -> Forgery {
    let base = encode_to_curve(Mode::Blind, &idf(7)).unwrap();
    let negative = Point::from_affine(-base.affine()).unwrap();
    let (instance, witness) = statement_from(negative, Mode::Blind, scalar(2), unlinkable());
    let mut values = Values::new(&instance, &witness);
    let (key, blinded) = (values.key, negative.multiply(&witness.blinding).unwrap().affine());
    let (s, minus_c) = (&witness.proof.response, witness.proof.challenge.to_scalar().negated());
    let u = multiply_two_public(s, &generator().affine(), &minus_c, &key).into_affine();
    let v = multiply_two_public(s, &blinded, &minus_c, &witness.evaluated).into_affine();
    values.challenge = commitments_digest([key, blinded, witness.evaluated, u, v]);
    let abscissa = hints(&values, "map-to-curve") - 2;
    let forged = with(&values, "map-to-curve", move |at, value| if at == abscissa { -value } else { value });
    claimed(instance, &witness, forged)
}

/// The last point selected for β·Γ is neither Γ nor 3·Γ, but what is missing to Z.
fn selected_at_will() -> Forgery {
    let (instance, witness) = doubled_gamma();
    let values = Values::new(&instance, &witness);
    let (gamma, number) = (witness.gamma, values.blinding);
    let product = gamma.mul_bigint(number).into_affine();
    let (low, high) = (number.get_bit(1), number.get_bit(2));
    let triple = (gamma + gamma + gamma).into_affine();
    let selected = if low == high { triple } else { gamma };
    let selected = if high { selected } else { -selected };
    let wanted = (witness.evaluated + selected - product).into_affine();
    let last = hints(&values, "point-selection") - 1;
    // The last three are the differences of x and y to those of Γ, and x with its sign.
    let forged = with(&values, "point-selection", move |at, value| match last - at {
        0 => wanted.x,
        1 => wanted.y - gamma.y,
        _ => value,
    });
    claimed(instance, &witness, forged)
}

/// A proof whose two commitments were made with two nonces, k and k + 2: s as a number is one thing in U and another
/// in V, where its digits are used.
fn two_responses() -> Forgery {
    let (mut instance, mut witness) = good();
    let secret = scalar(0xABCD_EF01);
    let base = encode_to_curve(instance.mode, &witness.idf).unwrap();
    let blinded = base.multiply(&witness.blinding).unwrap();
    let key = generator().multiply(&secret).unwrap();
    instance.key = key.into();
    witness.evaluated = blinded.multiply(&secret).unwrap().affine();
    witness.gamma = base.multiply(&secret).unwrap().affine();
    let output = VerifiedOutput::derive(instance.mode, &witness.idf, &witness.gamma);
    instance.label = Label::derive(&output.monitoring_key, unlinkable());
    // The digit 1 becomes 3, or −3 becomes −1: one nonce in two leads to such a digit.
    let (digest, number) = (100u64..)
        .map(|nonce| {
            let u = generator().multiply(&scalar(nonce)).unwrap().affine();
            let v = blinded.multiply(&scalar(nonce + 2)).unwrap().affine();
            let digest = commitments_digest([key.affine(), blinded.affine(), witness.evaluated, u, v]);
            witness.proof.challenge = Challenge::from_digest(&digest);
            let c = witness.proof.challenge.to_scalar();
            witness.proof.response = scalar(nonce).plus_product(&c, &secret);
            (digest, OddScalar::<Fr>::lift(&witness.proof.response))
        })
        .find(|(_, s)| s.get_bit(2) != (s.get_bit(1) == s.get_bit(2)))
        .expect("there are many nonces");
    let mut values = Values::new(&instance, &witness);
    values.challenge = digest;
    // Digits of β and c come before those of s.
    let first = OddScalar::<Fr>::BITS / 2 + (sigveil_vrf_identity::vrf::CHALLENGE_BITS - 1) / 2;
    let half = Fr::from(2u64).inverse().unwrap();
    // A digit is a three where 2·low·high − low − high + 1 is one.
    let flip = if number.get_bit(1) == number.get_bit(2) { -half } else { half };
    let forged =
        with(&values, "scalar-digits", move |at, value| if at == first { value + flip } else { value });
    claimed(instance, &witness, forged)
}

/// Whoever evaluates takes β = l: B and Z are the identity, the proof is an honest one, and every Γ of the group fits. Only
/// that B is not the identity stands against it.
#[test]
fn a_base_that_is_blinded_away_is_refused_by_one_row() {
    let (mut instance, mut witness) = good();
    let (secret, nonce, zero) = (scalar(0xABCD_EF01), scalar(100), EdwardsAffine::zero());
    let key = generator().multiply(&secret).unwrap();
    let base = encode_to_curve(instance.mode, &witness.idf).unwrap();
    instance.key = key.into();
    witness.evaluated = zero;
    // Twice what it is.
    witness.gamma = base.multiply(&secret).unwrap().multiply(&scalar(2)).unwrap().affine();
    let output = VerifiedOutput::derive(instance.mode, &witness.idf, &witness.gamma);
    instance.label = Label::derive(&output.monitoring_key, unlinkable());
    let u = generator().multiply(&nonce).unwrap().affine();
    let digest = commitments_digest([key.affine(), zero, zero, u, zero]);
    witness.proof.challenge = Challenge::from_digest(&digest);
    witness.proof.response = nonce.plus_product(&witness.proof.challenge.to_scalar(), &secret);
    let mut values = Values::new(&instance, &witness);
    values.challenge = digest;
    values.blinding = Residue::MODULUS;
    let forged = Assignment::of(|cs| circuit::synthesize(cs, &values));
    let refused: Vec<&str> = forged.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(refused, ["nym-evaluation"]);
    assert_eq!(forged.publics()[0], instance.digest());
}

/// The forgery that only this family of rows refuses.
fn forgery(family: &str) -> Forgery {
    let more: fn(Fr) -> Fr = |value| value + Fr::ONE;
    match family {
        // The last of the circuit: L from another k_id, and ways to another C.
        "point-doubling" => another_output("point-doubling", 0, more),
        "point-addition" => commitment_to_another(),
        "fixed-base" => another_output("fixed-base", 0, more),
        "scalar-bits" => another_output("scalar-bits", 0, |_| Fr::from(2u64)),
        // After the lowest bit of idf come 253 bits and the products of the comparison.
        "canonical-bits" => another_output("canonical-bits", 253 + ONES, |bit| Fr::ONE - bit),
        // c_id, which is hashed first.
        "poseidon" => {
            let (instance, witness) = good();
            let values = Values::new(&instance, &witness);
            let forged = with(&values, "poseidon", |at, value| if at == 0 { value + Fr::ONE } else { value });
            Forgery { values: forged, claim: None }
        }
        "nym-evaluation" => {
            let (instance, witness) = doubled_gamma();
            let values = circuit::assign(&instance, &witness);
            claimed(instance, &witness, values)
        }
        "nym-scope" => slot_beyond(),
        "map-to-curve" => negative_base(),
        "point-selection" => selected_at_will(),
        "scalar-digits" => two_responses(),
        other => panic!("no forgery for the family {other}"),
    }
}

/// Bits set in r − 1 below the highest.
const ONES: usize = {
    let limbs = Fr::MODULUS.0;
    let ones = limbs[0].count_ones() + limbs[1].count_ones() + limbs[2].count_ones() + limbs[3].count_ones();
    // r is odd: r − 1 has one bit less.
    ones as usize - 2
};

#[test]
fn without_any_one_family_a_false_statement_passes() {
    let honest = good().0.digest();
    for family in circuit::shape().rows_per_family().into_keys() {
        if family == "public" || ARGUED.contains(&family) {
            continue;
        }
        let Forgery { values, claim } = forgery(family);
        let refusing: BTreeSet<_> = values.violations().iter().map(|violation| violation.family).collect();
        assert_eq!(refusing, BTreeSet::from([family]), "what refuses the forgery against {family}");
        match claim {
            Some((instance, reason)) => {
                assert_eq!(values.publics(), [instance.digest()], "{family}: {reason}");
            }
            None => assert_ne!(values.publics(), [honest], "{family}"),
        }
    }
}

/// The family of one row that ties the digest to the public input: all others hold for any public input.
#[test]
fn without_the_public_row_any_instance_passes() {
    let (instance, witness) = good();
    let values = circuit::assign(&instance, &witness);
    let other = Instance { key_hash: KeyHash::of_spki(b"another key"), ..instance };
    assert!(values.is_satisfied() && values.publics() != [other.digest()]);
    assert_eq!(circuit::shape().rows_per_family()["public"], 1);
}
