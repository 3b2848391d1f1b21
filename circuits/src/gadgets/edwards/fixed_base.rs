//! Multiples of a point that every statement knows.

use ark_ec::{AdditiveGroup, CurveGroup};
use ark_ed_on_bn254::{EdwardsAffine, EdwardsProjective};

use super::super::bits::Bit;
use super::Point;
use crate::Fr;
use crate::r1cs::{Cs, Num};

const WINDOW: usize = 3;

/// The multiples of one point that a circuit selects from, for scalars of a fixed number of bits.
pub struct FixedBase {
    bits: usize,
    /// For the i-th window its eight entries, `value·8^i·base`; the offset is in those of the first.
    windows: Vec<[EdwardsAffine; 1 << WINDOW]>,
}

impl FixedBase {
    /// Prepares `offset + k·base` for k of so many bits.
    pub fn new(base: &EdwardsAffine, offset: &EdwardsAffine, bits: usize) -> Self {
        let mut step = EdwardsProjective::from(*base);
        let mut start = EdwardsProjective::from(*offset);
        let mut windows = Vec::with_capacity(bits.div_ceil(WINDOW));
        for _ in 0..bits.div_ceil(WINDOW) {
            let multiples: Vec<EdwardsProjective> =
                std::iter::successors(Some(start), |last| Some(*last + step)).take(1 << WINDOW).collect();
            let affine = EdwardsProjective::normalize_batch(&multiples);
            windows.push(std::array::from_fn(|i| affine[i]));
            start = EdwardsProjective::ZERO;
            (0..WINDOW).for_each(|_| {
                step.double_in_place();
            });
        }
        Self { bits, windows }
    }

    /// `offset + Σ bits_i·2^i·base`, plus `start` where there is one: 9 rows for three bits.
    ///
    /// # Panics
    /// Unless there are as many bits as were prepared for: a circuit fixes their number.
    pub fn multiply<C: Cs>(
        &self,
        cs: &mut C,
        bits: &[Bit<C::Num>],
        start: Option<Point<C::Num>>,
    ) -> Point<C::Num> {
        assert_eq!(bits.len(), self.bits, "a circuit fixes the number of bits");
        let mut sum = start;
        for (bits, entries) in bits.chunks(WINDOW).zip(&self.windows) {
            let entry = cs.family("fixed-base", |cs| look_up(cs, bits, entries));
            sum = Some(match sum {
                None => entry,
                Some(sum) => sum.add(cs, &entry),
            });
        }
        sum.expect("a scalar has bits")
    }
}

/// The entry whose number the bits are.
fn look_up<C: Cs>(cs: &mut C, bits: &[Bit<C::Num>], entries: &[EdwardsAffine; 1 << WINDOW]) -> Point<C::Num> {
    let low = match bits {
        [a] => vec![C::Num::one(), a.num().clone()],
        [a, b, ..] => vec![C::Num::one(), a.num().clone(), b.num().clone(), cs.product(a.num(), b.num())],
        [] => unreachable!("chunks are not empty"),
    };
    let mut coordinate = |of: fn(&EdwardsAffine) -> Fr| {
        let values = entries.map(|entry| of(&entry));
        let if_clear = combine(&low, &values[..4]);
        let Some(high) = bits.get(2) else { return if_clear };
        let if_set = combine(&low, &values[4..]);
        high.select(cs, &if_set, &if_clear)
    };
    let x = coordinate(|entry| entry.x);
    let y = coordinate(|entry| entry.y);
    Point { x, y }
}

/// The value whose number two bits (or one) are, from the monomials 1, a, b, ab (or 1, a).
fn combine<N: Num>(monomials: &[N], values: &[Fr]) -> N {
    let coefficients = [
        values[0],
        values[1] - values[0],
        values[2] - values[0],
        values[3] - values[2] - values[1] + values[0],
    ];
    let mut out = N::zero();
    for (monomial, coefficient) in monomials.iter().zip(coefficients) {
        out.add_scaled(monomial, coefficient);
    }
    out
}
