//! Eight lanes by AVX-512 with IFMA: five vectors of 52-bit limbs.
//!
//! The product is Montgomery's with the divisor 2²⁵⁶ of the form in memory, so that passing over is a mere
//! repacking of bits: four steps divide by 2⁵² and the last by 2⁴⁸. With p < 0.19·2²⁵⁶ and both factors below 2p
//! it is below 0.19·4p + p < 1.8p.
//!
//! `unsafe` is in [`instructions`] (each vector is a proof that its processor is there), in [`memory`] (loads and
//! stores of whole vectors) and in [`Avx512::run`].

use core::marker::PhantomData;

use ark_bn254::Fq;

use super::super::curve::Several;
use super::{Base, Cpu, Kernel};

mod arithmetic;
mod instructions;
mod memory;

use instructions::Vector;

/// Proof that this processor has AVX-512 F, DQ and IFMA, BMI2 and ADX, and that the system saves their registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// Asks the processor.
    pub fn detect() -> Option<Self> {
        let here = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512ifma")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("adx");
        here.then_some(Self(()))
    }

    /// Compiles a kernel for this processor and runs it.
    #[allow(
        unsafe_code,
        reason = "a function compiled for a feature may be called once the feature was detected"
    )]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512dq,avx512ifma,bmi2,adx")]
        fn compiled<K: Kernel>(cpu: Avx512, kernel: K) -> K::Output {
            kernel.run(cpu)
        }
        // SAFETY: an `Avx512` exists only where `detect` found these features.
        unsafe { compiled(self, kernel) }
    }
}

impl Cpu for Avx512 {
    type Lanes<F: Base> = Ifma<F>;
    type InStep = Several<Ifma<Fq>, 2>;
}

/// Eight elements of `F`, each some representative below 2p of x·2²⁵⁶ in limbs of 52 bits.
#[derive(Clone, Copy)]
pub struct Ifma<F> {
    limbs: [Vector; 5],
    field: PhantomData<F>,
}

impl<F> Ifma<F> {
    #[inline(always)]
    fn new(limbs: [Vector; 5]) -> Self {
        Self { limbs, field: PhantomData }
    }
}

/// A limb's bits.
const LIMB: u64 = (1 << 52) - 1;

/// Four limbs of 64 bits as five of 52.
const fn split([a, b, c, d]: [u64; 4]) -> [u64; 5] {
    [a & LIMB, (a >> 52 | b << 12) & LIMB, (b >> 40 | c << 24) & LIMB, (c >> 28 | d << 36) & LIMB, d >> 16]
}

/// A field's constants in limbs of 52 bits.
struct Constants<F>(PhantomData<F>);

impl<F: Base> Constants<F> {
    /// p.
    const MODULUS: [u64; 5] = split(F::MODULUS_LIMBS);
    /// −p⁻¹ mod 2⁵².
    const NEGATED_INVERSE: u64 = F::NEGATED_INVERSE & LIMB;
    /// The highest limb of 2p.
    const TWICE_TOP: u64 = F::MODULUS_LIMBS[3] >> 15;
    /// The highest limb of a sum of two that is surely below 2p, whatever the lower ones carry, is at most this.
    const BELOW_TWICE_TOP: u64 = Self::TWICE_TOP - 2;
}
