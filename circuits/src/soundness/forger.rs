//! A prover who has lied about some values and solves the rows for all others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use ark_ff::{AdditiveGroup, BigInteger, Field, One, PrimeField, Zero};

use crate::Fr;
use crate::r1cs::freedom::{Freedom, Origin, Polynomial, columns, forced_bit, polynomial, power_of_two};
use crate::r1cs::freedom::{weights, weights_of};
use crate::r1cs::{Assignment, Lc, Num, Shape};

/// Most values that are taken from another row than the one that determines them.
const REPAIRS: usize = 24;
/// So many rows that do not hold are not repaired one by one.
const BEYOND_REPAIR: usize = 48;
/// So many lies are told about choices, those about the first ones.
const MANY_CHOICES: usize = 64;

/// Bits whose sum a row holds, of which a few are changed at once.
const FLAGS: std::ops::RangeInclusive<usize> = 3..=8;
/// So many of them at most, besides the one that the lie is about.
const FLAGS_AT_ONCE: u32 = 3;

/// Bits above one that are taken for a number.
const BITS_ABOVE: usize = 32;

/// So many weights of other columns are taken for lies about a number.
const WEIGHTS: usize = 3;

/// An honest assignment, how it follows from the prover's choices, and a lie in the making.
#[derive(Clone)]
pub(super) struct Forger<'a> {
    shape: &'a Shape,
    freedom: Arc<Freedom<'a>>,
    defined: Arc<Vec<Vec<u32>>>,
    honest: Arc<Vec<Fr>>,
    values: Vec<Fr>,
    /// Columns whose values the statement is free to fit to a lie.
    adjustable: Arc<Vec<usize>>,
    inverses: HashMap<Fr, Fr>,
    sums: HashMap<usize, Arc<Sum>>,
    lie: Lie,
}

/// A row as a sum with digits in it.
struct Sum {
    /// Where the row says of a form that it is a bit, that form: it is the sum.
    is_of_a_bit: bool,
    /// Columns, their weights, and the places where these are powers of two: the digits that the row defines.
    digits: Vec<(usize, Fr, u32)>,
    /// Whether the weights are those powers, and not less than zero.
    positive: bool,
}

/// What differs from the honest assignment.
#[derive(Clone, Default)]
struct Lie {
    changed: Vec<usize>,
    pinned: Vec<usize>,
    queue: BinaryHeap<Reverse<(u32, usize)>>,
    /// Values that may still be solved.
    patience: usize,
}

/// A change of a few values.
pub(super) type Change = Vec<(usize, Fr)>;

impl<'a> Forger<'a> {
    /// `elements` are the public inputs, which fit to a lie where they are variables of their own.
    pub(super) fn new(shape: &'a Shape, values: &Assignment, elements: &[Lc]) -> Self {
        let freedom = Freedom::new(shape, values, None);
        let defined = freedom.defined();
        let adjustable = elements.iter().filter_map(|lc| match lc.terms() {
            [(var, k)] if k.is_one() => Some(shape.column(*var)),
            _ => None,
        });
        let honest = values.full();
        Self {
            shape,
            freedom: Arc::new(freedom),
            defined: Arc::new(defined),
            values: honest.clone(),
            honest: Arc::new(honest),
            adjustable: Arc::new(adjustable.collect()),
            inverses: HashMap::new(),
            sums: HashMap::new(),
            lie: Lie::default(),
        }
    }

    /// Whether without these rows the prover's choices no longer determine everything.
    pub(super) fn is_needed_for_determinism(&self, rows: &[usize]) -> bool {
        self.freedom.are_needed(rows, &self.defined)
    }

    /// Whether a row forces the column to be a bit.
    pub(super) fn is_bit(&self, column: usize) -> bool {
        self.freedom.is_bit(column)
    }

    /// The honest value of a column.
    pub(super) fn honest(&self, column: usize) -> Fr {
        self.honest[column]
    }

