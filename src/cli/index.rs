//! `search` and `monitor`: what the index says, with its proof.

use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use sigveil_verifiable_search::answer::VerifiedAnswer;
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::monitor::Event;
use sigveil_vrf_identity::label::{Profile, San};

use super::args;
use super::output::Report;
use crate::failure::Failure;
use crate::files;
use crate::keyfile::{self, MonitoringFile};
use crate::service::client::Client;
use crate::service::folder::Folder;
use crate::service::instance::now;
use crate::service::monitor;
use crate::service::runtime::runtime;
use crate::service::sign::ask;
use crate::stock::TrustedRoot;
use crate::trust::Trust;
use crate::verify::search_policy;

/// `search`.
pub fn search(arguments: &args::Search) -> Result<Report, Failure> {
    if let Some(how) = &arguments.private {
        return Err(Failure::not_built(&format!("search --private {how}")));
    }
    let key = parse_key(&arguments.key)?;
    let (answer, trust) = match (&arguments.place.dir, &arguments.place.url) {
        (Some(dir), _) => {
            let folder = Folder::open(dir)?;
            (runtime()?.block_on(folder.answer(&key))?, folder.trust)
        }
        (None, Some(url)) => (ask(&Client::new()?, url, &key)?, trust(arguments.trusted_root.as_deref())?),
        (None, None) => return Err(Failure::new("usage", "a place is needed: --dir or --url")),
    };
    let found = answer.verify(&key, &search_policy(&trust, 0, 0))?;
    let mut object = object(&found);
    object["key"] = json!(arguments.key);
    let state = format!("in {} up to size {}", trust.signature_log.name(), input_size(&found, &trust));
    let text = if found.is_present() {
        let entries = found.entries().iter().map(|entry| {
            let redacted = if entry.redaction.is_some() { "  (redacted)" } else { "" };
            format!("  {} {}{redacted}", entry.place.log, entry.place.index)
        });
        format!("{} entries {state}:\n{}", found.entries().len(), entries.collect::<Vec<_>>().join("\n"))
    } else {
        format!("nothing {state}")
    };
    Ok(Report::done(object, text))
}

/// What a verified answer says.
fn object(found: &VerifiedAnswer) -> Value {
    let entries: Vec<Value> = found
        .entries()
        .iter()
        .map(|entry| {
            json!({"log": entry.place.log, "index": entry.place.index, "redacted": entry.redaction.is_some()})
        })
        .collect();
    json!({
        "key": null, "present": found.is_present(), "entries": entries,
        "checkpoint": checkpoint(found), "verified": found.is_complete(),
    })
}

fn checkpoint(found: &VerifiedAnswer) -> Value {
    let checkpoint = found.state().checkpoint();
    json!({"origin": checkpoint.origin, "size": checkpoint.size})
}

fn input_size(found: &VerifiedAnswer, trust: &Trust) -> u64 {
    found.state().leaf().input(trust.signature_log.name()).map_or(0, |input| input.size)
}

/// `KIND:VALUE` as a map key. A label is given as its 52 characters, or as the whole SAN; the rest as 64 hexadecimal
/// digits.
fn parse_key(text: &str) -> Result<MapKey, Failure> {
    let malformed = || Failure::new("search-key-malformed", format!("{text:?} is no search key"));
    let (kind, value) = text.split_once(':').ok_or_else(malformed)?;
    if kind == "label" {
        if let Ok(san) = value.parse::<San>() {
            return Ok(MapKey::label(&san.label.to_bytes()));
        }
        let bytes = BASE32_NOPAD.decode(value.to_ascii_uppercase().as_bytes()).map_err(|_| malformed())?;
        let label = sigveil_vrf_identity::label::Label::from_bytes(&bytes).map_err(|_| malformed())?;
        return Ok(MapKey::label(&label.to_bytes()));
    }
    let kind = match kind {
        "sha256" => KeyKind::SignedDigest,
        "key" => KeyKind::KeyFingerprint,
        "sealed" => KeyKind::SealedClaim,
        _ => return Err(malformed()),
    };
    let bytes: [u8; 32] =
        hex::decode(value).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(malformed)?;
    Ok(MapKey::new(kind, &bytes))
}

fn trust(path: Option<&std::path::Path>) -> Result<Trust, Failure> {
    let path = path.ok_or_else(|| Failure::new("usage", "--url needs --trusted-root"))?;
    let stock = TrustedRoot::from_json(&files::read_text(path, files::JSON_LIMIT)?)?;
    Trust::read(stock, &path.with_file_name("trusted_root.sigveil.json"))
}

/// `monitor`.
pub fn monitor(arguments: &args::Monitor) -> Result<Report, Failure> {
    let file = MonitoringFile::parse(&files::read_text(&arguments.key, keyfile::LIMIT)?)?;
    let runtime = runtime()?;
    let (findings, note) = match (&arguments.place.dir, &arguments.place.url) {
        (Some(dir), _) => {
            let folder = Folder::open(dir)?;
            let watched = monitor::watch(&file, &folder.trust, now());
            let findings = runtime.block_on(async {
                let index = folder.index().await?;
                let index = &index;
                let ask = |key: &MapKey| {
                    let key = *key;
                    async move {
                        index.answer(&key, None).await.map_err(crate::service::instance::InstanceError::from)
                    }
                };
                monitor::check(&watched, &folder.trust, ask).await
            })?;
            (findings, None)
        }
        (None, Some(url)) => {
            let trust = trust(arguments.trusted_root.as_deref())?;
            let mut watched = monitor::watch(&file, &trust, now());
            // Asking one server for two labels of one owner would join them for it.
            watched.retain(|label| label.san.profile == Profile::Stable);
            let client = Client::new()?;
            let ask = |key: &MapKey| std::future::ready(ask(&client, url, key));
            let findings = runtime.block_on(monitor::check(&watched, &trust, ask))?;
            let note = "only the stable label was asked for: asking for two labels would join them, and private \
                        queries are not built yet";
            (findings, Some(note))
        }
        (None, None) => return Err(Failure::new("usage", "a place is needed: --dir or --url")),
    };
    Ok(report(&findings, note))
}

fn report(findings: &monitor::Findings, note: Option<&str>) -> Report {
    let event = |san: &San, kind: &str, log: &str, index: u64| json!({"event": kind, "san": san.to_string(), "log": log, "index": index});
    let events: Vec<Value> = findings
        .events
        .iter()
        .map(|(label, found)| match found {
            Event::Signed { place, .. } => event(&label.san, "signed", &place.log, place.index),
            Event::Redacted { place } => event(&label.san, "redacted", &place.log, place.index),
        })
        .collect();
    let alerts: Vec<Value> = findings
        .alerts
        .iter()
        .map(|alert| json!({"reason": alert.reason(), "message": alert.to_string()}))
        .collect();
    let mut object = json!({
        "events": events, "alerts": alerts, "checkpoint": findings.last.as_ref().map(checkpoint),
    });
    if let Some(note) = note {
        object["note"] = json!(note);
    }
    let mut text = format!("{} events, {} alerts", events.len(), alerts.len());
    for event in &events {
        text += &format!("\n  {} {} {} {}", event["event"], event["log"], event["index"], event["san"]);
    }
    if let Some(note) = note {
        text += &format!("\n  note: {note}");
    }
    match findings.alerts.first() {
        None => Report::done(object, text),
        Some(alert) => Report::refused(object, Failure::new(alert.reason(), alert.to_string())),
    }
}
