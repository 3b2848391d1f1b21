//! The extensions of a certificate as the profile has them, before their values mean anything.

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;

use super::error::ProfileError;
use crate::oid;

/// Extensions of the profile and whether each must be critical. There are no others, each occurs once, and all must be there
/// but those of [`PROVEN`] in a deferred certificate, or [`oid::DEFERRED_INSTANCE`] in another.
const EXTENSIONS: [(ObjectIdentifier, bool); 15] = [
    (oid::KEY_USAGE, true),
    (oid::EXTENDED_KEY_USAGE, false),
    (oid::SUBJECT_KEY_ID, false),
    (oid::AUTHORITY_KEY_ID, false),
    (oid::SUBJECT_ALT_NAME, true),
    (oid::FULCIO_ISSUER_RAW, false),
    (oid::FULCIO_ISSUER, false),
    (oid::SUITE, false),
    (oid::COMMITMENT, false),
    (oid::LINKING_COMMITMENT, false),
    (oid::TOKEN_PROOF, false),
    (oid::NYM_PROOF, false),
    (oid::DEFERRED_INSTANCE, false),
    (oid::SEALED_CLAIMS, false),
    (oid::SCT_LIST, false),
];

/// What a certificate with its proofs has, and a deferred one has not.
const PROVEN: [ObjectIdentifier; 2] = [oid::TOKEN_PROOF, oid::NYM_PROOF];

/// The extensions' values, each known, of the right criticality, and there once.
pub(super) struct Values<'a>(Vec<(ObjectIdentifier, &'a [u8])>);

impl<'a> Values<'a> {
    pub(super) fn collect(tbs: &'a TbsCertificate) -> Result<Self, ProfileError> {
        let extensions: &[Extension] = tbs.extensions.as_deref().unwrap_or_default();
        let mut values: Vec<(ObjectIdentifier, &[u8])> = Vec::with_capacity(EXTENSIONS.len());
        for Extension { extn_id, critical, extn_value } in extensions {
            let Some((_, must)) = EXTENSIONS.iter().find(|(known, _)| known == extn_id) else {
                return Err(ProfileError::ExtensionUnknown(*extn_id));
            };
            if must != critical {
                return Err(ProfileError::ExtensionCritical(*extn_id));
            }
            if values.iter().any(|(seen, _)| seen == extn_id) {
                return Err(ProfileError::ExtensionDuplicate(*extn_id));
            }
            values.push((*extn_id, extn_value.as_bytes()));
        }
        let has = |id: ObjectIdentifier| values.iter().any(|(seen, _)| *seen == id);
        let deferred = has(oid::DEFERRED_INSTANCE);
        if deferred && PROVEN.into_iter().any(has) {
            return Err(ProfileError::ProofsTwofold);
        }
        let excused = |id: &ObjectIdentifier| match deferred {
            true => PROVEN.contains(id),
            false => *id == oid::DEFERRED_INSTANCE,
        };
        match EXTENSIONS.iter().find(|(known, _)| !has(*known) && !excused(known)) {
            Some((missing, _)) => Err(ProfileError::ExtensionMissing(*missing)),
            None => Ok(Self(values)),
        }
    }

    /// Whether the proofs are to follow.
    pub(super) fn is_deferred(&self) -> bool {
        self.bytes(oid::DEFERRED_INSTANCE).is_ok()
    }

    pub(super) fn bytes(&self, extn_id: ObjectIdentifier) -> Result<&'a [u8], ProfileError> {
        let found = self.0.iter().find(|(seen, _)| *seen == extn_id);
        found.map(|(_, value)| *value).ok_or(ProfileError::ExtensionMissing(extn_id))
    }

    /// Decodes a value, and refuses every encoding but the canonical one: the certificate's own re-encoding copies
    /// these bytes as they stand.
    pub(super) fn decode<T: Decode<'a> + Encode>(
        &self,
        extn_id: ObjectIdentifier,
        error: ProfileError,
    ) -> Result<T, ProfileError> {
        let bytes = self.bytes(extn_id)?;
        match T::from_der(bytes) {
            Ok(value) if value.to_der().is_ok_and(|again| again == bytes) => Ok(value),
            _ => Err(error),
        }
    }

    pub(super) fn octets(
        &self,
        extn_id: ObjectIdentifier,
        error: ProfileError,
    ) -> Result<Vec<u8>, ProfileError> {
        self.decode::<OctetString>(extn_id, error).map(OctetString::into_bytes)
    }
}
