//! Object identifiers of the certificate profile, in one place (protocol.md §6).
//!
//! The private arc is a version 4 UUID, 1957a43b-1f24-470f-b9d0-bf9aa76ea6a2, under the arc that Microsoft documents
//! for identifiers made from UUIDs: four groups of 16 bits, then 16, 24 and 24 bits. The shorter form `2.25.<uuid>`
//! does not do here: its single arc of 128 bits overflows the object identifier parsers of Go and of the `der` crates,
//! which refuse the whole certificate.

use der::asn1::ObjectIdentifier;

/// Format version and proof suite of the certificate: [`crate::profile::SuiteVersion`].
pub const SUITE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.1");
/// Pedersen commitment C to the identity (protocol.md §4.4).
pub const COMMITMENT: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.2");
/// Linking commitment of the two proofs, c_id (protocol.md §5.1).
pub const LINKING_COMMITMENT: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.3");
/// `token` proof with its instance data: [`crate::profile::TokenEvidence`].
pub const TOKEN_PROOF: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.4");
/// `nym` proof.
pub const NYM_PROOF: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.5");
/// Digests of the sealed claims.
pub const SEALED_CLAIMS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.6");
/// Digest of what the proofs of a deferred certificate will be about: [`crate::profile::InstanceDigest`].
pub const DEFERRED_INSTANCE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.8");
/// Policy under which the timestamp authority signs.
pub const TIMESTAMP_POLICY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113556.1.8000.2554.6487.42043.7972.18191.47568.12556967.7251618.7");

/// Fulcio's issuer, raw bytes (deprecated there, still read by stock clients).
pub const FULCIO_ISSUER_RAW: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// Fulcio's issuer, a DER UTF8String.
pub const FULCIO_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");

/// Embedded SCT list (RFC 6962 §3.3).
pub const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// Precertificate poison (RFC 6962 §3.1).
pub const PRECERTIFICATE_POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");

pub(crate) const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

pub(crate) const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
pub(crate) const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
pub(crate) const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
