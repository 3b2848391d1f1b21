//! Windows of signed digits, and the buckets of each.
//!
//! With B = Σ 2^(c−1)·2^(ci) over all windows but the highest, digit i of a magnitude m is digit i of m + B in base 2^c less
//! 2^(c−1), between −2^(c−1) and 2^(c−1) − 1: no window has to be read for the next. The highest window has no part in B and
//! keeps what is left, which is at most 2^(c−1).

use zeroize::Zeroizing;

use super::super::curve::{Group, Signed, sums};
use super::super::lanes::{Line, Path};
use super::buckets::weighted;
use super::recoding::{Biased, Recoded};

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
        let longest = parts.iter().map(Recoded::longest).max().unwrap_or(0);
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

    /// B.
    pub(super) fn bias(&self) -> &[u64; 4] {
        &self.bias
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
        parts.iter().map(|part| part.count(self.shortest(window))).sum()
    }

    /// The windows in groups that are worth a task, from the lowest.
    pub(super) fn tasks(&self, parts: &[Recoded]) -> Vec<Vec<Window>> {
        let (mut tasks, mut task, mut size) = (Vec::new(), Vec::new(), 0);
        for index in 0..self.count {
            let window = Window {
                bit: index * self.bits,
                bits: self.bits,
                half: if index + 1 < self.count { self.buckets() as i32 } else { 0 },
                terms: parts.iter().map(|part| part.count(self.shortest(index))).collect(),
            };
            size += window.terms.iter().sum::<usize>() + 2 * self.buckets();
            task.push(window);
            if size >= TASK || index + 1 == self.count {
                tasks.push(core::mem::take(&mut task));
                size = 0;
            }
        }
        tasks
    }

    /// The sum of each of some windows.
    pub(super) fn sums<G: Group>(
        &self,
        path: Path,
        lines: &[Line],
        parts: &[Biased],
        windows: &[Window],
    ) -> Vec<G::Curve> {
        let (members, sizes) = self.sorted(parts, windows);
        let buckets = sums::<G>(path, lines, &members, &sizes);
        weighted::<G>(path, &buckets, self.buckets(), windows.len())
    }

    /// The points of some windows' buckets, bucket after bucket, and how many each has.
    fn sorted(&self, parts: &[Biased], windows: &[Window]) -> (Zeroizing<Vec<Signed>>, Zeroizing<Vec<u32>>) {
        let mut sizes = Zeroizing::new(vec![0; windows.len() * self.buckets()]);
        for (window, sizes) in windows.iter().zip(sizes.chunks_exact_mut(self.buckets())) {
            window.each(parts, |bucket, _| sizes[bucket] += 1);
        }
        let mut places = Zeroizing::new(Vec::with_capacity(sizes.len()));
        let mut end = 0;
        for size in sizes.iter() {
            places.push(end);
            end += size;
        }
        let mut members = Zeroizing::new(vec![Signed::default(); end as usize]);
        for (window, places) in windows.iter().zip(places.chunks_exact_mut(self.buckets())) {
            window.each(parts, |bucket, point| {
                members[places[bucket] as usize] = point;
                places[bucket] += 1;
            });
        }
        (members, sizes)
    }
}

/// One window.
pub(super) struct Window {
    /// Its lowest bit.
    bit: usize,
    bits: usize,
    /// What B adds to its digits.
    half: i32,
    /// How many terms of each part can have a digit in it.
    terms: Vec<usize>,
}

impl Window {
    /// Calls `with` for each digit but 0, in the order of the terms: with its bucket, and its point or the negative.
    #[inline(always)]
    fn each(&self, parts: &[Biased], mut with: impl FnMut(usize, Signed)) {
        let (word, shift) = (self.bit / 64, self.bit % 64);
        let mask = (1 << self.bits) - 1;
        // There is no word above the highest.
        let above = if word < 3 { u64::MAX } else { 0 };
        for (part, terms) in parts.iter().zip(&self.terms) {
            let low = &part.words[word][..*terms];
            let high = &part.words[(word + 1).min(3)][..*terms];
            for ((low, high), point) in low.iter().zip(high).zip(&part.points[..*terms]) {
                let pair = u128::from(*low) | u128::from(*high & above) << 64;
                let digit = ((pair >> shift) as u32 & mask).cast_signed() - self.half;
                if digit != 0 {
                    with(digit.unsigned_abs() as usize - 1, point.negated_if(digit < 0));
                }
            }
        }
    }
}
