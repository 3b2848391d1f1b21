//! What one row says of one of its columns, or of its bits.

use std::collections::HashMap;

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, Zero};

use super::CANONICAL;
use crate::Fr;
use crate::r1cs::{Lc, Num, Shape, Var};

/// The columns that this row forces to be bits.
pub(super) fn bits_by(shape: &Shape, i: usize, columns: &[usize], values: &[Fr]) -> Vec<usize> {
    let row = &shape.rows()[i];
    if let [column] = columns {
        let is_bit = polynomial(shape, row, *column, values).is_of_a_bit();
        return if is_bit { vec![*column] } else { Vec::new() };
    }
    if shape.families()[i] != CANONICAL {
        return Vec::new();
    }
    weights(shape, row).into_iter().filter(|(_, w)| power_of_two(w).is_some()).map(|(c, _)| c).collect()
}

/// The columns of a row but that of the constant, each once.
pub(crate) fn columns(shape: &Shape, row: &[Lc; 3]) -> Vec<usize> {
    let mut columns: Vec<usize> =
        row.iter().flat_map(|lc| lc.terms()).map(|(var, _)| shape.column(*var)).filter(|c| *c != 0).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// n where the row is L·(2^n − L) = 0: then L is one bit more, of weight 2^n.
pub(crate) fn forced_bit([a, b, c]: &[Lc; 3]) -> Option<u32> {
    match a.plus(b).terms() {
        [(Var::One, sum)] if c.terms().is_empty() => power_of_two(sum),
        _ => None,
    }
}

/// The coefficients of a form but that of the constant.
pub(crate) fn weights_of(shape: &Shape, form: &Lc) -> HashMap<usize, Fr> {
    form.terms().iter().map(|(var, w)| (shape.column(*var), *w)).filter(|(column, _)| *column != 0).collect()
}

/// The coefficients of A·B − C where that is linear; empty where it is not.
pub(crate) fn weights(shape: &Shape, row: &[Lc; 3]) -> HashMap<usize, Fr> {
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

pub(crate) fn power_of_two(number: &Fr) -> Option<u32> {
    let number = number.into_bigint();
    (number.0.iter().map(|limb| limb.count_ones()).sum::<u32>() == 1).then(|| number.num_bits() - 1)
}

/// A·B − C as a polynomial in one variable, all others having their values: from the constant coefficient up.
pub(crate) struct Polynomial(pub(crate) [Fr; 3]);

pub(crate) fn polynomial(shape: &Shape, row: &[Lc; 3], column: usize, values: &[Fr]) -> Polynomial {
    let [(a0, a1), (b0, b1), (c0, c1)] = row.each_ref().map(|lc| {
        let (mut rest, mut slope) = (Fr::ZERO, Fr::ZERO);
        for (var, k) in lc.terms() {
            match shape.column(*var) {
                at if at == column => slope += k,
                at => rest.add_scaled(&values[at], *k),
            }
        }
        (rest, slope)
    });
    Polynomial([a0 * b0 - c0, a0 * b1 + a1 * b0 - c1, a1 * b1])
}

impl Polynomial {
    pub(super) fn has_one_root(&self) -> bool {
        let Self([c, b, a]) = self;
        if a.is_zero() { !b.is_zero() } else { b.square() == Fr::from(4u64) * a * c }
    }

    /// Whether zero and one are the roots.
    fn is_of_a_bit(&self) -> bool {
        let Self([c, b, a]) = self;
        c.is_zero() && !a.is_zero() && (*a + b).is_zero()
    }
}
