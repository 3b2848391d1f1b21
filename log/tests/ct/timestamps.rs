//! SCTs as they are read and verified, and the leaves of data tiles.

use der::Encode as _;
use sigveil_log::sct::precertificate_tbs;
use x509_cert::Certificate;

use super::*;

#[test]
fn timestamps_are_read_strictly_and_verify_over_their_entry_only() {
    let key = log_key();
    let entry = PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: b"tbs".to_vec() };
    let sct = SignedCertificateTimestamp::sign(&key, &entry, NOW, 3);
    sct.verify(key.verifying_key(), &entry).unwrap();
    assert_eq!(parse_list(&extension_value(&sct)).unwrap(), std::slice::from_ref(&sct));
    let other = PrecertEntry { tbs: b"other".to_vec(), ..entry.clone() };
    assert_eq!(sct.verify(key.verifying_key(), &other), Err(SctError::BadSignature));
    let certificate = SignedEntry::Certificate(b"tbs");
    assert_eq!(sct.verify(key.verifying_key(), certificate), Err(SctError::BadSignature));
    let foreign = SigningKey::from_slice(&[6; 32]).unwrap();
    assert_eq!(sct.verify(foreign.verifying_key(), &entry), Err(SctError::OtherLog));
    for cut in 0..sct.to_bytes().len() {
        assert!(SignedCertificateTimestamp::parse(&sct.to_bytes()[..cut]).is_err());
    }
}

fn fulcio(name: &str) -> Vec<u8> {
    let file: Value = serde_json::from_str(include_str!("../vectors/sct/fulcio.json")).unwrap();
    STANDARD.decode(file[name].as_str().unwrap()).unwrap()
}

/// A certificate of the public Sigstore instance, issued under a P-384 chain and logged by a log that is not ours.
#[tokio::test]
async fn the_timestamp_in_a_public_certificate_verifies() {
    let (leaf, intermediate, root) = (fulcio("leaf"), fulcio("intermediate"), fulcio("root"));
    let key = VerifyingKey::from_public_key_der(&fulcio("log_key")).unwrap();
    let (sct, entry) = embedded(&leaf, &intermediate).unwrap();
    sct.verify(&key, &entry).unwrap();
    assert_eq!((sct.timestamp, sct.leaf_index()), (1_738_701_347_184, None));
    let (_, other_issuer) = embedded(&leaf, &root).unwrap();
    assert_eq!(sct.verify(&key, &other_issuer), Err(SctError::BadSignature));
    assert_eq!(embedded(&intermediate, &root), Err(SctError::Count));
    assert_eq!(embedded(&leaf[1..], &intermediate), Err(SctError::Certificate));
    assert_eq!(embedded(&leaf, &intermediate[1..]), Err(SctError::Certificate));

    let folder = tempfile::tempdir().unwrap();
    let url = serve(sigveil_log::ct::router(open(folder.path(), &[&root]))).await;
    let again = timestamp(submit(&url, "add-chain", &[&leaf, &intermediate]).await).await;
    again.verify(log_key().verifying_key(), SignedEntry::Certificate(&leaf)).unwrap();
}

#[test]
fn exactly_one_timestamp_must_be_embedded() {
    let root = Holder::root("CN=root", 1);
    let entry = PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: b"tbs".to_vec() };
    let sct = SignedCertificateTimestamp::sign(&log_key(), &entry, NOW, 3);
    let reason = |extensions: Vec<x509_cert::ext::Extension>| {
        let certificate = root.certify("CN=leaf", &subject_key(), extensions);
        embedded(&certificate, &root.certificate).map_or_else(|error| error.reason(), |_| "read")
    };
    let one = sct_list(std::slice::from_ref(&sct));
    assert_eq!(reason(one.clone()), "read");
    assert_eq!(reason(vec![]), "sct-count");
    assert_eq!(reason([one.clone(), one.clone()].concat()), "sct-count");
    let item = [&(sct.to_bytes().len() as u16).to_be_bytes()[..], &sct.to_bytes()].concat();
    let list = |items: &[u8]| {
        let tls = [&(items.len() as u16).to_be_bytes()[..], items].concat();
        let value = der::Encode::to_der(&der::asn1::OctetString::new(tls).unwrap()).unwrap();
        vec![extension(one[0].extn_id, false, value)]
    };
    assert_eq!(reason(list(&item)), "read");
    assert_eq!(reason(list(&item.repeat(2))), "sct-count");
    assert_eq!(reason(list(&[])), "sct-count");
    assert_eq!(reason(list(&item[..item.len() - 1])), "sct-malformed");
    assert_eq!(reason(vec![extension(one[0].extn_id, false, vec![4, 0])]), "sct-malformed");
}

