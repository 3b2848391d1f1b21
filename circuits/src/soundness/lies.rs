//! Lies about tokens that only who knows the circuit can think of: each is about one row.
//!
//! - A character with a bit that is none, among other letters that nobody reads, until SHA-256 takes it.
//! - The issuer ends elsewhere than it is long, and the identity's value stands behind that.
//! - A number with what is no digit in it, or with something else behind it, as the row would let it pass.
//! - A text of strings, brackets and escapes around the byte that the row is about.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ark_ff::{AdditiveGroup, BigInt, Field, MontFp, One, PrimeField};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sigveil_vrf_identity::identity::{ENCODED_BYTES, MAX_TEXT_BYTES};

use super::statements::{MEMORY, TokenSubject};
use super::survivors::SCAN;
use crate::Fr;
use crate::gadgets::base64;
use crate::gadgets::bits::Bit;
use crate::gadgets::select::steps_to;
use crate::r1cs::{Assignment, Lc, Num, Shape, Told, Var};
use crate::token::Witness;

/// Lies about one character that are told at most.
const CHARACTERS: usize = 96;
/// Characters of the shortest header: of these the digest alone is checked.
const HEADER_CHARACTERS: usize = 20;
/// Digits of a time.
const DIGITS: usize = 10;
/// What a bit is said to be that is none.
const NO_BITS: [Fr; 3] = [MontFp!("2"), MontFp!("-1"), MontFp!("3")];
/// Bits of a count of quotes, of a string's rest, and of the value's length.
const COUNT_BITS: usize = 11;
const LENGTH_BITS: usize = 9;
/// Parts of a string that nobody reads, and members in its place.
const TEXTS: [&str; 6] = [
    r#"\"\\\"\n"#,
    r#"","a":"","b":""#,
    r#"","a":{"b":[]},"c":""#,
    r#"" , "a" : [1, 2] , "b" : ""#,
    r#"","a":[[{}],""],"b":"\"#,
    r#"","a":-1.5E+3,"b":null,"c":""#,
];

/// A lie: variables, and what is told of them.
type Lie = Vec<(usize, Told)>;

/// Where in the circuit things stand that lies are about.
pub(super) struct Places {
    /// The rows that compare something with a public input, and its variable.
    pub(super) stated: BTreeMap<usize, usize>,
    /// The rows of the characters' bits: of each character seven.
    characters: Vec<usize>,
    /// Of each row the variable that was allocated last.
    newest: Vec<Option<u32>>,
    /// The rows that say where the issuer ends, one for each length.
    issuer_end: Range<usize>,
    /// Bits of the shift that brings the identity's value behind the issuer.
    shift: Vec<usize>,
    /// Bits of the value's rest.
    rest: Vec<usize>,
    value_length: usize,
    /// The first row that reads the length of a number, and its variable.
    numbers: Vec<(usize, usize)>,
    time: Range<usize>,
    scan: Range<usize>,
}

impl Places {
    /// Those of `token`, whose public inputs these are.
    pub(super) fn of(shape: &Shape, elements: &[Lc]) -> Self {
        let of = |family: &str| -> Vec<usize> {
            let rows = shape.families().iter().enumerate();
            rows.filter(|(_, of)| **of == family).map(|(row, _)| row).collect()
        };
        let range = |rows: &[usize]| rows[0]..rows[rows.len() - 1] + 1;
        let (issuer, identity, time) = (of("claims.issuer"), of("claims.identity"), of("claims.time"));
        // The last row is the digest's.
        let end = issuer[issuer.len() - 2] + 1;
        let bits: Vec<(usize, usize)> =
            identity.iter().filter_map(|row| Some((*row, bit(shape, *row)?))).collect();
        let shift_end = bits.len() - COUNT_BITS - 2 * LENGTH_BITS;
        let variables = |range: Range<usize>| bits[range].iter().map(|(_, variable)| *variable).collect();
        let length_bits = shift_end + COUNT_BITS..shift_end + COUNT_BITS + LENGTH_BITS;
        // Bits that are summed up, less the number.
        let (last_bit, _) = bits[length_bits.end - 1];
        let minus_one = |(_, k): &&(Var, Fr)| (-*k).is_one();
        let length = shape.rows()[last_bit + 1][0].terms().iter().find(minus_one);
        Self {
            stated: stated(shape, elements),
            characters: of("message.bits"),
            newest: shape.rows().iter().map(newest).collect(),
            issuer_end: end - MAX_TEXT_BYTES..end,
            shift: variables(COUNT_BITS..shift_end),
            rest: variables(shift_end..shift_end + COUNT_BITS),
            value_length: length.and_then(|(variable, _)| witness(*variable)).expect("it is a variable"),
            numbers: time.iter().filter_map(|row| Some((*row, cut_at(shape, *row)?))).collect(),
            time: range(&time),
            scan: range(&of("json.scan")),
        }
    }
}

