//! The matrices of a circuit, without any value.

use std::collections::BTreeMap;

use ark_ff::{BigInteger, PrimeField};
use sha2::{Digest, Sha256};

use super::{Cs, Lc, Num, Var};
use crate::Fr;

/// Sparse rows; each entry is (coefficient, column), columns being one, then public inputs, then witness.
pub type Matrix = Vec<Vec<(Fr, usize)>>;

/// Collects rows; values are never asked for.
#[derive(Debug, Default)]
pub struct Shape {
    rows: Vec<[Lc; 3]>,
    families: Vec<&'static str>,
    family: &'static str,
    publics: u32,
    witnesses: u32,
}

impl Shape {
    /// The shape that `circuit` leaves.
    pub fn of<T>(circuit: impl FnOnce(&mut Self) -> T) -> Self {
        let mut shape = Self::default();
        circuit(&mut shape);
        shape
    }

    /// The shape of rows from outside, all of one family.
    pub fn from_rows(publics: u32, witnesses: u32, rows: Vec<[Lc; 3]>, family: &'static str) -> Self {
        Self { families: vec![family; rows.len()], family, rows, publics, witnesses }
    }

    /// Number of rows.
    pub fn constraints(&self) -> usize {
        self.rows.len()
    }

    /// Number of public inputs, the constant one not counted.
    pub fn publics(&self) -> usize {
        self.publics as usize
    }

    /// Number of witness variables.
    pub fn witnesses(&self) -> usize {
        self.witnesses as usize
    }

    /// Rows in order, as (A, B, C).
    pub fn rows(&self) -> &[[Lc; 3]] {
        &self.rows
    }

    /// The family of each row.
    pub fn families(&self) -> &[&'static str] {
        &self.families
    }

    /// How many variables, the constant one not counted, a row reads.
    pub fn variables(&self, row: usize) -> usize {
        let terms = self.rows[row].iter().flat_map(|form| form.terms()).map(|(variable, _)| *variable);
        terms.filter(|variable| *variable != Var::One).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// Rows per family.
    pub fn rows_per_family(&self) -> BTreeMap<&'static str, usize> {
        let mut count = BTreeMap::new();
        for family in &self.families {
            *count.entry(*family).or_insert(0) += 1;
        }
        count
    }

    /// The column of a variable.
    pub fn column(&self, var: Var) -> usize {
        match var {
            Var::One => 0,
            Var::Public(i) => 1 + i as usize,
            Var::Witness(i) => 1 + self.publics as usize + i as usize,
        }
    }

    /// The matrices A, B and C.
    pub fn matrices(&self) -> [Matrix; 3] {
        std::array::from_fn(|m| {
            let row = |lc: &Lc| lc.terms().iter().map(|(v, c)| (*c, self.column(*v))).collect();
            self.rows.iter().map(|r| row(&r[m])).collect()
        })
    }

    /// SHA-256 over the numbers of variables and all three matrices: two circuits with one digest are one circuit.
    pub fn digest(&self) -> [u8; 32] {
        /// Bytes that are hashed at once.
        const FULL: usize = 1 << 16;
        let encoded = |coefficient: &Fr| coefficient.into_bigint().to_bytes_be();
        // Nearly all coefficients.
        let units = [Fr::from(1u64), -Fr::from(1u64)].map(|unit| (unit, encoded(&unit)));
        let mut hash = Sha256::new();
        let mut out = b"sigveil-r1cs-v1".to_vec();
        out.extend(self.publics.to_be_bytes());
        out.extend(self.witnesses.to_be_bytes());
        out.extend((self.rows.len() as u64).to_be_bytes());
        for row in &self.rows {
            for lc in row {
                out.extend((lc.terms().len() as u32).to_be_bytes());
                for (var, coefficient) in lc.terms() {
                    out.extend((self.column(*var) as u32).to_be_bytes());
                    match units.iter().find(|(unit, _)| unit == coefficient) {
                        Some((_, bytes)) => out.extend(bytes),
                        None => out.extend(encoded(coefficient)),
                    }
                }
            }
            if out.len() >= FULL {
                hash.update(&out);
                out.clear();
            }
        }
        hash.update(&out);
        hash.finalize().into()
    }
}

impl Cs for Shape {
    type Num = Lc;

    fn hint_many(&mut self, n: usize, _: &[&Lc], _: impl FnOnce(&[Fr]) -> Vec<Fr>) -> Vec<Lc> {
        let first = self.witnesses;
        self.witnesses += n as u32;
        (first..self.witnesses).map(|i| Lc::var(Var::Witness(i))).collect()
    }

    fn hint(&mut self, _: &[&Lc], _: impl FnOnce(&[Fr]) -> Fr) -> Lc {
        self.witnesses += 1;
        Lc::var(Var::Witness(self.witnesses - 1))
    }

    fn public(&mut self, form: &Lc) {
        let input = Lc::var(Var::Public(self.publics));
        self.publics += 1;
        self.family("public", |cs| cs.enforce(form, &Lc::one(), &input));
    }

    fn enforce(&mut self, a: &Lc, b: &Lc, c: &Lc) {
        self.rows.push([a.clone(), b.clone(), c.clone()]);
        self.families.push(self.family);
    }

    fn enter(&mut self, family: &'static str) -> &'static str {
        std::mem::replace(&mut self.family, family)
    }
}
