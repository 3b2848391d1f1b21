//! Identities and their encoding (protocol.md §2).
//!
//! An identity is a token's issuer, which claim names the subject, and that claim's bytes exactly as they stand in
//! the token: never normalised, never unescaped. It is encoded to one fixed length, the same in every circuit, and
//! hashed to the field element [`Idf`], the only form in which a proof knows it.

use std::fmt;

use ark_bn254::Fr;
use thiserror::Error;

use crate::domain::Domain;
use crate::{field, poseidon};

/// Bytes of an encoded identity.
pub const ENCODED_BYTES: usize = 372;
/// Field elements of an encoded identity.
pub const ENCODED_ELEMENTS: usize = ENCODED_BYTES / field::PACKED_BYTES;
/// Most bytes of issuer and value together: the encoding without the kind byte and two lengths.
pub const MAX_TEXT_BYTES: usize = ENCODED_BYTES - 5;

/// Which claim names the subject; fixed per issuer in the trust root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `email`, where `email_verified` is true.
    Email = 1,
    /// `sub`.
    Sub = 2,
    /// GitHub's caller workflow: `workflow_ref` before its first `@`.
    Workflow = 3,
    /// As [`Kind::Workflow`], where `ref_protected` is the string `"true"`.
    WorkflowProtected = 4,
    /// GitLab's caller configuration: `ci_config_ref_uri` before its first `@`.
    CiConfig = 5,
    /// As [`Kind::CiConfig`], where `ref_protected` is the string `"true"`.
    CiConfigProtected = 6,
}

impl Kind {
    /// Every kind, in the order of its byte.
    pub const ALL: [Kind; 6] = [
        Kind::Email,
        Kind::Sub,
        Kind::Workflow,
        Kind::WorkflowProtected,
        Kind::CiConfig,
        Kind::CiConfigProtected,
    ];

    /// The byte that stands for this kind in the encoding and in a statement.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The kind of a byte.
    ///
    /// # Errors
    /// [`IdentityError::UnknownKind`] for a byte without one.
    pub fn from_byte(byte: u8) -> Result<Self, IdentityError> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte).ok_or(IdentityError::UnknownKind)
    }

    /// The name in configuration and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sub => "sub",
            Self::Workflow => "workflow",
            Self::WorkflowProtected => "workflow-protected",
            Self::CiConfig => "ci-config",
            Self::CiConfigProtected => "ci-config-protected",
        }
    }

    /// The kind of a [`name`](Self::name).
    ///
    /// # Errors
    /// [`IdentityError::UnknownKind`] for any other string.
    pub fn from_name(name: &str) -> Result<Self, IdentityError> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(IdentityError::UnknownKind)
    }

    /// The token's claim that holds the value.
    #[must_use]
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sub => "sub",
            Self::Workflow | Self::WorkflowProtected => "workflow_ref",
            Self::CiConfig | Self::CiConfigProtected => "ci_config_ref_uri",
        }
    }

    /// Whether the value ends before the claim's first `@`.
    #[must_use]
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Workflow | Self::WorkflowProtected | Self::CiConfig | Self::CiConfigProtected)
    }

    /// Whether `ref_protected` must be the string `"true"`.
    #[must_use]
    pub const fn demands_protected_ref(self) -> bool {
        matches!(self, Self::WorkflowProtected | Self::CiConfigProtected)
    }

    /// Whether `email_verified` must be true.
    #[must_use]
    pub const fn demands_verified_email(self) -> bool {
        matches!(self, Self::Email)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why this is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// No such kind.
    #[error("unknown identity kind")]
    UnknownKind,
    /// A backslash: an escaped claim would give one identity two spellings.
    #[error("issuer or identity holds a backslash")]
    Backslash,
    /// A quote or control character, which no JSON string holds unescaped.
    #[error("issuer or identity holds a quote or a control character")]
    NotAJsonString,
    /// Issuer and value together exceed [`MAX_TEXT_BYTES`].
    #[error("issuer and identity together are longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// A workflow claim without the `@` that ends the identity.
    #[error("workflow claim has no '@'")]
    NoRef,
    /// A workflow with nothing before the `@`.
    #[error("workflow claim has nothing before its '@'")]
    EmptyWorkflow,
    /// A workflow's value that still holds the `@` it should end before.
    #[error("workflow identity holds an '@'")]
    Uncut,
}

