//! The claims of a payload: which there are, what they say, that each is there once.

use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::Kind;

use super::binding;
use super::identity;
use super::inputs::Inputs;
use crate::Fr;
use crate::gadgets::excerpt::{self, Excerpt, Packing};
use crate::gadgets::json::{self, Byte, Place, Text};
use crate::gadgets::poseidon;
use crate::gadgets::select::{self, Cut, either, zero_where};
use crate::gadgets::starts::{self, Start, Starts};
use crate::gadgets::strings::{self, Beginning, GROUP, Value};
use crate::r1cs::{Cs, Num};
use crate::token::instance::{AUDIENCE_ELEMENTS, ISSUER_ELEMENTS, ISSUER_OFFSET};
use crate::token::layout::{Found, Layout};
use crate::token::native::{CLOCK_SKEW_SECONDS, MAX_TIME_DIGITS};
use crate::token::{Instance, Witness};
use sigveil_vrf_identity::identity::MAX_TEXT_BYTES;

/// More than any window over a key's bytes: added to a difference, it makes it nonzero.
const NEVER_ZERO_BITS: u32 = 200;
/// Bits of the public time.
const TIME_BITS: usize = 40;
/// Most bytes of an issuer, which leaves one for the identity's value.
pub(super) const ISSUER_BYTES: usize = MAX_TEXT_BYTES - 1;

/// The public kind, one flag for each.
pub(super) struct Kinds<N>([N; 6]);

impl<N: Num> Kinds<N> {
    /// Seven rows: bits of which one is set, whose place is the kind's byte.
    fn of<C: Cs<Num = N>>(cs: &mut C, kind: &N, value: Kind) -> Self {
        let flags = Kind::ALL.map(|k| {
            let flag = cs.hint(&[], |_| Fr::from(k == value));
            cs.enforce(&flag, &flag.not(), &N::zero());
            flag
        });
        let (mut count, mut byte) = (N::zero(), N::zero());
        for (flag, kind) in flags.iter().zip(Kind::ALL) {
            count.add_scaled(flag, Fr::from(1u64));
            byte.add_scaled(flag, Fr::from(u64::from(kind.byte())));
        }
        cs.equal(&count, &N::one());
        cs.equal(&byte, kind);
        Self(flags)
    }

    /// Whether the kind is one of those for which `holds`.
    pub(super) fn any(&self, holds: impl Fn(Kind) -> bool) -> N {
        let chosen = self.0.iter().zip(Kind::ALL).filter(|(_, kind)| holds(*kind));
        chosen.fold(N::zero(), |sum, (flag, _)| sum.plus(flag))
    }
}

/// What the rules on single claims share.
pub(super) struct Payload<'a, N> {
    text: &'a Text<N>,
    pub(super) elements: Vec<N>,
    starts: Starts<N>,
    delimiting: Vec<N>,
    pub(super) kinds: Kinds<N>,
}

impl<N: Num> Payload<'_, N> {
    /// Takes the value of the claim `name` at depth 1.
    pub(super) fn take<C: Cs<Num = N>>(
        &self,
        cs: &mut C,
        name: &str,
        taken: usize,
        found: &Found,
    ) -> Value<N> {
        Value::take(cs, &self.elements, taken, found.at, found.quotes, &key(name))
    }

    /// Takes out the start of the value under this key at depth 1, whose rest is `rest`: zero for what is no
    /// string. Nothing is said of it unless `read`.
    fn start<C: Cs<Num = N>>(&self, cs: &mut C, (key, rest): (&N, &N), found: &Found, read: &N) -> Start<N> {
        let mut expected = strings::base(cs, found.quotes, key, &N::one());
        expected.add_scaled(rest, strings::rest_unit());
        Start::take(cs, &self.starts, found.at, &expected, read)
    }

    /// Takes out the string under the claim `name` at this depth, packed; also what the elements of its value
    /// have in common.
    fn excerpt<C: Cs<Num = N>>(
        &self,
        cs: &mut C,
        (name, depth): (&str, &N),
        packing: &Packing,
        found: &Found,
    ) -> (Excerpt<N>, N) {
        let base = strings::base(cs, found.quotes, &key(name), depth);
        let source = excerpt::Source { text: self.text, starts: &self.starts };
        let hint = excerpt::Hint { at: found.at, length: found.length };
        (excerpt::excerpt(cs, &source, &base, packing, &hint), base)
    }
}

/// The code of a claim's key.
pub(super) fn key<N: Num>(name: &str) -> N {
    N::constant(strings::code(name))
}

