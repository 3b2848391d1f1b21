//! Whether an honest witness is an isolated solution.
//!
//! Let V be any irreducible component, through the witness, of the variety of all solutions of the rows with the same
//! public inputs. A variable is *still* where it is constant on V. That follows
//!
//! 1. where a row, all its other variables being still, is a polynomial in this one that is not zero;
//! 2. where a product is zero on V and one factor is not zero at the witness: then the other factor is zero on V, and
//!    this variable is the only one in it that is not still;
//! 3. where one factor of a row is still, so that the row is linear, and this variable is the only one that remains.
//!
//! For those left over the derivatives of all rows are solved at the witness, over the field: each such variable's
//! derivative is a linear form in those of a few of them, the *parameters*, and rows used for none of that are
//! conditions on the parameters. Where their rank is the number of parameters, the tangent space of V is zero, so V is
//! this one point. Variables that no row depends on at the witness are listed apart.

use std::collections::BTreeMap;

use ark_ff::{AdditiveGroup, Field, Zero};

use super::Subject;
use crate::Fr;
use crate::r1cs::freedom::{Polynomial, columns, polynomial, weights_of};
use crate::r1cs::{Assignment, Lc, Num, Shape};

/// Rows with more variables that move than these are looked at again when there are fewer.
const FEW: u32 = 8;

/// What may change near a witness.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Witness variables.
    pub variables: usize,
    /// Variables left to the derivatives, and the parameters among them.
    pub differentiated: (usize, usize),
    /// Variables that no row depends on at the witness, for each family that allocates them.
    pub idle: BTreeMap<&'static str, usize>,
    /// Variables that move along some family of solutions, for each family that allocates them.
    pub moving: BTreeMap<&'static str, usize>,
}

/// Examines one witness.
///
/// # Panics
/// If the subject's witness is none.
pub fn examine<S: Subject>(subject: &S) -> Report {
    let mut elements = Vec::new();
    let shape = Shape::of(|cs| elements = subject.synthesize(cs));
    let families = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let record = families.clone();
    let note = move |family, _, value| {
        record.borrow_mut().push(family);
        value
    };
    let values = Assignment::tampered(note, |cs| subject.synthesize(cs));
    assert!(values.is_satisfied(), "an honest witness satisfies its statement");
    let families = families.borrow();
    let first = 1 + shape.publics();
    let count = |columns: Vec<usize>| {
        let mut count = BTreeMap::new();
        columns.into_iter().for_each(|column| *count.entry(families[column - first]).or_insert(0) += 1);
        count
    };
    let mut rest = Rest::of(&shape, values.full(), &elements);
    rest.still_all();
    let unsettled = (first..rest.values.len()).filter(|column| !rest.still[*column]).count();
    let Tangent { idle, parameters, moving } = rest.tangent();
    let differentiated = (unsettled - idle.len(), parameters);
    Report { variables: shape.witnesses(), differentiated, idle: count(idle), moving: count(moving) }
}

/// Which variables are still.
struct Rest<'a> {
    shape: &'a Shape,
    values: Vec<Fr>,
    /// The public inputs keep their values.
    fixed: Vec<[Lc; 3]>,
    rows_of: Vec<Vec<u32>>,
    still: Vec<bool>,
    /// For each row its columns that are not still.
    open: Vec<u32>,
    queue: Vec<u32>,
}

impl<'a> Rest<'a> {
    fn of(shape: &'a Shape, values: Vec<Fr>, elements: &[Lc]) -> Self {
        let value = |lc: &Lc| lc.terms().iter().map(|(var, k)| values[shape.column(*var)] * k).sum::<Fr>();
        let keep = |lc: &Lc| [lc.minus(&Lc::constant(value(lc))), Lc::one(), Lc::zero()];
        let fixed: Vec<[Lc; 3]> = elements.iter().map(keep).collect();
        let mut rows_of = vec![Vec::new(); values.len()];
        let mut open = Vec::new();
        for (i, row) in shape.rows().iter().chain(&fixed).enumerate() {
            let columns = columns(shape, row);
            open.push(columns.len() as u32);
            columns.iter().for_each(|column| rows_of[*column].push(i as u32));
        }
        let mut rest = Self {
            shape,
            still: vec![false; values.len()],
            values,
            fixed,
            rows_of,
            queue: (0..open.len() as u32).collect(),
            open,
        };
        rest.still[0] = true;
        (1..=shape.publics()).for_each(|column| rest.settle(column));
        rest
    }

