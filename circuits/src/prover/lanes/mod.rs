//! Field arithmetic on several elements at once: one interface, two implementations.
//!
//! [`Portable`] holds one element and leaves its arithmetic to arkworks. `Avx512` holds eight, as five vectors of
//! 52-bit limbs, and multiplies with the processor's IFMA instructions. Both stand for the same residues, so that
//! whatever is computed through this interface and stored comes out in the same bytes.
//!
//! In memory elements are always as arkworks has them: four 64-bit limbs of x·2²⁵⁶ mod p. Inside a vector any
//! representative below 2p may stand for a residue; every operation takes and gives such, and [`Lanes::store`]
//! gives the one below p. Nobody has to count bounds.
//!
//! An algorithm is a [`Kernel`], generic over the [`Cpu`], and [`Path::run`] runs it on the one that was detected.
//! The whole kernel has to become one function compiled for that processor: whatever it calls on its hot way must
//! be `#[inline(always)]`, closures must not reach it through iterator adapters, and it must not hand work to other
//! threads (each thread's task calls [`Path::run`] itself).
//!
//! Nothing here takes constant time in the values beyond what the instructions give.

use core::ops::{Add, Mul, Neg, Sub};

use ark_bn254::Fq;
use ark_ff::{BigInt, Fp256, MontBackend, MontConfig, PrimeField};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
use zeroize::Zeroize;

use super::curve::Coordinate;

#[cfg(target_arch = "x86_64")]
mod ifma;
mod portable;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub use ifma::Avx512;
pub use portable::Portable;

/// A prime field below 2²⁵⁴ that arkworks keeps as four limbs in Montgomery form.
pub trait Base: PrimeField {
    /// The modulus p, least limb first.
    const MODULUS_LIMBS: [u64; 4];
    /// −p⁻¹ mod 2⁶⁴.
    const NEGATED_INVERSE: u64;
    /// p < 0.19·2²⁵⁶: what the bounds of both implementations rest on.
    const FITS: () = assert!(Self::MODULUS_LIMBS[3] < 0x30a3_d70a_3d70_a3d7);

    /// The limbs of x·2²⁵⁶ mod p.
    fn to_limbs(&self) -> [u64; 4];

    /// The element of these limbs, which may be any representative below 2p.
    fn from_limbs(limbs: [u64; 4]) -> Self;
}

impl<P: MontConfig<4>> Base for Fp256<MontBackend<P, 4>> {
    const MODULUS_LIMBS: [u64; 4] = P::MODULUS.0;
    const NEGATED_INVERSE: u64 = P::INV;

    #[inline(always)]
    fn to_limbs(&self) -> [u64; 4] {
        (self.0).0
    }

    #[inline(always)]
    fn from_limbs(limbs: [u64; 4]) -> Self {
        use ark_ff::BigInteger as _;
        let mut value = BigInt(limbs);
        if value >= P::MODULUS {
            value.sub_with_borrow(&P::MODULUS);
        }
        Self::new_unchecked(value)
    }
}

/// One bit for each lane, the first lane lowest.
pub type Mask = u16;

/// What lanes of a field, and of an extension made of such lanes, have in common.
pub trait Arithmetic:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// Number of lanes.
    const LANES: usize;

    /// The square of each lane.
    fn square(self) -> Self;

    /// Twice each lane.
    fn double(self) -> Self;

    /// (a + b·u)·(c + d·u) for u² = −1, by Karatsuba's three products: real part, imaginary part.
    #[inline(always)]
    fn complex_product((a, b): (Self, Self), (c, d): (Self, Self)) -> (Self, Self) {
        let (real, imaginary) = (a * c, b * d);
        (real - imaginary, (a + b) * (c + d) - (real + imaginary))
    }

    /// The lanes that are zero.
    fn zeros(self) -> Mask;

    /// The lanes held as the representative 0: all those of [`Arithmetic::zeros`] straight after they were loaded
    /// or selected from such, and cheaper to find.
    fn blanks(self) -> Mask;

    /// Lane by lane, `self` where the bit is set and `other` where it is not.
    fn select(mask: Mask, set: Self, unset: Self) -> Self;
}

/// [`Lanes::WIDTH`] elements of the field `F`.
pub trait Lanes<F: Base>: Arithmetic + Zeroize + Send + Sync {
    /// The processor that these lanes need.
    type Cpu: Cpu;
    /// Number of elements.
    const WIDTH: usize;

    /// The same element in each lane.
    fn splat(cpu: Self::Cpu, value: F) -> Self;

    /// The first [`Lanes::WIDTH`] elements of the slice, which has as many.
    fn load(cpu: Self::Cpu, from: &[F]) -> Self;

    /// Writes the lanes to the first [`Lanes::WIDTH`] elements of the slice, which has as many.
    fn store(self, to: &mut [F]);

    /// Lane i of the two is what line `at[i]` holds. `at` has [`Lanes::WIDTH`] places.
    fn gather(cpu: Self::Cpu, lines: &[Line], at: &[u32]) -> (Self, Self);

    /// Writes lane i of the two to line `at[i]`, as any representative below 2p and zero from
    /// [`Arithmetic::blanks`] as 0.
    fn scatter(first: Self, second: Self, lines: &mut [Line], at: &[u32]);

    /// Exchanges rows and lanes of [`Lanes::WIDTH`] vectors: lane j of vector i goes to lane i of vector j.
    fn transpose(rows: &mut [Self]);
}

/// Two field elements as they lie in memory, filling one line of the cache.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Zeroize, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Line(pub [[u64; 4]; 2]);

impl Line {
    /// Whether both elements are held as 0.
    #[inline(always)]
    pub fn is_blank(&self) -> bool {
        self.0.as_flattened().iter().fold(0, |all, limb| all | limb) == 0
    }
}

/// A kind of processor: the proof that this machine is one.
pub trait Cpu: Copy + Send + Sync + 'static {
    /// The lanes of a field on it.
    type Lanes<F: Base>: Lanes<F, Cpu = Self>;
    /// Coordinates in G1: as many lanes as keep the processor busy while one product waits for another.
    type InStep: Coordinate<Self::Lanes<Fq>, Element = Fq>;
}

/// An algorithm that is compiled for each kind of processor.
pub trait Kernel {
    /// What it gives.
    type Output;

    /// Runs it. To be `#[inline(always)]`.
    fn run<C: Cpu>(self, cpu: C) -> Self::Output;
}

/// Which implementation to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One element at a time: any machine.
    Portable,
    /// Eight elements at a time.
    #[cfg(target_arch = "x86_64")]
    Ifma(Avx512),
}

impl Path {
    /// The fastest path that this machine can take.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(cpu) = Avx512::detect() {
            return Self::Ifma(cpu);
        }
        Self::Portable
    }

    /// Every path that this machine can take.
    pub fn all() -> impl Iterator<Item = Self> {
        let fastest = Self::detect();
        core::iter::once(Self::Portable).chain((fastest != Self::Portable).then_some(fastest))
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_) => "ifma",
        }
    }

    /// Runs a kernel on this path.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable => kernel.run(portable::AnyCpu),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(cpu) => cpu.run(kernel),
        }
    }
}

/// Asks for a line to be brought near before it is read.
#[inline(always)]
#[allow(unsafe_code, reason = "an instruction that every processor of this kind has")]
pub fn prefetch(lines: &[Line], line: usize) {
    let address = lines.as_ptr().wrapping_add(line);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which has no effect where there is no memory.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
