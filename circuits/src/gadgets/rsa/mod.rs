//! RSA signatures of PKCS#1 v1.5 with SHA-256 and e = 65537 in a circuit (RFC 8017 §8.2.2).
//!
//! Seventeen modular products, `s → s² → … → s^65536 → s^65537`, each a statement about integers `a·b = q·n + r` (see
//! the module `multiply`); the last remainder is no witness but the encoded message itself, whose 256 lowest bits are
//! the digest, so that the comparison costs nothing.
//!
//! 86,929 rows and 1.56 million matrix entries at 2,048 bits. Of the rows, four in five are the bits of the sixteen
//! remainders, seventeen quotients, modulus and signature. Limbs of 24 bits balance what is left: smaller ones have
//! smaller carries (one row a bit) and more evaluation points (two rows each). 22 bits would save 68 rows for 14 %
//! more entries, 27 bits would save 16 % of the entries for 102 rows; 24 are whole bytes. Dense rows are cheap: an entry
//! costs one field multiplication a proof, a row hundreds in the transforms and multi-exponentiations. For the same
//! reason the points are evaluated directly, without a second level of limbs, which would trade rows for entries.
//! One product of three factors for the last squaring and the last product would save another 800 rows (1 %) for a
//! second layout of products with twice as long quotients: not taken.
//!
//! Left to the caller: that the digest is that of the message, and that the modulus is the issuer's, by
//! [`Modulus::packed`]. Left to the native check ([`native`]): that `s < n` and that n has its full length. The circuit
//! takes s + n for s where the quotient of its square still fits. This is harmless: whoever knows s + n knows s, and
//! the signature is a witness from which nothing public is derived.

mod integer;
mod layout;
mod multiply;
pub mod native;
#[cfg(test)]
mod tests;

pub use layout::Size;

use integer::Integer;
use layout::{LIMB_BITS, Layout};
use multiply::Evaluated;

use super::bits::{Bit, pack};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bytes to a field element in [`Modulus::packed`].
pub const PACKED_BYTES: usize = 31;
/// Squarings before the last product: e = 2^16 + 1.
const SQUARINGS: usize = 16;

/// A modulus in the circuit: any number below 2^bits.
pub struct Modulus<N> {
    layout: &'static Layout,
    bits: Vec<Bit<N>>,
    evaluated: Evaluated<N>,
}

impl<N: Num> Modulus<N> {
    /// Allocates a modulus, which the prover reads from its bytes, big-endian. One row for each bit.
    pub fn allocate<C: Cs<Num = N>>(cs: &mut C, size: Size, modulus: &[u8]) -> Self {
        let layout = size.layout();
        cs.family("rsa.modulus-range", |cs| {
            let integer = Integer::allocate(cs, layout, modulus);
            let bits = integer.range_check(cs, layout);
            Self { layout, bits, evaluated: Evaluated::new(layout, integer) }
        })
    }

    /// The bytes of the modulus, big-endian, padded in front with zeros to whole elements of [`PACKED_BYTES`] bytes;
    /// the first element holds the highest bytes. Linear forms. Equal elements mean equal moduli, since all bits are
    /// forced to be bits. Native twin: [`native::packed`].
    pub fn packed(&self) -> Vec<N> {
        self.bits.chunks(8 * PACKED_BYTES).rev().map(pack).collect()
    }
}

/// Enforces that a signature, which the prover reads from its bytes, big-endian, is one of `digest` under `modulus`.
/// The digest is given most significant bit of its first byte first. Native twin: [`native::verify`].
pub fn verify<C: Cs>(cs: &mut C, modulus: &Modulus<C::Num>, signature: &[u8], digest: &[Bit<C::Num>; 256]) {
    let layout = modulus.layout;
    let signature = cs.family("rsa.signature-range", |cs| {
        let integer = Integer::allocate(cs, layout, signature);
        integer.range_check(cs, layout);
        Evaluated::new(layout, integer)
    });
    let squared = |cs: &mut C, a: &Evaluated<_>| {
        Evaluated::new(layout, multiply::remainder(cs, layout, a, a, &modulus.evaluated))
    };
    let mut power = squared(cs, &signature);
    for _ in 1..SQUARINGS {
        power = squared(cs, &power);
    }
    let message = encoded_message(layout, digest);
    multiply::congruent(cs, layout, (&power, &signature), &modulus.evaluated, &message);
}

/// EM of RFC 8017 §9.2 as limbs: all is constant but the digest, which is at the low end.
fn encoded_message<N: Num>(layout: &Layout, digest: &[Bit<N>; 256]) -> Integer<N> {
    let constant = native::encoded_message(layout.size, &[0; 32]);
    let limbs = integer::limbs_of(layout, &constant).into_iter().enumerate().map(|(i, limb)| {
        let bits = digest.iter().rev().skip(i * LIMB_BITS).take(LIMB_BITS);
        let mut out = N::constant(limb);
        out.add_scaled(&pack(bits), Fr::from(1u64));
        out
    });
    Integer::of_limbs(limbs.collect())
}
