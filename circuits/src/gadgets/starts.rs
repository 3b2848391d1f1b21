//! Where values begin, by groups of eight bytes.
//!
//! Of eight bytes in a row at most one begins a value that a statement reads: between two such bytes lie the
//! rest of the first value, a comma, and a key of at least three letters with its quotes and colon, so they
//! are at least eight apart. For each group of eight the prover therefore names one byte, and the group's
//! *start* is that byte's element together with its place and the bytes around it. Taking a value out then
//! selects among one number a group. Whichever places the prover names, each start is what the text has at
//! one place of its group; whether a value begins there, and which, its element tells.
//!
//! | bits | field |
//! |---|---|
//! | 0..8 | the place in its group, from 0 to 7, instead of the element's byte |
//! | 8..109 | the rest of the element, see [`strings`] |
//! | 109..213 | 13 bytes from the second before it on, big-endian |

use ark_ff::{BigInteger, PrimeField};

use super::json::{Byte, Text};
use super::numbers::{power, small};
use super::select::{bits_of, either, equal_where, range, weighted};
use super::strings::{self, ELEMENT_BITS};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bytes to a group.
const GROUP: usize = 1 << PLACE_BITS;
const PLACE_BITS: usize = 3;
/// Bytes that a start shows before it.
const BEFORE: usize = 2;
/// Bytes that a start shows, its own among them.
pub const SHOWN: usize = 13;
const BYTE_BITS: usize = 8;

/// The start of each group of a text.
pub struct Starts<N>(Vec<N>);

impl<N: Num> Starts<N> {
    /// The starts of a text of these elements, at the places where the honest prover finds values: ten rows a
    /// group.
    pub fn new<C: Cs<Num = N>>(cs: &mut C, text: &Text<N>, elements: &[N], found: &[usize]) -> Self {
        let leaf = |at: usize| match (elements.get(at), text.bytes().get(at)) {
            (Some(element), Some(byte)) => {
                let mut leaf = element.minus(&byte.value);
                leaf.add_scaled(&N::one(), small((at % GROUP) as i64));
                leaf.add_scaled(&text.window(at as isize - BEFORE as isize, SHOWN), power(ELEMENT_BITS));
                leaf
            }
            _ => N::zero(),
        };
        let start = |group: usize| {
            let place = found.iter().find(|at| **at / GROUP == group).map_or(0, |at| at % GROUP);
            let place = bits_of(cs, PLACE_BITS, place as u64);
            let leaves = (0..GROUP).map(|i| leaf(GROUP * group + i)).collect();
            selected(cs, &place, leaves)
        };
        Self((0..elements.len().div_ceil(GROUP)).map(start).collect())
    }
}

/// A value's start, taken out.
pub struct Start<N> {
    /// Where it is in the text.
    pub position: N,
    bytes: Vec<Byte<N>>,
}

impl<N: Num> Start<N> {
    /// Takes out a start. Where the bit `read` is one, it *follows*, and its other fields but place and bytes
    /// are `expected` (see [`strings::base`]). A row a group, and some 110.
    ///
    /// The fields of a start are disjoint ranges of bits, all below 2^213. Place and bytes are ranged here,
    /// the expected fields by the caller, so the one equality compares each field.
    pub fn take<C: Cs<Num = N>>(cs: &mut C, starts: &Starts<N>, at: usize, expected: &N, read: &N) -> Self {
        let groups = starts.0.len();
        let group_bits = (usize::BITS - (groups - 1).leading_zeros()) as usize;
        let group = bits_of(cs, group_bits, (at / GROUP) as u64);
        let place = weighted(&bits_of(cs, PLACE_BITS, (at % GROUP) as u64));
        let start = selected(cs, &group, starts.0.clone());
        let bytes: Vec<Byte<N>> = (0..SHOWN).map(|k| byte(cs, &start, shown_at(k))).collect();
        let mut whole = expected.plus(&place);
        whole.add_scaled(&N::one(), strings::follows());
        for (k, byte) in bytes.iter().enumerate() {
            whole.add_scaled(&byte.value, power(shown_at(k)));
        }
        equal_where(cs, read, &start, &whole);
        let position = weighted(&group).times(small(GROUP as i64)).plus(&place);
        Self { position, bytes }
    }

    /// The byte at this distance, from two before the start to ten behind it.
    pub fn byte(&self, distance: isize) -> &N {
        &self.bytes[(distance + BEFORE as isize) as usize].value
    }

    /// The bytes from the start on.
    pub fn bytes(&self) -> &[Byte<N>] {
        &self.bytes[BEFORE..]
    }
}

/// Where the k-th byte stands.
fn shown_at(k: usize) -> u32 {
    ELEMENT_BITS + (BYTE_BITS * (SHOWN - 1 - k)) as u32
}

/// The number at the place that the bits, lowest first, are; zero behind the last. A row for each pair that
/// has a number.
pub fn selected<C: Cs>(cs: &mut C, bits: &[C::Num], mut numbers: Vec<C::Num>) -> C::Num {
    for bit in bits {
        let zero = C::Num::zero();
        let pairs = numbers.chunks(2).map(|pair| either(cs, bit, &pair[0], pair.get(1).unwrap_or(&zero)));
        numbers = pairs.collect();
    }
    numbers.remove(0)
}

