mod file;
mod powers;

use ark_bn254::{Fq2, G1Affine, G1Projective, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, UniformRand};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::Fr;
use crate::groth16::setup::{Trapdoor, with_trapdoor};
use crate::groth16::{Proof, encoding, prove, verify};
use crate::r1cs::{Assignment, Cs, Num};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A chain of products; every form has constants, inputs or several terms, and one variable is in no row.
fn circuit<C: Cs>(cs: &mut C, rows: usize, x: u64) {
    let x = cs.hint(&[], |_| Fr::from(x));
    cs.hint(&[], |_| Fr::from(77u64));
    let mut y = cs.product(&x.plus(&C::Num::constant(Fr::from(7u64))), &x.times(-Fr::from(3u64)));
    cs.public(&y);
    for _ in 0..rows - 2 {
        y = cs.product(&y.minus(&x.times(Fr::from(1u64 << 40))), &x.plus(&y).not().times(-Fr::ONE));
    }
}

fn shape_of(rows: usize) -> Shape {
    Shape::of(|cs| circuit(cs, rows, 0))
}

/// Rows for domains of 8, 12, 16 and 18 points.
const ROWS: [usize; 4] = [6, 10, 14, 16];

fn powers(shape: &Shape) -> Powers {
    Powers::development(points(shape).unwrap(), &mut rng(1))
}

fn begun() -> (Shape, Powers, Ceremony) {
    let shape = shape_of(ROWS[1]);
    let powers = powers(&shape);
    let ceremony = Ceremony::begin("toy", &shape, &powers).unwrap().into_ceremony();
    (shape, powers, ceremony)
}

/// A contribution to what is sound.
fn contribute(ceremony: Ceremony, name: &str, seed: u64) -> Result<Ceremony, Error> {
    let mut verified = Verified { ceremony };
    verified.contribute(name, &mut rng(seed))?;
    Ok(verified.into_ceremony())
}

fn beacon() -> Beacon {
    Beacon::new(b"a value of some block".to_vec(), 4).unwrap()
}

/// After two contributions.
fn contributed() -> (Shape, Powers, Ceremony) {
    let (shape, powers, ceremony) = begun();
    let ceremony = contribute(ceremony, "one", 10).unwrap();
    (shape, powers, contribute(ceremony, "two", 11).unwrap())
}

/// After the beacon.
fn closed() -> (Shape, Powers, Ceremony) {
    let (shape, powers, mut ceremony) = contributed();
    ceremony.close("beacon", beacon()).unwrap();
    (shape, powers, ceremony)
}

fn refusal((shape, powers, ceremony): (Shape, Powers, Ceremony)) -> Error {
    ceremony.verify(&shape, &powers, &mut rng(2)).err().expect("it is refused")
}

#[test]
fn three_contributors_and_a_beacon_make_a_key_that_proves() {
    for rows in ROWS {
        let shape = shape_of(rows);
        let powers = powers(&shape);
        let mut verified = Ceremony::begin("toy", &shape, &powers).unwrap();
        let mut digests = Vec::new();
        for seed in 0..3 {
            digests.push(verified.contribute("somebody", &mut rng(seed)).unwrap());
            // As it goes from hand to hand.
            let mut file = Vec::new();
            verified.ceremony().write(&mut file).unwrap();
            verified = Ceremony::read(&file).unwrap().verify(&shape, &powers, &mut rng(8)).unwrap();
        }
        let mut ceremony = verified.into_ceremony();
        digests.push(ceremony.close("beacon", beacon()).unwrap());
        let verified = ceremony.verify(&shape, &powers, &mut rng(9)).unwrap();
        assert_eq!(verified.ceremony().transcript.digests().collect::<Vec<_>>(), digests);
        let (key, digest) = verified.into_key().unwrap();
        assert_eq!(Some(&digest), digests.last());
        let values = Assignment::of(|cs| circuit(cs, rows, 5));
        let proof = prove(&key, &Matrices::new(&shape), &values, &mut rng(3)).unwrap();
        assert_eq!(verify(key.verifying_key(), values.publics()[0], &proof), Ok(()));
    }
}

