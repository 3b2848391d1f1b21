//! Which rows are missed where they are missing.
//!
//! Rows are taken in rounds, of each family one, so that an examination can end after any of them and go on later.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Subject;
use super::forger::{Change, Forger};
use super::survivors;
use crate::Fr;
use crate::r1cs::{Assignment, Lc, Shape, Told};

/// Lies about one row that are told by the circuit's own hints too.
const BY_HINTS: usize = 12;
/// Rows that are lied about before the next.
const AT_ONCE: usize = 64;

/// What to examine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows of the statement.
    pub rows: usize,
    /// Rows and, of the mutants with one row less, what became of them, for each family.
    pub families: BTreeMap<String, Family>,
    /// Rows whose mutant nothing caught and no reason explains: must be empty.
    pub unexplained: Vec<(usize, String)>,
    /// Rows in the order of the examination that were decided on.
    #[serde(default)]
    pub decided: usize,
    /// Rows that come later in that order, and were caught in passing.
    #[serde(default)]
    pub ahead: BTreeSet<usize>,
}

/// What was found out about one family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Rows of the family.
    pub rows: usize,
    /// Whether the mutant without the whole family is caught: by a witness, or by determinism.
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
    let (shape, elements) = shape(subjects);
    let mut examination = Examination::new(subjects, &shape, &elements, effort, Report::default());
    while examination.go_on() {}
    examination.report
}

/// The shape of a statement, and its public inputs in it.
///
/// # Panics
/// If there is no subject.
pub fn shape<S: Subject>(subjects: &[S]) -> (Shape, Vec<Lc>) {
    let mut elements = Vec::new();
    let shape = Shape::of(|cs| elements = subjects[0].synthesize(cs));
    (shape, elements)
}

/// An examination that is under way.
pub struct Examination<'a, S> {
    shape: &'a Shape,
    liars: Vec<Liar<'a, S>>,
    effort: Effort,
    /// In the order of the examination.
    rows: Vec<usize>,
    /// What was found out so far.
    pub report: Report,
}

impl<'a, S: Subject> Examination<'a, S> {
    /// Begins one, or goes on where a report of the same circuit, witnesses and effort ends, were it with fewer rows; those
    /// that nothing explained are examined again.
    ///
    /// # Panics
    /// If a subject's witness is none.
    pub fn new(
        subjects: &'a [S],
        shape: &'a Shape,
        elements: &[Lc],
        effort: Effort,
        mut report: Report,
    ) -> Self {
        report.rows = shape.constraints();
        for (family, rows) in shape.rows_per_family() {
            report.families.entry(family.to_owned()).or_default().rows = rows;
        }
        let mut rows = order(shape, effort);
        let again: Vec<usize> = report.unexplained.drain(..).map(|(row, _)| row).collect();
        for row in &again {
            family(&mut report, shape, *row).mutants -= 1;
        }
        report.decided -= again.len();
        rows.retain(|row| !again.contains(row));
        rows.splice(report.decided..report.decided, again);
        let liars: Vec<_> = subjects.iter().map(|subject| Liar::new(subject, shape, elements)).collect();
        let mut examination = Self { shape, liars, effort, rows, report };
        examination.lie_about_all();
        examination
    }

    /// Rows to examine in all.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Lies that are about no row more than another.
    fn lie_about_all(&mut self) {
        let mut left: Vec<usize> = self.rows[self.report.decided.min(self.rows.len())..].to_vec();
        left.sort_unstable();
        for i in 0..self.liars.len() {
            let mut caught: BTreeSet<usize> = self.liars[i].lies_about_choices().into_iter().collect();
            caught.extend(self.liars[i].lies_about_the_token(self.effort.alterations, &left));
            left.retain(|row| !caught.contains(row));
            self.note(caught);
        }
    }

    /// Takes note of rows that were caught, of those still to be examined.
    fn note(&mut self, caught: BTreeSet<usize>) {
        let left = &self.rows[self.report.decided.min(self.rows.len())..];
        self.report.ahead.extend(left.iter().filter(|row| caught.contains(row)));
    }

    /// Examines a few rows more, and when none is left the families of which none was caught; says whether any were left.
    pub fn go_on(&mut self) -> bool {
        let from = self.report.decided.min(self.rows.len());
        let rows = self.rows[from..self.rows.len().min(from + AT_ONCE)].to_vec();
        if rows.is_empty() {
            self.leave_out_families();
            return false;
        }
        let mut left: Vec<usize> =
            rows.iter().copied().filter(|row| !self.report.ahead.contains(row)).collect();
        let mut undetermined = BTreeSet::new();
        for i in 0..self.liars.len() {
            let patience = self.effort.patience;
            let lies = |liar: &mut Liar<'_, S>, row: &usize| liar.lies_about(*row, patience);
            let found: Vec<Caught> = left.par_iter().map_init(|| self.liars[i].clone(), lies).collect();
            for caught in found {
                self.note(caught.rows);
                for family in caught.families {
                    self.report.families.entry(family.to_owned()).or_default().caught = true;
                }
            }
            left.retain(|row| !self.report.ahead.contains(row));
            // Of what is missed already no other witness need be lied about.
            let is_needed = |row: &&usize| self.liars[i].forger.is_needed_for_determinism(&[**row]);
            undetermined.par_extend(left.par_iter().filter(is_needed).copied());
            left.retain(|row| !undetermined.contains(row));
        }
        for row in &rows {
            self.decide(*row, undetermined.contains(row));
        }
        true
    }

