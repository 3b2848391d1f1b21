//! Circuits, keys and proofs: `token` in its classes, `nym` and `query`.
//!
//! Keys are made afresh, so that a run says what a first use costs; nothing is cached. Proofs of one statement are made
//! in turn by the prover, by its portable path (`.portable`) and by ark-groth16 on the same matrices and values (`.ark`),
//! with a key from the same trapdoor, so that each must accept the other's proofs where their domains are the same; at
//! 1,024 bytes also by the programs of others that were asked for.
//!
//! What is measured of a proof, `prove_wall` and `prove_cpu`, begins with finished values of all variables for ours,
//! ark-groth16 and snarkjs, which reads its key from its file each time. gnark's call solves the circuit and Vega's
//! synthesises it and commits to the message: these two are compared with `.with_witness`, ours with all values computed in
//! the call. `verify` is of a process that has verified once before. Where a proof's time goes is in the rows `stage_…`,
//! in CPU seconds of each stage run by itself; `peak_rss` is the most memory of the process while it proves once, with our
//! key alone in it and before another prover's, and with what the allocator has kept of earlier statements;
//! `constraints_sha256`, also of one block, and `constraints_rsa` are the rows of these gadgets; `share_…` is what the values are, `.two` is two proofs at once. `curve_2e15` and so on are statements of so many rows of mostly bits.

mod arkworks;
mod curve;
mod folder;
mod subject;
mod values;

use std::hint::black_box;
use std::path::Path;

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::{Proof, verify, verify_batch};
use sigveil_circuits::keys::{KeyStore, Keys, Statement};
use sigveil_circuits::r1cs::Shape;
use sigveil_circuits::token::{Class, ModulusSize, SizeClass};

use super::timed;
use crate::baseline::found;
use crate::machine::spent;
use crate::rival::Name;
use crate::row::{Measured, Row, Unit};
use crate::workload::Prover as Amount;
use crate::{Run, machine};
use folder::KeyFolder;
use subject::{Depth, Subject};
use values::{Values, nym_values, query_values, token_values};

const BATCH: usize = 100;
/// Seeds the trapdoor of a statement's keys, ours and ark-groth16's.
const TRAPDOOR: u64 = 1;
/// The statement that others' programs are compared with.
const COMPARED: Class = Class::rsa2048(SizeClass::B1024);

pub(crate) fn run(run: &Run<'_>) -> anyhow::Result<Measured> {
    let amount = &run.workload.prover;
    let (mut rivals, mut left_out) = (Vec::new(), Vec::new());
    for name in run.against {
        let rival = Name::parse(name)?;
        rivals.extend(found(rival.ensure_tools().map(|()| rival), &mut left_out)?);
    }
    let keys = KeyFolder::claim(Path::new("target"))?;
    let measure = |name: &str, statement: Statement, depth: Depth<'_>, values: &Values| {
        self::statement(name, statement, amount, depth, values, keys.empty()?)
    };
    let small = Depth { proofs: amount.small_proofs, stages: true, rivals: &[] };
    let mut rows = measure("nym", Statement::Nym, small, &nym_values())?;
    rows.extend(measure("query", Statement::Query, small, &query_values()?)?);
    for class in classes(amount) {
        let depth = if class == COMPARED {
            Depth { proofs: amount.proofs, stages: true, rivals: &rivals }
        } else {
            Depth { proofs: amount.other_proofs, stages: false, rivals: &[] }
        };
        let name = match class.modulus {
            ModulusSize::Rsa2048 => format!("token_{}", class.size.bytes()),
            modulus => format!("token_{}_rsa{}", class.size.bytes(), modulus.bits()),
        };
        rows.extend(measure(&name, Statement::Token(class), depth, &token_values(class)?)?);
    }
    rows.extend(curve::rows(amount)?);
    Ok(Measured { rows, left_out, continued: false })
}

