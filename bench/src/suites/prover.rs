//! Circuits, keys and proofs: `token` in its size classes, and `nym`.
//!
//! Keys are made afresh, so that a run says what a first use costs; nothing is cached. Proofs of one statement are made
//! in turn by the prover, by its portable path (`.portable`) and, with a key of its own, by ark-groth16 on the same
//! matrices and values (`.ark`); at 1,024 bytes also by the programs of others that were asked for. Where a proof's
//! time goes is in the rows `stage_…`, in CPU seconds of each stage run by itself. `curve_2e15` and so on are statements
//! of so many rows of mostly bits.

mod arkworks;
mod curve;

use std::hint::black_box;

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::{Proof, ProvingKey, prove_on, verify, verify_batch};
use sigveil_circuits::keys::{KeyStore, Keys, Statement};
use sigveil_circuits::prover::lanes::Path;
use sigveil_circuits::prover::{Matrices, stages};
use sigveil_circuits::r1cs::{Assignment, Shape};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::native::{Expectation, check};
use sigveil_circuits::token::{Binding, Class, Jwt, LinkingRandomness, SizeClass, Usage};
use sigveil_circuits::{nym, token};
use sigveil_vrf_identity::identity::Kind;

use super::timed;
use crate::machine::{Spent, spent};
use crate::rival::Name;
use crate::row::{Row, Unit};
use crate::{Effort, machine};

const ISSUER: &str = "https://issuer.example";
const EMAIL: &str = "signer@example.org";
const TIME: u64 = 1_800_000_000;
const BATCH: usize = 100;

