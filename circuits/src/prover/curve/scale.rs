//! Many points, each times a number of its own.
//!
//! A number k is k₁ + k₂·λ with halves of 127 bits, as (x, y) ↦ (βx, y) is the product by λ in the subgroup (Gallant,
//! Lambert, Vanstone). The halves are written in digits ±1, ±3, …, ±15 with four zeros at least after each, and all
//! points go through them in step: double, then add what the digits say, each a batch of affine additions.

use core::marker::PhantomData;

use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::PrimeField;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::super::lanes::{Cpu, Kernel, Line, Path};
use super::coordinate::WIDEST;
use super::pairs::{Batch, Pairs, Signed};
use super::{Coordinate, Group};
use crate::Fr;

/// Odd multiples of a point in its table: 1, 3, …, 15.
const TABLE: usize = 8;
/// Lines of the points that go in step.
const STEP_LINES: usize = 1 << 10;
/// A number as what a point is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// |k₁| and |k₂|.
    magnitudes: [u128; 2],
    negative: [bool; 2],
}

impl Zeroize for Factor {
    fn zeroize(&mut self) {
        self.magnitudes.zeroize();
        self.negative.zeroize();
    }
}

impl Factor {
    /// That of a scalar.
    pub(super) fn halved<P: GLVConfig<ScalarField = Fr>>(scalar: &Fr) -> Self {
        let magnitude = |half: Fr| match half.into_bigint().0 {
            [low, high, 0, 0] => Some(u128::from(low) | u128::from(high) << 64),
            _ => None,
        };
        // Most numbers of a circuit are short, and whole.
        if let Some(short) = magnitude(*scalar).filter(|short| *short < 1 << 127) {
            return Self { magnitudes: [short, 0], negative: [false; 2] };
        }
        let ((one, low), (two, high)) = P::scalar_decomposition(*scalar);
        let halves = [low, high].map(|half| magnitude(half).expect("halves are as long as r's square root"));
        Self { magnitudes: halves, negative: [!one, !two] }
    }

    /// Whether it is one.
    fn is_one(&self) -> bool {
        self.magnitudes == [1, 0] && !self.negative[0]
    }

    /// Bits of the longer half.
    pub fn length(&self) -> u32 {
        128 - (self.magnitudes[0] | self.magnitudes[1]).leading_zeros()
    }

    /// Its digits in a half, the lowest first, by the place of the point in `digits`.
    fn write_digits(&self, half: usize, digits: &mut [i8], place: usize, points: usize) {
        let (mut rest, mut at) = (self.magnitudes[half], 0);
        while rest != 0 {
            let zeros = rest.trailing_zeros();
            (rest, at) = (rest >> zeros, at + zeros as usize);
            let low = (rest & 31) as i8;
            let digit = if low > 16 { low - 32 } else { low };
            digits[at * points + place] = if self.negative[half] { -digit } else { digit };
            // Without the digit a multiple of 32 is left: one more above where the digit is negative.
            (rest, at) = ((rest >> 5) + u128::from(digit < 0), at + 5);
        }
    }
}

/// Multiplies each point by its factor, on the threads of the current rayon pool. Points are in the subgroup.
///
/// # Panics
/// Where there are not as many factors as points.
pub fn scale<G: Group>(path: Path, points: &mut [G], factors: &[Factor]) {
    assert_eq!(points.len(), factors.len(), "a factor for each point");
    let mut places: Vec<usize> = (0..points.len()).filter(|i| !factors[*i].is_one()).collect();
    // Those that end together go together.
    places.sort_by_key(|i| factors[*i].length());
    let products: Vec<Vec<G>> = places
        .par_chunks(STEP_LINES / G::LINES)
        .map(|places| {
            let these: Vec<G> = places.iter().map(|i| points[*i]).collect();
            let factors: Zeroizing<Vec<Factor>> =
                Zeroizing::new(places.iter().map(|i| factors[*i]).collect());
            path.run(InStep { points: &these, factors: &factors })
        })
        .collect();
    places.into_iter().zip(products.into_iter().flatten()).for_each(|(i, product)| points[i] = product);
}

