//! Transforms of a few hundred points, several beside each other, within the cache.
//!
//! `data` holds [`WIDE`] elements for each point. An inverse transform splits a block of m points with root w into
//! `radix` blocks of t = m/radix points, of which the b-th is to give the coefficients k ≡ b modulo the radix; a
//! forward one undoes that from the other end.

use super::WIDE;
use crate::Fr;
use crate::prover::lanes::Lanes;

/// The radices by which a number of points is split, the first for the whole.
#[derive(Clone)]
pub(super) struct Splits(Vec<usize>);

impl Splits {
    /// Of 2^twos·3^threes points.
    pub(super) fn new(twos: u32, threes: u32) -> Self {
        let mut radices = vec![3; threes as usize];
        radices.extend(vec![4; twos as usize / 2]);
        radices.extend(vec![2; twos as usize % 2]);
        Self(radices)
    }

    /// The number of points.
    pub(super) fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// The coefficient that an inverse transform leaves in each place.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order = vec![0];
        // From the innermost split outwards: the b-th block holds b + radix·k for what was k within it.
        for radix in self.0.iter().rev() {
            order = (0..*radix)
                .flat_map(|b| order.iter().map(move |k| b + radix * k).collect::<Vec<_>>())
                .collect();
        }
        order
    }
}

/// Values to coefficients, times their number. `roots` are the powers of the inverse of a primitive root.
#[inline(always)]
pub(super) fn inverse<L: Lanes<Fr>>(cpu: L::Cpu, data: &mut [L], splits: &Splits, roots: &[Fr]) {
    let mut m = roots.len();
    let mut layer = 0;
    while layer < splits.0.len() {
        let radix = splits.0[layer];
        let block = Block::<L> { cpu, roots, m, t: m / radix };
        match radix {
            2 => block.each(data, Split2),
            3 => block.each(data, Split3),
            _ => block.each(data, Split4),
        }
        m /= radix;
        layer += 1;
    }
}

/// Coefficients to values. `roots` are the powers of a primitive root.
#[inline(always)]
pub(super) fn forward<L: Lanes<Fr>>(cpu: L::Cpu, data: &mut [L], splits: &Splits, roots: &[Fr]) {
    let mut t = 1;
    let mut layer = splits.0.len();
    while layer > 0 {
        layer -= 1;
        let radix = splits.0[layer];
        let block = Block::<L> { cpu, roots, m: t * radix, t };
        match radix {
            2 => block.each(data, Join2),
            3 => block.each(data, Join3),
            _ => block.each(data, Join4),
        }
        t *= radix;
    }
}

/// The blocks of one layer: m points each, in parts of t.
struct Block<'a, L: Lanes<Fr>> {
    cpu: L::Cpu,
    roots: &'a [Fr],
    m: usize,
    t: usize,
}

/// What a layer does to the points j, j + t, j + 2t, … of a block.
trait Butterfly<L> {
    /// The radix.
    const RADIX: usize;

    /// With w^j, w^2j, w^3j, unless j = 0, and with w^t.
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, unit: L);
}

impl<L: Lanes<Fr>> Block<'_, L> {
    #[inline(always)]
    fn power(&self, exponent: usize) -> L {
        L::splat(self.cpu, self.roots[exponent * (self.roots.len() / self.m) % self.roots.len()])
    }

    /// Applies a butterfly at every j of every block: twiddles are fetched once for each j.
    #[inline(always)]
    fn each<B: Butterfly<L> + Copy>(&self, data: &mut [L], butterfly: B) {
        let unit = self.power(self.t);
        self.at(data, butterfly, 0, None, unit);
        let mut j = 1;
        while j < self.t {
            let second = if B::RADIX > 2 { self.power(2 * j) } else { unit };
            let third = if B::RADIX > 3 { self.power(3 * j) } else { unit };
            self.at(data, butterfly, j, Some(&[self.power(j), second, third]), unit);
            j += 1;
        }
    }

    #[inline(always)]
    fn at<B: Butterfly<L> + Copy>(
        &self,
        data: &mut [L],
        butterfly: B,
        j: usize,
        twiddles: Option<&[L; 3]>,
        unit: L,
    ) {
        let vectors = WIDE / L::WIDTH;
        let mut block = 0;
        while block < self.roots.len() {
            let mut vector = 0;
            while vector < vectors {
                let first = (block + j) * vectors + vector;
                let step = self.t * vectors;
                let mut x = [unit; 4];
                let mut i = 0;
                while i < B::RADIX {
                    x[i] = data[first + i * step];
                    i += 1;
                }
                butterfly.apply(&mut x, twiddles, unit);
                i = 0;
                while i < B::RADIX {
                    data[first + i * step] = x[i];
                    i += 1;
                }
                vector += 1;
            }
            block += self.m;
        }
    }
}

