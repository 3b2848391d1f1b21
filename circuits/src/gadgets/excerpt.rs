//! A string value of a JSON text taken out in one piece, packed as a digest wants it.
//!
//! Of a value only the first byte's element (see [`strings`]) says whose value it is, and how long; behind it bytes will
//! do, since a string has no other quote than its closing one. So one element is selected, and the bytes from there on are
//! selected packed, 31 to a number: a row a byte of the text for either, whatever the value's length, where a window over
//! elements takes one a step for each byte of the value.
//!
//! The position is `31·c + f` with bits for c and f, nothing to alias; f = 31 stands for the next block's begin. What
//! comes behind the string is cut off: only of the number in which it ends are the bytes taken apart.

use ark_ff::{BigInteger, PrimeField};

use crate::Fr;
use crate::gadgets::json::Text;
use crate::gadgets::select::{self, Cut, bits_of, either};
use crate::gadgets::strings::{self, PACKED_BYTES, place_value};
use crate::r1cs::{Cs, Num};

/// Bits of a place in a block of [`PACKED_BYTES`].
const FINE_BITS: usize = 5;
/// Bits of a byte.
const BYTE_BITS: usize = 8;

/// A text, and the element of each of its bytes.
pub struct Source<'a, N> {
    /// The text.
    pub text: &'a Text<N>,
    /// See [`strings::elements`].
    pub elements: &'a [N],
}

/// How a value is packed.
pub struct Packing {
    /// Places left free before it, at most three; they are zero.
    pub offset: usize,
    /// Numbers of [`PACKED_BYTES`] places.
    pub elements: usize,
    /// Bytes to show apart, by their distance from the opening quote; where places are left free, the bytes before the
    /// quote come first, the nearest first: their places have to be cleared.
    pub shown: &'static [isize],
}

/// Where the honest prover finds a value: for hints only.
pub struct Hint {
    /// Position of the opening quote.
    pub at: usize,
    /// Bytes between the quotes.
    pub length: usize,
}

/// A string value: no escapes in it.
pub struct Excerpt<N> {
    /// Bytes between the quotes.
    pub length: N,
    /// Its bytes packed, zeros from the end on.
    pub packed: Vec<N>,
    /// The bytes that were asked for.
    pub shown: Vec<N>,
}

/// Takes out the string whose elements have this base (see [`strings::base`]).
///
/// The first element must *follow* and have a rest that is not zero: within strings nothing follows, outside the rest is
/// zero, so it is an opening quote, and its byte need not be looked at; in its place, and above the element's other fields,
/// stand the bytes to show, ranged. The rest is the length and one. Where places are left free *the caller must* see to it
/// that the length is not negative: a length of −1 fits a rest of zero, and so any byte that follows, string or not. A length
/// is no less than minus the places, and no text has so long a rest that this were one modulo 2^11: all fields have one
/// reading.
///
/// # Panics
/// If more is to be shown, or left free, than fields have room for below the modulus of the field.
pub fn excerpt<C: Cs>(
    cs: &mut C,
    source: &Source<'_, C::Num>,
    base: &C::Num,
    packing: &Packing,
    hint: &Hint,
) -> Excerpt<C::Num> {
    let above = BYTE_BITS * packing.shown.len().saturating_sub(1);
    assert!(
        strings::ELEMENT_BITS as usize + above < Fr::MODULUS_BIT_SIZE as usize,
        "elements have one reading"
    );
    assert!(
        packing.offset <= 3 && packing.offset <= packing.shown.len() + 1,
        "each place left free is cleared"
    );
    let blocks = source.text.bytes().len().div_ceil(PACKED_BYTES);
    let fine = bits_of(cs, FINE_BITS, (hint.at % PACKED_BYTES) as u64);
    let coarse_bits = (usize::BITS - (blocks - 1).leading_zeros()) as usize;
    let coarse = bits_of(cs, coarse_bits, (hint.at / PACKED_BYTES) as u64);
    let blocks_of = |cs: &mut C, leaf: &dyn Fn(isize) -> Option<C::Num>, taken: usize| {
        let begins = (0..blocks).map(|block| (block * PACKED_BYTES) as isize);
        let leaves = |begin: isize| (0..1 << FINE_BITS).map(|f| leaf(begin + f)).collect();
        let selected = begins.map(|begin| selected(cs, &fine, leaves(begin)).unwrap_or_else(C::Num::zero));
        let selected: Vec<_> = selected.collect();
        select::moved(cs, selected, taken, &coarse)
    };
    let first = blocks_of(cs, &|at| first(source, packing, at), 1).remove(0);
    let packed = blocks_of(cs, &|at| packed(source.text, at + 1 - packing.offset as isize), packing.elements);

    // Where it ends: 31·number + place, counted from the first place.
    let end = packing.offset + hint.length;
    let number = cs.hint(&[], |_| Fr::from((end / PACKED_BYTES) as u64));
    let number = Cut::new(cs, packing.elements, &number);
    let place = cs.hint(&[], |_| Fr::from((end % PACKED_BYTES) as u64));
    let place = Cut::new(cs, PACKED_BYTES - 1, &place);
    cs.enforce(&number.is_at(packing.elements), place.at(), &C::Num::zero());
    let mut length = place.at().minus(&C::Num::constant(Fr::from(packing.offset as u64)));
    length.add_scaled(number.at(), Fr::from(PACKED_BYTES as u64));

    let shown = shown(cs, &first, packing.shown.len());
    let mut expected = base.plus(&C::Num::constant(strings::follows()));
    expected.add_scaled(&length.plus(&C::Num::one()), strings::rest_unit());
    for (k, byte) in shown.iter().enumerate() {
        expected.add_scaled(byte, strings::power(shown_at(k)));
    }
    cs.equal(&first, &expected);

    let mut packed = cut(cs, &packed, &number, &place);
    for place in 0..packing.offset {
        let byte = match packing.offset - 1 - place {
            0 => C::Num::constant(Fr::from(u64::from(b'"'))),
            before => shown[before - 1].clone(),
        };
        packed[0].add_scaled(&byte, -place_value(place));
    }
    Excerpt { length, packed, shown }
}

