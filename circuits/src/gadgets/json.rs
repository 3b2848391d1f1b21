//! A JSON text, byte by byte: which bytes are inside strings, how deep they are, where keys begin, and what
//! follows a delimiter.
//!
//! # Assumption
//! The text is *well-formed* (RFC 8259), with zero bytes before and after it. So the tests below may be
//! cheaper than the grammar: outside strings only `{ } [ ] , : "`, white space, digits, `+ - .` and the
//! letters of numbers and literals occur, and each test is exact on what can stand at its place. Zero bytes
//! change no state. Nothing is claimed about other texts.
//!
//! The state before byte i:
//!
//! - `s`: the byte is in a string;
//! - `x`: it is escaped;
//! - `d`: its depth;
//! - `k`: a key is expected, from the top-level object's begin, or a comma there, to the next colon there (a
//!   text that is no object has no colon at depth 1, and so no value);
//! - `p`: pending, from an opening bracket, a closing quote or a top-level colon on, through white space.
//!
//! Each is forced by the state and the byte before it, so nothing is left to the prover.

use super::numbers::{power, small};
use crate::Fr;
use crate::gadgets::select::{never_both, zero_where};
use crate::r1cs::{Cs, Num};

/// Brackets are those bytes outside strings that have all of these bits, which no letter, digit or sign there
/// has. Those that open have bit 1 too.
const BRACKET_BITS: [usize; 3] = [6, 4, 3];

/// 1/2.
const HALF: Fr =
    ark_ff::MontFp!("10944121435919637611123202872628637544274182200208017171849102093287904247809");

/// A byte in a circuit.
#[derive(Clone)]
pub struct Byte<N> {
    /// Its bits, lowest first; each forced to be a bit by whoever made them.
    pub bits: [N; 8],
    /// Its value: a linear form of them.
    pub value: N,
}

impl<N: Num> Byte<N> {
    /// The byte with these bits, lowest first.
    pub fn new(bits: [N; 8]) -> Self {
        Self { value: crate::gadgets::select::weighted(&bits), bits }
    }
}

/// Bytes that have one variable together, so that sums over many of them stay short.
const TOGETHER: usize = 8;

/// The bytes of a text.
pub struct Text<N> {
    bytes: Vec<Byte<N>>,
    /// Of each whole group of eight the bytes as one number, big-endian.
    groups: Vec<N>,
}

