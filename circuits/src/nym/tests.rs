mod families;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ed_on_bn254::{EdwardsAffine, Fr as Residue};
use ark_ff::{BigInteger, Field, MontFp, PrimeField};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::{Point, Scalar};
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::identity::Idf;
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Profile, Scope, SlotCount};
use sigveil_vrf_identity::vrf::{SecretKey, VerifiedOutput};

use super::circuit::{self, Values};
use super::{Instance, Refusal, Witness, check};
use crate::Fr;
use crate::r1cs::Assignment;
use crate::token::LinkingRandomness;

const SLOTS: u32 = 1000;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn secret() -> SecretKey {
    SecretKey::generate(&mut rng(1))
}

fn idf(number: u64) -> Idf {
    Idf(-Fr::from(number))
}

fn scalar(number: u64) -> Scalar {
    Scalar::from_field(&Fr::from(number))
}

fn rho() -> Rho {
    Rho::from_bytes(&Scalar::random_nonzero(&mut rng(5)).to_bytes()).unwrap()
}

/// The statement and witness of an honest prover with this base in place of H, blinded by β.
fn statement_from(base: Point, mode: Mode, blinding: Scalar, scope: Scope) -> (Instance, Witness) {
    let secret = secret();
    let slots = SlotCount::new(SLOTS).unwrap();
    let (evaluated, proof) = secret.prove_dleq(&base.multiply(&blinding).unwrap(), &mut rng(2)).unwrap();
    let gamma = evaluated.multiply(&blinding.inverse().unwrap()).unwrap();
    let (idf, linking_randomness) = (idf(7), LinkingRandomness(Fr::from(99u64)));
    let output = VerifiedOutput::derive(mode, &idf, &gamma.affine());
    let instance = Instance {
        key: secret.public_key(),
        linking_commitment: linking_randomness.commit(idf),
        mode,
        profile: scope.profile(),
        epoch: scope.epoch(),
        slots,
        label: Label::derive(&output.monitoring_key, scope),
        commitment: Commitment::new(&idf, &rho()).unwrap(),
        key_hash: KeyHash::of_spki(b"a key"),
    };
    let slot = u32::from(scope.slot().number());
    let witness = Witness {
        idf,
        linking_randomness,
        rho: rho(),
        blinding,
        evaluated: evaluated.affine(),
        proof,
        gamma: gamma.affine(),
        slot,
    };
    (instance, witness)
}

fn statement(mode: Mode, blinding: Scalar, scope: Scope) -> (Instance, Witness) {
    statement_from(encode_to_curve(mode, &idf(7)).unwrap(), mode, blinding, scope)
}

fn unlinkable() -> Scope {
    Scope::Unlinkable(Epoch(20_000), SlotCount::new(SLOTS).unwrap().slot(SLOTS - 1).unwrap())
}

fn good() -> (Instance, Witness) {
    statement(Mode::Blind, scalar(0x1234_5678), unlinkable())
}

/// Whether rows hold and the public input is the instance's digest.
fn proves(instance: &Instance, values: &Assignment) -> bool {
    values.is_satisfied() && values.publics() == [instance.digest()]
}

fn holds(instance: &Instance, witness: &Witness) -> bool {
    proves(instance, &circuit::assign(instance, witness))
}

/// Asserts that both the native check and the circuit refuse, the former with `why`.
fn refused((instance, witness): (Instance, Witness), why: &str) {
    assert_eq!(check(&instance, &witness).map_err(|refusal| refusal.reason()), Err(why));
    assert!(!holds(&instance, &witness), "{why}");
}

fn changed(change: impl FnOnce(&mut Instance, &mut Witness)) -> (Instance, Witness) {
    let (mut instance, mut witness) = good();
    change(&mut instance, &mut witness);
    (instance, witness)
}

fn order_eight() -> EdwardsAffine {
    let x: Fr = MontFp!("995203441582195749578291179787384436505546430278305826713579947235728471134");
    let y: Fr = MontFp!("5472060717959818805561601436314318772137091100104008585924551046643952123905");
    let whole = EdwardsAffine::new_unchecked(x * Fr::from(168_700u64).sqrt().unwrap(), y);
    whole.mul_bigint(Residue::MODULUS).into_affine()
}

#[test]
fn honest_statements_hold_in_all_modes_and_profiles() {
    for mode in Mode::ALL {
        for scope in [Scope::Stable, Scope::Epoch(Epoch(9)), unlinkable()] {
            for blinding in [scalar(1), scalar(2), Scalar::random_nonzero(&mut rng(3))] {
                let (instance, witness) = statement(mode, blinding, scope);
                assert_eq!(check(&instance, &witness), Ok(()));
                assert!(holds(&instance, &witness));
            }
        }
    }
}

#[test]
fn open_issuance_is_blinding_by_one() {
    let secret = secret();
    let evaluation = secret.evaluate(Mode::Open, &idf(7), &mut rng(2)).unwrap();
    let (instance, witness) = statement(Mode::Open, scalar(1), Scope::Stable);
    let open = Witness::open(idf(7), witness.linking_randomness, rho(), &evaluation, 0);
    assert_eq!(check(&instance, &open), Ok(()));
    assert!(holds(&instance, &open));
}

