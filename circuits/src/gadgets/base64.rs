//! base64url without padding (RFC 4648 §5) in a circuit.
//!
//! A character is checked by computing, from the six bits of a value, the one character that stands for it; there is
//! no other way to write a value, so alphabet and padding leave nothing to choose. For the value `v = v5…v0`:
//!
//! | v       | character   | character − v |
//! |---------|-------------|---------------|
//! | 0..=25  | `A` to `Z`  | 65            |
//! | 26..=51 | `a` to `z`  | 71            |
//! | 52..=61 | `0` to `9`  | −4            |
//! | 62      | `-`         | −17           |
//! | 63      | `_`         | 32            |
//!
//! Native twin: `base64::engine::general_purpose::URL_SAFE_NO_PAD`. Where the end is, the caller says.

use ark_ff::PrimeField;

use super::bits::{Bit, pack};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bits of one character.
pub const BITS: usize = 6;

/// Of each character of a group of four, the bits that belong to the byte which the next character ends.
const CARRIED: [usize; 4] = [0, 4, 2, 0];

/// The values of characters, most significant bit first: 13 rows each, and one for all. They begin with a group of four.
///
/// `packed` is `Σ 256^k·character_k` for characters below 256, at most 31 of them. Where `active[k]`, the character must
/// be of the alphabet, and no other value is possible. Where not, it must be zero, and all bits are zero. Active ones
/// come first. Bits of the last one that belong to no whole byte are zero. Nothing is said of the characters where the
/// bit `exempt` is one; none is active then, the caller sees to that.
///
/// Of every value the one character that stands for it is computed, or zero: numbers below 256 like those that are
/// packed, and so few that their sums are equal only if all of them are.
///
/// # Panics
/// For more than 31 characters.
pub fn decode<C: Cs>(
    cs: &mut C,
    packed: &C::Num,
    active: &[Bit<C::Num>],
    exempt: &C::Num,
) -> Vec<[Bit<C::Num>; BITS]> {
    assert!(active.len() <= 31, "more characters do not fit into one number");
    cs.family("base64.decode", |cs| {
        let mut difference = packed.clone();
        let mut weight = Fr::from(1u64);
        let mut decoded = Vec::with_capacity(active.len());
        for (k, own) in active.iter().enumerate() {
            let digits = cs.hint_many(BITS, &[packed, own.num()], |v| digits_of(v[0], k, v[1]).to_vec());
            let next = active.get(k + 1).map_or_else(C::Num::zero, |next| next.num().clone());
            let bits = std::array::from_fn(|i| {
                let is_carried = i >= BITS - CARRIED[k % CARRIED.len()];
                let may_be_one = if is_carried { &next } else { own.num() };
                // digit·(may be one − digit) = 0: 0 or 1 where it may, else 0.
                cs.enforce(&digits[i], &may_be_one.minus(&digits[i]), &C::Num::zero());
                Bit::forced_elsewhere(digits[i].clone())
            });
            let mut expected = character_of(cs, &bits);
            // Zeros stand for 'A', but not where none is asked for.
            expected.add_scaled(&own.num().not(), -Fr::from(b'A'));
            difference.add_scaled(&expected, -weight);
            weight *= Fr::from(256u64);
            decoded.push(bits);
        }
        cs.enforce(&difference, &exempt.not(), &C::Num::zero());
        decoded
    })
}

/// The characters of `bits`, most significant first; those missing in the last character are zeros: 7 rows each.
pub fn encode<C: Cs>(cs: &mut C, bits: &[Bit<C::Num>]) -> Vec<C::Num> {
    let padded = |chunk: &[Bit<C::Num>]| {
        std::array::from_fn(|i| chunk.get(i).cloned().unwrap_or_else(|| Bit::constant(false)))
    };
    cs.family("base64.encode", |cs| bits.chunks(BITS).map(|chunk| character_of(cs, &padded(chunk))).collect())
}

