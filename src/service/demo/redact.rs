//! One sealed entry, redacted: its payload and salts are in the store before, and in no file of it after.

use std::path::Path;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey;
use rand_core::{OsRng, RngCore};
use serde_json::{Value, json};
use sigveil_log::entry::{
    Entry, KeyDetails, ReasonCode, SealedEntry, SealedField, SealedPayload, Signature, Verifier,
};
use sigveil_verifiable_search::answer::Place;
use tokio::runtime::Runtime;

use super::Stage;
use crate::failure::Failure;
use crate::files::{self, Replace};
use crate::service::instance::{InstanceError, now};
use crate::service::redaction::{apply, prepare};

/// What was redacted.
pub(super) struct Redaction {
    pub(super) index: u64,
    pub(super) record: u64,
}

pub(super) fn run(stage: &Stage, runtime: &Runtime) -> Result<Redaction, Failure> {
    let payload = payload();
    // The plain text survives here alone, so that anybody can search the store for it.
    let kept = serde_json::to_vec(&payload).map_err(|error| step(&error.to_string()))?;
    files::write_secret(&stage.folder.join("secret/sealed.json"), &kept, Replace::Always)?;
    let store = stage.folder.join("store");
    let index = submit(stage, &payload)?;
    if !found(&store, &payload)? {
        return Err(step("the sealed payload is not in the store before its redaction"));
    }
    let instance = &stage.instance;
    let place = Place { log: instance.rekor.key().name().to_owned(), index };
    let redacted = runtime.block_on(async {
        instance.indexer.update().await.map_err(InstanceError::from)?;
        let reason = ReasonCode::PersonalData;
        let mut record = prepare(&instance.indexer, &instance.trust, &place, reason, now()).await?;
        record.signatures = vec![record.statement.sign(&instance.redaction)];
        Ok::<_, Failure>(apply(&instance.rekor, &instance.indexer, &instance.trust, record).await?)
    })?;
    if found(&store, &payload)? {
        return Err(step("the sealed payload is still in the store after its redaction"));
    }
    Ok(Redaction { index, record: redacted.record })
}

fn step(message: &str) -> Failure {
    Failure::new("demo-step", message)
}

/// Two fields that no other file can hold by chance.
fn payload() -> SealedPayload {
    let mut unique = [0; 24];
    OsRng.fill_bytes(&mut unique);
    let value = format!("medical record {}", hex::encode(unique));
    SealedPayload {
        fields: vec![
            SealedField::new("subject", value.as_bytes(), &mut OsRng),
            SealedField::new("size", b"4096", &mut OsRng),
        ],
    }
}

fn submit(stage: &Stage, payload: &SealedPayload) -> Result<u64, Failure> {
    let key = SigningKey::random(&mut OsRng);
    let commitments = payload.commitments();
    let signature: DerSignature = {
        let digest = sigveil_log::entry::sealed_digest(&commitments);
        key.sign_prehash(&digest.0).map_err(|error| step(&error.to_string()))?
    };
    let spki = key.verifying_key().to_public_key_der().map_err(|error| step(&error.to_string()))?;
    let entry = Entry::Sealed(SealedEntry {
        commitments,
        signature: Signature {
            content: signature.as_bytes().to_vec(),
            key_details: KeyDetails::EcdsaP256Sha256,
            verifier: Verifier::PublicKey(spki.into_vec()),
        },
    });
    let entry: Value = serde_json::from_slice(&entry.body()).map_err(|error| step(&error.to_string()))?;
    let url = format!("{}/api/sigveil/v1/sealed", stage.instance.services().rekor);
    let answer =
        stage.client.post("the signature log", &url, &json!({"entry": entry, "payload": payload}))?;
    let index = answer["logIndex"].as_str().and_then(|text| text.parse().ok());
    index.ok_or_else(|| step("the log's answer has no index"))
}

/// Whether any file below the store holds a field's value or salt: as bytes, in hex or in base64.
fn found(store: &Path, payload: &SealedPayload) -> Result<bool, Failure> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut needles = Vec::new();
    for field in &payload.fields {
        // A short value may stand anywhere by chance; its salt does not.
        for secret in [&field.salt, &field.value].into_iter().filter(|secret| secret.len() >= 16) {
            needles.extend([
                secret.clone(),
                hex::encode(secret).into_bytes(),
                STANDARD.encode(secret).into_bytes(),
            ]);
        }
    }
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error: std::io::Error| Failure::new("file-unreadable", error.to_string());
        for entry in std::fs::read_dir(&folder).map_err(unreadable)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).map_err(unreadable)?;
            if needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
