//! Verifiable random functions: the identity VRF beside the standard ones.

use std::hint::black_box;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::standard::{edwards, ristretto};
use sigveil_vrf_identity::vrf::{SecretKey, verify_dleq};

use super::timed;
use crate::row::{Row, Unit};
use crate::workload::Identity as Amount;

const CALLS: usize = 20;
const ALPHA: &[u8] = b"https://issuer.example\0signer@example.org";

pub(crate) fn run(amount: &Amount) -> anyhow::Result<Vec<Row>> {
    let samples = amount.samples;
    let mut rows = zk_vrf(samples)?;
    rows.extend(ecvrf("ecvrf_tai", edwards::Suite::TryAndIncrement, samples)?);
    rows.extend(ecvrf("ecvrf_ell2", edwards::Suite::Elligator2, samples)?);
    rows.extend(vrf_r255(samples)?);
    Ok(rows)
}

fn zk_vrf(samples: usize) -> anyhow::Result<Vec<Row>> {
    const NAME: &str = "zk_vrf";
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = SecretKey::generate(&mut rng);
    let public = key.public_key();
    let idf = Identity::new("https://issuer.example", Kind::Email, "signer@example.org")?.idf();
    let point = encode_to_curve(Mode::Open, &idf)?;
    let evaluation = key.evaluate(Mode::Open, &idf, &mut rng)?;
    evaluation.verify(&public, Mode::Open, &idf)?;
    let bytes = evaluation.gamma.to_bytes().len() + evaluation.proof.to_bytes().len();
    Ok(vec![
        timed(NAME, "eval", samples, CALLS, || {
            black_box(encode_to_curve(Mode::Open, black_box(&idf))).ok();
        }),
        timed(NAME, "prove", samples, CALLS, || {
            black_box(key.evaluate(Mode::Open, black_box(&idf), &mut rng)).ok();
        }),
        timed(NAME, "verify", samples, CALLS, || {
            black_box(verify_dleq(&public, &point, &evaluation.gamma, &evaluation.proof)).ok();
        }),
        Row::exact(NAME, "bytes", Unit::Bytes, bytes as f64),
    ])
}

fn ecvrf(name: &'static str, suite: edwards::Suite, samples: usize) -> anyhow::Result<Vec<Row>> {
    let key = edwards::SecretKey::from_bytes(&[7; 32]);
    let public = key.public_key();
    let proof = key.prove(suite, ALPHA)?;
    public.verify(suite, ALPHA, &proof)?;
    Ok(vec![
        timed(name, "prove", samples, CALLS, || {
            black_box(key.prove(suite, black_box(ALPHA))).ok();
        }),
        timed(name, "verify", samples, CALLS, || {
            black_box(public.verify(suite, black_box(ALPHA), &proof)).ok();
        }),
        Row::exact(name, "bytes", Unit::Bytes, proof.len() as f64),
    ])
}

fn vrf_r255(samples: usize) -> anyhow::Result<Vec<Row>> {
    const NAME: &str = "vrf_r255";
    let key = ristretto::SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(2));
    let public = key.public_key();
    let proof = key.prove(ALPHA);
    public.verify(ALPHA, &proof)?;
    Ok(vec![
        timed(NAME, "prove", samples, CALLS, || {
            black_box(key.prove(black_box(ALPHA)));
        }),
        timed(NAME, "verify", samples, CALLS, || {
            black_box(public.verify(black_box(ALPHA), &proof)).ok();
        }),
        Row::exact(NAME, "bytes", Unit::Bytes, proof.len() as f64),
    ])
}
