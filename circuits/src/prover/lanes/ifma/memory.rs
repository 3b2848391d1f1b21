//! Between memory, where limbs have 64 bits and an element's limbs are neighbours, and lanes.
#![allow(clippy::needless_range_loop, reason = "indices over all limbs read as the formulas do")]
#![allow(unsafe_code, reason = "loads and stores of whole vectors")]

use core::arch::x86_64::{_mm512_load_si512, _mm512_loadu_si512, _mm512_store_si512, _mm512_storeu_si512};

use zeroize::Zeroize;

use super::super::{Base, Lanes, Line};
use super::{Avx512, Ifma, LIMB, Vector};

/// Elements in a vector.
const WIDTH: usize = 8;

/// Two elements of four limbs fill a vector, which is what an element's only field leaves of its layout.
const fn holds_limbs<F>() {
    assert!(size_of::<F>() == 32 && align_of::<F>() == 8);
}

impl Vector {
    /// Reads a line.
    #[inline(always)]
    fn of_line(_: Avx512, line: &Line) -> Self {
        // SAFETY: a line is 64 readable bytes, so aligned; the first argument proves that there is AVX-512 F.
        Self(unsafe { _mm512_load_si512((&raw const *line).cast()) })
    }

    /// Writes a line.
    #[inline(always)]
    fn to_line(self, line: &mut Line) {
        // SAFETY: a line is 64 writable bytes, so aligned, of which any are a line.
        unsafe { _mm512_store_si512((&raw mut *line).cast(), self.0) }
    }

    /// Reads two elements.
    #[inline(always)]
    fn of_elements<F: Base>(_: Avx512, elements: &[F; 2]) -> Self {
        const { holds_limbs::<F>() };
        // SAFETY: 64 readable bytes, checked above; the first argument proves that there is AVX-512 F.
        Self(unsafe { _mm512_loadu_si512((&raw const *elements).cast()) })
    }

    /// Writes two elements: limbs of which each four are below p.
    #[inline(always)]
    fn to_elements<F: Base>(self, elements: &mut [F; 2]) {
        const { holds_limbs::<F>() };
        // SAFETY: 64 writable bytes, checked above, of which any are limbs of an element (if not below p, one with
        // which arkworks calculates wrongly but safely).
        unsafe { _mm512_storeu_si512((&raw mut *elements).cast(), self.0) }
    }
}

/// The orders of [`Vector::shuffle`]: halves, and every second quarter.
const LOWER: i32 = 0b01_00_01_00;
const UPPER: i32 = 0b11_10_11_10;
const EVEN: i32 = 0b10_00_10_00;
const ODD: i32 = 0b11_01_11_01;

/// Exchanges rows and columns.
#[inline(always)]
fn transposed(rows: [Vector; 8]) -> [Vector; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let even = quarters([
        Vector::unpack_low(a, b),
        Vector::unpack_low(c, d),
        Vector::unpack_low(e, f),
        Vector::unpack_low(g, h),
    ]);
    let odd = quarters([
        Vector::unpack_high(a, b),
        Vector::unpack_high(c, d),
        Vector::unpack_high(e, f),
        Vector::unpack_high(g, h),
    ]);
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
}

