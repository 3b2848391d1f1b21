//! The certificate chain above a leaf: root, intermediate, and the timestamp authority's certificate.

use der::asn1::{Any, BitString, OctetString, SetOfVec, Utf8StringRef};
use der::flagset::FlagSet;
use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use crate::key::{SigningKeyP256, SubjectKey};
use crate::oid;
use crate::profile::{ProfileError, Serial};

/// One X.509 certificate, as DER that decodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDer(Vec<u8>);

impl CertificateDer {
    /// Checks that the bytes are one certificate in canonical DER.
    pub fn from_der(der: Vec<u8>) -> Result<Self, ProfileError> {
        decode_canonical(&der)?;
        Ok(Self(der))
    }

    /// Reads a PEM `CERTIFICATE`.
    pub fn from_pem(pem: &str) -> Result<Self, ProfileError> {
        match der::pem::decode_vec(pem.as_bytes()) {
            Ok(("CERTIFICATE", der)) => Self::from_der(der),
            _ => Err(ProfileError::Malformed),
        }
    }

    /// The DER bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// SHA-256 of the DER.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The certificate as PEM, line feeds, 64 columns.
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &self.0)
            .expect("base64 of a byte string always has a PEM form")
    }

    pub(crate) fn decode(&self) -> Certificate {
        Certificate::from_der(&self.0).expect("checked when it was made")
    }

    pub(crate) fn new_unchecked(der: Vec<u8>) -> Self {
        Self(der)
    }
}

/// Decodes a certificate and refuses every encoding but the canonical one.
pub(crate) fn decode_canonical(der: &[u8]) -> Result<Certificate, ProfileError> {
    let certificate = Certificate::from_der(der).map_err(|_| ProfileError::Malformed)?;
    match certificate.to_der() {
        Ok(again) if again == der => Ok(certificate),
        _ => Err(ProfileError::NotCanonical),
    }
}

/// From when to when an authority's certificate is valid, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidityPeriod {
    /// First second.
    pub not_before: u64,
    /// Last second.
    pub not_after: u64,
}

/// The names and validity under which a chain is made.
#[derive(Clone, Debug)]
pub struct ChainPlan<'a> {
    /// organizationName of both subjects.
    pub organization: &'a str,
    /// commonName of the intermediate or timestamping certificate; the root's is this with " root" after it.
    pub common_name: &'a str,
    /// Of both certificates.
    pub validity: ValidityPeriod,
}

/// A certificate authority that certifies leaves: intermediate with its key, and the root above it.
///
/// The intermediate has path length 0 and the extended key usage codeSigning, so it can certify nothing but leaves.
#[derive(Clone)]
pub struct CertificateAuthority {
    key: SigningKeyP256,
    certificate: CertificateDer,
    root: CertificateDer,
}

impl CertificateAuthority {
    /// Makes the chain. The root's key signs the intermediate and is then no longer needed online.
    pub fn create(
        root_key: &SigningKeyP256,
        key: SigningKeyP256,
        plan: &ChainPlan<'_>,
        serials: [Serial; 2],
    ) -> Result<Self, ProfileError> {
        let (root, root_name) = create_root(root_key, plan, serials[0])?;
        let subject = key.public_key();
        let mut extensions = authority_extensions(Some(0))?;
        extensions.push(extension(
            oid::EXTENDED_KEY_USAGE,
            false,
            &ExtendedKeyUsage(vec![oid::CODE_SIGNING]),
        )?);
        extensions.extend(key_identifiers(&subject, &root_key.public_key())?);
        let draft = Draft {
            serial: serials[1],
            issuer: root_name,
            subject: name(plan.organization, plan.common_name)?,
            validity: plan.validity,
            key: &subject,
            extensions,
        };
        let certificate = draft.sign(root_key)?;
        Ok(Self { key, certificate, root })
    }

    /// An authority of a key and a chain that exist, as read from a store. The key must be the certificate's.
    pub fn open(
        key: SigningKeyP256,
        certificate: CertificateDer,
        root: CertificateDer,
    ) -> Result<Self, ProfileError> {
        let certified = certificate.decode().tbs_certificate.subject_public_key_info;
        if certified.to_der().map_err(|_| ProfileError::Malformed)? != key.public_key().der() {
            return Err(ProfileError::SubjectKeyId);
        }
        Ok(Self { key, certificate, root })
    }

    /// The intermediate certificate, which issues the leaves.
    pub fn certificate(&self) -> &CertificateDer {
        &self.certificate
    }

    /// The root certificate.
    pub fn root(&self) -> &CertificateDer {
        &self.root
    }

    pub(crate) fn key(&self) -> &SigningKeyP256 {
        &self.key
    }

    pub(crate) fn name(&self) -> RdnSequence {
        self.certificate.decode().tbs_certificate.subject
    }
}

/// Makes the timestamp authority's chain: a leaf with the critical extended key usage timeStamping, and its root.
pub fn create_timestamp_chain(
    root_key: &SigningKeyP256,
    key: &SigningKeyP256,
    plan: &ChainPlan<'_>,
    serials: [Serial; 2],
) -> Result<[CertificateDer; 2], ProfileError> {
    let (root, root_name) = create_root(root_key, plan, serials[0])?;
    let subject = key.public_key();
    let mut extensions = vec![
        extension(oid::KEY_USAGE, true, &KeyUsage(FlagSet::from(KeyUsages::DigitalSignature)))?,
        extension(oid::EXTENDED_KEY_USAGE, true, &ExtendedKeyUsage(vec![oid::TIME_STAMPING]))?,
    ];
    extensions.extend(key_identifiers(&subject, &root_key.public_key())?);
    let draft = Draft {
        serial: serials[1],
        issuer: root_name,
        subject: name(plan.organization, plan.common_name)?,
        validity: plan.validity,
        key: &subject,
        extensions,
    };
    Ok([draft.sign(root_key)?, root])
}