/// Enforces every rule on the payload that these bytes are, with zeros before and behind it. Hints come from
/// `witness`, `instance` and `layout`; what is claimed is in `public`.
pub(crate) fn claims<C: Cs>(
    cs: &mut C,
    bytes: Vec<Byte<C::Num>>,
    public: &Inputs<C::Num>,
    instance: &Instance,
    witness: &Witness,
    layout: &Layout,
) {
    let text = cs.family("strings.elements", |cs| Text::new(cs, bytes));
    let places = json::scan(cs, text.bytes());
    let kinds = cs.family("claims.kind", |cs| Kinds::of(cs, &public.kind, instance.kind));
    let beginnings = names(cs, &text, &places, &kinds);
    let keys = strings::keys(cs, &beginnings);
    let elements = strings::elements(text.bytes(), &places, &keys);
    let starts = cs.family("strings.starts", |cs| {
        let read = ["iss", "aud", "iat", "exp", "nbf", flag(instance.kind)];
        let found = read.map(|name| layout.claim(name)).into_iter().filter(|found| found.present);
        Starts::new(cs, &text, &elements, &found.map(|found| found.at).collect::<Vec<_>>())
    });
    let delimiting = strings::delimiting(text.bytes(), &places);
    let text = Payload { text: &text, elements, starts, delimiting, kinds };

    let (nonce_present, not_before_present) = cs.family("claims.once", |cs| {
        let nonce_present = present(cs, layout.claim("nonce").present);
        let not_before_present = present(cs, layout.claim("nbf").present);
        // Each claim that is read below is there; as many keys as claims are: so each is there once.
        let demanded = text.kinds.any(|kind| kind.demands_verified_email() || kind.demands_protected_ref());
        let expected = constant::<C::Num>(5).plus(&demanded).plus(&nonce_present).plus(&not_before_present);
        let count = beginnings.iter().fold(C::Num::zero(), |sum, key| sum.plus(&key.is_named));
        cs.equal(&count, &expected);
        (nonce_present, not_before_present)
    });

    let issuer = cs.family("claims.issuer", |cs| issuer(cs, &text, public, &layout.claim("iss")));
    cs.family("claims.time", |cs| times(cs, &text, public, layout, &not_before_present));
    cs.family("claims.flags", |cs| demanded_flags(cs, &text, layout, instance.kind));
    cs.family("claims.identity", |cs| {
        identity::enforce(
            cs,
            &text,
            public,
            &issuer,
            &layout.claim(instance.kind.claim()),
            instance.kind,
            witness,
        );
    });
    let audience = cs.family("claims.audience", |cs| audience(cs, &text, &layout.claim("aud")));
    let nonce = cs
        .family("claims.nonce", |cs| binding::Nonce::take(cs, &text, nonce_present, &layout.claim("nonce")));
    binding::enforce(cs, public, &audience, &nonce, instance, witness);
}

/// Bytes of a key that are compared, and names that those and the length tell from all others.
const LONG_NAMES: [(usize, &[&str]); 3] =
    [(14, &["workflow_ref", "ref_protected"]), (15, &["email_verified"]), (18, &["ci_config_ref_uri"])];
/// As many for `nonce` and `email`.
const FIVE: usize = 6;

/// For each group of bytes the top-level key that begins in it, and whether it is one of the names that the
/// statement reads under this kind: 27 rows a group.
///
/// A key's length and, of each name, all letters are compared.
fn names<C: Cs>(
    cs: &mut C,
    text: &Text<C::Num>,
    places: &[Place<C::Num>],
    kinds: &Kinds<C::Num>,
) -> Vec<Beginning<C::Num>> {
    // Names that only some kinds read: where the kind does not, their difference is never zero.
    let never_zero = strings::power(NEVER_ZERO_BITS);
    let where_read = |holds: &dyn Fn(Kind) -> bool| kinds.any(holds).not().times(never_zero);
    let is_read = |name: &'static str| match name {
        "email_verified" => where_read(&Kind::demands_verified_email),
        "ref_protected" => where_read(&Kind::demands_protected_ref),
        claim => where_read(&move |kind| kind.claim() == claim),
    };
    let pattern = |name, bytes| C::Num::constant(strings::key_pattern(name, bytes));
    let conditional = |name, bytes| is_read(name).minus(&pattern(name, bytes));
    let (nbf, sub) = (pattern("nbf", strings::CODE_BYTES), conditional("sub", strings::CODE_BYTES));
    let (nonce, email) = (pattern("nonce", FIVE), conditional("email", FIVE));
    let long = LONG_NAMES
        .map(|(bytes, names)| (bytes, names.iter().map(|name| conditional(name, bytes)).collect::<Vec<_>>()));
    let group = |cs: &mut C, at: usize| {
        let key = KeyOfGroup::new(text, places, at);
        let three = key.beginning(cs, strings::CODE_BYTES);
        let six_names = {
            let two = cs.product(&three.minus(&nbf), &three.plus(&sub));
            let four = four_names(cs, &three);
            cs.product(&four, &two)
        };
        let five = key.beginning(cs, FIVE);
        let two = cs.product(&five.minus(&nonce), &five.plus(&email));
        let mut product = cs.product(&six_names, &two);
        for (bytes, names) in &long {
            let beginning = key.beginning(cs, *bytes);
            for name in names {
                product = cs.product(&product, &beginning.plus(name));
            }
        }
        let is_named = zero_where(cs, &product, &key.is_there);
        Beginning { is_there: key.is_there, is_named, first_bytes: three }
    };
    cs.family("claims.names", |cs| (0..text.bytes().len()).step_by(GROUP).map(|at| group(cs, at)).collect())
}