impl IdentityError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownKind => "identity-kind-unknown",
            Self::Backslash => "identity-backslash",
            Self::NotAJsonString => "identity-not-a-json-string",
            Self::TooLong => "identity-too-long",
            Self::NoRef => "identity-workflow-no-ref",
            Self::EmptyWorkflow => "identity-workflow-empty",
            Self::Uncut => "identity-workflow-uncut",
        }
    }
}

/// An identity: issuer, kind and value.
///
/// It is no secret in itself, but who reads it learns who signed: it has no `Display`, and `Debug` leaves the value
/// out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    issuer: String,
    kind: Kind,
    value: String,
}

impl Identity {
    /// The identity with this value, already cut before the `@` where the kind demands it.
    ///
    /// # Errors
    /// Every [`IdentityError`] but [`IdentityError::NoRef`] and [`IdentityError::UnknownKind`].
    pub fn new(issuer: &str, kind: Kind, value: &str) -> Result<Self, IdentityError> {
        check_text(issuer)?;
        check_text(value)?;
        if kind.is_cut() {
            check_cut(value)?;
        }
        if issuer.len() + value.len() > MAX_TEXT_BYTES {
            return Err(IdentityError::TooLong);
        }
        Ok(Self { issuer: issuer.to_owned(), kind, value: value.to_owned() })
    }

    /// The identity that a token's claim names: `claim` is the string as it stands between the quotes, and is cut
    /// before its first `@` where the kind demands it.
    ///
    /// # Errors
    /// As [`Identity::new`]; [`IdentityError::NoRef`] if there is no `@` to cut at.
    pub fn from_claim(issuer: &str, kind: Kind, claim: &str) -> Result<Self, IdentityError> {
        if !kind.is_cut() {
            return Self::new(issuer, kind, claim);
        }
        check_text(claim)?;
        let (value, _ref) = claim.split_once('@').ok_or(IdentityError::NoRef)?;
        Self::new(issuer, kind, value)
    }

    /// The token's `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Which claim names the subject.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The claim's value, cut where the kind demands it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Kind byte, then issuer and value, each behind its length (u16 big-endian), then zeros.
    #[must_use]
    pub fn encode(&self) -> [u8; ENCODED_BYTES] {
        let mut encoded = [0; ENCODED_BYTES];
        encoded[0] = self.kind.byte();
        let mut end = 1;
        for text in [&self.issuer, &self.value] {
            let length = u16::try_from(text.len()).expect("an identity's text is at most 367 bytes");
            encoded[end..end + 2].copy_from_slice(&length.to_be_bytes());
            encoded[end + 2..end + 2 + text.len()].copy_from_slice(text.as_bytes());
            end += 2 + text.len();
        }
        encoded
    }

    /// The encoding as the field elements that [`Idf`] hashes.
    #[must_use]
    pub fn elements(&self) -> Vec<Fr> {
        field::pack31(&self.encode())
    }

    /// `Poseidon(DOM_ID, 12 elements)`.
    #[must_use]
    pub fn idf(&self) -> Idf {
        Idf(poseidon::hash(Domain::Identity, &self.elements()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {}, …)", self.issuer, self.kind)
    }
}

fn check_text(text: &str) -> Result<(), IdentityError> {
    if text.contains('\\') {
        return Err(IdentityError::Backslash);
    }
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"') {
        return Err(IdentityError::NotAJsonString);
    }
    Ok(())
}

fn check_cut(value: &str) -> Result<(), IdentityError> {
    if value.contains('@') {
        return Err(IdentityError::Uncut);
    }
    if value.is_empty() {
        return Err(IdentityError::EmptyWorkflow);
    }
    Ok(())
}

