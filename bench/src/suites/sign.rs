//! A whole signing by our own client, and each step of it, with every role in this process over loopback HTTP.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use sigveil::cli::output::Progress;
use sigveil::failure::Failure;
use sigveil::service::circuits;
use sigveil::service::client::Client;
use sigveil::service::config::{Config, Ports};
use sigveil::service::instance::Instance;
use sigveil::service::sign::{Signed, TokenSource, companion, sign};
use sigveil::stock::TrustedRoot;
use sigveil::verify::policy::{Matcher, Requirements};
use sigveil::verify::{Inputs, Policy, verify};
use sigveil_circuits::token::{Class, SizeClass};

use crate::Effort;
use crate::row::{Row, Unit};

const EMAIL: &str = "signer@example.org";
/// What [`sign`] calls its steps, and the operation that each is.
const STEPS: [(&str, &str); 4] = [
    ("token", "op/token/sigveil"),
    ("certificate", "op/issue/sigveil"),
    ("timestamp", "op/timestamp/sigveil"),
    ("log", "op/log/sigveil"),
];

pub(crate) fn run(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    // Room for a bound token: its nonce takes it beyond the smallest class.
    let classes = [SizeClass::B768, SizeClass::B1024].map(Class::rsa2048);
    let circuits = circuits::load_or_create(&folder.path().join("keys"), &classes, &Progress::silent())?;
    let mut config = Config::embedded();
    config.store = folder.path().join("store");
    config.publish = folder.path().join("public");
    config.ports = Ports { issuer: 0, ca: 0, tsa: 0, rekor: 0, ct: 0, index: 0 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut instance = Instance::open(config, circuits).map_err(said)?;
    instance.serve().map_err(said)?;
    drop(inside);
    measure(&instance, effort)
}

fn measure(instance: &Instance, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let (client, services) = (Client::new().map_err(said)?, instance.services());
    let mut seconds = vec![Vec::new(); STEPS.len()];
    let (mut wall, mut search, mut checked, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..effort.times(3, 12) {
        let digest = Sha256::digest(round.to_be_bytes()).into();
        let mut begun = Vec::new();
        let start = Instant::now();
        let signed = sign(
            &client,
            &services,
            &instance.trust,
            digest,
            &TokenSource::Embedded(EMAIL),
            None,
            &mut |step| begun.push((step, start.elapsed())),
        );
        let total = start.elapsed();
        let signed = signed.map_err(said)?;
        begun.push(("end", total));
        for (samples, (step, _)) in seconds.iter_mut().zip(STEPS) {
            samples.push(length(&begun, step)?.as_secs_f64());
        }
        wall.push(total.as_secs_f64());
        bytes.push(signed.bundle_json.len() as f64);
        let start = Instant::now();
        let beside = companion(&client, &instance.trust, &signed).map_err(said)?;
        search.push(start.elapsed().as_secs_f64());
        checked.push(verification(instance, digest, &signed, &beside)?);
    }
    let mut rows = vec![
        Row::over("zk/sigveil", "wall", Unit::Seconds, &wall),
        Row::over("zk/sigveil", "bundle_bytes", Unit::Bytes, &bytes),
    ];
    rows.extend(STEPS.iter().zip(&seconds).map(|((_, op), s)| Row::over(op, "wall", Unit::Seconds, s)));
    rows.push(Row::over("op/search/sigveil", "wall", Unit::Seconds, &search));
    rows.push(Row::over("op/verify/sigveil", "wall", Unit::Seconds, &checked));
    Ok(rows)
}

/// Seconds of an offline verification with proofs and search.
fn verification(
    instance: &Instance,
    artifact: [u8; 32],
    signed: &Signed,
    companion: &sigveil::companion::Companion,
) -> anyhow::Result<f64> {
    let exactly = |text: &str| Matcher::new(Some(text), None).map_err(said);
    let policy = Policy {
        identity: exactly(&signed.certificate.san().to_string())?,
        issuer: exactly(signed.certificate.issuer())?,
        require: Requirements::parse(&["proof", "search"]).map_err(said)?,
    };
    let root: &TrustedRoot = &instance.trust.stock;
    let inputs = Inputs {
        artifact,
        bundle: &signed.bundle,
        root,
        trust: Some(&instance.trust),
        companion: Some(companion),
        disclosure: None,
    };
    let start = Instant::now();
    let verdict = verify(&inputs, &policy);
    let taken = start.elapsed().as_secs_f64();
    match verdict.refusal {
        None => Ok(taken),
        Some(refusal) => Err(anyhow::anyhow!("our own signature was refused: {refusal}")),
    }
}

/// How long a step took: until the next one began.
fn length(begun: &[(&str, Duration)], step: &str) -> anyhow::Result<Duration> {
    let at = begun.iter().position(|(name, _)| *name == step).context("a step was skipped")?;
    let end = begun.get(at + 1).context("the last step has an end")?;
    Ok(end.1 - begun[at].1)
}

fn said(failure: impl Into<Failure>) -> anyhow::Error {
    let failure = failure.into();
    anyhow::anyhow!("{}: {}", failure.reason(), failure.message())
}
