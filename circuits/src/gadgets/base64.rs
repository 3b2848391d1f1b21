//! base64url without padding (RFC 4648 §5) in a circuit.
//!
//! Each value has one character, and no other way to be written, so alphabet and padding leave nothing to choose. For the
//! value `v = v5…v0`:
//!
//! | v       | character   | character − v |
//! |---------|-------------|---------------|
//! | 0..=25  | `A` to `Z`  | 65            |
//! | 26..=51 | `a` to `z`  | 71            |
//! | 52..=61 | `0` to `9`  | −4            |
//! | 62      | `-`         | −17           |
//! | 63      | `_`         | 32            |
//!
//! Reading, [`value`] takes a character's bits to its value; writing, [`encode`] takes bits to characters.
//!
//! Native twin: `base64::engine::general_purpose::URL_SAFE_NO_PAD`. Where the end is, the caller says.

use ark_ff::{Field, PrimeField};

use super::bits::{Bit, pack};
use super::numbers::{bit, small};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bits of one character.
pub const BITS: usize = 6;

/// Of each character of a group of four, the bits that belong to the byte which the next character ends.
const CARRIED: [usize; 4] = [0, 4, 2, 0];

/// The value of an ASCII character as a linear form of its bits, most significant first: 11 rows, which also force the
/// bits to be bits, zeros where `active` is zero. Where it is one, the form is the value of a character of the alphabet,
/// and outside of 0..64, but never more than 100 away, for each other character that the rows allow.
///
/// Where `is_dot` is one, the character is a dot instead. The caller sees to it that `active` is one there.
///
/// With s the flag `active`, e the flag `is_dot`, a = b6, b = b5 and n = b4…b0, a letter has a = 1, n from 1 to 26; `_` has a = 1, b = 0, n = 31;
/// a digit has a = 0, b = 1, n from 16 to 25; `-` has n = 13 there. Products are
/// p = b4·b3, w = p·b2, and z = (s − a)·(s − b4), which marks the dash. A bit that is not free is told by the roots of its
/// row:
///
/// | row | says |
/// |---|---|
/// | a·(s − e − a), b4·(s − e − b4) | bits, zero where s is; a dot has 0 and 0, and so z = 1 |
/// | (b − s)·(b − s + a) | not both a and b are zero, where s is one |
/// | (b3 − s)·(b3 − z), (b2 − s)·(b2 − z) | a dash has 1 and 1 |
/// | (b1 − s + z − e)·(b1 − w − e), (b0 − s + e)·(b0 − z − w + e) | and then 0 and 1, a dot 1 and 0; what has w has 1 and 1: no n from 28 to 30 |
///
/// Left are, with n = 0, 26 or 27, `@`, `` ` ``, `:`, `;`, `[` and `{`. The form F = 2·(b4 − p) + 4·(b3 − p) + (b1 − p) + 8·b2 is zero
/// for n = 0, 1, 26 and 27 alone, and there G = a − b0 − p is zero for the letters `A`, `a`, `Z` and `z` alone: so F·h = G, for
/// some h, refuses all these. The form is n + 10·s − 11·a + 26·b + 13·z + 33·w; of what is left that is no character, ASCII 63
/// and 127 have 100 and 89.
pub fn value<C: Cs>(cs: &mut C, bits: &[Bit<C::Num>; 8], active: &C::Num, is_dot: &C::Num) -> C::Num {
    let [_, a, b, b4, b3, b2, b1, b0] = bits.each_ref().map(Bit::num);
    let (w, z) = cs.family("base64.decode", |cs| {
        let p = cs.product(b4, b3);
        let w = cs.product(&p, b2);
        let z = cs.product(&active.minus(a), &active.minus(b4));
        let f = sum(0, &[(2, b4), (4, b3), (1, b1), (-7, &p), (8, b2)]);
        let g = sum(0, &[(1, a), (-1, b0), (-1, &p)]);
        let ratio = cs.hint(&[&f, &g], |v| v[0].inverse().unwrap_or_default() * v[1]);
        cs.enforce(&f, &ratio, &g);
        (w, z)
    });
    let roots = [
        (a, C::Num::zero(), active.minus(is_dot)),
        (b, active.clone(), active.minus(a)),
        (b4, C::Num::zero(), active.minus(is_dot)),
        (b3, active.clone(), z.clone()),
        (b2, active.clone(), z.clone()),
        (b1, active.minus(&z).plus(is_dot), w.plus(is_dot)),
        (b0, active.minus(is_dot), z.plus(&w).minus(is_dot)),
    ];
    cs.family("message.bits", |cs| {
        for (bit, one, other) in roots {
            cs.enforce(&bit.minus(&one), &bit.minus(&other), &C::Num::zero());
        }
    });
    let n = pack([b0, b1, b2, b3, b4].map(|bit| Bit::forced_elsewhere(bit.clone())).iter());
    sum(0, &[(1, &n), (10, active), (-11, a), (26, b), (13, &z), (33, &w)])
}

