//! One lane, on any machine.
//!
//! The arithmetic is Montgomery's in 64-bit limbs without branches: what arkworks decides by comparing, which no
//! processor can foresee for random values, is left undecided here (any representative below 2p will do) or masked.

use core::marker::PhantomData;
use core::ops::{Add, Mul, Neg, Sub};

use ark_bn254::Fq;
use zeroize::Zeroize;

use super::{Arithmetic, Base, Cpu, Lanes, Line, Mask};

/// Any processor.
#[derive(Clone, Copy, Debug)]
pub struct AnyCpu;

impl Cpu for AnyCpu {
    type Lanes<F: Base> = Portable<F>;
    // A second product beside the first costs more moves between registers and memory than it hides of waiting.
    type InStep = Portable<Fq>;
}

/// One element of `F`: some representative below 2p of x·2²⁵⁶.
#[derive(Clone, Copy)]
pub struct Portable<F> {
    limbs: [u64; 4],
    field: PhantomData<F>,
}

impl<F: Base> Portable<F> {
    /// 2p.
    const TWICE: [u64; 4] = {
        let [a, b, c, d] = F::MODULUS_LIMBS;
        [a << 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63]
    };

    #[inline(always)]
    fn new(limbs: [u64; 4]) -> Self {
        Self { limbs, field: PhantomData }
    }

    /// Divides by 2²⁵⁶ modulo p: a number t gives one below t/2²⁵⁶ + p.
    #[inline(always)]
    fn reduced(mut wide: [u64; 8]) -> Self {
        let p = F::MODULUS_LIMBS;
        let mut over = 0;
        for i in 0..4 {
            let multiple = wide[i].wrapping_mul(F::NEGATED_INVERSE);
            let (_, mut carry) = multiply_add(wide[i], multiple, p[0], 0);
            for j in 1..4 {
                (wide[i + j], carry) = multiply_add(wide[i + j], multiple, p[j], carry);
            }
            let sum = u128::from(wide[i + 4]) + u128::from(carry) + u128::from(over);
            (wide[i + 4], over) = (sum as u64, (sum >> 64) as u64);
        }
        Self::new([wide[4], wide[5], wide[6], wide[7]])
    }
}

/// a + b·c + carry, and what is above 64 bits.
#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let sum = u128::from(a) + u128::from(b) * u128::from(c) + u128::from(carry);
    (sum as u64, (sum >> 64) as u64)
}

/// a + b + carry, and whether it is above 64 bits.
#[inline(always)]
fn add_with_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, over) = a.overflowing_add(b);
    let (sum, again) = sum.overflowing_add(u64::from(carry));
    (sum, over | again)
}

/// a − b − borrow, and whether it is below 0.
#[inline(always)]
fn subtract_with_borrow(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, under) = a.overflowing_sub(b);
    let (difference, again) = difference.overflowing_sub(u64::from(borrow));
    (difference, under | again)
}

/// a + b, and whether it is above 2²⁵⁶.
#[inline(always)]
fn add(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
    let mut sum = [0; 4];
    let mut carry = false;
    for i in 0..4 {
        (sum[i], carry) = add_with_carry(a[i], b[i], carry);
    }
    (sum, carry)
}

/// a − b, and whether it is below 0.
#[inline(always)]
fn subtract(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    for i in 0..4 {
        (difference[i], borrow) = subtract_with_borrow(a[i], b[i], borrow);
    }
    (difference, borrow)
}

/// a·b.
#[inline(always)]
fn wide_product(a: [u64; 4], b: [u64; 4]) -> [u64; 8] {
    let mut product = [0; 8];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            (product[i + j], carry) = multiply_add(product[i + j], a[j], b[i], carry);
        }
        product[i + 4] = carry;
    }
    product
}

/// a − b, and whether it is below 0.
#[inline(always)]
fn wide_subtract(a: [u64; 8], b: [u64; 8]) -> ([u64; 8], bool) {
    let mut difference = [0; 8];
    let mut borrow = false;
    for i in 0..8 {
        (difference[i], borrow) = subtract_with_borrow(a[i], b[i], borrow);
    }
    (difference, borrow)
}

/// The limbs where the condition holds, and 0 where it does not.
#[inline(always)]
fn masked(limbs: [u64; 4], condition: bool) -> [u64; 4] {
    let mask = u64::from(condition).wrapping_neg();
    [limbs[0] & mask, limbs[1] & mask, limbs[2] & mask, limbs[3] & mask]
}

impl<F: Base> Add for Portable<F> {
    type Output = Self;

    /// The sum is below 4p < 2²⁵⁶.
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (sum, _) = add(self.limbs, other.limbs);
        let (less, below) = subtract(sum, Self::TWICE);
        Self::new(add(less, masked(Self::TWICE, below)).0)
    }
}

