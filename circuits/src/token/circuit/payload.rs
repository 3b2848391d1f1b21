//! From the characters that were signed to the bytes of the payload.

use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::poseidon::MAX_INPUTS;

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

/// Groups of four characters before the one in which the payload begins, at most.
const HEADER_GROUPS: usize = (MAX_HEADER_CHARACTERS + 1) / 4;

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
    /// Whole groups of four characters before the group in which the payload begins.
    groups: Cut<N>,
}

/// The header's characters, up to a dot, have the public digest.
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
        let groups = cs.hint(&[], |_| Fr::from((start / 4) as u64));
        let groups = Cut::new(cs, HEADER_GROUPS, &groups);
        let mut length = select::weighted(&phase).minus(&C::Num::one());
        length.add_scaled(groups.at(), Fr::from(4u64));
        let end = Cut::new(cs, MAX_HEADER_CHARACTERS, &length);
        let dot = constant::<C::Num>(u64::from(b'.'));
        for i in 0..=MAX_HEADER_CHARACTERS {
            cs.enforce(&end.is_at(i), &message.byte(i).minus(&dot), &C::Num::zero());
        }
        let characters: Vec<C::Num> =
            (0..MAX_HEADER_CHARACTERS).map(|i| cs.product(&end.is_before(i), &message.byte(i))).collect();
        let found = text_digest(cs, Domain::TokenHeader, &length, &characters, HEADER_ELEMENTS);
        cs.equal(&found, digest);
        let phase = [phase[0].clone(), phase[1].clone()];
        Header { phase, groups }
    })
}

/// The payload's bytes, with zeros before and behind.
///
/// The characters are shifted left by the phase, so that groups of four decode to whole bytes. Strict: alphabet only,
/// a length of 1 mod 4 has no witness, bits behind the last byte are zero.
pub(super) fn decode<C: Cs>(
    cs: &mut C,
    message: &Message<C::Num>,
    header: &Header<C::Num>,
    class: SizeClass,
) -> Vec<Byte<C::Num>> {
    cs.family("token.payload", |cs| {
        let characters = shifted(cs, message, &header.phase, class);
        let sum = message.length().minus(&select::weighted(&header.phase));
        // A variable equal to the long sum, so that the sum enters one row only.
        let end = cs.hint(&[&sum], |v| v[0]);
        cs.equal(&end, &sum);
        let end = Cut::with_steps(cs, class.bytes(), &end, |k| k % 4 != 1);
        let mut bytes = Vec::with_capacity(class.decoded_bytes());
        for (group, characters) in characters.chunks(4).enumerate() {
            let in_header = header.groups.is_before(group);
            // The payload does not end before it begins: a group before it has all its characters.
            if group < HEADER_GROUPS {
                cs.enforce(&end.is_before(4 * group + 3).not(), &in_header, &C::Num::zero());
            }
            let mut bits: Vec<C::Num> = Vec::with_capacity(24);
            for (k, character) in characters.iter().enumerate() {
                let active = end.is_before(4 * group + k).minus(&in_header);
                // A bit: both flags are, and by the row above the second is one only where the first is.
                let digits = base64::decode(cs, character, &Bit::forced_elsewhere(active));
                bits.extend(digits.iter().map(|bit| bit.num().clone()));
            }
            for (k, bits) in bits.chunks(8).enumerate() {
                let byte = Byte::new(cs, std::array::from_fn(|i| bits[7 - i].clone()));
                if k > 0 {
                    // A byte whose last character is not there is none, and its bits are zero.
                    let missing = end.is_before(4 * group + k + 1).not();
                    cs.enforce(&missing, &byte.value, &C::Num::zero());
                }
                bytes.push(byte);
            }
        }
        bytes
    })
}

/// The characters moved left by `phase`: two rows each.
fn shifted<C: Cs>(
    cs: &mut C,
    message: &Message<C::Num>,
    phase: &[C::Num; 2],
    class: SizeClass,
) -> Vec<C::Num> {
    let mut characters: Vec<C::Num> = (0..class.bytes()).map(|i| message.byte(i)).collect();
    for (bit, step) in phase.iter().zip([1, 2]) {
        characters = (0..characters.len())
            .map(|i| {
                let near = &characters[i];
                let far = characters.get(i + step).cloned().unwrap_or_else(C::Num::zero);
                let difference = far.minus(near);
                let out = cs.hint(&[bit, near, &difference], |v| v[1] + v[0] * v[2]);
                cs.enforce(bit, &difference, &out.minus(near));
                out
            })
            .collect();
    }
    characters
}

/// The payload's bytes where [`decode`] puts them, for hints.
pub(super) fn placed(witness: &Witness, class: SizeClass) -> Vec<u8> {
    let start = (witness.header_length + 1) / 4 * 3;
    let mut bytes = vec![0; class.decoded_bytes()];
    for (to, from) in bytes.iter_mut().skip(start).zip(&witness.payload) {
        *to = *from;
    }
    bytes
}