/// The values of characters, most significant bit first: 6 rows each, and one for all. They begin with a group of four.
///
/// `packed` is `Σ 256^k·value_k` for the values of [`value`], at most 31 of them. Where `active[k]`, no other value is
/// possible, and the character must be of the alphabet. Where not, all bits are zero, and so must the value be. Active ones
/// come first. Bits of the last one that belong to no whole byte are zero. Nothing is said of the values where the bit
/// `exempt` is one; none is active then, the caller sees to that.
///
/// The values that the bits write differ from those that are packed by less than 256 each, and there are so few that the
/// sums are equal only if all of them are.
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
            let bits: [_; BITS] = std::array::from_fn(|i| {
                let is_carried = i >= BITS - CARRIED[k % CARRIED.len()];
                let may_be_one = if is_carried { &next } else { own.num() };
                // digit·(may be one − digit) = 0: 0 or 1 where it may, else 0.
                cs.enforce(&digits[i], &may_be_one.minus(&digits[i]), &C::Num::zero());
                Bit::forced_elsewhere(digits[i].clone())
            });
            difference.add_scaled(&pack(bits.iter().rev()), -weight);
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
    let mut out = N::constant(small(constant));
    for (coefficient, form) in terms {
        out.add_scaled(form, small(*coefficient));
    }
    out
}

