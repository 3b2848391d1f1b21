//! idf encodes exactly this issuer, this kind and that claim's value, and `c_id` commits to it (protocol.md §2, §5.1).
//!
//! The value is taken out so that it lands behind the issuer where the encoding wants it: kind byte, length, issuer,
//! length, value. So the byte at place j of the encoding is the issuer's, or element j, or a length, or zero.

use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::{ENCODED_BYTES, ENCODED_ELEMENTS, Kind};

use super::claims::{ISSUER_BYTES, Issuer, Payload, constant};
use super::inputs::Inputs;
use crate::Fr;
use crate::gadgets::poseidon;
use crate::gadgets::select::{self, Cut, nonzero_where};
use crate::gadgets::strings;
use crate::r1cs::{Cs, Num};
use crate::token::Witness;
use crate::token::layout::Found;

/// Bytes before the issuer: kind and length.
const BEFORE_ISSUER: usize = 3;
/// Bytes of a length.
const LENGTH: usize = 2;
/// Bits of a length: the text has at most 367 bytes.
const LENGTH_BITS: usize = 9;
/// Names of the identity claims.
const NAMES: [&str; 4] = ["sub", "email", "workflow_ref", "ci_config_ref_uri"];

/// Enforces that `c_id` commits to the identity that the claim of this kind names.
pub(super) fn enforce<C: Cs>(
    cs: &mut C,
    text: &Payload<'_, C::Num>,
    public: &Inputs<C::Num>,
    issuer: &Issuer<C::Num>,
    found: &Found,
    kind: Kind,
    witness: &Witness,
) {
    let key = key(text);
    let mut base = strings::base(cs, found.quotes, &key, &C::Num::one());
    let mut elements = aligned(cs, text, found, issuer.hinted_length);
    // At place j of the encoding the value's rest is what it is at the opening quote, less as many as lie between: with
    // the places added, the same at all.
    let quote = issuer.end.at().plus(&constant((BEFORE_ISSUER + LENGTH - 1) as u64));
    let rest = strings::rest_of_string(cs, found.length);
    base.add_scaled(&rest.plus(&quote), strings::rest_unit());
    for (place, element) in elements.iter_mut().enumerate() {
        element.add_scaled(&constant(place as u64), strings::rest_unit());
    }
    begins(cs, issuer, &elements, &base);

    // Where the value ends in the encoding: at least one byte behind its length.
    let cut = text.kinds.any(Kind::is_cut);
    let value_start = |issuer: usize| BEFORE_ISSUER + issuer + LENGTH;
    let value_length = if kind.is_cut() { found.cut.unwrap_or(0) } else { found.length };
    let value_length = cs.hint(&[], |_| Fr::from(value_length as u64));
    let value_bits = select::range(cs, LENGTH_BITS, &value_length);
    nonzero_where(cs, &value_length, &C::Num::one());
    let end = issuer.end.at().plus(&value_length).plus(&constant(value_start(0) as u64));
    let end = Cut::new(cs, ENCODED_BYTES, &end);

    // It ends with its closing quote; of a kind that is cut, with its first `@`.
    let mut ends_with = C::Num::constant(strings::closing_quote());
    let at_sign = constant::<C::Num>(u64::from(b'@'));
    ends_with.add_scaled(&cut, Fr::from(u64::from(b'@')) - strings::closing_quote());
    let expected = base.plus(&ends_with);
    for (j, element) in elements.iter().enumerate().skip(value_start(0)) {
        cs.enforce(&end.is_at(j), &element.minus(&expected), &C::Num::zero());
    }

    let issuer_bits = select::range(cs, LENGTH_BITS, issuer.end.at());
    let (issuer_high, issuer_low) = length_bytes(&issuer_bits);
    let mut encoded = vec![public.kind.clone(), issuer_high, issuer_low];
    for (j, element) in elements.iter().enumerate().take(ENCODED_BYTES).skip(BEFORE_ISSUER) {
        let mut byte = C::Num::zero();
        if j >= value_start(0) {
            // Behind the value's start and before its end.
            let within = end.is_before(j).minus(&issuer.end.is_before(j - value_start(0)));
            let value = cs.product(&within, &element.minus(&base));
            nonzero_where(cs, &value.minus(&at_sign), &cut);
            byte = value;
        }
        encoded.push(byte);
    }
    let mut packed = strings::pack31(&encoded, ENCODED_ELEMENTS);
    for (packed, issuer) in packed.iter_mut().zip(&issuer.packed) {
        packed.add_scaled(issuer, Fr::from(1u64));
    }
    add_length(cs, &mut packed, issuer, &value_bits);
    let idf = poseidon::hash(cs, Domain::Identity, &packed);
    let randomness = cs.hint(&[], |_| witness.randomness);
    let commitment = poseidon::hash(cs, Domain::LinkingCommitment, &[idf, randomness]);
    cs.equal(&commitment, &public.linking_commitment);
}

