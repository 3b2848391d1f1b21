//! Certificates as authorities make them, each part open to change.

use der::asn1::{BitString, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sigveil_log::sct::{SignedCertificateTimestamp, extension_value};
use spki::{AlgorithmIdentifierOwned, EncodePublicKey as _, SubjectPublicKeyInfoOwned};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

const POISON: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.3");
const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

pub fn extension(id: ObjectIdentifier, critical: bool, value: Vec<u8>) -> Extension {
    Extension { extn_id: id, critical, extn_value: OctetString::new(value).unwrap() }
}

pub fn poison() -> Extension {
    extension(POISON, true, vec![5, 0])
}

pub fn poison_as(critical: bool, value: &[u8]) -> Extension {
    extension(POISON, critical, value.to_vec())
}

pub fn sct_list(scts: &[SignedCertificateTimestamp]) -> Vec<Extension> {
    scts.iter().map(|sct| extension(SCT_LIST, false, extension_value(sct))).collect()
}

/// Marks an authority, or says of a certificate that it is none.
pub fn constraints(ca: bool) -> Extension {
    let value = BasicConstraints { ca, path_len_constraint: None };
    extension(ObjectIdentifier::new_unwrap("2.5.29.19"), true, value.to_der().unwrap())
}

/// Marks a dedicated precertificate signing certificate.
pub fn precertificate_signing() -> Extension {
    let usage = ExtendedKeyUsage(vec![ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.4")]);
    extension(ObjectIdentifier::new_unwrap("2.5.29.37"), false, usage.to_der().unwrap())
}

/// A name whose one part has so many values.
pub fn name_of(count: usize) -> String {
    (0..count).map(|n| format!("CN={n}")).collect::<Vec<_>>().join("+")
}

/// Somebody with a name, a key and a certificate.
#[derive(Clone)]
pub struct Holder {
    pub name: &'static str,
    pub key: SigningKey,
    pub certificate: Vec<u8>,
}

impl Holder {
    /// A root that signed itself.
    pub fn root(name: &'static str, key: u8) -> Self {
        let key = SigningKey::from_slice(&[key; 32]).unwrap();
        let unsigned = Self { name, key, certificate: Vec::new() };
        Self { certificate: unsigned.certify(name, &unsigned.key, vec![constraints(true)]), ..unsigned }
    }

    /// An authority below this one, with these extensions.
    pub fn issue(&self, name: &'static str, key: u8, extensions: Vec<Extension>) -> Self {
        let key = SigningKey::from_slice(&[key; 32]).unwrap();
        let certificate = self.certify(name, &key, extensions);
        Self { name, key, certificate }
    }

    /// DER of a certificate for this subject and key, signed by this holder.
    pub fn certify(&self, subject: &str, key: &SigningKey, extensions: Vec<Extension>) -> Vec<u8> {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let time = |seconds| {
            Time::try_from(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap()
        };
        let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
        let spki = key.verifying_key().to_public_key_der().unwrap();
        let tbs_certificate = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&[1]).unwrap(),
            signature: algorithm.clone(),
            issuer: name(self.name),
            validity: Validity { not_before: time(1_000_000_000), not_after: time(2_000_000_000) },
            subject: name(subject),
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(spki.as_bytes()).unwrap(),
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(extensions),
        };
        let signature: DerSignature = self.key.sign(&tbs_certificate.to_der().unwrap());
        let signature = BitString::from_bytes(signature.as_bytes()).unwrap();
        Certificate { tbs_certificate, signature_algorithm: algorithm, signature }.to_der().unwrap()
    }
}
