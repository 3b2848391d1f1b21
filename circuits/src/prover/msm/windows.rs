//! Windows of signed digits, and the buckets of each.
//!
//! With B = Σ 2^(c−1)·2^(ci) over all windows but the highest, digit i of a magnitude m is digit i of m + B in base 2^c less
//! 2^(c−1), between −2^(c−1) and 2^(c−1) − 1: no window has to be read for the next. The highest window has no part in B and
//! keeps what is left, which is at most 2^(c−1).

use core::ops::Range;

use zeroize::Zeroizing;

use super::super::curve::{Group, Signed, sums};
use super::super::lanes::{Line, Path};
use super::buckets::weighted;
use super::recoding::{Recoded, Term};

/// Bits of the widest windows. Wider ones have more buckets than they save additions at any size used here.
const WIDEST: usize = 16;
/// What a window costs beyond its additions, in additions.
const WINDOW: usize = 500;
/// Points and buckets that a task should have at least.
const TASK: usize = 1 << 16;

/// The windows of a sum.
pub(super) struct Windows {
    /// Bits of a window, c.
    bits: usize,
    /// Number of windows: so many that c of them hold one bit more than the longest magnitude.
    count: usize,
    /// B.
    bias: [u64; 4],
}

impl Windows {
    /// The windows in which these terms take the fewest additions.
    pub(super) fn choose(parts: &[Recoded]) -> Self {
        let longest = parts.iter().filter_map(|part| part.terms(0).first()).map(Term::length).max();
        let longest = longest.unwrap_or(0);
        let all = (2..=WIDEST).map(|bits| Self::new(bits, longest));
        let best = all.min_by_key(|windows| {
            (0..windows.count).map(|window| windows.terms(parts, window)).sum::<usize>()
                + windows.count * (2 * windows.buckets() + WINDOW)
        });
        best.expect("there are widths")
    }

    /// Windows of `bits` bits for magnitudes of up to `longest`.
    fn new(bits: usize, longest: usize) -> Self {
        let count = if longest == 0 { 0 } else { (longest + 1).div_ceil(bits) };
        let mut bias = [0; 4];
        for window in 1..count {
            let bit = window * bits - 1;
            bias[bit / 64] |= 1 << (bit % 64);
        }
        Self { bits, count, bias }
    }

    /// Bits of a window.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    fn buckets(&self) -> usize {
        1 << (self.bits - 1)
    }

    /// Bits of the shortest magnitude m that can have a digit in window i > 0. The lower windows' part of B is below
    /// 2^(ci−1)·2^c/(2^c − 1), so that m carries into the window only if it is above 2^(ci−1)·(2^c − 2)/(2^c − 1),
    /// which has ci − 1 bits.
    fn shortest(&self, window: usize) -> usize {
        (window * self.bits).saturating_sub(1)
    }

    /// Number of terms that can have a digit in a window.
    fn terms(&self, parts: &[Recoded], window: usize) -> usize {
        parts.iter().map(|part| part.terms(self.shortest(window)).len()).sum()
    }

    /// The windows in groups that are worth a task, from the lowest.
    pub(super) fn tasks(&self, parts: &[Recoded]) -> Vec<Range<usize>> {
        let mut tasks = Vec::new();
        let (mut first, mut size) = (0, 0);
        for window in 0..self.count {
            size += self.terms(parts, window) + 2 * self.buckets();
            if size >= TASK || window + 1 == self.count {
                tasks.push(first..window + 1);
                (first, size) = (window + 1, 0);
            }
        }
        tasks
    }

    /// The sum of each of some windows.
    pub(super) fn sums<G: Group>(
        &self,
        path: Path,
        lines: &[Line],
        parts: &[Recoded],
        windows: Range<usize>,
    ) -> Vec<G::Curve> {
        let (members, sizes) = self.sorted(parts, windows.clone());
        let buckets = sums::<G>(path, lines, &members, &sizes);
        weighted::<G>(path, &buckets, self.buckets(), windows.len())
    }

    /// The points of some windows' buckets, bucket after bucket, and how many each has.
    fn sorted(
        &self,
        parts: &[Recoded],
        windows: Range<usize>,
    ) -> (Zeroizing<Vec<Signed>>, Zeroizing<Vec<u32>>) {
        let terms = windows.clone().map(|window| self.terms(parts, window)).sum();
        // Each term that has a digit: its bucket and its point.
        let mut digits: Zeroizing<Vec<(u32, Signed)>> = Zeroizing::new(Vec::with_capacity(terms));
        let mut sizes = Zeroizing::new(vec![0; windows.len() * self.buckets()]);
        for (place, window) in windows.enumerate() {
            for term in parts.iter().flat_map(|part| part.terms(self.shortest(window))) {
                let digit = self.digit(&term.magnitude, window);
                if digit != 0 {
                    let bucket = place * self.buckets() + digit.unsigned_abs() as usize - 1;
                    sizes[bucket] += 1;
                    let point = Signed::new(term.point.line(), term.point.is_negative() != (digit < 0));
                    digits.push((bucket as u32, point));
                }
            }
        }
        let mut places = Zeroizing::new(Vec::with_capacity(sizes.len()));
        let mut end = 0;
        for size in sizes.iter() {
            places.push(end as usize);
            end += size;
        }
        let mut members = Zeroizing::new(vec![Signed::default(); digits.len()]);
        for (bucket, point) in digits.iter() {
            let place = &mut places[*bucket as usize];
            members[*place] = *point;
            *place += 1;
        }
        (members, sizes)
    }

    /// A digit of a magnitude.
    #[inline]
    fn digit(&self, magnitude: &[u64; 4], window: usize) -> i32 {
        let mut biased = [0; 5];
        let mut carry = false;
        for i in 0..4 {
            let (sum, over) = magnitude[i].overflowing_add(self.bias[i]);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (biased[i], carry) = (sum, over || again);
        }
        let bit = window * self.bits;
        let pair = u128::from(biased[bit / 64]) | u128::from(biased[bit / 64 + 1]) << 64;
        let digit = (pair >> (bit % 64)) as u32 & ((1 << self.bits) - 1);
        let bias = if window + 1 < self.count { 1 << (self.bits - 1) } else { 0 };
        digit.cast_signed() - bias
    }
}
