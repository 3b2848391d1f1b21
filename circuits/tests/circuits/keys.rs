//! Keys on disk, and a real proof of `nym` with them.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{KeyError, KeyStore, Keys, Statement};
use sigveil_circuits::nym::{self, Instance, Witness, circuit, sample};
use sigveil_vrf_identity::commitment::KeyHash;

fn statement() -> (Instance, Witness) {
    sample::statement(&mut ChaCha20Rng::seed_from_u64(1))
}

fn refused(store: &KeyStore) -> &'static str {
    match store.load(Statement::Nym).err() {
        Some(KeyError::Refused { why, .. }) => why,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

/// Where the verifying key stands in the header.
const VERIFYING: usize = 23 + 4 + 1 + 32 + 1 + "nym.v1".len() + 32 + 3 * 8;
const ENTRIES: usize = VERIFYING + groth16::VERIFYING_KEY_LEN + 2 * 64;
const HEADER: usize = ENTRIES + 8 * 40;

/// The file with its header changed and a digest that is right.
fn resealed(file: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut out = file.to_vec();
    change(&mut out[..HEADER]);
    let digest = Sha256::digest(&out[..HEADER]);
    out[HEADER..HEADER + 32].copy_from_slice(&digest);
    out
}

/// The file with β in the place of δ in G1 and a digest that is right: proofs would not be blinded by δ.
fn with_delta_replaced(file: &[u8]) -> Vec<u8> {
    let beta = VERIFYING + groth16::VERIFYING_KEY_LEN;
    resealed(file, |header| header.copy_within(beta..beta + 64, beta + 64))
}

/// The file for a variable more than the circuit has, and a digest that is right.
fn with_a_variable_more(file: &[u8]) -> Vec<u8> {
    resealed(file, |header| {
        let number = u64::from_le_bytes(header[VERIFYING - 16..VERIFYING - 8].try_into().unwrap());
        header[VERIFYING - 16..VERIFYING - 8].copy_from_slice(&(number + 1).to_le_bytes());
    })
}

#[test]
fn a_nym_proof_with_stored_keys_holds_and_bad_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::new(folder.path().join("keys"));
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    assert!(store.load(Statement::Nym).unwrap().is_none());
    let made = store.load_or_create(Statement::Nym, &mut rng, &mut |_| {}).unwrap();
    let keys = store.load_or_create(Statement::Nym, &mut rng, &mut |_| panic!("made twice")).unwrap();
    assert_eq!((keys.digest(), keys.verifying_key()), (made.digest(), made.verifying_key()));
    assert!(keys.to_string().contains("development key"));
    let found = keys.verifying_key().digest();
    let keys = keys.expect(found).unwrap();

    let (instance, witness) = statement();
    assert_eq!(nym::check(&instance, &witness), Ok(()));
    let proof = keys.prove(&circuit::assign(&instance, &witness), &mut rng).unwrap();
    assert_eq!(groth16::verify(keys.verifying_key(), instance.digest(), &proof), Ok(()));
    let other = Instance { key_hash: KeyHash::of_spki(b"another key"), ..instance };
    let refusal = groth16::verify(keys.verifying_key(), other.digest(), &proof).unwrap_err();
    assert_eq!(refusal.reason(), "proof-invalid");
    let elsewhere = groth16::VerifyingKeyDigest([0; 32]);
    assert_eq!(keys.expect(elsewhere).err().map(|e| e.reason()), Some("verifying-key-unexpected"));

    let path = store.path_of(Statement::Nym);
    let good = fs::read(&path).unwrap();
    let mut altered = good.clone();
    altered[good.len() / 2] ^= 1;
    let unblinded = with_delta_replaced(&good);
    let smaller = with_a_variable_more(&good);
    for (bytes, why) in [
        (&altered[..], "truncated or altered"),
        (&unblinded, "not that of its verifying key"),
        (&smaller, "of another size"),
        (&good[..good.len() - 1], "truncated"),
        (&good[..7], "truncated"),
        (&[b"x", &good[1..]].concat()[..], "no proving key of this format"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(refused(&store), why);
        let again = store.load_or_create(Statement::Nym, &mut rng, &mut |_| panic!("replaced"));
        assert_eq!(again.err().map(|e| e.reason()), Some("proving-key-malformed"));
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = KeyStore::new(file.path().join("keys"));
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let made: Result<Keys, _> = store.load_or_create(Statement::Nym, &mut rng, &mut |_| {});
    assert_eq!(made.err().map(|e| e.reason()), Some("key-store-io"));
}

#[test]
fn a_folder_that_takes_no_lock_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::new(folder.path());
    // A folder in the lock's place: no file can be opened there, whoever asks.
    fs::create_dir(folder.path().join("nym.v1.lock")).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let made = store.load_or_create(Statement::Nym, &mut rng, &mut |_| panic!("made without a lock"));
    assert_eq!(made.err().map(|e| e.reason()), Some("key-store-io"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn those_who_create_a_key_at_once_end_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicUsize::new(0);
    let create = &|seed: u64| {
        // A store and random numbers of its own, as another process has them.
        let store = KeyStore::new(folder.path());
        let mut began = false;
        let mut progress = |_| began = true;
        let keys = store.load_or_create(Statement::Nym, &mut ChaCha20Rng::seed_from_u64(seed), &mut progress);
        made.fetch_add(usize::from(began), Ordering::Relaxed);
        keys.unwrap().digest()
    };
    let digests = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|seed| scope.spawn(move || create(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(made.into_inner(), 1);
    let stored = KeyStore::new(folder.path()).load(Statement::Nym).unwrap().unwrap();
    assert!(digests.iter().all(|digest| *digest == stored.digest()));
    // The key and its lock; no temporary file.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn statements_are_found_by_their_names() {
    for statement in Statement::ALL {
        assert_eq!(Statement::from_name(statement.name()), Some(statement));
    }
    assert_eq!(Statement::from_name("nym.v0"), None);
}
