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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use cms::content_info::CmsVersion;
    use cms::revocation::RevocationInfoChoices;
    use cms::signed_data::SignerInfos;
    use der::Any;
    use der::asn1::SetOfVec;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use sigveil_zk_ca::authority::{ChainPlan, ValidityPeriod, create_timestamp_chain};
    use sigveil_zk_ca::key::SigningKeyP256;
    use sigveil_zk_ca::profile::Serial;
    use sigveil_zk_ca::timestamp::{TimestampAuthority, TimestampRequest};

    use super::*;

    const TIME: u64 = 1_700_000_000;

    /// A response that carries its leaf certificate, and the certificates of its authority.
    fn granted() -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (root, key) = (SigningKeyP256::generate(&mut rng), SigningKeyP256::generate(&mut rng));
        let validity = ValidityPeriod { not_before: TIME - 1_000, not_after: TIME + 1_000 };
        let plan = ChainPlan { organization: "test", common_name: "test", validity };
        let serials = [Serial::draw(&mut rng), Serial::draw(&mut rng)];
        let chain = create_timestamp_chain(&root, &key, &plan, serials).unwrap();
        let trusted = chain.iter().map(|certificate| certificate.as_bytes().to_vec()).collect();
        let authority = TimestampAuthority::open(key, chain).unwrap();
        let request = serde_json::json!({
            "artifactHash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "hashAlgorithm": "sha256",
            "certificates": true,
        });
        let request = TimestampRequest::from_json(request.to_string().as_bytes()).unwrap();
        (authority.grant(&request, TIME, Serial::draw(&mut rng)).unwrap(), trusted)
    }

    fn check(response: &[u8], trusted: &[Vec<u8>]) -> Result<(), &'static str> {
        let trusted: Vec<&[u8]> = trusted.iter().map(Vec::as_slice).collect();
        nothing_unsigned(response, &trusted)
    }

    /// The response with its signed data altered outside of what is signed.
    fn altered(response: &[u8], alter: impl FnOnce(&mut SignedData)) -> Vec<u8> {
        let mut decoded = Response::from_der(response).unwrap();
        let mut data: SignedData = decoded.token.content.decode_as().unwrap();
        alter(&mut data);
        decoded.token.content = Any::encode_from(&data).unwrap();
        decoded.to_der().unwrap()
    }

    fn signer(data: &mut SignedData, alter: impl FnOnce(&mut SignerInfo)) {
        let mut signer = data.signer_infos.0.as_slice()[0].clone();
        alter(&mut signer);
        data.signer_infos = SignerInfos::try_from(vec![signer]).unwrap();
    }

    #[test]
    fn an_honest_response_passes_with_certificates_and_without() {
        let (response, trusted) = granted();
        assert_eq!(check(&response, &trusted), Ok(()));
        let bare = altered(&response, |data| data.certificates = None);
        assert_eq!(check(&bare, &[]), Ok(()));
        let null = altered(&response, |data| {
            signer(data, |signer| signer.digest_alg.parameters = Some(Any::null()));
            let digest = data.signer_infos.0.as_slice()[0].digest_alg.clone();
            data.digest_algorithms = SetOfVec::try_from(vec![digest]).unwrap();
        });
        assert_eq!(check(&null, &trusted), Ok(()));
    }

    #[test]
    fn around_the_signed_data_nothing_else_stands() {
        let (response, trusted) = granted();
        let refused = |response: &[u8]| check(response, &trusted).unwrap_err();
        let decoded = Response::from_der(&response).unwrap();
        assert!(refused(&decoded.token.to_der().unwrap()).contains("no response"));
        assert!(refused(&[&response[..], &[0]].concat()).contains("no response"));
        #[derive(Sequence)]
        struct Wordy {
            status: WordyStatus,
            token: ContentInfo,
        }
        #[derive(Sequence)]
        struct WordyStatus {
            status: u8,
            text: Vec<String>,
        }
        let status = WordyStatus { status: 0, text: vec!["fine".to_owned()] };
        let wordy = Wordy { status, token: decoded.token };
        assert!(refused(&wordy.to_der().unwrap()).contains("no response"));
        let mut modified = Response::from_der(&response).unwrap();
        modified.status.status = 1;
        assert!(refused(&modified.to_der().unwrap()).contains("status"));
        modified.status.status = 0;
        modified.token.content_type = const_oid::db::rfc5911::ID_DATA;
        assert!(refused(&modified.to_der().unwrap()).contains("no signed data"));
    }

    #[test]
    fn each_unsigned_part_of_the_signed_data_has_one_spelling() {
        let (response, trusted) = granted();
        type Alter = fn(&mut SignedData);
        let cases: [(Alter, &str); 9] = [
            (|data| data.version = CmsVersion::V1, "version or type"),
            (|data| data.encap_content_info.econtent = None, "version or type"),
            (|data| data.digest_algorithms = SetOfVec::new(), "digests"),
            (|data| data.signer_infos = SignerInfos::try_from(vec![]).unwrap(), "one signer"),
            (|data| data.crls = Some(RevocationInfoChoices(SetOfVec::new())), "revocations"),
            (|data| signer(data, |signer| signer.version = CmsVersion::V3), "another version"),
            (
                |data| signer(data, |signer| signer.unsigned_attrs = signer.signed_attrs.clone()),
                "nobody signed",
            ),
            (|data| signer(data, |signer| signer.signature_algorithm.oid = ECDSA_WITH_SHA_384), "one digest"),
            (
                |data| signer(data, |signer| signer.signature_algorithm.parameters = Some(Any::null())),
                "one digest",
            ),
        ];
        for (alter, what) in cases {
            let refusal = check(&altered(&response, alter), &trusted).unwrap_err();
            assert!(refusal.contains(what), "{refusal}");
        }
    }

    #[test]
    fn a_certificate_that_the_trust_root_does_not_know_is_refused() {
        let (response, trusted) = granted();
        assert!(check(&response, &trusted[1..]).unwrap_err().contains("does not know"));
    }
}
