//! `redact`: request, approve, apply, audit.

use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use serde_json::{Value, json};
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::entry::{Entry, ReasonCode, RedactionRecord, Stored, Withholding};
use sigveil_log::tile::TileTree;
use sigveil_verifiable_search::answer::Place;

use super::args::{self, Redact};
use super::output::{Progress, Report};
use crate::failure::Failure;
use crate::files::{self, JSON_LIMIT};
use crate::service::client::Client;
use crate::service::folder::Folder;
use crate::service::instance::{InstanceError, now};
use crate::service::mirror::{Copied, Mirror};
use crate::service::redaction::{APPLY_PATH, apply, prepare};
use crate::service::runtime::runtime;
use crate::trust::Trust;

/// Runs one of the four.
pub fn run(arguments: &Redact, progress: &Progress) -> Result<Report, Failure> {
    match arguments {
        Redact::Request(arguments) => request(arguments, progress),
        Redact::Approve(arguments) => approve(arguments),
        Redact::Apply(arguments) => carry_out(arguments),
        Redact::Audit(arguments) => audit(arguments),
    }
}

/// A copy of the logs of the instance whose index is at the URL.
fn copied(url: Option<&str>, root: Option<&Path>) -> Result<(Copied, Trust), Failure> {
    let url = url.ok_or_else(|| Failure::new("usage", "a place is needed: --dir or --url"))?;
    let trust = super::index::trust(root)?;
    let client = Client::new()?;
    let state = Mirror::state(&client, url)?;
    Ok((Mirror::copy(&client, url, &state, &trust)?, trust))
}

fn request(arguments: &args::RedactRequest, progress: &Progress) -> Result<Report, Failure> {
    let reason: ReasonCode = serde_json::from_value(json!(arguments.why)).map_err(|_| {
        let known = "personal-data, leaked-secret, legal-order or unlawful-content";
        Failure::new("usage", format!("--why is {known}"))
    })?;
    let (mirror, trust) = match &arguments.place.dir {
        Some(dir) => {
            let folder = Folder::open(dir)?;
            (runtime()?.block_on(folder.mirror())?, folder.trust)
        }
        None => {
            let (copied, trust) = copied(arguments.place.url.as_deref(), arguments.trusted_root.as_deref())?;
            (runtime()?.block_on(copied.recompute(&trust))?, trust)
        }
    };
    let place = Place { log: trust.signature_log.name().to_owned(), index: arguments.index };
    let record = runtime()?.block_on(prepare(&mirror.index, &trust, &place, reason, now()))?;
    progress.line("note: labels and digests stay findable by whoever knows them; copies elsewhere persist");
    write(&arguments.out, &record)?;
    Ok(Report::done(
        json!({"request": arguments.out, "index": arguments.index}),
        "request written; have it approved",
    ))
}

fn approve(arguments: &args::RedactApprove) -> Result<Report, Failure> {
    let mut record = read(&arguments.request)?;
    let key = match &arguments.key {
        Some(path) => SigningKey::from_pkcs8_pem(&files::read_text(path, JSON_LIMIT)?).map_err(|_| {
            Failure::new("role-key-malformed", format!("{} is no Ed25519 key", path.display()))
        })?,
        None => {
            let dir = arguments.place.dir.as_deref();
            let dir = dir.ok_or_else(|| Failure::new("usage", "--url needs the authority's --key"))?;
            Folder::open(dir)?.redaction_key()?
        }
    };
    let signature = record.statement.sign(&key);
    record.signatures.retain(|other| other.key != signature.key);
    record.signatures.push(signature);
    write(&arguments.out, &record)?;
    let object = json!({"request": arguments.out, "signatures": record.signatures.len()});
    Ok(Report::done(object, format!("signed; {} signatures now", record.signatures.len())))
}

