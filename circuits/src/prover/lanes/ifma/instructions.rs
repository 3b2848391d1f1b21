//! The vector instructions that the arithmetic is written in, as safe functions.
//!
//! A [`Vector`] is made only from an [`Avx512`] or from other vectors: whoever has one runs on a processor that has
//! the instructions.
#![allow(unsafe_code, reason = "the processor's vector instructions")]

use core::arch::x86_64::{self as intel, __m512i};

use zeroize::Zeroize;

use super::Avx512;

/// One bit for each lane.
pub(super) type Mask = u8;

/// Eight numbers of 64 bits.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Vector(pub(super) __m512i);

/// A function of vectors that is one instruction.
macro_rules! instruction {
    ($(#[doc = $doc:literal] $name:ident($this:ident $(, $argument:ident)*) = $intrinsic:ident;)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub(super) fn $name($this $(, $argument: Self)*) -> Self {
            // SAFETY: `self` proves that the processor has AVX-512 F, DQ and IFMA.
            Self(unsafe { intel::$intrinsic($this.0 $(, $argument.0)*) })
        }
    )*};
}

/// A shift by a constant.
macro_rules! shift {
    ($(#[doc = $doc:literal] $name:ident = $intrinsic:ident($kind:ty);)*) => {$(
        #[doc = $doc]
        #[inline(always)]
        pub(super) fn $name<const BITS: $kind>(self) -> Self {
            // SAFETY: `self` proves that the processor has AVX-512 F.
            Self(unsafe { intel::$intrinsic::<BITS>(self.0) })
        }
    )*};
}

impl Vector {
    /// The same number in each lane.
    #[inline(always)]
    pub(super) fn splat(_: Avx512, value: u64) -> Self {
        // SAFETY: the first argument proves that the processor has AVX-512 F.
        Self(unsafe { intel::_mm512_set1_epi64(value.cast_signed()) })
    }

    /// The same number in each lane, on the processor of this vector.
    #[inline(always)]
    pub(super) fn same(self, value: u64) -> Self {
        Self::splat(Avx512(()), value)
    }

    instruction! {
        /// `self` + b
        add(self, b) = _mm512_add_epi64;
        /// `self` − b
        sub(self, b) = _mm512_sub_epi64;
        /// `self` ∧ b
        and(self, b) = _mm512_and_si512;
        /// `self` ∨ b
        or(self, b) = _mm512_or_si512;
        /// `self` ⊕ b
        xor(self, b) = _mm512_xor_si512;
        /// `self` + the lower 52 bits of a·b, of a and b the lower 52 bits
        add_low(self, a, b) = _mm512_madd52lo_epu64;
        /// `self` + the upper 52 bits of a·b, of a and b the lower 52 bits
        add_high(self, a, b) = _mm512_madd52hi_epu64;
        /// the lower number of each pair: a₀ b₀ a₂ b₂ a₄ b₄ a₆ b₆
        unpack_low(self, b) = _mm512_unpacklo_epi64;
        /// the upper number of each pair: a₁ b₁ a₃ b₃ a₅ b₅ a₇ b₇
        unpack_high(self, b) = _mm512_unpackhi_epi64;
    }

    shift! {
        /// Shift to the left.
        shift_left = _mm512_slli_epi64(u32);
        /// Shift to the right.
        shift_right = _mm512_srli_epi64(u32);
        /// Shift to the right that keeps the sign.
        shift_signed = _mm512_srai_epi64(u32);
    }

    /// Pairs of numbers: of each half of a the first two quarters by `ORDER`, then of b.
    #[inline(always)]
    pub(super) fn shuffle<const ORDER: i32>(self, other: Self) -> Self {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        Self(unsafe { intel::_mm512_shuffle_i64x2::<ORDER>(self.0, other.0) })
    }

    /// The first two limbs of elements of four: a₀ a₄ b₀ b₄ a₁ a₅ b₁ b₅.
    #[inline(always)]
    pub(super) fn first_limbs(self, other: Self) -> Self {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        Self(unsafe {
            let order = intel::_mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
            intel::_mm512_permutex2var_epi64(self.0, order, other.0)
        })
    }

    /// The last two limbs of elements of four: a₂ a₆ b₂ b₆ a₃ a₇ b₃ b₇.
    #[inline(always)]
    pub(super) fn last_limbs(self, other: Self) -> Self {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        Self(unsafe {
            let order = intel::_mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
            intel::_mm512_permutex2var_epi64(self.0, order, other.0)
        })
    }

    /// a − b where the bit is set, a elsewhere.
    #[inline(always)]
    pub(super) fn sub_where(self, mask: Mask, other: Self) -> Self {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        Self(unsafe { intel::_mm512_mask_sub_epi64(self.0, mask, self.0, other.0) })
    }

    /// a + b where the bit is set, a elsewhere.
    #[inline(always)]
    pub(super) fn add_where(self, mask: Mask, other: Self) -> Self {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        Self(unsafe { intel::_mm512_mask_add_epi64(self.0, mask, self.0, other.0) })
    }

    /// `set` where the bit is set, `unset` elsewhere.
    #[inline(always)]
    pub(super) fn select(mask: Mask, set: Self, unset: Self) -> Self {
        // SAFETY: `set` proves that the processor has AVX-512 F.
        Self(unsafe { intel::_mm512_mask_blend_epi64(mask, unset.0, set.0) })
    }

    /// The lanes in which a > b, as signed numbers.
    #[inline(always)]
    pub(super) fn greater(self, other: Self) -> Mask {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        unsafe { intel::_mm512_cmpgt_epi64_mask(self.0, other.0) }
    }

    /// The lanes that are zero.
    #[inline(always)]
    pub(super) fn zeros(self) -> Mask {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        unsafe { intel::_mm512_testn_epi64_mask(self.0, self.0) }
    }
}

impl Zeroize for Vector {
    fn zeroize(&mut self) {
        // SAFETY: all bits zero is a vector, which owns nothing.
        unsafe { zeroize::zeroize_flat_type(self) }
    }
}