impl<N: Num> Text<N> {
    /// The text of these bytes: one row for eight.
    pub fn new<C: Cs<Num = N>>(cs: &mut C, bytes: Vec<Byte<N>>) -> Self {
        let groups = bytes.chunks_exact(TOGETHER).map(|group| {
            let sum = group.iter().fold(N::zero(), |sum, byte| sum.times(Fr::from(256u64)).plus(&byte.value));
            materialised(cs, &sum)
        });
        Self { groups: groups.collect(), bytes }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[Byte<N>] {
        &self.bytes
    }

    /// `Σ byte[at + j]·256^(count − 1 − j)` for j below `count`, zeros where there is no byte: a linear form.
    pub fn window(&self, at: isize, count: usize) -> N {
        let (mut sum, mut j) = (N::zero(), 0);
        while j < count {
            let position = at + j as isize;
            let group =
                (position >= 0 && (position as usize).is_multiple_of(TOGETHER) && j + TOGETHER <= count)
                    .then(|| self.groups.get(position as usize / TOGETHER))
                    .flatten();
            let byte =
                || usize::try_from(position).ok().and_then(|at| self.bytes.get(at)).map(|byte| &byte.value);
            let step = if group.is_some() { TOGETHER } else { 1 };
            if let Some(form) = group.or_else(byte) {
                sum.add_scaled(form, power(8 * (count - step - j) as u32));
            }
            j += step;
        }
        sum
    }
}

/// What [`scan`] finds at a byte.
pub struct Place<N> {
    /// The byte is the opening quote of a top-level key.
    pub begins_key: N,
    /// The byte is the first, white space aside, behind an opening bracket, a closing quote or a top-level
    /// colon.
    pub follows: N,
    /// Depth of objects and arrays before the byte; the top-level object's members stand at depth 1.
    pub depth: N,
    /// Quotes that begin or end a string, up to and including this byte.
    pub quotes: N,
    /// Of the string that this byte belongs to, from this byte on: the backslashes that escape, and
    /// 2^[`REST`] for each byte before the closing quote, this one counted. Zero at the closing quote and
    /// outside strings.
    pub tail: N,
}

/// log₂ of what each byte of a string's rest adds to [`Place::tail`]: beyond the count of its escapes.
pub const REST: u32 = 11;

/// The state before a byte.
struct State<N> {
    in_string: N,
    escaped: N,
    depth: N,
    expects_key: N,
    pending: N,
    quotes: N,
}

/// What one byte of a scan leaves for the backward pass.
struct Step<N> {
    place: Place<N>,
    string_goes_on: N,
    escape: N,
}

/// Bytes after which the counts of depth and quotes become variables again. Between, they are sums, which
/// saves a row for each byte and adds a few terms to the rows that read them.
const COUNTED: usize = 16;

/// Scans a text: 117 rows for eight bytes. Also enforces that no top-level key holds a backslash, and that
/// strings and brackets are closed at the end.
pub fn scan<C: Cs>(cs: &mut C, bytes: &[Byte<C::Num>]) -> Vec<Place<C::Num>> {
    cs.family("json.scan", |cs| {
        let mut state = State {
            in_string: C::Num::zero(),
            escaped: C::Num::zero(),
            depth: C::Num::zero(),
            expects_key: C::Num::one(),
            pending: C::Num::zero(),
            quotes: C::Num::zero(),
        };
        let mut steps: Vec<Step<C::Num>> = Vec::with_capacity(bytes.len());
        // No top-level key holds a backslash: a key that is spelled with escapes could be any name.
        let mut apart = Vec::with_capacity(bytes.len());
        for (i, byte) in bytes.iter().enumerate() {
            let (step, mut next) = advance(cs, &state, byte);
            if i % COUNTED == COUNTED - 1 {
                next.depth = materialised(cs, &next.depth);
                next.quotes = materialised(cs, &next.quotes);
            }
            apart.push((step.escape.clone(), state.expects_key));
            steps.push(step);
            state = next;
        }
        never_both(cs, &apart);
        cs.is_zero(&state.in_string);
        cs.is_zero(&state.depth);
        measure_tails(cs, steps)
    })
}

fn advance<C: Cs>(cs: &mut C, state: &State<C::Num>, byte: &Byte<C::Num>) -> (Step<C::Num>, State<C::Num>) {
    // A quote that is not escaped begins or ends a string; a backslash that is not escaped escapes the next
    // byte. Of the two the quote has bit 1.
    let either = zero_where(cs, &no_quote_or_backslash(byte), &state.escaped.not());
    let quote = cs.product(&either, &byte.bits[1]);
    let escape = either.minus(&quote);
    let in_string = toggled(cs, &state.in_string, &quote);
    let ends_string = state.in_string.plus(&quote).minus(&in_string).times(HALF);
    let begins_string = quote.minus(&ends_string);

    let brackets = brackets(cs, state, byte);
    // k' = k ⊕ delimiter: a colon where a key was expected, else a comma.
    let delimiter = delimiter(cs, state, byte);
    let expects_key = toggled(cs, &state.expects_key, &delimiter);
    let top_level_colon = state.expects_key.plus(&delimiter).minus(&expects_key).times(HALF);
    let begins_key = cs.product(&begins_string, &state.expects_key);

    let still_pending = zero_where(cs, &no_white_space(byte), &state.pending);
    let follows = state.pending.minus(&still_pending);
    let pending = still_pending.plus(&top_level_colon).plus(&ends_string).plus(&brackets.open);

    let depth = state.depth.plus(&brackets.open).minus(&brackets.close);
    let quotes = state.quotes.plus(&quote);

    let place = Place {
        begins_key,
        follows,
        depth: state.depth.clone(),
        quotes: quotes.clone(),
        tail: C::Num::zero(),
    };
    let step = Step { place, string_goes_on: in_string.clone(), escape: escape.clone() };
    (step, State { in_string, escaped: escape, depth, expects_key, pending, quotes })
}

/// Brackets outside strings, at any depth.
struct Brackets<N> {
    open: N,
    close: N,
}

/// Three rows: the number of a bracket's bits that the byte lacks, and four more in a string, is zero for
/// brackets outside strings alone.
fn brackets<C: Cs>(cs: &mut C, state: &State<C::Num>, byte: &Byte<C::Num>) -> Brackets<C::Num> {
    let bracket = zero_where(cs, &no_bracket(byte, &state.in_string), &C::Num::one());
    let open = cs.product(&bracket, &byte.bits[1]);
    Brackets { close: bracket.minus(&open), open }
}

fn no_bracket<N: Num>(byte: &Byte<N>, in_string: &N) -> N {
    let missing = BRACKET_BITS.iter().fold(N::zero(), |sum, bit| sum.plus(&byte.bits[*bit].not()));
    missing.plus(&in_string.times(small(4)))
}

/// What ends a key, or a member, of the top-level object: outside strings at depth 1 a colon where a key is
/// expected, elsewhere a comma. Two rows.
fn delimiter<C: Cs>(cs: &mut C, state: &State<C::Num>, byte: &Byte<C::Num>) -> C::Num {
    zero_where(cs, &no_delimiter(state, byte), &C::Num::one())
}

/// 256·(d − 1) + (byte − expected) + 2^24·s: since byte and expected are below 256 and the depth is below
/// 2^16, zero for what [`delimiter`] says and for nothing else.
fn no_delimiter<N: Num>(state: &State<N>, byte: &Byte<N>) -> N {
    let mut sum = byte.value.minus(&constant(256 + u64::from(b',')));
    sum.add_scaled(&state.expects_key, small(i64::from(b',') - i64::from(b':')));
    sum.add_scaled(&state.depth, small(256));
    sum.add_scaled(&state.in_string, power(24));
    sum
}

/// Zero exactly for a quote and a backslash, among all bytes.
///
/// Let y_i say whether bit i differs from a quote's: of a backslash y_1 to y_6 are one, y_0 and y_7 zero. In
/// y_1 + 2·y_2 + 4·y_3 + 8·y_4 + 16·y_5 − 31·y_6 + 64·y_0 + 128·y_7 the first six terms add up to zero only
/// where none or all of them are one, and never to less than −31.
fn no_quote_or_backslash<N: Num>(byte: &Byte<N>) -> N {
    let mut sum = N::zero();
    for (bit, weight) in [64i64, 1, 2, 4, 8, 16, -31, 128].into_iter().enumerate() {
        let is_of_a_quote = b'"' >> bit & 1 == 1;
        let differs = if is_of_a_quote { byte.bits[bit].not() } else { byte.bits[bit].clone() };
        sum.add_scaled(&differs, Fr::from(weight));
    }
    sum
}

/// Zero exactly for white space, among the bytes that can follow an opening bracket, a closing quote or a
/// colon: 1 − b5 + 2·b3 − 3·(b0 + b1) + 16·b4 + 32·b6.
///
/// A space has 1 − 1; tab, line feed and carriage return have 1 + 2 − 3. A quote has −3, a comma 2, a minus
/// −1; all others have b4 or b6.
fn no_white_space<N: Num>(byte: &Byte<N>) -> N {
    let mut sum = N::one();
    for (bit, weight) in [(5, -1i64), (3, 2), (0, -3), (1, -3), (4, 16), (6, 32)] {
        sum.add_scaled(&byte.bits[bit], small(weight));
    }
    sum
}

/// s ⊕ q: one row, 2·s·q = s + q − out.
fn toggled<C: Cs>(cs: &mut C, s: &C::Num, q: &C::Num) -> C::Num {
    let two = small(2);
    let out = cs.hint(&[s, q], |v| v[0] + v[1] - two * v[0] * v[1]);
    cs.enforce(&s.times(two), q, &s.plus(q).minus(&out));
    out
}

/// From the last byte to the first: tail' = goes on·(tail + escape + one byte).
fn measure_tails<C: Cs>(cs: &mut C, steps: Vec<Step<C::Num>>) -> Vec<Place<C::Num>> {
    let mut tail = C::Num::zero();
    let one_byte = C::Num::constant(power(REST));
    let mut places: Vec<Place<C::Num>> = Vec::with_capacity(steps.len());
    for step in steps.into_iter().rev() {
        tail = cs.product(&step.string_goes_on, &tail.plus(&step.escape).plus(&one_byte));
        places.push(Place { tail: tail.clone(), ..step.place });
    }
    places.reverse();
    places
}

/// The same number as one variable: one row.
fn materialised<C: Cs>(cs: &mut C, form: &C::Num) -> C::Num {
    let out = cs.hint(&[form], |v| v[0]);
    cs.equal(&out, form);
    out
}

fn constant<N: Num>(value: u64) -> N {
    N::constant(small(value as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(value: u8) -> Byte<Fr> {
        Byte::new(std::array::from_fn(|i| Fr::from(value >> i & 1)))
    }

    /// What can stand outside strings (RFC 8259 §2 to §6), and the zero bytes around a text.
    const OUTSIDE: &[u8] = b"\0 \t\n\r{}[],:\"0123456789+-.eEtruefalsn";

    #[test]
    fn a_form_is_zero_for_brackets_outside_strings_alone() {
        for value in OUTSIDE {
            let form = no_bracket(&byte(*value), &Fr::from(0u64));
            assert_eq!(form == Fr::from(0u64), b"{}[]".contains(value), "{value}");
            assert_eq!(b"{[".contains(value), form == Fr::from(0u64) && value & 2 != 0);
        }
        assert!((0..=255).all(|value| no_bracket(&byte(value), &Fr::from(1u64)) != Fr::from(0u64)));
    }

    #[test]
    fn a_form_is_zero_for_the_delimiter_that_is_expected_alone() {
        for value in 0..=255 {
            for (in_string, expects_key) in [(false, false), (false, true), (true, false), (true, true)] {
                for depth in [0u64, 1, 2, 3, 2047] {
                    let state = State {
                        in_string: Fr::from(in_string),
                        escaped: Fr::from(0u64),
                        depth: Fr::from(depth),
                        expects_key: Fr::from(expects_key),
                        pending: Fr::from(0u64),
                        quotes: Fr::from(0u64),
                    };
                    let expected = if expects_key { b':' } else { b',' };
                    let is_delimiter = !in_string && depth == 1 && value == expected;
                    assert_eq!(no_delimiter(&state, &byte(value)) == Fr::from(0u64), is_delimiter);
                }
            }
        }
    }

    #[test]
    fn a_form_is_zero_for_quote_and_backslash_alone() {
        for value in 0..=255u8 {
            let bits = std::array::from_fn(|i| Fr::from(value >> i & 1));
            let form = no_quote_or_backslash(&Byte { bits, value: Fr::from(value) });
            assert_eq!(form == Fr::from(0u64), [b'"', b'\\'].contains(&value), "{value}");
        }
    }
}
