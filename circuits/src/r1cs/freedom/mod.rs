//! What a prover may choose: which variables do not follow from others by the rows.
//!
//! For tests. At one satisfying assignment, a variable *follows* where a row has it as its only unknown and leaves it
//! one value (the row is linear in it there, or has a double root), or where a linear row, or one that forces a linear
//! form to be a bit, has only unknown bits of distinct weights. What does not follow from what came before is chosen,
//! the first in order of allocation, and the search goes on. So every variable is a function, near that assignment, of
//! those returned; each of them must be a choice that the statement grants, or be shown to be unique by an argument of
//! its own. Left out is what no row depends on there, such as the inverse of a zero.

mod rows;

use std::sync::Arc;

use ark_ff::{Field, Zero};

use super::{Assignment, Lc, Num, Shape};
use crate::Fr;

use rows::bits_by;
pub(crate) use rows::{Polynomial, columns, forced_bit, polynomial, power_of_two, weights, weights_of};

/// Decompositions of whole field elements, whose bits `gadgets::bits::canonical` shows to be unique by a
/// comparison with r; its own tests say so, and the search takes it from there.
const CANONICAL: &str = "canonical-bits";

/// The witness variables that are chosen, in order.
#[cfg(test)]
pub(crate) fn chosen(shape: &Shape, values: &Assignment) -> Vec<usize> {
    Freedom::new(shape, values, None).chosen()
}

/// As [`chosen`], but with one row left out.
#[cfg(test)]
pub(crate) fn chosen_without(shape: &Shape, values: &Assignment, dropped: Option<usize>) -> Vec<usize> {
    Freedom::new(shape, values, dropped).chosen()
}

/// How many variables of each family are chosen, as the circuit allocates them.
#[cfg(test)]
pub(crate) fn chosen_per_family<T, U>(
    circuit: impl Fn(&mut Shape) -> T,
    values: impl Fn(&mut Assignment) -> U,
) -> Vec<(&'static str, usize)> {
    let families = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let record = families.clone();
    let assignment = Assignment::tampered(
        move |family, _, value| {
            record.borrow_mut().push(family);
            value
        },
        values,
    );
    let families = families.borrow();
    let mut count: Vec<(&'static str, usize)> = Vec::new();
    for variable in chosen(&Shape::of(circuit), &assignment) {
        match count.last_mut() {
            Some((family, n)) if *family == families[variable] => *n += 1,
            _ => count.push((families[variable], 1)),
        }
    }
    count
}

/// How a column came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The constant one.
    Constant,
    /// By this row.
    Row(u32),
    /// A prover's choice.
    Chosen,
    /// No row depends on it.
    Idle,
}

/// What follows from what, at one assignment.
#[derive(Clone)]
pub(crate) struct Freedom<'a> {
    shape: &'a Shape,
    values: Arc<Vec<Fr>>,
    /// Rows left out, in order.
    dropped: Vec<u32>,
    known: Vec<bool>,
    is_bit: Vec<bool>,
    /// The rows that each column is in.
    rows_of: Arc<Vec<Vec<u32>>>,
    /// For each row, its unknown columns and those of them that are no bits.
    unknown: Vec<(u32, u32)>,
    queue: Vec<u32>,
    origin: Vec<Origin>,
    /// When a column came to be known.
    rank: Vec<u32>,
    learned: u32,
}

impl<'a> Freedom<'a> {
    /// What follows from what once the whole search is done, with one row left out if so asked.
    pub(crate) fn new(shape: &'a Shape, values: &Assignment, dropped: Option<usize>) -> Self {
        assert!(values.is_satisfied(), "freedom is measured where the rows hold");
        let mut search = Self::start(shape, values, dropped);
        search.run();
        for column in 1 + shape.publics()..search.values.len() {
            if !search.known[column] {
                let origin = if search.is_idle(column) { Origin::Idle } else { Origin::Chosen };
                search.learn(column, origin);
                search.run();
            }
        }
        search
    }

    fn start(shape: &'a Shape, values: &Assignment, dropped: Option<usize>) -> Self {
        let values = values.full();
        let mut rows_of = vec![Vec::new(); values.len()];
        let mut is_bit = vec![false; values.len()];
        for (i, row) in shape.rows().iter().enumerate().filter(|(i, _)| Some(*i) != dropped) {
            let columns = columns(shape, row);
            for column in bits_by(shape, i, &columns, &values) {
                is_bit[column] = true;
            }
            columns.iter().for_each(|column| rows_of[*column].push(i as u32));
        }
        let mut unknown = vec![(0, 0); shape.constraints()];
        for (column, rows) in rows_of.iter().enumerate() {
            for row in rows {
                unknown[*row as usize].0 += 1;
                unknown[*row as usize].1 += u32::from(!is_bit[column]);
            }
        }
        let mut known = vec![false; values.len()];
        known[0] = true;
        let queue = (0..unknown.len() as u32).collect();
        let origin = vec![Origin::Constant; values.len()];
        let rank = vec![0; values.len()];
        let (dropped, rows_of) = (dropped.map(|row| row as u32).into_iter().collect(), Arc::new(rows_of));
        let values = Arc::new(values);
        Self { shape, values, dropped, known, is_bit, rows_of, unknown, queue, origin, rank, learned: 0 }
    }

