//! Chains that are refused for one thing, and what a certificate log keeps of those that are not.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as keys;
use der::asn1::{Any, BitString, OctetString};
use der::{Decode as _, Encode as _, Tag, Tagged as _};
use keys::KeyPair as _;
use x509_cert::Certificate;

use super::*;

/// The algorithm beside a signature is not under it: whatever anybody writes there would be logged.
#[tokio::test]
async fn nothing_that_is_not_signed_gets_into_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let issuer = root.issue("CN=issuer", 2, vec![constraints(true)]);
    let log = open(folder.path(), &[&root.certificate]);
    let url = serve(sigveil_log::ct::router(log.clone())).await;
    let inscribed = |certificate: &[u8]| {
        let mut certificate = Certificate::from_der(certificate).unwrap();
        let words = OctetString::new(b"anybody's words".repeat(100)).unwrap();
        certificate.signature_algorithm.parameters = Some(Any::encode_from(&words).unwrap());
        certificate.to_der().unwrap()
    };
    let leaf = issuer.certify("CN=leaf", &subject_key(), vec![]);
    let whole = [leaf, issuer.certificate, root.certificate];
    for place in 0..whole.len() {
        let mut chain = whole.clone();
        chain[place] = inscribed(&chain[place]);
        let refused = refusal(submit(&url, "add-chain", &chain.each_ref().map(Vec::as_slice)).await).await;
        assert_eq!(refused, (400, "ct-malformed".to_owned()), "certificate {place}");
        assert!(AcceptedRoots::new([chain[place].clone()]).is_err());
    }
    assert!(!folder.path().join("log/issuer").exists(), "nothing of them is kept");
    let sct = timestamp(submit(&url, "add-chain", &whole.each_ref().map(Vec::as_slice)).await).await;
    assert_eq!(sct.leaf_index(), Some(0));
}

/// The first extension of a certificate says `critical FALSE`, which is the default and is left out in DER. What is signed
/// is the form without it: whoever compares nothing but signatures over what they encode again does not see it.
fn spelt_out(certificate: &[u8]) -> Vec<u8> {
    let parts = |der: &[u8]| Vec::<Any>::from_der(der).unwrap();
    let whole = |parts: &Vec<Any>| Any::from_der(&parts.to_der().unwrap()).unwrap();
    let mut certificate = parts(certificate);
    let mut tbs = parts(&certificate[0].to_der().unwrap());
    let wrapper = tbs.pop().unwrap();
    let mut extensions = parts(wrapper.value());
    let mut extension = parts(&extensions[0].to_der().unwrap());
    assert_eq!(extension.len(), 2, "a name and a value");
    extension.insert(1, Any::new(Tag::Boolean, vec![0]).unwrap());
    extensions[0] = whole(&extension);
    tbs.push(Any::new(wrapper.tag(), extensions.to_der().unwrap()).unwrap());
    certificate[0] = whole(&tbs);
    certificate.to_der().unwrap()
}

#[tokio::test]
async fn a_certificate_that_is_not_in_its_one_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plain = || extension("1.2.3.4.5".parse().unwrap(), false, vec![5, 0]);
    let key = SigningKey::from_slice(&[1; 32]).unwrap();
    let mut root = Holder { name: "CN=root", key, certificate: Vec::new() };
    root.certificate = root.certify(root.name, &root.key, vec![plain(), constraints(true)]);
    let issuer = root.issue("CN=issuer", 2, vec![plain(), constraints(true)]);
    let log = open(folder.path(), &[&root.certificate]);
    let leaf = issuer.certify("CN=leaf", &subject_key(), vec![plain()]);
    let whole = vec![leaf, issuer.certificate, root.certificate];
    for place in 0..whole.len() {
        let mut chain = whole.clone();
        chain[place] = spelt_out(&chain[place]);
        let [read, good] = [&chain[place], &whole[place]].map(|der| Certificate::from_der(der).unwrap());
        assert_eq!(read, good, "it reads the same");
        assert!(AcceptedRoots::new([chain[place].clone()]).is_err());
        let refused = log.issue(chain, EntryKind::Certificate).await.unwrap_err();
        assert_eq!(refused.reason(), "ct-malformed", "certificate {place}");
    }
    log.issue(whole, EntryKind::Certificate).await.unwrap();
}

/// The parser sorts the parts of a name in a time that is quadratic in their number.
#[tokio::test]
async fn a_certificate_has_few_parts_in_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let log = open(folder.path(), &[&root.certificate]);
    for (count, reason) in [(17, Some("ct-malformed")), (16, None)] {
        let leaf = root.certify(&name_of(count), &subject_key(), vec![]);
        let issued = log.issue(vec![leaf], EntryKind::Certificate).await;
        assert_eq!(issued.err().map(|error| error.reason()), reason, "{count}");
    }
}

