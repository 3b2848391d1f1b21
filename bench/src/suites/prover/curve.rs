//! Time against the number of rows, by the paths of our own prover.

use anyhow::Context as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16::setup_matrices;
use sigveil_circuits::prover::Matrices;
use sigveil_circuits::r1cs::{Assignment, Cs, Num as _, Shape};

use super::Subject;
use crate::row::{Row, Unit};
use crate::workload::Prover as Amount;

/// Rows of one kind after another.
const PERIOD: usize = 16;

/// Statements that fill domains of 2^15 points and more.
pub(super) fn rows(amount: &Amount) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for log in amount.curve() {
        let name = format!("curve_2e{log}");
        let constraints = (1 << log) - 2;
        let shape = Shape::of(|cs| circuit(cs, constraints));
        let values = Assignment::of(|cs| circuit(cs, constraints));
        let matrices = Matrices::new(&shape);
        let key = setup_matrices(&matrices, &mut ChaCha20Rng::seed_from_u64(6), &mut |_| {})?;
        anyhow::ensure!(values.is_satisfied() && shape.constraints() == constraints, "{name} does not hold");
        let subject = Subject { shape: &shape, key: &key, matrices: &matrices, values: &values };
        rows.push(Row::exact(&name, "constraints", Unit::One, constraints as f64));
        rows.extend(subject.own_proofs(&name, amount.other_proofs).with_context(|| name.clone())?);
    }
    Ok(rows)
}

/// As many rows as asked for, of which fifteen in sixteen make bits, as in the statement `token`, and the rest whole
/// field elements.
fn circuit<C: Cs>(cs: &mut C, constraints: usize) {
    let seed = cs.hint(&[], |_| Fr::from(3u64));
    let mut wide = seed.clone();
    let mut bit = C::Num::one();
    for i in 0..constraints - 1 {
        if i % PERIOD == 0 {
            wide = cs.product(&wide.plus(&seed), &wide);
        } else {
            // Mostly one or zero in turn, each a variable of its own.
            let next = cs.product(&bit.not(), &C::Num::one());
            bit = next;
        }
    }
    cs.public(&wide);
}