/// Exchanges rows and columns of pairs of numbers.
#[inline(always)]
fn quarters([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
    let (first, second) = (a.shuffle::<EVEN>(b), a.shuffle::<ODD>(b));
    let (third, fourth) = (c.shuffle::<EVEN>(d), c.shuffle::<ODD>(d));
    [
        first.shuffle::<EVEN>(third),
        second.shuffle::<EVEN>(fourth),
        first.shuffle::<ODD>(third),
        second.shuffle::<ODD>(fourth),
    ]
}

impl<F: Base> Ifma<F> {
    /// From four limbs of 64 bits.
    #[inline(always)]
    fn split([a, b, c, d]: [Vector; 4]) -> Self {
        let limb = a.same(LIMB);
        Self::new([
            a.and(limb),
            a.shift_right::<52>().or(b.shift_left::<12>()).and(limb),
            b.shift_right::<40>().or(c.shift_left::<24>()).and(limb),
            c.shift_right::<28>().or(d.shift_left::<36>()).and(limb),
            d.shift_right::<16>(),
        ])
    }

    /// To four limbs of 64 bits, which hold any representative below 2p.
    #[inline(always)]
    fn packed(self) -> [Vector; 4] {
        let [a, b, c, d, e] = self.limbs;
        [
            a.or(b.shift_left::<52>()),
            b.shift_right::<12>().or(c.shift_left::<40>()),
            c.shift_right::<24>().or(d.shift_left::<28>()),
            d.shift_right::<36>().or(e.shift_left::<16>()),
        ]
    }
}

impl<F: Base> Lanes<F> for Ifma<F> {
    type Cpu = Avx512;
    const WIDTH: usize = WIDTH;

    #[inline(always)]
    fn splat(cpu: Avx512, value: F) -> Self {
        let limbs = super::split(value.to_limbs());
        let mut lanes = [Vector::splat(cpu, 0); 5];
        for i in 0..5 {
            lanes[i] = Vector::splat(cpu, limbs[i]);
        }
        Self::new(lanes)
    }

    #[inline(always)]
    fn load(cpu: Avx512, from: &[F]) -> Self {
        let (pairs, _) = from[..WIDTH].as_chunks::<2>();
        let a = Vector::of_elements(cpu, &pairs[0]);
        let b = Vector::of_elements(cpu, &pairs[1]);
        let c = Vector::of_elements(cpu, &pairs[2]);
        let d = Vector::of_elements(cpu, &pairs[3]);
        let (first, last) = ([a.first_limbs(b), c.first_limbs(d)], [a.last_limbs(b), c.last_limbs(d)]);
        Self::split([
            first[0].shuffle::<LOWER>(first[1]),
            first[0].shuffle::<UPPER>(first[1]),
            last[0].shuffle::<LOWER>(last[1]),
            last[0].shuffle::<UPPER>(last[1]),
        ])
    }

    #[inline(always)]
    fn store(self, to: &mut [F]) {
        let [a, b, c, d] = self.canonical().packed();
        let (first, last) =
            ([a.shuffle::<LOWER>(b), a.shuffle::<UPPER>(b)], [c.shuffle::<LOWER>(d), c.shuffle::<UPPER>(d)]);
        let (pairs, _) = to[..WIDTH].as_chunks_mut::<2>();
        first[0].first_limbs(last[0]).to_elements(&mut pairs[0]);
        first[0].last_limbs(last[0]).to_elements(&mut pairs[1]);
        first[1].first_limbs(last[1]).to_elements(&mut pairs[2]);
        first[1].last_limbs(last[1]).to_elements(&mut pairs[3]);
    }

    #[inline(always)]
    fn gather(cpu: Avx512, lines: &[Line], at: &[u32]) -> (Self, Self) {
        let at = &at[..WIDTH];
        let mut rows = [Vector::splat(cpu, 0); WIDTH];
        for i in 0..WIDTH {
            rows[i] = Vector::of_line(cpu, &lines[at[i] as usize]);
        }
        let [a, b, c, d, e, f, g, h] = transposed(rows);
        (Self::split([a, b, c, d]), Self::split([e, f, g, h]))
    }

    #[inline(always)]
    fn scatter(first: Self, second: Self, lines: &mut [Line], at: &[u32]) {
        let at = &at[..WIDTH];
        let ([a, b, c, d], [e, f, g, h]) = (first.packed(), second.packed());
        let rows = transposed([a, b, c, d, e, f, g, h]);
        for i in 0..WIDTH {
            rows[i].to_line(&mut lines[at[i] as usize]);
        }
    }

    #[inline(always)]
    fn transpose(rows: &mut [Self]) {
        let rows = &mut rows[..WIDTH];
        for limb in 0..5 {
            let mut square = [rows[0].limbs[limb]; WIDTH];
            for i in 1..WIDTH {
                square[i] = rows[i].limbs[limb];
            }
            let square = transposed(square);
            for i in 0..WIDTH {
                rows[i].limbs[limb] = square[i];
            }
        }
    }
}

impl<F> Zeroize for Ifma<F> {
    fn zeroize(&mut self) {
        self.limbs.zeroize();
    }
}