/// The digits that an honest prover gives for the k-th value: zeros for what is not active or no value.
fn digits_of(packed: Fr, k: usize, active: Fr) -> [Fr; BITS] {
    let value = (packed.into_bigint() >> (8 * k as u32)).0[0] as u8;
    let value = if active == Fr::from(1u64) && value < 1 << BITS { value } else { 0 };
    std::array::from_fn(|i| bit(value >> (BITS - 1 - i) & 1 == 1))
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

    /// The bits that rows have roots for: for each of seven bits one of two, in an order in which each depends on those
    /// before it; the value's form, and whether all rows hold.
    fn rooted(choice: u32, active: bool, is_dot: bool) -> ([Fr; 7], Fr, bool) {
        let (zero, s, e) = (Fr::from(0u64), Fr::from(active), Fr::from(is_dot));
        let root = |place: usize, one: Fr, other: Fr| if choice >> place & 1 == 1 { one } else { other };
        let a = root(6, s - e, zero);
        let b = root(5, s, s - a);
        let b4 = root(4, s - e, zero);
        let z = (s - a) * (s - b4);
        let (b3, b2) = (root(3, s, z), root(2, s, z));
        let w = b4 * b3 * b2;
        let (b1, b0) = (root(1, s - z + e, w + e), root(0, s - e, z + w - e));
        let bits = [a, b, b4, b3, b2, b1, b0];
        let mut form = zero;
        let values = Assignment::of(|cs| {
            let character =
                std::array::from_fn(|i| Bit::forced_elsewhere(if i == 0 { zero } else { bits[i - 1] }));
            form = value(cs, &character, &s, &e);
        });
        (bits, form, values.is_satisfied())
    }

    fn byte_of(bits: [Fr; 7]) -> Fr {
        bits.iter().fold(Fr::from(0u64), |sum, bit| sum + sum + bit)
    }

    #[test]
    fn every_character_has_its_value_and_no_other_has_one() {
        let mut seen = std::collections::BTreeSet::new();
        for choice in 0..128 {
            let (bits, form, holds) = rooted(choice, true, false);
            assert!(bits.iter().all(|bit| *bit == Fr::from(0u64) || *bit == Fr::from(1u64)));
            let character = byte_of(bits).into_bigint().0[0] as u8;
            let expected = ALPHABET.iter().position(|c| *c == character);
            let is_value = (0..64).any(|v| form == Fr::from(v as u64));
            match expected {
                Some(v) => assert!(holds && form == Fr::from(v as u64), "{character}"),
                None => assert!(!holds || !is_value, "{character}"),
            }
            assert!((-100..=100i64).any(|v| form == Fr::from(v)), "{character}");
            seen.extend(expected);
        }
        assert_eq!(seen.len(), 64);
    }

    #[test]
    fn what_is_not_there_is_zero() {
        for choice in 0..128 {
            let (bits, form, holds) = rooted(choice, false, false);
            assert!(holds && byte_of(bits) == Fr::from(0u64) && form == Fr::from(0u64));
        }
    }

    #[test]
    fn a_dot_stands_where_it_must_and_there_alone() {
        let dot = [0, 1, 0, 1, 1, 1, 0u64].map(Fr::from);
        for choice in 0..128 {
            let (bits, _, holds) = rooted(choice, true, true);
            assert!(holds && bits == dot);
            let (bits, _, holds) = rooted(choice, true, false);
            assert!(!holds || bits != dot);
        }
    }

    #[test]
    fn a_bit_that_is_no_root_is_refused() {
        for character in 0..128u8 {
            let is_character = ALPHABET.contains(&character);
            for at in 0..7 {
                for off in [2u64, 3, 7] {
                    let values = Assignment::of(|cs| {
                        let bits = std::array::from_fn(|i| {
                            let bit = Fr::from(character >> (7 - i) & 1);
                            Bit::forced_elsewhere(if i == at + 1 { Fr::from(off) } else { bit })
                        });
                        value(cs, &bits, &Fr::from(1u64), &Fr::from(0u64));
                    });
                    assert!(!is_character || !values.is_satisfied(), "{character} {at}");
                }
            }
        }
    }

    /// Whether the rows hold for a value when the prover claims `digits`.
    fn claimed(value: Fr, digits: u64, active: bool, exempt: bool) -> bool {
        let claim = move |_: &str, at: usize, honest| {
            if at < BITS { Fr::from(digits >> (BITS - 1 - at) & 1) } else { honest }
        };
        let values = Assignment::tampered(claim, |cs| {
            let bits = decode(cs, &value, &[Bit::constant(active)], &Fr::from(exempt)).remove(0);
            let out = bits.iter().fold(0, |v, bit| 2 * v + u64::from(*bit.num() == Fr::from(1u64)));
            assert_eq!(out, digits);
        });
        values.is_satisfied()
    }

    #[test]
    fn every_value_has_its_digits_and_no_other() {
        for value in -100..=100i64 {
            for digits in 0..64 {
                let holds = |active, exempt| claimed(Fr::from(value), digits, active, exempt);
                assert_eq!(holds(true, false), value == digits as i64, "{value} as {digits}");
                assert_eq!(holds(false, false), value == 0 && digits == 0, "{value} as {digits}, no more");
                assert_eq!(holds(false, true), digits == 0, "{value} as {digits}, before");
            }
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
                let packed = packed(cs, text.as_bytes());
                decode(cs, &packed, &active, &Fr::from(0u64));
            });
            assert_eq!(values.is_satisfied(), holds, "{text}");
        }
    }

    /// The values of characters, packed.
    fn packed(cs: &mut Assignment, characters: &[u8]) -> Fr {
        let values: Vec<Fr> = characters
            .iter()
            .map(|c| {
                let bits = std::array::from_fn(|i| Bit::constant(c >> (7 - i) & 1 == 1));
                value(cs, &bits, &Fr::from(1u64), &Fr::from(0u64))
            })
            .collect();
        values.iter().rev().fold(Fr::from(0u64), |sum, value| sum * Fr::from(256u64) + value)
    }

    #[test]
    fn every_hint_is_forced() {
        let characters = b"AZaz09-_";
        for active in [8, 5, 0] {
            let circuit = |cs: &mut Assignment| {
                let flags: Vec<_> = (0..8).map(|k| Bit::constant(k < active)).collect();
                let packed = packed(cs, &characters[..active]);
                decode(cs, &packed, &flags, &Fr::from(0u64));
            };
            let honest = Assignment::of(circuit);
            assert!(honest.is_satisfied());
            for at in 0..honest.full().len() - 1 {
                let change = move |_: &str, i, v| if i == at { Fr::from(1u64) - v } else { v };
                let values = Assignment::tampered(change, circuit);
                // Free is the ratio of two zeros alone, of which nothing follows: of `A`, `Z`, `a` and `z`.
                let is_idle = at < 4 * 4.min(active) && at % 4 == 3;
                assert_eq!(values.is_satisfied(), is_idle, "hint {at} of {active}");
            }
        }
    }

    #[test]
    fn digits_other_than_0_and_1_are_refused() {
        // 2 as v0 = 2 with v1 = 0: the sum is right, the digit is not.
        let claim = |_: &str, at: usize, honest| match at {
            4 => Fr::from(0u64),
            5 => Fr::from(2u64),
            _ => honest,
        };
        let values = Assignment::tampered(claim, |cs| {
            decode(cs, &Fr::from(2u64), &[Bit::constant(true)], &Fr::from(0u64));
        });
        assert_eq!(values.violations().len(), 1);
    }

    #[test]
    fn costs_what_is_stated() {
        let decoding = Shape::of(|cs| {
            let (characters, active) = (cs.hint(&[], |v| v[0]), cs.hint(&[], |v| v[0]));
            decode(cs, &characters, &vec![Bit::forced_elsewhere(active); 28], &Num::zero());
        });
        assert_eq!(decoding.rows_per_family(), [("base64.decode", 6 * 28 + 1)].into());
        let reading = Shape::of(|cs| {
            let bits = cs.hint_many(10, &[], <[Fr]>::to_vec);
            let character = std::array::from_fn(|i| Bit::forced_elsewhere(bits[i].clone()));
            value(cs, &character, &bits[8], &bits[9]);
        });
        assert_eq!(reading.rows_per_family(), [("base64.decode", 4), ("message.bits", 7)].into());
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
                    let packed = packed(cs, characters);
                    decoded.extend(decode(cs, &packed, &active, &Fr::from(0u64)).concat());
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