/// Every length under a modulus of 2,048 bits, and every modulus at 1,024 bytes.
fn classes(amount: &Amount) -> Vec<Class> {
    if !amount.every_class {
        return vec![COMPARED];
    }
    let longer = ModulusSize::ALL.into_iter().filter(|modulus| *modulus != ModulusSize::Rsa2048);
    let of_longer = longer.map(|modulus| Class { size: SizeClass::B1024, modulus });
    SizeClass::ALL.into_iter().map(Class::rsa2048).chain(of_longer).collect()
}

fn statement(
    name: &str,
    statement: Statement,
    amount: &Amount,
    depth: Depth<'_>,
    values: &Values,
    folder: &Path,
) -> anyhow::Result<Vec<Row>> {
    let store = KeyStore::new(folder);
    let mut rng = ChaCha20Rng::seed_from_u64(TRAPDOOR);
    let (setup, keys) = spent(|| store.load_or_create(statement, &mut rng, &mut |_| {}));
    let keys = keys?;
    let (load, loaded) = spent(|| store.load(statement));
    loaded?.context("the key that was just made is gone")?;
    let key_bytes = std::fs::metadata(store.path_of(statement))?.len();

    let honest = values();
    anyhow::ensure!(honest.is_satisfied(), "{name}: the statement does not hold");
    let public = *honest.publics().first().context("a statement has one public input")?;
    let shape = statement.shape();
    let subject =
        Subject { shape: &shape, key: keys.proving_key(), matrices: keys.matrices(), values: &honest };
    let reset = machine::reset_peak_rss();
    let proof = keys.prove(&honest, &mut rng)?;
    let samples = amount.samples;
    let mut rows = vec![Row::exact(name, "constraints", Unit::One, honest.constraints() as f64)];
    // Where the kernel does not let it be reset, the peak is of whatever was largest before.
    if reset.is_ok() {
        rows.push(Row::exact(name, "peak_rss", Unit::Bytes, machine::peak_rss()));
    }
    rows.extend(gadgets(name, statement, &shape));
    rows.extend(subject.shares().rows(name));
    rows.extend(subject.proofs(name, depth, values)?);
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

/// Rows of the gadgets that others publish theirs of, where a statement has them.
fn gadgets(name: &str, statement: Statement, shape: &Shape) -> Vec<Row> {
    let Statement::Token(class) = statement else { return Vec::new() };
    let families = shape.rows_per_family();
    let of = |gadget: &str| {
        families.iter().filter(|(family, _)| family.starts_with(gadget)).map(|(_, rows)| *rows).sum::<usize>()
            as f64
    };
    // With the byte that begins the padding, and the length (FIPS 180-4 §5.1.1).
    let blocks = (class.size.bytes() + 9).div_ceil(64) as f64;
    [
        ("constraints_sha256", of("sha256.")),
        ("constraints_sha256_block", of("sha256.") / blocks),
        ("constraints_rsa", of("rsa.")),
    ]
    .map(|(metric, rows)| Row::exact(name, metric, Unit::One, rows))
    .into()
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn rows_of_gadgets_are_of_their_families_and_a_block_is_a_part_of_them() {
        let of = |statement: Statement| {
            let rows = gadgets("x", statement, &statement.shape());
            rows.into_iter().map(|row| (row.metric, row.median)).collect::<std::collections::BTreeMap<_, _>>()
        };
        let (small, large) =
            [SizeClass::B768, SizeClass::B1024].map(|size| of(Statement::Token(Class::rsa2048(size)))).into();
        assert!(of(Statement::Nym).is_empty());
        assert_eq!(small["constraints_rsa"], large["constraints_rsa"]);
        // 1,024 bytes have four blocks more than 768; a block costs the same in both, but for what chooses the last one.
        let four = large["constraints_sha256"] - small["constraints_sha256"];
        assert!((four / 4.0 / large["constraints_sha256_block"] - 1.0).abs() < 0.05, "{small:?} {large:?}");
    }
}