    fn row(&self, i: usize) -> &[Lc; 3] {
        let rows = self.shape.rows();
        rows.get(i).unwrap_or_else(|| &self.fixed[i - rows.len()])
    }

    fn settle(&mut self, column: usize) {
        self.still[column] = true;
        for row in &self.rows_of[column] {
            self.open[*row as usize] -= 1;
            if self.open[*row as usize] <= FEW {
                self.queue.push(*row);
            }
        }
    }

    fn still_all(&mut self) {
        while let Some(row) = self.queue.pop() {
            while let Some(column) = self.next_still(row as usize) {
                self.settle(column);
            }
        }
    }

    fn value(&self, lc: &Lc) -> Fr {
        lc.terms().iter().map(|(var, k)| self.values[self.shape.column(*var)] * k).sum()
    }

    fn is_still(&self, lc: &Lc) -> bool {
        lc.terms().iter().all(|(var, _)| self.still[self.shape.column(*var)])
    }

    /// The only column of a form that is not still.
    fn only(&self, form: &Lc) -> Option<usize> {
        let mut open = weights_of(self.shape, form);
        open.retain(|column, weight| !self.still[*column] && !weight.is_zero());
        if open.len() == 1 { open.into_keys().next() } else { None }
    }

    fn next_still(&self, i: usize) -> Option<usize> {
        let open = self.open[i];
        if open == 0 || open > FEW {
            return None;
        }
        let row = self.row(i);
        let [a, b, c] = row;
        if open == 1 {
            let column = columns(self.shape, row).into_iter().find(|column| !self.still[*column])?;
            let Polynomial([p, q, r]) = polynomial(self.shape, row, column, &self.values);
            debug_assert!((p + (q + r * self.values[column]) * self.values[column]).is_zero());
            return (!q.is_zero() || !r.is_zero()).then_some(column);
        }
        let (at, bt) = (self.value(a), self.value(b));
        if self.is_still(c) && self.value(c).is_zero() {
            let factor = if !at.is_zero() { Some(b) } else { (!bt.is_zero()).then_some(a) };
            if let Some(column) = factor.and_then(|factor| self.only(factor)) {
                return Some(column);
            }
        }
        if self.is_still(a) {
            return self.only(&b.times(at).minus(c));
        }
        if self.is_still(b) { self.only(&a.times(bt).minus(c)) } else { None }
    }

    /// The derivatives of a row by its columns that are not still, none of them zero.
    fn gradient(&self, i: usize) -> Vec<(usize, Fr)> {
        let [a, b, c] = self.row(i);
        let (at, bt) = (self.value(a), self.value(b));
        let form = a.times(bt).plus(&b.times(at)).minus(c);
        let mut weights: Vec<_> = weights_of(self.shape, &form).into_iter().collect();
        weights.retain(|(column, weight)| !self.still[*column] && !weight.is_zero());
        weights
    }

    fn tangent(&self) -> Tangent {
        let gradients: Vec<Vec<(usize, Fr)>> =
            (0..self.open.len()).filter(|i| self.open[*i] > 0).map(|i| self.gradient(i)).collect();
        Elimination::new(gradients, (1..self.values.len()).filter(|column| !self.still[*column])).run()
    }
}

/// The tangent space.
struct Tangent {
    idle: Vec<usize>,
    parameters: usize,
    moving: Vec<usize>,
}

/// A linear form in the parameters.
type Form = BTreeMap<usize, Fr>;

struct Elimination {
    rows: Vec<Vec<(usize, Fr)>>,
    rows_of: BTreeMap<usize, Vec<usize>>,
    /// For each row its columns without a form.
    open: Vec<usize>,
    forms: BTreeMap<usize, Form>,
    queue: Vec<usize>,
    conditions: Vec<Form>,
}

