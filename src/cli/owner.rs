//! `disclose` and `identity`: what an owner does with its keys.

use serde_json::json;
use sigveil_vrf_identity::disclosure::{Disclosure, MAX_FILE_BYTES, Subject};
use sigveil_vrf_identity::label::{Label, Profile, San, Scope};
use sigveil_zk_ca::profile::CertificateView;

use super::args::{self, ProfileName};
use super::output::{Progress, Report};
use super::roots;
use crate::disclose;
use crate::failure::Failure;
use crate::files::{self, JSON_LIMIT, Replace};
use crate::keyfile::{self, MonitoringFile, OpeningFile};
use crate::stock::{self, Bundle};

/// `disclose open`.
pub fn open(arguments: &args::DiscloseOpen, progress: &Progress) -> Result<Report, Failure> {
    let replace = Replace::forced(arguments.force);
    files::check_free(&arguments.out, replace)?;
    let bundle = Bundle::from_json(&files::read_text(&arguments.bundle, JSON_LIMIT)?)?;
    let certificate = CertificateView::parse(bundle.certificate())?;
    let opening = OpeningFile::parse(&files::read_text(&arguments.opening, keyfile::LIMIT)?)?;
    let artifact = bundle.message_digest();
    let context = arguments.context.clone().unwrap_or_default();
    warn(certificate.san().profile, progress);
    let disclosure = disclose::open(&certificate, artifact, &opening, context)?;
    files::write_secret(&arguments.out, disclosure.to_json().as_bytes(), replace)?;
    let object = json!({"disclosure": arguments.out, "san": certificate.san().to_string()});
    Ok(Report::done(object, format!("{} says who signed", arguments.out.display())))
}

/// Says what a disclosure says besides, before it is written.
pub(super) fn warn(profile: Profile, progress: &Progress) {
    if profile != Profile::Unlinkable {
        progress.line(&format!(
            "note: under profile {profile} this names every event with the same label, not only this one"
        ));
    }
}

/// `disclose check`: the stock checks, the proofs, then the disclosure.
pub fn check(arguments: &args::DiscloseCheck) -> Result<Report, Failure> {
    use crate::verify::policy::{Matcher, Requirements};
    use crate::verify::{Inputs, Policy, verify};
    let artifact = files::sha256(&arguments.file)?;
    let bundle = Bundle::from_json(&files::read_text(&arguments.bundle, JSON_LIMIT)?)?;
    let trust = roots::whole(&arguments.roots)?;
    let evidence = stock::verify(artifact, &bundle, &trust.stock)?;
    let policy = Policy {
        identity: Matcher::Exact(evidence.san),
        issuer: Matcher::Exact(evidence.issuer),
        require: Requirements { proof: true, ..Requirements::default() },
    };
    let root = trust.stock.clone();
    let inputs = Inputs {
        artifact,
        bundle: &bundle,
        root: &root,
        trust: Some(&trust),
        companion: None,
        disclosure: None,
    };
    if let Some(refusal) = verify(&inputs, &policy).refusal {
        return Err(refusal.into());
    }
    let certificate = CertificateView::parse(bundle.certificate())?;
    let file = files::read(&arguments.disclosure, MAX_FILE_BYTES as u64)?;
    let Disclosure::Open(disclosure) = Disclosure::parse(&file)?;
    let context = arguments.context.clone().unwrap_or_default();
    let subject = Subject { certificate: certificate.digest(), artifact, context };
    let identity = disclosure.verify(&subject, certificate.commitment())?;
    let object = json!({
        "verified": true, "issuer": identity.issuer(), "kind": identity.kind().name(), "value": identity.value(),
    });
    let text = format!("signed by {} ({}) of {}", identity.value(), identity.kind(), identity.issuer());
    Ok(Report::done(object, text))
}

/// `identity show`.
pub fn show(arguments: &args::IdentityShow) -> Result<Report, Failure> {
    let file = MonitoringFile::parse(&files::read_text(&arguments.key, keyfile::LIMIT)?)?;
    let (mode, vrf) = (file.key.mode().name(), hex::encode(file.vrf_key.to_bytes()));
    let text =
        format!("finds every event of one identity in mode {mode} under VRF key {vrf}, and opens none");
    Ok(Report::done(json!({"mode": mode, "vrfKey": vrf}), text))
}

/// `identity label`.
pub fn label(arguments: &args::IdentityLabel) -> Result<Report, Failure> {
    let file = MonitoringFile::parse(&files::read_text(&arguments.key, keyfile::LIMIT)?)?;
    let trust = roots::whole(&arguments.roots)?;
    let time = match arguments.time {
        Some(time) => u64::try_from(time).map_err(|_| Failure::new("usage", "--time is before 1970"))?,
        None => time::OffsetDateTime::now_utc().unix_timestamp().unsigned_abs(),
    };
    let period = trust.proofs.vrf_at(time);
    let period =
        period.ok_or_else(|| Failure::new("vrf-key-missing", "the trust root has no VRF key then"))?;
    let epoch = period.epoch(time);
    let scope = match arguments.profile {
        ProfileName::Stable => Scope::Stable,
        ProfileName::Epoch => Scope::Epoch(epoch),
        ProfileName::Unlinkable => {
            let slot = period.slots().slot(arguments.slot);
            Scope::Unlinkable(epoch, slot.map_err(|error| Failure::new(error.reason(), error.to_string()))?)
        }
    };
    let label = Label::derive(&file.key, scope);
    let san = San { mode: file.key.mode(), profile: scope.profile(), label }.to_string();
    Ok(Report::done(json!({"san": san}), san))
}

/// `identity login`.
#[cfg(feature = "service")]
pub fn login(arguments: &args::Login) -> Result<Report, Failure> {
    use crate::service::{client::Client, instance::now, login, sign};
    let replace = Replace::forced(arguments.force);
    // Both before either: half a login is none, and the services need not hear of one that cannot be kept.
    files::check_free(&arguments.key, replace)?;
    files::check_free(&arguments.opening, replace)?;
    let trust = roots::of_instance(&arguments.instance)?;
    let services = sign::services(&files::read_text(&arguments.instance.trust_config, JSON_LIMIT)?)?;
    let token = files::read_text(&arguments.token, JSON_LIMIT)?;
    let (monitoring, opening) = login::login(&Client::new()?, &services, &trust, token.trim(), now())?;
    files::write_secret(&arguments.key, monitoring.to_json().as_bytes(), replace)?;
    files::write_secret(&arguments.opening, opening.to_json().as_bytes(), replace)?;
    let text = format!(
        "{} finds your events; {} opens them: give it to nobody",
        arguments.key.display(),
        arguments.opening.display()
    );
    Ok(Report::done(json!({"key": arguments.key, "opening": arguments.opening}), text))
}
