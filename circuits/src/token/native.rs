//! The native check of a token: the full grammar, then every rule of the statement (protocol.md §5.1).
//!
//! It accepts exactly the tokens for which the circuit has a witness, among those whose payload is well-formed JSON
//! and whose header is sound; malformed ones it refuses alone. Which of an issuer's keys a token names (`kid`), and
//! whether `time` is now, is for the caller.

use std::ops::Range;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use sigveil_vrf_identity::identity::{Identity, Kind};

use super::instance::{
    Binding, Instance, LinkingRandomness, Modulus, Usage, audience_digest, binding_string,
    bound_audience_digest, header_digest, issuer_digest, linking_commitment,
};
use super::json::{self, Kind as JsonKind, Malformed, Member, Object};
use super::{ClaimName, Class, Jwt, Refusal, Witness};
use crate::Fr;

/// Seconds by which an issuer's clock may be ahead: `iat − 60 ≤ t`, `nbf − 60 ≤ t`.
pub const CLOCK_SKEW_SECONDS: u64 = 60;
/// What a bound token's nonce or audience begins with, whatever its use.
pub const RESERVED_PREFIX: &str = "sigveil";
/// Most digits of a time.
pub(crate) const MAX_TIME_DIGITS: usize = 10;

/// What a token must be.
#[derive(Clone)]
pub struct Expectation<'a> {
    /// The issuer's key that the token names.
    pub modulus: &'a Modulus,
    /// The exact `iss`.
    pub issuer: &'a str,
    /// The audience that the instance is configured with.
    pub audience: &'a str,
    /// Which claim names the subject.
    pub kind: Kind,
    /// Unix seconds at which the token must be valid.
    pub time: u64,
    /// What the token may be spent for.
    pub usage: Usage,
    /// How the token is tied to a key.
    pub binding: Binding,
}

/// A token that holds everything it must.
pub struct CheckedToken {
    jwt: Jwt,
    said: Said,
    modulus: Modulus,
    time: u64,
    usage: Usage,
    binding: Binding,
    /// Digest of the configured audience.
    audience: Fr,
    /// As in the instance.
    issuer: Fr,
    header: Fr,
}

impl CheckedToken {
    /// The token.
    #[must_use]
    pub fn jwt(&self) -> &Jwt {
        &self.jwt
    }

    /// The circuit that takes it.
    #[must_use]
    pub fn class(&self) -> Class {
        Class { size: self.jwt.compact().size_class(), modulus: self.modulus.size() }
    }

    /// Whom it names.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.said.identity
    }

    /// `iat`, Unix seconds.
    #[must_use]
    pub fn issued_at(&self) -> u64 {
        self.said.issued_at
    }

    /// `exp`, Unix seconds: the token is valid before it.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.said.expires
    }

    /// The statement's public inputs under this ρ_1.
    #[must_use]
    pub fn instance(&self, randomness: LinkingRandomness) -> Instance {
        Instance {
            modulus: self.modulus.digest(),
            issuer: self.issuer,
            audience: public_audience(self.audience, &self.binding),
            kind: self.said.identity.kind(),
            time: self.time,
            header: self.header,
            usage: self.usage,
            bind: self.binding.bind(),
            linking_commitment: linking_commitment(&self.said.identity, randomness),
        }
    }

    /// The statement's witness under this ρ_1.
    #[must_use]
    pub fn witness(&self, randomness: LinkingRandomness) -> Witness {
        Witness::new(self.jwt.compact(), &self.modulus, self.audience, &self.binding, randomness)
    }
}

/// The public input that stands for the audience.
pub(crate) fn public_audience(configured: Fr, binding: &Binding) -> Fr {
    match binding {
        Binding::Unbound | Binding::Nonce { .. } => configured,
        Binding::Audience { .. } => bound_audience_digest(configured),
    }
}