/// The key that begins in a group of bytes, if one does.
struct KeyOfGroup<'a, N> {
    /// One if a key begins there.
    is_there: N,
    /// Bits of its place in the group, lowest first.
    place: [N; 2],
    text: &'a Text<N>,
    places: &'a [Place<N>],
    /// Where the group begins.
    at: usize,
}

impl<'a, N: Num> KeyOfGroup<'a, N> {
    fn new(text: &'a Text<N>, places: &'a [Place<N>], at: usize) -> Self {
        let begins = |i: usize| places.get(at + i).map_or_else(N::zero, |place| place.begins_key.clone());
        let [first, second, third, fourth] = [0, 1, 2, 3].map(begins);
        let place = [second.plus(&fourth), third.plus(&fourth)];
        Self { is_there: first.plus(&second).plus(&place[1]), place, text, places, at }
    }

    /// Its first bytes and its length: three rows.
    fn beginning<C: Cs<Num = N>>(&self, cs: &mut C, bytes: usize) -> N {
        let [w0, w1, w2, w3] =
            [0, 1, 2, 3].map(|i| strings::key_beginning(self.text, self.places, self.at + i, bytes));
        let even = either(cs, &self.place[1], &w0, &w2);
        let odd = either(cs, &self.place[1], &w1, &w3);
        either(cs, &self.place[0], &even, &odd)
    }
}

/// (x − iss)(x − aud)(x − iat)(x − exp) in two rows, by way of x².
fn four_names<C: Cs>(cs: &mut C, x: &C::Num) -> C::Num {
    let square = cs.product(x, x);
    let pair = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|name| strings::key_pattern(name, strings::CODE_BYTES));
        let mut out = square.minus(&x.times(a + b));
        out.add_scaled(&C::Num::one(), a * b);
        out
    };
    cs.product(&pair("iss", "aud"), &pair("iat", "exp"))
}

fn present<C: Cs>(cs: &mut C, value: bool) -> C::Num {
    let bit = cs.hint(&[], |_| Fr::from(value));
    cs.enforce(&bit, &bit.not(), &C::Num::zero());
    bit
}

/// The issuer.
pub(super) struct Issuer<N> {
    /// Where it ends.
    pub(super) end: Cut<N>,
    /// Its bytes behind three places that are zero, as in an identity's encoding.
    pub(super) packed: Vec<N>,
    /// The length that the honest prover reads, for hints.
    pub(super) hinted_length: usize,
}

/// `iss` is a string without escapes, of the public digest.
fn issuer<C: Cs>(
    cs: &mut C,
    text: &Payload<'_, C::Num>,
    public: &Inputs<C::Num>,
    found: &Found,
) -> Issuer<C::Num> {
    const PACKING: Packing = Packing { offset: ISSUER_OFFSET, elements: ISSUER_ELEMENTS };
    let (Excerpt { length, packed, .. }, _) = text.excerpt(cs, ("iss", &C::Num::one()), &PACKING, found);
    let end = Cut::new(cs, ISSUER_BYTES, &length);
    let digest = poseidon::hash(cs, Domain::Issuer, &[std::slice::from_ref(&length), &packed].concat());
    cs.equal(&digest, &public.issuer);
    Issuer { end, packed, hinted_length: found.length }
}