/// The key of a ceremony whose trapdoor is known, and the one that a setup makes from it.
#[test]
fn proofs_are_those_of_a_setup_with_the_same_trapdoor() {
    for rows in ROWS {
        let shape = shape_of(rows);
        let domain = domain(&shape).unwrap();
        let [tau, alpha, beta, delta] = [3u64, 5, 7, 11].map(Fr::from);
        let powers = Powers::from_trapdoor(domain.size(), tau, alpha, beta);
        let mut ceremony = Ceremony::begin("toy", &shape, &powers).unwrap().into_ceremony();
        ceremony.multiply(&Secret(delta));
        let key = ProvingKey::from_parts(ceremony.parts).unwrap();
        let matrices = Matrices::new(&shape);
        let trapdoor = Trapdoor { alpha, beta, gamma: Fr::ONE, delta, tau };
        let expected = with_trapdoor(&matrices, domain, &trapdoor, &mut |_| {}).unwrap();
        assert_eq!(key.verifying_key(), expected.verifying_key());
        let values = Assignment::of(|cs| circuit(cs, rows, 5));
        let [one, other] = [&key, &expected].map(|key| prove(key, &matrices, &values, &mut rng(3)).unwrap());
        assert_eq!(one, other);
    }
}

#[test]
fn an_open_ceremony_is_sound_and_gives_no_key() {
    for (shape, powers, ceremony) in [begun(), contributed()] {
        let verified = ceremony.verify(&shape, &powers, &mut rng(2)).unwrap();
        assert!(matches!(verified.into_key(), Err(Error::Open)));
    }
}

#[test]
fn ceremonies_of_something_else_are_refused() {
    let (_, powers, ceremony) = closed();
    assert!(matches!(refusal((shape_of(ROWS[1] - 1), powers, ceremony)), Error::OtherCircuit));
    let (shape, _, ceremony) = closed();
    let other = Powers::development(points(&shape).unwrap(), &mut rng(5));
    assert!(matches!(refusal((shape, other, ceremony)), Error::PowersOther));
    // What names them is altered too.
    let (_, powers, mut ceremony) = closed();
    let other = shape_of(ROWS[1] - 1);
    ceremony.shape = other.digest();
    assert!(matches!(refusal((other, powers, ceremony)), Error::Altered));
    let (shape, _, mut ceremony) = closed();
    let powers = Powers::development(points(&shape).unwrap(), &mut rng(5));
    ceremony.powers = powers.digest();
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Altered));
    let (shape, powers, mut ceremony) = closed();
    ceremony.name = "yot".into();
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Altered));
    // Too few powers, or for another domain.
    let (shape, powers, _) = closed();
    let few = shape_of(ROWS[0]);
    let few = Powers::development(points(&few).unwrap(), &mut rng(1));
    assert!(matches!(Ceremony::begin("toy", &shape, &few), Err(Error::PowersTooFew { .. })));
    let more = shape_of(ROWS[2]);
    assert!(matches!(Ceremony::begin("toy", &more, &powers), Err(Error::PowersTooFew { .. })));
}

/// A contributor who knows its secret and makes a sound record of points that it did not scale as it should.
fn cheated(cheat: impl FnOnce(&mut Parts)) -> Error {
    let (shape, powers, mut ceremony) = contributed();
    let secret = Secret::random(&mut rng(4));
    ceremony.multiply(&secret);
    cheat(&mut ceremony.parts);
    ceremony.transcript.contribute("cheat", &secret, &ceremony.parts, &mut rng(5)).unwrap();
    ceremony.check_transcript().unwrap();
    refusal((shape, powers, ceremony))
}

/// Moves a point, the identity too.
fn moved<G: AffineRepr>(point: &mut G) {
    *point = (*point + G::generator()).into_affine();
}