#[derive(Clone, Copy)]
struct Split2;
#[derive(Clone, Copy)]
struct Split3;
#[derive(Clone, Copy)]
struct Split4;
#[derive(Clone, Copy)]
struct Join2;
#[derive(Clone, Copy)]
struct Join3;
#[derive(Clone, Copy)]
struct Join4;

/// The transform of two points.
#[inline(always)]
fn two<L: Lanes<Fr>>([a, b, ..]: &[L; 4]) -> [L; 2] {
    [*a + *b, *a - *b]
}

/// The transform of three points with root u: u² = −1 − u.
#[inline(always)]
fn three<L: Lanes<Fr>>([a, b, c, _]: &[L; 4], u: L) -> [L; 3] {
    let turned = (*b - *c) * u;
    [*a + *b + *c, *a - *c + turned, *a - *b - turned]
}

/// The transform of four points with root u: u² = −1.
#[inline(always)]
fn four<L: Lanes<Fr>>([a, b, c, d]: &[L; 4], u: L) -> [L; 4] {
    let (even, odd) = (*a + *c, *b + *d);
    let (across, turned) = (*a - *c, (*b - *d) * u);
    [even + odd, across + turned, even - odd, across - turned]
}

impl<L: Lanes<Fr>> Butterfly<L> for Split2 {
    const RADIX: usize = 2;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, _: L) {
        [x[0], x[1]] = two(x);
        if let Some([w, ..]) = twiddles {
            x[1] = x[1] * *w;
        }
    }
}

impl<L: Lanes<Fr>> Butterfly<L> for Split3 {
    const RADIX: usize = 3;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, unit: L) {
        [x[0], x[1], x[2]] = three(x, unit);
        if let Some([w, w2, _]) = twiddles {
            x[1] = x[1] * *w;
            x[2] = x[2] * *w2;
        }
    }
}

impl<L: Lanes<Fr>> Butterfly<L> for Split4 {
    const RADIX: usize = 4;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, unit: L) {
        *x = four(x, unit);
        if let Some([w, w2, w3]) = twiddles {
            x[1] = x[1] * *w;
            x[2] = x[2] * *w2;
            x[3] = x[3] * *w3;
        }
    }
}

impl<L: Lanes<Fr>> Butterfly<L> for Join2 {
    const RADIX: usize = 2;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, _: L) {
        if let Some([w, ..]) = twiddles {
            x[1] = x[1] * *w;
        }
        [x[0], x[1]] = two(x);
    }
}

impl<L: Lanes<Fr>> Butterfly<L> for Join3 {
    const RADIX: usize = 3;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, unit: L) {
        if let Some([w, w2, _]) = twiddles {
            x[1] = x[1] * *w;
            x[2] = x[2] * *w2;
        }
        [x[0], x[1], x[2]] = three(x, unit);
    }
}

impl<L: Lanes<Fr>> Butterfly<L> for Join4 {
    const RADIX: usize = 4;

    #[inline(always)]
    fn apply(self, x: &mut [L; 4], twiddles: Option<&[L; 3]>, unit: L) {
        if let Some([w, w2, w3]) = twiddles {
            x[1] = x[1] * *w;
            x[2] = x[2] * *w2;
            x[3] = x[3] * *w3;
        }
        *x = four(x, unit);
    }
}
