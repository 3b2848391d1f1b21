//! From the domain to its odd coset: an inverse transform, a twist by the powers of ψ, and a transform.
//!
//! With n = R·C, write a point's index as i = c + C·r and a coefficient's as k = k₁ + R·k₂. Then ω^(ik) is
//! ω^(C·r·k₁)·ω^(c·k₁)·ω^(R·c·k₂), and both transforms take three passes over the values:
//!
//! 1. columns: for every c, an inverse transform of R points over r gives k₁;
//! 2. rows: for every k₁, times ω^(−c·k₁), an inverse transform of C points over c gives k₂; times ψᵏ/n, a transform
//!    of C points over k₂ gives c again; times ω^(c·k₁);
//! 3. columns: for every c, a transform of R points over k₁ gives r.
//!
//! A pass takes [`WIDE`] columns or rows at a time into memory that fits the second-level cache, and works on whole
//! vectors there ([`layers`]). Inverse transforms leave, and the others take, their coefficients in the order that
//! splitting them into parts gives: nothing is ever put in order. Passes read one array and write their own part of
//! another, so that threads share nothing that changes:
//!
//! | array | index of column c = 8t + l, row s = 8q + j |
//! |---|---|
//! | values | C·r + c |
//! | after pass 1 | 8R·t + 8s + l |
//! | after pass 2 | 8C·q + 64t + 8j + l |
//! | after pass 3 | 8R·t + 8r + l |

mod layers;
mod passes;
#[cfg(test)]
mod tests;

use ark_ff::Field;
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::Domain;
use super::domain::powers;
use super::lanes::Path;
use crate::Fr;
use layers::Splits;
use passes::{Inner, Leave, Multiply, Return};

/// Columns or rows that are worked on together: the widest vector, and a multiple of every other.
const WIDE: usize = 8;
/// Tasks that a pass is cut into for each thread: enough for both to end at once.
const TASKS: usize = 4;

/// What the transforms of one domain need.
pub(super) struct Plan {
    columns: Part,
    rows: Part,
    /// (ψ^R)^k₂/n, in the order that a row's coefficients are left in.
    twist: Vec<Fr>,
    /// ω^(−k₁), ω^(k₁) and ψ^(k₁) for each row.
    leave: Vec<Fr>,
    enter: Vec<Fr>,
    shift: Vec<Fr>,
}

/// Transforms of one number of points.
struct Part {
    splits: Splits,
    /// The powers of a primitive root, and of its inverse.
    forward: Vec<Fr>,
    backward: Vec<Fr>,
}

impl Part {
    fn new(twos: u32, threes: u32, root: Fr) -> Self {
        let splits = Splits::new(twos, threes);
        let forward: Vec<Fr> = powers(Fr::ONE, root).take(splits.size()).collect();
        let mut backward = forward.clone();
        backward[1..].reverse();
        Self { splits, forward, backward }
    }

    fn size(&self) -> usize {
        self.forward.len()
    }
}

impl Plan {
    /// `None` for domains so small that they have not [`WIDE`] rows and columns.
    fn new(domain: Domain) -> Option<Self> {
        let (twos, threes) = domain.factors();
        // Rows and columns of about equal length; the threes go to the columns' length.
        let of_a_row = (twos + threes).div_ceil(2).min(twos.checked_sub(3)?);
        if of_a_row < 3 {
            return None;
        }
        let (long, wide) = (domain.size() >> of_a_row, 1 << of_a_row);
        let (omega, psi) = (domain.generator(), domain.half_generator());
        let columns = Part::new(twos - of_a_row, threes, omega.pow([wide]));
        let rows = Part::new(of_a_row, 0, omega.pow([long as u64]));
        let ordered = |splits: &Splits, first: Fr, ratio: Fr| {
            let powers: Vec<Fr> = powers(first, ratio).take(splits.size()).collect();
            splits.order().into_iter().map(|k| powers[k]).collect::<Vec<Fr>>()
        };
        let over_n = Fr::from(domain.size() as u64).inverse().expect("the size is below the field's order");
        let twist = ordered(&rows.splits, over_n, psi.pow([long as u64]));
        let inverse = omega.inverse().expect("a root of unity is not zero");
        let [leave, enter, shift] = [inverse, omega, psi].map(|root| ordered(&columns.splits, Fr::ONE, root));
        Some(Self { columns, rows, twist, leave, enter, shift })
    }