fn witness(variable: Var) -> Option<usize> {
    match variable {
        Var::Witness(i) => Some(i as usize),
        _ => None,
    }
}

fn newest(row: &[Lc; 3]) -> Option<u32> {
    let terms = row.iter().flat_map(|form| form.terms());
    terms.filter_map(|(variable, _)| witness(*variable)).max().map(|variable| variable as u32)
}

/// The variable that a row says is a bit.
fn bit(shape: &Shape, row: usize) -> Option<usize> {
    let [a, b, c] = &shape.rows()[row];
    let [(variable, k)] = a.terms() else { return None };
    let is_bit = k.is_one() && c.terms().is_empty() && b.minus(&a.not()).terms().is_empty();
    is_bit.then(|| witness(*variable))?
}

/// The number at which a cut is, of its first row.
fn cut_at(shape: &Shape, row: usize) -> Option<usize> {
    let [a, b, c] = &shape.rows()[row];
    let [(variable, k)] = b.terms() else { return None };
    let is_first = a.terms().len() == 2 && a.terms().iter().any(|(variable, _)| *variable == Var::One);
    (is_first && k.is_one() && c.terms().is_empty()).then(|| witness(*variable))?
}

/// The rows `something − input = 0`.
fn stated(shape: &Shape, elements: &[Lc]) -> BTreeMap<usize, usize> {
    let inputs: BTreeSet<Var> =
        elements.iter().flat_map(|form| form.terms()).map(|(input, _)| *input).collect();
    let compared = |(row, [a, b, c]): (usize, &[Lc; 3])| {
        let is_linear = matches!(b.terms(), [(Var::One, k)] if k.is_one()) && c.terms().is_empty();
        let input = a.terms().iter().find(|(variable, k)| inputs.contains(variable) && (-*k).is_one());
        Some((row, witness(input.filter(|_| is_linear)?.0)?))
    };
    shape.rows().iter().enumerate().filter_map(compared).collect()
}

/// Whether a row alone refuses one of the lies about it.
pub(super) fn refuses_alone(subject: &TokenSubject, row: usize) -> bool {
    let places = &subject.places;
    if let Ok(n) = places.characters.binary_search(&row) {
        return refuses_a_character(subject, row, n);
    }
    if places.issuer_end.contains(&row) {
        let lie = issuer_ends_at(subject, row - places.issuer_end.start);
        return lie.is_some_and(|lie| subject.only_refusal_of(&subject.witness, &lie) == Some(row));
    }
    if places.time.contains(&row) {
        return refuses_a_number(subject, row);
    }
    places.scan.contains(&row) && refuses_a_text(subject, row)
}

/// Characters, by seven bits of which one may be none, that are refused by one of their seven rows alone; and what value
/// they would have.
fn refused_by(place: usize) -> impl Iterator<Item = ([Fr; 7], BigInt<4>)> {
    let bits = |n: usize| std::array::from_fn(|i| Fr::from((n >> (6 - i) & 1) as u64));
    let no_bit = move |n: usize| {
        NO_BITS.map(|value| {
            let mut bits: [Fr; 7] = bits(n);
            bits[place] = value;
            bits
        })
    };
    (0..128).map(bits).chain((0..128).flat_map(no_bit)).filter_map(move |bits| {
        let mut value = Fr::ZERO;
        let mut character = vec![Bit::constant(false)];
        character.extend(bits.map(Bit::forced_elsewhere));
        let character = character.try_into().ok()?;
        let rows = Assignment::of(|cs| value = base64::value(cs, &character, &Fr::ONE, &Fr::ZERO));
        let [violation] = rows.violations() else { return None };
        (violation.row + 7 == rows.constraints() + place).then(|| (bits, value.into_bigint()))
    })
}

