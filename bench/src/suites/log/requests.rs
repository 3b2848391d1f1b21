//! The requests that logs get: signatures by a public key over digests of their own, in each face's form.

use base64::Engine as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::{OsRng, RngCore as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::load::prepared;

/// How a log is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `POST /api/v2/log/entries`.
    Rekor2,
    /// `POST /api/v1/log/entries`.
    Rekor1,
}

/// As many requests, every one for another entry.
pub(crate) fn prepare(face: Face, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let key = p256::ecdsa::SigningKey::random(&mut OsRng);
    let public = key.verifying_key().to_public_key_der()?;
    let (der, pem) =
        (base64(public.as_bytes()), base64(public.to_pem("PUBLIC KEY", LineEnding::LF)?.as_bytes()));
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    let request = |index: usize| {
        let digest = Sha256::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize();
        let signature: p256::ecdsa::DerSignature = key.sign_prehash(&digest)?;
        let signature = base64(signature.as_bytes());
        let request = match face {
            Face::Rekor2 => json!({"hashedRekordRequestV002": {
                "digest": base64(&digest),
                "signature": {
                    "content": signature,
                    "verifier": {"publicKey": {"rawBytes": der}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
                },
            }}),
            Face::Rekor1 => json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hex::encode(digest)}},
                "signature": {"content": signature, "publicKey": {"content": pem}},
            }}),
        };
        Ok(serde_json::to_vec(&request)?)
    };
    prepared(count, request)
}