/// Where the k-th byte to show stands in an element: in the byte's place, and above all other fields.
fn shown_at(k: usize) -> u32 {
    if k == 0 { 0 } else { strings::ELEMENT_BITS + (BYTE_BITS * (k - 1)) as u32 }
}

/// An element with bytes to show in place of its own.
fn first<N: Num>(source: &Source<'_, N>, packing: &Packing, at: isize) -> Option<N> {
    let own = usize::try_from(at).ok()?;
    let bytes = source.text.bytes();
    let mut element = source.elements.get(own)?.minus(&bytes[own].value);
    for (k, distance) in packing.shown.iter().enumerate() {
        if let Some(byte) = usize::try_from(at + distance).ok().and_then(|at| bytes.get(at)) {
            element.add_scaled(&byte.value, strings::power(shown_at(k)));
        }
    }
    Some(element)
}

/// 31 bytes from a position on; `None` where there is none.
fn packed<N: Num>(text: &Text<N>, at: isize) -> Option<N> {
    let is_within = at > -(PACKED_BYTES as isize) && at < text.bytes().len() as isize;
    is_within.then(|| text.window(at, PACKED_BYTES))
}

/// The leaf whose number the bits are, lowest first: a row for each inner node of the tree that has leaves.
fn selected<C: Cs>(cs: &mut C, bits: &[C::Num], mut leaves: Vec<Option<C::Num>>) -> Option<C::Num> {
    for bit in bits {
        let pairs = leaves.chunks(2).map(|pair| match pair {
            [None, None] => None,
            [near, far] => {
                let or_zero = |leaf: &Option<C::Num>| leaf.clone().unwrap_or_else(C::Num::zero);
                Some(either(cs, bit, &or_zero(near), &or_zero(far)))
            }
            _ => unreachable!("leaves are a power of two"),
        });
        leaves = pairs.collect();
    }
    leaves.remove(0)
}

/// The bytes that the first element shows, in range: eight rows each.
fn shown<C: Cs>(cs: &mut C, first: &C::Num, count: usize) -> Vec<C::Num> {
    (0..count).map(|k| byte(cs, first, shown_at(k))).collect()
}

/// The eight bits of a number from a place on, as the prover reads them: a byte.
fn byte<C: Cs>(cs: &mut C, number: &C::Num, at: u32) -> C::Num {
    let bits = cs.hint_many(BYTE_BITS, &[number], |v| {
        let number = v[0].into_bigint();
        (0..BYTE_BITS).map(|i| Fr::from(number.get_bit(at as usize + i))).collect()
    });
    for bit in &bits {
        cs.enforce(bit, &bit.not(), &C::Num::zero());
    }
    select::weighted(&bits)
}

