//! The field's operations on limbs of 52 bits.
#![allow(clippy::needless_range_loop, reason = "indices over all limbs read as the formulas do")]

use core::ops::{Add, Mul, Neg, Sub};

use super::super::{Arithmetic, Base, Mask};
use super::{Constants, Ifma, LIMB, Vector};

impl<F: Base> Ifma<F> {
    /// The modulus in each lane.
    #[inline(always)]
    pub(super) fn modulus(self) -> [Vector; 5] {
        let p = Constants::<F>::MODULUS;
        let any = self.limbs[0];
        [any.same(p[0]), any.same(p[1]), any.same(p[2]), any.same(p[3]), any.same(p[4])]
    }

    /// Brings the lower four limbs to 52 bits by carrying what is above, or borrowing what is negative.
    #[inline(always)]
    pub(super) fn carried(mut limbs: [Vector; 5]) -> Self {
        let limb = limbs[0].same(LIMB);
        for i in 0..4 {
            limbs[i + 1] = limbs[i + 1].add(limbs[i].shift_signed::<52>());
            limbs[i] = limbs[i].and(limb);
        }
        Self::new(limbs)
    }

    /// Divides the number of these ten columns, each below 2⁵⁶, by 2²⁵⁶ modulo p.
    #[inline(always)]
    fn reduced(mut columns: [Vector; 10]) -> Self {
        let () = F::FITS;
        let any = columns[0];
        let (zero, limb) = (any.same(0), any.same(LIMB));
        let p = Self::new([any; 5]).modulus();
        let inverse = any.same(Constants::<F>::NEGATED_INVERSE);
        for i in 0..4 {
            let multiple = zero.add_low(columns[i], inverse);
            // The lowest limb of the sum is a multiple of 2⁵² that needs no product: its lower 52 bits cancel, and
            // carry one unless they were zero already.
            let carry = columns[i].add(limb).shift_right::<52>();
            columns[i + 1] = columns[i + 1].add(carry).add_high(multiple, p[0]);
            for j in 1..5 {
                columns[i + j] = columns[i + j].add_low(multiple, p[j]);
                columns[i + j + 1] = columns[i + j + 1].add_high(multiple, p[j]);
            }
        }
        let multiple = zero.add_low(columns[4], inverse).and(any.same(LIMB >> 4));
        for j in 0..5 {
            columns[4 + j] = columns[4 + j].add_low(multiple, p[j]);
            columns[5 + j] = columns[5 + j].add_high(multiple, p[j]);
        }
        let carry = columns[4].shift_right::<48>();
        Self::carried([
            columns[5].shift_left::<4>().add(carry),
            columns[6].shift_left::<4>(),
            columns[7].shift_left::<4>(),
            columns[8].shift_left::<4>(),
            columns[9].shift_left::<4>(),
        ])
    }

    /// `set` where the bit is set, `unset` elsewhere.
    #[inline(always)]
    fn chosen(mask: u8, set: Self, unset: Self) -> Self {
        let mut limbs = unset.limbs;
        for i in 0..5 {
            limbs[i] = Vector::select(mask, set.limbs[i], limbs[i]);
        }
        Self::new(limbs)
    }

    /// The representative below p.
    #[inline(always)]
    pub(super) fn canonical(self) -> Self {
        let p = self.modulus();
        let mut less = self.limbs;
        for i in 0..5 {
            less[i] = less[i].sub(p[i]);
        }
        let less = Self::carried(less);
        let negative = less.limbs[0].same(0).greater(less.limbs[4]);
        Self::chosen(negative, self, less)
    }
}

impl<F: Base> Add for Ifma<F> {
    type Output = Self;

    /// With T the highest limb of 2p, the sum s < 4p is in [t, t + 2)·2²⁰⁸ for the sum t of the highest limbs. Where
    /// t > T, it is above 2p, which is taken off; where t < T − 1, it is below; in between p brings it near p.
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let p = self.modulus();
        let mut sum: [Vector; 5] = self.limbs;
        for i in 0..5 {
            sum[i] = sum[i].add(other.limbs[i]);
        }
        let about = sum[4].greater(sum[4].same(Constants::<F>::BELOW_TWICE_TOP));
        let above = sum[4].greater(sum[4].same(Constants::<F>::TWICE_TOP));
        for i in 0..5 {
            sum[i] = sum[i].sub_where(about, p[i]).sub_where(above, p[i]);
        }
        Self::carried(sum)
    }
}

impl<F: Base> Sub for Ifma<F> {
    type Output = Self;

    /// The difference has the sign of that of the highest limbs: where it is negative, 2p is added; where it is 0,
    /// the difference is within 2²⁰⁸ of 0 and p is added.
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let p = self.modulus();
        let mut difference = self.limbs;
        for i in 0..5 {
            difference[i] = difference[i].sub(other.limbs[i]);
        }
        let about = difference[4].same(1).greater(difference[4]);
        let below = difference[4].same(0).greater(difference[4]);
        for i in 0..5 {
            difference[i] = difference[i].add_where(about, p[i]).add_where(below, p[i]);
        }
        Self::carried(difference)
    }
}

impl<F: Base> Neg for Ifma<F> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self::new([self.limbs[0].same(0); 5]) - self
    }
}

impl<F: Base> Mul for Ifma<F> {
    type Output = Self;

    /// Each column is the sum of at most ten halves of products, below 10·2⁵².
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.limbs, other.limbs);
        let mut columns = [a[0].same(0); 10];
        for i in 0..5 {
            for j in 0..5 {
                columns[i + j] = columns[i + j].add_low(a[i], b[j]);
                columns[i + j + 1] = columns[i + j + 1].add_high(a[i], b[j]);
            }
        }
        Self::reduced(columns)
    }
}

impl<F: Base> Arithmetic for Ifma<F> {
    const LANES: usize = 8;

    #[inline(always)]
    fn square(self) -> Self {
        let a = self.limbs;
        let mut columns = [a[0].same(0); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                columns[i + j] = columns[i + j].add_low(a[i], a[j]);
                columns[i + j + 1] = columns[i + j + 1].add_high(a[i], a[j]);
            }
        }
        for i in 0..5 {
            columns[2 * i] = columns[2 * i].add(columns[2 * i]).add_low(a[i], a[i]);
            columns[2 * i + 1] = columns[2 * i + 1].add(columns[2 * i + 1]).add_high(a[i], a[i]);
        }
        Self::reduced(columns)
    }

    #[inline(always)]
    fn double(self) -> Self {
        self + self
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        let p = self.modulus();
        let mut differences = self;
        for i in 0..5 {
            differences.limbs[i] = differences.limbs[i].xor(p[i]);
        }
        self.blanks() | differences.blanks()
    }

    #[inline(always)]
    fn blanks(self) -> Mask {
        let [a, b, c, d, e] = self.limbs;
        a.or(b).or(c.or(d)).or(e).zeros().into()
    }

    #[inline(always)]
    fn select(mask: Mask, set: Self, unset: Self) -> Self {
        Self::chosen((mask & 0xff) as u8, set, unset)
    }
}