    /// The digits of the sums that have a changed value in them.
    pub(super) fn digits_told(&mut self, change: &Change) -> Change {
        self.forget();
        for (column, value) in change {
            self.pin(*column, *value);
        }
        let mut told = Change::new();
        for (column, _) in change {
            for row in self.freedom.rows_of(*column).to_vec() {
                let row = row as usize;
                if self.defined[row].len() > 1 {
                    self.digits(row);
                    let digits = self.defined[row].iter().map(|digit| *digit as usize);
                    let changed = digits.filter(|digit| self.values[*digit] != self.honest[*digit]);
                    told.extend(changed.map(|digit| (digit, self.values[digit])));
                }
            }
        }
        told
    }

    /// The values of the lie told last.
    pub(super) fn values(&self) -> &[Fr] {
        &self.values
    }

    /// Tells a lie against `target`: the rows that do not hold once all others are solved as far as they can be, or
    /// `None` where that takes more than so many solutions, which it takes off `patience`.
    pub(super) fn tell(
        &mut self,
        change: &Change,
        target: usize,
        patience: &mut usize,
    ) -> Option<Vec<usize>> {
        self.forget();
        self.lie.patience = *patience;
        for (column, value) in change {
            self.pin(*column, *value);
        }
        let violated = self.settle(target);
        *patience = self.lie.patience;
        violated
    }

    fn settle(&mut self, target: usize) -> Option<Vec<usize>> {
        self.propagate(target)?;
        let mut violated = self.violated();
        for _ in 0..REPAIRS {
            if violated.len() <= 1 || violated.len() > BEYOND_REPAIR {
                break;
            }
            let Some((column, value)) = violated.iter().find_map(|row| self.repair(*row, target)) else {
                break;
            };
            self.pin(column, value);
            self.propagate(target)?;
            violated = self.violated();
        }
        Some(violated)
    }

    fn forget(&mut self) {
        for column in self.lie.changed.drain(..) {
            self.values[column] = self.honest[column];
        }
        self.lie.pinned.clear();
        self.lie.queue.clear();
    }

    fn pin(&mut self, column: usize, value: Fr) {
        self.lie.pinned.push(column);
        self.set(column, value);
    }

    fn set(&mut self, column: usize, value: Fr) {
        if self.values[column] == value {
            return;
        }
        if self.values[column] == self.honest[column] {
            self.lie.changed.push(column);
        }
        self.values[column] = value;
        let rank = self.freedom.rank(column);
        for row in self.freedom.rows_of(column) {
            for later in &self.defined[*row as usize] {
                let later = *later as usize;
                if self.freedom.rank(later) > rank {
                    self.lie.queue.push(Reverse((self.freedom.rank(later), later)));
                }
            }
        }
    }

    /// Solves anew what follows from what has changed, by other rows than the one that is lied about.
    fn propagate(&mut self, target: usize) -> Option<()> {
        let mut last = usize::MAX;
        while let Some(Reverse((_, column))) = self.lie.queue.pop() {
            if column == last || self.lie.pinned.contains(&column) {
                continue;
            }
            last = column;
            self.lie.patience = self.lie.patience.checked_sub(1)?;
            let Origin::Row(row) = self.freedom.origin(column) else { continue };
            if row as usize == target {
                continue;
            }
            if self.defined[row as usize].len() > 1 {
                self.digits(row as usize);
            } else if let Some(value) = self.solution(row as usize, column) {
                self.set(column, value);
            }
        }
        Some(())
    }

    /// The one value that a row leaves a column.
    fn solution(&mut self, row: usize, column: usize) -> Option<Fr> {
        let Polynomial([c, b, a]) = polynomial(self.shape, &self.shape.rows()[row], column, &self.values);
        if a.is_zero() {
            return (!b.is_zero()).then(|| -c * self.inverse(b));
        }
        (b.square() == Fr::from(4u64) * a * c).then(|| -b * self.inverse(a.double()))
    }

