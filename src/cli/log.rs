//! `log`: whole logs, copied, checked, completed, served.

use std::path::Path;
use std::time::Duration;

use rand_core::OsRng;
use serde_json::{Value, json};
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::http::{Limits, Shutdown, serve_until};
use sigveil_log::note::NoteKey;
use sigveil_log::store::Reader;
use sigveil_log::whole::{Copied, Finding, Identity, LocalCopy, Remote, Replica, Source, Tally, WholeError};
use sigveil_log::whole::{complete, examine, verify};
use spki::DecodePublicKey as _;
use tokio::net::TcpListener;

use super::args::{self, Log};
use super::output::{Progress, Report};
use crate::failure::{self, Failure};
use crate::files::{self, JSON_LIMIT};
use crate::service::config::ClientsConfig;
use crate::service::instance::InstanceError;
use crate::service::logs::config::{LogsConfig, TEMPLATE};
use crate::service::logs::{self, Secrets};
use crate::service::runtime::runtime;
use crate::service::serve::interrupted;
use crate::service::stop::stop;

#[cfg(feature = "nats")]
failure::failures!(sigveil_log::nats::NatsError);
failure::failures!(WholeError, sigveil_log::store::ReadError, sigveil_log::note::KeyError);

/// Runs one of them.
pub fn run(command: &Log, progress: &Progress) -> Result<Report, Failure> {
    match command {
        Log::Clone(arguments) => {
            let source = source(&arguments.place)?;
            let copied = LocalCopy::open(&arguments.out, identity(&arguments.identity)?)?.follow(&*source)?;
            Ok(written(&copied, &arguments.out, "copied"))
        }
        Log::Verify(arguments) => {
            let source = source(&arguments.place)?;
            let (opened, tally) = verify(&*source, &identity(&arguments.identity)?)?;
            let object = object(opened.checkpoint(), &tally);
            Ok(Report::done(object, format!("{} hold", said(opened.checkpoint(), &tally))))
        }
        Log::Backfill(arguments) => {
            let source = source(&arguments.place)?;
            let completed = complete(&arguments.out, &identity(&arguments.identity)?, &*source)?;
            Ok(written(&completed, &arguments.out, "put back"))
        }
        Log::Fsck(arguments) => fsck(arguments),
        Log::Replica(arguments) => replica(arguments, progress),
        Log::Serve(arguments) => serve_logs(arguments, progress),
        #[cfg(feature = "nats")]
        Log::Feed(arguments) => feed(arguments, progress),
    }
}

fn source(place: &args::LogPlace) -> Result<Box<dyn Source + Send>, Failure> {
    match (&place.dir, &place.url) {
        (Some(dir), _) => Ok(Box::new(Reader::new(dir))),
        (None, Some(url)) => Ok(Box::new(Remote::new(url)?)),
        (None, None) => Err(Failure::new("usage", "a place is needed: --dir or --url")),
    }
}

fn identity(arguments: &args::LogIdentity) -> Result<Identity, Failure> {
    let witnesses: Vec<_> =
        arguments.witness_key.iter().map(|key| NoteKey::parse(key)).collect::<Result<_, _>>()?;
    let threshold = arguments.witnesses.unwrap_or(witnesses.len());
    Ok(Identity { witnesses, threshold, ..Identity::new(log_key(&arguments.log_key)?) })
}

fn clients(given: args::LogClients) -> ClientsConfig {
    let usual = ClientsConfig::default();
    ClientsConfig {
        requests_per_second: given.requests_per_second.unwrap_or(usual.requests_per_second),
        burst: given.burst.unwrap_or(usual.burst),
        connections: given.connections.unwrap_or(usual.connections),
    }
}

/// Serves until it is interrupted.
fn replica(arguments: &args::LogReplica, progress: &Progress) -> Result<Report, Failure> {
    let port = |error: std::io::Error| Failure::from(InstanceError::Port(error));
    let identity = identity(&arguments.identity)?;
    let copy = LocalCopy::open(&arguments.out, identity.clone())?;
    let every = Duration::from_secs(arguments.every.max(1));
    let replica = Replica::start(copy, &identity, Remote::new(&arguments.url)?, every)?;
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind(&arguments.listen)).map_err(port)?;
    let address = listener.local_addr().map_err(port)?;
    progress.say(&format!("http://{address} serves {}", identity.key.name()));
    let limits = Limits { client: clients(arguments.clients).limits(), ..Limits::default() };
    runtime.block_on(async {
        let shutdown = Shutdown::default();
        let (router, end) = (replica.router(), shutdown.clone());
        tokio::spawn(async move { serve_until(listener, router, limits, &end).await });
        let interrupted = interrupted().await;
        stop(&shutdown, async { drop(replica) }).await;
        interrupted
    })?;
    Ok(Report::done(json!({"listen": address.to_string()}), "stopped"))
}