/// Takes out the field at this position, of fields that are numbers below 2^`width`: a row for eight of them,
/// and some 270.
///
/// Eight fields are packed into one number. Those of the number that is selected are ranged again, so they
/// are read as they were packed.
pub fn field<C: Cs>(cs: &mut C, fields: &[C::Num], width: usize, at: usize) -> C::Num {
    assert!(GROUP * width < Fr::MODULUS_BIT_SIZE as usize, "a group's fields have one reading");
    let pack = |group: &[C::Num]| {
        let mut packed = C::Num::zero();
        for (i, field) in group.iter().enumerate() {
            packed.add_scaled(field, power((width * i) as u32));
        }
        packed
    };
    let groups: Vec<C::Num> = fields.chunks(GROUP).map(pack).collect();
    let group_bits = (usize::BITS - (groups.len() - 1).leading_zeros()) as usize;
    let group = bits_of(cs, group_bits, (at / GROUP) as u64);
    let place = bits_of(cs, PLACE_BITS, (at % GROUP) as u64);
    let group = selected(cs, &group, groups);
    let bits = range(cs, GROUP * width, &group);
    selected(cs, &place, bits.chunks(width).map(weighted).collect())
}

/// The eight bits of a number from a place on, as the prover reads them: a byte.
pub fn byte<C: Cs>(cs: &mut C, number: &C::Num, at: u32) -> Byte<C::Num> {
    let bits = cs.hint_many(BYTE_BITS, &[number], |v| {
        let number = v[0].into_bigint();
        (0..BYTE_BITS).map(|i| Fr::from(number.get_bit(at as usize + i))).collect()
    });
    for bit in &bits {
        cs.enforce(bit, &bit.not(), &C::Num::zero());
    }
    Byte::new(std::array::from_fn(|i| bits[i].clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    /// Elements that are their places, 1,000 and more, and a text of other bytes.
    fn source(cs: &mut Assignment) -> (Text<Fr>, Vec<Fr>) {
        let byte = |k: u8| Byte::new(std::array::from_fn(|i| Fr::from(k.wrapping_mul(37) >> i & 1)));
        let text = Text::new(cs, (0..45).map(byte).collect());
        let element =
            |(at, byte): (usize, &Byte<Fr>)| byte.value + small(256) * Fr::from(1 + 2 * (1_000 + at as u64));
        let elements = text.bytes().iter().enumerate().map(element).collect();
        (text, elements)
    }

    /// Whether the rows hold for the place that elements of number `said` have, when it is taken out at `at`.
    fn holds(at: usize, said: u64, read: bool) -> bool {
        let values = Assignment::of(|cs| {
            let (text, elements) = source(cs);
            let starts = Starts::new(cs, &text, &elements, &[at]);
            let expected = small(512) * Fr::from(1_000 + said);
            let start = Start::take(cs, &starts, at, &expected, &Fr::from(read));
            assert_eq!(start.position, Fr::from(at as u64));
            for distance in -2..=10isize {
                let byte = at.checked_add_signed(distance).and_then(|at| text.bytes().get(at));
                assert_eq!(*start.byte(distance), byte.map_or(Fr::from(0u64), |byte| byte.value));
            }
        });
        values.is_satisfied()
    }

    #[test]
    fn a_start_is_what_stands_at_its_place() {
        for at in 0..45 {
            for said in [at, at + 1, at ^ 8] {
                assert_eq!(holds(at, said as u64, true), said == at, "{said} at {at}");
                assert!(holds(at, said as u64, false));
            }
        }
    }

    #[test]
    fn no_place_but_those_of_a_group_can_be_said() {
        // Of the first group's place one bit is another number than a bit: a start between two.
        for lie in [2u64, 3] {
            let mut seen = 0;
            let values = Assignment::tampered(
                move |family, _, honest| {
                    seen += usize::from(family == "starts");
                    if family == "starts" && seen == 1 { Fr::from(lie) } else { honest }
                },
                |cs| {
                    let (text, elements) = source(cs);
                    cs.family("starts", |cs| drop(Starts::new(cs, &text, &elements, &[])));
                },
            );
            assert!(values.violations().iter().any(|violation| violation.family == "starts"));
        }
    }

    #[test]
    fn a_field_is_the_one_at_its_place_whatever_is_lied() {
        let fields: Vec<Fr> = (0..21u64).map(|k| Fr::from(k * k + (k << 24))).collect();
        for at in 0..24 {
            let mut out = Fr::from(0u64);
            let values = Assignment::of(|cs| out = field(cs, &fields, 31, at));
            assert!(values.is_satisfied());
            assert_eq!(out, fields.get(at).copied().unwrap_or_default());
        }
        let honest = Assignment::of(|cs| _ = field(cs, &fields, 31, 9));
        for lie in 0..honest.full().len() - 1 {
            let mut out = Fr::from(0u64);
            let tamper =
                move |_: &str, i: usize, honest| if i == lie { honest + Fr::from(1u64) } else { honest };
            let values = Assignment::tampered(tamper, |cs| out = field(cs, &fields, 31, 9));
            // Another place is another field; nothing else goes.
            assert!(!values.is_satisfied() || fields.contains(&out) || out == Fr::from(0u64), "{lie}");
        }
    }
}
