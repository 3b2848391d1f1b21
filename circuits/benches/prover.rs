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
use sigveil_circuits::nym::{Instance, Witness, circuit};
use sigveil_circuits::r1cs::Assignment;
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::LinkingRandomness;
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::Scalar;
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, Profile, Scope, SlotCount};
use sigveil_vrf_identity::vrf::SecretKey;

fn statement() -> (Instance, Witness) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let secret = SecretKey::generate(&mut rng);
    let idf = Identity::new("https://issuer.example", Kind::Email, "a@b.example").unwrap().idf();
    let evaluation = secret.evaluate(Mode::Open, &idf, &mut rng).unwrap();
    let output = evaluation.verify(&secret.public_key(), Mode::Open, &idf).unwrap();
    let rho = Rho::from_bytes(&Scalar::random_nonzero(&mut rng).to_bytes()).unwrap();
    let linking = LinkingRandomness(Fr::from(77u64));
    let instance = Instance {
        key: secret.public_key(),
        linking_commitment: linking.commit(idf),
        mode: Mode::Open,
        profile: Profile::Stable,
        epoch: Scope::Stable.epoch(),
        slots: SlotCount::new(1 << 16).unwrap(),
        label: Label::derive(&output.monitoring_key, Scope::Stable),
        commitment: Commitment::new(&idf, &rho).unwrap(),
        key_hash: KeyHash::of_spki(b"a key"),
    };
    (instance, Witness::open(idf, linking, rho, &evaluation, 0))
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
