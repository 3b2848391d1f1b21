//! Chains that come again to a log in whose folder somebody has written who has not its key.

use std::path::PathBuf;

use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::engine::OpenError;
use sigveil_log::merkle::{inclusion_proof, verify_inclusion};
use sigveil_log::note::SignedNote;
use sigveil_log::tile::{HashTile, TileTree};

use super::*;

/// A log of one full tile, which has stopped, and somebody who can write to its folder.
struct Altered {
    folder: tempfile::TempDir,
    root: Holder,
    /// What was logged, by index.
    logged: Vec<(Vec<u8>, SignedCertificateTimestamp)>,
}

impl Altered {
    async fn new() -> Self {
        let (folder, root) = (tempfile::tempdir().unwrap(), Holder::root("CN=root", 1));
        let mut altered = Self { folder, root, logged: Vec::new() };
        let log = altered.open();
        let start = |number: u64| {
            let (log, certificate) = (log.clone(), altered.certificate(&format!("CN={number}")));
            tokio::spawn(async move { (certificate.clone(), issue(&log, &certificate).await) })
        };
        for issued in (0..TILE_WIDTH).map(start).collect::<Vec<_>>() {
            altered.logged.push(issued.await.unwrap());
        }
        altered.logged.sort_by_key(|(_, sct)| sct.leaf_index());
        log.log().stop().await;
        altered
    }

    fn certificate(&self, name: &str) -> Vec<u8> {
        self.root.certify(name, &subject_key(), vec![])
    }

    fn try_open(&self) -> Result<CertificateLog, OpenError> {
        let roots = AcceptedRoots::new([self.root.certificate.clone()]).unwrap();
        // Nothing of a full tile stays in the write-ahead log, and it is not made anew from that.
        let config = Config { wal_limit: 1, ..config(self.folder.path()) };
        // Nor is the checkpoint published again.
        CertificateLog::open(Config { refresh: Duration::from_secs(3600), ..config }, log_key(), roots)
    }

    fn open(&self) -> CertificateLog {
        self.try_open().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    /// Alters what the data tile says of a leaf; its hash is then this.
    fn alter_data(&self, index: usize, change: impl FnOnce(&mut TileLeaf)) -> Hash {
        let path = self.path("tile/data/000");
        let mut leaves = TileLeaf::parse_first(&std::fs::read(&path).unwrap(), 256).unwrap();
        change(&mut leaves[index]);
        let bytes: Vec<u8> = leaves.iter().flat_map(TileLeaf::to_bytes).collect();
        std::fs::write(path, bytes).unwrap();
        leaves[index].leaf_hash()
    }

    /// Puts a certificate that nobody submitted in the place of another, in the data tile; the hash of its leaf.
    fn plant(&self, index: usize) -> (Vec<u8>, Hash) {
        let planted = self.certificate("CN=planted");
        let entry = LoggedCertificate::Certificate(planted.clone());
        (planted, self.alter_data(index, |leaf| leaf.entry = entry))
    }

    /// Alters the leaf's hash too; the root of the tree is then this.
    fn alter_hashes(&self, index: usize, leaf: Hash) -> Hash {
        let path = self.path("tile/0/000");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[32 * index..][..32].copy_from_slice(&leaf.0);
        std::fs::write(path, &bytes).unwrap();
        let hashes: Vec<_> = bytes.chunks(32).filter_map(Hash::from_slice).collect();
        HashTile::new(&hashes).node(8, 0).unwrap()
    }
}

async fn issue(log: &CertificateLog, certificate: &[u8]) -> SignedCertificateTimestamp {
    log.issue(vec![certificate.to_vec()], EntryKind::Certificate).await.unwrap()
}

/// Has a certificate logged as one that is new, at this index, and finds it under the log's checkpoint.
async fn is_logged_at(log: &CertificateLog, certificate: &[u8], index: u64) {
    let sct = issue(log, certificate).await;
    sct.verify(log_key().verifying_key(), SignedEntry::Certificate(certificate)).unwrap();
    assert_eq!(sct.leaf_index(), Some(index));
    let entry = LoggedCertificate::Certificate(certificate.to_vec());
    let leaf = TileLeaf { entry, timestamp: sct.timestamp, leaf_index: index, chain: Vec::new() };
    let opened = VerifiedCheckpoint::open(&log.log().checkpoint().unwrap(), log.log().key(), &[]).unwrap();
    assert_eq!(opened.checkpoint().size, index + 1);
    let tree = TileTree::open(log.log().reader(), index + 1, &opened.checkpoint().root).unwrap();
    assert_eq!(tree.leaf(index).unwrap(), leaf.leaf_hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_data_tile_says_no_timestamp_is_made_that_the_tree_has_not() {
    let altered = Altered::new().await;
    // A bit turned, and a certificate that nobody submitted.
    altered.alter_data(3, |leaf| leaf.timestamp ^= 1);
    let (planted, _) = altered.plant(4);
    let log = altered.open();
    is_logged_at(&log, &altered.logged[3].0, 256).await;
    is_logged_at(&log, &planted, 257).await;
    is_logged_at(&log, &altered.logged[4].0, 258).await;
    // What was not altered has the timestamp it had.
    for index in [2, 5] {
        let (certificate, had) = &altered.logged[index];
        assert_eq!(issue(&log, certificate).await, *had);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_tiles_that_agree_with_each_other_no_timestamp_is_made_that_the_tree_has_not() {
    let altered = Altered::new().await;
    let (planted, leaf) = altered.plant(4);
    let hashes = std::fs::read(altered.path("tile/0/000")).unwrap();
    altered.alter_hashes(4, leaf);
    // Of so small a log all tiles are compared with the checkpoint when it starts.
    assert_eq!(altered.try_open().err().unwrap().reason(), "log-published-differs");
    std::fs::write(altered.path("tile/0/000"), hashes).unwrap();
    let log = altered.open();
    let (compared, had) = &altered.logged[100];
    assert_eq!(issue(&log, compared).await, *had);
    altered.alter_hashes(4, leaf);
    is_logged_at(&log, &planted, 256).await;
    // Beside it nothing can be proven any more, but for what was before.
    is_logged_at(&log, &altered.logged[5].0, 257).await;
    assert_eq!(issue(&log, compared).await, *had);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_checkpoint_that_the_log_has_not_signed_no_timestamp_is_made() {
    let altered = Altered::new().await;
    let (planted, leaf) = altered.plant(4);
    let log = altered.open();
    let root = altered.alter_hashes(4, leaf);
    let path = altered.path("checkpoint");
    let published = std::fs::read(&path).unwrap();
    let forged = |key: SigningKey| {
        let signer = NoteSigner::rfc6962(ORIGIN, key).unwrap();
        let checkpoint = Checkpoint::new(ORIGIN, TILE_WIDTH, root);
        let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
        note.add(signer.sign(&checkpoint, NOW));
        note.to_string()
    };
    // Tiles and text agree, so that there is nothing but the signature to refuse.
    let tree = TileTree::new(log.log().reader(), TILE_WIDTH);
    let proof = inclusion_proof(&tree, 4, TILE_WIDTH).unwrap();
    verify_inclusion(&leaf, 4, TILE_WIDTH, &proof, &root).unwrap();
    let again = || log.issue(vec![planted.clone()], EntryKind::Certificate);
    for note in [forged(SigningKey::from_slice(&[6; 32]).unwrap()), String::new()] {
        std::fs::write(&path, note).unwrap();
        assert_eq!(again().await.unwrap_err().reason(), "log-unavailable");
    }
    std::fs::write(&path, published).unwrap();
    is_logged_at(&log, &planted, 256).await;
}