/// The identity as one field element.
///
/// Whoever guesses an identity can compute it, so it is never published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Idf(pub Fr);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ISSUER: &str = "https://issuer.example";

    #[test]
    fn encoding_is_kind_then_lengths_and_texts_then_zeros() {
        let identity = Identity::new("https://i", Kind::Sub, "ab").unwrap();
        let encoded = identity.encode();
        assert_eq!(encoded[..16], *b"\x02\x00\x09https://i\x00\x02ab");
        assert!(encoded[16..].iter().all(|byte| *byte == 0));
        assert_eq!(identity.elements().len(), ENCODED_ELEMENTS);
    }

    #[test]
    fn longest_identity_fits_and_one_byte_more_is_refused() {
        let value = "v".repeat(MAX_TEXT_BYTES - ISSUER.len());
        let identity = Identity::new(ISSUER, Kind::Sub, &value).unwrap();
        assert_eq!(identity.encode()[ENCODED_BYTES - 1], b'v');
        assert_eq!(Identity::new(ISSUER, Kind::Sub, &(value + "v")), Err(IdentityError::TooLong));
    }

    #[test]
    fn boundary_between_issuer_and_value_is_fixed() {
        let one = Identity::new("ab", Kind::Sub, "c").unwrap().idf();
        let other = Identity::new("a", Kind::Sub, "bc").unwrap().idf();
        assert!(one != other);
    }

    #[test]
    fn workflow_is_cut_at_the_first_at_sign_only() {
        let claim = "o/r/.github/workflows/w.yml@refs/tags/v1@2";
        let identity = Identity::from_claim(ISSUER, Kind::Workflow, claim).unwrap();
        assert_eq!(identity.value(), "o/r/.github/workflows/w.yml");
        let mail = Identity::from_claim(ISSUER, Kind::Email, "a@b.example").unwrap();
        assert_eq!(mail.value(), "a@b.example");
    }

    #[test]
    fn each_refusal_by_its_own_check() {
        let claim = |kind, value| Identity::from_claim(ISSUER, kind, value).unwrap_err();
        assert_eq!(claim(Kind::Email, "a\\u0040b"), IdentityError::Backslash);
        assert_eq!(claim(Kind::Email, "a\nb"), IdentityError::NotAJsonString);
        assert_eq!(claim(Kind::Email, "a\"b"), IdentityError::NotAJsonString);
        assert_eq!(claim(Kind::Workflow, "o/r/w.yml"), IdentityError::NoRef);
        assert_eq!(claim(Kind::CiConfig, "@main"), IdentityError::EmptyWorkflow);
        assert_eq!(Identity::new(ISSUER, Kind::Workflow, "w@main").unwrap_err(), IdentityError::Uncut);
        assert_eq!(Identity::new("a\\b", Kind::Sub, "s").unwrap_err(), IdentityError::Backslash);
        assert_eq!(claim(Kind::Workflow, "w.yml@refs\\heads"), IdentityError::Backslash);
    }

    #[test]
    fn kinds_have_their_bytes_names_and_claims() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_byte(kind.byte()), Ok(kind));
            assert_eq!(Kind::from_name(kind.name()), Ok(kind));
        }
        assert_eq!(Kind::from_byte(0), Err(IdentityError::UnknownKind));
        assert_eq!(Kind::from_byte(7), Err(IdentityError::UnknownKind));
        assert_eq!(Kind::CiConfigProtected.claim(), "ci_config_ref_uri");
    }

    #[test]
    fn protected_kind_is_another_identity() {
        let open = Identity::new(ISSUER, Kind::Workflow, "w").unwrap();
        let protected = Identity::new(ISSUER, Kind::WorkflowProtected, "w").unwrap();
        assert!(open.idf() != protected.idf());
    }

    #[test]
    fn debug_does_not_name_anybody() {
        let identity = Identity::new(ISSUER, Kind::Email, "a@b.example").unwrap();
        assert_eq!(format!("{identity:?}"), "Identity(https://issuer.example, email, …)");
    }

    proptest! {
        #[test]
        fn encoding_is_injective(a in "[a-z@]{0,6}", b in "[a-z@]{0,6}", c in "[a-z@]{0,6}", d in "[a-z@]{0,6}") {
            let one = Identity::new(&a, Kind::Sub, &b).unwrap();
            let other = Identity::new(&c, Kind::Sub, &d).unwrap();
            prop_assert_eq!(one == other, one.encode() == other.encode());
        }
    }
}
