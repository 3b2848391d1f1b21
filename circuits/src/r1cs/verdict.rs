//! Whether the rows of a circuit hold, and nothing else.
//!
//! As [`Assignment`](super::Assignment) for an honest prover, but for the many witnesses of an examination: no value is
//! kept or wiped, so it is not for secrets; once more rows than matter do not hold the rest is counted only; and what is
//! the same for the same numbers, inverses and whole hashes, is remembered from one witness to the next. A liar's values
//! ([`Told`]) take the place of honest ones, and what is known to hold may be left out ([`Verdict::skip`]).

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
    /// By its inputs what a gadget came to, and its size, all of its rows holding.
    gadgets: HashMap<Vec<Fr>, (Fr, Size)>,
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

/// What a liar has in place of an honest prover's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "prover"), expect(dead_code, reason = "examinations are built with the prover"))]
pub enum Told {
    /// This number.
    Set(Fr),
    /// As much more than what is computed.
    By(Fr),
}

/// How much of a circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Rows.
    pub(crate) rows: usize,
    /// Witness variables.
    pub(crate) variables: usize,
}

impl Size {
    /// From an earlier place to this one.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { rows: self.rows - earlier.rows, variables: self.variables - earlier.variables }
    }
}

/// A row that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// Which.
    pub(crate) row: usize,
    /// A·B − C.
    pub(crate) residue: Fr,
}

/// Evaluates rows on the values that an honest prover computes, or a liar.
pub(crate) struct Verdict<'a> {
    memory: &'a mut Memory,
    /// Rows that do not hold, one more than the limit at most.
    violations: Vec<Unmet>,
    limit: usize,
    at: Size,
    /// The lies that are left, by their variables, in order.
    lies: &'a [(usize, Told)],
}

impl<'a> Verdict<'a> {
    /// The rows of a circuit that do not hold, the first ones and one more than `limit` at most; and how many rows there
    /// are.
    pub(crate) fn of<T>(
        memory: &'a mut Memory,
        limit: usize,
        circuit: impl FnOnce(&mut Self) -> T,
    ) -> (Vec<usize>, usize) {
        let (violations, at) = Self::told(memory, limit, &[], circuit);
        (violations.iter().map(|unmet| unmet.row).collect(), at.rows)
    }

    /// As [`Verdict::of`], with these lies, by their variables, in order.
    pub(crate) fn told<T>(
        memory: &'a mut Memory,
        limit: usize,
        lies: &'a [(usize, Told)],
        circuit: impl FnOnce(&mut Self) -> T,
    ) -> (Vec<Unmet>, Size) {
        let mut verdict = Self { memory, violations: Vec::new(), limit, at: Size::default(), lies };
        circuit(&mut verdict);
        (verdict.violations, verdict.at)
    }

    /// What went by.
    #[cfg(feature = "prover")]
    pub(crate) fn at(&self) -> Size {
        self.at
    }

    /// Goes on behind so many rows, which the caller knows to hold, and none of whose variables is lied about.
    #[cfg(feature = "prover")]
    pub(crate) fn skip(&mut self, size: Size) {
        debug_assert!(self.is_decided() || self.are_honest(size.variables), "no lie is left out");
        self.at.rows += size.rows;
        self.at.variables += size.variables;
    }

    /// Whether more rows than matter do not hold.
    pub(crate) fn is_decided(&self) -> bool {
        self.violations.len() > self.limit
    }

    fn row(&mut self, residue: impl FnOnce() -> Fr) {
        if !self.is_decided() {
            let residue = residue();
            if !residue.is_zero() {
                self.violations.push(Unmet { row: self.at.rows, residue });
            }
        }
        self.at.rows += 1;
    }

    /// The next variable, or what is told of it.
    fn keep(&mut self, honest: Fr) -> Fr {
        let at = self.at.variables;
        self.at.variables += 1;
        match self.lies {
            [(variable, told), rest @ ..] if *variable == at => {
                self.lies = rest;
                match told {
                    Told::Set(value) => *value,
                    Told::By(more) => honest + more,
                }
            }
            _ => honest,
        }
    }

    /// Whether nothing is told of the next variables.
    fn are_honest(&self, variables: usize) -> bool {
        self.lies.first().is_none_or(|(first, _)| *first >= self.at.variables + variables)
    }
}

impl Cs for Verdict<'_> {
    type Num = Fr;

    fn hint_many(&mut self, n: usize, inputs: &[&Fr], values: impl FnOnce(&[Fr]) -> Vec<Fr>) -> Vec<Fr> {
        if self.is_decided() {
            return vec![Fr::ZERO; n];
        }
        let mut values = values(&inputs.iter().map(|v| **v).collect::<Vec<_>>());
        assert_eq!(values.len(), n, "a gadget's hint returns as many values as it allocates");
        values.iter_mut().for_each(|value| *value = self.keep(*value));
        values
    }

    fn hint(&mut self, inputs: &[&Fr], value: impl FnOnce(&[Fr]) -> Fr) -> Fr {
        let value = match inputs {
            _ if self.is_decided() => return Fr::ZERO,
            [] => value(&[]),
            [a] => value(&[**a]),
            [a, b] => value(&[**a, **b]),
            [a, b, c] => value(&[**a, **b, **c]),
            more => value(&more.iter().map(|v| **v).collect::<Vec<_>>()),
        };
        self.keep(value)
    }

    fn quotient(&mut self, gate: &Fr, x: &Fr) -> Fr {
        if self.is_decided() {
            return Fr::ZERO;
        }
        let honest = if gate.is_zero() || x.is_zero() {
            Fr::ZERO
        } else {
            let inverse = self.memory.inverse(*x);
            if gate.is_one() { inverse } else { inverse * gate }
        };
        self.keep(honest)
    }

    fn remembered(&mut self, inputs: &[Fr], gadget: impl FnOnce(&mut Self) -> Fr) -> Fr {
        if let Some((out, size)) = self.memory.gadgets.get(inputs).copied()
            && self.are_honest(size.variables)
        {
            self.at.rows += size.rows;
            self.at.variables += size.variables;
            return out;
        }
        let (before, violations, lies) = (self.at, self.violations.len(), self.lies.len());
        let out = gadget(self);
        if (violations, lies) == (self.violations.len(), self.lies.len()) && !self.is_decided() {
            if self.memory.gadgets.len() >= ENTRIES {
                self.memory.gadgets.clear();
            }
            self.memory.gadgets.insert(inputs.to_vec(), (out, self.at.since(before)));
        }
        out
    }

    fn public(&mut self, _: &Fr) {
        self.at.rows += 1;
    }

    fn enforce(&mut self, a: &Fr, b: &Fr, c: &Fr) {
        self.row(|| {
            if a.is_zero() || b.is_zero() {
                -*c
            } else if a.is_one() {
                *b - c
            } else if b.is_one() {
                *a - c
            } else {
                *a * b - c
            }
        });
    }

    fn equal(&mut self, a: &Fr, b: &Fr) {
        self.row(|| *a - b);
    }

    fn is_zero(&mut self, a: &Fr) {
        self.row(|| *a);
    }

    fn product(&mut self, a: &Fr, b: &Fr) -> Fr {
        let product = if a.is_zero() || b.is_zero() || self.is_decided() {
            Fr::ZERO
        } else if a.is_one() {
            *b
        } else if b.is_one() {
            *a
        } else {
            *a * b
        };
        let out = self.keep(product);
        self.row(|| product - out);
        out
    }

    fn enter(&mut self, family: &'static str) -> &'static str {
        family
    }
}