/// What is signed for a certificate without extensions of its own has none, not a list of none (RFC 5280 §4.1).
#[test]
fn without_its_timestamp_a_certificate_may_have_no_extensions() {
    let root = Holder::root("CN=root", 1);
    let entry = PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: b"tbs".to_vec() };
    let list = sct_list(&[SignedCertificateTimestamp::sign(&log_key(), &entry, NOW, 3)]);
    let parse = |der: &[u8]| Certificate::from_der(der).unwrap().tbs_certificate;
    let mut bare = parse(&root.certify("CN=leaf", &subject_key(), vec![]));
    bare.extensions = None;
    let bare = bare.to_der().unwrap();
    for extensions in [list, vec![poison()]] {
        let certificate = root.certify("CN=leaf", &subject_key(), extensions);
        assert_eq!(precertificate_tbs(&certificate), Ok(bare.clone()));
    }
}

/// As the TLS encoding of an SCT has it (RFC 6962 §3.2, RFC 5246 §4.7).
#[test]
fn a_timestamp_is_of_version_1_with_sha256_and_ecdsa() {
    let entry = PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: b"tbs".to_vec() };
    let sct = SignedCertificateTimestamp::sign(&log_key(), &entry, NOW, 3);
    let bytes = sct.to_bytes();
    let algorithms = 1 + 32 + 8 + 2 + sct.extensions.len();
    assert_eq!((bytes[0], &bytes[algorithms..algorithms + 2]), (0, &[4, 3][..]));
    assert_eq!(SignedCertificateTimestamp::parse(&bytes).as_ref(), Ok(&sct));
    for (at, byte) in [(0, 1), (algorithms, 2), (algorithms, 8), (algorithms + 1, 1)] {
        let mut changed = bytes.clone();
        changed[at] = byte;
        assert_eq!(SignedCertificateTimestamp::parse(&changed), Err(SctError::Malformed), "{byte} at {at}");
    }
    let trailing = [bytes.as_slice(), &[0]].concat();
    assert_eq!(SignedCertificateTimestamp::parse(&trailing), Err(SctError::Malformed));
}

#[test]
fn the_signature_of_a_timestamp_is_der() {
    let key = log_key();
    let entry = PrecertEntry { issuer_key_hash: Hash([7; 32]), tbs: b"tbs".to_vec() };
    let sct = SignedCertificateTimestamp::sign(&key, &entry, NOW, 3);
    let fixed = p256::ecdsa::Signature::from_der(&sct.signature).unwrap().to_vec();
    for signature in [fixed, [sct.signature.as_slice(), &[0]].concat(), Vec::new()] {
        let sct = SignedCertificateTimestamp { signature, ..sct.clone() };
        // It is read, and written again, as it stands.
        assert_eq!(SignedCertificateTimestamp::parse(&sct.to_bytes()).as_ref(), Ok(&sct));
        assert_eq!(sct.verify(key.verifying_key(), &entry), Err(SctError::Malformed));
    }
}

/// The extension that says this index.
const INDEX: [u8; 8] = [0, 0, 5, 1, 2, 3, 4, 5];
/// One of a type that nobody has given a meaning yet.
const UNKNOWN: [u8; 5] = [1, 0, 2, 7, 7];

/// A list of extensions, and the index that it says.
fn extensions() -> [(Vec<u8>, Option<u64>); 10] {
    let index = Some(0x01_0203_0405);
    [
        (INDEX.to_vec(), index),
        ([&UNKNOWN[..], &INDEX].concat(), index),
        ([&INDEX[..], &UNKNOWN].concat(), index),
        (Vec::new(), None),
        (UNKNOWN.to_vec(), None),
        ([INDEX, INDEX].concat(), None),
        (vec![0, 0, 4, 2, 3, 4, 5], None),
        (vec![0, 0, 6, 0, 1, 2, 3, 4, 5], None),
        (INDEX[..7].to_vec(), None),
        ([&INDEX[..], &[1]].concat(), None),
    ]
}

