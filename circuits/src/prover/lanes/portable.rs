//! One lane, on any machine, by arkworks' arithmetic.

use core::ops::{Add, Mul, Neg, Sub};

use zeroize::Zeroize;

use super::{Arithmetic, Base, Cpu, Lanes, Line, Mask};

/// Any processor.
#[derive(Clone, Copy, Debug)]
pub struct AnyCpu;

impl Cpu for AnyCpu {
    type Lanes<F: Base> = Portable<F>;
}

/// One element of `F`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Portable<F>(F);

impl<F: Base> Add for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl<F: Base> Sub for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl<F: Base> Mul for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl<F: Base> Neg for Portable<F> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl<F: Base> Arithmetic for Portable<F> {
    const LANES: usize = 1;

    #[inline(always)]
    fn square(self) -> Self {
        Self(self.0.square())
    }

    #[inline(always)]
    fn double(self) -> Self {
        Self(self.0.double())
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        Mask::from(self.0.is_zero())
    }

    #[inline(always)]
    fn blanks(self) -> Mask {
        self.zeros()
    }

    #[inline(always)]
    fn select(mask: Mask, set: Self, unset: Self) -> Self {
        if mask & 1 == 1 { set } else { unset }
    }
}

impl<F: Base> Lanes<F> for Portable<F> {
    type Cpu = AnyCpu;
    const WIDTH: usize = Self::LANES;

    #[inline(always)]
    fn splat(_: AnyCpu, value: F) -> Self {
        Self(value)
    }

    #[inline(always)]
    fn load(_: AnyCpu, from: &[F]) -> Self {
        Self(from[0])
    }

    #[inline(always)]
    fn store(self, to: &mut [F]) {
        to[0] = self.0;
    }

    #[inline(always)]
    fn gather(_: AnyCpu, lines: &[Line], at: &[u32]) -> (Self, Self) {
        let Line([first, second]) = lines[at[0] as usize];
        (Self(F::from_limbs(first)), Self(F::from_limbs(second)))
    }

    #[inline(always)]
    fn scatter(first: Self, second: Self, lines: &mut [Line], at: &[u32]) {
        lines[at[0] as usize] = Line([first.0.to_limbs(), second.0.to_limbs()]);
    }

    #[inline(always)]
    fn transpose(_: &mut [Self]) {}
}

impl<F: Base> Zeroize for Portable<F> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}