impl Elimination {
    fn new(rows: Vec<Vec<(usize, Fr)>>, columns: impl Iterator<Item = usize>) -> Self {
        let mut rows_of: BTreeMap<usize, Vec<usize>> = columns.map(|column| (column, Vec::new())).collect();
        for (i, row) in rows.iter().enumerate() {
            row.iter().for_each(|(column, _)| rows_of.entry(*column).or_default().push(i));
        }
        let open = rows.iter().map(Vec::len).collect();
        let queue = (0..rows.len()).collect();
        Self { rows, rows_of, open, forms: BTreeMap::new(), queue, conditions: Vec::new() }
    }

    fn run(mut self) -> Tangent {
        let mut idle = Vec::new();
        let mut parameters = 0;
        self.follow();
        for column in self.rows_of.keys().copied().collect::<Vec<_>>() {
            if self.forms.contains_key(&column) {
                continue;
            }
            if self.rows_of[&column].is_empty() {
                idle.push(column);
                continue;
            }
            self.give(column, Form::from([(parameters, Fr::ONE)]));
            parameters += 1;
            self.follow();
        }
        let free = free(&self.conditions, parameters);
        let moves = |form: &Form| free.iter().any(|direction| !apply(form, direction).is_zero());
        let moving = self.forms.iter().filter(|(_, form)| moves(form)).map(|(column, _)| *column).collect();
        Tangent { idle, parameters, moving }
    }

    fn give(&mut self, column: usize, form: Form) {
        self.forms.insert(column, form);
        for row in &self.rows_of[&column] {
            self.open[*row] -= 1;
            if self.open[*row] <= 1 {
                self.queue.push(*row);
            }
        }
    }

    fn follow(&mut self) {
        while let Some(row) = self.queue.pop() {
            let mut sum = Form::new();
            let mut open = None;
            for (column, weight) in &self.rows[row] {
                match self.forms.get(column) {
                    Some(form) => add(&mut sum, form, *weight),
                    None => open = Some((*column, *weight)),
                }
            }
            match (self.open[row], open) {
                (1, Some((column, weight))) => {
                    let scale = -weight.inverse().expect("a gradient holds no zeros");
                    sum.values_mut().for_each(|k| *k *= scale);
                    self.give(column, sum);
                }
                (0, _) if !sum.is_empty() => self.conditions.push(sum),
                _ => {}
            }
        }
    }
}

fn add(sum: &mut Form, form: &Form, scale: Fr) {
    for (parameter, k) in form {
        *sum.entry(*parameter).or_insert(Fr::ZERO) += *k * scale;
    }
    sum.retain(|_, k| !k.is_zero());
}

fn apply(form: &Form, direction: &[Fr]) -> Fr {
    form.iter().map(|(parameter, k)| *k * direction[*parameter]).sum()
}

/// A basis of the directions that meet all conditions.
fn free(conditions: &[Form], parameters: usize) -> Vec<Vec<Fr>> {
    let mut pivots: BTreeMap<usize, Form> = BTreeMap::new();
    for condition in conditions {
        let mut rest = condition.clone();
        while let Some((parameter, k)) = rest.iter().next().map(|(parameter, k)| (*parameter, *k)) {
            let Some(pivot) = pivots.get(&parameter) else {
                let scale = k.inverse().expect("a form holds no zeros");
                rest.values_mut().for_each(|k| *k *= scale);
                pivots.insert(parameter, rest);
                break;
            };
            add(&mut rest, pivot, -k);
        }
    }
    let unbound = (0..parameters).filter(|parameter| !pivots.contains_key(parameter));
    let direction = |chosen: usize| {
        let mut direction = vec![Fr::ZERO; parameters];
        direction[chosen] = Fr::ONE;
        for (parameter, pivot) in pivots.iter().rev() {
            let others: Fr = pivot.iter().skip(1).map(|(other, k)| *k * direction[*other]).sum();
            direction[*parameter] = -others;
        }
        direction
    };
    unbound.map(direction).collect()
}
