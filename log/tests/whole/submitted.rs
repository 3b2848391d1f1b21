//! What stands beside the leaves of a certificate log and is not covered by them: precertificates and chains.

use p256::ecdsa::SigningKey;
use sigveil_log::sct::{LoggedCertificate, TileLeaf};

use super::common::certificates::poison;
use super::*;

const BUNDLE: &str = "tile/data/000.p/2";

/// Two authorities below one root, and what the log has been sent: a precertificate of the first and a certificate of the
/// root.
struct Authorities {
    root: Holder,
    first: Holder,
    second: Holder,
}

fn subject() -> SigningKey {
    SigningKey::from_slice(&[9; 32]).unwrap()
}

impl Authorities {
    fn new() -> Self {
        let root = Holder::root("CN=root", 1);
        let [first, second] = [("CN=first", 2), ("CN=second", 3)]
            .map(|(name, key)| root.issue(name, key, vec![constraints(true)]));
        Self { root, first, second }
    }

    fn precertificate(&self) -> Vec<u8> {
        self.first.certify("CN=leaf", &subject(), vec![constraints(false), poison()])
    }

    /// A log that has stopped, and its identity.
    async fn log(&self, folder: &Path) -> (PathBuf, Identity) {
        let roots = AcceptedRoots::new([self.root.certificate.clone()]).unwrap();
        let key = SigningKey::from_slice(&[5; 32]).unwrap();
        let log = CertificateLog::open(config(folder), key, roots).unwrap();
        let chain = vec![self.precertificate(), self.first.certificate.clone()];
        log.issue(chain, EntryKind::Precertificate).await.unwrap();
        let plain = self.root.certify("CN=plain", &subject(), vec![constraints(false)]);
        log.issue(vec![plain], EntryKind::Certificate).await.unwrap();
        log.log().stop().await;
        (folder.join("log"), Identity::new(log.log().key().clone()))
    }
}

fn leaves(bundle: &Path) -> Vec<TileLeaf> {
    TileLeaf::parse_first(&fs::read(bundle).unwrap(), 2).unwrap()
}

/// Alters what is beside the leaves, which stay.
fn alter(bundle: &Path, change: impl Fn(&mut [TileLeaf])) {
    let mut altered = leaves(bundle);
    change(&mut altered);
    let hashes = |leaves: &[TileLeaf]| leaves.iter().map(TileLeaf::leaf_hash).collect::<Vec<_>>();
    assert_eq!(hashes(&altered), hashes(&leaves(bundle)));
    fs::write(bundle, altered.iter().flat_map(TileLeaf::to_bytes).collect::<Vec<_>>()).unwrap();
}

/// Has a certificate in the folder, for chains to name.
fn keep(folder: &Path, certificate: &[u8]) -> Hash {
    let fingerprint = Hash::of(&[certificate]);
    fs::write(folder.join("issuer").join(fingerprint.to_hex()), certificate).unwrap();
    fingerprint
}

/// Puts something else in the place of the precertificate.
fn by(der: Vec<u8>) -> impl Fn(&Path) {
    move |folder| alter(&folder.join(BUNDLE), |leaves| replace_der(&mut leaves[0], der.clone()))
}

fn replace_der(leaf: &mut TileLeaf, by: Vec<u8>) {
    let LoggedCertificate::Precertificate { der, .. } = &mut leaf.entry else { panic!("a precertificate") };
    *der = by;
}

