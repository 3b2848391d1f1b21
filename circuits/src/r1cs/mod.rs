//! Rank-1 constraint systems, written once and run in two ways.
//!
//! A circuit is a function generic over [`Cs`]. Run over [`Shape`] it leaves the three sparse matrices, the same
//! for every witness; run over [`Assignment`] it leaves the vector of values, without ever building a linear
//! combination. So matrices are made once per key, and a proof costs one pass over values. For examinations there is a
//! third way: run over `Verdict` it leaves nothing but whether all rows hold.
//!
//! Every row carries the *family* of the gadget call that made it, so that tests can drop one family, or one row,
//! and show which false statement it was that kept out.
//!
//! Out of scope: what the rows mean (see [`crate::gadgets`]) and how they are proven (see `groth16`).

mod assignment;
#[cfg(any(test, feature = "prover"))]
pub(crate) mod freedom;
mod lc;
mod shape;
mod verdict;

pub use assignment::{Assignment, Violation};
pub use lc::{Lc, Var};
pub use shape::{Matrix, Shape};
#[cfg(feature = "prover")]
pub use verdict::Told;
pub(crate) use verdict::{Memory, Verdict};
#[cfg(feature = "prover")]
pub(crate) use verdict::{Size, Unmet};

use ark_ff::{AdditiveGroup, Field, Zero};

use crate::Fr;

/// A linear form over the variables: a number in the circuit, free to add and to scale.
pub trait Num: Clone {
    /// The form that is `c` everywhere.
    fn constant(c: Fr) -> Self;

    /// `self += k·other`.
    fn add_scaled(&mut self, other: &Self, k: Fr);

    /// The form zero.
    fn zero() -> Self {
        Self::constant(Fr::ZERO)
    }

    /// The form one.
    fn one() -> Self {
        Self::constant(Fr::ONE)
    }

    /// `self + other`.
    #[must_use]
    fn plus(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.add_scaled(other, Fr::ONE);
        out
    }

    /// `self − other`.
    #[must_use]
    fn minus(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.add_scaled(other, -Fr::ONE);
        out
    }

    /// `k·self`.
    #[must_use]
    fn times(&self, k: Fr) -> Self {
        let mut out = Self::zero();
        out.add_scaled(self, k);
        out
    }

    /// `1 − self`: the negation of a bit.
    #[must_use]
    fn not(&self) -> Self {
        Self::one().minus(self)
    }
}

/// Where rows go: [`Shape`] keeps the matrices, [`Assignment`] keeps the values.
pub trait Cs: Sized {
    /// A linear form of this system.
    type Num: Num;

    /// Allocates `n` witness variables whose values the prover computes from `inputs`. Nothing is enforced: a
    /// dishonest prover puts here whatever the rows allow. `values` is called only where values are kept, and must
    /// return exactly `n` of them.
    fn hint_many(
        &mut self,
        n: usize,
        inputs: &[&Self::Num],
        values: impl FnOnce(&[Fr]) -> Vec<Fr>,
    ) -> Vec<Self::Num>;

    /// Allocates one witness variable; see [`Cs::hint_many`].
    fn hint(&mut self, inputs: &[&Self::Num], value: impl FnOnce(&[Fr]) -> Fr) -> Self::Num;

    /// A new variable that is `gate`/`x`, or zero where `x` is zero. Nothing is enforced, as with [`Cs::hint`].
    fn quotient(&mut self, gate: &Self::Num, x: &Self::Num) -> Self::Num {
        self.hint(&[gate, x], |v| {
            if v[0].is_zero() { Fr::ZERO } else { v[1].inverse().map_or(Fr::ZERO, |inverse| inverse * v[0]) }
        })
    }

    /// Runs a gadget all of whose hints are functions of `inputs`, so that its rows and its result are too: an
    /// evaluation may remember both.
    fn remembered(
        &mut self,
        _inputs: &[Self::Num],
        gadget: impl FnOnce(&mut Self) -> Self::Num,
    ) -> Self::Num {
        gadget(self)
    }

    /// Allocates the next public input, whose value is that of `form`, and enforces the equality.
    fn public(&mut self, form: &Self::Num);

    /// Enforces `a·b = c`.
    fn enforce(&mut self, a: &Self::Num, b: &Self::Num, c: &Self::Num);

    /// Makes `family` the owner of the rows that follow and returns the one before; use [`Cs::family`].
    fn enter(&mut self, family: &'static str) -> &'static str;

    /// Runs `body` with `family` owning its rows.
    fn family<T>(&mut self, family: &'static str, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.enter(family);
        let out = body(self);
        self.enter(outer);
        out
    }

    /// Enforces `a = b`.
    fn equal(&mut self, a: &Self::Num, b: &Self::Num) {
        let difference = a.minus(b);
        self.enforce(&difference, &Self::Num::one(), &Self::Num::zero());
    }

    /// Enforces `a = 0`.
    fn is_zero(&mut self, a: &Self::Num) {
        self.enforce(a, &Self::Num::one(), &Self::Num::zero());
    }

    /// A new variable equal to `a·b`: one row.
    fn product(&mut self, a: &Self::Num, b: &Self::Num) -> Self::Num {
        let out = self.hint(&[a, b], |v| v[0] * v[1]);
        self.enforce(a, b, &out);
        out
    }
}
