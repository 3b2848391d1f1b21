//! Affine additions in batches, with one inversion for each batch (Montgomery's trick).
//!
//! P₁ + P₂ has the slope λ = (y₂ − y₁)/(x₂ − x₁), x₃ = λ² − x₁ − x₂ and y₃ = λ(x₁ − x₃) − y₁. The first pass goes
//! over the pairs from the last to the first and keeps the product of the denominators that it has met; the second
//! goes back with the inverse of them all. That is six products for an addition, of which one is a square.

use core::marker::PhantomData;
use core::ops::Range;

use ark_ff::{AdditiveGroup, Field};

use super::super::lanes::{Arithmetic, Cpu, Line, Mask, prefetch};
use super::coordinate::WIDEST;
use super::{Coordinate, Group};

/// A point of a slice of lines, or its negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed(u32);

impl Signed {
    /// The point whose first line is `line` < 2³¹, negated or not.
    #[inline(always)]
    pub fn new(line: u32, negative: bool) -> Self {
        Self(line << 1 | u32::from(negative))
    }

    /// Its first line.
    #[inline(always)]
    pub fn line(self) -> u32 {
        self.0 >> 1
    }

    /// Its negative where the condition holds.
    #[inline(always)]
    pub fn negated_if(self, condition: bool) -> Self {
        Self(self.0 ^ u32::from(condition))
    }

    /// Whether the negative is meant.
    #[inline(always)]
    pub fn is_negative(self) -> bool {
        self.0 & 1 == 1
    }
}

impl zeroize::DefaultIsZeroes for Signed {}

/// Pairs by which points are asked for before they are read: memory takes as long as a dozen additions on one lane.
const AHEAD: usize = 32;

/// Additions to be done together: the two points of each and the first line of where the sum goes.
#[derive(Default)]
pub struct Pairs {
    left: Vec<Signed>,
    right: Vec<Signed>,
    to: Vec<u32>,
}

impl Pairs {
    /// Adds a pair.
    #[inline(always)]
    pub fn push(&mut self, left: Signed, right: Signed, to: u32) {
        self.left.push(left);
        self.right.push(right);
        self.to.push(to);
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.to.len()
    }

    /// Forgets the pairs.
    pub fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
        self.to.clear();
    }

    /// Asks for the points of some of the pairs.
    #[inline(always)]
    fn prefetch<G: Group>(&self, pairs: Range<usize>, lines: &[Line]) {
        for (left, right) in self.left[pairs.clone()].iter().zip(&self.right[pairs]) {
            for i in 0..G::LINES {
                prefetch(lines, left.line() as usize + i);
                prefetch(lines, right.line() as usize + i);
            }
        }
    }

    /// Fills up to whole vectors with the last pair again, whose sum then goes to `spare`.
    fn pad(&mut self, width: usize, spare: u32) {
        let (Some(&left), Some(&right)) = (self.left.last(), self.right.last()) else { return };
        while !self.len().is_multiple_of(width) {
            self.push(left, right, spare);
        }
    }
}

/// What a batch keeps between its passes; used again for the next.
pub struct Batch<G: Group, C: Cpu> {
    /// For each vector of pairs the product of the denominators of those after it.
    products: Vec<G::Coordinate<C>>,
    /// Whether a pair of the vector is exceptional.
    exceptional: Vec<bool>,
}

impl<G: Group, C: Cpu> Default for Batch<G, C> {
    fn default() -> Self {
        Self { products: Vec::new(), exceptional: Vec::new() }
    }
}

