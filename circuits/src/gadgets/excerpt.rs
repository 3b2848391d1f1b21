//! A string value of a JSON text taken out in one piece, packed as a digest wants it.
//!
//! The element of a value's first byte (see [`strings`]) says whose value it is and how long; of the others
//! the bytes alone are read. So the value's start is taken out (see [`starts`]), and the bytes from there on
//! are selected packed, 31 to a number. That takes one row for each byte of the text, however long the value
//! is; a window over elements would take one for each byte of the value and step of the shift.
//!
//! The position is `31·c + f`, with bits for c and f, so that it has no alias, and equals the start's; f = 31
//! is the first byte of the next block. What comes behind the string is cut off: only the number in which it
//! ends is taken apart into bytes.

use crate::Fr;
use crate::gadgets::json::Text;
use crate::gadgets::select::{self, Cut, bits_of, either, weighted};
use crate::gadgets::starts::{self, Start, Starts};
use crate::gadgets::strings::{self, PACKED_BYTES, place_value};
use crate::r1cs::{Cs, Num};

/// Bits of a place in a block of [`PACKED_BYTES`].
const FINE_BITS: usize = 5;
/// Bits of a byte.
const BYTE_BITS: usize = 8;

/// A text, and the starts of its groups of bytes.
pub struct Source<'a, N> {
    /// The text.
    pub text: &'a Text<N>,
    /// Where values may begin.
    pub starts: &'a Starts<N>,
}

/// How a value is packed.
pub struct Packing {
    /// Places left free before it, at most three; they are zero.
    pub offset: usize,
    /// Numbers of [`PACKED_BYTES`] places.
    pub elements: usize,
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
    /// Where it begins, and the bytes around.
    pub start: Start<N>,
}

