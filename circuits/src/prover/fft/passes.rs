//! The passes over all values, each compiled for the processor: see [`super`] for their order and the arrays.

use zeroize::Zeroizing;

use super::{Plan, WIDE, layers};
use crate::Fr;
use crate::prover::lanes::{Cpu, Kernel, Lanes};

/// The first pass: inverse transforms of columns.
pub(super) struct Leave<'a> {
    pub(super) plan: &'a Plan,
    /// Number of the first tile of columns in `to`.
    pub(super) first: usize,
    pub(super) from: &'a [Fr],
    pub(super) to: &'a mut [Fr],
}

/// The second pass: both transforms of rows.
pub(super) struct Inner<'a> {
    pub(super) plan: &'a Plan,
    /// Number of the first group of rows in `to`.
    pub(super) first: usize,
    pub(super) from: &'a [Fr],
    pub(super) to: &'a mut [Fr],
}

/// The third pass: transforms of columns.
pub(super) struct Return<'a> {
    pub(super) plan: &'a Plan,
    pub(super) first: usize,
    pub(super) from: &'a [Fr],
    pub(super) to: &'a mut [Fr],
}

/// Products of what two third passes left, in the order of the domain.
pub(super) struct Multiply<'a> {
    pub(super) plan: &'a Plan,
    /// The first r in `to`.
    pub(super) first: usize,
    pub(super) a: &'a [Fr],
    pub(super) b: &'a [Fr],
    pub(super) to: &'a mut [Fr],
}

/// Memory for so many points, wiped when dropped.
fn scratch<L: Lanes<Fr>>(cpu: L::Cpu, points: usize) -> Zeroizing<Vec<L>> {
    Zeroizing::new(vec![L::splat(cpu, Fr::from(0u64)); points * WIDE / L::WIDTH])
}

/// Reads [`WIDE`] elements to the place of a point.
#[inline(always)]
fn load<L: Lanes<Fr>>(cpu: L::Cpu, from: &[Fr], data: &mut [L], point: usize) {
    let vectors = WIDE / L::WIDTH;
    let mut vector = 0;
    while vector < vectors {
        data[point * vectors + vector] = L::load(cpu, &from[vector * L::WIDTH..]);
        vector += 1;
    }
}

/// Writes the [`WIDE`] elements of a point.
#[inline(always)]
fn store<L: Lanes<Fr>>(data: &[L], point: usize, to: &mut [Fr]) {
    let vectors = WIDE / L::WIDTH;
    let mut vector = 0;
    while vector < vectors {
        data[point * vectors + vector].store(&mut to[vector * L::WIDTH..]);
        vector += 1;
    }
}

impl Kernel for Leave<'_> {
    type Output = ();

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let Self { plan, first, from, to } = self;
        let (long, wide) = (plan.columns.size(), plan.rows.size());
        let mut data = scratch::<C::Lanes<Fr>>(cpu, long);
        for (i, to) in to.chunks_exact_mut(WIDE * long).enumerate() {
            let column = WIDE * (first + i);
            let mut r = 0;
            while r < long {
                load(cpu, &from[r * wide + column..], &mut data, r);
                r += 1;
            }
            layers::inverse(cpu, &mut data, &plan.columns.splits, &plan.columns.backward);
            let mut s = 0;
            while s < long {
                store(&data, s, &mut to[s * WIDE..]);
                s += 1;
            }
        }
    }
}

impl Kernel for Return<'_> {
    type Output = ();

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let Self { plan, first, from, to } = self;
        let (long, wide) = (plan.columns.size(), plan.rows.size());
        let mut data = scratch::<C::Lanes<Fr>>(cpu, long);
        for (i, to) in to.chunks_exact_mut(WIDE * long).enumerate() {
            let mut s = 0;
            while s < long {
                let at = s / WIDE * WIDE * wide + (first + i) * WIDE * WIDE + s % WIDE * WIDE;
                load(cpu, &from[at..], &mut data, s);
                s += 1;
            }
            layers::forward(cpu, &mut data, &plan.columns.splits, &plan.columns.forward);
            let mut r = 0;
            while r < long {
                store(&data, r, &mut to[r * WIDE..]);
                r += 1;
            }
        }
    }
}

