//! Proofs and keys: what is made holds, and each thing that is not a proof is refused.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::SWCurveConfig;
use ark_ff::{BigInteger, PrimeField, UniformRand};
use ark_serialize::CanonicalSerialize;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::{self, Error, Matrices, Proof, ProvingKey, VerifyingKey};
use sigveil_circuits::prover::lanes::Path;
use sigveil_circuits::r1cs::{Assignment, Cs, Num, Shape};

/// Knowledge of x and y with x³·y = public, by way of a chain that makes the domain a few dozen points wide.
fn circuit<C: Cs>(cs: &mut C, x: Fr, y: Fr) {
    let x = cs.hint(&[], |_| x);
    let y = cs.hint(&[], |_| y);
    let square = cs.product(&x, &x);
    let cube = cs.product(&square, &x);
    let mut out = cs.product(&cube, &y);
    cs.public(&out);
    for _ in 0..20 {
        out = cs.product(&out, &out);
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn keys(seed: u64) -> (ProvingKey, Matrices) {
    let shape = Shape::of(|cs| circuit(cs, Fr::from(0u64), Fr::from(0u64)));
    (groth16::setup(&shape, &mut rng(seed), &mut |_| {}).unwrap(), Matrices::new(&shape))
}

fn proven(key: &ProvingKey, matrices: &Matrices, x: u64, y: u64) -> (Fr, Proof) {
    let values = Assignment::of(|cs| circuit(cs, Fr::from(x), Fr::from(y)));
    (values.publics()[0], groth16::prove(key, matrices, &values, &mut rng(x ^ y)).unwrap())
}

#[test]
fn proofs_hold_for_their_input_and_key_only() {
    let (key, matrices) = keys(1);
    let (public, proof) = proven(&key, &matrices, 3, 5);
    assert_eq!(public, Fr::from(135u64));
    assert_eq!(groth16::verify(key.verifying_key(), public, &proof), Ok(()));
    assert_eq!(
        groth16::verify(key.verifying_key(), public + Fr::from(1u64), &proof),
        Err(Error::ProofInvalid)
    );
    let (other, _) = keys(2);
    assert_eq!(groth16::verify(other.verifying_key(), public, &proof), Err(Error::ProofInvalid));
}

#[test]
fn proofs_of_one_statement_differ() {
    let (key, matrices) = keys(1);
    let values = Assignment::of(|cs| circuit(cs, Fr::from(3u64), Fr::from(5u64)));
    let first = groth16::prove(&key, &matrices, &values, &mut rng(10)).unwrap();
    let second = groth16::prove(&key, &matrices, &values, &mut rng(11)).unwrap();
    assert_ne!(first, second);
}

#[test]
fn provers_at_once_make_the_proofs_that_each_makes_alone() {
    let (key, matrices) = keys(1);
    let alone: Vec<_> = (1..5).map(|i| proven(&key, &matrices, i, i + 7)).collect();
    let together = std::thread::scope(|scope| {
        let prove = |i| {
            let (key, matrices) = (&key, &matrices);
            scope.spawn(move || proven(key, matrices, i, i + 7))
        };
        let threads: Vec<_> = (1..5).map(prove).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(alone, together);
}

#[test]
fn every_path_makes_the_same_proof() {
    let (key, matrices) = keys(1);
    let values = Assignment::of(|cs| circuit(cs, Fr::from(3u64), Fr::from(5u64)));
    let prove = |path| groth16::prove_on(path, &key, &matrices, &values, &mut rng(7)).unwrap();
    let portable = prove(Path::Portable);
    assert!(Path::all().all(|path| prove(path) == portable));
}

#[test]
fn a_batch_holds_only_if_every_proof_does() {
    let (key, matrices) = keys(1);
    let mut batch: Vec<_> = (1..6).map(|i| proven(&key, &matrices, i, i + 7)).collect();
    let vk = key.verifying_key();
    assert_eq!(groth16::verify_batch(vk, &batch, &mut rng(3)), Ok(()));
    assert_eq!(groth16::verify_batch(vk, &[], &mut rng(3)), Ok(()));
    // Two errors that cancel without random factors.
    batch[0].0 += Fr::from(1u64);
    batch[1].0 -= Fr::from(1u64);
    assert_eq!(groth16::verify_batch(vk, &batch, &mut rng(3)), Err(Error::ProofInvalid));
    batch.swap(0, 2);
    assert_eq!(groth16::verify_batch(vk, &batch, &mut rng(3)), Err(Error::ProofInvalid));
}

#[test]
fn a_witness_that_fails_a_row_is_not_proven() {
    let (key, matrices) = keys(1);
    let wrong = Assignment::tampered(
        |_, variable, value| if variable == 2 { value + Fr::from(1u64) } else { value },
        |cs| circuit(cs, Fr::from(3u64), Fr::from(5u64)),
    );
    let refused = groth16::prove(&key, &matrices, &wrong, &mut rng(4)).unwrap_err();
    assert_eq!(refused, Error::WitnessUnsatisfied { row: 0, family: "" });
}

#[test]
fn keys_of_another_circuit_are_noticed() {
    let (key, _) = keys(1);
    // One witness more.
    let longer = |cs: &mut Assignment| {
        circuit(cs, Fr::from(3u64), Fr::from(5u64));
        cs.hint(&[], |_| Fr::from(1u64));
    };
    let shape = Shape::of(|cs| {
        circuit(cs, Fr::from(0u64), Fr::from(0u64));
        cs.hint(&[], |_| Fr::from(1u64));
    });
    let refused = groth16::prove(&key, &Matrices::new(&shape), &Assignment::of(longer), &mut rng(4));
    assert_eq!(refused.unwrap_err(), Error::KeyMismatch);
    // As many variables and rows, other rows: the proof would not verify.
    let other = |cs: &mut Shape| {
        let x = cs.hint(&[], |_| Fr::from(0u64));
        cs.hint_many(24, &[], |_| vec![]);
        for _ in 0..23 {
            cs.equal(&x, &x);
        }
        cs.public(&x);
    };
    let matrices = Matrices::new(&Shape::of(other));
    let values = Assignment::of(|cs| circuit(cs, Fr::from(3u64), Fr::from(5u64)));
    assert_eq!(matrices.constraints(), values.constraints());
    let refused = groth16::prove(&key, &matrices, &values, &mut rng(4));
    assert_eq!(refused.unwrap_err(), Error::KeyMismatch);
}

#[test]
fn any_number_of_public_inputs_is_proven() {
    fn circuit<C: Cs>(cs: &mut C, publics: u64) {
        let x = cs.hint(&[], |_| Fr::from(3u64));
        cs.equal(&x, &x);
        (0..publics).for_each(|i| cs.public(&x.times(Fr::from(i))));
    }
    for publics in [0, 2] {
        let shape = Shape::of(|cs| circuit(cs, publics));
        let key = groth16::setup(&shape, &mut rng(1), &mut |_| {}).unwrap();
        let values = Assignment::of(|cs| circuit(cs, publics));
        let proof = groth16::prove(&key, &Matrices::new(&shape), &values, &mut rng(2)).unwrap();
        assert_eq!(groth16::verify_inputs(key.verifying_key(), values.publics(), &proof), Ok(()));
        let vk = VerifyingKey::from_bytes(&key.verifying_key().to_bytes()).unwrap();
        assert_eq!(
            (vk.inputs(), groth16::verify_inputs(&vk, values.publics(), &proof)),
            (values.publics().len() + 1, Ok(()))
        );
        assert_eq!(groth16::verify(&vk, Fr::from(3u64), &proof), Err(Error::ProofInvalid));
    }
}

#[test]
fn encodings_round_trip() {
    let (key, matrices) = keys(1);
    let (_, proof) = proven(&key, &matrices, 3, 5);
    assert_eq!(Proof::from_bytes(&proof.to_bytes()), Ok(proof));
    let vk = key.verifying_key();
    assert_eq!(VerifyingKey::from_bytes(&vk.to_bytes()).as_ref(), Ok(vk));
    assert_eq!(VerifyingKey::from_bytes(&vk.to_bytes()).unwrap().digest(), vk.digest());
    assert_ne!(keys(2).0.verifying_key().digest(), vk.digest());
}

fn compressed(point: &impl CanonicalSerialize) -> Vec<u8> {
    let mut out = Vec::new();
    point.serialize_compressed(&mut out).unwrap();
    out
}

/// Encodings of a point of G1 or G2 that no decoder may take, with what it says.
fn bad_points(good: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let infinity = match good.len() {
        32 => compressed(&G1Affine::zero()),
        _ => compressed(&G2Affine::zero()),
    };
    // The infinity flag over coordinates that are not zero; both flags.
    let flagged = |flag: u8| {
        let mut bytes = good.to_vec();
        *bytes.last_mut().unwrap() |= flag;
        bytes
    };
    // x ≥ p: the same residue spelt a second time, and all ones.
    let mut too_large = good.to_vec();
    let length = too_large.len();
    too_large[length - 32..].copy_from_slice(&Fq::MODULUS.to_bytes_le());
    let no_point = "not a point of the prime-order group";
    let mut bad = vec![
        (infinity, "point at infinity"),
        (too_large, no_point),
        (flagged(0xC0), no_point),
        (off_curve(good.len()), no_point),
    ];
    let mut second = flagged(0x40);
    *second.last_mut().unwrap() &= 0x7F;
    bad.push((second, "point at infinity"));
    bad
}

/// An x coordinate that no point has.
fn off_curve(length: usize) -> Vec<u8> {
    let mut rng = rng(5);
    loop {
        let (bytes, none) = if length == 32 {
            let x = Fq::rand(&mut rng);
            (compressed(&x), G1Affine::get_point_from_x_unchecked(x, false).is_none())
        } else {
            let x = Fq2::rand(&mut rng);
            (compressed(&x), G2Affine::get_point_from_x_unchecked(x, false).is_none())
        };
        if none {
            return bytes;
        }
    }
}

#[test]
fn malformed_proofs_are_refused() {
    let (key, matrices) = keys(1);
    let good = proven(&key, &matrices, 3, 5).1.to_bytes();
    for (at, length) in [(0, 32), (32, 64), (96, 32)] {
        for (point, why) in bad_points(&good[at..at + length]) {
            let mut bytes = good;
            bytes[at..at + length].copy_from_slice(&point);
            assert_eq!(Proof::from_bytes(&bytes), Err(Error::ProofMalformed(why)), "{at}");
        }
    }
    for length in [0, 127] {
        assert_eq!(Proof::from_bytes(&good[..length]), Err(Error::ProofMalformed("not 128 bytes")));
    }
    assert_eq!(Proof::from_bytes(&[&good[..], &[0]].concat()), Err(Error::ProofMalformed("not 128 bytes")));
}

#[test]
fn a_point_of_g2_outside_the_subgroup_is_refused() {
    let (key, matrices) = keys(1);
    let good = proven(&key, &matrices, 3, 5).1.to_bytes();
    let mut rng = rng(6);
    let outside = std::iter::repeat_with(|| Fq2::rand(&mut rng))
        .find_map(|x| G2Affine::get_point_from_x_unchecked(x, false))
        .unwrap();
    assert!(outside.is_on_curve());
    assert!(!ark_bn254::g2::Config::is_in_correct_subgroup_assuming_on_curve(&outside));
    let mut bytes = good;
    bytes[32..96].copy_from_slice(&compressed(&outside));
    let why = "not a point of the prime-order group";
    assert_eq!(Proof::from_bytes(&bytes), Err(Error::ProofMalformed(why)));
}

#[test]
fn malformed_verifying_keys_are_refused() {
    let good = keys(1).0.verifying_key().to_bytes();
    for (at, length) in [(0, 32), (32, 64), (96, 64), (160, 64), (224, 32), (256, 32)] {
        for (point, why) in bad_points(&good[at..at + length]) {
            let mut bytes = good.clone();
            bytes[at..at + length].copy_from_slice(&point);
            assert_eq!(VerifyingKey::from_bytes(&bytes), Err(Error::VerifyingKeyMalformed(why)), "{at}");
        }
    }
    let why = Error::VerifyingKeyMalformed("not 224 bytes and 32 for each input");
    assert_eq!(VerifyingKey::from_bytes(&good[..287]), Err(why));
    assert_eq!(VerifyingKey::from_bytes(&[&good[..], &[0]].concat()), Err(why));
    assert_eq!(VerifyingKey::from_bytes(&good[..224]), Err(why));
}

#[test]
fn altered_proofs_are_refused_one_way_or_the_other() {
    let (key, matrices) = keys(1);
    let (public, proof) = proven(&key, &matrices, 3, 5);
    for bit in (0..1024).step_by(7) {
        let mut bytes = proof.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let checked =
            Proof::from_bytes(&bytes).and_then(|p| groth16::verify(key.verifying_key(), public, &p));
        let reason = checked.unwrap_err().reason();
        assert!(["proof-malformed", "proof-invalid"].contains(&reason), "{bit}: {reason}");
    }
}

#[test]
fn setup_reports_all_its_work() {
    let shape = Shape::of(|cs| circuit(cs, Fr::from(0u64), Fr::from(0u64)));
    let mut stages = Vec::new();
    groth16::setup(&shape, &mut rng(1), &mut |stage| stages.push(stage)).unwrap();
    assert!(stages.windows(2).all(|w| w[0].done < w[1].done && w[0].of == w[1].of));
    let last = stages.last().unwrap();
    assert_eq!(last.done, last.of);
}