/// `Poseidon(domain, length, elements)` over bytes that are zero from the length on.
pub(super) fn text_digest<C: Cs>(
    cs: &mut C,
    domain: Domain,
    length: &C::Num,
    bytes: &[C::Num],
    elements: usize,
) -> C::Num {
    let mut inputs = vec![length.clone()];
    inputs.extend(strings::pack31(bytes, elements));
    poseidon::hash(cs, domain, &inputs)
}

/// iat − skew ≤ t < exp, and nbf − skew ≤ t where it is present: each difference has 41 bits.
fn times<C: Cs>(
    cs: &mut C,
    text: &Payload<'_, C::Num>,
    public: &Inputs<C::Num>,
    layout: &Layout,
    not_before_present: &C::Num,
) {
    select::range(cs, TIME_BITS, &public.time);
    let integer = |cs: &mut C, name, present: &C::Num| {
        let found = layout.claim(name);
        let value = text.start(cs, (&key(name), &C::Num::zero()), &found, present);
        strings::integer(cs, value.bytes(), present, MAX_TIME_DIGITS, found.length)
    };
    let issued_at = integer(cs, "iat", &C::Num::one());
    let expires = integer(cs, "exp", &C::Num::one());
    let not_before = integer(cs, "nbf", not_before_present);
    let latest = public.time.plus(&constant(CLOCK_SKEW_SECONDS));
    select::range(cs, TIME_BITS + 1, &latest.minus(&issued_at));
    select::range(cs, TIME_BITS + 1, &expires.minus(&public.time).minus(&constant(1)));
    select::range(cs, TIME_BITS + 1, &latest.minus(&not_before));
}

/// `email_verified` is `true`, or `ref_protected` is `"true"`, where the kind demands it.
fn demanded_flags<C: Cs>(cs: &mut C, text: &Payload<'_, C::Num>, layout: &Layout, kind: Kind) {
    let email = text.kinds.any(Kind::demands_verified_email);
    let protected = text.kinds.any(Kind::demands_protected_ref);
    let found = layout.claim(flag(kind));
    // One value is taken for both: its key is the one that the kind demands.
    let mut key = email.times(strings::code("email_verified"));
    key.add_scaled(&protected, strings::code("ref_protected"));
    // Of the string `"true"` the rest is five.
    let rest = protected.times(Fr::from(5u64));
    let value = text.start(cs, (&key, &rest), &found, &email.plus(&protected));
    for (read, text) in [(&email, &b"true"[..]), (&protected, b"\"true\"")] {
        for (byte, character) in value.bytes().iter().zip(text) {
            select::equal_where(cs, read, &byte.value, &constant(u64::from(*character)));
        }
    }
}

/// The claim beside the identity's that a kind demands; of a kind that demands none, any.
fn flag(kind: Kind) -> &'static str {
    if kind.demands_protected_ref() { "ref_protected" } else { "email_verified" }
}

/// The audience.
pub(super) struct Audience<N> {
    pub(super) length: N,
    /// Its bytes, zeros from the end on.
    pub(super) packed: Vec<N>,
    /// Its first bytes, with what comes behind a shorter one.
    pub(super) opening: Vec<N>,
    pub(super) digest: N,
}

/// `aud` is a string, or an array that holds exactly that one string; without escapes.
///
/// In an array it stands at depth 2 and follows an opening bracket, which is that of this claim's value,
/// since no other leads from depth 1 to 2. What follows the string is then `]`: so it is no key, and alone.
fn audience<C: Cs>(cs: &mut C, text: &Payload<'_, C::Num>, found: &Found) -> Audience<C::Num> {
    const PACKING: Packing = Packing { offset: 0, elements: AUDIENCE_ELEMENTS };
    let in_array = present(cs, found.in_array);
    let depth = C::Num::one().plus(&in_array);
    let (Excerpt { length, packed, start }, base) = text.excerpt(cs, ("aud", &depth), &PACKING, found);
    let behind = starts::field(cs, &text.delimiting, strings::DELIMITING_BITS, found.behind);
    let closes = strings::behind_string(&base, &key("aud"), b']');
    select::equal_where(cs, &in_array, &behind, &closes);
    let digest = poseidon::hash(cs, Domain::Audience, &[std::slice::from_ref(&length), &packed].concat());
    let opening = start.bytes()[1..].iter().map(|byte| byte.value.clone()).collect();
    Audience { length, packed, opening, digest }
}

pub(super) fn constant<N: Num>(value: u64) -> N {
    N::constant(Fr::from(value))
}
