//! From submitted certificates to what is logged (RFC 6962 §3.1, static-ct-api 1.1).
//!
//! Every certificate must have been issued by the next, and the last by an accepted root or be one: only so is
//! somebody to blame for each entry. Neither time nor purpose is a condition, since a log is there to show
//! misissuance too. A submitter may leave the root out; it is then added, so that a chain that is kept is whole.

use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use super::embedded::{POISON, SCT_LIST, issuer_key_hash, precertificate_tbs};
use super::{LoggedCertificate, PrecertEntry};
use crate::ca_key::CaKey;
use crate::der_sets;

/// Most certificates of a submission, and most above one that is logged.
pub(crate) const MAX_CHAIN: usize = 16;
/// Largest certificate, bytes.
pub(crate) const MAX_CERTIFICATE: usize = 65_535;
/// Content of the poison extension: a DER NULL.
const POISON_VALUE: &[u8] = &[5, 0];
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const PRECERTIFICATE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.4");

/// Why a submission is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not the JSON demanded, no base64, or a certificate that is not DER in canonical form or names another signature
    /// algorithm than the one that is signed.
    #[error("the submission cannot be read")]
    Malformed,
    /// More than 16 certificates, or one of more than 65,535 bytes.
    #[error("a certificate or the chain is too large")]
    TooLarge,
    /// A precertificate without the critical poison extension, or with more than one.
    #[error("this is no precertificate: the poison extension is missing or not as RFC 6962 has it")]
    PoisonMissing,
    /// A final certificate with it.
    #[error("this is a precertificate, which goes to add-pre-chain")]
    PoisonPresent,
    /// A precertificate that has timestamps already. What readers rebuild of it is without the poison only
    /// (RFC 6962 §3.2), and is not what its certificate will be.
    #[error("a precertificate has no timestamps yet")]
    TimestampsPresent,
    /// A certificate that the next one has not issued, or by one that is no authority.
    #[error("a certificate of the chain was not issued by the next")]
    NotIssued,
    /// The chain ends elsewhere.
    #[error("the chain does not end in an accepted root")]
    RootUnknown,
    /// A dedicated precertificate signing certificate (RFC 6962 §3.1), whose entries have another form.
    #[error("precertificates of a dedicated signing certificate are not accepted by this log")]
    PrecertificateSigner,
}

impl ChainError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "ct-malformed",
            Self::TooLarge => "ct-too-large",
            Self::PoisonMissing => "ct-poison-missing",
            Self::PoisonPresent => "ct-poison-present",
            Self::TimestampsPresent => "ct-sct-present",
            Self::NotIssued => "ct-chain-broken",
            Self::RootUnknown => "ct-root-unknown",
            Self::PrecertificateSigner => "ct-precertificate-signer",
        }
    }
}

/// What a submission says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A final certificate: `add-chain`.
    Certificate,
    /// A precertificate: `add-pre-chain`.
    Precertificate,
}

/// A certificate as it stands and as it reads.
#[derive(Clone)]
pub(crate) struct Parsed {
    der: Vec<u8>,
    content: Certificate,
}

