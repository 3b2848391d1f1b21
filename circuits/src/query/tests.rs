mod families;

use ark_ff::{BigInteger, Field, PrimeField};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::{Point, Scalar};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::elligator::{MONTGOMERY_K, encode_to_curve, map_to_montgomery, sgn0};
use sigveil_vrf_identity::identity::Idf;
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Scope, SlotCount};
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::{Blinded, Blinding, SecretKey};

use super::circuit::{self, Values};
use super::{Instance, Refusal, Witness, check};
use crate::r1cs::Assignment;
use crate::token::LinkingRandomness;
use crate::{Fr, nym};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn idf(number: u64) -> Idf {
    Idf(-Fr::from(number))
}

fn blinding(seed: u64) -> Blinding {
    Blinding::random(&mut rng(seed))
}

/// The number 1 as β, by which B is H.
fn one() -> Blinding {
    Blinding::from_bytes(&Scalar::from_field(&Fr::ONE).to_bytes()).unwrap()
}

fn statement(mode: Mode, blinding: &Blinding) -> (Instance, Witness) {
    let linking_randomness = LinkingRandomness(Fr::from(99u64));
    let instance = Instance {
        linking_commitment: linking_randomness.commit(idf(7)),
        blinded: Blinded::new(mode, &idf(7), blinding).unwrap(),
    };
    (instance, Witness::new(idf(7), linking_randomness, blinding))
}

fn good() -> (Instance, Witness) {
    statement(Mode::Blind, &blinding(3))
}

/// Whether rows hold and the public input is the instance's digest.
fn proves(instance: &Instance, values: &Assignment) -> bool {
    values.is_satisfied() && values.publics() == [instance.digest()]
}

fn holds(instance: &Instance, witness: &Witness) -> bool {
    proves(instance, &circuit::assign(instance, witness))
}

/// Asserts that both the native check and the circuit refuse, the former with `why`.
fn refused(change: impl FnOnce(&mut Instance, &mut Witness), why: &str) {
    let (mut instance, mut witness) = good();
    change(&mut instance, &mut witness);
    assert_eq!(check(&instance, &witness).map_err(|refusal| refusal.reason()), Err(why));
    assert!(!holds(&instance, &witness), "{why}");
}

#[test]
fn honest_statements_hold_in_both_modes() {
    for mode in Mode::ALL {
        for blinding in [one(), blinding(1), blinding(2)] {
            let (instance, witness) = statement(mode, &blinding);
            assert_eq!(check(&instance, &witness), Ok(()));
            assert!(holds(&instance, &witness));
        }
    }
}

#[test]
fn each_invariant_refuses_its_bad_witness() {
    refused(|_, w| w.linking_randomness.0 += Fr::ONE, "query-linking-commitment");
    refused(|i, _| i.linking_commitment += Fr::ONE, "query-linking-commitment");
    // Another's identity, whose c_id the prover can open: what its token says stands against it.
    refused(|_, w| w.idf = idf(8), "query-linking-commitment");
    let another = |i: &mut Instance, w: &mut Witness| {
        w.idf = idf(8);
        i.linking_commitment = w.linking_randomness.commit(w.idf);
    };
    refused(another, "query-blinded-point");
    // B of another identity, of another β, of the other mode, and −H in the place of H.
    let of = |mode, number, seed| Blinded::new(mode, &idf(number), &blinding(seed)).unwrap().point;
    refused(|i, _| i.blinded.point = of(Mode::Blind, 8, 3), "query-blinded-point");
    refused(|i, _| i.blinded.point = of(Mode::Blind, 7, 4), "query-blinded-point");
    refused(|i, _| i.blinded.point = of(Mode::Open, 7, 3), "query-blinded-point");
    refused(|i, _| i.blinded.mode = Mode::Open, "query-blinded-point");
    let negative = |point: &Point| Point::from_affine(-point.affine()).unwrap();
    refused(|i, _| i.blinded.point = negative(&i.blinded.point), "query-blinded-point");
    refused(|_, w| w.blinding = *blinding(4).scalar(), "query-blinded-point");
    refused(|_, w| w.blinding = Scalar::ZERO, "query-blinding");
}

/// −H = (−1)·H: it is β that is negative, and the statement is true.
#[test]
fn a_negative_blinding_is_a_blinding() {
    let (mut instance, mut witness) = good();
    witness.blinding = witness.blinding.negated();
    instance.blinded.point = Point::from_affine(-instance.blinded.point.affine()).unwrap();
    assert_eq!(check(&instance, &witness), Ok(()));
    assert!(holds(&instance, &witness));
}

