//! Values of a JSON text, taken out at places that the prover names.
//!
//! Each byte of the text becomes one number, an *element*, that carries the byte and all that is known of its
//! place in disjoint ranges of bits. Taking a value out then moves one number a byte; and because the fields
//! are ranged where they are made, an element has one reading.
//!
//! | bits | field |
//! |---|---|
//! | 0..8 | the byte |
//! | 8 | [`Place::follows`] |
//! | 9..20 | [`Place::quotes`] |
//! | 20..31 | [`Place::depth`] |
//! | 31..86 | the key that the group of four bytes begins with, as its [`code`] |
//! | 86 | a key begins three bytes before |
//! | 87..98 | escapes to come in the string, of [`Place::tail`] |
//! | 98..109 | the *rest*, of [`Place::tail`]: bytes up to the string's closing quote, this one counted |
//!
//! The key changes from group to group only, since the value of a claim that is read begins in a later group
//! than its key: a key of three letters, its quotes and its colon are six bytes. Behind a shorter key a value
//! can begin in the same group, but only in the group's last byte, behind a key in its first; the flag in bit
//! 86 then tells it, so that it does not pass for a value of the key before.
//!
//! A key's code says which claim it is, or that it is none that the statement reads. Its flag is one for
//! those names that were compared in full, and of these no two share both length and first three letters.
//!
//! Inside a value that is a string without escapes, a number or a literal, all fields but byte and rest are
//! those of its first byte, which alone *follows* its colon. The rest begins with the string's length and one
//! and falls by one a byte; outside strings it is zero. The closing quote has one quote more. So behind the
//! first element the sum *base + rest + byte* is known but for the byte, and the string ends where the sum is
//! *base + byte + one quote*: an escaped quote does not pass for that, since the string has no escapes.

pub(crate) use super::numbers::power;
use super::numbers::small;
use crate::Fr;
use crate::gadgets::json::{self, Byte, Place, Text};
use crate::gadgets::select::{self, Cut, bits_of, either};
use crate::r1cs::{Cs, Num};

/// Bytes to a group: a key, its colon, a value and a comma are five at least, so of four in a row one at most
/// begins a key at the top level.
pub const GROUP: usize = 4;
/// Bytes of a key, from its opening quote on, that its code shows.
pub const CODE_BYTES: usize = 4;

const FOLLOWS: u32 = 8;
const QUOTES: u32 = 9;
const DEPTH: u32 = 20;
const KEY: u32 = 31;
/// Place of the flag in a code, above the bytes and [`Place::tail`].
const CODE_FLAG: u32 = 8 * CODE_BYTES as u32 + json::REST + COUNT_BITS as u32;
const BEGINS: u32 = KEY + CODE_FLAG + 1;
const ESCAPES: u32 = BEGINS + 1;
/// The last field: a rest to which a place is added has nothing above it.
const REST: u32 = ESCAPES + json::REST;
/// Bits of an element.
pub const ELEMENT_BITS: u32 = REST + COUNT_BITS as u32;
/// Bits of a count of quotes, or of a string's rest: fewer of them than bytes, fewer bytes than 2^11.
const COUNT_BITS: usize = 11;

fn constant<N: Num>(value: Fr) -> N {
    N::constant(value)
}

/// The byte's place in an element's string: what a closing quote has more than the bytes before it.
pub fn closing_quote() -> Fr {
    Fr::from(u64::from(b'"')) + power(QUOTES)
}

/// What [`key_beginning`] is where a key with this name begins.
pub fn key_pattern(name: &str, bytes: usize) -> Fr {
    let quoted = format!("\"{name}\"").into_bytes();
    let beginning =
        quoted.iter().take(bytes).fold(Fr::from(0u64), |sum, byte| sum * small(256) + small((*byte).into()));
    let length = Fr::from(name.len() as u64 + 1);
    beginning + length * power(8 * bytes as u32 + json::REST)
}

/// The code of a claim's key.
pub fn code(name: &str) -> Fr {
    key_pattern(name, CODE_BYTES) + power(CODE_FLAG)
}

/// The first so many bytes of a key from a position on, and above them its [`Place::tail`]: at its opening
/// quote that is its length and one, since no top-level key has escapes.
pub fn key_beginning<N: Num>(text: &Text<N>, places: &[Place<N>], at: usize, bytes: usize) -> N {
    let mut beginning = text.window(at as isize, bytes);
    if let Some(place) = places.get(at) {
        beginning.add_scaled(&place.tail, power(8 * bytes as u32));
    }
    beginning
}

/// What begins in a group of bytes.
pub struct Beginning<N> {
    /// One if a top-level key begins there.
    pub is_there: N,
    /// One if it is a claim that the statement reads.
    pub is_named: N,
    /// [`key_beginning`] of it, with [`CODE_BYTES`] bytes.
    pub first_bytes: N,
}

