//! Everything about a product that depends on the size alone: limbs, points, weights and carries, with the bounds.
//!
//! # Bound
//! Let `M_j = 2^(bits of limb j) − 1` and `T_i = Σ_j M_j·M_{i−j}`. With all limbs in range, coefficient i of
//! `P = A·B − Q·N − R` is an integer in `[−T_i − M_i, T_i]` (M_i only for i < m). For the coefficients `start..end`
//! between two carries let `S = carry_in + Σ 2^(24·(i − start))·P_i`, an integer in `[S_low, S_high]` by those ranges
//! and that of the carry in. The carry out is forced to be `low + u`, `0 ≤ u < 2^bits`, and equals
//! `S·2^(−24·(end − start))` modulo r, that is: r divides
//! `S − 2^(24·(end − start))·carry_out`, which lies between
//!
//! ```text
//! S_low − 2^(24·(end − start))·(low + 2^bits − 1)   and   S_high − 2^(24·(end − start))·low.
//! ```
//!
//! Both are less than r in size, so it is zero, over the integers. Here `low = ⌈S_low / 2^(24·(end − start))⌉`, and
//! `bits` is the length of `⌊S_high / 2^(24·(end − start))⌋ − low`: every honest carry fits. After the last
//! coefficients S = P(2^24)/2^(24·start) itself is less than r in size, and is zero modulo r.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field, PrimeField, batch_inversion};
use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;

use crate::Fr;

/// Bits of a limb; the top limb has what remains.
pub(super) const LIMB_BITS: usize = 24;

/// Length of a modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 2,048 bits.
    Rsa2048,
    /// 3,072 bits.
    Rsa3072,
    /// 4,096 bits.
    Rsa4096,
}

impl Size {
    /// All sizes.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The size of so many bits.
    #[must_use]
    pub fn from_bits(bits: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bits() == bits)
    }

    /// Bits of the modulus.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
        }
    }

    /// Bytes of the modulus and of a signature.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bits() / 8
    }

    /// Field elements that a modulus is packed into: 9, 13 or 17.
    #[must_use]
    pub const fn packed_elements(self) -> usize {
        self.bytes().div_ceil(super::PACKED_BYTES)
    }

    /// The layout of this size, computed on first use.
    pub(super) fn layout(self) -> &'static Layout {
        static LAYOUTS: [OnceLock<Layout>; Size::ALL.len()] = [const { OnceLock::new() }; Size::ALL.len()];
        LAYOUTS[self as usize].get_or_init(|| Layout::new(self))
    }
}

/// How a product of one size is written.
pub(super) struct Layout {
    pub(super) size: Size,
    /// Limbs of an integer, m.
    pub(super) limbs: usize,
    /// For each x = 1, …, m − 1 the powers x^0, …, x^(m−1). The points are 0, 1, −1, 2, −2, …
    pub(super) powers: Vec<Vec<Fr>>,
    /// From the low end; the last is what must be zero.
    pub(super) carries: Vec<Carry>,
}

/// The carry out of the coefficients below `end`, as a linear form.
pub(super) struct Carry {
    #[cfg_attr(not(test), expect(dead_code, reason = "the weights hold it; tests bound the carries by it"))]
    pub(super) end: usize,
    /// Weights of the values of A·B − Q·N at the points.
    pub(super) differences: Vec<Fr>,
    /// Weights of the remainder's limbs below `end`, to subtract.
    pub(super) remainder: Vec<Fr>,
    /// Where it must lie; `None` after the last coefficient, where it must be zero.
    pub(super) range: Option<Range>,
}

/// The numbers `low..low + 2^bits`.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) low: Fr,
    pub(super) bits: usize,
}

impl Layout {
    fn new(size: Size) -> Self {
        let limbs = size.bits().div_ceil(LIMB_BITS);
        let powers =
            |x: u64| std::iter::successors(Some(Fr::ONE), move |p| Some(*p * Fr::from(x))).take(limbs);
        let mut layout = Self {
            size,
            limbs,
            powers: (1..limbs as u64).map(|x| powers(x).collect()).collect(),
            carries: Vec::new(),
        };
        let basis = lagrange_basis(&layout.points());
        layout.carries =
            layout.plan().into_iter().map(|(end, range)| layout.carry(&basis, end, range)).collect();
        layout
    }

    /// Bits of limb `i`.
    pub(super) fn limb_bits(&self, i: usize) -> usize {
        (self.size.bits() - i * LIMB_BITS).min(LIMB_BITS)
    }

    /// Coefficients of a product, and as many points: 2m − 1.
    pub(super) fn coefficients(&self) -> usize {
        2 * self.limbs - 1
    }

    fn points(&self) -> Vec<Fr> {
        let signed = (1..self.limbs as u64).flat_map(|x| [Fr::from(x), -Fr::from(x)]);
        std::iter::once(Fr::ZERO).chain(signed).collect()
    }