fn carry_out(arguments: &args::RedactApply) -> Result<Report, Failure> {
    let record = read(&arguments.request)?;
    let (index, at) = match (&arguments.place.dir, &arguments.place.url) {
        (Some(dir), _) => {
            let folder = Folder::open(dir)?;
            let runtime = runtime()?;
            let _inside = runtime.enter();
            let logs = folder.logs()?;
            let redacted = runtime.block_on(async {
                logs.indexer.update().await.map_err(InstanceError::from)?;
                Ok::<_, Failure>(apply(&logs.rekor, &logs.indexer, &folder.trust, record).await?)
            })?;
            (redacted.index, redacted.record)
        }
        (None, Some(url)) => {
            let body = serde_json::to_value(&record).map_err(|error| malformed(&error))?;
            let url = format!("{}{APPLY_PATH}", url.trim_end_matches('/'));
            let answer = Client::new()?.post("the signature log", &url, &body)?;
            let number = |name: &str| answer[name].as_u64().unwrap_or_default();
            (number("index"), number("record"))
        }
        (None, None) => return Err(Failure::new("usage", "a place is needed: --dir or --url")),
    };
    Ok(Report::done(json!({"index": index, "record": at}), format!("entry {index} withheld by record {at}")))
}

/// Every withheld entry has its record, and nothing with a record is still served.
fn audit(arguments: &args::RedactAudit) -> Result<Report, Failure> {
    let (reader, trust, _copied) = match &arguments.place.dir {
        Some(dir) => {
            let folder = Folder::open(dir)?;
            (folder.rekor(), folder.trust, None)
        }
        None => {
            let (copied, trust) = copied(arguments.place.url.as_deref(), arguments.trusted_root.as_deref())?;
            (copied.rekor(), trust, Some(copied))
        }
    };
    let unreadable = |error: &dyn std::error::Error| Failure::new("file-unreadable", error.to_string());
    let note = reader.checkpoint().map_err(|error| unreadable(&error))?;
    let opened = VerifiedCheckpoint::open(&note, &trust.signature_log, &trust.witnesses.keys)?;
    let tree = opened.checkpoint();
    let tree = TileTree::open(reader.clone(), tree.size, &tree.root).map_err(|error| unreadable(&error))?;
    let stored = reader.entries(&tree, 0, tree.size()).map_err(|error| unreadable(&error))?;
    let authorities = &trust.redaction_authorities;
    let record = |stored: &Stored| match stored {
        Stored::Body(body) => match Entry::parse(body) {
            Ok(Entry::Redaction(record)) => {
                record.verify(&authorities.keys, authorities.threshold).is_ok().then_some(record)
            }
            _ => None,
        },
        Stored::Withheld(_) => None,
    };
    let records: Vec<RedactionRecord> = stored.iter().filter_map(record).collect();
    let origin = &opened.checkpoint().origin;
    let whole = |record: &&RedactionRecord| {
        record.statement.withheld == Withholding::WholeBody && record.statement.origin == *origin
    };
    let mut alerts: Vec<Value> = Vec::new();
    let mut withheld = 0_u64;
    for (index, stored) in (0_u64..).zip(&stored) {
        let leaf = tree.leaf(index).map_err(|error| unreadable(&error))?;
        let about =
            |record: &&RedactionRecord| (record.statement.index, record.statement.leaf_hash) == (index, leaf);
        let record = records.iter().filter(whole).find(about);
        match (stored, record) {
            (Stored::Withheld(_), Some(_)) => withheld += 1,
            (Stored::Withheld(_), None) => {
                alerts.push(json!({"reason": "withheld-without-record", "index": index}))
            }
            (Stored::Body(_), Some(_)) => {
                alerts.push(json!({"reason": "redacted-content-served", "index": index}))
            }
            (Stored::Body(_), None) => {}
        }
    }
    let object = json!({"records": records.len(), "withheld": withheld, "alerts": alerts});
    match alerts.first().and_then(|alert| alert["reason"].as_str()).and_then(crate::failure::known) {
        None => Ok(Report::done(object, format!("{withheld} entries withheld, each with its record"))),
        Some(reason) => Ok(Report::refused(object, Failure::new(reason, "records and content disagree"))),
    }
}

fn malformed(error: &serde_json::Error) -> Failure {
    Failure::new("redaction-request-malformed", error.to_string())
}

fn read(path: &Path) -> Result<RedactionRecord, Failure> {
    serde_json::from_str(&files::read_text(path, JSON_LIMIT)?).map_err(|error| malformed(&error))
}

fn write(path: &Path, record: &RedactionRecord) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(record).map_err(|error| malformed(&error))?;
    Ok(files::write(path, (json + "\n").as_bytes())?)
}