/// Tells of the n-th bit of the message, by the rows, that it is none, or one of no character.
fn refuses_a_character(subject: &TokenSubject, row: usize, n: usize) -> bool {
    let (position, place) = (n / 7, n % 7);
    let rng = &mut ChaCha20Rng::seed_from_u64(row as u64);
    if position < HEADER_CHARACTERS {
        return (0..CHARACTERS).any(|told| {
            let lie = header_word(subject, position, place, NO_BITS[told % NO_BITS.len()], rng);
            subject.only_refusal_of(&subject.witness, &lie) == Some(row)
        });
    }
    let lie =
        |bits: &[Fr; 7]| -> Lie { subject.teller.character(position).zip(bits.map(Told::Set)).collect() };
    let is_decoded = position > subject.witness.header_length;
    let value = subject.witness.signing_input.get(position).and_then(|character| value_of(*character));
    let (same, mut others): (Vec<_>, Vec<_>) = refused_by(place)
        .filter(|(_, value)| !is_decoded || *value < 64u64.into())
        .partition(|(_, of)| value.is_some_and(|value| *of == BigInt::from(value)));
    // A claim stays what it is by the same value alone.
    if same.iter().any(|(bits, _)| subject.only_refusal_of(&subject.witness, &lie(bits)) == Some(row)) {
        return true;
    }
    others.extend(same);
    !others.is_empty()
        && (0..CHARACTERS).any(|_| {
            let (bits, _) = &others[rng.next_u32() as usize % others.len()];
            let witness = refilled(subject, rng);
            subject.only_refusal_of(witness.as_ref().unwrap_or(&subject.witness), &lie(bits)) == Some(row)
        })
}

/// The four characters of the header that are one word with this one are any, and one bit of it is this.
fn header_word(
    subject: &TokenSubject,
    position: usize,
    place: usize,
    no_bit: Fr,
    rng: &mut ChaCha20Rng,
) -> Lie {
    let first = position & !3;
    let characters = (first..first + 4).flat_map(|other| {
        let mut bits = [0; 7].map(|_| Fr::from(rng.next_u32() & 1));
        if other == position {
            bits[place] = no_bit;
        }
        subject.teller.character(other).zip(bits.map(Told::Set))
    });
    characters.collect()
}

/// The value of a character of base64url.
fn value_of(character: u8) -> Option<u64> {
    let alphabet = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*b"-_");
    alphabet.zip(0..).find_map(|(other, value)| (other == character).then_some(value))
}

/// The letters that nobody reads, by their places.
fn filling(subject: &TokenSubject) -> Option<Range<usize>> {
    const KEY: &[u8] = b"\"x\":\"";
    let payload = &subject.witness.payload;
    let start = payload.windows(KEY.len()).position(|bytes| bytes == KEY)? + KEY.len();
    let length = payload[start..].iter().position(|byte| *byte == b'"')?;
    Some(start..start + length)
}

/// Other letters that nobody reads.
fn refilled(subject: &TokenSubject, rng: &mut ChaCha20Rng) -> Option<Witness> {
    let mut payload = subject.witness.payload.clone();
    for byte in &mut payload[filling(subject)?] {
        *byte = b'a' + (rng.next_u32() % 26) as u8;
    }
    subject.with_payload(payload)
}

/// The issuer, of the length that it has, ends after so many bytes: there the identity's value has to stand, and all
/// counts that are measured from the length are as much more.
fn issuer_ends_at(subject: &TokenSubject, end: usize) -> Option<Lie> {
    let (payload, places) = (&subject.witness.payload, &subject.places);
    let text = std::str::from_utf8(payload).ok()?;
    let kind = subject.instance.kind;
    let value_of = |key: &str| {
        let before = text.find(key)? + key.len();
        let at = before + text[before..].find('"')?;
        Some((at, text[at + 1..].find('"')?))
    };
    let (_, issuer) = value_of("\"iss\" :")?;
    let (at, length) = value_of(&format!("\"{}\":", kind.claim()))?;
    let read = if kind.is_cut() { text[at + 1..at + 1 + length].find('@')? } else { length };
    let moved = |length: usize| (length + end).checked_sub(issuer);
    let (length, read) = (moved(length)?, moved(read)?);
    let (start, placed) = subject.teller.placed(&subject.witness);
    // Kind and length before the issuer, and of the value's length and quote three behind it.
    let position = (ENCODED_BYTES + start + at).checked_sub(4 + end)?;
    let flags = |row: usize| places.newest[places.issuer_end.start + row].map(|flag| flag as usize);
    let set = |bit: bool| Told::Set(Fr::from(bit));
    let mut lie: BTreeMap<usize, Told> =
        (issuer.min(end)..issuer.max(end)).map(|k| Some((flags(k)?, set(k < end)))).collect::<Option<_>>()?;
    let shift = steps_to(ENCODED_BYTES + placed, position);
    lie.extend(places.shift.iter().copied().zip(shift.into_iter().map(set)));
    let rest = (0..COUNT_BITS).map(|i| set((length + 1) >> i & 1 == 1));
    lie.extend(places.rest.iter().copied().zip(rest));
    lie.insert(places.value_length, Told::Set(Fr::from(read as u64)));
    Some(lie.into_iter().collect())
}

