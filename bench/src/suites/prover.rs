//! Circuits, keys and proofs: `token` in its size classes, and `nym`.
//!
//! Keys are made afresh, so that a run says what a first use costs; nothing is cached.

use std::hint::black_box;

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::{Proof, verify, verify_batch};
use sigveil_circuits::keys::{KeyStore, Keys, Statement};
use sigveil_circuits::r1cs::Assignment;
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::native::{Expectation, check};
use sigveil_circuits::token::{Binding, Class, Jwt, LinkingRandomness, SizeClass, Usage};
use sigveil_circuits::{nym, token};
use sigveil_vrf_identity::identity::Kind;

use super::timed;
use crate::machine::spent;
use crate::row::{Row, Unit};
use crate::{Effort, machine};

const ISSUER: &str = "https://issuer.example";
const EMAIL: &str = "signer@example.org";
const TIME: u64 = 1_800_000_000;
const BATCH: usize = 100;

pub(crate) fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let mut rows = statement("nym", Statement::Nym, effort, &nym_values())?;
    let classes = if effort.quick { &[SizeClass::B1024][..] } else { &SizeClass::ALL };
    for class in classes {
        let name = format!("token_{}", class.bytes());
        rows.extend(statement(
            &name,
            Statement::Token(Class::rsa2048(*class)),
            effort,
            &token_values(*class)?,
        )?);
    }
    // Of the whole process, so of the largest of its statements.
    rows.push(Row::exact("prover", "peak_rss", Unit::Bytes, machine::peak_rss()));
    Ok(rows)
}

/// Computes the values of one fixed statement.
type Values = Box<dyn Fn() -> Assignment>;

fn statement(name: &str, statement: Statement, effort: Effort, values: &Values) -> anyhow::Result<Vec<Row>> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let folder = tempfile::tempdir()?;
    let store = KeyStore::new(folder.path());
    let (setup, keys) = spent(|| store.load_or_create(statement, &mut rng, &mut |_| {}));
    let keys = keys?;
    let (load, loaded) = spent(|| store.load(statement));
    loaded?.context("the key that was just made is gone")?;
    let key_bytes = std::fs::metadata(store.path_of(statement))?.len();

    let honest = values();
    anyhow::ensure!(honest.is_satisfied(), "{name}: the statement does not hold");
    let public = *honest.publics().first().context("a statement has one public input")?;
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    let mut proof = None;
    for _ in 0..effort.times(3, 9) {
        let (spent, made) = spent(|| keys.prove(&honest, &mut rng));
        proof = Some(made?);
        wall.push(spent.wall);
        cpu.push(spent.cpu);
    }
    let proof = proof.context("no proof was made")?;
    let samples = effort.times(5, 20);
    let mut rows = vec![
        Row::exact(name, "constraints", Unit::One, honest.constraints() as f64),
        Row::over(name, "prove_wall", Unit::Seconds, &wall),
        Row::over(name, "prove_cpu", Unit::Seconds, &cpu),
        timed(name, "witness", samples, 1, || {
            black_box(values());
        }),
        Row::exact(name, "setup_wall", Unit::Seconds, setup.wall),
        Row::exact(name, "key_load", Unit::Seconds, load.wall),
        Row::exact(name, "key_bytes", Unit::Bytes, key_bytes as f64),
        Row::exact(name, "proof_bytes", Unit::Bytes, proof.to_bytes().len() as f64),
    ];
    rows.extend(verification(name, samples, &keys, public, &proof)?);
    Ok(rows)
}

fn verification(
    name: &str,
    samples: usize,
    keys: &Keys,
    public: Fr,
    proof: &Proof,
) -> anyhow::Result<Vec<Row>> {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let key = keys.verifying_key();
    let batch = vec![(public, *proof); BATCH];
    verify(key, public, proof)?;
    verify_batch(key, &batch, &mut rng)?;
    let one = timed(name, "verify", samples, 10, || {
        black_box(verify(key, public, black_box(proof))).ok();
    });
    // Of each proof in the batch.
    let per_batch: Vec<f64> = (0..samples)
        .map(|_| spent(|| verify_batch(key, black_box(&batch), &mut rng)).0.wall / BATCH as f64)
        .collect();
    Ok(vec![one, Row::over(name, "verify_batch100", Unit::Seconds, &per_batch)])
}

/// A token that fills the class, checked and ready to be proven.
fn token_values(class: SizeClass) -> anyhow::Result<Values> {
    let issuer = Issuer::generate();
    let payload = |filler: usize| {
        format!(
            r#"{{"iss":"{ISSUER}","aud":"sigstore","sub":"1","email":"{EMAIL}","email_verified":true,"iat":{TIME},"exp":{},"filler":"{}"}}"#,
            TIME + 600,
            "x".repeat(filler)
        )
    };
    let input = |token: &str| token.rfind('.').unwrap_or(token.len());
    let free = class.bytes().saturating_sub(input(&issuer.token(&payload(0))));
    let text = issuer.token(&payload((free * 3 / 4).saturating_sub(3)));
    let (jwt, modulus) = (Jwt::parse(&text)?, issuer.modulus());
    anyhow::ensure!(jwt.compact().size_class() == class, "the token is not of its class");
    let expected = Expectation {
        modulus: &modulus,
        issuer: ISSUER,
        audience: "sigstore",
        kind: Kind::Email,
        time: TIME,
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    };
    let checked = check(&jwt, &expected)?;
    let randomness = LinkingRandomness(Fr::from(7u64));
    let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
    Ok(Box::new(move || token::circuit::assign(witness.class(), &instance, &witness)))
}

fn nym_values() -> Values {
    let (instance, witness) = nym::sample::statement(&mut ChaCha20Rng::seed_from_u64(3));
    Box::new(move || nym::circuit::assign(&instance, &witness))
}
