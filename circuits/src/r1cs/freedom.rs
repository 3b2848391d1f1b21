//! What a prover may choose: which variables do not follow from others by the rows.
//!
//! For tests. At one satisfying assignment, a variable *follows* where a row has it as its only unknown and leaves it
//! one value (the row is linear in it there, or has a double root), or where a linear row, or one that forces a linear
//! form to be a bit, has only unknown bits of distinct weights. What does not follow from what came before is chosen,
//! the first in order of allocation, and the search goes on. So every variable is a function, near that assignment, of
//! those returned; each of them must be a choice that the statement grants, or be shown to be unique by an argument of
//! its own. Left out is what no row depends on there, such as the inverse of a zero.

use std::collections::HashMap;

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};

use super::{Assignment, Cs, Lc, Num, Shape, Var};
use crate::Fr;

/// Decompositions of whole field elements, whose bits `gadgets::bits::canonical` shows to be unique by a
/// comparison with r; its own tests say so, and the search takes it from there.
const CANONICAL: &str = "canonical-bits";

/// The witness variables that are chosen, in order.
pub(crate) fn chosen(shape: &Shape, values: &Assignment) -> Vec<usize> {
    chosen_without(shape, values, None)
}

/// As [`chosen`], but with one row left out.
pub(crate) fn chosen_without(shape: &Shape, values: &Assignment, dropped: Option<usize>) -> Vec<usize> {
    assert!(values.is_satisfied(), "freedom is measured where the rows hold");
    let mut search = Search::new(shape, values, dropped);
    search.run();
    let mut chosen = Vec::new();
    let first = 1 + shape.publics();
    for column in first..first + shape.witnesses() {
        if !search.known[column] {
            if !search.is_idle(column) {
                chosen.push(column - first);
            }
            search.learn(column);
            search.run();
        }
    }
    chosen
}

