//! The token is bound to a key by its nonce or its audience, or is not bound and does not pretend to be (protocol.md
//! §5.1).

use sigveil_vrf_identity::domain::Domain;

use super::claims::{Audience, Payload, constant};
use super::inputs::Inputs;
use crate::Fr;
use crate::gadgets::base64;
use crate::gadgets::bits::{Bit, canonical};
use crate::gadgets::poseidon;
use crate::gadgets::select::{equal_where, zero_where};
use crate::gadgets::strings::{self, Value};
use crate::r1cs::{Cs, Num};
use crate::token::instance::Usage;
use crate::token::layout::Found;
use crate::token::native::RESERVED_PREFIX;
use crate::token::witness::Bound;
use crate::token::{Instance, Witness};

/// Characters of base64url of 32 bytes.
const DIGEST_CHARACTERS: usize = 43;
/// Characters of a certificate's binding.
const CERTIFICATE: usize = Usage::Certificate.prefix().len() + DIGEST_CHARACTERS;
/// Characters of an evaluation's binding.
const EVALUATION: usize = Usage::Evaluation.prefix().len() + DIGEST_CHARACTERS;

/// The nonce, which need not be there.
pub(super) struct Nonce<N> {
    present: N,
    value: Value<N>,
}

impl<N: Num> Nonce<N> {
    /// Where present, `nonce` is a string without escapes.
    pub(super) fn take<C: Cs<Num = N>>(cs: &mut C, text: &Payload<'_, N>, present: N, found: &Found) -> Self {
        let value = text.take(cs, "nonce", EVALUATION + 2, found);
        let rest = strings::rest_of_string(cs, found.length);
        let value = value.string(rest, N::one());
        equal_where(cs, &present, &value.first(), &constant(u64::from(b'"')));
        Self { present, value }
    }
}

/// How the token is bound: exactly one is one.
struct Ways<N> {
    not: N,
    by_nonce: N,
    by_audience: N,
}

/// Enforces the rules on nonce and audience, and that the audience is the public one.
pub(super) fn enforce<C: Cs>(
    cs: &mut C,
    public: &Inputs<C::Num>,
    audience: &Audience<C::Num>,
    nonce: &Nonce<C::Num>,
    instance: &Instance,
    witness: &Witness,
) {
    cs.family("claims.binding", |cs| {
        let ways = ways(cs, public, witness.bound);
        let evaluation = cs.hint(&[], |_| Fr::from(instance.usage == Usage::Evaluation));
        cs.enforce(&evaluation, &evaluation.not(), &C::Num::zero());
        cs.equal(&evaluation.plus(&C::Num::one()), &public.usage);
        // An evaluation is never unbound.
        cs.enforce(&evaluation, &ways.not, &C::Num::zero());

        let configured = configured_audience(cs, public, audience, &ways, witness);
        let salt = cs.hint(&[], |_| witness.salt);
        let digest = poseidon::hash(cs, Domain::TokenBinding, &[configured, public.bind.clone(), salt]);
        let text = binding_text(cs, &digest, &evaluation);
        nonce_is(cs, nonce, &text, &ways.by_nonce, &evaluation);
        audience_is(cs, audience, &text, &ways.by_audience, &evaluation);
        reserved(cs, audience, nonce, &ways);
    });
}

/// Unbound exactly where the public `bind` is zero.
fn ways<C: Cs>(cs: &mut C, public: &Inputs<C::Num>, bound: Bound) -> Ways<C::Num> {
    let not = zero_where(cs, &public.bind, &C::Num::one());
    let by_audience = cs.hint(&[], |_| Fr::from(bound == Bound::ByAudience));
    cs.enforce(&by_audience, &by_audience.not(), &C::Num::zero());
    cs.enforce(&by_audience, &not, &C::Num::zero());
    let by_nonce = C::Num::one().minus(&not).minus(&by_audience);
    Ways { not, by_nonce, by_audience }
}

/// The digest of the configured audience: the public one is it, or, bound by audience, a hash of it.
fn configured_audience<C: Cs>(
    cs: &mut C,
    public: &Inputs<C::Num>,
    audience: &Audience<C::Num>,
    ways: &Ways<C::Num>,
    witness: &Witness,
) -> C::Num {
    let configured = cs.hint(&[], |_| witness.audience);
    let bound = poseidon::hash(cs, Domain::BoundAudience, std::slice::from_ref(&configured));
    equal_where(cs, &ways.by_audience, &bound, &public.audience);
    let by_text = ways.by_audience.not();
    equal_where(cs, &by_text, &configured, &public.audience);
    equal_where(cs, &by_text, &audience.digest, &public.audience);
    configured
}

