//! `sign`: each file gets its bundle, the file beside it, and if asked a disclosure.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{self, ModeName, ProfileName};
use super::output::{Progress, Report};
use super::{owner, roots};
use crate::disclose;
use crate::failure::Failure;
use crate::files::{self, JSON_LIMIT, Replace};
use crate::service::client::Client;
use crate::service::login;
use crate::service::sign::{self, Signed, TokenSource};
use crate::stock::Services;
use crate::trust::Trust;

/// What a disclosure's name ends with.
const DISCLOSURE: &str = "disclosure.json";

/// Runs the command.
pub fn run(arguments: &args::Sign, progress: &Progress) -> Result<Report, Failure> {
    if arguments.mode == ModeName::Blind {
        return Err(Failure::not_built("sign --mode blind"));
    }
    let replace = Replace::forced(arguments.force);
    if arguments.disclose {
        // Before anything is signed: a log entry cannot be taken back.
        arguments.files.iter().try_for_each(|file| files::check_free(&beside(file, DISCLOSURE), replace))?;
    }
    let trust = roots::of_instance(&arguments.instance)?;
    let services = sign::services(&files::read_text(&arguments.instance.trust_config, JSON_LIMIT)?)?;
    let token = match &arguments.token {
        Some(path) => Some(files::read_text(path, JSON_LIMIT)?.trim().to_owned()),
        None => None,
    };
    let source = match (&token, &arguments.email) {
        (Some(token), _) => TokenSource::Given(token),
        (None, Some(email)) => TokenSource::Embedded(email),
        (None, None) => return Err(Failure::new("usage", "a token is needed: --token or --email")),
    };
    let client = Client::new()?;
    let mut signed = Vec::new();
    for file in &arguments.files {
        progress.line(&format!("signing {}", file.display()));
        signed.push(one(file, arguments, &client, &services, &trust, &source, progress)?);
    }
    let text: Vec<String> = signed
        .iter()
        .map(|file| {
            format!(
                "{} signed as {}",
                file["file"].as_str().unwrap_or_default(),
                file["san"].as_str().unwrap_or_default()
            )
        })
        .collect();
    Ok(Report::done(json!({"signed": signed}), text.join("\n")))
}

fn one(
    file: &Path,
    arguments: &args::Sign,
    client: &Client,
    services: &Services,
    trust: &Trust,
    source: &TokenSource<'_>,
    progress: &Progress,
) -> Result<Value, Failure> {
    let digest = files::sha256(file)?;
    let profile = arguments.profile.map(profile_name);
    let mut step = |name: &'static str| progress.line(&format!("  {name}"));
    let signed = sign::sign(client, services, trust, digest, source, profile, &mut step)?;
    files::write(&beside(file, "sigstore.json"), signed.bundle_json.as_bytes())?;
    step("index");
    let companion = sign::companion(client, trust, &signed)?;
    files::write(&beside(file, "sigveil.json"), companion.to_json().as_bytes())?;
    if arguments.disclose {
        owner::warn(signed.certificate.san().profile, progress);
        disclosure(file, digest, arguments, client, services, trust, source, &signed)?;
    }
    Ok(json!({
        "file": file,
        "san": signed.certificate.san().to_string(),
        "issuer": signed.certificate.issuer(),
        "logIndex": signed.bundle.entry_index(),
    }))
}

#[allow(clippy::too_many_arguments, reason = "one call, which only passes on what the command has in hand")]
fn disclosure(
    file: &Path,
    digest: [u8; 32],
    arguments: &args::Sign,
    client: &Client,
    services: &Services,
    trust: &Trust,
    source: &TokenSource<'_>,
    signed: &Signed,
) -> Result<(), Failure> {
    let token = match source {
        TokenSource::Given(token) => (*token).to_owned(),
        // The bound token is spent for the certificate; the owner's keys are told to an unbound one.
        TokenSource::Embedded(email) => {
            let issuer = trust.proofs.issuer(&services.oidc);
            let audience = issuer.map_or("sigstore", |issuer| issuer.audience());
            client.token(&services.oidc, email, audience, None)?
        }
    };
    let (_, opening) = login::login(client, services, trust, &token, signed.certificate.time())?;
    let disclosure = disclose::open(&signed.certificate, digest, &opening, String::new())?;
    let replace = Replace::forced(arguments.force);
    Ok(files::write_secret(&beside(file, DISCLOSURE), disclosure.to_json().as_bytes(), replace)?)
}

/// `FILE.extension`.
fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// A profile's name on the wire.
pub fn profile_name(profile: ProfileName) -> &'static str {
    match profile {
        ProfileName::Stable => "stable",
        ProfileName::Epoch => "epoch",
        ProfileName::Unlinkable => "unlinkable",
    }
}