/// Checks a token against what it must be.
///
/// # Errors
/// A [`Refusal`]; the first that applies in the order: key and signature, grammar, claims, times, identity, binding.
pub fn check(jwt: &Jwt, expected: &Expectation<'_>) -> Result<CheckedToken, Refusal> {
    check_expectation(expected)?;
    check_signature(jwt, expected.modulus)?;
    let said = check_payload(jwt.compact().payload(), expected)?;
    Ok(CheckedToken {
        jwt: jwt.clone(),
        said,
        modulus: expected.modulus.clone(),
        time: expected.time,
        usage: expected.usage,
        binding: expected.binding,
        audience: audience_digest(expected.audience)?,
        issuer: issuer_digest(expected.issuer)?,
        header: header_digest(jwt.compact().encoded_header())?,
    })
}

/// All rules of [`check`] but that on the signature.
///
/// # Errors
/// As [`check`].
#[cfg(feature = "prover")]
pub(crate) fn check_unsigned(jwt: &Jwt, expected: &Expectation<'_>) -> Result<(), Refusal> {
    check_expectation(expected)?;
    check_payload(jwt.compact().payload(), expected).map(|_| ())
}

/// What a payload says that is worth keeping.
pub(crate) struct Said {
    pub(crate) identity: Identity,
    issued_at: u64,
    expires: u64,
}

/// The rules on the payload alone.
pub(crate) fn check_payload(payload: &[u8], expected: &Expectation<'_>) -> Result<Said, Refusal> {
    let claims = Claims::read(payload, expected.kind)?;
    if claims.string("iss")? != expected.issuer {
        return Err(Refusal::Issuer);
    }
    let (issued_at, expires) = check_times(&claims, expected.time)?;
    let identity = identity(&claims, expected)?;
    check_binding(&claims, expected, audience_digest(expected.audience)?)?;
    Ok(Said { identity, issued_at, expires })
}

/// What no token can meet.
fn check_expectation(expected: &Expectation<'_>) -> Result<(), Refusal> {
    if expected.audience.starts_with(RESERVED_PREFIX) {
        return Err(Refusal::AudienceReserved);
    }
    match expected.binding {
        Binding::Unbound if expected.usage == Usage::Evaluation => Err(Refusal::EvaluationUnbound),
        Binding::Nonce { bind, .. } | Binding::Audience { bind, .. } if bind == Fr::from(0u64) => {
            Err(Refusal::BindZero)
        }
        _ => Ok(()),
    }
}

fn check_signature(jwt: &Jwt, modulus: &Modulus) -> Result<(), Refusal> {
    let signature = jwt.compact().signature();
    if signature.len() != modulus.as_bytes().len() {
        return Err(Refusal::SignatureLength(signature.len()));
    }
    let key = RsaPublicKeyComponents { n: modulus.as_bytes(), e: &[1, 0, 1][..] };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, jwt.compact().signing_input().as_bytes(), signature)
        .map_err(|_| Refusal::Signature)
}

fn check_times(claims: &Claims<'_>, time: u64) -> Result<(u64, u64), Refusal> {
    let issued_at = claims.time("iat")?;
    let expires = claims.time("exp")?;
    let not_before = claims.optional("nbf").map(|_| claims.time("nbf")).transpose()?;
    if issued_at > time.saturating_add(CLOCK_SKEW_SECONDS) {
        return Err(Refusal::FromFuture);
    }
    if time >= expires {
        return Err(Refusal::Expired);
    }
    if not_before.is_some_and(|from| from > time.saturating_add(CLOCK_SKEW_SECONDS)) {
        return Err(Refusal::NotYetValid);
    }
    Ok((issued_at, expires))
}

fn identity(claims: &Claims<'_>, expected: &Expectation<'_>) -> Result<Identity, Refusal> {
    let kind = expected.kind;
    if kind.demands_verified_email() && claims.raw("email_verified")? != b"true" {
        return Err(Refusal::EmailNotVerified);
    }
    if kind.demands_protected_ref() && claims.raw("ref_protected")? != b"\"true\"" {
        return Err(Refusal::RefNotProtected);
    }
    let claim = claims.string(kind.claim())?;
    if claim.is_empty() {
        return Err(Refusal::IdentityEmpty);
    }
    Ok(Identity::from_claim(expected.issuer, kind, claim)?)
}