    /// The witness variables that are chosen, in order.
    #[cfg(test)]
    pub(crate) fn chosen(&self) -> Vec<usize> {
        let first = 1 + self.shape.publics();
        (first..self.values.len()).filter(|c| self.origin[*c] == Origin::Chosen).map(|c| c - first).collect()
    }

    /// How a column came to be known.
    pub(crate) fn origin(&self, column: usize) -> Origin {
        self.origin[column]
    }

    /// A number that is smaller the earlier the column was known.
    pub(crate) fn rank(&self, column: usize) -> u32 {
        self.rank[column]
    }

    /// Whether some row, or a comparison of the family of canonical decompositions, forces the column to be a bit.
    pub(crate) fn is_bit(&self, column: usize) -> bool {
        self.is_bit[column]
    }

    /// The rows that a column is in.
    pub(crate) fn rows_of(&self, column: usize) -> &[u32] {
        &self.rows_of[column]
    }

    /// The columns that each row leaves one value, in the order in which they were learned.
    pub(crate) fn defined(&self) -> Vec<Vec<u32>> {
        let mut defined: Vec<Vec<u32>> = vec![Vec::new(); self.shape.constraints()];
        for (column, origin) in self.origin.iter().enumerate() {
            if let Origin::Row(row) = origin {
                defined[*row as usize].push(column as u32);
            }
        }
        for columns in &mut defined {
            columns.sort_unstable_by_key(|column| self.rank[*column as usize]);
        }
        defined
    }

    /// Whether without these rows, in order, the variables that are chosen no longer determine all others, or one of them
    /// that was a bit is none. `defined` is [`Freedom::defined`].
    pub(crate) fn are_needed(&self, rows: &[usize], defined: &[Vec<u32>]) -> bool {
        let mut seeds = Vec::new();
        let mut bits_lost = Vec::new();
        for row in rows {
            let columns = columns(self.shape, &self.shape.rows()[*row]);
            seeds.extend(&defined[*row]);
            for column in self.bits_lost(*row, &columns, rows) {
                match self.origin[column] {
                    Origin::Chosen => return true,
                    Origin::Row(by) => seeds.extend(&defined[by as usize]),
                    Origin::Constant | Origin::Idle => {}
                }
                bits_lost.push(column);
            }
        }
        if seeds.is_empty() {
            return false;
        }
        bits_lost.sort_unstable();
        bits_lost.dedup();
        let mut search = self.clone();
        search.dropped = rows.iter().map(|row| *row as u32).collect();
        for column in self.descendants(seeds, &search.dropped, defined) {
            search.forget(column);
        }
        for column in bits_lost {
            search.is_bit[column] = false;
            if !search.known[column] {
                self.rows_of[column].iter().for_each(|row| search.unknown[*row as usize].1 += 1);
            }
        }
        search.run();
        search.known.iter().skip(1).any(|known| !known)
    }

    /// The columns that nothing but this row, and others left out, forces to be bits. Each row of a comparison with r is needed for the
    /// argument of [`CANONICAL`].
    fn bits_lost(&self, row: usize, columns: &[usize], dropped: &[usize]) -> Vec<usize> {
        let compares = self.shape.families()[row] == CANONICAL;
        let bits = bits_by(self.shape, row, columns, &self.values);
        let bits = if compares && bits.is_empty() { columns.to_vec() } else { bits };
        let forced_by = |other: usize, column: usize| {
            let columns = self::columns(self.shape, &self.shape.rows()[other]);
            (columns.len() == 1 || !compares)
                && bits_by(self.shape, other, &columns, &self.values).contains(&column)
        };
        let others = |column: usize| self.rows_of[column].iter().map(|other| *other as usize);
        let is_lost = |column: &usize| {
            let forces = |other: usize| dropped.binary_search(&other).is_err() && forced_by(other, *column);
            self.is_bit[*column] && !others(*column).any(forces)
        };
        bits.into_iter().filter(is_lost).collect()
    }

