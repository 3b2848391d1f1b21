//! The requests that logs get: signatures over digests of their own, in each face's form, by a bare key or one with a certificate.

use anyhow::Context as _;
use base64::Engine as _;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::load::{Target, prepared};

/// How a log is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `POST /api/v2/log/entries`.
    Rekor2,
    /// `POST /api/v1/log/entries`.
    Rekor1,
}

/// As many requests, every one for another entry, by a key that nobody has certified.
pub(crate) fn prepare(face: Face, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let key = SigningKey::random(&mut OsRng);
    let public = key.verifying_key().to_public_key_der()?;
    match face {
        Face::Rekor2 => {
            let verifier = json!({"publicKey": {"rawBytes": base64(public.as_bytes())}});
            signed(&key, count, |digest, signature| hashed_rekord(&verifier, digest, signature))
        }
        Face::Rekor1 => {
            let pem = base64(public.to_pem("PUBLIC KEY", LineEnding::LF)?.as_bytes());
            signed(&key, count, |digest, signature| {
                json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
                    "data": {"hash": {"algorithm": "sha256", "value": hex::encode(digest)}},
                    "signature": {"content": base64(signature), "publicKey": {"content": pem}},
                }})
            })
        }
    }
}

/// The same in Rekor v2's form, by a key with its certificate (DER).
pub(crate) fn prepare_certified(
    key: &SigningKey,
    certificate: &[u8],
    count: usize,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let verifier = json!({"x509Certificate": {"rawBytes": base64(certificate)}});
    signed(key, count, |digest, signature| hashed_rekord(&verifier, digest, signature))
}

/// Has an entry logged; the length of its body, as the log keeps it.
pub(crate) fn body_bytes(face: Face, target: &Target, request: Vec<u8>) -> anyhow::Result<usize> {
    let url = format!("http://{}{}", target.address, target.path);
    let asked = reqwest::blocking::Client::new().post(url).header("content-type", "application/json");
    let answer: Value = asked.body(request).send()?.error_for_status()?.json()?;
    let body = match face {
        Face::Rekor2 => answer["canonicalizedBody"].as_str(),
        // By the entry's name.
        Face::Rekor1 => answer.as_object().and_then(|all| all.values().next()?["body"].as_str()),
    };
    let body = body.context("an answer has the entry's body")?;
    Ok(base64::engine::general_purpose::STANDARD.decode(body)?.len())
}

fn hashed_rekord(verifier: &Value, digest: &[u8], signature: &[u8]) -> Value {
    let mut verifier = verifier.clone();
    verifier["keyDetails"] = "PKIX_ECDSA_P256_SHA_256".into();
    json!({"hashedRekordRequestV002": {
        "digest": base64(digest),
        "signature": {"content": base64(signature), "verifier": verifier},
    }})
}

/// Requests over digests of their own, each signed.
fn signed(
    key: &SigningKey,
    count: usize,
    form: impl Fn(&[u8], &[u8]) -> Value + Sync,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    prepared(count, |index| {
        let digest = Sha256::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize();
        let signature: p256::ecdsa::DerSignature = key.sign_prehash(&digest)?;
        Ok(serde_json::to_vec(&form(&digest, signature.as_bytes()))?)
    })
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
