//! Coordinates on lanes: of the base field, or of its quadratic extension by a square root of −1.

use core::ops::{Add, Mul, Neg, Sub};

use ark_bn254::{Fq, Fq2};
use ark_ff::{AdditiveGroup, Field};

use super::super::lanes::{Arithmetic, Lanes, Line, Mask};

/// A coordinate of several points.
pub trait Coordinate<L: Lanes<Fq>>: Arithmetic {
    /// A coordinate of one point.
    type Element: Field;

    /// The same coordinate in each lane.
    fn splat(cpu: L::Cpu, value: Self::Element) -> Self;

    /// The first lanes of the slice.
    fn load(cpu: L::Cpu, from: &[Self::Element]) -> Self;

    /// Writes the lanes.
    fn store(self, to: &mut [Self::Element]);

    /// x and y of the points whose first line is `at[i]`.
    fn gather(cpu: L::Cpu, lines: &[Line], at: &[u32]) -> (Self, Self);

    /// Writes the points whose first line is `at[i]`.
    fn scatter(x: Self, y: Self, lines: &mut [Line], at: &[u32]);
}

impl<L: Lanes<Fq>> Coordinate<L> for L {
    type Element = Fq;

    #[inline(always)]
    fn splat(cpu: L::Cpu, value: Fq) -> Self {
        <L as Lanes<Fq>>::splat(cpu, value)
    }

    #[inline(always)]
    fn load(cpu: L::Cpu, from: &[Fq]) -> Self {
        <L as Lanes<Fq>>::load(cpu, from)
    }

    #[inline(always)]
    fn store(self, to: &mut [Fq]) {
        <L as Lanes<Fq>>::store(self, to);
    }

    #[inline(always)]
    fn gather(cpu: L::Cpu, lines: &[Line], at: &[u32]) -> (Self, Self) {
        <L as Lanes<Fq>>::gather(cpu, lines, at)
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, lines: &mut [Line], at: &[u32]) {
        <L as Lanes<Fq>>::scatter(x, y, lines, at);
    }
}

/// Elements a + b·u of the extension, u² = −1.
#[derive(Clone, Copy)]
pub struct Quadratic<L> {
    real: L,
    imaginary: L,
}

impl<L: Arithmetic> Add for Quadratic<L> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { real: self.real + other.real, imaginary: self.imaginary + other.imaginary }
    }
}

impl<L: Arithmetic> Sub for Quadratic<L> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { real: self.real - other.real, imaginary: self.imaginary - other.imaginary }
    }
}

impl<L: Arithmetic> Neg for Quadratic<L> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self { real: -self.real, imaginary: -self.imaginary }
    }
}

impl<L: Arithmetic> Mul for Quadratic<L> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (real, imaginary) =
            L::complex_product((self.real, self.imaginary), (other.real, other.imaginary));
        Self { real, imaginary }
    }
}

impl<L: Arithmetic> Arithmetic for Quadratic<L> {
    const LANES: usize = L::LANES;

    /// (a + b)(a − b) + 2ab·u.
    #[inline(always)]
    fn square(self) -> Self {
        let real = (self.real + self.imaginary) * (self.real - self.imaginary);
        Self { real, imaginary: (self.real * self.imaginary).double() }
    }

    #[inline(always)]
    fn double(self) -> Self {
        Self { real: self.real.double(), imaginary: self.imaginary.double() }
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        self.real.zeros() & self.imaginary.zeros()
    }

    #[inline(always)]
    fn blanks(self) -> Mask {
        self.real.blanks() & self.imaginary.blanks()
    }

    #[inline(always)]
    fn select(mask: Mask, set: Self, unset: Self) -> Self {
        Self {
            real: L::select(mask, set.real, unset.real),
            imaginary: L::select(mask, set.imaginary, unset.imaginary),
        }
    }
}

/// As many points as the widest coordinates have.
pub const WIDEST: usize = 16;

impl<L: Lanes<Fq>> Coordinate<L> for Quadratic<L> {
    type Element = Fq2;

    #[inline(always)]
    fn splat(cpu: L::Cpu, value: Fq2) -> Self {
        Self {
            real: <L as Lanes<Fq>>::splat(cpu, value.c0),
            imaginary: <L as Lanes<Fq>>::splat(cpu, value.c1),
        }
    }

    #[inline(always)]
    fn load(cpu: L::Cpu, from: &[Fq2]) -> Self {
        let (mut real, mut imaginary) = ([Fq::ZERO; WIDEST], [Fq::ZERO; WIDEST]);
        for i in 0..L::WIDTH {
            (real[i], imaginary[i]) = (from[i].c0, from[i].c1);
        }
        Self { real: <L as Lanes<Fq>>::load(cpu, &real), imaginary: <L as Lanes<Fq>>::load(cpu, &imaginary) }
    }

    #[inline(always)]
    fn store(self, to: &mut [Fq2]) {
        let (mut real, mut imaginary) = ([Fq::ZERO; WIDEST], [Fq::ZERO; WIDEST]);
        <L as Lanes<Fq>>::store(self.real, &mut real);
        <L as Lanes<Fq>>::store(self.imaginary, &mut imaginary);
        for i in 0..L::WIDTH {
            to[i] = Fq2::new(real[i], imaginary[i]);
        }
    }

    #[inline(always)]
    fn gather(cpu: L::Cpu, lines: &[Line], at: &[u32]) -> (Self, Self) {
        let (real, imaginary) = <L as Lanes<Fq>>::gather(cpu, lines, at);
        let x = Self { real, imaginary };
        let (real, imaginary) = <L as Lanes<Fq>>::gather(cpu, &lines[1..], at);
        (x, Self { real, imaginary })
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, lines: &mut [Line], at: &[u32]) {
        <L as Lanes<Fq>>::scatter(x.real, x.imaginary, lines, at);
        <L as Lanes<Fq>>::scatter(y.real, y.imaginary, &mut lines[1..], at);
    }
}