    /// The columns that were learned by way of `seeds`, and these.
    fn descendants(&self, seeds: Vec<u32>, dropped: &[u32], defined: &[Vec<u32>]) -> Vec<usize> {
        let mut reached = vec![false; self.values.len()];
        let mut stack = seeds;
        let mut out = Vec::new();
        while let Some(column) = stack.pop() {
            if std::mem::replace(&mut reached[column as usize], true) {
                continue;
            }
            out.push(column as usize);
            for row in self.rows_of[column as usize].iter().filter(|row| dropped.binary_search(row).is_err())
            {
                let later = |other: &&u32| self.rank[**other as usize] > self.rank[column as usize];
                stack.extend(defined[*row as usize].iter().filter(later));
            }
        }
        out
    }

    fn learn(&mut self, column: usize, origin: Origin) {
        self.known[column] = true;
        self.origin[column] = origin;
        self.learned += 1;
        self.rank[column] = self.learned;
        let rows = self.rows_of.clone();
        for row in &rows[column] {
            let (all, others) = &mut self.unknown[*row as usize];
            *all -= 1;
            *others -= u32::from(!self.is_bit[column]);
            if *all <= 2 || *others == 0 {
                self.queue.push(*row);
            }
        }
    }

    fn forget(&mut self, column: usize) {
        self.known[column] = false;
        let rows = self.rows_of.clone();
        for row in &rows[column] {
            let (all, others) = &mut self.unknown[*row as usize];
            *all += 1;
            *others += u32::from(!self.is_bit[column]);
            self.queue.push(*row);
        }
    }

    fn run(&mut self) {
        while let Some(row) = self.queue.pop() {
            if self.dropped.binary_search(&row).is_ok() {
                continue;
            }
            for column in self.follow(row as usize) {
                self.learn(column, Origin::Row(row));
            }
        }
    }

    /// Whether no row that the column is in depends on it, all others having their values.
    fn is_idle(&self, column: usize) -> bool {
        self.rows_of[column].iter().all(|row| {
            let Polynomial([_, b, a]) =
                polynomial(self.shape, &self.shape.rows()[*row as usize], column, &self.values);
            b.is_zero() && a.is_zero()
        })
    }

    /// The unknown columns that this row leaves one value.
    fn follow(&self, i: usize) -> Vec<usize> {
        let row = &self.shape.rows()[i];
        let unknown = || columns(self.shape, row).into_iter().filter(|column| !self.known[*column]);
        match self.unknown[i] {
            (0, _) => Vec::new(),
            (1, _) => {
                unknown().filter(|c| polynomial(self.shape, row, *c, &self.values).has_one_root()).collect()
            }
            (_, 0) if self.are_unique_bits(i, row) => unknown().collect(),
            (2, _) => self.only_one_left(row).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The one unknown column that remains where one factor of the row is known, and zero for all others.
    fn only_one_left(&self, row: &[Lc; 3]) -> Option<usize> {
        let value = |lc: &Lc| {
            let term = |(var, k): &(_, Fr)| {
                let column = self.shape.column(*var);
                self.known[column].then(|| *k * self.values[column])
            };
            lc.terms().iter().map(term).sum::<Option<Fr>>()
        };
        let [a, b, c] = row;
        let (form, factor) = match (value(a), value(b)) {
            (Some(factor), _) => (b, factor),
            (_, Some(factor)) => (a, factor),
            _ => return None,
        };
        let mut weights = weights_of(self.shape, &form.times(factor).minus(c));
        weights.retain(|column, _| !self.known[*column]);
        (weights.len() == 1).then(|| weights.into_keys().next()).flatten()
    }

    /// Whether the unknown columns, all bits, stand in a linear row with weights that no other sum of bits has.
    fn are_unique_bits(&self, i: usize, row: &[Lc; 3]) -> bool {
        let further = forced_bit(row);
        let weights =
            if further.is_some() { weights_of(self.shape, &row[0]) } else { weights(self.shape, row) };
        let weights: Vec<Fr> = weights.into_iter().filter(|(c, _)| !self.known[*c]).map(|(_, w)| w).collect();
        let limit = if self.shape.families()[i] == CANONICAL { 254 } else { 253 };
        let distinct = |sign: Fr| {
            let mut exponents: Vec<_> = weights.iter().filter_map(|w| power_of_two(&(*w * sign))).collect();
            exponents.sort_unstable();
            exponents.dedup();
            exponents.len() == weights.len() && exponents.iter().all(|e| *e < limit && Some(*e) != further)
        };
        !weights.is_empty() && (distinct(Fr::ONE) || distinct(-Fr::ONE))
    }
}

#[cfg(test)]
mod tests;