fn check_binding(claims: &Claims<'_>, expected: &Expectation<'_>, audience: Fr) -> Result<(), Refusal> {
    let nonce = claims.optional("nonce").map(|_| claims.string("nonce")).transpose()?;
    let bound = |bind, salt: &_| binding_string(expected.usage, audience, bind, *salt);
    match &expected.binding {
        Binding::Audience { bind, salt } => {
            if claims.audience()? != bound(*bind, salt) {
                return Err(Refusal::AudienceNotBound);
            }
        }
        Binding::Unbound | Binding::Nonce { .. } => {
            if claims.audience()? != expected.audience {
                return Err(Refusal::Audience);
            }
        }
    }
    match &expected.binding {
        Binding::Nonce { bind, salt } if nonce != Some(&bound(*bind, salt)) => Err(Refusal::NonceNotBound),
        Binding::Unbound if nonce.is_some_and(|nonce| nonce.starts_with(RESERVED_PREFIX)) => {
            Err(Refusal::NonceReserved)
        }
        _ => Ok(()),
    }
}

/// The claims that a kind's statement reads: the same names whose repetition it refuses, natively and in the circuit.
pub(crate) fn claim_names(kind: Kind) -> Vec<&'static str> {
    let mut names = vec!["iss", "aud", "iat", "exp", "nbf", "nonce", kind.claim()];
    if kind.demands_verified_email() {
        names.push("email_verified");
    }
    if kind.demands_protected_ref() {
        names.push("ref_protected");
    }
    names
}

/// The claims of a well-formed payload, each at most once.
struct Claims<'a> {
    payload: &'a [u8],
    found: Vec<(&'static str, Member)>,
}