pub(crate) fn run(effort: Effort, against: &[String]) -> anyhow::Result<Vec<Row>> {
    let against = against.iter().map(|name| Name::parse(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut rows = statement("nym", Statement::Nym, effort, &nym_values(), &[])?;
    let classes = if effort.quick { &[SizeClass::B1024][..] } else { &SizeClass::ALL };
    for class in classes {
        let name = format!("token_{}", class.bytes());
        let rivals = if *class == SizeClass::B1024 { against.as_slice() } else { &[] };
        let token = Statement::Token(Class::rsa2048(*class));
        rows.extend(statement(&name, token, effort, &token_values(*class)?, rivals)?);
    }
    rows.extend(curve::rows(effort)?);
    // Of the whole process, so of the largest of its statements, and of other provers' keys.
    rows.push(Row::exact("prover", "peak_rss", Unit::Bytes, machine::peak_rss()));
    Ok(rows)
}

/// Computes the values of one fixed statement.
type Values = Box<dyn Fn() -> Assignment>;

fn statement(
    name: &str,
    statement: Statement,
    effort: Effort,
    values: &Values,
    rivals: &[Name],
) -> anyhow::Result<Vec<Row>> {
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
    let subject = Subject {
        shape: &statement.shape(),
        key: keys.proving_key(),
        matrices: keys.matrices(),
        values: &honest,
    };
    let proof = keys.prove(&honest, &mut rng)?;
    let samples = effort.times(5, 20);
    let mut rows = vec![
        Row::exact(name, "constraints", Unit::One, honest.constraints() as f64),
        // Before another prover's key is in memory.
        Row::exact(name, "peak_rss", Unit::Bytes, machine::peak_rss()),
    ];
    rows.extend(subject.proofs(name, effort, rivals)?);
    rows.extend([
        timed(name, "witness", samples, 1, || {
            black_box(values());
        }),
        Row::exact(name, "setup_wall", Unit::Seconds, setup.wall),
        Row::exact(name, "key_load", Unit::Seconds, load.wall),
        Row::exact(name, "key_bytes", Unit::Bytes, key_bytes as f64),
        Row::exact(name, "proof_bytes", Unit::Bytes, proof.to_bytes().len() as f64),
    ]);
    rows.extend(verification(name, samples, &keys, public, &proof)?);
    Ok(rows)
}

/// What is proven by several provers in turn.
struct Subject<'a> {
    shape: &'a Shape,
    key: &'a ProvingKey,
    matrices: &'a Matrices,
    values: &'a Assignment,
}

/// A prover's name and what it took.
struct Side<'a> {
    name: String,
    prove: Box<dyn FnMut() -> anyhow::Result<Spent> + 'a>,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Subject<'_> {
    /// Rows of proving time for every prover, and of each stage; ratios to the first from interleaved pairs.
    fn proofs(&self, name: &str, effort: Effort, rivals: &[Name]) -> anyhow::Result<Vec<Row>> {
        let theirs = arkworks::Prover::new(self.shape, self.values)?;
        let mut rows = Vec::new();
        let mut sides = vec![self.side(name.to_owned(), Path::detect())];
        if Path::detect() != Path::Portable {
            sides.push(self.side(format!("{name}.portable"), Path::Portable));
        }
        sides.push(Side::new(format!("{name}.ark"), || theirs.prove()));
        for rival in rivals {
            let mut ready = rival.start(self.matrices.constraints())?;
            rows.extend(ready.facts.rows(rival.row()));
            sides.push(Side::apart(rival.row().to_owned(), move || ready.prove()));
        }
        for _ in 0..effort.times(3, 9) {
            for side in &mut sides {
                let spent = (side.prove)()?;
                side.wall.push(spent.wall);
                side.cpu.push(spent.cpu);
            }
        }
        for side in &sides {
            rows.push(Row::over(&side.name, "prove_wall", Unit::Seconds, &side.wall));
            rows.push(Row::over(&side.name, "prove_cpu", Unit::Seconds, &side.cpu));
        }
        for other in &sides[1..] {
            let pair = format!("{}/{}", other.name, sides[0].name);
            let ratios: Vec<f64> =
                other.cpu.iter().zip(&sides[0].cpu).map(|(other, ours)| other / ours).collect();
            rows.push(Row::over(&pair, "prove_cpu", Unit::One, &ratios));
        }
        for path in Path::all() {
            let suffix = if path == Path::detect() { "" } else { ".portable" };
            rows.extend(self.stages(&format!("{name}{suffix}"), path, effort));
        }
        rows.extend(theirs.stages(&format!("{name}.ark"), effort)?);
        Ok(rows)
    }

    fn side(&self, name: String, path: Path) -> Side<'_> {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        Side::new(name, move || {
            black_box(prove_on(path, self.key, self.matrices, self.values, &mut rng)?);
            Ok(())
        })
    }

    fn stages(&self, name: &str, path: Path, effort: Effort) -> Vec<Row> {
        let full = self.values.full();
        let mut spent_in = Samples::default();
        for _ in 0..effort.times(3, 9) {
            stages(path, self.key, self.matrices, &full, &mut |stage, run| spent_in.add(stage, run));
        }
        spent_in.rows(name)
    }
}

impl<'a> Side<'a> {
    fn new(name: String, mut prove: impl FnMut() -> anyhow::Result<()> + 'a) -> Self {
        Self::apart(name, move || {
            let (spent, made) = spent(&mut prove);
            made.map(|()| spent)
        })
    }

    /// One that says itself what it took, being a process of its own.
    fn apart(name: String, prove: impl FnMut() -> anyhow::Result<Spent> + 'a) -> Self {
        Self { name, prove: Box::new(prove), wall: Vec::new(), cpu: Vec::new() }
    }
}

/// CPU seconds by stage.
#[derive(Default)]
struct Samples(Vec<(&'static str, Vec<f64>)>);

impl Samples {
    fn add(&mut self, stage: &'static str, run: &mut dyn FnMut()) {
        let (spent, ()) = spent(run);
        match self.0.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, samples)) => samples.push(spent.cpu),
            None => self.0.push((stage, vec![spent.cpu])),
        }
    }

    fn rows(&self, name: &str) -> Vec<Row> {
        self.0.iter().map(|(stage, samples)| Row::over(name, stage, Unit::Seconds, samples)).collect()
    }
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