#[test]
fn each_invariant_refuses_its_bad_witness() {
    refused(changed(|_, w| w.linking_randomness.0 += Fr::ONE), "nym-linking-commitment");
    // Another identity, with the c_id that it opens.
    let other = |i: &mut Instance, w: &mut Witness| {
        w.idf = idf(8);
        i.linking_commitment = w.linking_randomness.commit(w.idf);
    };
    refused(changed(other), "vrf-proof-invalid");
    refused(changed(|_, w| w.blinding = scalar(3)), "vrf-proof-invalid");
    refused(changed(|_, w| w.proof.response = scalar(3)), "vrf-proof-invalid");
    refused(changed(|_, w| w.proof.challenge = [7; 31].into()), "vrf-proof-invalid");
    refused(changed(|_, w| w.evaluated = -w.evaluated), "vrf-proof-invalid");
    refused(changed(|i, _| i.key = i.commitment.point().into()), "vrf-proof-invalid");
    refused(changed(|_, w| w.gamma = -w.gamma), "nym-unblinding");
    refused(changed(|_, w| w.gamma = w.evaluated), "nym-unblinding");
    refused(changed(|_, w| w.gamma.x += Fr::ONE), "point-off-curve");
    refused(changed(|_, w| w.evaluated.x += Fr::ONE), "point-off-curve");
    refused(changed(|_, w| w.slot = 0), "nym-label");
    refused(changed(|i, _| i.epoch = Epoch(1)), "nym-label");
    refused(changed(|_, w| w.rho = Rho::from_bytes(&scalar(3).to_bytes()).unwrap()), "nym-commitment");
}

#[test]
fn slots_and_epochs_are_those_of_the_profile() {
    refused(changed(|_, w| w.slot = SLOTS), "slot-out-of-range");
    refused(changed(|_, w| w.slot = u32::MAX), "slot-out-of-range");
    refused(changed(|i, _| i.slots = SlotCount::new(SLOTS - 1).unwrap()), "slot-out-of-range");
    // The label is the right one for what is claimed: only the scope's rule refuses.
    let relabelled = |profile: Profile, epoch: u64, slot: u32| {
        let (mut instance, mut witness) = good();
        let output = VerifiedOutput::derive(instance.mode, &witness.idf, &witness.gamma);
        let inputs = [profile.to_field(), output.monitoring_key.to_field(), Fr::from(epoch), Fr::from(slot)];
        let domain = sigveil_vrf_identity::domain::Domain::Label;
        let label = sigveil_vrf_identity::poseidon::hash(domain, &inputs);
        instance.label = Label::from_bytes(&sigveil_vrf_identity::field::to_bytes(&label)).unwrap();
        (instance.profile, instance.epoch, witness.slot) = (profile, Epoch(epoch), slot);
        (instance, witness)
    };
    let (instance, witness) = relabelled(Profile::Unlinkable, 5, SLOTS - 1);
    assert!(check(&instance, &witness).is_ok() && holds(&instance, &witness));
    refused(relabelled(Profile::Unlinkable, 5, SLOTS), "slot-out-of-range");
    refused(relabelled(Profile::Stable, 5, 0), "nym-scope");
    refused(relabelled(Profile::Stable, 0, 5), "nym-scope");
    refused(relabelled(Profile::Epoch, 5, 5), "nym-scope");
}

#[test]
fn the_negative_of_h_is_refused() {
    let base = encode_to_curve(Mode::Open, &idf(7)).unwrap();
    let negative = Point::from_affine(-base.affine()).unwrap();
    refused(statement_from(negative, Mode::Open, scalar(1), unlinkable()), "vrf-proof-invalid");
    // The point of the other mode, and of another identity: B is another's.
    let other = encode_to_curve(Mode::Blind, &idf(7)).unwrap();
    refused(statement_from(other, Mode::Open, scalar(1), unlinkable()), "vrf-proof-invalid");
    let other = encode_to_curve(Mode::Open, &idf(8)).unwrap();
    refused(statement_from(other, Mode::Open, scalar(1), unlinkable()), "vrf-proof-invalid");
}

#[test]
fn blinding_by_zero_is_refused() {
    // β = l is what zero is lifted to: B is the identity, and so is Z for every Γ of the group. That one row stands against
    // whoever evaluates is in `families`.
    refused(changed(|_, w| w.blinding = Scalar::ZERO), "nym-blinding");
    let (instance, witness) = good();
    let mut values = Values::new(&instance, &witness);
    values.blinding = Residue::MODULUS;
    values.evaluated = EdwardsAffine::zero();
    let assigned = Assignment::of(|cs| circuit::synthesize(cs, &values));
    assert!(assigned.violations().iter().any(|v| v.family == "nym-evaluation"));
}

