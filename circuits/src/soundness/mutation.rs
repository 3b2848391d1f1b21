//! Which rows are missed where they are missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Subject;
use super::forger::{Change, Forger};
use super::survivors;
use crate::Fr;
use crate::r1cs::{Assignment, Lc, Shape};

/// Lies about one row that are told by the circuit's own hints too.
const BY_HINTS: usize = 8;

/// What to examine.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Effort {
    /// Rows taken of each family at most; of a smaller one all.
    pub rows_per_family: usize,
    /// Values that may be solved anew for one row and witness in all, before its lies are given up.
    pub patience: usize,
    /// Of so many alterations of what a statement is about one is tried.
    pub alterations: usize,
    /// Which rows are taken.
    pub seed: u64,
}

/// What was found out about one statement.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Rows of the statement.
    pub rows: usize,
    /// Rows and, of the mutants with one row less, what became of them, for each family.
    pub families: BTreeMap<String, Family>,
    /// Rows whose mutant nothing caught and no reason explains: must be empty.
    pub unexplained: Vec<(usize, String)>,
}

/// What was found out about one family.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Family {
    /// Rows of the family.
    pub rows: usize,
    /// Whether the mutant without the whole family is caught.
    pub caught: bool,
    /// Single rows that were left out, each by itself.
    pub mutants: usize,
    /// Of these, caught by a witness.
    pub by_witness: usize,
    /// Of the others, caught by determinism.
    pub by_determinism: usize,
    /// Survivors by their reasons.
    pub explained: BTreeMap<String, usize>,
}

impl Report {
    /// Mutants caught, and all, with one row less.
    #[must_use]
    pub fn single(&self) -> (usize, usize) {
        let caught = self.families.values().map(|family| family.by_witness + family.by_determinism).sum();
        (caught, self.families.values().map(|family| family.mutants).sum())
    }

    /// Mutants caught, and all, with one family less.
    #[must_use]
    pub fn whole(&self) -> (usize, usize) {
        (self.families.values().filter(|family| family.caught).count(), self.families.len())
    }
}

/// Leaves out rows of a statement, by the lies of several honest witnesses of it: `subjects` differ in nothing else.
///
/// # Panics
/// If a subject's witness is none.
pub fn examine<S: Subject>(subjects: &[S], effort: Effort) -> Report {
    let mut elements = Vec::new();
    let shape = Shape::of(|cs| elements = subjects[0].synthesize(cs));
    let mut report = Report { rows: shape.constraints(), ..Report::default() };
    for (family, rows) in shape.rows_per_family() {
        report.families.insert(family.to_owned(), Family { rows, ..Family::default() });
    }
    let sampled = sample(&shape, effort);
    for row in &sampled {
        family(&mut report, &shape, *row).mutants += 1;
    }
    let mut left = sampled.clone();
    let (mut caught, mut undetermined) = (BTreeSet::new(), BTreeSet::<usize>::new());
    for subject in subjects {
        let liar = Liar::new(subject, &shape, &elements);
        caught.extend(liar.lies_about_choices());
        left.retain(|row| !caught.contains(row));
        caught.extend(liar.lies_about_the_token(effort.alterations, &left));
        left.retain(|row| !caught.contains(row));
        let lies = |liar: &mut Liar<'_, S>, row: &usize| liar.lies_about(*row, effort.patience);
        let found: Vec<_> = left.par_iter().map_init(|| liar.clone(), lies).collect();
        caught.extend(found.into_iter().flatten());
        left.retain(|row| !caught.contains(row));
        // Of what is missed already no other witness need be lied about.
        let is_needed = |row: &&usize| liar.forger.is_needed_for_determinism(**row);
        undetermined.par_extend(left.par_iter().filter(is_needed).copied());
        left.retain(|row| !undetermined.contains(row));
    }
    for row in &sampled {
        let family = family(&mut report, &shape, *row);
        family.by_witness += usize::from(caught.contains(row));
        family.by_determinism += usize::from(undetermined.contains(row) && !caught.contains(row));
    }
    left.retain(|row| !caught.contains(row));
    for family in report.families.values_mut() {
        // What a mutant with one row less accepts, or lets free, so does one without the whole family.
        family.caught = family.by_witness + family.by_determinism > 0;
    }
    for row in left {
        let family = shape.families()[row];
        match survivors::explanation(&subjects[0].name(), &shape, row) {
            Some(why) => {
                *self::family(&mut report, &shape, row).explained.entry(why.to_owned()).or_default() += 1
            }
            None => report.unexplained.push((row, family.to_owned())),
        }
    }
    report
}

fn family<'a>(report: &'a mut Report, shape: &Shape, row: usize) -> &'a mut Family {
    report.families.entry(shape.families()[row].to_owned()).or_default()
}

