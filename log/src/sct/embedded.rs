//! SCTs inside certificates: the extension, and the precertificate that it stands for.

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use x509_cert::Certificate;
use x509_cert::ext::Extension;

use super::{PrecertEntry, Reader, SctError, SignedCertificateTimestamp, push_u16};
use crate::hash::Hash;

pub(super) const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
pub(super) const POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");

/// Value of the certificate extension 1.3.6.1.4.1.11129.2.4.2 for this one SCT: the DER `OCTET STRING` of the
/// TLS list (RFC 6962 §3.3).
pub fn extension_value(sct: &SignedCertificateTimestamp) -> Vec<u8> {
    let mut items = Vec::new();
    push_u16(&mut items, &sct.to_bytes());
    let mut list = Vec::new();
    push_u16(&mut list, &items);
    let octets = OctetString::new(list).expect("a few hundred bytes fit");
    octets.to_der().expect("an octet string encodes")
}

/// The SCTs in such a value.
///
/// # Errors
/// [`SctError::Malformed`].
pub fn parse_list(value: &[u8]) -> Result<Vec<SignedCertificateTimestamp>, SctError> {
    let octets = OctetString::from_der(value).map_err(|_| SctError::Malformed)?;
    let mut outer = Reader(octets.as_bytes());
    let mut items = Reader(outer.opaque_u16().filter(|_| outer.0.is_empty()).ok_or(SctError::Malformed)?);
    let mut scts = Vec::new();
    while !items.0.is_empty() {
        let item = items.opaque_u16().ok_or(SctError::Malformed)?;
        scts.push(SignedCertificateTimestamp::parse(item)?);
    }
    Ok(scts)
}

/// DER of the `TBSCertificate` in `certificate` without SCT list and poison: what the log signed.
///
/// # Errors
/// [`SctError::Certificate`].
pub fn precertificate_tbs(certificate: &[u8]) -> Result<Vec<u8>, SctError> {
    let mut tbs = Certificate::from_der(certificate).map_err(|_| SctError::Certificate)?.tbs_certificate;
    let kept = |extension: &Extension| extension.extn_id != SCT_LIST && extension.extn_id != POISON;
    let extensions = tbs.extensions.take().map(|all| all.into_iter().filter(kept).collect::<Vec<_>>());
    // A list of none is not written (RFC 5280 §4.1).
    tbs.extensions = extensions.filter(|left| !left.is_empty());
    tbs.to_der().map_err(|_| SctError::Certificate)
}

/// SHA-256 of the DER `SubjectPublicKeyInfo` of an issuer's certificate.
///
/// # Errors
/// [`SctError::Certificate`].
pub fn issuer_key_hash(issuer: &[u8]) -> Result<Hash, SctError> {
    let issuer = Certificate::from_der(issuer).map_err(|_| SctError::Certificate)?;
    let spki = issuer.tbs_certificate.subject_public_key_info.to_der();
    Ok(Hash::of(&[&spki.map_err(|_| SctError::Certificate)?]))
}

/// The one SCT embedded in `certificate`, and the entry over which it has to verify, given the certificate of
/// its issuer.
///
/// # Errors
/// [`SctError::Certificate`], [`SctError::Count`] unless there is exactly one, or [`SctError::Malformed`].
pub fn embedded(
    certificate: &[u8],
    issuer: &[u8],
) -> Result<(SignedCertificateTimestamp, PrecertEntry), SctError> {
    let parsed = Certificate::from_der(certificate).map_err(|_| SctError::Certificate)?;
    let extensions = parsed.tbs_certificate.extensions.unwrap_or_default();
    let mut lists = extensions.iter().filter(|extension| extension.extn_id == SCT_LIST);
    let (Some(list), None) = (lists.next(), lists.next()) else { return Err(SctError::Count) };
    let scts = parse_list(list.extn_value.as_bytes())?;
    let [sct] = <[_; 1]>::try_from(scts).map_err(|_| SctError::Count)?;
    let entry =
        PrecertEntry { issuer_key_hash: issuer_key_hash(issuer)?, tbs: precertificate_tbs(certificate)? };
    Ok((sct, entry))
}