#[test]
fn one_point_that_is_not_scaled_as_it_should_is_found() {
    let parameters = |error| match error {
        Error::Parameters(which) => which,
        other => panic!("{other}"),
    };
    for at in [0, 1] {
        assert_eq!(parameters(cheated(|parts| moved(&mut parts.l[at]))), "L", "an input");
    }
    assert_eq!(parameters(cheated(|parts| moved(parts.l.last_mut().unwrap()))), "L");
    assert_eq!(parameters(cheated(|parts| parts.l.swap(2, 4))), "L");
    // The variable that is in no row.
    assert_eq!(parameters(cheated(|parts| parts.l[3] = G1Affine::generator())), "L");
    for at in 0..12 {
        assert_eq!(parameters(cheated(|parts| moved(&mut parts.h[at]))), "H");
    }
    assert_eq!(parameters(cheated(|parts| moved(&mut parts.a[4]))), "A");
    assert_eq!(parameters(cheated(|parts| moved(&mut parts.b_g1[4]))), "B in G1");
    assert_eq!(parameters(cheated(|parts| moved(&mut parts.b_g2[4]))), "B in G2");
    assert_eq!(parameters(cheated(|parts| moved(&mut parts.beta))), "α, β or γ");
    let points = |change: fn(&mut crate::groth16::Points)| {
        parameters(cheated(|parts| {
            let mut points = parts.verifying.points.clone();
            change(&mut points);
            parts.verifying = VerifyingKey::new(points);
        }))
    };
    assert_eq!(points(|points| moved(&mut points.alpha)), "α, β or γ");
    assert_eq!(points(|points| moved(&mut points.beta)), "α, β or γ");
    assert_eq!(points(|points| moved(&mut points.gamma)), "α, β or γ");
    assert_eq!(points(|points| moved(&mut points.inputs[0])), "the public inputs");
    assert_eq!(points(|points| moved(&mut points.inputs[1])), "the public inputs");
    // As many points as of another circuit.
    for change in [
        (|parts: &mut Parts| parts.h.truncate(7)) as fn(&mut Parts),
        |parts: &mut Parts| parts.l.truncate(7),
        |parts: &mut Parts| parts.a.truncate(7),
    ] {
        assert!(matches!(cheated(change), Error::OtherCircuit));
    }
}

/// Why [`Verified`] alone is multiplied by secrets. L holds a point for the input, which H spans too: whoever leads puts
/// that of the verifying key in its place, has it divided by the secrets of all, makes the place good again, and has what
/// turns a proof of one input into one of any other.
#[test]
fn a_point_that_nobody_checked_would_come_back_as_a_forgery() {
    let (shape, powers, mut ceremony) = begun();
    let (genuine, matrices) = (ceremony.parts.l[1], Matrices::new(&shape));
    let of_h = in_h(&matrices, domain(&shape).unwrap());
    let sum = |h: &[G1Affine]| -> G1Affine {
        h.iter().zip(&of_h).map(|(point, k)| *point * k).sum::<G1Projective>().into_affine()
    };
    assert_eq!(sum(&ceremony.parts.h), genuine);
    ceremony.parts.l[1] = ceremony.parts.verifying.points.inputs[1];
    ceremony.transcript =
        Transcript::begin("toy", &shape.digest(), powers.digest(), &ceremony.parts).unwrap();
    // Sound as far as records go, and refused by whoever looks at the points before contributing.
    ceremony.check_transcript().unwrap();
    let mut file = Vec::new();
    ceremony.write(&mut file).unwrap();
    assert!(matches!(refusal((shape, powers, Ceremony::read(&file).unwrap())), Error::Parameters("L")));

    // What it would lead to: an honest contribution, and one more that makes good what everybody checks.
    let shape = shape_of(ROWS[1]);
    let powers = self::powers(&shape);
    let mut ceremony = contribute(ceremony, "honest", 10).unwrap();
    let oracle = ceremony.parts.l[1];
    ceremony.parts.l[1] = sum(&ceremony.parts.h);
    let last = Secret::random(&mut rng(4));
    ceremony.multiply(&last);
    ceremony.transcript.contribute("leader", &last, &ceremony.parts, &mut rng(5)).unwrap();
    let factor = beacon().secret(&ceremony.transcript.digest());
    ceremony.close("beacon", beacon()).unwrap();
    let verified = ceremony.verify(&shape, &powers, &mut rng(2)).unwrap();
    let (key, _) = verified.into_key().unwrap();
    let values = Assignment::of(|cs| circuit(cs, ROWS[1], 5));
    let mut proof = prove(&key, &matrices, &values, &mut rng(3)).unwrap().to_bytes().to_vec();
    let (proven, wanted) = (values.publics()[0], Fr::from(1_000_003u64));
    let later = (last.0 * factor.0).inverse().unwrap();
    let c: G1Affine = encoding::take(&mut &proof[96..]).unwrap();
    proof.truncate(96);
    encoding::put(&mut proof, &(c + oracle * ((proven - wanted) * later)).into_affine());
    assert_eq!(verify(key.verifying_key(), wanted, &Proof::from_bytes(&proof).unwrap()), Ok(()));
}

