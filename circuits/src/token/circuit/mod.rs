//! The circuit of the statement `token` (protocol.md §5.1).
//!
//! | family | enforces |
//! |---|---|
//! | `message.*`, `sha256.*`, `rsa.*` | the signature over the exact characters |
//! | `token.header` | header characters up to the first dot that the prover names, hashed to the public digest |
//! | `token.payload`, `base64.*` | the characters behind it decode, strictly, to the payload |
//! | `json.scan` | strings, nesting, keys; no top-level key with a backslash |
//! | `claims.names`, `claims.once` | each claim that is read is at the top level once, nonce and nbf at most once |
//! | `strings.*`, `claims.*` | the claims' values: issuer, audience, times, flags, identity, nonce, binding |
//! | `poseidon`, `public` | digests; the public input |
//!
//! What each family costs is in `docs/constraints.md` (see [`crate::constraints`]).
//!
//! Under the assumption that the issuer signs well-formed JSON only. A witness is values for hints: whatever they are,
//! the rows decide.

mod binding;
mod claims;
mod identity;
mod inputs;
mod payload;
#[cfg(test)]
mod tests;
#[cfg(feature = "prover")]
mod told;

use sigveil_vrf_identity::identity::{Identity, Kind};

use super::instance::{audience_digest, header_digest, issuer_digest};
use super::layout::Layout;
use super::native::public_audience;
use super::{Class, Compact, Expectation, Instance, LinkingRandomness, Witness};
use crate::Fr;
use crate::gadgets::bits::Bit;
use crate::gadgets::rsa;
use crate::gadgets::sha256::{self, Message};
use crate::r1cs::{Assignment, Cs, Memory, Shape, Verdict};

use inputs::Inputs;
#[cfg(feature = "prover")]
pub(crate) use told::{Teller, bytes};

/// The circuit of a class. Its only public input is [`Instance::digest`].
pub fn circuit<C: Cs>(cs: &mut C, class: Class, instance: &Instance, witness: &Witness) {
    synthesize(cs, class, instance, witness);
}

/// What an examination of the circuit looks at.
#[cfg_attr(not(feature = "prover"), expect(dead_code, reason = "examinations are built with the prover"))]
pub(crate) struct Landmarks<N> {
    /// The public inputs, in the order of [`Instance::elements`].
    pub(crate) elements: [N; 9],
    /// The digest that the signature is of.
    pub(crate) digest: [Bit<N>; 256],
}

/// The whole circuit: what is signed, and what it says.
pub(crate) fn synthesize<C: Cs>(
    cs: &mut C,
    class: Class,
    instance: &Instance,
    witness: &Witness,
) -> Landmarks<C::Num> {
    let public = cs.family("token.inputs", |cs| Inputs::allocate(cs, instance));
    // That its bits are bits, and zero behind its end, is forced where it is decoded.
    let message = Message::of_characters(cs, &witness.signing_input, class.size.bytes());
    let digest = signed(cs, class, &message, &public, witness);
    says(cs, class, &message, &public, instance, witness);
    Landmarks { elements: public.elements(), digest }
}

/// RS256 verifies over the message, under the public modulus.
fn signed<C: Cs>(
    cs: &mut C,
    class: Class,
    message: &Message<C::Num>,
    public: &Inputs<C::Num>,
    witness: &Witness,
) -> [Bit<C::Num>; 256] {
    let digest = sha256::digest(cs, message);
    let modulus = key(cs, class, &public.modulus, witness);
    rsa::verify(cs, &modulus, &witness.signature, &digest);
    digest
}

/// The modulus that has the public digest.
fn key<C: Cs>(cs: &mut C, class: Class, digest: &C::Num, witness: &Witness) -> rsa::Modulus<C::Num> {
    let modulus = rsa::Modulus::allocate(cs, class.modulus, &witness.modulus);
    key_is(cs, &modulus, digest);
    modulus
}

fn key_is<C: Cs>(cs: &mut C, modulus: &rsa::Modulus<C::Num>, digest: &C::Num) {
    let found = payload::modulus_digest(cs, modulus);
    cs.family("token.modulus", |cs| cs.equal(&found, digest));
}

/// The message is base64url(header) "." base64url(payload), and the claims are those that are stated.
fn says<C: Cs>(
    cs: &mut C,
    class: Class,
    message: &Message<C::Num>,
    public: &Inputs<C::Num>,
    instance: &Instance,
    witness: &Witness,
) {
    // The header is one that is listed; what follows its dot is the payload.
    let header = payload::header(cs, message, &public.header, witness.header_length);
    let bytes = payload::decode(cs, message, &header, class.size);

    // The claims.
    let layout = Layout::of(&payload::placed(witness, class.size), instance.kind);
    claims::claims(cs, bytes, public, instance, witness, &layout);
}

/// The shape of a class.
#[must_use]
pub fn shape(class: Class) -> Shape {
    let (instance, witness) = (Instance::placeholder(), Witness::placeholder());
    Shape::of(|cs| circuit(cs, class, &instance, &witness))
}