impl<F: Base> Sub for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let (difference, below) = subtract(self.limbs, other.limbs);
        Self::new(add(difference, masked(Self::TWICE, below)).0)
    }
}

impl<F: Base> Mul for Portable<F> {
    type Output = Self;

    /// Row by row, each followed by a division by 2⁶⁴. With p < 0.19·2²⁵⁶ no sum needs a fifth limb, and the result
    /// is below 0.19·4p + p < 2p.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let () = F::FITS;
        let (a, b, p) = (self.limbs, other.limbs, F::MODULUS_LIMBS);
        let mut sum = [0; 4];
        for b in b {
            let (lowest, mut high) = multiply_add(sum[0], a[0], b, 0);
            let multiple = lowest.wrapping_mul(F::NEGATED_INVERSE);
            let (_, mut carry) = multiply_add(lowest, multiple, p[0], 0);
            for j in 1..4 {
                let limb;
                (limb, high) = multiply_add(sum[j], a[j], b, high);
                (sum[j - 1], carry) = multiply_add(limb, multiple, p[j], carry);
            }
            sum[3] = high + carry;
        }
        Self::new(sum)
    }
}

impl<F: Base> Neg for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self::new([0; 4]) - self
    }
}

impl<F: Base> Arithmetic for Portable<F> {
    const LANES: usize = 1;

    #[inline(always)]
    fn square(self) -> Self {
        self * self
    }

    #[inline(always)]
    fn double(self) -> Self {
        self + self
    }

    /// Three products, of which only two combinations are reduced. With all factors below 2p no sum needs a ninth limb:
    /// (a + b)·(c + d) < 16p² < 0.6·2⁵¹². The real part is above −4p² > −2²⁵⁶·p, which is
    /// added where it is negative, and comes out below p + p; the imaginary part is below 8p², comes out below 2.6p and is brought below 2p.
    #[inline(always)]
    fn complex_product((a, b): (Self, Self), (c, d): (Self, Self)) -> (Self, Self) {
        let () = F::FITS;
        let (ac, bd) = (wide_product(a.limbs, c.limbs), wide_product(b.limbs, d.limbs));
        let all = wide_product(add(a.limbs, b.limbs).0, add(c.limbs, d.limbs).0);
        let (mut real, negative) = wide_subtract(ac, bd);
        let high = [real[4], real[5], real[6], real[7]];
        [real[4], real[5], real[6], real[7]] = add(high, masked(F::MODULUS_LIMBS, negative)).0;
        let imaginary = wide_subtract(wide_subtract(all, ac).0, bd).0;
        let (real, imaginary) = (Self::reduced(real), Self::reduced(imaginary));
        let (less, below) = subtract(imaginary.limbs, Self::TWICE);
        (real, Self::new(add(less, masked(Self::TWICE, below)).0))
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        Mask::from(self.limbs == F::MODULUS_LIMBS) | self.blanks()
    }

    #[inline(always)]
    fn blanks(self) -> Mask {
        let [a, b, c, d] = self.limbs;
        Mask::from(a | b | c | d == 0)
    }

    #[inline(always)]
    fn select(mask: Mask, set: Self, unset: Self) -> Self {
        let set = masked(set.limbs, mask & 1 == 1);
        let unset = masked(unset.limbs, mask & 1 == 0);
        Self::new([set[0] | unset[0], set[1] | unset[1], set[2] | unset[2], set[3] | unset[3]])
    }
}

impl<F: Base> Lanes<F> for Portable<F> {
    type Cpu = AnyCpu;
    const WIDTH: usize = Self::LANES;

    #[inline(always)]
    fn splat(_: AnyCpu, value: F) -> Self {
        Self::new(value.to_limbs())
    }

    #[inline(always)]
    fn load(_: AnyCpu, from: &[F]) -> Self {
        Self::new(from[0].to_limbs())
    }

    #[inline(always)]
    fn store(self, to: &mut [F]) {
        to[0] = F::from_limbs(self.limbs);
    }

    #[inline(always)]
    fn gather(_: AnyCpu, lines: &[Line], at: &[u32]) -> (Self, Self) {
        let Line([first, second]) = lines[at[0] as usize];
        (Self::new(first), Self::new(second))
    }

    #[inline(always)]
    fn scatter(first: Self, second: Self, lines: &mut [Line], at: &[u32]) {
        lines[at[0] as usize] = Line([first.limbs, second.limbs]);
    }

    #[inline(always)]
    fn transpose(_: &mut [Self]) {}
}

impl<F: Base> Zeroize for Portable<F> {
    fn zeroize(&mut self) {
        self.limbs.zeroize();
    }
}