/// Takes out the string whose elements have this base (see [`strings::base`]).
///
/// The start *follows*, and its rest is the length and one. Where that is not zero the start is an opening
/// quote, and its byte need not be looked at: within strings nothing follows, and outside the rest is zero.
///
/// Where places are left free, *the caller must* see to it that the length is not negative: a length of −1
/// fits a rest of zero, and so any byte that follows, string or not. Other lengths below zero, which are at
/// least minus the places, fit nothing: modulo 2^11 they are rests longer than any text.
///
/// # Panics
/// If more places are left free than a start shows bytes before it.
pub fn excerpt<C: Cs>(
    cs: &mut C,
    source: &Source<'_, C::Num>,
    base: &C::Num,
    packing: &Packing,
    hint: &Hint,
) -> Excerpt<C::Num> {
    assert!(packing.offset <= 3, "each place left free is cleared");
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

    let mut expected = base.clone();
    expected.add_scaled(&length.plus(&C::Num::one()), strings::rest_unit());
    let start = Start::take(cs, source.starts, hint.at, &expected, &C::Num::one());
    let mut position = weighted(&fine);
    position.add_scaled(&weighted(&coarse), Fr::from(PACKED_BYTES as u64));
    cs.equal(&position, &start.position);

    let mut packed = cut(cs, &packed, &number, &place);
    for place in 0..packing.offset {
        let byte = match packing.offset - 1 - place {
            0 => C::Num::constant(Fr::from(u64::from(b'"'))),
            before => start.byte(-(before as isize)).clone(),
        };
        packed[0].add_scaled(&byte, -place_value(place));
    }
    Excerpt { length, packed, start }
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

/// The numbers with zeros from an end on: three rows for each, and 279 for the bytes of the one in which the
/// end is.
fn cut<C: Cs>(cs: &mut C, packed: &[C::Num], number: &Cut<C::Num>, place: &Cut<C::Num>) -> Vec<C::Num> {
    let mut last = C::Num::zero();
    for (j, packed) in packed.iter().enumerate() {
        last = last.plus(&cs.product(&number.is_at(j), packed));
    }
    let (mut whole, mut before) = (C::Num::zero(), C::Num::zero());
    for k in 0..PACKED_BYTES {
        let byte = starts::byte(cs, &last, (BYTE_BITS * (PACKED_BYTES - 1 - k)) as u32);
        whole.add_scaled(&byte.value, place_value(k));
        if k + 1 < PACKED_BYTES {
            let kept = cs.product(&place.is_before(k), &byte.value);
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

    const OFFSET: Packing = Packing { offset: 3, elements: 4 };
    const PLAIN: Packing = Packing { offset: 0, elements: 3 };

    /// Takes the value of `key` out of a payload, found as `hint` says.
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
        // Every key counts as a name that is read.
        let groups = (0..places.len()).step_by(strings::GROUP).map(|group| {
            let places_of_group = group..places.len().min(group + strings::GROUP);
            let (mut is_there, mut first_bytes) = (C::Num::zero(), C::Num::zero());
            for at in places_of_group {
                let bytes = strings::key_beginning(&text, &places, at, strings::CODE_BYTES);
                is_there = is_there.plus(&places[at].begins_key);
                first_bytes = first_bytes.plus(&cs.product(&places[at].begins_key, &bytes));
            }
            strings::Beginning { is_named: is_there.clone(), is_there, first_bytes }
        });
        let beginnings: Vec<_> = groups.collect();
        let keys = strings::keys(cs, &beginnings);
        let elements = strings::elements(text.bytes(), &places, &keys);
        let starts = cs.family("starts", |cs| Starts::new(cs, &text, &elements, &[hint.at]));
        let at = payload.find("\"key\"").unwrap();
        let quotes = payload[..at].matches('"').count() + 3;
        let key = C::Num::constant(strings::code("key"));
        let base = strings::base(cs, quotes, &key, &C::Num::one());
        excerpt(cs, &Source { text: &text, starts: &starts }, &base, packing, hint)
    }

    fn bit<N: Num>(bit: u8) -> N {
        N::constant(Fr::from(u64::from(bit)))
    }

    /// A payload with this value behind so many bytes, and where its opening quote is.
    fn payload(before: usize, value: &str) -> (String, usize) {
        let front = format!("{{\"x\":\"{}\",\"key\" :", "a".repeat(before));
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
        fn a_value_is_packed_as_a_digest_wants_it(
            before in 0usize..70, length in 0usize..130, free in any::<bool>(),
        ) {
            let packing = if free { &OFFSET } else { &PLAIN };
            let value: String = (0..length).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
            let (payload, at) = payload(before, &value);
            let mut out = None;
            let values = Assignment::of(|cs| {
                out = Some(circuit(cs, &payload, 250, packing, &Hint { at, length }));
            });
            let out = out.unwrap();
            prop_assert_eq!(values.is_satisfied(), packing.offset + length <= 31 * packing.elements);
            if values.is_satisfied() {
                prop_assert_eq!(out.length, Fr::from(length as u64));
                prop_assert_eq!(&out.packed, &expected(&value, packing));
                prop_assert_eq!(out.start.position, Fr::from(at as u64));
                for distance in -2..=10 {
                    let byte = payload.as_bytes()[at.wrapping_add_signed(distance)];
                    prop_assert_eq!(*out.start.byte(distance), Fr::from(byte));
                }
            }
        }

        /// Whatever single value is changed, and all that follows computed anew: a row fails, or nothing
        /// follows of it. But in a group from which nothing is taken the start's place is free.
        #[test]
        fn one_changed_value_is_refused(seed in any::<u64>(), free in any::<bool>()) {
            let packing = if free { &OFFSET } else { &PLAIN };
            let (payload, at) = payload(29, "a value of some length, and more");
            let is_start = std::rc::Rc::new(std::cell::Cell::new(false));
            let note = is_start.clone();
            let run = move |lie: Option<usize>| {
                let (payload, note) = (payload.clone(), note.clone());
                Assignment::tampered(
                    move |family, i, value| {
                        if Some(i) != lie {
                            return value;
                        }
                        note.set(family == "starts" && (value + Fr::from(seed % 5 + 1)) == Fr::from(1u64));
                        value + Fr::from(seed % 5 + 1)
                    },
                    move |cs| drop(circuit(cs, &payload, 120, packing, &Hint { at, length: 32 })),
                )
            };
            let honest = run(None).full();
            let lied = run(Some(seed as usize % (honest.len() - 1)));
            let changed = lied.full().iter().zip(&honest).filter(|(a, b)| a != b).count();
            prop_assert!(!lied.is_satisfied() || changed == 1 || is_start.get());
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
            let payload = format!("{{\"key\":{value},\"other\":\"b\"}}");
            for length in [0, 1, 3] {
                let values = Assignment::of(|cs| {
                    circuit(cs, &payload, 100, &PLAIN, &Hint { at: 7, length });
                });
                assert!(!values.is_satisfied(), "{value} {length}");
            }
        }
    }
}
