//! Signing a file: key, token, certificate, signature, timestamp, log entry, bundle, and the answer that proves that
//! the index has it.

use std::time::{Duration, Instant};

use p256::ecdsa::signature::Signer;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use rand_core::{OsRng, RngCore};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sigveil_circuits::token::instance::{audience_digest, binding_string};
use sigveil_circuits::token::{BindingSalt, Jwt, Usage};
use sigveil_verifiable_search::answer::Answer;
use sigveil_verifiable_search::key::MapKey;
use sigveil_vrf_identity::commitment::KeyHash;
use sigveil_vrf_identity::field;
use sigveil_zk_ca::profile::{CertificateView, Proofs};
use sigveil_zk_ca::receipt::LoggedReceipt;

use super::client::{Client, Wish};
use crate::companion::Companion;
use crate::failure::Failure;
use crate::stock::{Bundle, Parts, Services};
use crate::trust::Trust;
use crate::verify::search_policy;

/// How long the index may take to show a new entry.
const INDEX_PATIENCE: Duration = Duration::from_secs(30);
/// How long deferred proofs may take: they wait for those of others.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(300);

/// Where the token comes from.
pub enum TokenSource<'a> {
    /// It is given, and not bound to the key.
    Given(&'a str),
    /// The embedded identity provider gives one for this address, bound to the key.
    Embedded(&'a str),
}

/// What the certificate authority is told.
pub struct Login<'a> {
    /// Who signs.
    pub token: &'a str,
    /// And what is asked for beside it.
    pub wish: Wish,
}

/// A signed file.
pub struct Signed {
    /// The bundle.
    pub bundle: Bundle,
    /// The same as a file.
    pub bundle_json: String,
    /// The certificate.
    pub certificate: CertificateView,
}

/// Signs a file with this SHA-256. `step` is told the name of each step when it begins.
///
/// # Errors
/// The first service that cannot be reached or refuses.
pub fn sign(
    client: &Client,
    services: &Services,
    trust: &Trust,
    digest: [u8; 32],
    source: &TokenSource<'_>,
    profile: Option<&'static str>,
    step: &mut dyn FnMut(&'static str),
) -> Result<Signed, Failure> {
    let key = SigningKey::random(&mut OsRng);
    let spki = key.verifying_key().to_public_key_der().map_err(key_failure)?;
    step("token");
    let (token, bind_salt) = match source {
        TokenSource::Given(token) => ((*token).to_owned(), None),
        TokenSource::Embedded(email) => bound_token(client, services, trust, email, spki.as_bytes())?,
    };
    let login = Login { token: &token, wish: Wish { bind_salt, profile } };
    let check = |leaf: &[u8]| {
        let certificate = CertificateView::parse(leaf)?;
        if certificate.key().der() != spki.as_bytes() {
            return Err(Failure::new("certificate-other-key", "the authority certified another key"));
        }
        Ok(certificate)
    };
    let (certificate, bundle, bundle_json) = sign_with(client, services, &key, &login, digest, check, step)?;
    Ok(Signed { bundle, bundle_json, certificate })
}

/// The calls of one signing, which the services of any Sigstore answer. `check` sees the certificate before anything is
/// signed under it; what it makes of it comes back, with the bundle, and with that as a file.
///
/// # Errors
/// As [`sign`], and what `check` says.
pub fn sign_with<C>(
    client: &Client,
    services: &Services,
    key: &SigningKey,
    login: &Login<'_>,
    digest: [u8; 32],
    check: impl FnOnce(&[u8]) -> Result<C, Failure>,
    step: &mut dyn FnMut(&'static str),
) -> Result<(C, Bundle, String), Failure> {
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(key_failure)?;
    let possession: DerSignature = key.sign(challenge(login.token)?.as_bytes());
    step("certificate");
    let chain = client.certificate(&services.ca, login.token, &pem, possession.as_bytes(), &login.wish)?;
    let certificate = chain.first().cloned().unwrap_or_default();
    let checked = check(&certificate)?;
    let signature: DerSignature = key.sign_prehash(&digest).map_err(key_failure)?;
    let signature = signature.as_bytes().to_vec();
    step("timestamp");
    let imprint = Sha256::digest(&signature).into();
    let timestamp = client.timestamp(&services.tsa, imprint, OsRng.next_u64())?;
    step("log");
    let log_entry = client.submit(&services.rekor, digest, &signature, &certificate)?;
    let parts = Parts { certificate, log_entry, timestamp, digest, signature };
    let (bundle, bundle_json) = Bundle::build(&parts)?;
    Ok((checked, bundle, bundle_json))
}

/// A token whose nonce commits to the key, and the salt that the certificate authority needs to see that.
fn bound_token(
    client: &Client,
    services: &Services,
    trust: &Trust,
    email: &str,
    spki: &[u8],
) -> Result<(String, Option<String>), Failure> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let issuer = trust.proofs.issuer(&services.oidc);
    let issuer =
        issuer.ok_or_else(|| Failure::new("issuer-untrusted", "the trust root does not name the issuer"))?;
    let salt = draw_salt();
    let bind = KeyHash::of_spki(spki).to_field();
    let nonce = binding_string(Usage::Certificate, audience_digest(issuer.audience())?, bind, salt);
    let token = client.token(&services.oidc, email, issuer.audience(), Some(&nonce))?;
    Ok((token, Some(URL_SAFE_NO_PAD.encode(field::to_bytes(&salt.0)))))
}

/// A uniform field element, by rejection.
fn draw_salt() -> BindingSalt {
    loop {
        let mut bytes = [0; 32];
        OsRng.fill_bytes(&mut bytes);
        bytes[0] &= 0x3f;
        if let Ok(salt) = field::from_bytes(&bytes) {
            return BindingSalt(salt);
        }
    }
}

/// The claim over which possession of the key is proven: the address, or else the subject.
fn challenge(token: &str) -> Result<String, Failure> {
    let jwt = Jwt::parse(token)?;
    let claims: Value = serde_json::from_slice(jwt.compact().payload()).unwrap_or_default();
    let claim = claims["email"].as_str().or(claims["sub"].as_str());
    claim
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("claim-missing", "the token names neither e-mail nor subject"))
}

