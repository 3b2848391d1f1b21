//! Values of a JSON text, taken out at places that the prover names.
//!
//! Each byte of the text becomes one number, an *element*, that carries the byte and all that is known of its place in
//! disjoint ranges of bits. Taking values out is then a matter of shifting one number a byte; and because the fields
//! are ranged where they are made, an element has one reading.
//!
//! | bits | field |
//! |---|---|
//! | 0..8 | the byte |
//! | 8 | [`Place::follows`] |
//! | 9..20 | [`Place::quotes`] |
//! | 20..31 | [`Place::depth`] |
//! | 31..42 | escapes to come in the string, of [`Place::tail`] |
//! | 42..194 | the key the place belongs to: 19 bytes from its opening quote on |
//! | 194..205 | bytes to come before the string's closing quote, this one counted, of [`Place::tail`]: its *rest* |
//!
//! Inside a value that is a string without escapes, a number or a literal, all fields but byte and rest are the same as at
//! its first byte (which alone *follows* its colon), until the closing quote, which is one quote further; the rest falls by one a
//! byte from the string's length and one, and outside strings is zero. So behind the first element *base + rest + byte* is
//! read off, and a sum base + byte + one quote is the string's end: an escaped quote cannot pass for it, since the string
//! has no escapes.

use ark_ff::BigInt;

use super::numbers::bit as number_of_bit;
pub(crate) use super::numbers::power;
use crate::Fr;
use crate::gadgets::json::{self, Byte, Place, Text};
use crate::gadgets::select::{self, Cut, bits_of, either};
use crate::r1cs::{Cs, Num};

/// Bytes of a key that an element carries, from its opening quote on: the longest claim's name and both quotes.
pub const KEY_BYTES: usize = 19;

const FOLLOWS: u32 = 8;
const QUOTES: u32 = 9;
const DEPTH: u32 = 20;
const ESCAPES: u32 = 31;
const KEY: u32 = 42;
const REST: u32 = ESCAPES + json::REST;
/// Bits of an element.
pub const ELEMENT_BITS: u32 = 205;
/// Bits of a count of quotes, or of a string's rest: fewer of them than bytes, fewer bytes than 2^11.
const COUNT_BITS: usize = 11;

fn constant<N: Num>(value: Fr) -> N {
    N::constant(value)
}

/// The byte's place in an element's string: what a closing quote has more than the bytes before it.
pub fn closing_quote() -> Fr {
    Fr::from(u64::from(b'"')) + power(QUOTES)
}

/// A number's first bytes as [`KEY_BYTES`] bytes: `"name"` in front, zeros behind.
pub fn key_pattern(name: &str) -> Fr {
    let mut quoted = Vec::with_capacity(KEY_BYTES);
    quoted.push(b'"');
    quoted.extend_from_slice(name.as_bytes());
    quoted.push(b'"');
    assert!(quoted.len() <= KEY_BYTES, "no claim's name is longer");
    quoted.resize(KEY_BYTES, 0);
    let mut limbs = [0; 4];
    for (i, byte) in quoted.iter().rev().enumerate() {
        limbs[i / 8] |= u64::from(*byte) << (8 * (i % 8));
    }
    Fr::new(BigInt(limbs))
}

/// Bits behind the closing quote of `"name"` among the bits of [`KEY_BYTES`] bytes.
pub fn bits_behind(name: &str) -> usize {
    8 * (KEY_BYTES - name.len() - 2)
}

/// The first `length` of the [`KEY_BYTES`] bytes from a position on, zeros behind them: `Σ_{j<length} byte[at + j]·256^(18 − j)`.
pub fn key_beginning<N: Num>(text: &Text<N>, at: usize, length: usize) -> N {
    text.window(at as isize, length).times(power(8 * (KEY_BYTES - length) as u32))
}

/// The key that holds at each byte, as its first [`KEY_BYTES`] bytes, and behind the last: one row a byte.
///
/// From the byte behind a key's opening quote on, that key holds: key' = key + begins·(window − key).
pub fn keys<C: Cs>(cs: &mut C, text: &Text<C::Num>, places: &[Place<C::Num>]) -> Vec<C::Num> {
    cs.family("strings.elements", |cs| {
        let mut keys = vec![C::Num::zero()];
        for (at, place) in places.iter().enumerate() {
            let window = key_beginning(text, at, KEY_BYTES);
            let key = either(cs, &place.begins_key, &keys[at], &window);
            keys.push(key);
        }
        keys
    })
}