/// Other logs may say more than we know of (static-ct-api, "SCT Extension"), and one of RFC 6962 alone nothing.
#[test]
fn a_timestamp_with_unknown_extensions_is_read_and_verifies_over_them() {
    use p256::ecdsa::signature::Signer as _;
    let (key, certificate) = (log_key(), b"certificate");
    for (extensions, index) in extensions() {
        let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        let entry = [&[0, 0, 0, 0, 11][..], certificate, &length, &extensions].concat();
        let signed = [&[0, 0][..], &NOW.to_be_bytes(), &entry].concat();
        let signature: p256::ecdsa::DerSignature = key.sign(&signed);
        let ours = SignedCertificateTimestamp::sign(&key, SignedEntry::Certificate(certificate), NOW, 3);
        let signature = signature.as_bytes().to_vec();
        let sct = SignedCertificateTimestamp { extensions, signature, ..ours };
        assert_eq!(SignedCertificateTimestamp::parse(&sct.to_bytes()).as_ref(), Ok(&sct));
        sct.verify(key.verifying_key(), SignedEntry::Certificate(certificate)).unwrap();
        assert_eq!(sct.leaf_index(), index);
    }
}

/// A leaf of a data tile, of this type of entry, with these extensions and this chain.
fn leaf(kind: [u8; 2], extensions: &[u8], chain: &[u8]) -> Vec<u8> {
    let opaque = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let certificate = [&[0][..], &opaque(b"certificate")].concat();
    let mut bytes = [&NOW.to_be_bytes()[..], &kind].concat();
    if kind == [0, 1] {
        bytes.extend([7; 32]);
    }
    bytes.extend([certificate.as_slice(), &opaque(extensions)].concat());
    if kind == [0, 1] {
        bytes.extend(&certificate);
    }
    bytes.extend(opaque(chain));
    bytes
}

#[test]
fn a_leaf_is_read_only_as_it_is_written_again() {
    for kind in [[0, 0], [0, 1]] {
        for (extensions, _) in extensions() {
            let bytes = leaf(kind, &extensions, &[8; 64]);
            let read = TileLeaf::parse_prefix(&bytes);
            assert_eq!(read.is_some(), extensions == INDEX, "{extensions:?}");
            if let Some((leaf, rest)) = read {
                assert_eq!((leaf.leaf_index, leaf.chain.len(), rest), (0x01_0203_0405, 2, &[][..]));
                assert_eq!(leaf.to_bytes(), bytes);
            }
        }
        for length in [1, 31, 33, 63] {
            assert_eq!(TileLeaf::parse_prefix(&leaf(kind, &INDEX, &vec![8; length])), None, "{length}");
        }
        let bytes = leaf(kind, &INDEX, &[]);
        assert!((0..bytes.len()).all(|cut| TileLeaf::parse_prefix(&bytes[..cut]).is_none()));
        let followed = [bytes.as_slice(), b"next"].concat();
        assert_eq!(TileLeaf::parse_prefix(&followed).unwrap().1, b"next");
    }
    for kind in [[0, 2], [1, 0], [1, 1], [255, 255]] {
        assert_eq!(TileLeaf::parse_prefix(&leaf(kind, &INDEX, &[])), None, "{kind:?}");
    }
}

/// Whoever serves a tile could have put there what no leaf hash is over.
#[tokio::test]
async fn a_data_tile_with_more_than_was_logged_is_not_taken_for_the_logs() {
    use sigveil_log::whole::{Identity, verify};
    let folder = tempfile::tempdir().unwrap();
    let root = Holder::root("CN=root", 1);
    let log = open(folder.path(), &[&root.certificate]);
    let chain = vec![root.certify("CN=leaf", &subject_key(), vec![])];
    log.issue(chain, EntryKind::Certificate).await.unwrap();
    let identity = Identity::new(log.log().key().clone());
    verify(log.log().reader(), &identity).unwrap();
    let tile = folder.path().join("log/tile/data/000.p/1");
    let bytes = std::fs::read(&tile).unwrap();
    let own = [0, 8, 0, 0, 5, 0, 0, 0, 0, 0];
    let at = bytes.windows(own.len()).position(|window| window == own).unwrap();
    for more in [&UNKNOWN[..], &own[2..]] {
        let extensions = [more, &own[2..]].concat();
        let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        let altered = [&bytes[..at], &length, &extensions, &bytes[at + own.len()..]].concat();
        std::fs::write(&tile, altered).unwrap();
        assert_eq!(verify(log.log().reader(), &identity).unwrap_err().reason(), "bundle-malformed");
    }
}
