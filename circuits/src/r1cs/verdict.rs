//! Whether the rows of a circuit hold, and nothing else.
//!
//! As [`Assignment`](super::Assignment) for an honest prover, but for the many witnesses of an examination: no value is
//! kept or wiped, so it is not for secrets; once more rows than matter do not hold the rest is counted only; and what is
//! the same for the same numbers, inverses and whole hashes, is remembered from one witness to the next.

use std::collections::HashMap;

use ark_ff::{AdditiveGroup, Field, One, Zero};

use super::Cs;
use crate::Fr;

/// So many entries are kept of each sort.
const ENTRIES: usize = 1 << 16;

/// What was computed before.
#[derive(Default)]
pub(crate) struct Memory {
    inverses: HashMap<Fr, Fr>,
    /// By its inputs what a gadget came to, and its rows, all of which hold.
    gadgets: HashMap<Vec<Fr>, (Fr, usize)>,
    digests: HashMap<(&'static str, Vec<u8>), Fr>,
}

impl Memory {
    /// The inverse of a number other than zero.
    fn inverse(&mut self, x: Fr) -> Fr {
        remember(&mut self.inverses, x, || x.inverse().unwrap_or(Fr::ZERO))
    }

    /// A native digest of this sort of these bytes.
    pub(crate) fn digest(&mut self, sort: &'static str, bytes: &[u8], digest: impl FnOnce() -> Fr) -> Fr {
        remember(&mut self.digests, (sort, bytes.to_vec()), digest)
    }
}

fn remember<K: std::hash::Hash + Eq>(entries: &mut HashMap<K, Fr>, key: K, value: impl FnOnce() -> Fr) -> Fr {
    if entries.len() >= ENTRIES {
        entries.clear();
    }
    *entries.entry(key).or_insert_with(value)
}

/// Evaluates rows on the values that an honest prover computes.
pub(crate) struct Verdict<'a> {
    memory: &'a mut Memory,
    /// Rows that do not hold, one more than the limit at most.
    violations: Vec<usize>,
    limit: usize,
    rows: usize,
}

impl<'a> Verdict<'a> {
    /// The rows of a circuit that do not hold, the first ones and one more than `limit` at most; and how many rows there
    /// are.
    pub(crate) fn of<T>(
        memory: &'a mut Memory,
        limit: usize,
        circuit: impl FnOnce(&mut Self) -> T,
    ) -> (Vec<usize>, usize) {
        let mut verdict = Self { memory, violations: Vec::new(), limit, rows: 0 };
        circuit(&mut verdict);
        (verdict.violations, verdict.rows)
    }

    /// Number of rows that went by.
    #[cfg(feature = "prover")]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    fn is_decided(&self) -> bool {
        self.violations.len() > self.limit
    }

    fn row(&mut self, holds: impl FnOnce() -> bool) {
        if !self.is_decided() && !holds() {
            self.violations.push(self.rows);
        }
        self.rows += 1;
    }
}

impl Cs for Verdict<'_> {
    type Num = Fr;

    fn hint_many(&mut self, n: usize, inputs: &[&Fr], values: impl FnOnce(&[Fr]) -> Vec<Fr>) -> Vec<Fr> {
        if self.is_decided() {
            return vec![Fr::ZERO; n];
        }
        let values = values(&inputs.iter().map(|v| **v).collect::<Vec<_>>());
        assert_eq!(values.len(), n, "a gadget's hint returns as many values as it allocates");
        values
    }

    fn hint(&mut self, inputs: &[&Fr], value: impl FnOnce(&[Fr]) -> Fr) -> Fr {
        match inputs {
            _ if self.is_decided() => Fr::ZERO,
            [] => value(&[]),
            [a] => value(&[**a]),
            [a, b] => value(&[**a, **b]),
            [a, b, c] => value(&[**a, **b, **c]),
            more => value(&more.iter().map(|v| **v).collect::<Vec<_>>()),
        }
    }

    fn quotient(&mut self, gate: &Fr, x: &Fr) -> Fr {
        if gate.is_zero() || x.is_zero() || self.is_decided() {
            return Fr::ZERO;
        }
        let inverse = self.memory.inverse(*x);
        if gate.is_one() { inverse } else { inverse * gate }
    }

    fn remembered(&mut self, inputs: &[Fr], gadget: impl FnOnce(&mut Self) -> Fr) -> Fr {
        if let Some((out, rows)) = self.memory.gadgets.get(inputs) {
            self.rows += rows;
            return *out;
        }
        let before = (self.rows, self.violations.len());
        let out = gadget(self);
        if before.1 == self.violations.len() && !self.is_decided() {
            if self.memory.gadgets.len() >= ENTRIES {
                self.memory.gadgets.clear();
            }
            self.memory.gadgets.insert(inputs.to_vec(), (out, self.rows - before.0));
        }
        out
    }

    fn public(&mut self, _: &Fr) {
        self.rows += 1;
    }

    fn enforce(&mut self, a: &Fr, b: &Fr, c: &Fr) {
        self.row(|| {
            if a.is_zero() || b.is_zero() {
                c.is_zero()
            } else if a.is_one() {
                b == c
            } else if b.is_one() {
                a == c
            } else {
                *a * b == *c
            }
        });
    }

    fn equal(&mut self, a: &Fr, b: &Fr) {
        self.row(|| a == b);
    }

    fn is_zero(&mut self, a: &Fr) {
        self.row(|| a.is_zero());
    }

    fn product(&mut self, a: &Fr, b: &Fr) -> Fr {
        // The variable is the product: its row holds.
        self.rows += 1;
        if a.is_zero() || b.is_zero() || self.is_decided() {
            Fr::ZERO
        } else if a.is_one() {
            *b
        } else if b.is_one() {
            *a
        } else {
            *a * b
        }
    }

    fn enter(&mut self, family: &'static str) -> &'static str {
        family
    }
}