/// So many rows of each family, drawn by the seed.
fn sample(shape: &Shape, effort: Effort) -> Vec<usize> {
    let mut rng = ChaCha20Rng::seed_from_u64(effort.seed);
    let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, family) in shape.families().iter().enumerate() {
        families.entry(family).or_default().push(row);
    }
    let mut rows = BTreeSet::new();
    for mut of_family in families.into_values() {
        for _ in 0..effort.rows_per_family.min(of_family.len()) {
            rows.insert(of_family.swap_remove(rng.next_u64() as usize % of_family.len()));
        }
    }
    rows.into_iter().collect()
}

/// Tells lies about one honest witness.
struct Liar<'a, S> {
    subject: &'a S,
    shape: &'a Shape,
    forger: Forger<'a>,
}

impl<S> Clone for Liar<'_, S> {
    fn clone(&self) -> Self {
        Self { subject: self.subject, shape: self.shape, forger: self.forger.clone() }
    }
}

impl<'a, S: Subject> Liar<'a, S> {
    fn new(subject: &'a S, shape: &'a Shape, elements: &[Lc]) -> Self {
        let values = Assignment::of(|cs| subject.synthesize(cs));
        Self { subject, shape, forger: Forger::new(shape, &values, elements) }
    }

    /// Lies about what this row speaks of, until one of them leaves it as the only row that does not hold; returns the
    /// rows that were left so.
    fn lies_about(&mut self, row: usize, mut patience: usize) -> BTreeSet<usize> {
        let mut caught = BTreeSet::new();
        let changes = self.forger.changes(row);
        for change in &changes {
            let Some(violated) = self.forger.tell(change, row, &mut patience) else { break };
            caught.extend(self.only_refusal(violated, row));
            if caught.contains(&row) {
                return caught;
            }
        }
        for change in changes.into_iter().take(BY_HINTS) {
            let digits = self.forger.digits_told(&change);
            caught.extend(self.only_refusal_by_hints(change, digits));
            if caught.contains(&row) {
                break;
            }
        }
        caught
    }

    /// The same lie told by a prover who leaves all else to the circuit's own hints, but for these digits, in which a hint
    /// has no part of the lie. Of what is no bit the lie is by how much it differs from what is computed.
    fn only_refusal_by_hints(&self, change: Change, digits: Change) -> Option<usize> {
        let first = 1 + self.shape.publics();
        let (bits, others): (Change, Change) =
            change.into_iter().partition(|(column, _)| self.forger.is_bit(*column));
        let by = others.into_iter().map(|(column, value)| (column, value - self.forger.honest(column)));
        let (set, by): (HashMap<_, _>, HashMap<_, _>) =
            (bits.into_iter().chain(digits).collect(), by.collect());
        let tamper = move |_: &str, at: usize, honest: Fr| {
            let column = first + at;
            let honest = set.get(&column).copied().unwrap_or(honest);
            by.get(&column).map_or(honest, |by| honest + by)
        };
        let values = Assignment::tampered(tamper, |cs| self.subject.synthesize(cs));
        match values.violations() {
            [] => None,
            [violation] => Some(violation.row),
            more => {
                let out_of_reach = more.iter().filter(|v| !self.subject.in_reach_of_an_accomplice(v.family));
                if out_of_reach.count() > 1 {
                    return None;
                }
                only_violation(&self.subject.with_an_accomplice(&values.full())?)
            }
        }
    }

    /// Lies about what the prover chooses, whatever row that offends.
    fn lies_about_choices(&self) -> Vec<usize> {
        let choices = self.forger.choices();
        let lies = choices.into_par_iter().map(|change| self.only_refusal_by_hints(change, Change::new()));
        lies.flatten_iter().collect()
    }

    /// Tells the truth about another token, as far as these rows may be all that refuses it.
    fn lies_about_the_token(&self, step: usize, left: &[usize]) -> Vec<usize> {
        let alterations: Vec<_> = (0..self.subject.alterations()).step_by(step.max(1)).collect();
        let told = alterations.into_par_iter().map(|n| {
            let values = self.subject.altered(n, |row| left.binary_search(&row).is_ok())?;
            only_violation(&values)
        });
        told.flatten_iter().collect()
    }

    /// The only row that does not hold, or would not with an accomplice.
    fn only_refusal(&self, violated: Vec<usize>, target: usize) -> Option<usize> {
        if let [row] = violated[..] {
            return Some(row);
        }
        let in_reach = |row: &usize| {
            *row == target || self.subject.in_reach_of_an_accomplice(self.shape.families()[*row])
        };
        if !violated.contains(&target) || !violated.iter().all(in_reach) {
            return None;
        }
        only_violation(&self.subject.with_an_accomplice(self.forger.values())?)
    }
}

fn only_violation(values: &Assignment) -> Option<usize> {
    match values.violations() {
        [violation] => Some(violation.row),
        _ => None,
    }
}