impl Parsed {
    pub(crate) fn new(der: Vec<u8>) -> Result<Self, ChainError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(ChainError::TooLarge);
        }
        if !der_sets::are_small(&der) {
            return Err(ChainError::Malformed);
        }
        let content = Certificate::from_der(&der).map_err(|_| ChainError::Malformed)?;
        // The algorithm outside of what is signed must be the one inside (RFC 5280 §4.1.1.2): else anybody could write
        // there what they like.
        if content.signature_algorithm != content.tbs_certificate.signature {
            return Err(ChainError::Malformed);
        }
        // Signatures are verified over the content encoded again.
        if content.to_der().is_ok_and(|again| again == der) {
            Ok(Self { der, content })
        } else {
            Err(ChainError::Malformed)
        }
    }

    /// Values of the extensions of this name, and whether they are critical.
    fn extensions(&self, id: ObjectIdentifier) -> impl Iterator<Item = (&[u8], bool)> {
        let extensions = self.content.tbs_certificate.extensions.iter().flatten();
        let named = extensions.filter(move |extension| extension.extn_id == id);
        named.map(|extension| (extension.extn_value.as_bytes(), extension.critical))
    }

    /// The first of them.
    fn extension(&self, id: ObjectIdentifier) -> Option<(&[u8], bool)> {
        self.extensions(id).next()
    }

    /// As it stands.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it is what `kind` says.
    pub(crate) fn check_kind(&self, kind: EntryKind) -> Result<(), ChainError> {
        let mut poison = self.extensions(POISON);
        match (kind, poison.next(), poison.next()) {
            (EntryKind::Certificate, None, _) => Ok(()),
            (EntryKind::Certificate, Some(_), _) => Err(ChainError::PoisonPresent),
            (EntryKind::Precertificate, Some((POISON_VALUE, true)), None) => {
                let free = self.extension(SCT_LIST).is_none();
                if free { Ok(()) } else { Err(ChainError::TimestampsPresent) }
            }
            (EntryKind::Precertificate, ..) => Err(ChainError::PoisonMissing),
        }
    }

    fn is_authority(&self) -> bool {
        let constraints = self.extension(BASIC_CONSTRAINTS);
        constraints.is_some_and(|(value, _)| BasicConstraints::from_der(value).is_ok_and(|found| found.ca))
    }

    fn signs_precertificates(&self) -> bool {
        let usage =
            self.extension(EXTENDED_KEY_USAGE).and_then(|(value, _)| ExtendedKeyUsage::from_der(value).ok());
        usage.is_some_and(|usage| usage.0.contains(&PRECERTIFICATE_SIGNING))
    }

    /// Whether this one issued `other`: an authority, by name and by signature.
    pub(crate) fn issued(&self, other: &Self) -> bool {
        let [parent, child] = [self, other].map(|certificate| &certificate.content.tbs_certificate);
        let signature = other.content.signature.as_bytes();
        let key = parent.subject_public_key_info.to_der().ok().and_then(|spki| CaKey::from_spki(&spki).ok());
        let (Some(signature), Some(key), Ok(message)) = (signature, key, child.to_der()) else {
            return false;
        };
        parent.subject == child.issuer && self.is_authority() && key.signed(&message, signature)
    }
}

/// Roots in which the chains of submissions may end.
#[derive(Clone, Default)]
pub struct AcceptedRoots(Vec<Parsed>);

impl AcceptedRoots {
    /// Of DER certificates.
    ///
    /// # Errors
    /// [`ChainError::Malformed`] or [`ChainError::TooLarge`] for one that cannot be read.
    pub fn new(roots: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, ChainError> {
        roots.into_iter().map(Parsed::new).collect::<Result<_, _>>().map(Self)
    }

    /// The root that issued the last of a chain; `None` where that is a root itself, and not all there is.
    fn above(&self, chain: &[Parsed]) -> Result<Option<&Parsed>, ChainError> {
        let last = chain.last().ok_or(ChainError::Malformed)?;
        if chain.len() > 1 && self.iter().any(|root| root == last.der) {
            return Ok(None);
        }
        self.0.iter().find(|root| root.issued(last)).map(Some).ok_or(ChainError::RootUnknown)
    }

    /// Their DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Parsed::der)
    }
}

/// A submission whose chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// What is to be logged.
    pub entry: LoggedCertificate,
    /// DER of the certificates above it, its issuer first, the root last.
    pub issuers: Vec<Vec<u8>>,
}

impl Submission {
    /// Checks a chain of DER certificates, the one to be logged first.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn check(chain: Vec<Vec<u8>>, kind: EntryKind, roots: &AcceptedRoots) -> Result<Self, ChainError> {
        if chain.len() > MAX_CHAIN {
            return Err(ChainError::TooLarge);
        }
        let mut chain = chain.into_iter().map(Parsed::new).collect::<Result<Vec<_>, _>>()?;
        let leaf = chain.first().ok_or(ChainError::Malformed)?;
        leaf.check_kind(kind)?;
        let root = roots.above(&chain)?.cloned();
        // From the top, so that a key which no root vouches for never verifies anything: those of a submission may be of any
        // size, and anybody may submit.
        if chain.windows(2).rev().any(|pair| !pair[1].issued(&pair[0])) {
            return Err(ChainError::NotIssued);
        }
        chain.extend(root);
        let leaf = chain.remove(0);
        if kind == EntryKind::Precertificate && chain[0].signs_precertificates() {
            return Err(ChainError::PrecertificateSigner);
        }
        let issuers: Vec<_> = chain.into_iter().map(|issuer| issuer.der).collect();
        let entry = match kind {
            EntryKind::Certificate => LoggedCertificate::Certificate(leaf.der),
            EntryKind::Precertificate => {
                let entry = PrecertEntry {
                    issuer_key_hash: issuer_key_hash(&issuers[0]).map_err(|_| ChainError::Malformed)?,
                    tbs: precertificate_tbs(&leaf.der).map_err(|_| ChainError::Malformed)?,
                };
                LoggedCertificate::Precertificate { entry, der: leaf.der }
            }
        };
        Ok(Self { entry, issuers })
    }
}
