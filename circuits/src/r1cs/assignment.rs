//! The values of a circuit, without any matrix.

use ark_ff::{One, Zero};
use zeroize::Zeroize;

use super::{Cs, Num};
use crate::Fr;

impl Num for Fr {
    fn constant(c: Fr) -> Self {
        c
    }

    fn add_scaled(&mut self, other: &Self, k: Fr) {
        // Most of what is summed up are bits.
        if other.is_one() {
            *self += k;
        } else if !other.is_zero() {
            *self += *other * k;
        }
    }

    fn plus(&self, other: &Self) -> Self {
        *self + other
    }

    fn minus(&self, other: &Self) -> Self {
        *self - other
    }

    fn times(&self, k: Fr) -> Self {
        *self * k
    }
}

/// A row that the values do not satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the row.
    pub row: usize,
    /// Family of the row.
    pub family: &'static str,
}

/// Computes and keeps the values; checks each row as it goes by. Wiped when dropped.
pub struct Assignment {
    publics: Vec<Fr>,
    witness: Vec<Fr>,
    rows: usize,
    family: &'static str,
    violations: Vec<Violation>,
    tamper: Box<Tamper>,
}

type Tamper = dyn FnMut(&'static str, usize, Fr) -> Fr;

impl Assignment {
    /// The values that an honest prover computes.
    pub fn of<T>(circuit: impl FnOnce(&mut Self) -> T) -> Self {
        Self::tampered(|_, _, value| value, circuit)
    }

    /// As [`Assignment::of`], but every hint passes through `tamper` (family, index of the variable, honest value)
    /// before it is kept, and what follows is computed from what `tamper` returned: a dishonest prover, for tests.
    pub fn tampered<T>(
        tamper: impl FnMut(&'static str, usize, Fr) -> Fr + 'static,
        circuit: impl FnOnce(&mut Self) -> T,
    ) -> Self {
        let mut values = Self {
            publics: Vec::new(),
            witness: Vec::new(),
            rows: 0,
            family: "",
            violations: Vec::new(),
            tamper: Box::new(tamper),
        };
        circuit(&mut values);
        values
    }

    /// Whether every row holds.
    pub fn is_satisfied(&self) -> bool {
        self.violations.is_empty()
    }

    /// The rows that do not hold, in order.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Number of rows that went by.
    pub fn constraints(&self) -> usize {
        self.rows
    }

    /// The public inputs.
    pub fn publics(&self) -> &[Fr] {
        &self.publics
    }

    /// One, public inputs, witness: the columns of [`super::Shape::matrices`].
    pub fn full(&self) -> Vec<Fr> {
        let one = std::iter::once(Fr::from(1u64));
        one.chain(self.publics.iter().copied()).chain(self.witness.iter().copied()).collect()
    }

    fn row(&mut self, holds: bool) {
        if !holds {
            self.violations.push(Violation { row: self.rows, family: self.family });
        }
        self.rows += 1;
    }

    fn keep(&mut self, value: Fr) -> Fr {
        let value = (self.tamper)(self.family, self.witness.len(), value);
        if self.witness.len() == self.witness.capacity() {
            // A vector that grows by itself leaves its old values behind.
            let mut larger = Vec::with_capacity((2 * self.witness.len()).max(1 << 12));
            larger.extend_from_slice(&self.witness);
            self.witness.zeroize();
            self.witness = larger;
        }
        self.witness.push(value);
        value
    }
}

impl Cs for Assignment {
    type Num = Fr;

    fn hint_many(&mut self, n: usize, inputs: &[&Fr], values: impl FnOnce(&[Fr]) -> Vec<Fr>) -> Vec<Fr> {
        let inputs: Vec<Fr> = inputs.iter().map(|v| **v).collect();
        let values = values(&inputs);
        assert_eq!(values.len(), n, "a gadget's hint returns as many values as it allocates");
        values.into_iter().map(|v| self.keep(v)).collect()
    }

    fn hint(&mut self, inputs: &[&Fr], value: impl FnOnce(&[Fr]) -> Fr) -> Fr {
        // Nearly all hints have at most four inputs: no allocation for those.
        let value = match inputs {
            [] => value(&[]),
            [a] => value(&[**a]),
            [a, b] => value(&[**a, **b]),
            [a, b, c] => value(&[**a, **b, **c]),
            more => value(&more.iter().map(|v| **v).collect::<Vec<_>>()),
        };
        self.keep(value)
    }

    fn public(&mut self, form: &Fr) {
        self.publics.push(*form);
        self.rows += 1;
    }

    fn enforce(&mut self, a: &Fr, b: &Fr, c: &Fr) {
        self.row(if a.is_zero() || b.is_zero() { c.is_zero() } else { *a * b == *c });
    }

    fn equal(&mut self, a: &Fr, b: &Fr) {
        self.row(a == b);
    }

    fn is_zero(&mut self, a: &Fr) {
        self.row(a.is_zero());
    }

    fn product(&mut self, a: &Fr, b: &Fr) -> Fr {
        let product = *a * b;
        let out = self.keep(product);
        self.row(out == product);
        out
    }

    fn enter(&mut self, family: &'static str) -> &'static str {
        std::mem::replace(&mut self.family, family)
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        self.witness.zeroize();
    }
}