/// What `query` lets be evaluated is what `nym` takes.
#[test]
fn an_evaluated_query_leads_to_a_nym() {
    let (secret, blinding) = (SecretKey::generate(&mut rng(1)), blinding(3));
    let (query, witness) = statement(Mode::Blind, &blinding);
    let evaluation = secret.evaluate_blinded(&query.blinded, &mut rng(2)).unwrap();
    let unblinded = evaluation.unblind(&secret.public_key(), Mode::Blind, &idf(7), &blinding).unwrap();
    let rho = || Rho::from_bytes(&Scalar::random_nonzero(&mut rng(5)).to_bytes()).unwrap();
    let scope = Scope::Epoch(Epoch(9));
    let instance = nym::Instance {
        key: secret.public_key(),
        linking_commitment: query.linking_commitment,
        mode: Mode::Blind,
        profile: scope.profile(),
        epoch: scope.epoch(),
        slots: SlotCount::new(10).unwrap(),
        label: Label::derive(&unblinded.output.monitoring_key, scope),
        commitment: Commitment::new(&idf(7), &rho()).unwrap(),
        key_hash: KeyHash::of_spki(b"a key"),
    };
    let kept = (&blinding, &evaluation, &unblinded.gamma);
    let nym = nym::Witness::blind(idf(7), witness.linking_randomness, rho(), kept, 0);
    assert_eq!(nym::check(&instance, &nym), Ok(()));
    let values = nym::circuit::assign(&instance, &nym);
    assert!(values.is_satisfied() && values.publics() == [instance.digest()]);
}

#[test]
fn an_aliased_ordinate_is_refused() {
    // y + r, whose parity is the other, for a y below 2^254 − r: the other branch of the map, or −H.
    let room = {
        let mut top = ark_ff::BigInt::new([0, 0, 0, 1 << 62]);
        top.sub_with_borrow(&Fr::MODULUS);
        top
    };
    let ordinate = |number| {
        let u = poseidon::hash(Domain::EncodeToCurve, &[Mode::Blind.to_field(), idf(number).0]);
        map_to_montgomery(&u).t * MONTGOMERY_K.inverse().unwrap()
    };
    // About one identity in three has such a y.
    let number = (1..).find(|number| ordinate(*number).into_bigint() < room).unwrap();
    let y = ordinate(number);
    let mut alias = y.into_bigint();
    alias.add_with_carry(&Fr::MODULUS);
    assert_ne!(alias.is_odd(), sgn0(&y));
    let mut values = Values::new(&good().0, &good().1);
    values.idf = idf(number).0;
    let mut decomposed = 0;
    let tamper = move |family: &str, _: usize, value: Fr| {
        if family != "canonical-bits" {
            return value;
        }
        decomposed += 1;
        if decomposed <= 254 { Fr::from(alias.get_bit(decomposed - 1)) } else { value }
    };
    let assigned = Assignment::tampered(tamper, |cs| circuit::synthesize(cs, &values));
    assert!(assigned.violations().iter().any(|v| v.family == "canonical-bits"));
}

#[test]
fn a_proof_is_spent_for_its_public_inputs_only() {
    let (instance, _) = good();
    let mut digests = vec![instance.digest()];
    digests.push(Instance { linking_commitment: Fr::ONE, ..instance }.digest());
    digests.push(Instance { blinded: Blinded { mode: Mode::Open, ..instance.blinded }, ..instance }.digest());
    let point = encode_to_curve(Mode::Open, &idf(1)).unwrap();
    digests.push(Instance { blinded: Blinded { point, ..instance.blinded }, ..instance }.digest());
    for (i, digest) in digests.iter().enumerate() {
        assert!(!digests[i + 1..].contains(digest));
    }
}

#[test]
fn refusals_have_distinct_reasons() {
    let all = [Refusal::LinkingCommitment, Refusal::Blinding, Refusal::BlindedPoint];
    let reasons: std::collections::BTreeSet<_> = all.iter().map(Refusal::reason).collect();
    assert_eq!(reasons.len(), all.len());
}

#[test]
fn shape_is_pinned() {
    let shape = circuit::shape();
    assert!(shape.constraints() <= 8_000);
    assert_eq!((shape.constraints(), shape.witnesses(), shape.publics()), (3_925, 3_925, 1));
    assert_eq!(
        hex::encode(shape.digest()),
        "b75bdaf3e41fc485e8186b87e4425855ede197c8d513ad0ee1577ce39073a74e"
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
        // μ: in the digest, as a verifier recomputes it. idf and ρ_1: opened by c_id, which is in the digest.
        ("", 3),
        // y of Elligator 2, a root whose parity selects the abscissa: unique by `edwards::map_to_subgroup`.
        ("map-to-curve", 1),
        // β but for its lowest bit: not zero modulo l, else unrestricted.
        ("scalar-bits", 251),
    ];
    assert_eq!(chosen, expected);
}