/// Tells of the variable that a row is about what lets pass a number that is none, or ends elsewhere.
fn refuses_a_number(subject: &TokenSubject, row: usize) -> bool {
    let before = subject.places.numbers.iter().take_while(|(first, _)| *first <= row).last();
    let digits = Fr::from(DIGITS as u64);
    let lengths = [None, Some(Told::By(-Fr::ONE)), Some(Told::Set(digits))];
    numbers(subject).iter().any(|witness| {
        lengths.iter().any(|more| {
            let length = before.zip(*more).map(|((_, variable), told)| (*variable, told));
            is_let_pass(subject, witness, row, length.into_iter().collect())
        })
    })
}

/// The token, and others in which a time is no plain integer, or is followed by white space.
fn numbers(subject: &TokenSubject) -> Vec<Witness> {
    let mut witnesses = vec![subject.witness.clone()];
    for key in ["\"iat\":", "\"exp\":", "\"nbf\":"] {
        let payload = &subject.witness.payload;
        let found = payload.windows(key.len()).position(|bytes| bytes == key.as_bytes());
        let Some(at) = found.map(|at| at + key.len()) else { continue };
        let mut edit = |place: usize, byte: u8, first: u8| {
            let mut payload = payload.clone();
            (payload[at], payload[at + place]) = (first, byte);
            witnesses.extend(subject.with_payload(payload));
        };
        // A time that is not past has to be late, others early.
        (1..DIGITS - 1).for_each(|place| edit(place, b'.', if key.contains("exp") { b'9' } else { b'1' }));
        edit(0, b'-', b'-');
        edit(DIGITS - 1, b' ', b'9');
        edit(DIGITS - 1, b' ', b'1');
        // Behind all digits a fraction, for which letters that nobody reads make room.
        let fraction = filling(subject).filter(|filling| filling.len() > 2).map(|filling| {
            let mut payload = payload.clone();
            payload.splice(at + DIGITS..at + DIGITS, *b".5");
            let filling = if filling.start > at { filling.start + 2 } else { filling.start };
            payload.drain(filling..filling + 2);
            payload
        });
        witnesses.extend(fraction.and_then(|payload| subject.with_payload(payload)));
    }
    witnesses
}

/// Tells of the variable that a row of the scan is about what else a text around its byte could be taken for.
fn refuses_a_text(subject: &TokenSubject, row: usize) -> bool {
    let (start, placed) = subject.teller.placed(&subject.witness);
    let n = row - subject.places.scan.start;
    let at = 16 * (n / SCAN.0) + (n % SCAN.0 / SCAN.1).min(15);
    let (Some(at), Some(filling)) = (at.checked_sub(start).filter(|_| at < placed), filling(subject)) else {
        return false;
    };
    TEXTS.iter().any(|text| {
        (0..text.len()).any(|offset| {
            let Some(from) = at.checked_sub(offset) else { return false };
            if from < filling.start || from + text.len() > filling.end {
                return false;
            }
            let mut payload = subject.witness.payload.clone();
            payload[from..from + text.len()].copy_from_slice(text.as_bytes());
            let witness = subject.with_payload(payload);
            witness.is_some_and(|witness| is_let_pass(subject, &witness, row, Lie::new()))
        })
    })
}

/// Whether the row alone refuses this lie about a token, where the variable that the row is about is what is computed,
/// or a bit, or one more or less, or what makes the one other row hold.
fn is_let_pass(subject: &TokenSubject, witness: &Witness, row: usize, lie: Lie) -> bool {
    let refused = |lie: &Lie| subject.only_refusal_of(witness, lie) == Some(row);
    if refused(&lie) {
        return true;
    }
    let Some(variable) = subject.places.newest[row] else { return false };
    let and = |told: Told| {
        let mut lie = lie.clone();
        lie.push((variable as usize, told));
        lie.sort_by_key(|(variable, _)| *variable);
        lie
    };
    let (zero, one) = (Fr::ZERO, Fr::ONE);
    if [Told::Set(zero), Told::Set(one), Told::By(one), Told::By(-one)]
        .into_iter()
        .any(|told| refused(&and(told)))
    {
        return true;
    }
    // How far a row is from holding is linear in the variable, or nearly always so.
    let honest = (&subject.instance, witness);
    let far = |value: Fr| {
        let unmet =
            MEMORY.with_borrow_mut(|memory| subject.teller.unmet(memory, honest, &and(Told::Set(value))));
        let mut others = unmet.into_iter().filter(|unmet| unmet.row != row);
        others.next().filter(|_| others.next().is_none())
    };
    let (Some(at_zero), Some(at_one)) = (far(zero), far(one)) else { return false };
    let root = (at_zero.residue - at_one.residue).inverse().map(|slope| at_zero.residue * slope);
    root.is_some_and(|root| at_zero.row == at_one.row && refused(&and(Told::Set(root))))
}
