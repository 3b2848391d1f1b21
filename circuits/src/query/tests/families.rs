//! Every family of rows is needed: without it a false witness passes.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ark_ec::CurveGroup;
use ark_ed_on_bn254::{EdwardsAffine, Fr as Residue};
use sigveil_vrf_identity::elligator::montgomery_to_edwards;

use super::*;

/// Hints by their family and number in it, with what the prover puts there instead.
type Lies = Vec<(&'static str, usize, fn(Fr, &Target) -> Fr)>;

/// The B of another identity, and what it takes to come to it from this one's.
#[derive(Clone)]
struct Target {
    /// B of another identity.
    wanted: EdwardsAffine,
    /// What the last of the points selected must be, so that the last sum is `wanted`.
    selected: EdwardsAffine,
    /// What the last doubling must come to for the same.
    doubled: EdwardsAffine,
    /// The ordinate of H, which the selected one is a difference to.
    base_y: Fr,
    /// Where the map leads for the other identity, before ·8.
    mapped: EdwardsAffine,
}

fn target(instance: &Instance, witness: &Witness) -> Target {
    let wanted = Blinded::new(Mode::Blind, &idf(8), &blinding(3)).unwrap().point.affine();
    let base = encode_to_curve(instance.blinded.mode, &witness.idf).unwrap().affine();
    let number = Values::new(instance, witness).blinding;
    // The lowest digit is 3, −3, 1 or −1 by the two bits above the lowest.
    let (low, high) = (number.get_bit(1), number.get_bit(2));
    let multiple = if low == high { (base + base + base).into_affine() } else { base };
    let honest = if high { multiple } else { -multiple };
    let product = instance.blinded.point.affine();
    let selected = (wanted + honest - product).into_affine();
    let doubled = (wanted - honest).into_affine();
    let u = poseidon::hash(Domain::EncodeToCurve, &[instance.blinded.mode.to_field(), idf(8).0]);
    let mapped = montgomery_to_edwards(&map_to_montgomery(&u));
    Target { wanted, selected, doubled, base_y: base.y, mapped }
}

fn run(values: &Values, mut lie: impl FnMut(&'static str, usize, Fr) -> Fr + 'static) -> Assignment {
    let mut counts = std::collections::BTreeMap::new();
    let tamper = move |family: &'static str, _: usize, value| {
        let count = counts.entry(family).or_insert(0);
        *count += 1;
        lie(family, *count - 1, value)
    };
    Assignment::tampered(tamper, |cs| circuit::synthesize(cs, values))
}

/// Number of hints of a family.
fn hints(values: &Values, family: &'static str) -> usize {
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    run(values, move |of, at, value| {
        if of == family {
            seen.set(at + 1);
        }
        value
    });
    count.get()
}

/// What a dishonest prover changes so that only this family refuses.
fn lies(values: &Values, family: &'static str) -> Lies {
    let last = |of: &'static str, from_last: usize| hints(values, of) - 1 - from_last;
    match family {
        // c_id, which is hashed first: here not that of idf and ρ_1.
        "poseidon" => vec![(family, 0, |honest, _| honest + Fr::ONE)],
        // The map ends at the other identity's point.
        "map-to-curve" => {
            vec![
                (family, last(family, 1), |_, to| to.mapped.x),
                (family, last(family, 0), |_, to| to.mapped.y),
            ]
        }
        // The other root, whose parity is said to be the first one's: −H, which here is no more than a negative β
        // leads to (see `a_negative_blinding_is_a_blinding`), and in `nym` would be another k_id.
        "canonical-bits" => {
            let ordinate = last("map-to-curve", 4);
            vec![("map-to-curve", ordinate, |honest, _| -honest), (family, 0, |bit, _| Fr::ONE - bit)]
        }
        // A digit between others: neither H nor 3·H, so a B that is on no curve.
        "scalar-bits" => vec![(family, last(family, 0), |_, _| Fr::from(2u64))],
        "scalar-digits" => vec![(family, 0, |honest, _| honest + Fr::ONE)],
        // x and y: of the last doubling, of the last point selected, of the last sum.
        "point-doubling" => {
            vec![
                (family, last(family, 1), |_, to| to.doubled.x),
                (family, last(family, 0), |_, to| to.doubled.y),
            ]
        }
        "point-selection" => vec![
            (family, last(family, 1), |_, to| to.selected.y - to.base_y),
            (family, last(family, 0), |_, to| to.selected.x),
        ],
        "point-addition" => {
            vec![
                (family, last(family, 1), |_, to| to.wanted.x),
                (family, last(family, 0), |_, to| to.wanted.y),
            ]
        }
        other => panic!("no forgery for the family {other}"),
    }
}

/// The families whose forgery is the B of another identity, or −B: those that a verifier's type can hold.
const CLAIMED: [&str; 5] =
    ["map-to-curve", "canonical-bits", "point-doubling", "point-selection", "point-addition"];

#[test]
fn without_any_one_family_a_false_statement_passes() {
    let (instance, witness) = good();
    let (values, target) = (Values::new(&instance, &witness), target(&instance, &witness));
    for family in circuit::shape().rows_per_family().into_keys() {
        if ["public", "query"].contains(&family) {
            continue;
        }
        let (lies, to) = (lies(&values, family), target.clone());
        let forged = run(&values, move |of, at, honest| {
            let lie = lies.iter().find(|(family, place, _)| (*family, *place) == (of, at));
            lie.map_or(honest, |(_, _, lie)| lie(honest, &to))
        });
        let refusing: BTreeSet<_> = forged.violations().iter().map(|violation| violation.family).collect();
        assert_eq!(refusing, BTreeSet::from([family]), "what refuses the forgery against {family}");
        assert_ne!(forged.publics(), [instance.digest()], "{family}");
        if CLAIMED.contains(&family) {
            let point = match family {
                "canonical-bits" => Point::from_affine(-instance.blinded.point.affine()).unwrap(),
                _ => Point::from_affine(target.wanted).unwrap(),
            };
            let claim = Instance { blinded: Blinded { point, ..instance.blinded }, ..instance };
            assert_eq!(check(&claim, &witness), Err(Refusal::BlindedPoint), "{family}");
            assert_eq!(forged.publics(), [claim.digest()], "{family}");
        }
    }
}

/// β = l is what zero is lifted to: B is the identity, whoever is asked about.
#[test]
fn without_the_family_of_the_statement_blinding_by_zero_passes() {
    let (instance, witness) = good();
    let mut values = Values::new(&instance, &witness);
    values.blinding = Residue::MODULUS;
    let forged = Assignment::of(|cs| circuit::synthesize(cs, &values));
    let refusing: BTreeSet<_> = forged.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(refusing, BTreeSet::from(["query"]));
    let identity = [instance.linking_commitment, Fr::from(0u64), Fr::ONE, values.mode];
    assert_eq!(forged.publics(), [poseidon::hash(Domain::QueryInstance, &identity)]);
    // And a mode that is none.
    let mut values = Values::new(&instance, &witness);
    values.mode = Fr::from(2u64);
    let forged = Assignment::of(|cs| circuit::synthesize(cs, &values));
    let refusing: BTreeSet<_> = forged.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(refusing, BTreeSet::from(["query"]));
}

/// The family of one row that ties the digest to the public input: all others hold for any public input.
#[test]
fn without_the_public_row_any_instance_passes() {
    let (instance, witness) = good();
    let values = circuit::assign(&instance, &witness);
    let other = Instance { linking_commitment: Fr::ONE, ..instance };
    assert!(proves(&instance, &values) && !proves(&other, &values));
    assert_eq!(circuit::shape().rows_per_family()["public"], 1);
}
