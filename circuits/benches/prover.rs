//! Hot functions of proving and verifying.
#![allow(missing_docs, reason = "Criterion's macros make public items")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use sigveil_circuits::Fr;
use sigveil_circuits::gadgets::bits::Bit;
use sigveil_circuits::gadgets::{poseidon, rsa, sha256};
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{Keys, Statement};
use sigveil_circuits::nym::{Instance, Witness, circuit, sample};
use sigveil_circuits::r1cs::Assignment;
use sigveil_circuits::testing::Issuer;
use sigveil_vrf_identity::domain::Domain;

fn statement() -> (Instance, Witness) {
    sample::statement(&mut ChaCha20Rng::seed_from_u64(1))
}

fn nym(criterion: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let keys = Keys::generate(Statement::Nym, &mut rng, &mut |_| {}).unwrap();
    let (instance, witness) = statement();
    let mut group = criterion.benchmark_group("nym");
    group.sample_size(10);
    group.bench_function("values", |b| b.iter(|| circuit::assign(&instance, &witness)));
    group.bench_function("prove", |b| {
        b.iter(|| keys.prove(&circuit::assign(&instance, &witness), &mut rng).unwrap());
    });
    let proof = keys.prove(&circuit::assign(&instance, &witness), &mut rng).unwrap();
    let bytes = proof.to_bytes();
    group.bench_function("verify", |b| {
        b.iter(|| {
            let proof = groth16::Proof::from_bytes(&bytes).unwrap();
            groth16::verify(keys.verifying_key(), instance.digest(), &proof).unwrap();
        });
    });
    group.finish();
}

fn gadgets(criterion: &mut Criterion) {
    let inputs: Vec<Fr> = (1..=12u64).map(Fr::from).collect();
    criterion.bench_function("poseidon of 12, values", |b| {
        b.iter(|| {
            Assignment::of(|cs| {
                poseidon::hash(cs, Domain::Identity, &inputs);
            })
        });
    });
    // A message of 55 bytes and its padding fill one block.
    let message = [0x61; 55];
    criterion.bench_function("sha256 of one block, values", |b| {
        b.iter(|| {
            Assignment::of(|cs| {
                let message = sha256::Message::allocate(cs, &message, message.len());
                sha256::digest(cs, &message);
            })
        });
    });
    criterion.bench_function("rsa-2048, values", |b| {
        let (modulus, signature, digest) = signed();
        let digest = std::array::from_fn(|i| Bit::constant(digest[i / 8] >> (7 - i % 8) & 1 == 1));
        b.iter(|| {
            let values = Assignment::of(|cs| {
                let modulus = rsa::Modulus::allocate(cs, rsa::Size::Rsa2048, &modulus);
                rsa::verify(cs, &modulus, &signature, &digest);
            });
            assert!(values.is_satisfied());
        });
    });
}

/// A modulus, a signature, and the digest that it signs.
fn signed() -> (Vec<u8>, Vec<u8>, [u8; 32]) {
    let issuer = Issuer::generate();
    let token = issuer.token("{}");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    (issuer.modulus().as_bytes().to_vec(), signature, Sha256::digest(input).into())
}

criterion_group!(benches, nym, gadgets);
criterion_main!(benches);