/// The factors of H's points whose sum is that of the one public input in L: −C_1(ψω^i), as C_1·(xⁿ − 1)/2 is zero where
/// xⁿ = 1, and that where xⁿ = −1.
fn in_h(matrices: &Matrices, domain: Domain) -> Vec<Fr> {
    let unit: Vec<Fr> = (0..matrices.variables()).map(|j| Fr::from(u64::from(j == 1))).collect();
    let c = transform::inverse(domain, &matrices.interpolated(2, domain.size(), &unit));
    let at = |x: Fr| c.iter().rev().fold(Fr::ZERO, |sum, k| sum * x + k);
    let (twist, root) = (domain.half_generator(), domain.generator());
    (0..domain.size() as u64).map(|i| -at(twist * root.pow([i]))).collect()
}

#[test]
fn a_delta_that_does_not_follow_is_found() {
    // δ in one group is of another secret than that in the other, or than the record's.
    for groups in [(true, false), (false, true), (true, true)] {
        let (shape, powers, mut ceremony) = contributed();
        let secret = Secret::random(&mut rng(4));
        ceremony.multiply(&secret);
        if groups.0 {
            moved(&mut ceremony.parts.delta);
        }
        if groups.1 {
            let mut points = ceremony.parts.verifying.points.clone();
            moved(&mut points.delta);
            ceremony.parts.verifying = VerifyingKey::new(points);
        }
        ceremony.transcript.contribute("cheat", &secret, &ceremony.parts, &mut rng(5)).unwrap();
        assert!(matches!(refusal((shape, powers, ceremony)), Error::Delta(3)), "{groups:?}");
    }
}

#[test]
fn who_does_not_know_the_secret_is_found() {
    // Another contribution's record at another place: the proof is of the transcript up to there.
    let (shape, powers, mut ceremony) = contributed();
    let mut records = ceremony.transcript.records().to_vec();
    records.push(records[0].clone());
    ceremony.transcript.replace(records);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Knowledge(3)));
    // The same record in another ceremony.
    let (shape, powers, ceremony) = begun();
    let mut ceremony = contribute(ceremony, "three", 12).unwrap();
    let (_, _, other) = contributed();
    ceremony.transcript.replace(other.transcript.records().to_vec());
    ceremony.parts = other.parts;
    let mut renamed = Ceremony { name: "yot".into(), ..ceremony };
    renamed.transcript = Transcript::begin("yot", &shape.digest(), powers.digest(), &renamed.parts).unwrap();
    renamed.transcript.replace(other.transcript.records().to_vec());
    assert!(matches!(refusal((shape, powers, renamed)), Error::Knowledge(1)));
    // A proof for a secret that is not that of the factor: δ follows by one, the proof is of the other.
    let (shape, powers, mut ceremony) = contributed();
    let secrets = [Secret::random(&mut rng(4)), Secret::random(&mut rng(5))];
    ceremony.multiply(&secrets[0]);
    ceremony.transcript.contribute("cheat", &secrets[0], &ceremony.parts, &mut rng(6)).unwrap();
    let mut records = ceremony.transcript.records().to_vec();
    records[2] = records[2].with_response(Fr::from(1u64));
    ceremony.transcript.replace(records);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Knowledge(3)));
}

#[test]
fn who_repeats_a_secret_or_contributes_nothing_is_found() {
    let (shape, powers, mut ceremony) = begun();
    for name in ["one", "two"] {
        // The secret is drawn first: the same generator gives the same one.
        ceremony = contribute(ceremony, name, 10).unwrap();
    }
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Repeated(2)));
    let (shape, powers, mut ceremony) = contributed();
    ceremony.transcript.contribute("nobody", &Secret(Fr::ONE), &ceremony.parts, &mut rng(5)).unwrap();
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Empty(3)));
}

