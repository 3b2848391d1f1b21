//! Multiples of points that the prover chooses, by bits that are in the circuit.
//!
//! An odd scalar is a sum of digits ±2^i. Two digits at a time are ±1 or ±3 times a power of four, so a table of P
//! and 3P is enough, and no digit is zero. Per two bits: two doublings, one selection (3 rows), one addition.

use ark_ed_on_bn254::Fr as Residue;
use ark_ff::{BigInteger, PrimeField};
use sigveil_vrf_identity::curve::Scalar;

use super::super::bits::Bit;
use super::Point;
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// An odd number below 2^252 that the prover chooses: 1 + 2·Σ bits_i·2^i. Since l is odd and 2·l < 2^252, every
/// residue modulo l is such a number, so a scalar that is known nowhere else needs no other form. Some residues are
/// two of them; zero is one, l itself.
pub struct OddScalar<N> {
    bits: Vec<Bit<N>>,
    digits: Digits<N>,
}

impl<N: Num> OddScalar<N> {
    /// Number of free bits.
    pub const BITS: usize = 251;

    /// A number that stands for a scalar: its own, or that plus l.
    pub fn lift(scalar: &Scalar) -> <Fr as PrimeField>::BigInt {
        let mut number = scalar.to_field().into_bigint();
        if number.is_even() {
            number.add_with_carry(&Residue::MODULUS);
        }
        number
    }

    /// Allocates an odd number that the prover chooses: 251 rows, and 125 for its digits.
    pub fn witness<C: Cs<Num = N>>(cs: &mut C, number: &<Fr as PrimeField>::BigInt) -> Self {
        let bits = cs.family("scalar-bits", |cs| {
            Bit::hint_many(cs, Self::BITS, &[], |_| (1..=Self::BITS).map(|i| number.get_bit(i)).collect())
        });
        let digits = Digits::of_odd(cs, &bits);
        Self { bits, digits }
    }

    /// The bits above the lowest, which is one.
    pub fn bits(&self) -> &[Bit<N>] {
        &self.bits
    }

    /// The digits, for [`multiply`].
    pub fn digits(&self) -> &Digits<N> {
        &self.digits
    }
}

/// The digits ±1, ±3 of an odd number to base four, the lowest first.
pub struct Digits<N>(Vec<Digit<N>>);

struct Digit<N> {
    /// One for ±3, zero for ±1.
    is_three: Bit<N>,
    /// One or minus one.
    sign: N,
}

impl<N: Num> Digits<N> {
    /// The digits of 1 + 2·Σ bits_i·2^i, for an odd number of bits.
    ///
    /// With a one above the highest bit, that number is the sum of (2·bit_i − 1)·2^i: bits in pairs are digits.
    ///
    /// # Panics
    /// For an even number of bits: a circuit fixes it.
    pub fn of_odd<C: Cs<Num = N>>(cs: &mut C, bits: &[Bit<N>]) -> Self {
        assert!(bits.len() % 2 == 1, "digits are pairs of bits, the highest of which is constant");
        cs.family("scalar-digits", |cs| {
            let (pairs, rest) = bits.as_chunks::<2>();
            let mut digits: Vec<_> = pairs.iter().map(|[low, high]| Digit::of_pair(cs, low, high)).collect();
            digits.push(Digit { is_three: rest[0].clone(), sign: N::one() });
            Self(digits)
        })
    }
}

impl<N: Num> Digit<N> {
    /// 2·(2·high − 1) + (2·low − 1): 3 where both are one, −3 where both are zero, else ±1 with the sign of `high`.
    fn of_pair<C: Cs<Num = N>>(cs: &mut C, low: &Bit<N>, high: &Bit<N>) -> Self {
        let (low, high) = (low.num(), high.num());
        let both = cs.product(low, high);
        // Whether the two are equal, of two bits a bit.
        let equal = both.times(Fr::from(2u64)).minus(low).minus(high).plus(&N::one());
        let is_three = Bit::forced_elsewhere(equal);
        let sign = high.times(Fr::from(2u64)).minus(&N::one());
        Self { is_three, sign }
    }
}

/// P and 3P.
struct Table<N> {
    one: Point<N>,
    three: Point<N>,
}

impl<N: Num> Table<N> {
    fn new<C: Cs<Num = N>>(cs: &mut C, point: &Point<N>) -> Self {
        let double = point.double(cs);
        Self { one: point.clone(), three: double.add(cs, point) }
    }

    fn select<C: Cs<Num = N>>(&self, cs: &mut C, digit: &Digit<N>) -> Point<N> {
        cs.family("point-selection", |cs| {
            let x = cs.product(digit.is_three.num(), &self.three.x.minus(&self.one.x)).plus(&self.one.x);
            let y = cs.product(digit.is_three.num(), &self.three.y.minus(&self.one.y)).plus(&self.one.y);
            Point { x: cs.product(&digit.sign, &x), y }
        })
    }
}

/// A scalar and the point that it multiplies.
pub type Term<'a, N> = (&'a Digits<N>, &'a Point<N>);

/// The sum of scalars times points on the curve, with one chain of doublings: 10 rows for two bits, and 9 for each
/// scalar's two bits.
///
/// # Panics
/// Without a term.
pub fn multiply<C: Cs>(cs: &mut C, terms: &[Term<'_, C::Num>]) -> Point<C::Num> {
    let tables: Vec<_> = terms.iter().map(|(digits, point)| (&digits.0, Table::new(cs, point))).collect();
    let length = tables.iter().map(|(digits, _)| digits.len()).max().expect("there is a term");
    let mut sum: Option<Point<C::Num>> = None;
    for place in (0..length).rev() {
        sum = sum.map(|sum| sum.double(cs).double(cs));
        for (digits, table) in &tables {
            let Some(digit) = digits.get(place) else { continue };
            let selected = table.select(cs, digit);
            sum = Some(match sum {
                None => selected,
                Some(sum) => sum.add(cs, &selected),
            });
        }
    }
    sum.expect("there is a digit")
}

/// `Σ bits_i·2^i` for an even number of given bits, odd or not: the digits of the number with its lowest bit set, and
/// that bit.
pub struct GivenScalar<N> {
    digits: Digits<N>,
    is_even: Bit<N>,
}

impl<N: Num> GivenScalar<N> {
    /// The scalar of these bits, the lowest first.
    ///
    /// # Panics
    /// For an odd number of bits: a circuit fixes it.
    pub fn new<C: Cs<Num = N>>(cs: &mut C, bits: &[Bit<N>]) -> Self {
        Self { digits: Digits::of_odd(cs, &bits[1..]), is_even: bits[0].not() }
    }

    /// The digits of the scalar, or of the scalar plus one where it is even.
    pub fn digits(&self) -> &Digits<N> {
        &self.digits
    }

    /// Takes back from `sum` the one `point` too many where the scalar is even: 8 rows.
    pub fn correct<C: Cs<Num = N>>(&self, cs: &mut C, sum: &Point<N>, point: &Point<N>) -> Point<N> {
        let excess = point.negated().only_if(cs, &self.is_even);
        sum.add(cs, &excess)
    }
}