    fn decide(&mut self, row: usize, is_undetermined: bool) {
        let is_caught = self.report.ahead.remove(&row);
        let name = self.shape.families()[row];
        let family = family(&mut self.report, self.shape, row);
        family.mutants += 1;
        // What a mutant with one row less accepts, or lets free, so does one without the whole family.
        family.caught |= is_caught || is_undetermined;
        family.by_witness += usize::from(is_caught);
        family.by_determinism += usize::from(is_undetermined && !is_caught);
        if !is_caught && !is_undetermined {
            match survivors::explanation(&self.liars[0].subject.name(), self.shape, row) {
                Some(why) => *family.explained.entry(why.to_owned()).or_default() += 1,
                None => self.report.unexplained.push((row, name.to_owned())),
            }
        }
        self.report.decided += 1;
    }

    /// Leaves out whole families, of those that no single row shows to be needed.
    fn leave_out_families(&mut self) {
        let shape = self.shape;
        for (name, family) in self.report.families.iter_mut().filter(|(_, family)| !family.caught) {
            let is_of_it = |row: &usize| shape.families()[*row] == name;
            let rows: Vec<usize> = (0..shape.constraints()).filter(is_of_it).collect();
            family.caught = self.liars[0].forger.is_needed_for_determinism(&rows);
        }
    }
}

fn family<'a>(report: &'a mut Report, shape: &Shape, row: usize) -> &'a mut Family {
    report.families.entry(shape.families()[row].to_owned()).or_default()
}

/// So many rows of each family, drawn by the seed: the first of each, then the second. With more rows the order begins
/// in the same way.
fn order(shape: &Shape, effort: Effort) -> Vec<usize> {
    let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, family) in shape.families().iter().enumerate() {
        families.entry(family).or_default().push(row);
    }
    let mut rounds: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (stream, mut rows) in families.into_values().enumerate() {
        let mut rng = ChaCha20Rng::seed_from_u64(effort.seed);
        rng.set_stream(stream as u64);
        for round in 0..effort.rows_per_family.min(rows.len()) {
            let row = rows.swap_remove(rng.next_u64() as usize % rows.len());
            rounds.entry(round).or_default().push(row);
        }
    }
    rounds.into_values().flatten().collect()
}

/// What one liar's lies about a row are refused by.
#[derive(Default)]
struct Caught {
    /// Rows that alone refused one.
    rows: BTreeSet<usize>,
    /// Families that alone did.
    families: BTreeSet<&'static str>,
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

    /// Lies about what this row speaks of, until one of them leaves it as the only row that does not hold.
    fn lies_about(&mut self, row: usize, mut patience: usize) -> Caught {
        let mut caught = Caught::default();
        let changes = self.forger.changes(row);
        for change in &changes {
            let Some(violated) = self.forger.tell(change, row, &mut patience) else { break };
            caught.families.extend(self.only_family(&violated));
            caught.rows.extend(self.only_refusal(violated, row));
            if caught.rows.contains(&row) {
                return caught;
            }
        }
        for change in changes.into_iter().take(BY_HINTS) {
            let digits = self.forger.digits_told(&change);
            caught.rows.extend(self.only_refusal_by_hints(change, digits));
            if caught.rows.contains(&row) {
                return caught;
            }
        }
        if self.subject.is_missed(row) {
            caught.rows.insert(row);
        }
        caught
    }

    /// The same lie told by a prover who leaves all else to the circuit's own hints, but for these digits, in which a hint
    /// has no part of the lie. Of what is no bit the lie is by how much it differs from what is computed.
    fn only_refusal_by_hints(&self, change: Change, digits: Change) -> Option<usize> {
        let first = 1 + self.shape.publics();
        let told = |(column, value): (usize, Fr)| {
            let is_bit = self.forger.is_bit(column);
            let told = if is_bit { Told::Set(value) } else { Told::By(value - self.forger.honest(column)) };
            Some((column.checked_sub(first)?, told))
        };
        let digits = digits
            .into_iter()
            .filter_map(|(digit, value)| Some((digit.checked_sub(first)?, Told::Set(value))));
        let lies: BTreeMap<usize, Told> = change.into_iter().filter_map(told).chain(digits).collect();
        self.subject.only_refusal(&lies.into_iter().collect::<Vec<_>>())
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
            super::only_violation(&values)
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
        self.subject.only_refusal_with_an_accomplice(self.forger.values(), &violated)
    }

    /// The family that all of these rows are of.
    fn only_family(&self, violated: &[usize]) -> Option<&'static str> {
        let mut families = violated.iter().map(|row| self.shape.families()[*row]);
        let first = families.next()?;
        families.all(|family| family == first).then_some(first)
    }
}