/// What a source that was altered is refused for, by everybody; and that a folder which was is put right.
fn refused(folder: &Path, identity: &Identity, change: impl Fn(&Path)) -> (String, String) {
    let (log, to, altered) = (folder.join("log"), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(&log, altered.path());
    change(altered.path());
    let source = Reader::new(altered.path());
    let error = verify(&source, identity).unwrap_err();
    let cloned = LocalCopy::open(to.path(), identity.clone()).unwrap().follow(&source).unwrap_err();
    assert_eq!(cloned.to_string(), error.to_string());
    assert!(!to.path().join(BUNDLE).exists(), "nothing of it is kept");
    let findings = examine(altered.path(), identity).unwrap().findings;
    let completed = complete(altered.path(), identity, &Reader::new(&log)).unwrap();
    assert_eq!(completed.written, 1);
    assert_eq!(fs::read(altered.path().join(BUNDLE)).unwrap(), fs::read(log.join(BUNDLE)).unwrap());
    verify(&source, identity).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].path.clone(), error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_precertificate_is_the_one_that_was_submitted() {
    let (folder, authorities) = (tempfile::tempdir().unwrap(), Authorities::new());
    let (log, identity) = authorities.log(folder.path()).await;
    verify(&Reader::new(&log), &identity).unwrap();
    let Authorities { root, first, .. } = &authorities;
    let refused_as = |message: &str, change: &dyn Fn(&Path)| {
        let (path, error) = refused(folder.path(), &identity, change);
        assert!(path == BUNDLE && error.contains(message), "{path}: {error}");
    };

    // Each is of the same authority and signed by it, but for the last two.
    let other = first.certify("CN=other", &subject(), vec![constraints(false), poison()]);
    refused_as("the precertificate is another", &by(other));
    let published = first.certify("CN=leaf", &subject(), vec![constraints(false)]);
    refused_as("this is no precertificate", &by(published));
    let mut unsigned = authorities.precertificate();
    *unsigned.last_mut().unwrap() ^= 1;
    refused_as("not issued by the next", &by(unsigned));
    // One that the root vouches for too, of that name and with another key.
    let namesake = root.issue("CN=first", 7, vec![constraints(true)]);
    let signed = namesake.certify("CN=leaf", &subject(), vec![constraints(false), poison()]);
    refused_as("begins with another key", &|folder: &Path| {
        let fingerprint = keep(folder, &namesake.certificate);
        alter(&folder.join(BUNDLE), |leaves| {
            replace_der(&mut leaves[0], signed.clone());
            leaves[0].chain[0] = fingerprint;
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_of_those_who_issued_each_other_and_are_there() {
    let (folder, authorities) = (tempfile::tempdir().unwrap(), Authorities::new());
    let (log, identity) = authorities.log(folder.path()).await;
    let [root, first] = [&authorities.root, &authorities.first].map(|of| Hash::of(&[&of.certificate]));
    let kept = leaves(&log.join(BUNDLE));
    assert_eq!([kept[0].chain.clone(), kept[1].chain.clone()], [vec![first, root], vec![root]]);
    let with = |place: usize, chain: Vec<Hash>| {
        refused(folder.path(), &identity, |folder| {
            keep(folder, &authorities.second.certificate);
            alter(&folder.join(BUNDLE), |leaves| leaves[place].chain = chain.clone());
        })
    };
    let second = Hash::of(&[&authorities.second.certificate]);
    let again = |count| [vec![first], vec![root; count]].concat();
    for (place, chain, message) in [
        (0, vec![], "the chain has no certificate"),
        (1, vec![], "the chain has no certificate"),
        (0, again(16), "more than a log takes"),
        // The one that issued it is there, and is not the one that is named.
        (1, vec![first, root], "not issued by the next"),
        (0, vec![first, second], "not issued by the next"),
    ] {
        let (path, error) = with(place, chain.clone());
        assert!(path == BUNDLE && error.contains(message), "{chain:?}: {error}");
    }
    // What is nowhere, and what is there and no certificate.
    let mut nowhere = root;
    nowhere.0[0] ^= 1;
    let nothing = refused(folder.path(), &identity, |folder| {
        alter(&folder.join(BUNDLE), |leaves| leaves[0].chain[1] = nowhere);
    });
    let words = refused(folder.path(), &identity, |folder| {
        let fingerprint = keep(folder, b"words");
        alter(&folder.join(BUNDLE), |leaves| leaves[0].chain[1] = fingerprint);
    });
    for ((path, error), fingerprint) in [(nothing, nowhere), (words, Hash::of(&[b"words"]))] {
        let issuer = format!("issuer/{}", fingerprint.to_hex());
        assert!(path == issuer && error.contains(&issuer), "{path}: {error}");
    }
    // As long as a log takes one.
    let longest = tempfile::tempdir().unwrap();
    copy(&log, longest.path());
    alter(&longest.path().join(BUNDLE), |leaves| leaves[0].chain = again(15));
    verify(&Reader::new(longest.path()), &identity).unwrap();
}
