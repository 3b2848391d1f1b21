//! The hot functions: Poseidon by width, the identity VRF, labels and commitments, the standard VRFs.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark stops by panicking")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_vrf_identity::Fr;
use sigveil_vrf_identity::commitment::{Commitment, Rho};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, Scope};
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::standard::{edwards, ristretto};
use sigveil_vrf_identity::vrf::SecretKey;

fn identity() -> Identity {
    Identity::new("https://issuer.example", Kind::Email, "somebody@mail.example").unwrap()
}

fn hashes(c: &mut Criterion) {
    for inputs in [2usize, 4, 10, 12, 16] {
        let values: Vec<Fr> = (0u64..).take(inputs).map(Fr::from).collect();
        c.bench_function(&format!("poseidon/{inputs}"), |b| {
            b.iter(|| poseidon::hash(Domain::Identity, black_box(&values)));
        });
    }
    let identity = identity();
    c.bench_function("identity/idf", |b| b.iter(|| black_box(&identity).idf()));
}

fn zk_vrf(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = SecretKey::generate(&mut rng);
    let idf = identity().idf();
    let base = encode_to_curve(Mode::Open, &idf).unwrap();
    let evaluation = key.evaluate(Mode::Open, &idf, &mut rng).unwrap();
    let output = evaluation.verify(&key.public_key(), Mode::Open, &idf).unwrap();
    let rho = Rho::from_bytes(&[3; 32][..]).unwrap();

    c.bench_function("zk_vrf/encode_to_curve", |b| b.iter(|| encode_to_curve(Mode::Open, black_box(&idf))));
    c.bench_function("zk_vrf/prove", |b| b.iter(|| key.prove_dleq(black_box(&base), &mut rng)));
    c.bench_function("zk_vrf/eval", |b| b.iter(|| key.evaluate(Mode::Open, black_box(&idf), &mut rng)));
    c.bench_function("zk_vrf/verify", |b| {
        b.iter(|| black_box(&evaluation).verify(&key.public_key(), Mode::Open, &idf).unwrap());
    });
    c.bench_function("label", |b| b.iter(|| Label::derive(black_box(&output.monitoring_key), Scope::Stable)));
    c.bench_function("commitment", |b| b.iter(|| Commitment::new(black_box(&idf), &rho)));
}

fn ecvrf(c: &mut Criterion) {
    let alpha = b"somebody@mail.example";
    let key = edwards::SecretKey::from_bytes(&[7; 32]);
    for (name, suite) in
        [("ecvrf_tai", edwards::Suite::TryAndIncrement), ("ecvrf_ell2", edwards::Suite::Elligator2)]
    {
        let proof = key.prove(suite, alpha).unwrap();
        c.bench_function(&format!("{name}/prove"), |b| b.iter(|| key.prove(suite, black_box(alpha))));
        c.bench_function(&format!("{name}/verify"), |b| {
            b.iter(|| key.public_key().verify(suite, black_box(alpha), &proof).unwrap());
        });
    }
    let key = ristretto::SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let proof = key.prove(alpha);
    c.bench_function("vrf_r255/prove", |b| b.iter(|| key.prove(black_box(alpha))));
    c.bench_function("vrf_r255/verify", |b| {
        b.iter(|| key.public_key().verify(black_box(alpha), &proof).unwrap())
    });
}

criterion_group!(benches, hashes, zk_vrf, ecvrf);
criterion_main!(benches);
