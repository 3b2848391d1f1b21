//! Scalars as signs and magnitudes, the longest first.

use core::cmp::Reverse;

use ark_ff::{BigInteger, PrimeField, Zero};
use zeroize::{Zeroize, Zeroizing};

use super::super::curve::Signed;
use crate::Fr;

/// A magnitude of at least 2, and the point that it multiplies, negated where the scalar is −magnitude.
#[derive(Clone, Copy, Default, Zeroize)]
pub(super) struct Term {
    pub(super) magnitude: [u64; 4],
    pub(super) point: Signed,
}

impl Term {
    /// Bits of the magnitude.
    pub(super) fn length(&self) -> usize {
        let zeros = self.magnitude.iter().rev().scan(true, |leading, word| {
            let counted = if *leading { word.leading_zeros() as usize } else { 0 };
            *leading &= *word == 0;
            Some(counted)
        });
        256 - zeros.sum::<usize>()
    }
}

/// The scalars of a part of the points.
pub(super) struct Recoded {
    ones: Zeroizing<Vec<Signed>>,
    terms: Zeroizing<Vec<Term>>,
}

impl Recoded {
    /// Of the scalars of points whose lines begin at `line`, each some `lines` later.
    pub(super) fn new(scalars: &[Fr], line: u32, lines: u32) -> Self {
        let mut ones = Zeroizing::new(Vec::with_capacity(scalars.len()));
        let mut terms = Zeroizing::new(Vec::with_capacity(scalars.len()));
        for (i, scalar) in scalars.iter().enumerate() {
            if scalar.is_zero() {
                continue;
            }
            let (magnitude, negative) = magnitude(scalar);
            let point = Signed::new(line + i as u32 * lines, negative);
            if magnitude == [1, 0, 0, 0] {
                ones.push(point);
            } else {
                terms.push(Term { magnitude, point });
            }
        }
        terms.sort_unstable_by_key(|term: &Term| Reverse(term.length()));
        Self { ones, terms }
    }

    /// The points whose scalar is 1, and the negatives of those whose scalar is −1.
    pub(super) fn ones(&self) -> &[Signed] {
        &self.ones
    }

    /// The other scalars but zero, of which the magnitude has at least `length` bits.
    pub(super) fn terms(&self, length: usize) -> &[Term] {
        &self.terms[..self.terms.partition_point(|term| term.length() >= length)]
    }
}

/// The lesser of s and r − s, and whether it is the latter.
fn magnitude(scalar: &Fr) -> ([u64; 4], bool) {
    let value = scalar.into_bigint();
    if value <= Fr::MODULUS_MINUS_ONE_DIV_TWO {
        return (value.0, false);
    }
    let mut negated = Fr::MODULUS;
    negated.sub_with_borrow(&value);
    (negated.0, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_told_apart_by_magnitude_and_sorted_by_length() {
        let scalars = [3, 0, 1, -1, -2, 1 << 40, -(1 << 50)].map(|s: i64| Fr::from(s));
        let recoded = Recoded::new(&scalars, 100, 2);
        assert_eq!(recoded.ones(), [Signed::new(104, false), Signed::new(106, true)]);
        let terms: Vec<_> = recoded.terms(0).iter().map(|term| (term.magnitude[0], term.length())).collect();
        assert_eq!(terms[..2], [(1 << 50, 51), (1 << 40, 41)]);
        assert!(terms[2..] == [(3, 2), (2, 2)] || terms[2..] == [(2, 2), (3, 2)]);
        assert_eq!(recoded.terms(0)[0].point, Signed::new(112, true));
        assert_eq!(recoded.terms(41).len(), 2);
        assert_eq!(recoded.terms(42).len(), 1);
        assert_eq!(recoded.terms(52).len(), 0);
    }

    #[test]
    fn no_magnitude_is_above_half_of_the_modulus() {
        let half = Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO);
        assert_eq!(magnitude(&half), (Fr::MODULUS_MINUS_ONE_DIV_TWO.0, false));
        assert_eq!(magnitude(&(half + Fr::from(1u64))), (Fr::MODULUS_MINUS_ONE_DIV_TWO.0, true));
        let longest = Term { magnitude: magnitude(&half).0, point: Signed::default() };
        assert_eq!(longest.length(), 253);
    }
}