    /// The three passes; the result is in the order of the last.
    fn to_odd_coset(&self, path: Path, mut values: Zeroizing<Vec<Fr>>) -> Zeroizing<Vec<Fr>> {
        let mut other = Zeroizing::new(vec![Fr::from(0u64); values.len()]);
        let (column, row) = (WIDE * self.columns.size(), WIDE * self.rows.size());
        in_tasks(&mut other, column, |first, to| path.run(Leave { plan: self, first, from: &values, to }));
        in_tasks(&mut values, row, |first, to| path.run(Inner { plan: self, first, from: &other, to }));
        in_tasks(&mut other, column, |first, to| path.run(Return { plan: self, first, from: &values, to }));
        other
    }
}

/// Cuts `to` into tasks of whole parts; each is told its first part's number.
fn in_tasks(to: &mut [Fr], part: usize, task: impl Fn(usize, &mut [Fr]) + Sync) {
    let parts = to.len() / part;
    let each = parts.div_ceil(TASKS * rayon::current_num_threads()).max(1);
    to.par_chunks_mut(each * part).enumerate().for_each(|(i, to)| task(i * each, to));
}

/// The products, point by point on the odd coset, of the two polynomials of degree below n that have these values on
/// the domain.
pub(super) fn odd_products(
    path: Path,
    domain: Domain,
    values: [Zeroizing<Vec<Fr>>; 2],
) -> Zeroizing<Vec<Fr>> {
    let [a, b] = values;
    let Some(plan) = Plan::new(domain) else {
        let (mut a, b) = (to_odd_coset(domain, a), to_odd_coset(domain, b));
        a.iter_mut().zip(b.iter()).for_each(|(a, b)| *a *= b);
        return a;
    };
    let (a, b) = rayon::join(|| plan.to_odd_coset(path, a), || plan.to_odd_coset(path, b));
    let mut out = Zeroizing::new(vec![Fr::from(0u64); a.len()]);
    in_tasks(&mut out, plan.rows.size(), |first, to| {
        path.run(Multiply { plan: &plan, first, a: &a, b: &b, to })
    });
    out
}

/// The values on the odd coset, of a small domain.
fn to_odd_coset(domain: Domain, mut values: Zeroizing<Vec<Fr>>) -> Zeroizing<Vec<Fr>> {
    let over_n = Fr::from(domain.size() as u64).inverse().expect("the size is below the field's order");
    let inverse = domain.generator().inverse().expect("a root of unity is not zero");
    transform(&mut values, inverse);
    values
        .iter_mut()
        .zip(powers(over_n, domain.half_generator()))
        .for_each(|(value, factor)| *value *= factor);
    transform(&mut values, domain.generator());
    values
}

/// Replaces v by Σ_j v_j·root^(ij), part by part.
fn transform(values: &mut [Fr], root: Fr) {
    if values.len() == 1 {
        return;
    }
    let radix = if values.len().is_multiple_of(2) { 2 } else { 3 };
    let length = values.len() / radix;
    let mut parts: Vec<Zeroizing<Vec<Fr>>> = (0..radix)
        .map(|first| Zeroizing::new(values.iter().skip(first).step_by(radix).copied().collect()))
        .collect();
    parts.iter_mut().for_each(|part| transform(part, root.pow([radix as u64])));
    for (i, (value, x)) in values.iter_mut().zip(powers(Fr::ONE, root)).enumerate() {
        *value = parts.iter().zip(powers(Fr::ONE, x)).map(|(part, x)| part[i % length] * x).sum();
    }
}