/// Points that go in step.
struct InStep<'a, G> {
    points: &'a [G],
    factors: &'a [Factor],
}

impl<G: Group> Kernel for InStep<'_, G> {
    type Output = Vec<G>;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Vec<G> {
        let count = self.points.len();
        let bits = self.factors.iter().map(Factor::length).max().unwrap_or(0) as usize + 1;
        let mut digits = [(); 2].map(|()| Zeroizing::new(vec![0i8; bits * count]));
        for (place, factor) in self.factors.iter().enumerate() {
            for (half, digits) in digits.iter_mut().enumerate() {
                factor.write_digits(half, digits, place, count);
            }
        }
        let largest = digits.iter().flat_map(|digits| digits.iter()).map(|digit| digit.unsigned_abs()).max();
        let entries = usize::from(largest.unwrap_or(0)).div_ceil(2).max(1);
        let both = self.factors.iter().any(|factor| factor.magnitudes[1] != 0);
        let mut table = Steps::<G, C>::new(self.points);
        table.fill(cpu, entries, both);
        for bit in (0..bits).rev() {
            table.double(cpu);
            for (half, digits) in digits.iter().enumerate() {
                table.add(cpu, half, &digits[bit * count..][..count]);
            }
        }
        table.sums()
    }
}

/// Sums so far, and the multiples that are added to them.
struct Steps<G: Group, C: Cpu> {
    count: usize,
    /// Number of points in a row, so many that vectors are whole.
    row: usize,
    /// The sums, then for each half a row of the points, of three times the points and so on.
    lines: Vec<Line>,
    /// New sums, and a spare point.
    next: Vec<Line>,
    /// The first line of each sum, and what follows in whole vectors.
    all: Vec<u32>,
    started: bool,
    pairs: Pairs,
    batch: Batch<G, C>,
    group: PhantomData<G>,
}

impl<G: Group, C: Cpu> Steps<G, C> {
    fn new(points: &[G]) -> Self {
        let (count, row) = (points.len(), points.len().next_multiple_of(WIDEST));
        let mut lines = vec![Line::default(); (1 + 2 * TABLE) * row * G::LINES];
        lines[row * G::LINES..][..count * G::LINES].copy_from_slice(G::lines(points));
        Self {
            count,
            row,
            lines,
            next: vec![Line::default(); (row + 1) * G::LINES],
            all: (0..row).map(|i| (i * G::LINES) as u32).collect(),
            started: false,
            pairs: Pairs::default(),
            batch: Batch::default(),
            group: PhantomData,
        }
    }

    /// The first line of a point's entry in the table.
    #[inline(always)]
    fn entry(&self, half: usize, entry: usize, point: usize) -> u32 {
        (((1 + half * TABLE + entry) * self.row + point) * G::LINES) as u32
    }

    /// Makes the table's first entries; of the second half too, if asked for.
    #[inline(always)]
    fn fill(&mut self, cpu: C, entries: usize, both: bool) {
        let (row, first) = (self.row * G::LINES, self.entry(0, 0, 0) as usize);
        if entries > 1 {
            self.lines.copy_within(first..first + row, 0);
            self.batch.double(cpu, &mut self.lines, &self.all);
        }
        for entry in 1..entries {
            for point in 0..self.count {
                let twice = Signed::new((point * G::LINES) as u32, false);
                let before = Signed::new(self.entry(0, entry - 1, point), false);
                self.pairs.push(twice, before, twice.line());
            }
            self.batch.add::<false>(cpu, &mut self.pairs, &self.lines, &mut self.next);
            let to = self.entry(0, entry, 0) as usize;
            self.lines[to..][..self.count * G::LINES].copy_from_slice(&self.next[..self.count * G::LINES]);
        }
        self.lines[..row].fill(Line::default());
        if both {
            self.turn(cpu, entries);
        }
    }