impl Kernel for Inner<'_> {
    type Output = ();

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let Self { plan, first, from, to } = self;
        let (long, wide) = (plan.columns.size(), plan.rows.size());
        let mut data = scratch::<C::Lanes<Fr>>(cpu, wide);
        let mut factors = scratch::<C::Lanes<Fr>>(cpu, WIDE + 1);
        for (i, to) in to.chunks_exact_mut(WIDE * wide).enumerate() {
            let row = WIDE * (first + i);
            let mut tile = 0;
            while tile < wide / WIDE {
                let at = tile * WIDE * long + row * WIDE;
                turn_in(cpu, &from[at..at + WIDE * WIDE], &mut data, tile);
                tile += 1;
            }
            scale_by_powers(cpu, &mut data, &mut factors, None, &plan.leave[row..]);
            layers::inverse(cpu, &mut data, &plan.rows.splits, &plan.rows.backward);
            scale(cpu, &mut data, &plan.twist);
            layers::forward(cpu, &mut data, &plan.rows.splits, &plan.rows.forward);
            scale_by_powers(cpu, &mut data, &mut factors, Some(&plan.shift[row..]), &plan.enter[row..]);
            tile = 0;
            while tile < wide / WIDE {
                turn_out(cpu, &data, tile, &mut to[tile * WIDE * WIDE..(tile + 1) * WIDE * WIDE]);
                tile += 1;
            }
        }
    }
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) {
        let Self { plan, first, a, b, to } = self;
        let (long, wide) = (plan.columns.size(), plan.rows.size());
        let width = C::Lanes::<Fr>::WIDTH;
        for (i, to) in to.chunks_exact_mut(wide).enumerate() {
            let mut column = 0;
            while column < wide {
                let at = column / WIDE * WIDE * long + (first + i) * WIDE + column % WIDE;
                let product = C::Lanes::<Fr>::load(cpu, &a[at..]) * C::Lanes::<Fr>::load(cpu, &b[at..]);
                product.store(&mut to[column..]);
                column += width;
            }
        }
    }
}

/// Reads a square of [`WIDE`] rows, one after another, so that columns are points and rows are lanes.
#[inline(always)]
fn turn_in<L: Lanes<Fr>>(cpu: L::Cpu, from: &[Fr], data: &mut [L], tile: usize) {
    let vectors = WIDE / L::WIDTH;
    let mut square = [L::splat(cpu, Fr::from(0u64)); WIDE];
    let square = &mut square[..L::WIDTH];
    let mut part = 0;
    while part < vectors * vectors {
        let (rows, columns) = (part / vectors, part % vectors);
        let mut i = 0;
        while i < L::WIDTH {
            square[i] = L::load(cpu, &from[(rows * L::WIDTH + i) * WIDE + columns * L::WIDTH..]);
            i += 1;
        }
        L::transpose(square);
        i = 0;
        while i < L::WIDTH {
            data[(tile * WIDE + columns * L::WIDTH + i) * vectors + rows] = square[i];
            i += 1;
        }
        part += 1;
    }
}

/// The opposite of [`turn_in`].
#[inline(always)]
fn turn_out<L: Lanes<Fr>>(cpu: L::Cpu, data: &[L], tile: usize, to: &mut [Fr]) {
    let vectors = WIDE / L::WIDTH;
    let mut square = [L::splat(cpu, Fr::from(0u64)); WIDE];
    let square = &mut square[..L::WIDTH];
    let mut part = 0;
    while part < vectors * vectors {
        let (rows, columns) = (part / vectors, part % vectors);
        let mut i = 0;
        while i < L::WIDTH {
            square[i] = data[(tile * WIDE + columns * L::WIDTH + i) * vectors + rows];
            i += 1;
        }
        L::transpose(square);
        i = 0;
        while i < L::WIDTH {
            square[i].store(&mut to[(rows * L::WIDTH + i) * WIDE + columns * L::WIDTH..]);
            i += 1;
        }
        part += 1;
    }
}

/// Multiplies every point by its factor.
#[inline(always)]
fn scale<L: Lanes<Fr>>(cpu: L::Cpu, data: &mut [L], factors: &[Fr]) {
    let vectors = WIDE / L::WIDTH;
    let mut point = 0;
    while point < factors.len() {
        let factor = L::splat(cpu, factors[point]);
        let mut vector = 0;
        while vector < vectors {
            data[point * vectors + vector] = data[point * vectors + vector] * factor;
            vector += 1;
        }
        point += 1;
    }
}

/// Multiplies the point c, lane by lane, by first·ratio^c, or by ratio^c.
///
/// `factors` takes first·ratio^c for [`WIDE`] neighbouring c, each of which goes on by ratio^[`WIDE`]: one product
/// waits for none of the others.
#[inline(always)]
fn scale_by_powers<L: Lanes<Fr>>(
    cpu: L::Cpu,
    data: &mut [L],
    factors: &mut [L],
    first: Option<&[Fr]>,
    ratio: &[Fr],
) {
    let vectors = WIDE / L::WIDTH;
    let mut vector = 0;
    while vector < vectors {
        let ratio = L::load(cpu, &ratio[vector * L::WIDTH..]);
        let mut power = match first {
            Some(first) => L::load(cpu, &first[vector * L::WIDTH..]),
            None => L::splat(cpu, Fr::from(1u64)),
        };
        let mut i = 0;
        while i < WIDE {
            factors[i * vectors + vector] = power;
            power = power * ratio;
            i += 1;
        }
        let stride = ratio.square().square().square();
        let mut at = vector;
        while at < data.len() {
            i = 0;
            while i < WIDE {
                let factor = factors[i * vectors + vector];
                data[at] = data[at] * factor;
                factors[i * vectors + vector] = factor * stride;
                at += vectors;
                i += 1;
            }
        }
        vector += 1;
    }
}
