//! Disclosures: what an owner shows about who signed (protocol.md §4.4).
//!
//! A disclosure is a file beside the bundle, made for one certificate, one artifact and one verifier's context, and
//! checked offline. It counts only if the certificate's proofs verify: whoever calls [`OpenDisclosure::verify`] has
//! checked them and takes the commitment from there.
//!
//! Here is `open`, which is (identity, ρ) itself. It carries no proof, so no transcript: whoever has read it holds
//! ρ and can make one for another context. The context says for whom the owner meant it, not who may pass it on.
//! `equal`, `member` and `claims` are refused with a reason of their own until they exist.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::commitment::{Commitment, Rho};
use crate::curve::ScalarError;
use crate::identity::{Identity, IdentityError, Kind};

/// The version of the file that is written and read.
pub const VERSION: u32 = 1;
/// Most bytes of a disclosure file.
pub const MAX_FILE_BYTES: usize = 16 * 1024;
/// Most bytes of a verifier's context string.
pub const MAX_CONTEXT_BYTES: usize = 1024;

/// Why a disclosure is refused.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// Longer than [`MAX_FILE_BYTES`], or a context longer than [`MAX_CONTEXT_BYTES`].
    #[error("the disclosure or its context is too long")]
    TooLong,
    /// Not the JSON that the version prescribes.
    #[error("the disclosure is malformed")]
    Malformed,
    /// A version that is not known.
    #[error("the disclosure has version {0}, known is {VERSION}")]
    Version(u32),
    /// `equal`, `member` or `claims`, which this version of the software cannot check.
    #[error("disclosures of kind '{0}' are not supported yet")]
    NotSupported(&'static str),
    /// Not an identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Not a scalar.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
    /// Made for another certificate.
    #[error("the disclosure was made for another certificate")]
    OtherCertificate,
    /// Made for another artifact.
    #[error("the disclosure was made for another artifact")]
    OtherArtifact,
    /// Made for another verifier's context.
    #[error("the disclosure was made for another context")]
    OtherContext,
    /// The certificate's commitment holds another identity.
    #[error("the certificate's commitment does not open to the disclosed identity")]
    Opening,
}

impl DisclosureError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "disclosure-too-long",
            Self::Malformed => "disclosure-malformed",
            Self::Version(_) => "disclosure-version",
            Self::NotSupported(_) => "disclosure-not-supported",
            Self::Identity(error) => error.reason(),
            Self::Scalar(error) => error.reason(),
            Self::OtherCertificate => "disclosure-other-certificate",
            Self::OtherArtifact => "disclosure-other-artifact",
            Self::OtherContext => "disclosure-other-context",
            Self::Opening => "disclosure-opening",
        }
    }
}

/// What a disclosure is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// SHA-256 of the leaf certificate (DER).
    pub certificate: [u8; 32],
    /// SHA-256 of the artifact.
    pub artifact: [u8; 32],
    /// The verifier's context string, chosen by the verifier; may be empty.
    pub context: String,
}

/// A disclosure that is well formed, and not yet checked against anything.
pub enum Disclosure {
    /// Who signed.
    Open(OpenDisclosure),
}

impl Disclosure {
    /// Reads a disclosure file.
    ///
    /// # Errors
    /// All but the `Other…` and [`DisclosureError::Opening`].
    pub fn parse(file: &[u8]) -> Result<Self, DisclosureError> {
        if file.len() > MAX_FILE_BYTES {
            return Err(DisclosureError::TooLong);
        }
        let head: Head = serde_json::from_slice(file).map_err(|_| DisclosureError::Malformed)?;
        if head.version != VERSION {
            return Err(DisclosureError::Version(head.version));
        }
        match head.kind.as_str() {
            "open" => {
                let wire: OpenFile = serde_json::from_slice(file).map_err(|_| DisclosureError::Malformed)?;
                OpenDisclosure::try_from(wire).map(Self::Open)
            }
            "equal" => Err(DisclosureError::NotSupported("equal")),
            "member" => Err(DisclosureError::NotSupported("member")),
            "claims" => Err(DisclosureError::NotSupported("claims")),
            _ => Err(DisclosureError::Malformed),
        }
    }
}

