//! What the tests of the running parts share.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

pub mod acknowledged;
pub mod certificates;
#[cfg(all(feature = "postgres", feature = "s3"))]
pub mod servers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sigveil_log::Hash;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{Config, Coverage, Log, OpenError, Receipt, RedactionPolicy};
use sigveil_log::entry::*;
use sigveil_log::merkle::{leaf_hash, verify_inclusion};
use sigveil_log::note::{NoteKey, NoteSignature, NoteSigner};
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner, Witness};
use spki::EncodePublicKey as _;

pub const ORIGIN: &str = "log.example";
pub const NOW: u64 = 1_790_000_000_000;

/// Entries that a soak has acknowledged before it ends, where one was asked for (`SIGVEIL_TEST_SOAK`).
pub fn soak() -> Option<usize> {
    std::env::var("SIGVEIL_TEST_SOAK").ok().and_then(|entries| entries.parse().ok())
}

/// What is drawn by lot: from the seed to replay, or from a random one, which is printed.
pub fn lots() -> ChaCha20Rng {
    let seed = std::env::var("SIGVEIL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand_core::OsRng.next_u64());
    println!("SIGVEIL_TEST_SEED={seed}");
    ChaCha20Rng::seed_from_u64(seed)
}

/// Serves a router on a free port; its URL.
pub async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub async fn post(url: &str, body: Vec<u8>) -> reqwest::Response {
    reqwest::Client::new().post(url).body(body).send().await.unwrap()
}

/// Status and reason of a refusal, which must be a problem document (RFC 9457).
pub async fn refusal(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(problem["status"], status);
    (status, problem["reason"].as_str().unwrap().to_owned())
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A log that was dropped still holds its folder until its thread has ended.
pub fn reopen(config: impl Fn() -> Config) -> Result<Log, OpenError> {
    loop {
        match Log::open(config()) {
            Err(error) if error.reason() == "log-locked" => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// A receipt is about this body, and proves it under the checkpoint that comes with it.
pub fn check(log: &Log, receipt: &Receipt, body: &[u8]) {
    let opened = VerifiedCheckpoint::open(receipt.checkpoint.as_bytes(), log.key(), &[]).unwrap();
    assert_eq!((opened.checkpoint().size, opened.checkpoint().root), (receipt.tree_size, receipt.root));
    assert_eq!(receipt.leaf_hash, leaf_hash(body));
    verify_inclusion(&receipt.leaf_hash, receipt.index, receipt.tree_size, &receipt.proof, &receipt.root)
        .unwrap();
}

pub fn log_signer() -> NoteSigner {
    NoteSigner::ed25519(ORIGIN, SigningKey::from_bytes(&[1; 32])).unwrap()
}

pub fn authority() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

pub fn witness(folder: &Path, logs: Vec<NoteKey>) -> Witness {
    witness_of(folder, witness_signer(), logs)
}

/// A witness that signs so. One before it in the same folder may still be asked for a moment, by a log that was dropped.
pub fn witness_of(folder: &Path, signer: NoteSigner, logs: Vec<NoteKey>) -> Witness {
    for _ in 0..1_000 {
        match Witness::open(folder, signer.clone(), logs.clone(), Arc::new(|| NOW)) {
            Err(OpenError::Locked) => std::thread::sleep(std::time::Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
    panic!("somebody keeps the witness's folder")
}

/// The witness's signer.
pub fn witness_signer() -> NoteSigner {
    NoteSigner::cosignature("witness.example", SigningKey::from_bytes(&[3; 32])).unwrap()
}

/// The key by which [`witnessed`] logs are cosigned.
pub fn log_witness() -> NoteKey {
    witness_signer().public().clone()
}

pub fn config(folder: &Path) -> Config {
    let mut config = Config::new(&folder.join("log"), log_signer(), Arc::new(|| NOW));
    config.batch_age = std::time::Duration::from_millis(1);
    config
}

pub fn witnessed(folder: &Path) -> Config {
    let mut config = config(folder);
    config.witnesses = vec![Arc::new(witness(&folder.join("witness"), vec![log_signer().public().clone()]))];
    config.witness_threshold = 1;
    config.redaction = Some(redaction());
    config
}

pub fn redaction() -> RedactionPolicy {
    RedactionPolicy { authorities: vec![authority().verifying_key()], threshold: 1, witnesses: 1 }
}

/// A witness that is down until it is told otherwise.
pub struct Outage {
    witness: Arc<dyn Cosigner>,
    over: AtomicBool,
}

impl Outage {
    pub fn of(witness: Arc<dyn Cosigner>, over: bool) -> Arc<Self> {
        Arc::new(Self { witness, over: AtomicBool::new(over) })
    }

    /// From now on it is up, or down again.
    pub fn set(&self, over: bool) {
        self.over.store(over, Ordering::SeqCst);
    }
}

impl Cosigner for Outage {
    fn key(&self) -> &NoteKey {
        self.witness.key()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        let up = self.over.load(Ordering::SeqCst);
        if up { self.witness.cosign(request) } else { Err(CosignError::Other("down".to_owned())) }
    }
}

/// A map that covers every entry, or none.
pub struct Covered(pub bool);

impl Coverage for Covered {
    fn covers(&self, _: &str, _: u64, _: &Hash, _: &Hash) -> bool {
        self.0
    }
}

/// Value and salt of a field, as they are stored.
pub fn secrets(field: &SealedField) -> [Vec<u8>; 2] {
    [&field.value, &field.salt].map(|bytes| base64(bytes))
}

/// What is stored nowhere any more once the first field, or all of an entry, is withheld.
pub fn gone(payload: &SealedPayload, withheld: &Withholding) -> Vec<Vec<u8>> {
    let mut gone = secrets(&payload.fields[0]).to_vec();
    if *withheld == Withholding::WholeBody {
        // Its value stands in other entries too.
        gone.push(base64(&payload.fields[1].salt));
        gone.extend(payload.commitments().iter().map(|commitment| base64(&commitment.0)));
    }
    gone
}

pub fn base64(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes()
}

pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The contents of all files below a folder, one behind the other.
pub fn contents(folder: &Path) -> Vec<u8> {
    let below = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() { contents(&path) } else { std::fs::read(path).unwrap() }
    };
    std::fs::read_dir(folder).unwrap().flat_map(below).collect()
}

/// The key that signs the entries.
pub fn entry_key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[4; 32]).unwrap()
}

fn signature(digest: &Hash) -> Signature {
    let key = entry_key();
    let content: p256::ecdsa::DerSignature = key.sign_prehash(&digest.0).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap().into_vec();
    Signature {
        content: content.as_bytes().to_vec(),
        key_details: KeyDetails::EcdsaP256Sha256,
        verifier: Verifier::PublicKey(spki),
    }
}

/// A signature over an artifact, with a certificate as its verifier.
pub fn certified_rekord(artifact: &[u8], certificate: Vec<u8>) -> Entry {
    let digest = Hash::of(&[artifact]);
    let signature = Signature { verifier: Verifier::Certificate(certificate), ..signature(&digest) };
    Entry::HashedRekord(HashedRekord::new(digest.0.to_vec(), signature).unwrap())
}

pub fn rekord(artifact: &[u8]) -> Entry {
    let digest = Hash::of(&[artifact]);
    Entry::HashedRekord(HashedRekord::new(digest.0.to_vec(), signature(&digest)).unwrap())
}

pub fn sealed(value: &[u8]) -> (Entry, SealedPayload) {
    let mut rng = rand_core::OsRng;
    seal(vec![SealedField::new("name", value, &mut rng), SealedField::new("other", b"kept", &mut rng)])
}

pub fn seal(fields: Vec<SealedField>) -> (Entry, SealedPayload) {
    let payload = SealedPayload { fields };
    let commitments = payload.commitments();
    let signature = signature(&sealed_digest(&commitments));
    (Entry::Sealed(SealedEntry { commitments, signature }), payload)
}

pub fn record(index: u64, leaf_hash: Hash, withheld: Withholding) -> RedactionRecord {
    let map_keys = vec![Hash::of(&[b"a map key"])];
    let statement = RedactionStatement {
        origin: ORIGIN.to_owned(),
        index,
        leaf_hash,
        withheld,
        key_list_digest: key_list_digest(&map_keys),
        reason: ReasonCode::PersonalData,
        time: NOW / 1000,
        certificate_record: None,
    };
    let signatures = vec![statement.sign(&authority())];
    RedactionRecord { statement, map_keys, signatures }
}
