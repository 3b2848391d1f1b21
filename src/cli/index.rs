//! `search` and `monitor`: what the index says, with its proof.

use std::path::Path;

use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use sigveil_verifiable_search::answer::VerifiedAnswer;
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::list::Growth;
use sigveil_verifiable_search::monitor::{Event, Memory};
use sigveil_vrf_identity::label::{Profile, San};

use super::args;
use super::output::Report;
use crate::failure::Failure;
use crate::files::{self, Replace};
use crate::keyfile::{self, MonitoringFile};
use crate::service::client::Client;
use crate::service::folder::Folder;
use crate::service::instance::now;
use crate::service::mirror::Mirror;
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
    if !found.is_complete() {
        return Ok(Report::refused(
            object,
            Failure::new("search-incomplete", "the answer leaves entries out"),
        ));
    }
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

pub(super) fn trust(path: Option<&Path>) -> Result<Trust, Failure> {
    let path = path.ok_or_else(|| Failure::new("usage", "--url needs --trusted-root"))?;
    let stock = TrustedRoot::from_json(&files::read_text(path, files::JSON_LIMIT)?)?;
    Trust::read(stock, &path.with_file_name("trusted_root.sigveil.json"))
}

/// `monitor`.
pub fn monitor(arguments: &args::Monitor) -> Result<Report, Failure> {
    let file = MonitoringFile::parse(&files::read_text(&arguments.key, keyfile::LIMIT)?)?;
    let mut memory = remembered(arguments.memory.as_deref())?;
    let (findings, note) = match (&arguments.place.dir, &arguments.place.url) {
        (Some(dir), _) => {
            let folder = Folder::open(dir)?;
            let mirror = runtime()?.block_on(folder.mirror())?;
            (watch_mirror(&file, &folder.trust, &mirror, &mut memory)?, None)
        }
        (None, Some(url)) => monitor_url(&file, url, arguments.trusted_root.as_deref(), &mut memory)?,
        (None, None) => return Err(Failure::new("usage", "a place is needed: --dir or --url")),
    };
    if let Some(path) = &arguments.memory {
        // What raised an alert stays remembered as it was.
        files::write_secret(path, &memory.to_json(), Replace::Always)?;
    }
    Ok(report(&findings, note.as_deref()))
}

/// What earlier runs have seen: nothing without a file, or before the first run that writes it.
fn remembered(path: Option<&Path>) -> Result<Memory, Failure> {
    let Some(path) = path.filter(|path| path.symlink_metadata().is_ok()) else {
        return Ok(Memory::default());
    };
    let memory = Memory::from_json(&files::read(path, MEMORY_LIMIT)?);
    memory.map_err(|error| Failure::new(error.reason(), error.to_string()))
}

fn watch_mirror(
    file: &MonitoringFile,
    trust: &Trust,
    mirror: &Mirror,
    memory: &mut Memory,
) -> Result<monitor::Findings, Failure> {
    let watched = monitor::watch(file, trust, now());
    runtime()?.block_on(monitor::check_mirror(&watched, trust, memory, mirror))
}

/// Copies the logs and looks at every label in the copy, so that nobody learns which; where that cannot be done, asks
/// for the stable label alone.
fn monitor_url(
    file: &MonitoringFile,
    url: &str,
    root: Option<&Path>,
    memory: &mut Memory,
) -> Result<(monitor::Findings, Option<String>), Failure> {
    let trust = trust(root)?;
    let client = Client::new()?;
    let runtime = runtime()?;
    // By its own signature alone an index could name a log that is too large to be copied, and so have itself asked instead.
    let state = Mirror::state(&client, url)?;
    state.verify(&search_policy(&trust, 0, 0))?;
    let copied = Mirror::copy(&client, url, &state, &trust);
    let failure = match copied.and_then(|copied| runtime.block_on(copied.recompute(&trust))) {
        Ok(mirror) => return Ok((watch_mirror(file, &trust, &mirror, memory)?, None)),
        Err(failure) if NOT_RECOMPUTED.contains(&failure.reason()) => failure,
        Err(failure) => return Err(failure),
    };
    let mut watched = monitor::watch(file, &trust, now());
    // Asking one server for two labels of one owner would join them for it.
    watched.retain(|label| label.san.profile == Profile::Stable);
    let ask = |key: MapKey, known: Option<u64>| {
        let growth = known.and_then(|old| growth(&client, url, &key, old).ok());
        let answer = ask(&client, url, &key);
        std::future::ready(answer.map(|answer| (answer, monitor::grown(known, growth))))
    };
    let mut findings = runtime.block_on(monitor::check(&watched, &trust, memory, ask))?;
    findings.compare(memory);
    let note = format!(
        "only the stable label was asked for, since asking for two would join them, and the index could not be \
         recomputed here: {}",
        failure.message()
    );
    Ok((findings, Some(note)))
}

/// Reasons for which an index is not recomputed that say nothing against it: its log is large, or some of its leaves
/// are older than the trust root at hand.
const NOT_RECOMPUTED: [&str; 2] = ["log-too-large-to-copy", "reexecute-unknown-trust-root"];

/// Largest memory file, bytes: an owner's labels of many years.
const MEMORY_LIMIT: u64 = 256 << 20;

/// How the list under a key has grown, as the index says.
fn growth(client: &Client, url: &str, key: &MapKey, old: u64) -> Result<Growth, Failure> {
    let url = format!("{}/growth/{key}?old={old}", url.trim_end_matches('/'));
    let answer = client.fetch("the index", &url)?;
    let consistency = serde_json::from_value(answer["consistency"].clone())
        .map_err(|error| Failure::new("search-answer-malformed", error.to_string()))?;
    Ok(Growth { consistency })
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
        "events": events, "alerts": alerts, "checkpoint": findings.answers.last().map(checkpoint),
    });
    if let Some(note) = note {
        object["note"] = json!(note);
    }
    let mut text = format!("events: {}, alerts: {}", events.len(), alerts.len());
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