/// The code of the key that holds at each group's begin: one row a group.
pub fn keys<C: Cs>(cs: &mut C, beginnings: &[Beginning<C::Num>]) -> Vec<C::Num> {
    cs.family("strings.elements", |cs| {
        let mut keys = vec![C::Num::zero()];
        for (group, Beginning { is_there, is_named, first_bytes }) in beginnings.iter().enumerate() {
            if group + 1 < beginnings.len() {
                let mut code = first_bytes.clone();
                code.add_scaled(is_named, power(CODE_FLAG));
                keys.push(either(cs, is_there, &keys[group], &code));
            }
        }
        keys
    })
}

/// The elements of a text, given the key that holds at each group's begin: linear forms.
pub fn elements<N: Num>(bytes: &[Byte<N>], places: &[Place<N>], keys: &[N]) -> Vec<N> {
    let element = |(at, (byte, place)): (usize, (&Byte<N>, &Place<N>))| {
        let mut element = byte.value.clone();
        for (field, shift) in [
            (&place.follows, FOLLOWS),
            (&place.quotes, QUOTES),
            (&place.depth, DEPTH),
            (&place.tail, ESCAPES),
            (&keys[at / GROUP], KEY),
        ] {
            element.add_scaled(field, power(shift));
        }
        if at % GROUP == GROUP - 1 {
            element.add_scaled(&places[at + 1 - GROUP].begins_key, power(BEGINS));
        }
        element
    };
    bytes.iter().zip(places).enumerate().map(element).collect()
}

/// A value taken out of a text: elements from its first byte on, and what they have in common.
pub struct Value<N> {
    elements: Vec<N>,
    base: N,
    /// The first element's rest, and what it falls by a byte: zeros for what is no string.
    rest: N,
    falls_by: N,
}

impl<N: Num> Value<N> {
    /// `taken` elements from `position` on, of the value under `key` (its code) at depth 1, and
    /// without escapes. That this is so holds once [`Value::first`] is compared with a byte.
    ///
    /// `quotes` is the prover's count of quotes before it: 11 bits, so the base has one reading.
    pub fn take<C: Cs<Num = N>>(
        cs: &mut C,
        elements: &[N],
        taken: usize,
        position: usize,
        quotes: usize,
        key: &N,
    ) -> Self {
        let base = base(cs, quotes, key, &N::one());
        let elements = select::window(cs, elements, taken, position);
        Self { elements, base, rest: N::zero(), falls_by: N::zero() }
    }

    /// The value as a string, whose length is `rest` less one, where the bit `is_string` is one. `rest` is in
    /// range, so the first element has one reading.
    #[must_use]
    pub fn string(self, rest: N, is_string: N) -> Self {
        Self { rest, falls_by: is_string, ..self }
    }

    /// The first byte: the value begins here exactly if this is a byte.
    pub fn first(&self) -> N {
        self.byte(0).minus(&constant(power(FOLLOWS)))
    }

    /// The k-th byte behind the first, k from 1: a byte as long as the value goes on, at its end
    /// [`closing_quote`].
    pub fn byte(&self, k: usize) -> N {
        let mut byte = self.elements[k].minus(&self.base);
        byte.add_scaled(&self.rest, -rest_unit());
        byte.add_scaled(&self.falls_by, rest_unit() * Fr::from(k as u64));
        byte
    }
}

/// A string's rest at its opening quote, as the prover counts it from the string's length: 11 rows.
pub fn rest_of_string<C: Cs>(cs: &mut C, length: usize) -> C::Num {
    select::weighted(&bits_of(cs, COUNT_BITS, length as u64 + 1))
}

/// What one byte of rest adds to an element.
pub fn rest_unit() -> Fr {
    power(REST)
}

/// What every element of a value has in common: the prover's count of quotes, the depth, no escapes, the key.
pub fn base<C: Cs>(cs: &mut C, quotes: usize, key: &C::Num, depth: &C::Num) -> C::Num {
    let quotes = select::weighted(&bits_of(cs, COUNT_BITS, quotes as u64));
    let mut base = quotes.times(power(QUOTES));
    base.add_scaled(depth, power(DEPTH));
    base.add_scaled(key, power(KEY));
    base
}

/// What the first element of a value has beyond base and byte.
pub fn follows() -> Fr {
    power(FOLLOWS)
}

/// Bits of a [`delimiting`] field.
pub const DELIMITING_BITS: usize = KEY as usize;

/// Of an element what tells delimiters: byte, whether it *follows*, quotes and depth.
pub fn delimiting<N: Num>(bytes: &[Byte<N>], places: &[Place<N>]) -> Vec<N> {
    let field = |(byte, place): (&Byte<N>, &Place<N>)| {
        let mut field = byte.value.clone();
        for (part, shift) in [(&place.follows, FOLLOWS), (&place.quotes, QUOTES), (&place.depth, DEPTH)] {
            field.add_scaled(part, power(shift));
        }
        field
    };
    bytes.iter().zip(places).map(field).collect()
}

