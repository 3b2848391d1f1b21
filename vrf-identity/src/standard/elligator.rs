//! `encode_to_curve` of edwards25519_XMD:SHA-512_ELL2_NU_ (RFC 9380 §6.7.1, §6.8.2 and §8.5).
//!
//! curve25519-dalek 4 has a map of its own that is not the RFC's, so this one computes the affine point and hands
//! its encoding over. Messages are public here: it is not constant time.

use ark_ff::{BigInteger, Field, Fp256, MontBackend, MontConfig, MontFp, One, PrimeField};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

/// Integers modulo 2^255 − 19.
#[derive(MontConfig)]
#[modulus = "57896044618658097711785492504343953926634992332820282019728792003956564819949"]
#[generator = "2"]
pub(super) struct FieldConfig;
type Element = Fp256<MontBackend<FieldConfig, 4>>;

/// J of curve25519, K being 1.
const J: Element = MontFp!("486662");
/// Z of the suite.
const Z: Element = MontFp!("2");

/// L of `hash_to_field`: bytes per element.
const UNIFORM_BYTES: u8 = 48;
/// Bytes of a SHA-512 block.
const BLOCK_BYTES: usize = 128;

/// A point of the prime-order subgroup from a message in parts, under the DST of RFC 9381 §5.4.1.2.
pub(super) fn encode_to_curve(message: &[&[u8]], suite: u8) -> EdwardsPoint {
    let mut dst = b"ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_".to_vec();
    dst.push(suite);
    encode_with_dst(message, &dst)
}

fn encode_with_dst(message: &[&[u8]], dst: &[u8]) -> EdwardsPoint {
    let u = Element::from_be_bytes_mod_order(&expand_message(message, dst));
    map_to_edwards(&u).mul_by_cofactor()
}

/// `expand_message_xmd` (RFC 9380 §5.3.1) for 48 bytes, which one block of SHA-512 holds.
fn expand_message(message: &[&[u8]], dst: &[u8]) -> [u8; UNIFORM_BYTES as usize] {
    let length = u8::try_from(dst.len()).expect("our separators are shorter than 256 bytes");
    let mut hash = Sha512::new_with_prefix([0; BLOCK_BYTES]);
    message.iter().for_each(|part| hash.update(part));
    hash.update([0, UNIFORM_BYTES, 0]);
    let first = hash.chain_update(dst).chain_update([length]).finalize();
    let second = Sha512::new_with_prefix(first).chain_update([1]).chain_update(dst).chain_update([length]);
    let mut uniform = [0; UNIFORM_BYTES as usize];
    uniform.copy_from_slice(&second.finalize()[..UNIFORM_BYTES as usize]);
    uniform
}

/// RFC 9380 §6.7.1 with the steps numbered there, then the map of §6.8.2 to edwards25519.
fn map_to_edwards(u: &Element) -> EdwardsPoint {
    let g = |x: Element| x.square() * x + J * x.square() + x;
    // 1. and 2.: 1 + 2·u² is never zero, −1/2 being no square.
    let x1 = (Element::one() + Z * u.square()).inverse().map_or(-J, |inverse| -J * inverse);
    let (s, t) = match g(x1).sqrt() {
        // 3. and 6.
        Some(root) => (x1, with_sign(root, true)),
        // 4., 5. and 7.
        None => {
            let x2 = -x1 - J;
            let root = g(x2).sqrt().expect("one of g(x1) and g(x2) = Z·u²·g(x1) is a square");
            (x2, with_sign(root, false))
        }
    };
    to_edwards(s, t)
}

/// (v, w) = (√−486664·s/t, (s−1)/(s+1)), the root being the even one; the identity where a denominator is zero.
fn to_edwards(s: Element, t: Element) -> EdwardsPoint {
    let Some(inverse) = (t * (s + Element::one())).inverse() else {
        return EdwardsPoint::identity();
    };
    let root = (-J - Element::from(2u64)).sqrt().expect("−486664 is a square modulo 2^255 − 19");
    let v = with_sign(root, false) * s * (s + Element::one()) * inverse;
    let w = (s - Element::one()) * t * inverse;
    let mut encoded = [0; 32];
    encoded.copy_from_slice(&w.into_bigint().to_bytes_le());
    encoded[31] |= u8::from(is_odd(&v)) << 7;
    CompressedEdwardsY(encoded).decompress().expect("the rational map leads to the curve")
}

fn with_sign(root: Element, odd: bool) -> Element {
    if is_odd(&root) == odd { root } else { -root }
}

fn is_odd(element: &Element) -> bool {
    element.into_bigint().is_odd()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use ark_ff::Zero;
    use proptest::prelude::*;

    /// RFC 9380 appendix J.5.2: P.y, and whether P.x is odd.
    #[test]
    fn published_points() {
        let dst = b"QUUX-V01-CS02-with-edwards25519_XMD:SHA-512_ELL2_NU_";
        let cases = [
            ("", "222e314d04a4d5725e9f2aff9fb2a6b69ef375a1214eb19021ceab2d687f0f9b", false),
            ("abc", "67732d50f9a26f73111dd1ed5dba225614e538599db58ba30aaea1f5c827fa42", false),
            ("abcdef0123456789", "2f8a6c24dd1adde73909cada6a4a137577b0f179d336685c4a955a0a8e1a86fb", true),
        ];
        for (message, y, odd) in cases {
            let mut encoded: [u8; 32] = hex::decode(y).unwrap().try_into().unwrap();
            encoded.reverse();
            encoded[31] |= u8::from(odd) << 7;
            let point = encode_with_dst(&[message.as_bytes()], dst);
            assert_eq!(hex::encode(point.compress().0), hex::encode(encoded), "message {message:?}");
        }
    }

    #[test]
    fn exceptions_map_to_the_identity() {
        assert_eq!(to_edwards(Element::zero(), Element::zero()), EdwardsPoint::identity());
        assert_eq!(to_edwards(-Element::one(), Element::one()), EdwardsPoint::identity());
        // u = 0 leads to (−J, t) or to (0, 0): either way to a point.
        assert!(map_to_edwards(&Element::zero()).mul_by_cofactor().is_torsion_free());
    }

    proptest! {
        #[test]
        fn every_message_has_a_point_of_the_subgroup(message in prop::collection::vec(any::<u8>(), 0..40)) {
            let point = encode_to_curve(&[&message], 4);
            prop_assert!(point.is_torsion_free() && point != EdwardsPoint::identity());
        }
    }
}