    /// Fills the table's second half: x times β.
    #[inline(always)]
    fn turn(&mut self, cpu: C, entries: usize) {
        let beta = <G::Coordinate<C>>::splat(cpu, G::beta());
        let width = <G::Coordinate<C> as super::super::lanes::Arithmetic>::LANES;
        let second = self.entry(1, 0, 0) - self.entry(0, 0, 0);
        let mut at = [0; WIDEST];
        for entry in 0..entries {
            for vector in (0..self.row).step_by(width) {
                for (i, line) in at[..width].iter_mut().enumerate() {
                    *line = self.entry(0, entry, vector + i);
                }
                let (x, y) = G::Coordinate::<C>::gather(cpu, &self.lines, &at);
                at.iter_mut().for_each(|line| *line += second);
                G::Coordinate::<C>::scatter(x * beta, y, &mut self.lines, &at);
            }
        }
    }

    /// Doubles all sums.
    #[inline(always)]
    fn double(&mut self, cpu: C) {
        if self.started {
            self.batch.double(cpu, &mut self.lines, &self.all);
        }
    }

    /// Adds to each sum the multiple that a digit says.
    #[inline(always)]
    fn add(&mut self, cpu: C, half: usize, digits: &[i8]) {
        let mut to = 0;
        for (point, digit) in digits.iter().enumerate() {
            if *digit != 0 {
                let entry = usize::from(digit.unsigned_abs() / 2);
                let multiple = Signed::new(self.entry(half, entry, point), *digit < 0);
                self.pairs.push(Signed::new(self.all[point], false), multiple, to);
                to += G::LINES as u32;
            }
        }
        if to == 0 {
            return;
        }
        self.started = true;
        self.batch.add::<true>(cpu, &mut self.pairs, &self.lines, &mut self.next);
        let changed = (0..digits.len()).filter(|point| digits[*point] != 0);
        for (from, point) in changed.enumerate() {
            let sum = &self.next[from * G::LINES..][..G::LINES];
            self.lines[point * G::LINES..][..G::LINES].copy_from_slice(sum);
        }
    }

    fn sums(&self) -> Vec<G> {
        let lines = self.lines[..self.count * G::LINES].chunks_exact(G::LINES);
        lines.map(|lines| G::pack(&G::sum(lines))).collect()
    }
}

#[cfg(test)]
mod tests {
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::{AdditiveGroup, Field, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::super::point::{PackedG1, PackedG2};
    use super::*;

    fn products_are_those_of_arkworks<G: Group>() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let edges = [0, 1, 2, 15, 16, 17, 31, 32, u64::MAX].map(Fr::from);
        let powers = (0..254).map(|i| Fr::from(2u64).pow([i]));
        let scalars: Vec<Fr> = edges.into_iter().chain(powers).flat_map(|k| [k, -k, k - Fr::ONE]).collect();
        let random: Vec<Fr> = (0..1500).map(|_| Fr::rand(&mut rng)).collect();
        for scalars in [&scalars[..], &random, &[]] {
            let mut points: Vec<G::Curve> = scalars.iter().map(|_| G::Curve::rand(&mut rng)).collect();
            if let Some(first) = points.first_mut() {
                *first = G::Curve::ZERO;
            }
            if points.len() > 30 {
                points[30] = G::Curve::generator();
            }
            let affine = G::Curve::normalize_batch(&points);
            let expected: Vec<G::Curve> = points.iter().zip(scalars).map(|(point, k)| *point * k).collect();
            let expected = G::Curve::normalize_batch(&expected);
            let factors: Vec<Factor> = scalars.iter().map(G::factor).collect();
            for path in Path::all() {
                let mut packed: Vec<G> = affine.iter().map(G::pack).collect();
                scale(path, &mut packed, &factors);
                for (i, (found, expected)) in packed.iter().zip(&expected).enumerate() {
                    assert!(found.unpack() == *expected, "{} {i}", path.name());
                }
            }
        }
    }

    #[test]
    fn products_in_g1_are_those_of_arkworks() {
        products_are_those_of_arkworks::<PackedG1>();
    }

    #[test]
    fn products_in_g2_are_those_of_arkworks() {
        products_are_those_of_arkworks::<PackedG2>();
    }
}