fn create_root(
    key: &SigningKeyP256,
    plan: &ChainPlan<'_>,
    serial: Serial,
) -> Result<(CertificateDer, RdnSequence), ProfileError> {
    let subject = key.public_key();
    let name = name(plan.organization, &format!("{} root", plan.common_name))?;
    let mut extensions = authority_extensions(None)?;
    extensions.push(extension(oid::SUBJECT_KEY_ID, false, &subject_key_id(&subject)?)?);
    let draft = Draft {
        serial,
        issuer: name.clone(),
        subject: name.clone(),
        validity: plan.validity,
        key: &subject,
        extensions,
    };
    Ok((draft.sign(key)?, name))
}

/// All of a TBSCertificate that varies here.
pub(crate) struct Draft<'a> {
    pub serial: Serial,
    pub issuer: RdnSequence,
    pub subject: RdnSequence,
    pub validity: ValidityPeriod,
    pub key: &'a SubjectKey,
    pub extensions: Vec<Extension>,
}

impl Draft<'_> {
    pub(crate) fn tbs(self) -> Result<TbsCertificate, ProfileError> {
        Ok(TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(self.serial.as_bytes()).map_err(|_| ProfileError::Serial)?,
            signature: ecdsa_with_sha256(),
            issuer: self.issuer,
            validity: Validity {
                not_before: time(self.validity.not_before)?,
                not_after: time(self.validity.not_after)?,
            },
            subject: self.subject,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(self.key.der())
                .map_err(|_| ProfileError::Unencodable)?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(self.extensions),
        })
    }

    fn sign(self, key: &SigningKeyP256) -> Result<CertificateDer, ProfileError> {
        sign(self.tbs()?, key)
    }
}

/// Signs a TBSCertificate with ECDSA and SHA-256.
pub(crate) fn sign(
    tbs_certificate: TbsCertificate,
    key: &SigningKeyP256,
) -> Result<CertificateDer, ProfileError> {
    let message = tbs_certificate.to_der().map_err(|_| ProfileError::Unencodable)?;
    let signature = BitString::from_bytes(&key.sign(&message)).map_err(|_| ProfileError::Unencodable)?;
    let certificate = Certificate { tbs_certificate, signature_algorithm: ecdsa_with_sha256(), signature };
    certificate.to_der().map(CertificateDer::new_unchecked).map_err(|_| ProfileError::Unencodable)
}

pub(crate) fn ecdsa_with_sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: oid::ECDSA_WITH_SHA256, parameters: None }
}

/// UTCTime up to 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
pub(crate) fn time(unix_seconds: u64) -> Result<Time, ProfileError> {
    let duration = std::time::Duration::from_secs(unix_seconds);
    match der::asn1::UtcTime::from_unix_duration(duration) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => der::asn1::GeneralizedTime::from_unix_duration(duration)
            .map(Time::GeneralTime)
            .map_err(|_| ProfileError::Unencodable),
    }
}

pub(crate) fn extension(
    extn_id: der::asn1::ObjectIdentifier,
    critical: bool,
    value: &impl Encode,
) -> Result<Extension, ProfileError> {
    let value = value.to_der().map_err(|_| ProfileError::Unencodable)?;
    raw_extension(extn_id, critical, value)
}

pub(crate) fn raw_extension(
    extn_id: der::asn1::ObjectIdentifier,
    critical: bool,
    value: Vec<u8>,
) -> Result<Extension, ProfileError> {
    let extn_value = OctetString::new(value).map_err(|_| ProfileError::Unencodable)?;
    Ok(Extension { extn_id, critical, extn_value })
}

fn authority_extensions(path_length: Option<u8>) -> Result<Vec<Extension>, ProfileError> {
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let constraints = BasicConstraints { ca: true, path_len_constraint: path_length };
    Ok(vec![extension(oid::BASIC_CONSTRAINTS, true, &constraints)?, extension(oid::KEY_USAGE, true, &usage)?])
}

pub(crate) fn key_identifiers(
    subject: &SubjectKey,
    issuer: &SubjectKey,
) -> Result<[Extension; 2], ProfileError> {
    let key_identifier =
        Some(OctetString::new(issuer.key_identifier()).map_err(|_| ProfileError::Unencodable)?);
    let authority = AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() };
    Ok([
        extension(oid::SUBJECT_KEY_ID, false, &subject_key_id(subject)?)?,
        extension(oid::AUTHORITY_KEY_ID, false, &authority)?,
    ])
}

fn subject_key_id(subject: &SubjectKey) -> Result<SubjectKeyIdentifier, ProfileError> {
    OctetString::new(subject.key_identifier())
        .map(SubjectKeyIdentifier)
        .map_err(|_| ProfileError::Unencodable)
}

/// `O=organization, CN=common name`, both UTF8String.
fn name(organization: &str, common_name: &str) -> Result<RdnSequence, ProfileError> {
    let attribute = |oid, text: &str| {
        let value = Utf8StringRef::new(text).map(Any::from)?;
        SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }]).map(RelativeDistinguishedName)
    };
    let parts: Result<Vec<_>, der::Error> = [
        (const_oid::db::rfc4519::ORGANIZATION_NAME, organization),
        (const_oid::db::rfc4519::COMMON_NAME, common_name),
    ]
    .into_iter()
    .map(|(oid, text)| attribute(oid, text))
    .collect();
    parts.map(RdnSequence).map_err(|_| ProfileError::Unencodable)
}
