//! Sparse linear combinations, for [`super::Shape`].

use ark_ff::Zero;

use super::Num;
use crate::Fr;

/// A column of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Var {
    /// The constant one.
    One,
    /// The n-th public input, from 0.
    Public(u32),
    /// The n-th witness variable, from 0.
    Witness(u32),
}

/// A sum of scaled variables, sorted by variable, without zero coefficients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lc(Vec<(Var, Fr)>);

impl Lc {
    /// The combination that is this one variable.
    pub fn var(var: Var) -> Self {
        Self(vec![(var, Fr::from(1u64))])
    }

    /// The combination of these terms; `None` unless they are sorted by variable, each once, none with a zero.
    pub fn from_terms(terms: Vec<(Var, Fr)>) -> Option<Self> {
        let sound =
            terms.windows(2).all(|pair| pair[0].0 < pair[1].0) && terms.iter().all(|(_, c)| !c.is_zero());
        sound.then_some(Self(terms))
    }

    /// The terms, sorted by variable.
    pub fn terms(&self) -> &[(Var, Fr)] {
        &self.0
    }
}

impl Num for Lc {
    fn constant(c: Fr) -> Self {
        if c.is_zero() { Self::default() } else { Self(vec![(Var::One, c)]) }
    }

    fn add_scaled(&mut self, other: &Self, k: Fr) {
        if k.is_zero() || other.0.is_empty() {
            return;
        }
        // Sums are mostly built from variables allocated in order: appending is the common case.
        if self.0.last().is_none_or(|(last, _)| *last < other.0[0].0) {
            self.0.extend(other.0.iter().map(|(v, c)| (*v, *c * k)));
            return;
        }
        let mine = std::mem::take(&mut self.0);
        let mut out = Vec::with_capacity(mine.len() + other.0.len());
        let (mut i, mut j) = (0, 0);
        while i < mine.len() && j < other.0.len() {
            let (a, b) = (mine[i], other.0[j]);
            match a.0.cmp(&b.0) {
                std::cmp::Ordering::Less => {
                    out.push(a);
                    i += 1;
                }
                std::cmp::Ordering::Greater => {
                    out.push((b.0, b.1 * k));
                    j += 1;
                }
                std::cmp::Ordering::Equal => {
                    let sum = a.1 + b.1 * k;
                    if !sum.is_zero() {
                        out.push((a.0, sum));
                    }
                    i += 1;
                    j += 1;
                }
            }
        }
        out.extend_from_slice(&mine[i..]);
        out.extend(other.0[j..].iter().map(|(v, c)| (*v, *c * k)));
        self.0 = out;
    }
}