/// `open`: the identity and the commitment's randomness.
pub struct OpenDisclosure {
    subject: Subject,
    identity: Identity,
    rho: Rho,
}

impl OpenDisclosure {
    /// Opens a certificate's commitment for one subject.
    ///
    /// # Errors
    /// [`DisclosureError::Opening`] if the commitment does not open so; [`DisclosureError::TooLong`] for the context.
    pub fn new(
        subject: Subject,
        identity: Identity,
        rho: Rho,
        commitment: &Commitment,
    ) -> Result<Self, DisclosureError> {
        if subject.context.len() > MAX_CONTEXT_BYTES {
            return Err(DisclosureError::TooLong);
        }
        if !commitment.opens_to(&identity.idf(), &rho) {
            return Err(DisclosureError::Opening);
        }
        Ok(Self { subject, identity, rho })
    }

    /// Checks that this was made for `subject`, and that the commitment of its certificate, whose proofs the caller
    /// has verified, holds the identity that it returns.
    ///
    /// # Errors
    /// One of the `Other…`, or [`DisclosureError::Opening`].
    pub fn verify(&self, subject: &Subject, commitment: &Commitment) -> Result<&Identity, DisclosureError> {
        if self.subject.certificate != subject.certificate {
            return Err(DisclosureError::OtherCertificate);
        }
        if self.subject.artifact != subject.artifact {
            return Err(DisclosureError::OtherArtifact);
        }
        if self.subject.context != subject.context {
            return Err(DisclosureError::OtherContext);
        }
        if !commitment.opens_to(&self.identity.idf(), &self.rho) {
            return Err(DisclosureError::Opening);
        }
        Ok(&self.identity)
    }

    /// The file: JSON, with digests and ρ in lower-case hexadecimal.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = OpenFile {
            version: VERSION,
            kind: "open".to_owned(),
            certificate: HEXLOWER.encode(&self.subject.certificate),
            artifact: HEXLOWER.encode(&self.subject.artifact),
            context: self.subject.context.clone(),
            identity: IdentityFile {
                issuer: self.identity.issuer().to_owned(),
                kind: self.identity.kind().name().to_owned(),
                value: self.identity.value().to_owned(),
            },
            rho: HEXLOWER.encode(&*self.rho.to_bytes()),
        };
        serde_json::to_string_pretty(&file).expect("strings and numbers always serialise") + "\n"
    }
}

/// What every version of every kind begins with.
#[derive(Deserialize)]
struct Head {
    version: u32,
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenFile {
    version: u32,
    kind: String,
    certificate: String,
    artifact: String,
    context: String,
    identity: IdentityFile,
    rho: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    issuer: String,
    kind: String,
    value: String,
}

impl TryFrom<OpenFile> for OpenDisclosure {
    type Error = DisclosureError;

