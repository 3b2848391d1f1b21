//! Scalars as signs and magnitudes, the longest first.

use core::cmp::Reverse;

use ark_ff::{BigInt, BigInteger, PrimeField, Zero};
use zeroize::{Zeroize, Zeroizing};

use super::super::curve::Signed;
use crate::Fr;

/// A magnitude of at least 2, and the point that it multiplies, negated where the scalar is −magnitude.
#[derive(Clone, Copy, Default, Zeroize)]
struct Term {
    magnitude: [u64; 4],
    point: Signed,
}

impl Term {
    /// Bits of the magnitude.
    fn length(&self) -> usize {
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

    /// Bits of the longest magnitude of the other scalars, 0 if there is none.
    pub(super) fn longest(&self) -> usize {
        self.terms.first().map_or(0, Term::length)
    }

    /// How many of the other scalars but zero have a magnitude of at least `length` bits.
    pub(super) fn count(&self, length: usize) -> usize {
        self.terms.partition_point(|term| term.length() >= length)
    }

    /// The magnitudes plus `bias`, by their words.
    pub(super) fn biased(&self, bias: &[u64; 4]) -> Biased {
        let column = || Zeroizing::new(vec![0; self.terms.len()]);
        let mut words = [column(), column(), column(), column()];
        for (i, term) in self.terms.iter().enumerate() {
            let mut sum = BigInt(term.magnitude);
            sum.add_with_carry(&BigInt(*bias));
            for (column, word) in words.iter_mut().zip(sum.0) {
                column[i] = word;
            }
        }
        let points = Zeroizing::new(self.terms.iter().map(|term| term.point).collect());
        Biased { words, points }
    }
}

/// The terms of a part, the longest first: words of magnitude plus bias, the lowest first, and points.
pub(super) struct Biased {
    pub(super) words: [Zeroizing<Vec<u64>>; 4],
    pub(super) points: Zeroizing<Vec<Signed>>,
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
        let biased = recoded.biased(&[0, 5, 0, 0]);
        assert_eq!(biased.words[0][..2], [1 << 50, 1 << 40]);
        assert!(biased.words[0][2..] == [3, 2] || biased.words[0][2..] == [2, 3]);
        assert_eq!(biased.words[1][..], [5; 4]);
        assert_eq!(biased.points[0], Signed::new(112, true));
        assert_eq!([0, 41, 42, 51, 52].map(|length| recoded.count(length)), [4, 2, 1, 1, 0]);
        assert_eq!(recoded.longest(), 51);
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