impl<'a> Claims<'a> {
    fn read(payload: &'a [u8], kind: Kind) -> Result<Self, Refusal> {
        let object = Object::parse(payload).map_err(|malformed| match malformed {
            Malformed::Grammar(why, at) => Refusal::PayloadMalformed(why, at),
            Malformed::NotObject => Refusal::PayloadNotObject,
        })?;
        let names = claim_names(kind);
        let mut found: Vec<(&'static str, Member)> = Vec::new();
        for member in object.members() {
            let key = &payload[member.key.clone()];
            // Any backslash: which escaped keys could be a claim's name is a question nobody need answer.
            if key.contains(&b'\\') {
                return Err(Refusal::KeyEscaped);
            }
            let Some(name) = names.iter().find(|name| name.as_bytes() == key) else { continue };
            if found.iter().any(|(other, _)| other == name) {
                return Err(Refusal::ClaimDuplicate(ClaimName(name)));
            }
            found.push((name, member.clone()));
        }
        Ok(Self { payload, found })
    }

    fn optional(&self, name: &'static str) -> Option<&Member> {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, member)| member)
    }

    fn member(&self, name: &'static str) -> Result<&Member, Refusal> {
        self.optional(name).ok_or(Refusal::ClaimMissing(ClaimName(name)))
    }

    /// The value's bytes as they stand.
    fn raw(&self, name: &'static str) -> Result<&'a [u8], Refusal> {
        Ok(&self.payload[self.member(name)?.value.clone()])
    }

    /// A string that is spelled without escapes.
    fn string(&self, name: &'static str) -> Result<&'a str, Refusal> {
        let member = self.member(name)?;
        if member.kind != JsonKind::String {
            return Err(Refusal::ClaimType(ClaimName(name)));
        }
        self.unescaped(name, member.value.clone())
    }

    fn unescaped(&self, name: &'static str, quoted: Range<usize>) -> Result<&'a str, Refusal> {
        let text = std::str::from_utf8(&self.payload[quoted.start + 1..quoted.end - 1])
            .expect("the payload is UTF-8 and quotes are characters of their own");
        if text.contains('\\') { Err(Refusal::ClaimEscaped(ClaimName(name))) } else { Ok(text) }
    }

    /// `aud`: a string, or an array that holds exactly one string.
    fn audience(&self) -> Result<&'a str, Refusal> {
        let member = self.member("aud")?;
        let quoted = match member.kind {
            JsonKind::String => member.value.clone(),
            JsonKind::Array => {
                json::sole_string(self.payload, member.value.clone()).ok_or(Refusal::AudienceNotSole)?
            }
            _ => return Err(Refusal::ClaimType(ClaimName("aud"))),
        };
        self.unescaped("aud", quoted)
    }

    /// A plain integer of 1 to 10 digits.
    fn time(&self, name: &'static str) -> Result<u64, Refusal> {
        let raw = self.raw(name)?;
        if raw.len() > MAX_TIME_DIGITS || !raw.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::ClaimType(ClaimName(name)));
        }
        Ok(raw.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::testing::Issuer;
    use crate::token::BindingSalt;

    const PAYLOAD: &str =
        r#"{"iss":"https://i.example","aud":"a","sub":"s","iat":1700000000,"exp":1700000300,"nonce":"n"}"#;

    fn expectation(modulus: &Modulus) -> Expectation<'_> {
        Expectation {
            modulus,
            issuer: "https://i.example",
            audience: "a",
            kind: Kind::Sub,
            time: 1_700_000_010,
            usage: Usage::Certificate,
            binding: Binding::Unbound,
        }
    }

    fn reason(token: &str, expected: &Expectation<'_>) -> &'static str {
        check(&Jwt::parse(token).unwrap(), expected).map(|_| ()).unwrap_err().reason()
    }

    #[test]
    fn a_good_token_names_whom_it_names() {
        let issuer = Issuer::generate();
        let modulus = issuer.modulus();
        let checked = check(&Jwt::parse(&issuer.token(PAYLOAD)).unwrap(), &expectation(&modulus)).unwrap();
        assert_eq!(*checked.identity(), Identity::new("https://i.example", Kind::Sub, "s").unwrap());
        assert_eq!((checked.issued_at(), checked.expires()), (1_700_000_000, 1_700_000_300));
        assert_eq!(checked.jwt().key_id(), Some(issuer.key_id()));
    }

    #[test]
    fn signatures_are_checked_over_the_exact_characters() {
        let issuer = Issuer::generate();
        let modulus = issuer.modulus();
        let token = issuer.token(PAYLOAD);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let other_payload = issuer.token(&PAYLOAD.replace("\"s\"", "\"t\""));
        let (other_input, _) = other_payload.rsplit_once('.').unwrap();
        let expected = expectation(&modulus);
        assert_eq!(reason(&format!("{other_input}.{signature}"), &expected), "signature-invalid");
        assert_eq!(reason(&format!("{input}.{}", &signature[..340]), &expected), "signature-length");
        let another = Issuer::generate().modulus();
        assert_eq!(reason(&token, &expectation(&another)), "signature-invalid");
    }

    #[test]
    fn malformed_payloads_are_refused_here_alone() {
        let issuer = Issuer::generate();
        let modulus = issuer.modulus();
        let expected = expectation(&modulus);
        for payload in
            [PAYLOAD.replace("300,", "300,,"), PAYLOAD.replace("\"n\"", "\"n"), format!("{PAYLOAD}x")]
        {
            assert_eq!(reason(&issuer.token(&payload), &expected), "payload-malformed", "{payload}");
        }
    }

    #[test]
    fn what_no_token_can_meet() {
        let issuer = Issuer::generate();
        let modulus = issuer.modulus();
        let token = issuer.token(PAYLOAD);
        let salt = BindingSalt(Fr::from(1u64));
        let zero = Fr::from(0u64);
        let with = |binding, usage| Expectation { binding, usage, ..expectation(&modulus) };
        let zero_nonce = with(Binding::Nonce { bind: zero, salt }, Usage::Certificate);
        assert_eq!(reason(&token, &zero_nonce), "bind-zero");
        let zero_audience = with(Binding::Audience { bind: zero, salt }, Usage::Certificate);
        assert_eq!(reason(&token, &zero_audience), "bind-zero");
        assert_eq!(reason(&token, &with(Binding::Unbound, Usage::Evaluation)), "evaluation-unbound");
        let reserved = Expectation { audience: "sigveil.example", ..expectation(&modulus) };
        assert_eq!(reason(&token, &reserved), "audience-reserved");
    }
}
