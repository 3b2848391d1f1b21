//! Why a token is refused.

use sigveil_vrf_identity::identity::IdentityError;
use thiserror::Error;

/// A claim of which the statement speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimName(pub(crate) &'static str);

impl std::fmt::Display for ClaimName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a token is refused; each has one reason code ([`Refusal::reason`]).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// `token-not-compact`: not three parts between two dots.
    #[error("not a signed JWT in compact form: three parts between two dots")]
    NotCompact,
    /// `token-too-large`: header and payload as signed exceed 2,560 characters.
    #[error("header and payload as signed have {0} characters, at most 2560 can be proven")]
    TooLarge(usize),
    /// `token-base64`: a part is not strict base64url: foreign character, padding, impossible length or nonzero
    /// trailing bits.
    #[error("the {0} is not strict base64url without padding")]
    Base64(&'static str),
    /// `header-too-long`: more than 248 bytes.
    #[error("the header has {0} bytes, at most 248 are listed")]
    HeaderTooLong(usize),
    /// `header-malformed`: not a JSON object whose keys are written without escapes.
    #[error("the header is not a JSON object of plain keys")]
    HeaderMalformed,
    /// `header-member`: a member other than alg, typ, kid and x5t.
    #[error("the header has a member other than alg, typ, kid and x5t")]
    HeaderMember,
    /// `header-duplicate`: a member twice.
    #[error("the header has a member twice")]
    HeaderDuplicate,
    /// `header-algorithm`: alg is not exactly `RS256`.
    #[error("the token's algorithm is not RS256")]
    HeaderAlgorithm,
    /// `header-type`: typ is present and not exactly `JWT`.
    #[error("the token's type is not JWT")]
    HeaderType,
    /// `header-key-id`: kid or x5t is not a string.
    #[error("the header's kid or x5t is not a string")]
    HeaderKeyId,
    /// `modulus-size`: the issuer's modulus has not exactly 2,048, 3,072 or 4,096 bits.
    #[error("the issuer's RSA modulus has {0} bits; 2048, 3072 and 4096 are supported")]
    ModulusSize(usize),
    /// `modulus-even`: no RSA modulus is even.
    #[error("the issuer's RSA modulus is even")]
    ModulusEven,
    /// `exponent-unsupported`: the issuer's exponent is not 65,537.
    #[error("the issuer's RSA exponent is not 65537")]
    Exponent,
    /// `signature-length`: not as many bytes as the issuer's modulus.
    #[error("the signature has {0} bytes, not as many as the issuer's modulus")]
    SignatureLength(usize),
    /// `signature-invalid`: RS256 does not verify under the issuer's key.
    #[error("the signature does not verify under the issuer's key")]
    Signature,
    /// `payload-malformed`: not well-formed JSON in UTF-8 (RFC 8259).
    #[error("the payload is not well-formed JSON: {0} at byte {1}")]
    PayloadMalformed(&'static str, usize),
    /// `payload-not-object`: JSON, but no object.
    #[error("the payload is not a JSON object")]
    PayloadNotObject,
    /// `key-escaped`: a top-level key holds a backslash, so it could be a claim's name in disguise.
    #[error("a top-level key of the payload holds a backslash")]
    KeyEscaped,
    /// `claim-missing`.
    #[error("the claim {0} is missing")]
    ClaimMissing(ClaimName),
    /// `claim-duplicate`: at the top level more than once.
    #[error("the claim {0} occurs more than once")]
    ClaimDuplicate(ClaimName),
    /// `claim-type`: not of the JSON type demanded; times are plain integers of 1 to 10 digits.
    #[error("the claim {0} has the wrong type or form")]
    ClaimType(ClaimName),
    /// `claim-escaped`: a string that must have one spelling holds a backslash.
    #[error("the claim {0} holds a backslash")]
    ClaimEscaped(ClaimName),
    /// `issuer-mismatch`.
    #[error("the token is from another issuer")]
    Issuer,
    /// `audience-mismatch`.
    #[error("the token is for another audience")]
    Audience,
    /// `audience-not-sole`: an array that holds anything but exactly one string.
    #[error("the token's audience is an array that does not hold exactly one string")]
    AudienceNotSole,
    /// `audience-too-long`: more than 248 bytes.
    #[error("the audience is longer than 248 bytes")]
    AudienceTooLong,
    /// `audience-reserved`: begins with `sigveil`, which is kept for tokens bound by audience.
    #[error("the audience begins with `sigveil`, which only a token bound by its audience may")]
    AudienceReserved,
    /// `audience-not-bound`: the audience is not the binding of this key.
    #[error("the token's audience does not bind this key")]
    AudienceNotBound,
    /// `token-from-future`: `iat` is more than 60 s ahead.
    #[error("the token was issued more than 60 s in the future")]
    FromFuture,
    /// `token-expired`.
    #[error("the token has expired")]
    Expired,
    /// `token-not-yet-valid`: `nbf` is more than 60 s ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `email-not-verified`: `email_verified` is not literally true.
    #[error("the issuer has not verified this e-mail address")]
    EmailNotVerified,
    /// `ref-not-protected`: `ref_protected` is not the string `"true"`.
    #[error("the workflow ran on a ref that is not protected")]
    RefNotProtected,
    /// `identity-empty`: the identity claim is the empty string.
    #[error("the identity claim is empty")]
    IdentityEmpty,
    /// The codes of [`IdentityError`], as they are.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// `nonce-not-bound`: the nonce is missing or not the binding of this key.
    #[error("the token's nonce does not bind this key")]
    NonceNotBound,
    /// `nonce-reserved`: a token bound by its nonce, used unbound.
    #[error("the token is bound to a key by its nonce and cannot be used unbound")]
    NonceReserved,
    /// `bind-zero`: zero stands for unbound and binds nothing.
    #[error("a token cannot be bound to the value zero")]
    BindZero,
    /// `evaluation-unbound`: an evaluation is always bound.
    #[error("a token for an evaluation must be bound")]
    EvaluationUnbound,
}

impl Refusal {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotCompact => "token-not-compact",
            Self::TooLarge(_) => "token-too-large",
            Self::Base64(_) => "token-base64",
            Self::HeaderTooLong(_) => "header-too-long",
            Self::HeaderMalformed => "header-malformed",
            Self::HeaderMember => "header-member",
            Self::HeaderDuplicate => "header-duplicate",
            Self::HeaderAlgorithm => "header-algorithm",
            Self::HeaderType => "header-type",
            Self::HeaderKeyId => "header-key-id",
            Self::ModulusSize(_) => "modulus-size",
            Self::ModulusEven => "modulus-even",
            Self::Exponent => "exponent-unsupported",
            Self::SignatureLength(_) => "signature-length",
            Self::Signature => "signature-invalid",
            Self::PayloadMalformed(..) => "payload-malformed",
            Self::PayloadNotObject => "payload-not-object",
            Self::KeyEscaped => "key-escaped",
            Self::ClaimMissing(_) => "claim-missing",
            Self::ClaimDuplicate(_) => "claim-duplicate",
            Self::ClaimType(_) => "claim-type",
            Self::ClaimEscaped(_) => "claim-escaped",
            Self::Issuer => "issuer-mismatch",
            Self::Audience => "audience-mismatch",
            Self::AudienceNotSole => "audience-not-sole",
            Self::AudienceTooLong => "audience-too-long",
            Self::AudienceReserved => "audience-reserved",
            Self::AudienceNotBound => "audience-not-bound",
            Self::FromFuture => "token-from-future",
            Self::Expired => "token-expired",
            Self::NotYetValid => "token-not-yet-valid",
            Self::EmailNotVerified => "email-not-verified",
            Self::RefNotProtected => "ref-not-protected",
            Self::IdentityEmpty => "identity-empty",
            Self::Identity(error) => error.reason(),
            Self::NonceNotBound => "nonce-not-bound",
            Self::NonceReserved => "nonce-reserved",
            Self::BindZero => "bind-zero",
            Self::EvaluationUnbound => "evaluation-unbound",
        }
    }
}