    fn inverse(&mut self, x: Fr) -> Fr {
        if x.is_one() || (-x).is_one() {
            return x;
        }
        *self.inverses.entry(x).or_insert_with(|| x.inverse().unwrap_or(Fr::ZERO))
    }

    /// Writes the digits that a row takes from a sum.
    fn digits(&mut self, row: usize) {
        let sum = self.sum(row);
        let [a, b, c] = self.shape.rows()[row].each_ref().map(|lc| self.value(lc));
        let total = if sum.is_of_a_bit { a } else { a * b - c };
        let digits = sum.digits.iter();
        let rest = total - digits.map(|(digit, weight, _)| self.values[*digit] * weight).sum::<Fr>();
        let number = if sum.positive { -rest } else { rest }.into_bigint();
        for (digit, _, place) in &sum.digits {
            if !self.lie.pinned.contains(digit) {
                self.set(*digit, Fr::from(number.get_bit(*place as usize)));
            }
        }
    }

    /// What a row that defines digits is the sum of.
    fn sum(&mut self, row: usize) -> Arc<Sum> {
        let (shape, defined) = (self.shape, &self.defined[row]);
        let sum = self.sums.entry(row).or_insert_with(|| {
            let lcs = &shape.rows()[row];
            // Of a row that says that a form is a bit, the form itself is the digit of weight one.
            let is_of_a_bit = forced_bit(lcs).is_some();
            let weights = if is_of_a_bit { weights_of(shape, &lcs[0]) } else { weights(shape, lcs) };
            let weight = |digit: &u32| weights[&(*digit as usize)];
            let positive = defined.iter().all(|digit| power_of_two(&weight(digit)).is_some());
            let digit = |digit: &u32| {
                let weight = weight(digit);
                let place = power_of_two(&if positive { weight } else { -weight });
                let place = place.expect("digits have powers of two for weights, all of one sign");
                (*digit as usize, weight, place)
            };
            Arc::new(Sum { is_of_a_bit, digits: defined.iter().map(digit).collect(), positive })
        });
        sum.clone()
    }

    /// The rows that do not hold.
    fn violated(&self) -> Vec<usize> {
        let mut rows: Vec<u32> =
            self.lie.changed.iter().flat_map(|column| self.freedom.rows_of(*column)).copied().collect();
        rows.sort_unstable();
        rows.dedup();
        rows.into_iter().map(|row| row as usize).filter(|row| !self.holds(*row)).collect()
    }

    fn holds(&self, row: usize) -> bool {
        let [a, b, c] = self.shape.rows()[row].each_ref().map(|lc| self.value(lc));
        a * b == c
    }

    fn value(&self, lc: &Lc) -> Fr {
        let mut sum = Fr::ZERO;
        lc.terms().iter().for_each(|(var, k)| sum.add_scaled(&self.values[self.shape.column(*var)], *k));
        sum
    }

    /// A value that makes this row hold, of a column that is not yet fixed: what a statement can fit first, then what
    /// the prover chooses, then what came last.
    fn repair(&mut self, row: usize, target: usize) -> Option<(usize, Fr)> {
        if row == target {
            return None;
        }
        let mut candidates = columns(self.shape, &self.shape.rows()[row]);
        candidates.retain(|column| !self.lie.pinned.contains(column) && !self.freedom.is_bit(*column));
        candidates.sort_by_key(|column| {
            let choice = matches!(self.freedom.origin(*column), Origin::Chosen | Origin::Idle);
            Reverse((self.adjustable.contains(column), choice, self.freedom.rank(*column)))
        });
        candidates.into_iter().take(8).find_map(|column| {
            let Polynomial([c, b, a]) = polynomial(self.shape, &self.shape.rows()[row], column, &self.values);
            (a.is_zero() && !b.is_zero()).then(|| (column, -c * self.inverse(b)))
        })
    }