/// Serves until it is interrupted.
fn serve_logs(arguments: &args::LogServe, progress: &Progress) -> Result<Report, Failure> {
    if arguments.print_config {
        return Ok(Report::done(json!({"config": TEMPLATE}), TEMPLATE));
    }
    let path = arguments.config.as_deref().unwrap_or(Path::new(""));
    if arguments.make_keys {
        let keys = LogsConfig::read(path)?.make_keys(&mut OsRng)?;
        let object = |(name, key): &(String, NoteKey)| json!({"name": name, "verifierKey": key.encode()});
        let lines: Vec<_> = keys.iter().map(|(name, key)| format!("{name} {}", key.encode())).collect();
        let keys: Vec<_> = keys.iter().map(object).collect();
        return Ok(Report::done(json!({"keys": keys}), lines.join("\n")));
    }
    logs::serve(path, &Secrets::read(|name| std::env::var_os(name))?, progress)?;
    Ok(Report::done(json!({}), "stopped"))
}

/// Publishes until it is interrupted.
#[cfg(feature = "nats")]
fn feed(arguments: &args::LogFeed, progress: &Progress) -> Result<Report, Failure> {
    use sigveil_log::nats::{NatsFeed, stream_name, subject};
    let identity = identity(&arguments.identity)?;
    let origin = identity.key.name().to_owned();
    let every = Duration::from_secs(arguments.every.max(1));
    let feed = NatsFeed::new(source(&arguments.place)?.into(), identity, every);
    let (stream, subject) = (stream_name(&origin), subject(&origin));
    progress.say(&format!("the entries of {origin} go to the stream {stream} by the subject {subject}"));
    runtime()?.block_on(async {
        tokio::select! {
            Err(error) = feed.publish(&arguments.nats) => Err(Failure::from(error)),
            interrupted = interrupted() => interrupted,
        }
    })?;
    Ok(Report::done(json!({"stream": stream, "subject": subject}), "stopped"))
}

/// A verifier key; or a certificate log's name and the file of its key, which verifier keys do not carry.
fn log_key(text: &str) -> Result<NoteKey, Failure> {
    // A verifier key's base64 may end in an equals sign; only the form with a file has one before any plus sign.
    let name_and_file = text.split_once('=').filter(|(name, _)| !name.contains('+'));
    let Some((name, file)) = name_and_file else { return Ok(NoteKey::parse(text)?) };
    let pem = files::read_text(Path::new(file), JSON_LIMIT)?;
    let key = p256::ecdsa::VerifyingKey::from_public_key_pem(&pem);
    let key = key.map_err(|_| Failure::new("note-key-encoding", format!("{file} is no P-256 public key")))?;
    Ok(NoteKey::rfc6962(name, key)?)
}

fn object(checkpoint: &Checkpoint, tally: &Tally) -> Value {
    json!({
        "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_hex(),
        "entries": tally.entries, "withheld": tally.withheld,
    })
}

fn said(checkpoint: &Checkpoint, tally: &Tally) -> String {
    let Checkpoint { origin, size, .. } = checkpoint;
    format!("{origin} at {size}: {} entries, {} of them withheld,", tally.entries, tally.withheld)
}

fn written(copied: &Copied, out: &Path, done: &str) -> Report {
    let checkpoint = copied.checkpoint.checkpoint();
    let mut object = object(checkpoint, &copied.tally);
    object["written"] = json!(copied.written);
    object["out"] = json!(out);
    let text = format!("{} hold; {} files {done}", said(checkpoint, &copied.tally), copied.written);
    Report::done(object, text)
}

fn fsck(arguments: &args::LogFsck) -> Result<Report, Failure> {
    let examined = examine(&arguments.dir, &identity(&arguments.identity)?)?;
    let findings = |finding: &Finding| json!({"path": finding.path, "reason": finding.reason, "message": finding.message});
    let mut object = object(&examined.checkpoint, &examined.tally);
    object["committed"] = json!(examined.committed);
    object["findings"] = examined.findings.iter().map(findings).collect();
    let Some(first) = examined.findings.first() else {
        return Ok(Report::done(object, format!("{} hold", said(&examined.checkpoint, &examined.tally))));
    };
    let all: Vec<_> =
        examined.findings.iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect();
    let reason = failure::known(first.reason).unwrap_or("log-unreadable");
    let failure = Failure::new(reason, format!("{} findings, the first: {}", all.len(), all[0]));
    Ok(Report { text: all.join("\n"), ..Report::refused(object, failure) })
}