#[test]
fn small_order_parts_are_refused() {
    let mut part = order_eight();
    for _ in 1..8 {
        refused(changed(|_, w| w.gamma = (w.gamma + part).into_affine()), "point-wrong-subgroup");
        refused(changed(|_, w| w.evaluated = (w.evaluated + part).into_affine()), "point-wrong-subgroup");
        // Both at once, such that β·Γ = Z: only the challenge stands against it.
        let both = |_: &mut Instance, w: &mut Witness| {
            w.gamma = (w.gamma + part).into_affine();
            w.evaluated = w.gamma.mul_bigint(Values::new(&good().0, w).blinding).into_affine();
        };
        refused(changed(both), "point-wrong-subgroup");
        part = (part + order_eight()).into_affine();
    }
}

#[test]
fn an_aliased_identity_is_refused() {
    // A small idf has a second decomposition, idf + r, whose low 250 bits are another m.
    let (instance, witness) = good();
    let mut values = Values::new(&instance, &witness);
    values.idf = Fr::from(5u64);
    let mut alias = values.idf.into_bigint();
    alias.add_with_carry(&Fr::MODULUS);
    let honest = values.idf.into_bigint();
    // The identity's bits are the last to be decomposed: found by what is decomposed there.
    let mut decomposed = 0;
    let tamper = move |family: &str, _: usize, value: Fr| {
        if family != "canonical-bits" {
            return value;
        }
        decomposed += 1;
        // 254 bits of y and of the challenge come before, each with the products of its comparison.
        let ones = (0..254).filter(|i| (-Fr::ONE).into_bigint().get_bit(*i)).count() - 1;
        match (decomposed as usize).checked_sub(2 * (254 + ones) + 1) {
            Some(bit) if bit < 254 => {
                assert_eq!(value, Fr::from(honest.get_bit(bit)));
                Fr::from(alias.get_bit(bit))
            }
            _ => value,
        }
    };
    let assigned = Assignment::tampered(tamper, |cs| circuit::synthesize(cs, &values));
    assert!(assigned.violations().iter().any(|v| v.family == "canonical-bits"));
}

#[test]
fn a_proof_is_spent_for_its_public_inputs_only() {
    let (instance, witness) = good();
    let values = circuit::assign(&instance, &witness);
    let other = Instance { key_hash: KeyHash::of_spki(b"another key"), ..instance };
    assert!(proves(&instance, &values) && !proves(&other, &values));
    let mut digests = vec![instance.digest(), other.digest()];
    digests.push(Instance { mode: Mode::Open, ..instance }.digest());
    digests.push(Instance { profile: Profile::Epoch, ..instance }.digest());
    digests.push(Instance { epoch: Epoch(1), ..instance }.digest());
    digests.push(Instance { slots: SlotCount::new(7).unwrap(), ..instance }.digest());
    digests.push(Instance { linking_commitment: Fr::ONE, ..instance }.digest());
    digests.push(Instance { key: instance.commitment.point().into(), ..instance }.digest());
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[i + 1..].contains(digest));
    }
}

#[test]
fn refusals_have_distinct_reasons() {
    let own = [Refusal::LinkingCommitment, Refusal::Blinding, Refusal::Unblinding, Refusal::Scope];
    let reasons: std::collections::BTreeSet<_> = own.iter().map(Refusal::reason).collect();
    assert_eq!(reasons.len(), own.len());
}

#[test]
fn shape_is_pinned() {
    let shape = circuit::shape();
    assert!(shape.constraints() <= 23_000);
    assert_eq!((shape.constraints(), shape.witnesses(), shape.publics()), (17_319, 17_319, 1));
    assert_eq!(
        hex::encode(shape.digest()),
        "9428465be1977fadf9b0cbd58c86e32652be0505c57e56c29a02174edc0459e5"
    );
}

/// All else follows from what is chosen here, in order of allocation.
#[test]
fn a_prover_chooses_only_what_the_statement_lets_it() {
    let (instance, witness) = good();
    let values = Values::new(&instance, &witness);
    let chosen = crate::r1cs::freedom::chosen_per_family(
        |cs| circuit::synthesize(cs, &Values::default()),
        |cs| circuit::synthesize(cs, &values),
    );
    let expected = [
        // PK (x, y), μ, profile, epoch, SLOTS, pkh: in the digest, as a verifier recomputes it. idf and ρ_1: opened
        // by c_id, which is in the digest.
        ("", 9),
        // y of Elligator 2, a root whose parity selects the abscissa: unique by `edwards::map_to_subgroup`.
        ("map-to-curve", 1),
        // β but for its lowest bit: not zero modulo l, else unrestricted.
        ("scalar-bits", 251),
        // Z (x, y) and the challenge's digest: held by the Chaum–Pedersen proof, whose s follows.
        ("nym-evaluation", 3),
        ("scalar-bits", 251),
        // Γ (x, y): held by β·Γ = Z.
        ("nym-evaluation", 2),
        // The slot: below SLOTS, and in L.
        ("nym-scope", 1),
        // ρ: in C.
        ("scalar-bits", 251),
    ];
    assert_eq!(chosen, expected);
}
