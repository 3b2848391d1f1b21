//! What an RFC 3161 response may hold beside the part that its authority signed: only what follows from that part, and
//! certificates of the trust root.
//!
//! Stock verifiers look at the signature and pass over the rest (RFC 5652 leaves versions, algorithm lists,
//! certificates and unsigned attributes outside of it). Here the rest has one spelling, so that nothing can be put there.

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::ID_SIGNED_DATA;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_SHA_256, ID_SHA_384, ID_SHA_512,
};
use der::{AnyRef, Decode, Encode, Sequence, Tag, Tagged};
use spki::AlgorithmIdentifierOwned;

/// TimeStampResp (RFC 3161 §2.4.2) with a token.
#[derive(Sequence)]
struct Response {
    status: Status,
    token: ContentInfo,
}

/// PKIStatusInfo without text or failure, which nobody signs.
#[derive(Sequence)]
struct Status {
    status: u8,
}

/// Refuses a response with a part that its signature does not cover and nothing else vouches for. `trusted` are the
/// certificates of the trust root's timestamp authorities, DER.
///
/// # Errors
/// What is wrong with it.
pub(super) fn nothing_unsigned(response: &[u8], trusted: &[&[u8]]) -> Result<(), &'static str> {
    let decoded = Response::from_der(response).map_err(|_| "it is no response with a token alone")?;
    if decoded.to_der().map_err(|_| "it cannot be encoded again")? != response {
        return Err("it is not in DER");
    }
    if decoded.status.status != 0 {
        return Err("its status is not 0");
    }
    if decoded.token.content_type != ID_SIGNED_DATA {
        return Err("its token is no signed data");
    }
    let data: SignedData = decoded.token.content.decode_as().map_err(|_| "its signed data cannot be read")?;
    let [signer] = data.signer_infos.0.as_slice() else { return Err("it has not exactly one signer") };
    let contents = data.encap_content_info.econtent.as_ref();
    if contents.is_none_or(|contents| contents.tag() != Tag::OctetString) || data.version != CmsVersion::V3 {
        return Err("its contents are of another version or type");
    }
    if data.digest_algorithms.as_slice() != [signer.digest_alg.clone()] {
        return Err("it lists other digests than its signer's");
    }
    follows(signer)?;
    if data.crls.is_some() {
        return Err("it carries revocations");
    }
    let carried = data.certificates.iter().flat_map(|set| set.0.iter());
    for certificate in carried {
        let CertificateChoices::Certificate(certificate) = certificate else {
            return Err("it carries a certificate of another kind than X.509");
        };
        let der = certificate.to_der().map_err(|_| "it carries a certificate that cannot be encoded")?;
        if !trusted.contains(&der.as_slice()) {
            return Err("it carries a certificate that the trust root does not know");
        }
    }
    Ok(())
}

/// The signer's version and algorithms are those that RFC 5652 §5.3 and its digest leave, and it has no attributes that
/// nobody signed.
fn follows(signer: &SignerInfo) -> Result<(), &'static str> {
    let version = match signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(_) => CmsVersion::V1,
        SignerIdentifier::SubjectKeyIdentifier(_) => CmsVersion::V3,
    };
    if signer.version != version {
        return Err("its signer is of another version");
    }
    let bare = |algorithm: &AlgorithmIdentifierOwned, oid: ObjectIdentifier| {
        algorithm.oid == oid && algorithm.parameters.is_none()
    };
    let null = |algorithm: &AlgorithmIdentifierOwned, oid: ObjectIdentifier| {
        let parameters = algorithm.parameters.as_ref();
        algorithm.oid == oid && parameters.is_some_and(|found| AnyRef::from(found) == AnyRef::NULL)
    };
    let pairs = [
        (ID_SHA_256, ECDSA_WITH_SHA_256),
        (ID_SHA_384, ECDSA_WITH_SHA_384),
        (ID_SHA_512, ECDSA_WITH_SHA_512),
    ];
    let digest = &signer.digest_alg;
    let known = pairs.iter().any(|&(hash, scheme)| {
        (bare(digest, hash) || null(digest, hash)) && bare(&signer.signature_algorithm, scheme)
    });
    if !known {
        return Err("its algorithms are not ECDSA with one digest");
    }
    if signer.unsigned_attrs.is_some() {
        return Err("it carries attributes that nobody signed");
    }
    Ok(())
}