#[test]
fn a_transcript_that_was_cut_or_altered_is_found() {
    type Change = fn(&mut Vec<Record>);
    let changes: [(Change, &str); 5] = [
        (|records| drop(records.pop()), "ceremony-altered"),
        (|records| records.clear(), "ceremony-altered"),
        (|records| drop(records.remove(0)), "ceremony-knowledge"),
        (|records| records.swap(0, 1), "ceremony-knowledge"),
        (|records| records[0].name = "eno".into(), "ceremony-knowledge"),
    ];
    for (change, reason) in changes {
        let (shape, powers, mut ceremony) = contributed();
        let mut records = ceremony.transcript.records().to_vec();
        change(&mut records);
        ceremony.transcript.replace(records);
        assert_eq!(refusal((shape, powers, ceremony)).reason(), reason);
    }
    // A point is altered, and no record made for it.
    let (shape, powers, mut ceremony) = contributed();
    moved(&mut ceremony.parts.h[0]);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Altered));
}

#[test]
fn beacons_are_recomputed_and_come_last_and_not_alone() {
    let (_, _, mut ceremony) = begun();
    assert!(matches!(ceremony.close("beacon", beacon()), Err(Error::NoContribution)));
    assert!(matches!(contribute(closed().2, "late", 3), Err(Error::Closed)));
    let (_, _, mut ceremony) = closed();
    assert!(matches!(ceremony.close("again", beacon()), Err(Error::Closed)));
    // Another value than that of the factor.
    let (shape, powers, mut ceremony) = closed();
    let mut records = ceremony.transcript.records().to_vec();
    records[2] = records[2].with_beacon(Beacon::new(vec![1; 16], 4).unwrap());
    ceremony.transcript.replace(records);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Beacon));
    // One without contributions, and one with a contribution after it, made by hand.
    let (shape, powers, mut ceremony) = begun();
    let secret = beacon().secret(&ceremony.transcript.digest());
    ceremony.multiply(&secret);
    ceremony.transcript.contribute("beacon", &secret, &ceremony.parts, &mut rng(3)).unwrap();
    let record = ceremony.transcript.records()[0].with_beacon(beacon());
    ceremony.transcript.replace(vec![record.clone()]);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::NoContribution));
    let (shape, powers, mut ceremony) = closed();
    let mut records = ceremony.transcript.records().to_vec();
    records.push(record);
    ceremony.transcript.replace(records);
    assert!(matches!(refusal((shape, powers, ceremony)), Error::Closed));
}

#[test]
fn names_and_beacons_have_bounds() {
    let (_, _, mut ceremony) = begun();
    for name in ["", "a\nb", "ä", &"x".repeat(65)] {
        assert!(matches!(
            ceremony.transcript.contribute(name, &Secret(Fr::from(2u64)), &ceremony.parts, &mut rng(1)),
            Err(Error::Unacceptable(_))
        ));
    }
    contribute(ceremony, &"x".repeat(64), 1).unwrap();
    for (length, exponent) in [(15, 1), (65, 1), (16, 25)] {
        assert!(matches!(Beacon::new(vec![0; length], exponent), Err(Error::Unacceptable(_))));
    }
    assert!(Beacon::new(vec![0; 64], 24).is_ok());
    // As many records as a transcript has at most.
    let (_, _, mut ceremony) = contributed();
    let record = ceremony.transcript.records()[0].clone();
    ceremony.transcript.replace(vec![record.clone(); 4095]);
    assert!(ceremony.transcript.accepts("one more").is_ok());
    ceremony.transcript.replace(vec![record; 4096]);
    assert!(matches!(ceremony.transcript.accepts("too many"), Err(Error::Unacceptable(_))));
}

/// A point of the curve over F_q² that is not in G2, packed.
fn outside_of_g2() -> Vec<u8> {
    use zerocopy::IntoBytes;
    let mut rng = rng(6);
    let point = std::iter::repeat_with(|| Fq2::rand(&mut rng))
        .find_map(|x| G2Affine::get_point_from_x_unchecked(x, false));
    <crate::prover::PackedG2 as crate::prover::Packed>::pack(&point.unwrap()).as_bytes().to_vec()
}