/// The values of a statement, whether or not they satisfy it.
#[must_use]
pub fn assign(class: Class, instance: &Instance, witness: &Witness) -> Assignment {
    Assignment::of(|cs| circuit(cs, class, instance, witness))
}

/// What came of trying to satisfy the circuit with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Whether every row holds.
    pub satisfied: bool,
    /// Number of rows.
    pub constraints: usize,
    /// The class that the token falls into.
    pub class: Class,
}

/// Tries to satisfy the circuit with any token, also with one that the native check refuses: on the most favourable
/// values that can be made of it. Says nothing about header rules beyond the digest, which is computed from the token
/// itself.
#[must_use]
pub fn best_effort(token: &Compact, expected: &Expectation<'_>) -> Trial {
    best_effort_again(&mut Memory::default(), token, expected)
}

/// As [`best_effort`], by what is remembered of other tokens.
pub(crate) fn best_effort_again(memory: &mut Memory, token: &Compact, expected: &Expectation<'_>) -> Trial {
    let (instance, witness) = favourable(memory, token, expected);
    let class = witness.class();
    let (violations, constraints) = Verdict::of(memory, 0, |cs| circuit(cs, class, &instance, &witness));
    // A signature of another length is cut or filled to enter the circuit, which knows one length only.
    let satisfied = violations.is_empty() && token.signature().len() == witness.signature.len();
    Trial { satisfied, constraints, class }
}

/// Whether all rows hold but those of digest, key and signature.
#[cfg(feature = "prover")]
pub(crate) fn best_effort_unsigned(memory: &mut Memory, token: &Compact, expected: &Expectation<'_>) -> bool {
    let (instance, witness) = favourable(memory, token, expected);
    let (violations, _) =
        Verdict::of(memory, 0, |cs| unsigned(cs, witness.class(), &instance, &witness, |_| ()));
    violations.is_empty()
}

/// The one row, of `all` that the circuit has, that does not hold where those of digest, key and signature do; `None`
/// also where there are more.
#[cfg(feature = "prover")]
pub(crate) fn only_violation_unsigned(
    memory: &mut Memory,
    class: Class,
    all: usize,
    instance: &Instance,
    witness: &Witness,
) -> Option<usize> {
    let mut before = 0;
    let (violations, rows) = Verdict::of(memory, 1, |cs| {
        unsigned(cs, class, instance, witness, |cs| before = cs.at().rows);
    });
    let [row] = violations[..] else { return None };
    if row < before {
        return Some(row);
    }
    Some(row + all - rows)
}

/// All rows but those of digest, key and signature, which share with the others nothing but the message and two public
/// inputs; `signed` is told where they would stand.
#[cfg(feature = "prover")]
fn unsigned<C: Cs>(
    cs: &mut C,
    class: Class,
    instance: &Instance,
    witness: &Witness,
    signed: impl FnOnce(&mut C),
) {
    let public = cs.family("token.inputs", |cs| Inputs::allocate(cs, instance));
    let message = Message::of_characters(cs, &witness.signing_input, class.size.bytes());
    signed(cs);
    says(cs, class, &message, &public, instance, witness);
}

/// The values of an honest prover, for a token that need not be sound.
fn favourable(memory: &mut Memory, token: &Compact, expected: &Expectation<'_>) -> (Instance, Witness) {
    let randomness = LinkingRandomness(Fr::from(1u64));
    let (issuer, audience) = (expected.issuer, expected.audience);
    let configured =
        memory.digest("audience", audience.as_bytes(), || audience_digest(audience).unwrap_or_default());
    let header = token.encoded_header();
    let identity = favourable_identity(token.payload(), expected.kind);
    let instance = Instance {
        modulus: memory.digest("modulus", expected.modulus.as_bytes(), || expected.modulus.digest()),
        issuer: memory.digest("issuer", issuer.as_bytes(), || issuer_digest(issuer).unwrap_or_default()),
        audience: public_audience(configured, &expected.binding),
        kind: expected.kind,
        time: expected.time,
        header: memory.digest("header", header.as_bytes(), || header_digest(header).unwrap_or_default()),
        usage: expected.usage,
        bind: expected.binding.bind(),
        linking_commitment: identity.map_or_else(Fr::default, |identity| {
            memory.digest("identity", &identity.encode(), || randomness.commit(identity.idf()))
        }),
    };
    (instance, Witness::new(token, expected.modulus, configured, &expected.binding, randomness))
}

/// The identity that the first issuer and the first claim of this kind name.
fn favourable_identity(payload: &[u8], kind: Kind) -> Option<Identity> {
    let layout = Layout::of(payload, kind);
    let text = |name: &str, cut: bool| {
        let found = layout.claim(name);
        let length = if cut { found.cut? } else { found.length };
        std::str::from_utf8(payload.get(found.at + 1..found.at + 1 + length)?).ok()
    };
    Identity::new(text("iss", false)?, kind, text(kind.claim(), kind.is_cut())?).ok()
}