fn key_failure(error: impl ToString) -> Failure {
    Failure::new("ephemeral-key", error.to_string())
}

/// The file beside the bundle: asks the index until it lists the entry, and checks the answer.
///
/// # Errors
/// When the index cannot be reached, lies, or does not show the entry in time.
pub fn companion(client: &Client, trust: &Trust, signed: &Signed) -> Result<Companion, Failure> {
    let key = MapKey::label(&signed.certificate.san().label.to_bytes());
    let origin = trust.signature_log.name();
    let index = signed.bundle.entry_index();
    let begun = Instant::now();
    loop {
        let answer = ask(client, &trust.section.output_log.base_url, &key);
        let listed = match &answer {
            Ok(answer) => {
                let found = answer.verify(&key, &search_policy(trust, 0, 0))?;
                found.entries().iter().any(|entry| entry.place.log == origin && entry.place.index == index)
            }
            Err(_) => false,
        };
        match answer {
            Ok(answer) if listed => {
                return Ok(Companion::new(Some(answer), receipt(client, trust, &signed.certificate)?));
            }
            Err(failure) if begun.elapsed() > INDEX_PATIENCE => return Err(failure),
            _ if begun.elapsed() > INDEX_PATIENCE => {
                return Err(Failure::new("search-not-listed", "the index does not show the new entry"));
            }
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The receipt of a deferred certificate, waited for; of another there is none.
///
/// # Errors
/// When the certificate authority cannot be reached, has none, or does not have it in time.
pub fn receipt(
    client: &Client,
    trust: &Trust,
    certificate: &CertificateView,
) -> Result<Option<LoggedReceipt>, Failure> {
    let Proofs::Deferred(_) = certificate.proofs() else { return Ok(None) };
    let begun = Instant::now();
    loop {
        match client.receipt(&trust.authority_url()?, &certificate.digest()) {
            Ok(receipt) => return Ok(Some(receipt)),
            Err(error) if error.reason() != "proof-pending" || begun.elapsed() > RECEIPT_PATIENCE => {
                return Err(error.into());
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// One question to an index, not checked yet.
///
/// # Errors
/// When it cannot be reached or answers something else.
pub fn ask(client: &Client, index_url: &str, key: &MapKey) -> Result<Answer, Failure> {
    let answer = client.fetch("the index", &format!("{}/search/{key}", index_url.trim_end_matches('/')))?;
    Ok(Answer::from_json(answer.to_string().as_bytes())?)
}

/// The services and the trust of a client trust configuration's JSON.
///
/// # Errors
/// When a URL is missing.
pub fn services(trust_config: &str) -> Result<Services, Failure> {
    let value: Value = serde_json::from_str(trust_config)
        .map_err(|error| Failure::new("trust-root-malformed", error.to_string()))?;
    let config = &value["signingConfig"];
    let url = |name: &str| {
        let url = config[name][0]["url"].as_str().map(str::to_owned);
        url.ok_or_else(|| Failure::new("trust-root-malformed", format!("the signing config has no {name}")))
    };
    Ok(Services {
        ca: url("caUrls")?,
        oidc: url("oidcUrls")?,
        rekor: url("rekorTlogUrls")?,
        tsa: url("tsaUrls")?,
        operator: String::new(),
        valid_from: 0,
    })
}