/// How many variables of each family are chosen, as the circuit allocates them.
pub(crate) fn chosen_per_family(
    circuit: impl Fn(&mut Shape),
    values: impl Fn(&mut Assignment),
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

struct Search<'a> {
    shape: &'a Shape,
    values: Vec<Fr>,
    known: Vec<bool>,
    is_bit: Vec<bool>,
    /// The rows that each column is in.
    rows_of: Vec<Vec<u32>>,
    /// For each row, its unknown columns and those of them that are no bits.
    unknown: Vec<(u32, u32)>,
    queue: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(shape: &'a Shape, values: &Assignment, dropped: Option<usize>) -> Self {
        let values = values.full();
        let mut rows_of = vec![Vec::new(); values.len()];
        let mut is_bit = vec![false; values.len()];
        for (i, row) in shape.rows().iter().enumerate().filter(|(i, _)| Some(*i) != dropped) {
            let columns = columns(shape, row);
            if let [column] = columns[..] {
                is_bit[column] |= polynomial(shape, row, column, &values).is_of_a_bit();
            }
            if shape.families()[i] == CANONICAL {
                weights(shape, row).iter().filter(|(_, w)| power_of_two(w).is_some()).for_each(
                    |(column, _)| {
                        is_bit[*column] = true;
                    },
                );
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
        Self { shape, values, known, is_bit, rows_of, unknown, queue }
    }

    fn learn(&mut self, column: usize) {
        self.known[column] = true;
        for row in &self.rows_of[column] {
            let (all, others) = &mut self.unknown[*row as usize];
            *all -= 1;
            *others -= u32::from(!self.is_bit[column]);
            if *all <= 2 || *others == 0 {
                self.queue.push(*row);
            }
        }
    }

    fn run(&mut self) {
        while let Some(row) = self.queue.pop() {
            for column in self.follow(row as usize) {
                self.learn(column);
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

/// The columns of a row but that of the constant, each once.
fn columns(shape: &Shape, row: &[Lc; 3]) -> Vec<usize> {
    let mut columns: Vec<usize> =
        row.iter().flat_map(|lc| lc.terms()).map(|(var, _)| shape.column(*var)).filter(|c| *c != 0).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// n where the row is L·(2^n − L) = 0: then L is one bit more, of weight 2^n.
fn forced_bit([a, b, c]: &[Lc; 3]) -> Option<u32> {
    match a.plus(b).terms() {
        [(Var::One, sum)] if c.terms().is_empty() => power_of_two(sum),
        _ => None,
    }
}

/// The coefficients of a form but that of the constant.
fn weights_of(shape: &Shape, form: &Lc) -> HashMap<usize, Fr> {
    form.terms().iter().map(|(var, w)| (shape.column(*var), *w)).filter(|(column, _)| *column != 0).collect()
}

/// The coefficients of A·B − C where that is linear; empty where it is not.
fn weights(shape: &Shape, row: &[Lc; 3]) -> HashMap<usize, Fr> {
    let constant = |lc: &Lc| match lc.terms() {
        [] => Some(Fr::ZERO),
        [(var, c)] if shape.column(*var) == 0 => Some(*c),
        _ => None,
    };
    let [a, b, c] = row;
    let (form, factor) = match (constant(a), constant(b)) {
        (_, Some(factor)) => (a, factor),
        (Some(factor), _) => (b, factor),
        _ => return HashMap::new(),
    };
    let mut weights = HashMap::new();
    for (lc, k) in [(form, factor), (c, -Fr::ONE)] {
        for (var, w) in lc.terms().iter().filter(|(var, _)| shape.column(*var) != 0) {
            *weights.entry(shape.column(*var)).or_insert(Fr::ZERO) += *w * k;
        }
    }
    weights.retain(|_, w| !w.is_zero());
    weights
}

fn power_of_two(number: &Fr) -> Option<u32> {
    let number = number.into_bigint();
    (number.0.iter().map(|limb| limb.count_ones()).sum::<u32>() == 1).then(|| number.num_bits() - 1)
}

/// A·B − C as a polynomial in one variable, all others having their values: from the constant coefficient up.
struct Polynomial([Fr; 3]);

fn polynomial(shape: &Shape, row: &[Lc; 3], column: usize, values: &[Fr]) -> Polynomial {
    let [(a0, a1), (b0, b1), (c0, c1)] = row.each_ref().map(|lc| {
        let (mut rest, mut slope) = (Fr::ZERO, Fr::ZERO);
        for (var, k) in lc.terms() {
            match shape.column(*var) {
                at if at == column => slope += k,
                at => rest += *k * values[at],
            }
        }
        (rest, slope)
    });
    Polynomial([a0 * b0 - c0, a0 * b1 + a1 * b0 - c1, a1 * b1])
}

impl Polynomial {
    fn has_one_root(&self) -> bool {
        let Self([c, b, a]) = self;
        if a.is_zero() { !b.is_zero() } else { b.square() == Fr::from(4u64) * a * c }
    }

    /// Whether zero and one are the roots.
    fn is_of_a_bit(&self) -> bool {
        let Self([c, b, a]) = self;
        c.is_zero() && !a.is_zero() && (*a + b).is_zero()
    }
}

mod tests {
    use super::*;
    use crate::gadgets::bits::{Bit, decompose, is_zero, pack};
    use crate::gadgets::poseidon;
    use sigveil_vrf_identity::domain::Domain;

    fn measured(circuit: impl Fn(&mut Shape), values: impl FnOnce(&mut Assignment)) -> (Shape, Assignment) {
        (Shape::of(circuit), Assignment::of(values))
    }

    fn gates<C: Cs>(cs: &mut C) {
        let bits = Bit::hint_many(cs, 3, &[], |_| vec![true, false, true]);
        let (a, b) = (bits[0].and(cs, &bits[1]), bits[1].xor(cs, &bits[2]));
        let c = a.or(cs, &b);
        let number = c.select(cs, &pack(&bits), b.num());
        let hashed = poseidon::hash(cs, Domain::Label, std::slice::from_ref(&number));
        decompose(cs, &number, 8);
        cs.public(&hashed);
    }

    #[test]
    fn only_inputs_are_chosen() {
        let (shape, values) = measured(gates, gates);
        assert_eq!(chosen(&shape, &values), [0, 1, 2]);
    }

    /// The search sees each row that is missing: either one variable more is chosen, or one of the bits, which are
    /// chosen anyway, is none.
    #[test]
    fn a_missing_row_is_seen() {
        let (shape, values) = measured(gates, gates);
        for row in 0..shape.constraints() - 1 {
            let more = chosen_without(&shape, &values, Some(row)).len() > 3;
            let enforces_a_bit = columns(&shape, &shape.rows()[row]).len() == 1;
            assert!(more || enforces_a_bit && row < 3, "row {row}");
        }
    }

    #[test]
    fn the_inverse_of_zero_is_nothing_that_is_chosen() {
        fn circuit<C: Cs>(cs: &mut C, value: u64) {
            let value = cs.hint(&[], |_| Fr::from(value));
            is_zero(cs, &value);
        }
        for value in [0, 5] {
            let (shape, values) = measured(|cs| circuit(cs, value), |cs| circuit(cs, value));
            assert_eq!(chosen(&shape, &values), [0]);
            // Without the row that forces the output to zero where the value is not, it is chosen as well.
            let without = chosen_without(&shape, &values, Some(shape.constraints() - 1));
            assert!(value == 0 || without.len() == 2);
        }
    }

    #[test]
    fn a_range_by_what_its_bits_leave_is_no_choice() {
        // value − 2·b1 − 4·b2 is a bit.
        fn circuit<C: Cs>(cs: &mut C, weight: u64) {
            let value = cs.hint(&[], |_| Fr::from(6u64));
            let bits = Bit::hint_many(cs, 2, &[&value], |_| vec![true, true]);
            let mut rest = value.minus(&bits[0].num().times(Fr::from(weight)));
            rest.add_scaled(bits[1].num(), -Fr::from(6 - weight));
            Bit::enforced(cs, rest);
        }
        for (weight, expected) in [(2, 1), (5, 3)] {
            let (shape, values) = measured(|cs| circuit(cs, weight), |cs| circuit(cs, weight));
            assert_eq!(chosen(&shape, &values).len(), expected);
        }
    }

    #[test]
    fn a_decomposition_modulo_r_is_free() {
        // 254 bits without a comparison: bits of the value or of the value plus r.
        fn circuit<C: Cs>(cs: &mut C) {
            let value = cs.hint(&[], |_| Fr::from(5u64));
            let bits = Bit::hint_many(cs, 254, &[&value], |v| {
                (0..254).map(|i| v[0].into_bigint().get_bit(i)).collect()
            });
            cs.equal(&pack(&bits), &value);
        }
        let (shape, values) = measured(circuit, circuit);
        assert!(chosen(&shape, &values).len() > 1);
    }
}
