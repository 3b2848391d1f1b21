//! From the characters that were signed to the bytes of the payload.

use std::ops::Range;

use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::poseidon::MAX_INPUTS;
use zeroize::Zeroizing;

use super::claims::{constant, text_digest};
use crate::Fr;
use crate::gadgets::bits::Bit;
use crate::gadgets::json::Byte;
use crate::gadgets::select::{self, Cut};
use crate::gadgets::sha256::Message;
use crate::gadgets::{base64, poseidon, rsa};
use crate::r1cs::{Cs, Num};
use crate::token::instance::{HEADER_ELEMENTS, MAX_HEADER_CHARACTERS};
use crate::token::{SizeClass, Witness};

/// Fewest characters of a header: those of `{"alg":"RS256"}`.
const LEAST_HEADER_CHARACTERS: usize = 20;
/// Groups of four characters before the one in which the payload begins, at least. Nothing is decoded there.
const FIRST_GROUP: usize = (LEAST_HEADER_CHARACTERS + 1) / 4;
/// As many at most.
const HEADER_GROUPS: usize = (MAX_HEADER_CHARACTERS + 1) / 4;

/// Groups of four characters that one number holds.
const WHOLE_PIECE: usize = 7;

/// `Poseidon(DOM_RSA, elements)`, the first two hashed to one where there are too many: the twin of
/// [`crate::token::Modulus::digest`].
pub(super) fn modulus_digest<C: Cs>(cs: &mut C, modulus: &rsa::Modulus<C::Num>) -> C::Num {
    let mut elements = modulus.packed();
    if elements.len() > MAX_INPUTS {
        let first = poseidon::hash(cs, Domain::RsaModulus, &elements[..2]);
        elements.splice(..2, [first]);
    }
    poseidon::hash(cs, Domain::RsaModulus, &elements)
}

/// Where the payload begins.
pub(super) struct Header<N> {
    /// Bits of (header length + 1) mod 4, lowest first.
    phase: [N; 2],
    /// Whole groups of four characters, from the first that may be the payload's, before the group in which it begins.
    groups: Cut<N>,
    /// Where its characters end.
    end: Cut<N>,
}

impl<N: Num> Header<N> {
    /// Whether a group, from [`FIRST_GROUP`] on, lies before the one in which the payload begins.
    fn is_before_payload(&self, group: usize) -> N {
        self.groups.is_before(group - FIRST_GROUP)
    }
}

/// The header's characters have the public digest. That a dot stands behind them is forced where the message's values are
/// read ([`values`]).
///
/// Listed headers are base64url, so the dot is the first one and no other split of the input has this digest.
pub(super) fn header<C: Cs>(
    cs: &mut C,
    message: &Message<C::Num>,
    digest: &C::Num,
    length: usize,
) -> Header<C::Num> {
    cs.family("token.header", |cs| {
        let start = length + 1;
        let phase = select::bits_of(cs, 2, start as u64 % 4);
        let groups = cs.hint(&[], |_| Fr::from((start / 4).saturating_sub(FIRST_GROUP) as u64));
        let groups = Cut::new(cs, HEADER_GROUPS - FIRST_GROUP, &groups);
        let mut length = select::weighted(&phase).plus(&constant(4 * FIRST_GROUP as u64 - 1));
        length.add_scaled(groups.at(), Fr::from(4u64));
        let end = Cut::with_steps(cs, MAX_HEADER_CHARACTERS, &length, |k| k >= LEAST_HEADER_CHARACTERS);
        let mut characters: Vec<C::Num> = (0..LEAST_HEADER_CHARACTERS).map(|i| message.byte(i)).collect();
        let rest = LEAST_HEADER_CHARACTERS..MAX_HEADER_CHARACTERS;
        characters.extend(rest.map(|i| cs.product(&end.is_before(i), &message.byte(i))));
        let found = text_digest(cs, Domain::TokenHeader, &length, &characters, HEADER_ELEMENTS);
        cs.equal(&found, digest);
        let phase = [phase[0].clone(), phase[1].clone()];
        Header { phase, groups, end }
    })
}

