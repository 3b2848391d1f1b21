//! The strict reader, extension by extension and field by field: values that decode and are not the profile's.

use der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use der::flagset::FlagSet;
use der::{Decode, Encode, Header, Reader, Sequence, SliceReader};
use sigveil_log::sct::{self, SignedCertificateTimestamp};
use sigveil_zk_ca::oid;
use sigveil_zk_ca::profile::{CertificateView, MAX_ISSUER_BYTES, MAX_SEALED_CLAIMS};
use x509_cert::Certificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::profile::{extension, reason, sample};

const SUBJECT_KEY_ID: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER;
const AUTHORITY_KEY_ID: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER;
const KEY_USAGE: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_KEY_USAGE;
const EXTENDED_KEY_USAGE: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_EXT_KEY_USAGE;
const SUBJECT_ALT_NAME: ObjectIdentifier = const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;

/// A good certificate, and what becomes of it with one extension's value replaced.
struct Sample(Certificate);

impl Sample {
    async fn new() -> Self {
        Self(sample().await.1)
    }

    fn with(&self, id: ObjectIdentifier, value: impl Encode) -> &'static str {
        self.with_bytes(id, value.to_der().unwrap())
    }

    fn with_bytes(&self, id: ObjectIdentifier, value: Vec<u8>) -> &'static str {
        self.changed(|certificate| set(certificate, id, value))
    }

    fn changed(&self, change: impl FnOnce(&mut Certificate)) -> &'static str {
        let mut certificate = self.0.clone();
        change(&mut certificate);
        reason(&certificate)
    }

    fn value(&self, id: ObjectIdentifier) -> Vec<u8> {
        extension(&mut self.0.clone(), id).extn_value.as_bytes().to_vec()
    }

    fn decoded<T: for<'a> Decode<'a>>(&self, id: ObjectIdentifier) -> T {
        T::from_der(&self.value(id)).unwrap()
    }
}

fn set(certificate: &mut Certificate, id: ObjectIdentifier, value: Vec<u8>) {
    extension(certificate, id).extn_value = OctetString::new(value).unwrap();
}

fn octets(bytes: &[u8]) -> OctetString {
    OctetString::new(bytes).unwrap()
}