/// The code of the key of the claim that the kind names.
fn key<N: Num>(text: &Payload<'_, N>) -> N {
    NAMES.iter().fold(N::zero(), |mut key, name| {
        key.add_scaled(&text.kinds.any(|kind| kind.claim() == *name), strings::code(name));
        key
    })
}

/// The elements from which the value lands behind the issuer: zeros are put in front, so that it can move back as far
/// as the longest issuer.
fn aligned<C: Cs>(cs: &mut C, text: &Payload<'_, C::Num>, found: &Found, issuer: usize) -> Vec<C::Num> {
    let mut padded = vec![C::Num::zero(); ENCODED_BYTES];
    padded.extend_from_slice(&text.elements);
    // The opening quote comes to stand where the length's second byte will.
    let quote = BEFORE_ISSUER + issuer + LENGTH - 1;
    let position = (ENCODED_BYTES + found.at).saturating_sub(quote);
    select::window(cs, &padded, ENCODED_BYTES + 1, position)
}

/// The value begins, with its quote, right behind the issuer.
fn begins<C: Cs>(cs: &mut C, issuer: &Issuer<C::Num>, elements: &[C::Num], base: &C::Num) {
    let mut expected = base.plus(&constant(u64::from(b'"')));
    expected.add_scaled(&C::Num::one(), strings::follows());
    for k in 0..=ISSUER_BYTES {
        let element = &elements[BEFORE_ISSUER + k + LENGTH - 1];
        cs.enforce(&issuer.end.is_at(k), &element.minus(&expected), &C::Num::zero());
    }
}

/// Adds the value's length, two bytes behind the issuer, to the packed encoding: a row for each element, and two more
/// wherever an element ends between the bytes.
fn add_length<C: Cs>(cs: &mut C, packed: &mut [C::Num], issuer: &Issuer<C::Num>, value_bits: &[C::Num]) {
    let length = select::weighted(value_bits);
    let (high, low) = length_bytes(value_bits);
    // Of the element that holds both bytes, the weight of the lower where the issuer ends.
    let mut weights = vec![C::Num::zero(); packed.len()];
    for k in 0..=ISSUER_BYTES {
        let place = BEFORE_ISSUER + k;
        let (element, at) = (place / strings::PACKED_BYTES, place % strings::PACKED_BYTES);
        let is_end = issuer.end.is_at(k);
        if at + 1 < strings::PACKED_BYTES {
            weights[element].add_scaled(&is_end, strings::place_value(at + 1));
        } else {
            let (first, second) = (cs.product(&is_end, &high), cs.product(&is_end, &low));
            packed[element].add_scaled(&first, strings::place_value(at));
            packed[element + 1].add_scaled(&second, strings::place_value(0));
        }
    }
    for (packed, weight) in packed.iter_mut().zip(&weights) {
        let product = cs.product(weight, &length);
        packed.add_scaled(&product, Fr::from(1u64));
    }
}

fn length_bytes<N: Num>(bits: &[N]) -> (N, N) {
    (select::weighted(&bits[8..]), select::weighted(&bits[..8]))
}