/// The values of the message's characters in base64url, from the first that may be the payload's on; zeros before it, and
/// behind the message's end. All bits of the message become bits, and zeros behind its end.
///
/// Of the header's characters those that follow the shortest header must have a value, which beside the alphabet's only `?`
/// and DEL have; what the header is, its digest says. Its dot stands where it ends, before the end of the message, which is not before the payload's begin (see [`decode`]).
fn values<C: Cs>(
    cs: &mut C,
    message: &Message<C::Num>,
    header: &Header<C::Num>,
    class: SizeClass,
) -> Vec<C::Num> {
    let value = |i: usize| {
        let before_end = message.is_before_end(i);
        if i < LEAST_HEADER_CHARACTERS {
            cs.family("message.bits", |cs| {
                // The highest is no variable.
                for bit in &message.bits(i)[1..] {
                    cs.enforce(bit.num(), &before_end.num().minus(bit.num()), &C::Num::zero());
                }
            });
            return C::Num::zero();
        }
        let is_dot = if i <= MAX_HEADER_CHARACTERS { header.end.is_at(i) } else { C::Num::zero() };
        base64::value(cs, message.bits(i), before_end.num(), &is_dot)
    };
    (0..class.bytes()).map(value).collect()
}

/// The payload's bytes, with zeros before and behind.
/// Nothing is decoded before the group in which the shortest header ends.
///
/// The characters are shifted left by the phase, so that groups of four decode to whole bytes. Strict: alphabet only,
/// a length of 1 mod 4 has no witness, bits behind the last byte are zero ([`base64::decode`]).
pub(super) fn decode<C: Cs>(
    cs: &mut C,
    message: &Message<C::Num>,
    header: &Header<C::Num>,
    class: SizeClass,
) -> Vec<Byte<C::Num>> {
    let values = values(cs, message, header, class);
    cs.family("token.payload", |cs| {
        let sum = message.length().minus(&select::weighted(&header.phase));
        // A variable equal to the long sum, so that the sum enters one row only.
        let end = cs.hint(&[&sum], |v| v[0]);
        cs.equal(&end, &sum);
        let end = Cut::with_steps(cs, class.bytes(), &end, |k| k >= 4 * FIRST_GROUP && k % 4 != 1);
        let mut bytes = Vec::with_capacity(positions(class));
        for piece in pieces(class.bytes() / 4) {
            let in_header = if piece.start < HEADER_GROUPS {
                header.is_before_payload(piece.start)
            } else {
                C::Num::zero()
            };
            // The payload does not end before it begins: a group before it has all its characters.
            if piece.start < HEADER_GROUPS {
                cs.enforce(&end.is_before(4 * piece.start + 3).not(), &in_header, &C::Num::zero());
            }
            let packed = shifted(cs, &values, &header.phase, 4 * piece.start..4 * piece.end);
            // Bits: both flags are, and by the row above the second is one only where the first is.
            let active = (4 * piece.start..4 * piece.end)
                .map(|k| Bit::forced_elsewhere(end.is_before(k).minus(&in_header)))
                .collect::<Vec<_>>();
            let digits = base64::decode(cs, &packed, &active, &in_header).concat();
            for bits in digits.chunks(8) {
                bytes.push(Byte::new(std::array::from_fn(|i| bits[7 - i].num().clone())));
            }
        }
        bytes
    })
}

/// Groups that are decoded at once: one where the header may reach, else as many as one number holds.
fn pieces(groups: usize) -> Vec<Range<usize>> {
    let single = (FIRST_GROUP..HEADER_GROUPS).map(|group| group..group + 1);
    let rest = (HEADER_GROUPS..groups).step_by(WHOLE_PIECE);
    single.chain(rest.map(|start| start..groups.min(start + WHOLE_PIECE))).collect()
}

/// `Σ 256^k·value` over the values of this range moved left by `phase`: three rows.
fn shifted<C: Cs>(cs: &mut C, values: &[C::Num], [one, two]: &[C::Num; 2], range: Range<usize>) -> C::Num {
    let from = |offset: usize| {
        let mut packed = C::Num::zero();
        let mut weight = Fr::from(1u64);
        for k in range.clone() {
            if let Some(value) = values.get(k + offset) {
                packed.add_scaled(value, weight);
            }
            weight *= Fr::from(256u64);
        }
        packed
    };
    let even = select::either(cs, two, &from(0), &from(2));
    let odd = select::either(cs, two, &from(1), &from(3));
    select::either(cs, one, &even, &odd)
}

/// Bytes that [`decode`] returns.
fn positions(class: SizeClass) -> usize {
    class.decoded_bytes() - 3 * FIRST_GROUP
}

/// The payload's bytes where [`decode`] puts them, for hints.
pub(super) fn placed(witness: &Witness, class: SizeClass) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; positions(class)]);
    for (to, from) in bytes.iter_mut().skip(start(witness)).zip(&witness.payload) {
        *to = *from;
    }
    bytes
}

/// Where [`decode`] puts the payload's first byte.
pub(super) fn start(witness: &Witness) -> usize {
    ((witness.header_length + 1) / 4).saturating_sub(FIRST_GROUP) * 3
}