impl<G: Group, C: Cpu> Batch<G, C> {
    /// Writes the sum of each pair of points in `from` to its place in `to`, of which the last point is spare.
    /// `pairs` is empty afterwards. With `SIGNED` unset no point may be a negative.
    #[inline(always)]
    pub fn add<const SIGNED: bool>(&mut self, cpu: C, pairs: &mut Pairs, from: &[Line], to: &mut [Line]) {
        let width = <G::Coordinate<C>>::LANES;
        pairs.pad(width, (to.len() - G::LINES) as u32);
        let vectors = pairs.len() / width;
        let ahead = AHEAD / width;
        self.products.clear();
        self.exceptional.clear();
        let mut product = <G::Coordinate<C>>::splat(cpu, Field::ONE);
        for vector in (0..vectors).rev() {
            if SIGNED && vector >= ahead {
                pairs.prefetch::<G>((vector - ahead) * width..(vector - ahead + 1) * width, from);
            }
            let pair = Operands::<G, C>::read::<SIGNED>(cpu, pairs, vector, from);
            let mut difference = pair.right.0 - pair.left.0;
            let exceptional = pair.left.0.blanks() | pair.right.0.blanks() | difference.zeros() != 0;
            if exceptional {
                difference = Exceptions::of(&pair).denominator(cpu, &pair);
            }
            self.products.push(product);
            self.exceptional.push(exceptional);
            product = product * difference;
        }
        let mut inverse = inverted::<G, C>(cpu, product);
        for vector in 0..vectors {
            if SIGNED && vector + ahead < vectors {
                pairs.prefetch::<G>((vector + ahead) * width..(vector + ahead + 1) * width, from);
            }
            let pair = Operands::<G, C>::read::<SIGNED>(cpu, pairs, vector, from);
            let (left, right) = (pair.left, pair.right);
            let mut numerator = right.1 - left.1;
            let mut denominator = right.0 - left.0;
            let place = vectors - 1 - vector;
            if self.exceptional[place] {
                let exceptions = Exceptions::of(&pair);
                numerator = exceptions.numerator(&pair);
                denominator = exceptions.denominator(cpu, &pair);
            }
            let slope = numerator * (inverse * self.products[place]);
            inverse = inverse * denominator;
            let x = slope.square() - left.0 - right.0;
            let mut sum = (x, slope * (left.0 - x) - left.1);
            if self.exceptional[place] {
                sum = Exceptions::of(&pair).sum(cpu, &pair, sum);
            }
            G::Coordinate::scatter(sum.0, sum.1, to, &pairs.to[vector * width..][..width]);
        }
        pairs.clear();
    }
}

impl<G: Group, C: Cpu> Batch<G, C> {
    /// Doubles the points whose first lines are `at`, in whole vectors: λ = 3x²/2y.
    #[inline(always)]
    pub fn double(&mut self, cpu: C, lines: &mut [Line], at: &[u32]) {
        let width = <G::Coordinate<C>>::LANES;
        let one = <G::Coordinate<C>>::splat(cpu, Field::ONE);
        let zero = <G::Coordinate<C>>::splat(cpu, AdditiveGroup::ZERO);
        let vectors = at.len() / width;
        self.products.clear();
        let mut product = one;
        for vector in (0..vectors).rev() {
            let (_, y) = G::Coordinate::<C>::gather(cpu, lines, &at[vector * width..]);
            let twice = y.double();
            self.products.push(product);
            product = product * G::Coordinate::<C>::select(twice.zeros(), one, twice);
        }
        let mut inverse = inverted::<G, C>(cpu, product);
        for vector in 0..vectors {
            let at = &at[vector * width..];
            let (x, y) = G::Coordinate::<C>::gather(cpu, lines, at);
            let twice = y.double();
            let infinite = twice.zeros();
            let square = x.square();
            let slope = (square.double() + square) * (inverse * self.products[vectors - 1 - vector]);
            inverse = inverse * G::Coordinate::<C>::select(infinite, one, twice);
            let double = slope.square() - x.double();
            let y = slope * (x - double) - y;
            let select = |sum| G::Coordinate::<C>::select(infinite, zero, sum);
            G::Coordinate::<C>::scatter(select(double), select(y), lines, at);
        }
    }
}

/// Points on lanes.
type Points<G, C> = (<G as Group>::Coordinate<C>, <G as Group>::Coordinate<C>);

/// One vector of pairs.
struct Operands<G: Group, C: Cpu> {
    left: Points<G, C>,
    right: Points<G, C>,
}

impl<G: Group, C: Cpu> Operands<G, C> {
    #[inline(always)]
    fn read<const SIGNED: bool>(cpu: C, pairs: &Pairs, vector: usize, from: &[Line]) -> Self {
        let width = <G::Coordinate<C>>::LANES;
        let left = &pairs.left[vector * width..][..width];
        let right = &pairs.right[vector * width..][..width];
        Self {
            left: Self::points::<SIGNED>(cpu, left, from),
            right: Self::points::<SIGNED>(cpu, right, from),
        }
    }

