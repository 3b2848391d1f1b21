//! Responses: TSTInfo, CMS SignedData around it, PKIStatusInfo around that.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use const_oid::db::rfc5911;
use const_oid::db::rfc5912::ID_SHA_256;
use der::asn1::{Any, BitString, GeneralizedTime, Int, ObjectIdentifier, OctetString, SetOfVec};
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::serial_number::SerialNumber;
use x509_tsp::{Accuracy, TspVersion, TstInfo};

use super::{ACCURACY_SECONDS, TimestampAuthority, TimestampError, TimestampRequest};
use crate::authority::ecdsa_with_sha256;
use crate::oid;
use crate::profile::Serial;

/// id-aa-signingCertificateV2 (RFC 5035 §3).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// id-ct-TSTInfo (RFC 3161 §2.4.2).
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

pub(super) fn granted(
    authority: &TimestampAuthority,
    request: &TimestampRequest,
    time: u64,
    serial: Serial,
) -> der::Result<Vec<u8>> {
    let gen_time = GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(time))?;
    let info = TstInfo {
        version: TspVersion::V1,
        policy: oid::TIMESTAMP_POLICY,
        message_imprint: request.imprint.clone(),
        serial_number: Int::from_der(
            &SerialNumber::<x509_cert::certificate::Rfc5280>::new(serial.as_bytes())?.to_der()?,
        )?,
        gen_time,
        accuracy: Some(Accuracy { seconds: Some(ACCURACY_SECONDS), millis: None, micros: None }),
        ordering: false,
        nonce: request.nonce.clone(),
        tsa: None,
        extensions: None,
    };
    let token = sign(authority, &info.to_der()?, gen_time, request.certificates)?;
    ResponseWire { status: StatusWire { status: 0, text: None, failure: None }, token: Some(token) }.to_der()
}

pub(super) fn rejected(error: TimestampError) -> Vec<u8> {
    let mut bits = [0u8; 4];
    bits[error.failure_bit() / 8] = 0x80 >> (error.failure_bit() % 8);
    // A named bit list ends with its last set bit (X.690 §11.2.2).
    let length = error.failure_bit() / 8 + 1;
    let unused = 7 - (error.failure_bit() % 8) as u8;
    let failure = BitString::new(unused, &bits[..length]).ok();
    let status = StatusWire { status: 2, text: Some(vec![error.to_string()]), failure };
    ResponseWire { status, token: None }.to_der().expect("a status with a short text always has an encoding")
}

/// RFC 5652 §5, RFC 3161 §2.4.2: one signer, named by issuer and serial; version 3 because the content is no id-data.
fn sign(
    authority: &TimestampAuthority,
    info: &[u8],
    gen_time: GeneralizedTime,
    certificates: bool,
) -> der::Result<ContentInfo> {
    let leaf = authority.chain[0].decode();
    let sha256 = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None };
    let attributes = SetOfVec::try_from(vec![
        attribute(rfc5911::ID_CONTENT_TYPE, &TST_INFO)?,
        attribute(rfc5911::ID_MESSAGE_DIGEST, &OctetString::new(Sha256::digest(info).as_slice())?)?,
        attribute(rfc5911::ID_SIGNING_TIME, &gen_time_attribute(gen_time)?)?,
        attribute(SIGNING_CERTIFICATE_V2, &signing_certificate(authority)?)?,
    ])?;
    let signature = authority.key.sign(&attributes.to_der()?);
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: leaf.tbs_certificate.issuer.clone(),
            serial_number: leaf.tbs_certificate.serial_number.clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm: ecdsa_with_sha256(),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let chosen = certificates.then(|| CertificateSet::try_from(vec![CertificateChoices::Certificate(leaf)]));
    let data = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::try_from(vec![sha256])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: TST_INFO,
            econtent: Some(Any::encode_from(&OctetString::new(info)?)?),
        },
        certificates: chosen.transpose()?,
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer])?,
    };
    Ok(ContentInfo { content_type: rfc5911::ID_SIGNED_DATA, content: Any::encode_from(&data)? })
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> der::Result<Attribute> {
    let value = Any::from_der(&value.to_der()?)?;
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// UTCTime through 2049, GeneralizedTime after (RFC 5652 §11.3).
fn gen_time_attribute(time: GeneralizedTime) -> der::Result<x509_cert::time::Time> {
    match der::asn1::UtcTime::from_unix_duration(time.to_unix_duration()) {
        Ok(time) => Ok(x509_cert::time::Time::UtcTime(time)),
        Err(_) => Ok(x509_cert::time::Time::GeneralTime(time)),
    }
}

/// `SigningCertificateV2` naming the leaf (RFC 5035 §3, §4).
fn signing_certificate(authority: &TimestampAuthority) -> der::Result<SigningCertificateV2> {
    let leaf = authority.chain[0].decode().tbs_certificate;
    let issuer_serial = IssuerSerial {
        issuer: vec![GeneralName::DirectoryName(leaf.issuer)],
        serial_number: leaf.serial_number,
    };
    let digest = Sha256::digest(authority.chain[0].as_bytes());
    let id = EssCertIdV2 { cert_hash: OctetString::new(digest.as_slice())?, issuer_serial };
    Ok(SigningCertificateV2 { certs: vec![id] })
}

/// The hash algorithm is absent: it is the default, SHA-256.
#[derive(Sequence)]
struct EssCertIdV2 {
    cert_hash: OctetString,
    issuer_serial: IssuerSerial,
}

#[derive(Sequence)]
struct IssuerSerial {
    issuer: Vec<GeneralName>,
    serial_number: SerialNumber,
}

#[derive(Sequence)]
struct SigningCertificateV2 {
    certs: Vec<EssCertIdV2>,
}

/// PKIStatusInfo (RFC 4210 §5.2.3): 0 granted, 2 rejection.
#[derive(Sequence)]
struct StatusWire {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// TimeStampResp (RFC 3161 §2.4.2).
#[derive(Sequence)]
struct ResponseWire {
    status: StatusWire,
    #[asn1(optional = "true")]
    token: Option<ContentInfo>,
}
