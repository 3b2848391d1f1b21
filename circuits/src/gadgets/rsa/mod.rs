//! RSA signatures of PKCS#1 v1.5 with SHA-256 and e = 65537 in a circuit (RFC 8017 §8.2.2).
//!
//! A power of the signature is a fraction u/v of integers half as long as the modulus. Fifteen squarings
//! `s → s² → … → s^32768`, each an identity of integers `u'·v² − v'·u² = q·n` (see the module `power`), and one identity
//! for the last squaring and the last product: `u²·u0 − EM·v²·v0 = q·n`, where u0/v0 is s and EM the encoded message, whose
//! 256 lowest bits are the digest, so that the comparison costs nothing.
//!
//! # What it shows
//! For n of full length, which whoever lists the issuer's keys has seen to: every v is an integer from 1 to 2^half − 1,
//! below n. If all of them are prime to n, the identities say
//! `x_{i+1} = x_i²` and `x_15²·x_0 = EM` of the residues x_i = u_i/v_i modulo n: x_0 is a signature of the digest. If one
//! is not, its greatest common divisor with n is a proper factor of n, and for n a product of two primes whoever made the
//! proof holds the key with which anything can be signed. So a proof shows knowledge of a signature, or of the
//! signing key.
//!
//! # Cost
//! 77,833 rows at 2,048 bits, 86,929 when powers were integers below n. Of the rows, two in three are the bits of sixteen
//! fractions (2 halves of the modulus each), fifteen quotients (1), the last quotient (3) and the modulus (2).
//! One identity for the last two steps saves the fraction s^65536 with its identity, and costs a quotient twice
//! as long. Limbs of 21 bits balance what is left: smaller ones have smaller carries (one row a bit) and more evaluation
//! points (two to five rows each, and as many entries as there are limbs); 17 bits would save 152 rows for a quarter more
//! points, 24 cost 515 more. Dense rows are
//! cheap: an entry costs one field multiplication a proof, a row hundreds in the transforms and multi-exponentiations.
//!
//! Left to the caller: that the digest is that of the message, and that the modulus is the issuer's, by
//! [`Modulus::packed`], and that this has its full length, without which the rows show nothing (`token::Modulus` takes no
//! other, and is what issuer keys are made of). Left to the native check ([`native`]): that `s < n`. The circuit takes any s
//! by its residue. This is harmless: whoever knows one of a residue knows all, and the signature is a witness from which
//! nothing public is derived.

mod carries;
mod integer;
mod layout;
pub mod native;
mod power;
#[cfg(test)]
mod tests;

pub use layout::Size;

use integer::Integer;
use layout::{LIMB_BITS, Layout};
use power::{Evaluated, Power};

use num_bigint::BigUint;

use super::bits::{Bit, pack};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bytes to a field element in [`Modulus::packed`].
pub const PACKED_BYTES: usize = 31;
/// Squarings before the last identity, which is one more and the product: e = 2^16 + 1.
const SQUARINGS: usize = 15;

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
            let number = BigUint::from_bytes_be(modulus).into();
            let limbs =
                cs.hint_many(layout.modulus.limbs(), &[], |_| integer::limbs_of(layout.modulus, &number));
            let integer = Integer::of_limbs(limbs);
            let bits = integer.range_check(cs, layout.modulus);
            Self { layout, bits, evaluated: Evaluated::new(layout, integer, layout.last.points()) }
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
    let (layout, modulus) = (modulus.layout, &modulus.evaluated);
    let signature = Power::signature(cs, layout, signature, modulus);
    let mut squares = signature.squares(cs, layout);
    let mut power = signature.squared(cs, layout, &squares, modulus);
    for _ in 1..SQUARINGS {
        squares = power.squares(cs, layout);
        power = power.squared(cs, layout, &squares, modulus);
    }
    squares = power.squares(cs, layout);
    let message = encoded_message(layout, digest);
    power.square_times_is(cs, layout, (&squares, &signature), message, modulus);
}

/// EM of RFC 8017 §9.2 as limbs: all is constant but the digest, which is at the low end.
fn encoded_message<N: Num>(layout: &Layout, digest: &[Bit<N>; 256]) -> Integer<N> {
    let constant = native::encoded_message(layout.size, &[0; 32]).into();
    let limbs = integer::limbs_of(layout.message, &constant).into_iter().enumerate().map(|(i, limb)| {
        let bits = digest.iter().rev().skip(i * LIMB_BITS).take(LIMB_BITS);
        let mut out = N::constant(limb);
        out.add_scaled(&pack(bits), Fr::from(1u64));
        out
    });
    Integer::of_limbs(limbs.collect())
}