    #[inline(always)]
    fn points<const SIGNED: bool>(cpu: C, points: &[Signed], from: &[Line]) -> Points<G, C> {
        let mut at = [0; WIDEST];
        let mut negative: Mask = 0;
        for i in 0..points.len() {
            at[i] = points[i].line();
            negative |= Mask::from(points[i].is_negative()) << i;
        }
        let (x, y) = G::Coordinate::gather(cpu, from, &at);
        (x, if SIGNED { G::Coordinate::select(negative, -y, y) } else { y })
    }
}

/// The lanes of a vector of pairs whose sum the formula does not give.
struct Exceptions<G: Group, C: Cpu> {
    left_infinite: Mask,
    right_infinite: Mask,
    /// Neither is infinity and they are opposite, so that the sum is infinity.
    opposite: Mask,
    /// Neither is infinity and they are equal but not opposite, so that the slope is that of the tangent.
    equal: Mask,
    of: PhantomData<(G, C)>,
}

impl<G: Group, C: Cpu> Exceptions<G, C> {
    #[inline(always)]
    fn of(pair: &Operands<G, C>) -> Self {
        let (left, right) = (pair.left, pair.right);
        let left_infinite = left.0.zeros() & left.1.zeros();
        let right_infinite = right.0.zeros() & right.1.zeros();
        let same = (right.0 - left.0).zeros() & !left_infinite & !right_infinite;
        let opposite = same & (left.1 + right.1).zeros();
        Self { left_infinite, right_infinite, opposite, equal: same & !opposite, of: PhantomData }
    }

    #[inline(always)]
    fn denominator(&self, cpu: C, pair: &Operands<G, C>) -> G::Coordinate<C> {
        let one = <G::Coordinate<C>>::splat(cpu, Field::ONE);
        let difference = pair.right.0 - pair.left.0;
        let some = G::Coordinate::select(self.equal, pair.left.1.double(), difference);
        G::Coordinate::select(self.left_infinite | self.right_infinite | self.opposite, one, some)
    }

    /// 3x² where the points are equal: both curves have a = 0.
    #[inline(always)]
    fn numerator(&self, pair: &Operands<G, C>) -> G::Coordinate<C> {
        let square = pair.left.0.square();
        G::Coordinate::select(self.equal, square.double() + square, pair.right.1 - pair.left.1)
    }

    /// The sum of the formula with these lanes put right.
    #[inline(always)]
    fn sum(&self, cpu: C, pair: &Operands<G, C>, sum: Points<G, C>) -> Points<G, C> {
        let (left, right) = (pair.left, pair.right);
        (self.coordinate(cpu, left.0, right.0, sum.0), self.coordinate(cpu, left.1, right.1, sum.1))
    }

    #[inline(always)]
    fn coordinate(
        &self,
        cpu: C,
        left: G::Coordinate<C>,
        right: G::Coordinate<C>,
        sum: G::Coordinate<C>,
    ) -> G::Coordinate<C> {
        let zero = <G::Coordinate<C>>::splat(cpu, AdditiveGroup::ZERO);
        let sum = G::Coordinate::select(self.right_infinite, left, sum);
        let sum = G::Coordinate::select(self.left_infinite, right, sum);
        G::Coordinate::select(self.opposite, zero, sum)
    }
}

/// The inverse of each lane, none of which is zero.
#[inline(always)]
fn inverted<G: Group, C: Cpu>(cpu: C, lanes: G::Coordinate<C>) -> G::Coordinate<C> {
    let mut elements = [Field::ONE; WIDEST];
    lanes.store(&mut elements);
    invert(&mut elements);
    G::Coordinate::load(cpu, &elements)
}

/// The inverse of each element, none of which is zero, by one inversion.
fn invert<F: Field>(elements: &mut [F; WIDEST]) {
    let mut products = [F::ONE; WIDEST];
    let mut product = F::ONE;
    for i in 0..WIDEST {
        products[i] = product;
        product *= elements[i];
    }
    let mut inverse = product.inverse().expect("no denominator is zero");
    for i in (0..WIDEST).rev() {
        (elements[i], inverse) = (inverse * products[i], inverse * elements[i]);
    }
}