    fn try_from(file: OpenFile) -> Result<Self, DisclosureError> {
        if file.context.len() > MAX_CONTEXT_BYTES {
            return Err(DisclosureError::TooLong);
        }
        let IdentityFile { issuer, kind, value } = &file.identity;
        Ok(Self {
            subject: Subject {
                certificate: hex32(&file.certificate)?,
                artifact: hex32(&file.artifact)?,
                context: file.context,
            },
            identity: Identity::new(issuer, Kind::from_name(kind)?, value)?,
            rho: Rho::from_bytes(&hex32(&file.rho)?)?,
        })
    }
}

fn hex32(text: &str) -> Result<[u8; 32], DisclosureError> {
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| DisclosureError::Malformed)?;
    bytes.try_into().map_err(|_| DisclosureError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rho(last: u8) -> Rho {
        let mut bytes = [0; 32];
        bytes[31] = last;
        Rho::from_bytes(&bytes).unwrap()
    }

    fn identity(value: &str) -> Identity {
        Identity::new("https://issuer.example", Kind::Email, value).unwrap()
    }

    fn subject() -> Subject {
        Subject { certificate: [1; 32], artifact: [2; 32], context: "ci".to_owned() }
    }

    fn sample() -> (OpenDisclosure, Commitment) {
        let identity = identity("a@b.example");
        let commitment = Commitment::new(&identity.idf(), &rho(9)).unwrap();
        (OpenDisclosure::new(subject(), identity, rho(9), &commitment).unwrap(), commitment)
    }

    fn changed(path: &[&str], value: Value) -> Option<DisclosureError> {
        let mut file: Value = serde_json::from_str(&sample().0.to_json()).unwrap();
        let target = path.iter().fold(&mut file, |file, key| &mut file[key]);
        *target = value;
        Disclosure::parse(file.to_string().as_bytes()).err()
    }

    #[test]
    fn file_round_trips_and_verifies() {
        let (disclosure, commitment) = sample();
        let Disclosure::Open(read) = Disclosure::parse(disclosure.to_json().as_bytes()).unwrap();
        assert_eq!(read.verify(&subject(), &commitment).unwrap().value(), "a@b.example");
        assert_eq!(read.to_json(), disclosure.to_json());
    }

    #[test]
    fn each_binding_by_its_own_check() {
        let (disclosure, commitment) = sample();
        let refused = |subject: Subject| disclosure.verify(&subject, &commitment).err();
        let other = Subject { certificate: [9; 32], ..subject() };
        assert_eq!(refused(other), Some(DisclosureError::OtherCertificate));
        assert_eq!(refused(Subject { artifact: [9; 32], ..subject() }), Some(DisclosureError::OtherArtifact));
        let other = Subject { context: String::new(), ..subject() };
        assert_eq!(refused(other), Some(DisclosureError::OtherContext));
        let other = Commitment::new(&identity("b@b.example").idf(), &rho(9)).unwrap();
        assert_eq!(disclosure.verify(&subject(), &other).err(), Some(DisclosureError::Opening));
    }

    #[test]
    fn false_opening_is_not_even_made() {
        let (_, commitment) = sample();
        let wrong = |identity, rho| OpenDisclosure::new(subject(), identity, rho, &commitment).err();
        assert_eq!(wrong(identity("b@b.example"), rho(9)), Some(DisclosureError::Opening));
        assert_eq!(wrong(identity("a@b.example"), rho(8)), Some(DisclosureError::Opening));
    }

    #[test]
    fn kinds_to_come_have_their_own_reason() {
        for kind in ["equal", "member", "claims"] {
            let file = json!({"version": 1, "kind": kind}).to_string();
            assert_eq!(Disclosure::parse(file.as_bytes()).err(), Some(DisclosureError::NotSupported(kind)));
        }
    }

    #[test]
    fn malformed_files_are_refused() {
        assert_eq!(changed(&["version"], json!(2)), Some(DisclosureError::Version(2)));
        assert_eq!(changed(&["kind"], json!("shut")), Some(DisclosureError::Malformed));
        assert_eq!(changed(&["extra"], json!(1)), Some(DisclosureError::Malformed));
        assert_eq!(changed(&["certificate"], json!("AB".repeat(32))), Some(DisclosureError::Malformed));
        assert_eq!(changed(&["artifact"], json!("ab")), Some(DisclosureError::Malformed));
        assert_eq!(changed(&["context"], json!("c".repeat(1025))), Some(DisclosureError::TooLong));
        let unreduced = DisclosureError::Scalar(ScalarError::NotReduced);
        assert_eq!(changed(&["rho"], json!("ff".repeat(32))), Some(unreduced));
        let unknown = DisclosureError::Identity(IdentityError::UnknownKind);
        assert_eq!(changed(&["identity", "kind"], json!("name")), Some(unknown));
        let escaped = DisclosureError::Identity(IdentityError::Backslash);
        assert_eq!(changed(&["identity", "value"], json!("a\\b")), Some(escaped));
        let doubled = sample().0.to_json().replacen('{', "{\"rho\":\"00\",", 1);
        assert_eq!(Disclosure::parse(doubled.as_bytes()).err(), Some(DisclosureError::Malformed));
        let padded = sample().0.to_json() + &" ".repeat(MAX_FILE_BYTES);
        assert_eq!(Disclosure::parse(padded.as_bytes()).err(), Some(DisclosureError::TooLong));
        assert_eq!(Disclosure::parse(b"").err(), Some(DisclosureError::Malformed));
    }
}