/// The [`delimiting`] field of this byte, where it stands behind the closing quote, white space aside, of the
/// string whose elements under this key have this base.
pub fn behind_string<N: Num>(base: &N, key: &N, byte: u8) -> N {
    let constant = N::constant(Fr::from(u64::from(byte)) + power(FOLLOWS) + power(QUOTES));
    let mut field = base.plus(&constant);
    field.add_scaled(key, -power(KEY));
    field
}

/// The plain integer of 1 to `digits` digits that begins with the first of these bytes, with a
/// character behind it that may end one; zero where `present` is zero.
pub fn integer<C: Cs>(
    cs: &mut C,
    bytes: &[Byte<C::Num>],
    present: &C::Num,
    digits: usize,
    length: usize,
) -> C::Num {
    let length = cs.hint(&[], |_| Fr::from(length as u64));
    let end = Cut::new(cs, digits, &length);
    // Present means at least one digit, absent none.
    cs.equal(&end.is_before(0), present);
    let zero = constant::<C::Num>(Fr::from(u64::from(b'0')));
    let mut sum = C::Num::zero();
    for (k, byte) in bytes.iter().enumerate().take(digits) {
        let within = end.is_before(k);
        let digit = cs.product(&within, &byte.value.minus(&zero));
        decimal_where(cs, &within, byte);
        // sum' = sum + within·9·sum + digit.
        let grown = cs.product(&within, &sum);
        sum = sum.plus(&grown.times(Fr::from(9u64))).plus(&digit);
    }
    let mut last = C::Num::zero();
    for (k, byte) in bytes.iter().enumerate().take(digits + 1).skip(1) {
        let term = cs.product(&end.is_at(k), &byte.value);
        last = last.plus(&term);
    }
    // What ends an integer: comma, end of the object or white space; not `.`, `e` or one more digit.
    let mut product = present.clone();
    let ends = b",} \t\n\r";
    for (i, character) in ends.iter().enumerate() {
        let factor = last.minus(&constant(Fr::from(u64::from(*character))));
        if i + 1 == ends.len() {
            cs.enforce(&product, &factor, &C::Num::zero());
        } else {
            product = cs.product(&product, &factor);
        }
    }
    sum
}

/// Enforces that a byte is a decimal digit where `gate` is not zero: two rows.
///
/// A digit's higher half h is 3, and t = b3·(b2 + b1), which is 0, 1 or 2, is 0. Since h − 3 is from −3 to
/// 12, h − 3 + 16·t is zero for nothing else.
fn decimal_where<C: Cs>(cs: &mut C, gate: &C::Num, byte: &Byte<C::Num>) {
    let beyond_nine = cs.product(&byte.bits[3], &byte.bits[2].plus(&byte.bits[1]));
    let mut sum = select::weighted(&byte.bits[4..]).minus(&constant(Fr::from(3u64)));
    sum.add_scaled(&beyond_nine, Fr::from(16u64));
    cs.enforce(gate, &sum, &C::Num::zero());
}

/// Bytes that a number packs.
pub const PACKED_BYTES: usize = 31;

/// The weight of a place of a number that packs [`PACKED_BYTES`] bytes, big-endian.
pub fn place_value(place: usize) -> Fr {
    power(8 * (PACKED_BYTES - 1 - place) as u32)
}

/// Packs bytes, big-endian, 31 to a number, into as many numbers as `elements`; missing bytes are zero.
pub fn pack31<N: Num>(bytes: &[N], elements: usize) -> Vec<N> {
    let mut packed = vec![N::zero(); elements];
    for (i, byte) in bytes.iter().enumerate() {
        packed[i / PACKED_BYTES].add_scaled(byte, place_value(i % PACKED_BYTES));
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    #[test]
    fn a_digit_is_told_from_all_other_bytes() {
        for value in 0..=255u8 {
            let byte = Byte::new(std::array::from_fn(|i| Fr::from(value >> i & 1)));
            let holds =
                |gate: u64| Assignment::of(|cs| decimal_where(cs, &Fr::from(gate), &byte)).is_satisfied();
            assert_eq!(holds(1), value.is_ascii_digit(), "{value}");
            assert!(holds(0));
        }
    }

    #[test]
    fn each_claim_has_a_code_of_its_own() {
        let names = [
            "iss",
            "aud",
            "iat",
            "exp",
            "nbf",
            "sub",
            "nonce",
            "email",
            "workflow_ref",
            "ci_config_ref_uri",
            "email_verified",
            "ref_protected",
        ];
        let codes: std::collections::BTreeSet<Fr> = names.iter().map(|name| code(name)).collect();
        assert_eq!(codes.len(), names.len());
        // A code fits its field, with a flag that no first bytes and length reach.
        assert!(codes.iter().all(|code| *code < power(BEGINS - KEY) && *code >= power(CODE_FLAG)));
    }
}