/// Signs a certificate anew, by such a key.
fn signed_by(certificate: &[u8], key: &keys::EcdsaKeyPair) -> Vec<u8> {
    let mut certificate = Certificate::from_der(certificate).unwrap();
    let message = certificate.tbs_certificate.to_der().unwrap();
    let signature = key.sign(&SystemRandom::new(), &message).unwrap();
    certificate.signature = BitString::from_bytes(signature.as_ref()).unwrap();
    certificate.to_der().unwrap()
}

/// A root with another key, which has signed it.
fn root_with(key: &keys::EcdsaKeyPair) -> Vec<u8> {
    let mut certificate = Certificate::from_der(&Holder::root("CN=root", 1).certificate).unwrap();
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let spki = spki::SubjectPublicKeyInfoOwned::from_der(spki.as_ref());
    certificate.tbs_certificate.subject_public_key_info = spki.unwrap();
    signed_by(&certificate.to_der().unwrap(), key)
}

fn vector(bits: &str, name: &str) -> Vec<u8> {
    let file: Value = serde_json::from_str(include_str!("../vectors/sct/rsa.json")).unwrap();
    STANDARD.decode(file[bits][name].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn authorities_have_keys_of_certain_types_and_sizes() {
    let elliptic = |algorithm| {
        let key = keys::EcdsaKeyPair::generate(algorithm).unwrap();
        let leaf = Holder::root("CN=root", 1).certify("CN=leaf", &subject_key(), vec![]);
        (signed_by(&leaf, &key), root_with(&key))
    };
    let rsa = |bits| (vector(bits, "leaf"), vector(bits, "root"));
    for (n, ((leaf, root), taken)) in [
        (elliptic(&keys::ECDSA_P256_SHA256_ASN1_SIGNING), true),
        (elliptic(&keys::ECDSA_P384_SHA384_ASN1_SIGNING), true),
        (elliptic(&keys::ECDSA_P521_SHA512_ASN1_SIGNING), false),
        (elliptic(&keys::ECDSA_P256K1_SHA256_ASN1_SIGNING), false),
        (rsa("2048"), true),
        (rsa("1024"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path(), &[&root]);
        let issued = log.issue(vec![leaf, root], EntryKind::Certificate).await;
        let refused = issued.err().map(|error| error.reason());
        assert_eq!(refused, (!taken).then_some("ct-chain-broken"), "case {n}");
    }
}

/// That a log accepts it as a root does not make an authority of it.
#[tokio::test]
async fn a_root_without_the_mark_of_an_authority_issues_nothing() {
    for extensions in [vec![], vec![constraints(false)]] {
        let folder = tempfile::tempdir().unwrap();
        let mut root = Holder::root("CN=root", 1);
        root.certificate = root.certify(root.name, &root.key, extensions);
        let log = open(folder.path(), &[&root.certificate]);
        let leaf = root.certify("CN=leaf", &subject_key(), vec![]);
        for (chain, reason) in [
            (vec![leaf.clone()], "ct-root-unknown"),
            (vec![leaf, root.certificate.clone()], "ct-chain-broken"),
        ] {
            assert_eq!(log.issue(chain, EntryKind::Certificate).await.unwrap_err().reason(), reason);
        }
        assert_eq!(size(&log), 0);
    }
}

#[tokio::test]
async fn an_issuer_has_one_address_and_a_bundle_of_another_layout_none() {
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let log = open(folder.path(), &[&root.certificate]);
    let url = serve(sigveil_log::ct::router(log.clone())).await;
    let leaf = root.certify("CN=leaf", &subject_key(), vec![]);
    log.issue(vec![leaf], EntryKind::Certificate).await.unwrap();
    let fingerprint = Hash::of(&[&root.certificate]).to_hex();
    let get = |path: String| reqwest::get(format!("{url}/{path}"));
    assert_eq!(get(format!("issuer/{fingerprint}")).await.unwrap().status(), 200);
    let upper = fingerprint.to_uppercase();
    assert_ne!(upper, fingerprint);
    let others = [&fingerprint[..62], &fingerprint[..63], &format!("{fingerprint}0")].map(str::to_owned);
    let more = [format!("{fingerprint}00"), format!("{}g", &fingerprint[..63]), format!("%20{fingerprint}")];
    for name in [upper].into_iter().chain(others).chain(more) {
        let refused = refusal(get(format!("issuer/{name}")).await.unwrap()).await;
        assert_eq!(refused, (404, "ct-no-issuer".to_owned()), "{name}");
    }
    // A file of that name really lies there.
    let entries = folder.path().join("log/tile/entries/000.p");
    std::fs::create_dir_all(&entries).unwrap();
    std::fs::write(entries.join("1"), b"\0\x05entry").unwrap();
    let refused = refusal(get("tile/entries/000.p/1".to_owned()).await.unwrap()).await;
    assert_eq!(refused, (404, "tile-unavailable".to_owned()));
    assert_eq!(get("tile/data/000.p/1".to_owned()).await.unwrap().status(), 200);
}
