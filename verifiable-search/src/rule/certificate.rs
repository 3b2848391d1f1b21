//! What the rule reads in a certificate.

use super::CaKey;
use super::der::{
    GENERALIZED_TIME, INTEGER, Item, OCTET_STRING, OID, SEQUENCE, UTC_TIME, item, items, tagged,
};
use super::label;
use crate::key_list::Flags;
use der::Decode as _;
use der::asn1::{GeneralizedTime, UtcTime};

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const SCT_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
/// Tag of `uniformResourceIdentifier` among a certificate's names (RFC 5280 §4.2.1.6).
const URI: u8 = 0x86;
/// Span of a certificate of protocol.md §5.3, seconds.
const LIFETIME: u64 = 600;

/// What a certificate says, in so far as it can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// True when a known CA signed it.
    pub(super) trusted: bool,
    /// `SubjectPublicKeyInfo`, DER as it stands.
    pub(super) spki: Option<Vec<u8>>,
    /// Values of the label keys, where a known CA signed it.
    pub(super) labels: Vec<[u8; 32]>,
    /// Digests of sealed claims.
    pub(super) sealed_claims: Vec<[u8; 32]>,
    /// notBefore, Unix seconds; 0 if it cannot be read.
    pub(super) not_before: u64,
    pub(super) flags: Flags,
}

/// Reads a certificate. `sealed_claims` is the content octets of that extension's identifier.
pub(super) fn read(certificate: &[u8], authorities: &[CaKey], sealed_claims: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let Some((signed, unused, signature)) = split(certificate) else {
        reading.flags |= Flags::MALFORMED;
        return reading;
    };
    if unused != 0 || tagged(certificate, SEQUENCE).is_none_or(|outer| !outer.rest.is_empty()) {
        reading.flags |= Flags::MALFORMED;
    }
    // A signature that does not end with its last octet: some clients shift it, others do not look.
    let shifted = shifted(signature, unused);
    let mut signatures = std::iter::once(signature).chain(shifted.as_deref());
    reading.trusted = signatures
        .any(|signature| authorities.iter().any(|authority| authority.signed(signed.whole, signature)));
    if reading.trusted {
        // Wherever it stands in what was signed: clients do not agree on where names are (identifiers not minimal, a second
        // value in an extension), and an owner is told of a label anywhere else, too.
        reading.labels = label::find(signed.whole);
        reading.labels.sort_unstable();
        reading.labels.dedup();
    }
    if walk(signed.content, sealed_claims, &mut reading).is_none() {
        reading.flags |= Flags::MALFORMED;
    }
    reading
}

/// The signed part, and the signature over it, of whose last octet so many bits are said to be unused. Tags around them are
/// signed by nobody, and some clients pass over them.
fn split(certificate: &[u8]) -> Option<(Item<'_>, u8, &[u8])> {
    let outer = item(certificate)?;
    let signed = item(outer.content)?;
    let algorithm = item(signed.rest)?;
    let signature = item(algorithm.rest)?;
    let (unused, signature) = signature.content.split_first()?;
    Some((signed, *unused, signature))
}

/// A string of bits moved to the right, so that it ends with its last octet; `None` where nothing is to be moved.
fn shifted(bits: &[u8], unused: u8) -> Option<Vec<u8>> {
    if !(1..8).contains(&unused) {
        return None;
    }
    let before = std::iter::once(&0).chain(bits);
    Some(before.zip(bits).map(|(high, low)| high << (8 - unused) | low >> unused).collect())
}

/// `TBSCertificate` (RFC 5280 §4.1).
fn walk(fields: &[u8], sealed_claims: &[u8], reading: &mut Reading) -> Option<()> {
    let fields = items(fields)?;
    let fields = match fields.first()?.tag {
        0xa0 => &fields[1..],
        _ => &fields[..],
    };
    let [serial, algorithm, issuer, validity, subject, key, rest @ ..] = fields else { return None };
    let sequences = [algorithm, issuer, validity, subject, key];
    if serial.tag != INTEGER || sequences.iter().any(|field| field.tag != SEQUENCE) {
        return None;
    }
    reading.spki = Some(key.whole.to_vec());
    match times(validity.content) {
        Some((not_before, not_after)) => {
            reading.not_before = not_before;
            if not_after.checked_sub(not_before) != Some(LIFETIME) {
                reading.flags |= Flags::VALIDITY;
            }
        }
        None => reading.flags |= Flags::VALIDITY,
    }
    let mut names = Vec::new();
    let mut sct_lists = 0;
    for field in rest.iter().filter(|field| field.tag == 0xa3) {
        for extension in items(tagged(field.content, SEQUENCE)?.content)? {
            let (id, value) = parts(&extension)?;
            if id == SUBJECT_ALT_NAME {
                names.extend(items(tagged(value, SEQUENCE)?.content)?);
            } else if id == SCT_LIST {
                sct_lists += 1;
            } else if id == sealed_claims {
                reading.sealed_claims.extend(digests(value)?);
            }
        }
    }
    for name in &names {
        if name.tag != URI || !label::is_canonical(name.content) {
            reading.flags |= Flags::NOT_CANONICAL;
        }
    }
    reading.flags |= if names.len() == 1 { Flags::NONE } else { Flags::NAME_COUNT };
    reading.flags |= if sct_lists == 1 { Flags::NONE } else { Flags::SCT };
    Some(())
}

/// Identifier and value of an extension; `critical` is skipped.
fn parts<'a>(extension: &Item<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let id = tagged(extension.content, OID)?;
    let mut next = item(id.rest)?;
    if next.tag != OCTET_STRING {
        next = item(next.rest)?;
    }
    (next.tag == OCTET_STRING).then_some((id.content, next.content))
}

fn digests(value: &[u8]) -> Option<Vec<[u8; 32]>> {
    let strings = items(tagged(value, SEQUENCE)?.content)?;
    strings.iter().map(|string| string.content.try_into().ok()).collect()
}

fn times(validity: &[u8]) -> Option<(u64, u64)> {
    let times = items(validity)?;
    let [not_before, not_after] = &times[..] else { return None };
    Some((time(not_before)?, time(not_after)?))
}

fn time(item: &Item<'_>) -> Option<u64> {
    match item.tag {
        UTC_TIME => Some(UtcTime::from_der(item.whole).ok()?.to_unix_duration().as_secs()),
        GENERALIZED_TIME => Some(GeneralizedTime::from_der(item.whole).ok()?.to_unix_duration().as_secs()),
        _ => None,
    }
}