/// The elements of a text, given the key that holds at each byte: linear forms.
pub fn elements<N: Num>(bytes: &[Byte<N>], places: &[Place<N>], keys: &[N]) -> Vec<N> {
    let element = |((byte, place), key): ((&Byte<N>, &Place<N>), &N)| {
        let mut element = byte.value.clone();
        for (field, shift) in [
            (&place.follows, FOLLOWS),
            (&place.quotes, QUOTES),
            (&place.depth, DEPTH),
            (&place.tail, ESCAPES),
            (key, KEY),
        ] {
            element.add_scaled(field, power(shift));
        }
        element
    };
    bytes.iter().zip(places).zip(keys).map(element).collect()
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
    /// `taken` elements from `position` on, of the value under `key` (a form over [`KEY_BYTES`] bytes) at depth 1, and
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

    /// The value as a string, whose length is `rest` less one, where the bit `is_string` is one. `rest` is in range, so the
    /// first element has one reading.
    #[must_use]
    pub fn string(self, rest: N, is_string: N) -> Self {
        Self { rest, falls_by: is_string, ..self }
    }

    /// The first byte: the value begins here exactly if this is a byte.
    pub fn first(&self) -> N {
        self.byte(0).minus(&constant(power(FOLLOWS)))
    }

    /// The k-th byte behind the first, k from 1: a byte as long as the value goes on, [`closing_quote`] at its end.
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

/// The value that the element directly behind a string's closing quote, white space aside, has beyond the string's base,
/// if it is this byte.
pub fn behind_string(byte: u8) -> Fr {
    Fr::from(u64::from(byte)) + power(FOLLOWS) + power(QUOTES)
}

/// The `bits` bits behind a key's name, lowest first, as the prover reads them in the key's 19 bytes.
pub fn behind_name<C: Cs>(cs: &mut C, bits: usize, shown: usize, key: &[u8; KEY_BYTES]) -> Vec<C::Num> {
    let bit = |i: usize| i < shown && key[KEY_BYTES - 1 - i / 8] >> (i % 8) & 1 == 1;
    let bits = cs.hint_many(bits, &[], |_| (0..bits).map(|i| number_of_bit(bit(i))).collect());
    for bit in &bits {
        cs.enforce(bit, &bit.not(), &C::Num::zero());
    }
    bits
}

/// A plain integer of 1 to `digits` digits under `value`, with what ends it: zero where `present` is not.
pub fn integer<C: Cs>(
    cs: &mut C,
    value: &Value<C::Num>,
    present: &C::Num,
    digits: usize,
    length: usize,
) -> C::Num {
    let length = cs.hint(&[], |_| Fr::from(length as u64));
    let end = Cut::new(cs, digits, &length);
    // Present means at least one digit, absent none.
    cs.equal(&end.is_before(0), present);
    let zero = constant::<C::Num>(Fr::from(u64::from(b'0')));
    let byte = |k: usize| if k == 0 { value.first() } else { value.byte(k) };
    let mut sum = C::Num::zero();
    for k in 0..digits {
        let within = end.is_before(k);
        let digit = cs.product(&within, &byte(k).minus(&zero));
        decimal(cs, &digit);
        // sum' = sum + within·9·sum + digit.
        let grown = cs.product(&within, &sum);
        sum = sum.plus(&grown.times(Fr::from(9u64))).plus(&digit);
    }
    let mut last = C::Num::zero();
    for k in 1..=digits {
        let term = cs.product(&end.is_at(k), &byte(k));
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

/// Enforces 0 ≤ digit ≤ 9: four bits, of which the highest excludes the two after it.
fn decimal<C: Cs>(cs: &mut C, digit: &C::Num) {
    let bits = select::range(cs, 4, digit);
    cs.enforce(&bits[3], &bits[2].plus(&bits[1]), &C::Num::zero());
}

/// Bytes that a number packs.
pub const PACKED_BYTES: usize = 31;

/// The weight of a place of a number that packs [`PACKED_BYTES`] bytes, big-endian.
pub fn place_value(place: usize) -> Fr {
    power(8 * (PACKED_BYTES - 1 - place) as u32)
}

/// Packs bytes, big-endian, 31 to a number, as many numbers as `elements`; what is missing at the end is zero.
pub fn pack31<N: Num>(bytes: &[N], elements: usize) -> Vec<N> {
    let mut packed = vec![N::zero(); elements];
    for (i, byte) in bytes.iter().enumerate() {
        packed[i / PACKED_BYTES].add_scaled(byte, place_value(i % PACKED_BYTES));
    }
    packed
}