/// The characters of the binding, as many as an evaluation's has; a certificate's ends sooner, with zeros behind it.
fn binding_text<C: Cs>(cs: &mut C, digest: &C::Num, evaluation: &C::Num) -> Vec<C::Num> {
    let bits = canonical(cs, digest);
    let leading = [Bit::constant(false), Bit::constant(false)];
    let bits = leading.into_iter().chain(bits.into_iter().rev());
    let characters = base64::encode(cs, &bits.collect::<Vec<_>>());
    let character = |usage: Usage, k: usize| match usage.prefix().as_bytes().get(k) {
        Some(byte) => constant(u64::from(*byte)),
        None => characters.get(k - usage.prefix().len()).cloned().unwrap_or_else(C::Num::zero),
    };
    (0..EVALUATION)
        .map(|k| {
            let certificate = character(Usage::Certificate, k);
            let difference = character(Usage::Evaluation, k).minus(&certificate);
            certificate.plus(&cs.product(evaluation, &difference))
        })
        .collect()
}

/// Bound by its nonce, the nonce is there and is this text, no less and no more.
fn nonce_is<C: Cs>(
    cs: &mut C,
    nonce: &Nonce<C::Num>,
    text: &[C::Num],
    by_nonce: &C::Num,
    evaluation: &C::Num,
) {
    cs.enforce(by_nonce, &nonce.present.not(), &C::Num::zero());
    for (k, character) in text.iter().enumerate().take(CERTIFICATE) {
        equal_where(cs, by_nonce, &nonce.value.byte(k + 1), character);
    }
    let by_evaluation = cs.product(by_nonce, evaluation);
    let by_certificate = by_nonce.minus(&by_evaluation);
    let end = C::Num::constant(strings::closing_quote());
    equal_where(cs, &by_certificate, &nonce.value.byte(CERTIFICATE + 1), &end);
    for (k, character) in text.iter().enumerate().skip(CERTIFICATE) {
        equal_where(cs, &by_evaluation, &nonce.value.byte(k + 1), character);
    }
    equal_where(cs, &by_evaluation, &nonce.value.byte(EVALUATION + 1), &end);
}

/// Bound by its audience, the audience is this text and as long.
fn audience_is<C: Cs>(
    cs: &mut C,
    audience: &Audience<C::Num>,
    text: &[C::Num],
    by_audience: &C::Num,
    evaluation: &C::Num,
) {
    let text = strings::pack31(text, EVALUATION.div_ceil(strings::PACKED_BYTES));
    for (packed, text) in audience.packed.iter().zip(&text) {
        equal_where(cs, by_audience, packed, text);
    }
    let mut length = constant::<C::Num>(CERTIFICATE as u64);
    length.add_scaled(evaluation, Fr::from((EVALUATION - CERTIFICATE) as u64));
    equal_where(cs, by_audience, &audience.length, &length);
}

/// What begins with `sigveil` is a binding: no nonce of an unbound token does, and no audience that is not one.
fn reserved<C: Cs>(cs: &mut C, audience: &Audience<C::Num>, nonce: &Nonce<C::Num>, ways: &Ways<C::Num>) {
    let bytes: Vec<C::Num> = (0..RESERVED_PREFIX.len()).map(|k| nonce.value.byte(k + 1)).collect();
    let nonce_reserved = begins_reserved(cs, &bytes);
    let read = cs.product(&ways.not, &nonce.present);
    cs.enforce(&read, &nonce_reserved, &C::Num::zero());
    let audience_reserved = begins_reserved(cs, &audience.opening);
    cs.enforce(&ways.by_audience.not(), &audience_reserved, &C::Num::zero());
}

/// Whether numbers begin with the bytes of `sigveil`: two rows a byte, each flag gated by the one before.
fn begins_reserved<C: Cs>(cs: &mut C, bytes: &[C::Num]) -> C::Num {
    let mut so_far = C::Num::one();
    for (byte, expected) in bytes.iter().zip(RESERVED_PREFIX.bytes()) {
        so_far = zero_where(cs, &byte.minus(&constant(u64::from(expected))), &so_far);
    }
    so_far
}