/// The character of a value as a linear form, bits most significant first: 7 rows.
///
/// With p = v4·v3, q = p·v2, m = p·v1, w = q·v1:
/// [v ≥ 26] where v5 = 0 is v4·v3·(v2 ∨ v1) = q + m − w; where v5 = 1, [v ≥ 52] is v4·(v3 ∨ v2) = p + v4·v2 − q,
/// [v ≥ 62] is w and [v = 63] is w·v0. Hence
/// character = v + 65 + 6·(q + m − w) + v5·(6 − 6·(q + m − w) − 75·(p + v4·v2 − q) + w·(49·v0 − 13)).
fn character_of<C: Cs>(cs: &mut C, bits: &[Bit<C::Num>; BITS]) -> C::Num {
    let [v5, v4, v3, v2, v1, v0] = bits.each_ref().map(Bit::num);
    let p = cs.product(v4, v3);
    let r = cs.product(v4, v2);
    let q = cs.product(&p, v2);
    let m = cs.product(&p, v1);
    let w = cs.product(&q, v1);
    let symbols = cs.product(&w, &sum(-13, &[(49, v0)]));
    let lower = sum(0, &[(6, &q), (6, &m), (-6, &w)]);
    let upper = sum(6, &[(-1, &lower), (-75, &p), (-75, &r), (75, &q), (1, &symbols)]);
    let offset = cs.product(v5, &upper);
    sum(65, &[(1, &pack(bits.iter().rev())), (1, &lower), (1, &offset)])
}

fn sum<N: Num>(constant: i64, terms: &[(i64, &N)]) -> N {
    let mut out = N::constant(Fr::from(constant));
    for (coefficient, form) in terms {
        out.add_scaled(form, Fr::from(*coefficient));
    }
    out
}

/// The digits that an honest prover gives for the k-th character: zeros for what is not active or not of the alphabet.
fn digits_of(packed: Fr, k: usize, active: Fr) -> [Fr; BITS] {
    let character = (packed.into_bigint() >> (8 * k as u32)).0[0] as u8;
    let value = if active == Fr::from(1u64) { value_of(character) } else { 0 };
    std::array::from_fn(|i| Fr::from(value >> (BITS - 1 - i) & 1))
}

