//! The requests that certificate logs get: precertificates as our authority makes them of scheme `clear`, and as Fulcio does.

use anyhow::Context as _;
use p256::pkcs8::EncodePublicKey as _;
use rand_core::OsRng;
use sigveil_log::sct::AddChain;
use sigveil_zk_ca::authority::CertificateAuthority;
use sigveil_zk_ca::key::SubjectKey;
use sigveil_zk_ca::profile::{PlainContent, PlainSubject, Precertificate, Serial};

use crate::baseline::EMAIL;
use crate::load::prepared;

/// As many requests, every one for another precertificate of this authority.
pub(super) fn prepare(authority: &CertificateAuthority, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let key = p256::ecdsa::SigningKey::random(&mut OsRng).verifying_key().to_public_key_der()?;
    let key = SubjectKey::from_der(key.as_bytes()).context("a fresh key is of a kind that is certified")?;
    let time = sigveil::service::instance::now();
    let request = |_| {
        let content = PlainContent {
            serial: Serial::draw(&mut OsRng),
            time,
            key: key.clone(),
            subject: PlainSubject::Email(EMAIL.to_owned()),
            issuer: "http://localhost".to_owned(),
        };
        let precertificate = Precertificate::plain(&content, authority)?;
        let chain = [precertificate.certificate(), authority.certificate(), authority.root()];
        Ok(serde_json::to_vec(&AddChain::new(chain.map(|certificate| certificate.as_bytes())))?)
    };
    prepared(count, request)
}
