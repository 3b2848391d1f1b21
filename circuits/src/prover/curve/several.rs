//! Coordinates side by side, so that what one waits for leaves room for the other.
//!
//! Products of which each needs the one before take half as long again as independent ones, on eight lanes. An
//! addition is a chain of products, and the next addition is further away than the processor looks ahead; two additions
//! in step keep it busy. On one lane the wait is as long, but registers are too few for two.

use core::ops::{Add, Mul, Neg, Sub};

use ark_bn254::Fq;

use super::super::lanes::{Arithmetic, Lanes, Line, Mask};
use super::Coordinate;

/// `N` coordinates of as many times the points.
#[derive(Clone, Copy)]
pub struct Several<K, const N: usize>([K; N]);

impl<K: Arithmetic, const N: usize> Add for Several<K, N> {
    type Output = Self;

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i] + other.0[i];
        }
        self
    }
}

impl<K: Arithmetic, const N: usize> Sub for Several<K, N> {
    type Output = Self;

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i] - other.0[i];
        }
        self
    }
}

impl<K: Arithmetic, const N: usize> Mul for Several<K, N> {
    type Output = Self;

    #[inline(always)]
    fn mul(mut self, other: Self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i] * other.0[i];
        }
        self
    }
}

impl<K: Arithmetic, const N: usize> Neg for Several<K, N> {
    type Output = Self;

    #[inline(always)]
    fn neg(mut self) -> Self {
        for i in 0..N {
            self.0[i] = -self.0[i];
        }
        self
    }
}

impl<K: Arithmetic, const N: usize> Arithmetic for Several<K, N> {
    const LANES: usize = N * K::LANES;

    #[inline(always)]
    fn square(mut self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].square();
        }
        self
    }

    #[inline(always)]
    fn double(mut self) -> Self {
        for i in 0..N {
            self.0[i] = self.0[i].double();
        }
        self
    }

    #[inline(always)]
    fn zeros(self) -> Mask {
        let mut mask = 0;
        for i in 0..N {
            mask |= self.0[i].zeros() << (i * K::LANES);
        }
        mask
    }

    #[inline(always)]
    fn blanks(self) -> Mask {
        let mut mask = 0;
        for i in 0..N {
            mask |= self.0[i].blanks() << (i * K::LANES);
        }
        mask
    }

    #[inline(always)]
    fn select(mask: Mask, set: Self, mut unset: Self) -> Self {
        for i in 0..N {
            unset.0[i] = K::select(mask >> (i * K::LANES), set.0[i], unset.0[i]);
        }
        unset
    }
}

impl<L: Lanes<Fq>, K: Coordinate<L>, const N: usize> Coordinate<L> for Several<K, N> {
    type Element = K::Element;

    #[inline(always)]
    fn splat(cpu: L::Cpu, value: K::Element) -> Self {
        Self([K::splat(cpu, value); N])
    }

    #[inline(always)]
    fn load(cpu: L::Cpu, from: &[K::Element]) -> Self {
        let mut all = [K::load(cpu, from); N];
        for i in 1..N {
            all[i] = K::load(cpu, &from[i * K::LANES..]);
        }
        Self(all)
    }

    #[inline(always)]
    fn store(self, to: &mut [K::Element]) {
        for i in 0..N {
            self.0[i].store(&mut to[i * K::LANES..]);
        }
    }

    #[inline(always)]
    fn gather(cpu: L::Cpu, lines: &[Line], at: &[u32]) -> (Self, Self) {
        let (x, y) = K::gather(cpu, lines, at);
        let (mut x, mut y) = ([x; N], [y; N]);
        for i in 1..N {
            (x[i], y[i]) = K::gather(cpu, lines, &at[i * K::LANES..]);
        }
        (Self(x), Self(y))
    }

    #[inline(always)]
    fn scatter(x: Self, y: Self, lines: &mut [Line], at: &[u32]) {
        for i in 0..N {
            K::scatter(x.0[i], y.0[i], lines, &at[i * K::LANES..]);
        }
    }
}