fn uri(text: &str) -> GeneralName {
    GeneralName::UniformResourceIdentifier(Ia5String::new(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_is_one_uri_in_one_spelling() {
    let good = Sample::new().await;
    let names: GeneralNames = good.decoded::<SubjectAltName>(SUBJECT_ALT_NAME).0;
    let GeneralName::UniformResourceIdentifier(text) = &names[0] else { panic!("no URI") };
    let text = text.to_string();
    let with = |names: Vec<GeneralName>| good.with(SUBJECT_ALT_NAME, SubjectAltName(names));
    assert_eq!(with(vec![uri(&text)]), "accepted");
    assert_eq!(with(vec![]), "certificate-san-count");
    assert_eq!(with(vec![uri(&text), uri(&text)]), "certificate-san-count");
    assert_eq!(
        with(vec![uri(&text), GeneralName::DnsName(Ia5String::new("example.org").unwrap())]),
        "certificate-san-count"
    );
    assert_eq!(with(vec![GeneralName::DnsName(Ia5String::new(&text).unwrap())]), "certificate-san-type");
    assert_eq!(
        with(vec![GeneralName::Rfc822Name(Ia5String::new("alice@example.org").unwrap())]),
        "certificate-san-type"
    );
    assert_eq!(good.with_bytes(SUBJECT_ALT_NAME, vec![0x30, 0x05]), "certificate-san-type");
    assert_eq!(with(vec![uri("https://example.org")]), "san-form");
    assert_eq!(with(vec![uri(&format!("{text}:"))]), "san-form");
    assert_eq!(with(vec![uri(&text.replace("open", "Open"))]), "san-mode");
    assert_eq!(with(vec![uri(&text.replace("stable", "other"))]), "san-profile");
    assert_eq!(with(vec![uri(&text[..text.len() - 1])]), "san-label-length");
    let (front, label) = text.rsplit_once(':').unwrap();
    assert_eq!(with(vec![uri(&format!("{front}:{}", label.to_uppercase()))]), "san-label-encoding");
    assert_eq!(with(vec![uri(&format!("{front}:{}q", "7".repeat(51)))]), "san-label-range");
}

#[tokio::test(flavor = "multi_thread")]
async fn usages_are_these_alone() {
    let good = Sample::new().await;
    let usage = |flags: FlagSet<KeyUsages>| good.with(KEY_USAGE, KeyUsage(flags));
    assert_eq!(usage(KeyUsages::DigitalSignature.into()), "accepted");
    assert_eq!(usage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign), "certificate-key-usage");
    assert_eq!(usage(KeyUsages::NonRepudiation.into()), "certificate-key-usage");
    // The same bit in a longer spelling: seven zero bits that a named bit list leaves out (X.690 §11.2.2).
    assert_eq!(good.with_bytes(KEY_USAGE, vec![3, 2, 0, 0x80]), "certificate-key-usage");
    let code_signing = const_oid::db::rfc5280::ID_KP_CODE_SIGNING;
    let email = const_oid::db::rfc5280::ID_KP_EMAIL_PROTECTION;
    let extended = |usages| good.with(EXTENDED_KEY_USAGE, ExtendedKeyUsage(usages));
    assert_eq!(extended(vec![code_signing]), "accepted");
    for usages in [vec![], vec![email], vec![code_signing, email], vec![code_signing, code_signing]] {
        assert_eq!(extended(usages), "certificate-extended-key-usage");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_identifiers_are_plain_and_the_subjects_is_the_keys() {
    let good = Sample::new().await;
    let own: OctetString = good.decoded(SUBJECT_KEY_ID);
    let mut other = own.as_bytes().to_vec();
    other[0] ^= 1;
    assert_eq!(good.with(SUBJECT_KEY_ID, octets(&other)), "certificate-subject-key-id");
    assert_eq!(good.with(SUBJECT_KEY_ID, octets(&other[..19])), "certificate-subject-key-id");
    let authority: AuthorityKeyIdentifier = good.decoded(AUTHORITY_KEY_ID);
    let with = |change: &dyn Fn(&mut AuthorityKeyIdentifier)| {
        let mut id = authority.clone();
        change(&mut id);
        good.with(AUTHORITY_KEY_ID, id)
    };
    assert_eq!(with(&|_| {}), "accepted");
    assert_eq!(with(&|id| id.key_identifier = None), "certificate-authority-key-id");
    assert_eq!(with(&|id| id.key_identifier = Some(octets(&[7; 19]))), "certificate-authority-key-id");
    assert_eq!(
        with(&|id| id.authority_cert_issuer = Some(vec![uri("urn:x")])),
        "certificate-authority-key-id"
    );
    assert_eq!(
        with(&|id| id.authority_cert_serial_number = Some(SerialNumber::new(&[1]).unwrap())),
        "certificate-authority-key-id"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_and_sealed_claims_have_their_lengths() {
    let good = Sample::new().await;
    let issuer = |text: &str| {
        good.changed(|certificate| {
            set(certificate, oid::FULCIO_ISSUER, text.to_owned().to_der().unwrap());
            set(certificate, oid::FULCIO_ISSUER_RAW, text.as_bytes().to_vec());
        })
    };
    assert_eq!(issuer(&"i".repeat(MAX_ISSUER_BYTES)), "accepted");
    assert_eq!(issuer(&"i".repeat(MAX_ISSUER_BYTES + 1)), "certificate-issuer-malformed");
    assert_eq!(issuer(""), "certificate-issuer-malformed");
    assert_eq!(good.with_bytes(oid::FULCIO_ISSUER, vec![12, 1, 0xff]), "certificate-issuer-malformed");
    let claims =
        |count: usize, length: usize| good.with(oid::SEALED_CLAIMS, vec![octets(&[1; 33][..length]); count]);
    assert_eq!(claims(MAX_SEALED_CLAIMS, 32), "accepted");
    assert_eq!(claims(MAX_SEALED_CLAIMS + 1, 32), "sealed-claims-malformed");
    assert_eq!(claims(1, 31), "sealed-claims-malformed");
    assert_eq!(claims(1, 33), "sealed-claims-malformed");
}

/// The `token` extension, written out a second time.
#[derive(Sequence)]
struct Token {
    size_class: u16,
    issuer_key: OctetString,
    bound: bool,
    proof: OctetString,
}

#[tokio::test(flavor = "multi_thread")]
async fn blind_certificates_are_bound_and_carry_no_claims() {
    let good = Sample::new().await;
    let names: GeneralNames = good.decoded::<SubjectAltName>(SUBJECT_ALT_NAME).0;
    let GeneralName::UniformResourceIdentifier(text) = &names[0] else { panic!("no URI") };
    let blind = SubjectAltName(vec![uri(&text.to_string().replace("open", "blind"))]).to_der().unwrap();
    let token = |bound| Token { bound, ..good.decoded(oid::TOKEN_PROOF) }.to_der().unwrap();
    let verdict = |bound, claims: Vec<OctetString>| {
        good.changed(|certificate| {
            set(certificate, SUBJECT_ALT_NAME, blind.clone());
            set(certificate, oid::TOKEN_PROOF, token(bound));
            set(certificate, oid::SEALED_CLAIMS, claims.to_der().unwrap());
        })
    };
    assert_eq!(verdict(true, vec![]), "accepted");
    assert_eq!(verdict(true, vec![octets(&[1; 32])]), "sealed-claims-in-blind");
    assert_eq!(verdict(false, vec![]), "blind-unbound");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_timestamp_is_embedded() {
    let good = Sample::new().await;
    let one = good.value(oid::SCT_LIST);
    let sct: SignedCertificateTimestamp = sct::parse_list(&one).unwrap().remove(0);
    assert_eq!(sct::extension_value(&sct), one);
    let list = |count: usize| {
        let item =
            [&u16::try_from(sct.to_bytes().len()).unwrap().to_be_bytes()[..], &sct.to_bytes()].concat();
        let items = item.repeat(count);
        [&u16::try_from(items.len()).unwrap().to_be_bytes()[..], &items].concat()
    };
    assert_eq!(good.with(oid::SCT_LIST, octets(&list(1))), "accepted");
    assert_eq!(good.with(oid::SCT_LIST, octets(&list(2))), "sct-count");
    assert_eq!(good.with(oid::SCT_LIST, octets(&list(0))), "sct-count");
    assert_eq!(good.with(oid::SCT_LIST, octets(&[])), "sct-malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn span_serial_and_encoding_are_exact() {
    let good = Sample::new().await;
    let seconds = |time: Time| time.to_unix_duration().as_secs();
    let utc = |at: u64| {
        let at = std::time::Duration::from_secs(at);
        Time::UtcTime(der::asn1::UtcTime::from_unix_duration(at).unwrap())
    };
    let start = seconds(good.0.tbs_certificate.validity.not_before);
    let until = |at: u64| good.changed(|c| c.tbs_certificate.validity.not_after = utc(at));
    assert_eq!(until(start + 600), "accepted");
    for at in [start + 599, start + 601, start - 600, start] {
        assert_eq!(until(at), "certificate-validity-span");
    }
    // The same second as GeneralizedTime, which is for 2050 and later (RFC 5280 §4.1.2.5).
    let general = |time: Time| {
        Time::GeneralTime(der::asn1::GeneralizedTime::from_unix_duration(time.to_unix_duration()).unwrap())
    };
    let spelled = good.changed(|c| c.tbs_certificate.validity.not_after = general(utc(start + 600)));
    assert_eq!(spelled, "certificate-not-canonical");

    let serial = |integer: &[u8]| {
        let der = [&[2, u8::try_from(integer.len()).unwrap()][..], integer].concat();
        good.changed(|c| c.tbs_certificate.serial_number = SerialNumber::from_der(&der).unwrap())
    };
    assert_eq!(serial(&[1]), "accepted");
    assert_eq!(serial(&[0x7f; 20]), "accepted");
    assert_eq!(serial(&[0]), "certificate-serial");
    assert_eq!(serial(&[0xff]), "certificate-serial");
    assert_eq!(serial(&[0x80; 20]), "certificate-serial");
    assert_eq!(serial(&[&[0][..], &[0x80; 20]].concat()), "certificate-serial");

    assert_eq!(
        good.changed(|c| c.tbs_certificate.signature.oid = oid::SUITE),
        "certificate-signature-algorithm"
    );
    let null = der::asn1::Any::null();
    assert_eq!(
        good.changed(|c| {
            c.tbs_certificate.signature.parameters = Some(null.clone());
            c.signature_algorithm.parameters = Some(null);
        }),
        "certificate-signature-algorithm"
    );
    assert_eq!(
        CertificateView::parse(&explicit_default(&good.0)).unwrap_err().reason(),
        "certificate-not-canonical"
    );
    assert_eq!(CertificateView::parse(&[]).unwrap_err().reason(), "certificate-malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_unknown_rides_along() {
    let good = Sample::new().await;
    for critical in [false, true] {
        let added = |certificate: &mut Certificate| {
            let extn_id = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.9");
            let extension = Extension { extn_id, critical, extn_value: octets(b"carried along") };
            certificate.tbs_certificate.extensions.as_mut().unwrap().push(extension);
        };
        assert_eq!(good.changed(added), "certificate-extension-unknown");
    }
    assert_eq!(good.changed(|c| c.tbs_certificate.extensions = None), "certificate-extension-missing");
    for id in [KEY_USAGE, SUBJECT_ALT_NAME] {
        assert_eq!(good.changed(|c| extension(c, id).critical = false), "certificate-extension-criticality");
    }
    for id in [KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_KEY_ID, AUTHORITY_KEY_ID, SUBJECT_ALT_NAME] {
        let doubled = |certificate: &mut Certificate| {
            let copy = extension(certificate, id).clone();
            certificate.tbs_certificate.extensions.as_mut().unwrap().push(copy);
        };
        assert_eq!(good.changed(doubled), "certificate-extension-duplicate");
        let without = |certificate: &mut Certificate| {
            let extensions = certificate.tbs_certificate.extensions.as_mut().unwrap();
            extensions.retain(|extension| extension.extn_id != id);
        };
        assert_eq!(good.changed(without), "certificate-extension-missing");
    }
}

/// The certificate with `critical FALSE`, the default, written out in its second extension.
fn explicit_default(certificate: &Certificate) -> Vec<u8> {
    let extensions = certificate.tbs_certificate.extensions.as_ref().unwrap();
    let mut list = Vec::new();
    for (place, extension) in extensions.iter().enumerate() {
        let id = extension.extn_id.to_der().unwrap();
        let der = extension.to_der().unwrap();
        if place == 1 {
            assert!(!extension.critical);
            list.extend(tlv(0x30, &[&id[..], &[1, 1, 0], &extension.extn_value.to_der().unwrap()].concat()));
        } else {
            list.extend(der);
        }
    }
    let mut bare = certificate.tbs_certificate.clone();
    bare.extensions = None;
    let bare = bare.to_der().unwrap();
    let mut reader = SliceReader::new(&bare).unwrap();
    Header::decode(&mut reader).unwrap();
    let fields = reader.read_slice(reader.remaining_len()).unwrap();
    let tbs = tlv(0x30, &[fields, &tlv(0xa3, &tlv(0x30, &list))].concat());
    let rest = [certificate.signature_algorithm.to_der().unwrap(), certificate.signature.to_der().unwrap()];
    tlv(0x30, &[&tbs[..], &rest.concat()].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = der::Length::try_from(content.len()).unwrap().to_der().unwrap();
    [&[tag][..], &length, content].concat()
}