    /// The range of coefficient `i` of P.
    pub(super) fn coefficient_range(&self, i: usize) -> (BigInt, BigInt) {
        let largest = |j: usize| (BigInt::from(1) << self.limb_bits(j)) - 1;
        let terms = i.saturating_sub(self.limbs - 1)..=i.min(self.limbs - 1);
        let high: BigInt = terms.map(|j| largest(j) * largest(i - j)).sum();
        let remainder = if i < self.limbs { largest(i) } else { BigInt::from(0) };
        (-&high - remainder, high)
    }

    /// Ends and ranges of the carries: always as many coefficients to a carry as the bound allows.
    fn plan(&self) -> Vec<(usize, Option<PlannedRange>)> {
        let mut plan = Vec::new();
        let (mut start, mut carry) = (0, (BigInt::from(0), BigInt::from(0)));
        while start < self.coefficients() {
            let (end, range) = self.longest(start, &carry);
            if let Some(range) = &range {
                carry = (range.low.clone(), range.high());
            }
            plan.push((end, range));
            start = end;
        }
        plan
    }

    /// The farthest end that the bound allows from `start` with a carry in of this range.
    fn longest(&self, start: usize, carry: &(BigInt, BigInt)) -> (usize, Option<PlannedRange>) {
        let fits = |low: &BigInt, high: &BigInt| low.magnitude().max(high.magnitude()) < &field_order();
        let (mut low, mut high) = carry.clone();
        let mut best = None;
        for end in start + 1..=self.coefficients() {
            let (least, greatest) = self.coefficient_range(end - 1);
            low += least << (LIMB_BITS * (end - 1 - start));
            high += greatest << (LIMB_BITS * (end - 1 - start));
            if end == self.coefficients() {
                if fits(&low, &high) {
                    best = Some((end, None));
                }
                break;
            }
            let shift = LIMB_BITS * (end - start);
            let range = PlannedRange::between(&low, &high, shift);
            if !fits(&(&low - (range.high() << shift)), &(&high - (&range.low << shift))) {
                break;
            }
            best = Some((end, Some(range)));
        }
        best.expect("one coefficient has 56 bits and its carry 33: far less than r")
    }

    fn carry(&self, basis: &[Vec<Fr>], end: usize, range: Option<PlannedRange>) -> Carry {
        let base = Fr::from(1u64 << LIMB_BITS);
        let shift = base.pow([end as u64]).inverse().expect("a power of two is not zero");
        let powers = std::iter::successors(Some(shift), |p| Some(*p * base)).take(end);
        let weights: Vec<Fr> = powers.collect();
        let weight = |poly: &Vec<Fr>| poly.iter().zip(&weights).map(|(c, w)| *c * w).sum();
        Carry {
            end,
            differences: basis.iter().map(weight).collect(),
            remainder: weights.iter().copied().take(self.limbs).collect(),
            range: range.map(|range| Range { low: signed(&range.low), bits: range.bits }),
        }
    }
}

struct PlannedRange {
    low: BigInt,
    bits: usize,
}

impl PlannedRange {
    /// The carries that sums from `low` to `high` leave when the lowest `shift` bits are zero.
    fn between(low: &BigInt, high: &BigInt, shift: usize) -> Self {
        let modulus = BigInt::from(1) << shift;
        let low = low.div_ceil(&modulus);
        let bits = (high.div_floor(&modulus) - &low).bits() as usize;
        Self { low, bits }
    }

    /// The highest number that the rows allow.
    fn high(&self) -> BigInt {
        &self.low + (BigInt::from(1) << self.bits) - 1
    }
}

/// The order r of the field.
pub(super) fn field_order() -> BigUint {
    Fr::MODULUS.into()
}

fn signed(number: &BigInt) -> Fr {
    let magnitude = Fr::from(number.magnitude().clone());
    if number.sign() == Sign::Minus { -magnitude } else { magnitude }
}

/// For each point the coefficients of the polynomial that is one there and zero at all others.
fn lagrange_basis(points: &[Fr]) -> Vec<Vec<Fr>> {
    let mut vanishing = vec![Fr::ONE];
    for x in points {
        vanishing.insert(0, Fr::ZERO);
        for i in 0..vanishing.len() - 1 {
            let above = vanishing[i + 1];
            vanishing[i] -= above * x;
        }
    }
    let mut basis: Vec<Vec<Fr>> = points.iter().map(|x| quotient(&vanishing, *x)).collect();
    let value = |(poly, x): (&Vec<Fr>, &Fr)| poly.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
    let mut scales: Vec<Fr> = basis.iter().zip(points).map(value).collect();
    batch_inversion(&mut scales);
    for (poly, scale) in basis.iter_mut().zip(scales) {
        poly.iter_mut().for_each(|c| *c *= scale);
    }
    basis
}

/// The polynomial divided by X − x, which divides it.
fn quotient(polynomial: &[Fr], x: Fr) -> Vec<Fr> {
    let mut out = vec![Fr::ZERO; polynomial.len() - 1];
    let mut above = Fr::ZERO;
    for i in (0..out.len()).rev() {
        above = polynomial[i + 1] + above * x;
        out[i] = above;
    }
    out
}