/// The numbers with zeros from an end on: two rows each, one more for each that it can be in, and 279 for the bytes of the one
/// in which it is.
fn cut<C: Cs>(cs: &mut C, packed: &[C::Num], number: &Cut<C::Num>, place: &Cut<C::Num>) -> Vec<C::Num> {
    let mut last = C::Num::zero();
    for (j, packed) in packed.iter().enumerate() {
        last = last.plus(&cs.product(&number.is_at(j), packed));
    }
    let (mut whole, mut before) = (C::Num::zero(), C::Num::zero());
    for k in 0..PACKED_BYTES {
        let byte = byte(cs, &last, (BYTE_BITS * (PACKED_BYTES - 1 - k)) as u32);
        whole.add_scaled(&byte, place_value(k));
        if k + 1 < PACKED_BYTES {
            let kept = cs.product(&place.is_before(k), &byte);
            before.add_scaled(&kept, place_value(k));
        }
    }
    cs.equal(&whole, &last);
    let numbers = packed.iter().enumerate().map(|(j, packed)| {
        let whole = cs.product(&number.is_before(j), packed);
        whole.plus(&cs.product(&number.is_at(j), &before))
    });
    numbers.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gadgets::json;
    use crate::r1cs::Assignment;

    const OFFSET: Packing = Packing { offset: 3, elements: 4, shown: &[-1, -2] };
    const PLAIN: Packing = Packing { offset: 0, elements: 3, shown: &[1, 2, 3, 4, 5, 6, 7] };

    /// Takes the value of `k` out of a payload, found as `hint` says.
    fn circuit<C: Cs>(
        cs: &mut C,
        payload: &str,
        positions: usize,
        packing: &Packing,
        hint: &Hint,
    ) -> Excerpt<C::Num> {
        let mut bytes = payload.as_bytes().to_vec();
        bytes.resize(positions, 0);
        let byte = |byte: &u8| json::Byte::new(std::array::from_fn(|i| bit(byte >> i & 1)));
        let text = Text::new(cs, bytes.iter().map(byte).collect());
        let places = json::scan(cs, text.bytes());
        let keys = strings::keys(cs, &text, &places);
        let elements = strings::elements(text.bytes(), &places, &keys);
        let at = payload.find("\"k\"").unwrap();
        let quotes = payload[..at].matches('"').count() + 3;
        let key = bytes[at..at + strings::KEY_BYTES].iter().fold(C::Num::zero(), |sum, byte| {
            sum.times(Fr::from(256u64)).plus(&C::Num::constant(Fr::from(u64::from(*byte))))
        });
        let base = strings::base(cs, quotes, &key, &C::Num::one());
        excerpt(cs, &Source { text: &text, elements: &elements }, &base, packing, hint)
    }

    fn bit<N: Num>(bit: u8) -> N {
        N::constant(Fr::from(u64::from(bit)))
    }

    /// A payload with this value behind so many bytes, and where its opening quote is.
    fn payload(before: usize, value: &str) -> (String, usize) {
        let front = format!("{{\"x\":\"{}\",\"k\" :", "a".repeat(before));
        (format!("{front}\"{value}\",\"other\":\"b\"}}"), front.len())
    }

    fn expected(value: &str, packing: &Packing) -> Vec<Fr> {
        let mut placed = vec![0; packing.offset];
        placed.extend(value.as_bytes());
        sigveil_vrf_identity::field::pack31_padded(&placed, packing.elements).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn a_value_is_packed_as_a_digest_wants_it(before in 0usize..70, length in 0usize..94, free in any::<bool>()) {
            let packing = if free { &OFFSET } else { &PLAIN };
            let value: String = (0..length).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
            let (payload, at) = payload(before, &value);
            let mut out = None;
            let values = Assignment::of(|cs| {
                out = Some(circuit(cs, &payload, 230, packing, &Hint { at, length }));
            });
            let out = out.unwrap();
            prop_assert_eq!(values.is_satisfied(), packing.offset + length <= 31 * packing.elements);
            if values.is_satisfied() {
                prop_assert_eq!(out.length, Fr::from(length as u64));
                prop_assert_eq!(&out.packed, &expected(&value, packing));
                let bytes = packing.shown.iter().map(|k| payload.as_bytes()[at.wrapping_add_signed(*k)]);
                prop_assert_eq!(out.shown, bytes.map(Fr::from).collect::<Vec<_>>());
            }
        }

        /// Whatever single value is changed, and all that follows computed anew: a row fails, or nothing follows of it.
        #[test]
        fn one_changed_value_is_refused(seed in any::<u64>(), free in any::<bool>()) {
            let packing = if free { &OFFSET } else { &PLAIN };
            let (payload, at) = payload(29, "a value of some length, and more");
            let run = move |lie: Option<usize>| {
                let payload = payload.clone();
                Assignment::tampered(
                    move |_, i, value| if Some(i) == lie { value + Fr::from(seed % 5 + 1) } else { value },
                    move |cs| drop(circuit(cs, &payload, 120, packing, &Hint { at, length: 32 })),
                )
            };
            let honest = run(None).full();
            let lied = run(Some(seed as usize % (honest.len() - 1)));
            let changed = lied.full().iter().zip(&honest).filter(|(a, b)| a != b).count();
            prop_assert!(!lied.is_satisfied() || changed == 1);
        }
    }

    #[test]
    fn another_place_or_length_is_refused() {
        for packing in [&OFFSET, &PLAIN] {
            let (payload, at) = payload(10, "value");
            for (at, length) in
                [(at, 4), (at, 6), (at + 1, 4), (at - 1, 6), (at - 3, 1), (at + 8, 5), (at, 0), (at + 31, 5)]
            {
                let values = Assignment::of(|cs| {
                    circuit(cs, &payload, 100, packing, &Hint { at, length });
                });
                assert!(!values.is_satisfied(), "{at} {length}");
            }
        }
    }

    #[test]
    fn what_is_no_string_or_holds_escapes_is_refused() {
        for value in ["7", "true", "[\"v\"]", "\"v\\n\""] {
            let payload = format!("{{\"k\":{value},\"other\":\"b\"}}");
            for length in [0, 1, 3] {
                let values = Assignment::of(|cs| {
                    circuit(cs, &payload, 100, &PLAIN, &Hint { at: 5, length });
                });
                assert!(!values.is_satisfied(), "{value} {length}");
            }
        }
    }
}