fn value_of(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;
    use crate::r1cs::{Assignment, Shape};

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// Whether the rows hold for `character` when the prover claims `value`.
    fn claimed(character: Fr, value: u64, active: bool, exempt: bool) -> bool {
        let claim = move |_: &str, at: usize, honest| {
            if at < BITS { Fr::from(value >> (BITS - 1 - at) & 1) } else { honest }
        };
        let values = Assignment::tampered(claim, |cs| {
            let bits = decode(cs, &character, &[Bit::constant(active)], &Fr::from(exempt)).remove(0);
            let out = bits.iter().fold(0, |v, bit| 2 * v + u64::from(*bit.num() == Fr::from(1u64)));
            assert_eq!(out, value);
        });
        values.is_satisfied()
    }

    #[test]
    fn every_character_has_its_value_and_no_other() {
        for character in 0..=255u8 {
            for value in 0..64 {
                let holds = |active, exempt| claimed(Fr::from(character), value, active, exempt);
                assert_eq!(
                    holds(true, false),
                    ALPHABET[value as usize] == character,
                    "{character} as {value}"
                );
                assert_eq!(
                    holds(false, false),
                    value == 0 && character == 0,
                    "{character} as {value}, no more"
                );
                assert_eq!(holds(false, true), value == 0, "{character} as {value}, before");
            }
        }
    }

    #[test]
    fn what_is_no_byte_is_refused() {
        for character in [Fr::from(256u64 + 65), -Fr::from(1u64), Fr::from(65u64) + Fr::from(1u128 << 64)] {
            for value in 0..64 {
                assert!(!claimed(character, value, true, false));
                assert!(!claimed(character, value, false, false));
            }
            assert!(claimed(character, 0, false, true));
        }
    }

    #[test]
    fn bits_of_no_whole_byte_are_zero() {
        // Of two characters the last four bits, of three the last two; four characters are whole.
        for (text, holds) in [
            ("AQ", true),
            ("AR", false),
            ("AY", false),
            ("AAE", true),
            ("AAF", false),
            ("AAB", false),
            ("AAAB", true),
        ] {
            assert_eq!(URL_SAFE_NO_PAD.decode(text).is_ok(), holds);
            let values = Assignment::of(|cs| {
                let active: Vec<_> = (0..8).map(|k| Bit::constant(k < text.len())).collect();
                decode(cs, &packed(text.as_bytes()), &active, &Fr::from(0u64));
            });
            assert_eq!(values.is_satisfied(), holds, "{text}");
        }
    }

    fn packed(characters: &[u8]) -> Fr {
        characters.iter().rev().fold(Fr::from(0u64), |sum, c| sum * Fr::from(256u64) + Fr::from(*c))
    }

    #[test]
    fn every_hint_is_forced() {
        let characters = b"AZaz09-_";
        for at in 0..characters.len() * (BITS + 7) {
            for active in [8, 5, 0] {
                let change = move |_: &str, i, v| if i == at { Fr::from(1u64) - v } else { v };
                let values = Assignment::tampered(change, |cs| {
                    let flags: Vec<_> = (0..8).map(|k| Bit::constant(k < active)).collect();
                    decode(cs, &packed(&characters[..active]), &flags, &Fr::from(0u64));
                });
                assert!(!values.is_satisfied(), "hint {at} of {active}");
            }
        }
    }

    #[test]
    fn digits_other_than_0_and_1_are_refused() {
        // 'C' as v0 = 2 with v1 = 0: the sum is right, the digit is not.
        let claim = |_: &str, at: usize, honest| match at {
            4 => Fr::from(0u64),
            5 => Fr::from(2u64),
            _ => honest,
        };
        let values = Assignment::tampered(claim, |cs| {
            decode(cs, &Fr::from(b'C'), &[Bit::constant(true)], &Fr::from(0u64));
        });
        assert_eq!(values.violations().len(), 1);
    }

    #[test]
    fn costs_what_is_stated() {
        let decoding = Shape::of(|cs| {
            let (characters, active) = (cs.hint(&[], |v| v[0]), cs.hint(&[], |v| v[0]));
            decode(cs, &characters, &vec![Bit::forced_elsewhere(active); 28], &Num::zero());
        });
        assert_eq!(decoding.rows_per_family(), [("base64.decode", 13 * 28 + 1)].into());
        let encoding = Shape::of(|cs| {
            let bits: Vec<_> = cs.hint_many(256, &[], <[Fr]>::to_vec);
            let bits: Vec<_> = bits.into_iter().map(Bit::forced_elsewhere).collect();
            assert_eq!(encode(cs, &bits).len(), 43);
        });
        assert_eq!(encoding.rows_per_family(), [("base64.encode", 7 * 43)].into());
    }

    fn bits_of(bytes: &[u8]) -> Vec<Bit<Fr>> {
        let digits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1 == 1));
        digits.map(Bit::constant).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_native_codec(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            let (mut characters, mut decoded) = (Vec::new(), Vec::new());
            let values = Assignment::of(|cs| {
                characters = encode(cs, &bits_of(&bytes));
                for characters in text.as_bytes().chunks(28) {
                    let active = vec![Bit::constant(true); characters.len()];
                    decoded.extend(decode(cs, &packed(characters), &active, &Fr::from(0u64)).concat());
                }
            });
            prop_assert!(values.is_satisfied());
            prop_assert_eq!(characters, text.bytes().map(Fr::from).collect::<Vec<_>>());
            let decoded: Vec<Fr> = decoded.iter().map(|bit| *bit.num()).collect();
            let expected: Vec<Fr> = bits_of(&bytes).iter().map(|bit| *bit.num()).collect();
            prop_assert_eq!(&decoded[..expected.len()], &expected[..]);
            prop_assert!(decoded[expected.len()..].iter().all(|bit| *bit == Fr::from(0u64)));
        }
    }
}