    /// Changes that may break this row and no other.
    pub(super) fn changes(&self, row: usize) -> Vec<Change> {
        let mut columns = columns(self.shape, &self.shape.rows()[row]);
        columns.sort_by_key(|column| Reverse(self.freedom.rank(*column)));
        let defines = |column: usize| self.freedom.origin(column) == Origin::Row(row as u32);
        let chosen =
            |column: usize| self.freedom.origin(column) == Origin::Chosen && !self.freedom.is_bit(column);
        columns.sort_by_key(|column| (!defines(*column), !chosen(*column)));
        columns.truncate(6);
        let values = |column: &usize| {
            let column = *column;
            self.values_for(column).into_iter().map(move |value| vec![(column, value)])
        };
        let mut out = if let [column] = columns[..] { self.among_flags(column) } else { Vec::new() };
        // A number that the row is about comes first, before bits and carries.
        let (first, rest) =
            columns.split_at(columns.iter().take(1).filter(|c| !self.freedom.is_bit(**c)).count());
        out.extend(first.iter().flat_map(values));
        out.extend(first.iter().flat_map(|column| self.by_weights(*column, row)));
        out.extend(columns.iter().flat_map(|column| self.carried_over(*column)));
        out.extend(rest.iter().flat_map(values));
        let aliases: Vec<Change> = columns.iter().filter_map(|column| self.alias(*column)).take(1).collect();
        for alias in aliases {
            for column in columns.iter().filter(|column| !alias.iter().any(|(other, _)| other == *column)) {
                let mut with = alias.clone();
                with.push((*column, Fr::ZERO));
                out.push(with);
            }
            out.push(alias);
        }
        out
    }

    /// The column is as much more or less as another column of the row weighs.
    fn by_weights(&self, column: usize, row: usize) -> Vec<Change> {
        let terms = self.shape.rows()[row].iter().flat_map(|lc| lc.terms());
        let others = terms.filter(|(var, _)| ![0, column].contains(&self.shape.column(*var)));
        let mut weights: Vec<Fr> = Vec::new();
        for (_, weight) in others {
            let is_new = !weight.is_one() && !(-*weight).is_one() && !weights.contains(weight);
            if is_new && weights.len() < WEIGHTS {
                weights.push(*weight);
            }
        }
        let honest = self.honest[column];
        weights.into_iter().flat_map(|k| [vec![(column, honest - k)], vec![(column, honest + k)]]).collect()
    }

    /// Flags whose sum a row holds, a few of them the other way, and this column what makes good for them: where all
    /// linear rows then hold.
    fn among_flags(&self, column: usize) -> Vec<Change> {
        let flags_of = |row: &u32| {
            let terms = weights(self.shape, &self.shape.rows()[*row as usize]);
            let are_flags = terms.keys().all(|column| self.freedom.is_bit(*column));
            (are_flags && FLAGS.contains(&terms.len()) && terms.contains_key(&column)).then_some(terms)
        };
        let Some(terms) = self.freedom.rows_of(column).iter().find_map(flags_of) else { return Vec::new() };
        let mut others: Vec<usize> = terms.keys().copied().filter(|other| *other != column).collect();
        others.sort_unstable();
        let chosen = (1u32..1 << others.len()).filter(|set| set.count_ones() <= FLAGS_AT_ONCE);
        let change = |set: u32| {
            let flipped = others.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
            let mut change: Change =
                flipped.map(|(_, other)| (*other, Fr::ONE - self.honest[*other])).collect();
            let sum: Fr =
                change.iter().map(|(other, value)| terms[other] * (*value - self.honest[*other])).sum();
            let own = terms[&column].inverse().expect("a row's weights are not zero");
            change.push((column, self.honest[column] - sum * own));
            change
        };
        chosen.map(change).filter(|change| self.keeps_sums(change)).collect()
    }

    /// Whether the linear rows of the columns hold after a change of these alone.
    fn keeps_sums(&self, change: &Change) -> bool {
        let rows = change.iter().flat_map(|(column, _)| self.freedom.rows_of(*column));
        rows.collect::<std::collections::BTreeSet<_>>().into_iter().all(|row| {
            let terms = weights(self.shape, &self.shape.rows()[*row as usize]);
            let by =
                |(column, value): &(usize, Fr)| Some(*terms.get(column)? * (*value - self.honest[*column]));
            change.iter().filter_map(by).sum::<Fr>().is_zero()
        })
    }

