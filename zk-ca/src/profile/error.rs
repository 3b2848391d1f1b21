//! Reasons for which a certificate is refused by its profile.

use der::asn1::ObjectIdentifier;

use sigveil_vrf_identity::label::SanError;

use crate::key::KeyError;

/// Why a certificate is not one of protocol.md §6: one variant, and one reason code, per check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not the DER of an X.509 certificate.
    #[error("the certificate cannot be decoded")]
    Malformed,
    /// Decodes, but is not the one DER encoding of its content.
    #[error("the certificate is not in its canonical encoding")]
    NotCanonical,
    /// Not version 3.
    #[error("the certificate is not X.509 version 3")]
    Version,
    /// Signature algorithm other than ecdsa-with-SHA256, or the two fields that name it differ.
    #[error("the certificate is not signed with ECDSA and SHA-256")]
    SignatureAlgorithm,
    /// Serial zero, negative or longer than 20 bytes.
    #[error("the serial number is out of range")]
    Serial,
    /// The subject carries a name.
    #[error("the subject is not empty")]
    Subject,
    /// notAfter − notBefore is not 600 s.
    #[error("the certificate is not valid for exactly ten minutes")]
    ValiditySpan,
    /// An obsolete unique identifier is present.
    #[error("the certificate carries a unique identifier")]
    UniqueIdentifier,
    /// The subject's key.
    #[error("certified key: {0}")]
    Key(KeyError),
    /// A demanded extension is absent.
    #[error("extension {0} is missing")]
    ExtensionMissing(ObjectIdentifier),
    /// An extension occurs twice.
    #[error("extension {0} occurs twice")]
    ExtensionDuplicate(ObjectIdentifier),
    /// An extension that the profile does not name: it could carry what must not be published.
    #[error("extension {0} is not part of the profile")]
    ExtensionUnknown(ObjectIdentifier),
    /// An extension is critical and must not be, or the reverse.
    #[error("extension {0} has the wrong criticality")]
    ExtensionCritical(ObjectIdentifier),
    /// Key usage other than digitalSignature alone.
    #[error("the key usage is not digitalSignature alone")]
    KeyUsage,
    /// Extended key usage other than codeSigning alone.
    #[error("the extended key usage is not codeSigning alone")]
    ExtendedKeyUsage,
    /// The subject key identifier is not that of the key.
    #[error("the subject key identifier is not that of the certified key")]
    SubjectKeyId,
    /// The authority key identifier names no key.
    #[error("the authority key identifier is not a key identifier alone")]
    AuthorityKeyId,
    /// Not exactly one name.
    #[error("the subject alternative name does not hold exactly one name")]
    SanCount,
    /// The name is no URI.
    #[error("the subject alternative name is not a URI")]
    SanType,
    /// The URI is not the one spelling of a label.
    #[error("the subject alternative name is not a label: {0}")]
    San(SanError),
    /// An issuer extension is empty, too long or no UTF-8.
    #[error("an issuer extension is malformed")]
    IssuerMalformed,
    /// .1.1 and .1.8 differ.
    #[error("the two issuer extensions differ")]
    IssuerMismatch,
    /// The SCT list is no TLS list of non-empty entries.
    #[error("the list of signed certificate timestamps is malformed")]
    SctMalformed,
    /// Not exactly one SCT.
    #[error("the certificate does not embed exactly one signed certificate timestamp")]
    SctCount,
    /// Suite extension malformed.
    #[error("the suite extension is malformed")]
    SuiteMalformed,
    /// A suite or circuit version that this verifier does not know.
    #[error(
        "suite {suite}, circuit version {circuit_version} is not known here: a newer sigveil may be needed"
    )]
    SuiteUnsupported {
        /// Number of the suite.
        suite: u8,
        /// Version of its circuits.
        circuit_version: u16,
    },
    /// Not the encoding of a point that is on the curve, in the subgroup and not the identity.
    #[error("the commitment is malformed")]
    Commitment,
    /// Not a canonical field element.
    #[error("the linking commitment is malformed")]
    LinkingCommitment,
    /// The token evidence is malformed.
    #[error("the token evidence is malformed")]
    TokenEvidence,
    /// The proof of the token is no proof encoding.
    #[error("the token proof is malformed")]
    TokenProof,
    /// The proof of the pseudonym is no proof encoding.
    #[error("the nym proof is malformed")]
    NymProof,
    /// The digest list is no list of 32-byte strings, or too long.
    #[error("the list of sealed claims is malformed")]
    SealedClaims,
    /// Proofs, and the promise of proofs.
    #[error("the certificate carries proofs and says that they will follow")]
    ProofsTwofold,
    /// The digest of what will be proven is none.
    #[error("the digest of what will be proven is malformed")]
    DeferredInstance,
    /// A blind certificate must carry its proofs.
    #[error("a blind certificate defers its proofs")]
    DeferredInBlind,
    /// A blind certificate must carry no sealed claims.
    #[error("a blind certificate carries sealed claims")]
    SealedClaimsInBlind,
    /// Unbound evidence in a blind certificate.
    #[error("a blind certificate carries an unbound token proof")]
    UnboundInBlind,
    /// A value that cannot be encoded: time before 1970 or after 9999, issuer too long.
    #[error("a value has no encoding in the certificate")]
    Unencodable,
}

impl ProfileError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "certificate-malformed",
            Self::NotCanonical => "certificate-not-canonical",
            Self::Version => "certificate-version",
            Self::SignatureAlgorithm => "certificate-signature-algorithm",
            Self::Serial => "certificate-serial",
            Self::Subject => "certificate-subject",
            Self::ValiditySpan => "certificate-validity-span",
            Self::UniqueIdentifier => "certificate-unique-identifier",
            Self::Key(error) => error.reason(),
            Self::ExtensionMissing(_) => "certificate-extension-missing",
            Self::ExtensionDuplicate(_) => "certificate-extension-duplicate",
            Self::ExtensionUnknown(_) => "certificate-extension-unknown",
            Self::ExtensionCritical(_) => "certificate-extension-criticality",
            Self::KeyUsage => "certificate-key-usage",
            Self::ExtendedKeyUsage => "certificate-extended-key-usage",
            Self::SubjectKeyId => "certificate-subject-key-id",
            Self::AuthorityKeyId => "certificate-authority-key-id",
            Self::SanCount => "certificate-san-count",
            Self::SanType => "certificate-san-type",
            Self::San(error) => error.reason(),
            Self::IssuerMalformed => "certificate-issuer-malformed",
            Self::IssuerMismatch => "certificate-issuer-mismatch",
            Self::SctMalformed => "sct-malformed",
            Self::SctCount => "sct-count",
            Self::SuiteMalformed => "certificate-suite-malformed",
            Self::SuiteUnsupported { .. } => "certificate-suite-unsupported",
            Self::Commitment => "commitment-malformed",
            Self::LinkingCommitment => "linking-commitment-malformed",
            Self::TokenEvidence => "token-evidence-malformed",
            Self::TokenProof => "token-proof-malformed",
            Self::NymProof => "nym-proof-malformed",
            Self::SealedClaims => "sealed-claims-malformed",
            Self::ProofsTwofold => "certificate-proofs-twofold",
            Self::DeferredInstance => "deferred-instance-malformed",
            Self::DeferredInBlind => "blind-deferred",
            Self::SealedClaimsInBlind => "sealed-claims-in-blind",
            Self::UnboundInBlind => "blind-unbound",
            Self::Unencodable => "certificate-unencodable",
        }
    }
}
