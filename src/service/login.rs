//! The owner's keys, for the holder of a token (protocol.md §4.4).
//!
//! The authority answers with Γ and its proof and is not believed: the identity is read from the token itself, the
//! proof checked under the trust root's VRF key, and both keys derived here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigveil_circuits::token::Jwt;
use sigveil_vrf_identity::curve::Point;
use sigveil_vrf_identity::identity::Identity;
use sigveil_vrf_identity::label::{Mode, San, watch_list};
use sigveil_vrf_identity::vrf::{Evaluation, MonitoringKey, Proof};
use sigveil_zk_ca::service::fulcio::IDENTITY_PATH;

use super::client::Client;
use crate::failure::Failure;
use crate::keyfile::{MonitoringFile, OpeningFile};
use crate::stock::Services;
use crate::trust::Trust;

/// Asks the authority for the evaluation of the token's identity and derives the owner's keys.
///
/// # Errors
/// When the trust root does not name the issuer, the authority cannot be reached or refuses, or its answer does not
/// verify for this identity under the VRF key of that time.
pub fn login(
    client: &Client,
    services: &Services,
    trust: &Trust,
    token: &str,
    time: u64,
) -> Result<(MonitoringFile, OpeningFile), Failure> {
    let identity = identity(token, trust)?;
    let period = trust.proofs.vrf_at(time);
    let period = period.ok_or_else(|| Failure::new("vrf-key-missing", "no VRF key is valid now"))?;
    let body = json!({"credentials": {"oidcIdentityToken": token}});
    let url = format!("{}{IDENTITY_PATH}", services.ca);
    let answer = client.post("the certificate authority", &url, &body)?;
    let evaluation = evaluation(&answer).ok_or_else(|| {
        Failure::new("service-answer-malformed", "the certificate authority's answer cannot be read")
    })?;
    let vrf_key = *period.public_key();
    let output = evaluation.verify(&vrf_key, Mode::Open, &identity.idf()).map_err(|_| {
        let what = "the evaluation is not of this identity under the trust root's VRF key";
        Failure::new("evaluation-invalid", what)
    })?;
    Ok((MonitoringFile::new(&output, vrf_key), OpeningFile::new(identity, &output, vrf_key)))
}

/// Whom the token names, by the claim that the trust root fixes for its issuer.
fn identity(token: &str, trust: &Trust) -> Result<Identity, Failure> {
    let jwt = Jwt::parse(token)?;
    let claims: Value = serde_json::from_slice(jwt.compact().payload()).unwrap_or_default();
    let text = |name: &str| {
        let missing = || Failure::new("claim-missing", format!("the token has no usable {name}"));
        claims[name].as_str().ok_or_else(missing)
    };
    let iss = text("iss")?;
    let issuer = trust.proofs.issuer(iss);
    let issuer =
        issuer.ok_or_else(|| Failure::new("issuer-untrusted", "the trust root does not name the issuer"))?;
    let kind = issuer.kind();
    Identity::from_claim(iss, kind, text(kind.claim())?)
        .map_err(|error| Failure::new(error.reason(), error.to_string()))
}

fn evaluation(answer: &Value) -> Option<Evaluation> {
    let bytes = |name: &str| STANDARD.decode(answer[name].as_str()?).ok();
    let gamma = Point::from_bytes(&bytes("gamma")?).ok()?;
    Some(Evaluation { gamma, proof: Proof::from_bytes(&bytes("proof")?).ok()? })
}

/// Whether a certificate's label is one of this owner's.
pub fn is_own_label(san: &San, key: &MonitoringKey, trust: &Trust, time: u64) -> bool {
    let Some(period) = trust.proofs.vrf_at(time) else { return false };
    let epoch = period.epoch(time);
    watch_list(std::slice::from_ref(key), epoch..=epoch, period.slots()).any(|watched| watched.san == *san)
}
