//! Keys on disk, and a real proof of `nym` with them.

use std::fs;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use sigveil_circuits::Fr;
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{KeyError, KeyStore, Keys, Statement};
use sigveil_circuits::nym::{self, Instance, Witness, circuit};
use sigveil_circuits::token::LinkingRandomness;
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::Scalar;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, Profile, Scope, SlotCount};
use sigveil_vrf_identity::vrf::SecretKey;

fn statement() -> (Instance, Witness) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let secret = SecretKey::generate(&mut rng);
    let idf = Identity::new("https://issuer.example", Kind::Email, "a@b.example").unwrap().idf();
    let evaluation = secret.evaluate(Mode::Open, &idf, &mut rng).unwrap();
    let output = evaluation.verify(&secret.public_key(), Mode::Open, &idf).unwrap();
    let rho = Rho::from_bytes(&Scalar::random_nonzero(&mut rng).to_bytes()).unwrap();
    let linking = LinkingRandomness(Fr::from(77u64));
    let instance = Instance {
        key: secret.public_key(),
        linking_commitment: linking.commit(idf),
        mode: Mode::Open,
        profile: Profile::Stable,
        epoch: Scope::Stable.epoch(),
        slots: SlotCount::new(1 << 16).unwrap(),
        label: Label::derive(&output.monitoring_key, Scope::Stable),
        commitment: Commitment::new(&idf, &rho).unwrap(),
        key_hash: KeyHash::of_spki(b"a key"),
    };
    (instance, Witness::open(idf, linking, rho, &evaluation, 0))
}

fn refused(store: &KeyStore) -> &'static str {
    match store.load(Statement::Nym).err() {
        Some(KeyError::Refused { why, .. }) => why,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

/// The file with β in the place of δ in G1 and a digest that is right: proofs would not be blinded by δ.
fn with_delta_replaced(file: &[u8]) -> Vec<u8> {
    let mut body = file[..file.len() - 32].to_vec();
    let beta = 23 + 1 + 1 + Statement::Nym.name().len() + 32 + groth16::VERIFYING_KEY_LEN + 4 * 8;
    body.copy_within(beta..beta + 64, beta + 64);
    let digest = Sha256::digest(&body);
    [&body[..], &digest].concat()
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
    for (bytes, why) in [
        (&altered[..], "truncated or altered"),
        (&unblinded, "not that of its verifying key"),
        (&good[..good.len() - 1], "truncated or altered"),
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
fn statements_are_found_by_their_names() {
    for statement in Statement::ALL {
        assert_eq!(Statement::from_name(statement.name()), Some(statement));
    }
    assert_eq!(Statement::from_name("nym.v0"), None);
}