    /// Changes of what the prover chooses, bits and the limbs of long integers aside.
    pub(super) fn choices(&self) -> Vec<Change> {
        let chosen = |column: &usize| self.freedom.origin(*column) == Origin::Chosen;
        let whole = |column: &usize| !self.freedom.is_bit(*column);
        let first = 1 + self.shape.publics();
        let columns: Vec<usize> = (first..self.honest.len()).filter(chosen).filter(whole).collect();
        let change =
            |column: usize| self.values_for(column).into_iter().map(move |value| vec![(column, value)]);
        columns.into_iter().flat_map(change).take(MANY_CHOICES).collect()
    }

    fn values_for(&self, column: usize) -> Vec<Fr> {
        let (one, honest) = (Fr::ONE, self.honest[column]);
        if self.freedom.is_bit(column) {
            vec![one - honest, Fr::from(2u64), -one]
        } else {
            vec![honest + one, honest - one, -honest, Fr::ZERO]
        }
    }

    /// A bit is two more, and the number that the bits above it are one less, or the reverse: every sum of them
    /// stays.
    fn carried_over(&self, column: usize) -> Vec<Change> {
        if !self.freedom.is_bit(column) {
            return Vec::new();
        }
        let above = |row: &u32| {
            let row = &self.shape.rows()[*row as usize];
            let terms = if forced_bit(row).is_some() {
                weights_of(self.shape, &row[0])
            } else {
                weights(self.shape, row)
            };
            let mut weight = *terms.get(&column)?;
            let mut above = Vec::new();
            while above.len() < BITS_ABOVE {
                weight.double_in_place();
                let next = terms.iter().find(|(other, w)| **w == weight && self.freedom.is_bit(**other));
                let Some((next, _)) = next else { break };
                above.push(*next);
            }
            (!above.is_empty()).then_some(above)
        };
        let Some(above) = self.freedom.rows_of(column).iter().find_map(above) else { return Vec::new() };
        let number =
            above.iter().rev().fold(0u64, |sum, bit| sum << 1 | u64::from(self.honest[*bit].is_one()));
        let change = |number: u64, more: Fr| {
            let mut change = vec![(column, self.honest[column] + more)];
            let bits = above.iter().enumerate().map(|(i, bit)| (*bit, Fr::from(number >> i & 1)));
            change.extend(bits.filter(|(bit, value)| self.honest[*bit] != *value));
            change
        };
        let two = Fr::from(2u64);
        let less = number.checked_sub(1).map(|number| change(number, two));
        let more = (number + 1 < 1 << above.len()).then(|| change(number + 1, -two));
        less.into_iter().chain(more).collect()
    }

    /// The bits of a whole field element plus the modulus, where the column is one of its bits.
    fn alias(&self, column: usize) -> Option<Change> {
        const BITS: usize = Fr::MODULUS_BIT_SIZE as usize;
        self.freedom.rows_of(column).iter().find_map(|row| {
            let terms = weights(self.shape, &self.shape.rows()[*row as usize]);
            let places: Vec<(usize, u32)> =
                terms.iter().filter_map(|(column, w)| Some((*column, power_of_two(w)?))).collect();
            if places.len() < BITS {
                return None;
            }
            let mut number = Fr::ZERO;
            places.iter().for_each(|(bit, place)| {
                number += self.honest[*bit] * Fr::from(2u64).pow([u64::from(*place)])
            });
            let mut number = number.into_bigint();
            number.add_with_carry(&Fr::MODULUS);
            let alias = |(bit, place): &(usize, u32)| (*bit, Fr::from(number.get_bit(*place as usize)));
            (number.num_bits() as usize <= BITS).then(|| places.iter().map(alias).collect())
        })
    }
}
