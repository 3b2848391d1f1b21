//! The demo: one signature, the whole way, on a real file, with every role in this process and everything left to look
//! at in one folder.
//!
//! It uses the roles as a user does, over HTTP on loopback ports, and afterwards runs the commands a user would run on
//! what must be refused. Every file is written whole or not at all, every role repairs itself when it is opened, so a
//! demo that was killed is simply started again.

mod learned;
mod redact;
mod refusals;
mod steps;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sigveil_circuits::token::{Binding, Expectation, Jwt, SizeClass, Usage, check};
use sigveil_verifiable_search::monitor::Memory;
use sigveil_vrf_identity::identity::Kind;
use sigveil_zk_ca::jwks::{KeySet, MAX_KEY_SET_BYTES};

use super::circuits::{self, cache_folder};
use super::client::Client;
use super::config::{Config, IssuerConfig, Ports};
use super::folder::CONFIG;
use super::instance::{Instance, InstanceError, header_of, now};
use super::issuer::{Issuer, TokenRequest};
use super::keys::KeyStore;
use super::login;
use super::monitor;
use super::runtime::runtime;
use super::serve::interrupted;
use super::sign::{self, Signed, TokenSource};
use crate::cli::args::Demo as Arguments;
use crate::cli::output::{Progress, Report};
use crate::failure::Failure;
use crate::files::{self, Replace};
use crate::keyfile::{MonitoringFile, OpeningFile};
use steps::Steps;

/// Whose signature the demo makes unless a token is given.
const SIGNER: &str = "alice@example.com";
/// The audience of the demo's tokens: what stock clients ask for.
const AUDIENCE: &str = "sigstore";
/// What the demo signs unless a file is given.
const TEXT: &str = "This file was signed by somebody whose name is not in any log.\n";

/// Everything the steps share.
struct Stage {
    folder: PathBuf,
    client: Client,
    instance: Instance,
    token: String,
    signed: Signed,
    monitoring: MonitoringFile,
    opening: OpeningFile,
}

/// Runs the demo.
///
/// # Errors
/// The first step that fails.
pub fn run(arguments: &Arguments, cache: Option<&Path>, progress: &Progress) -> Result<Report, Failure> {
    let folder = arguments.dir.clone().unwrap_or_else(|| PathBuf::from("sigveil-demo"));
    progress.say(&format!("working in {}", folder.display()));
    // Bad input changes nothing: it is looked at before the folder is.
    let given = given(arguments)?;
    if let Some(file) = &arguments.file {
        files::check_readable(file)?;
    }
    let mut steps = Steps::new(*progress);
    let lock = steps.run("folder", || {
        // Whoever works in the folder already keeps everything in it as it is.
        let lock = Instance::lock(&folder.join("store"))?;
        prepare(&folder, arguments.file.as_deref())?;
        Ok(lock)
    })?;
    let config = config(&folder, given.as_ref(), arguments)?;
    let classes = config.classes()?;
    let cache = cache_folder(cache)?;
    let circuits = steps.run("circuit keys", || Ok(circuits::load_or_create(&cache, &classes, progress)?))?;
    let runtime = runtime()?;
    let inside = runtime.enter();
    let mut instance = steps.run("roles", || {
        let mut instance = Instance::open_locked(config, circuits, lock)?;
        instance.publish(&folder)?;
        instance.serve()?;
        Ok(instance)
    })?;
    drop(inside);
    let client = Client::new()?;
    let (token, signed) = sign_artifact(&folder, &client, &mut instance, given.as_ref(), &mut steps)?;
    let (monitoring, opening) =
        steps.run("owner's keys", || owner(&folder, &client, &instance, &token, &signed))?;
    let stage = Stage { folder, client, instance, token, signed, monitoring, opening };
    steps.run("search", || stage.write_companion())?;
    steps.run("disclosure", || stage.write_disclosure())?;
    steps.run("verify", || stage.verify())?;
    let redacted = steps.run("redaction", || redact::run(&stage, &runtime))?;
    steps.run("monitor", || stage.monitor(&runtime))?;
    let refusals = steps.run("refusals", || refusals::run(&stage))?;
    let text = format!("{}\n{}", learned::text(&stage, &redacted), refusals::text(&refusals));
    let report = report(&stage, &steps, &refusals, text);
    if arguments.keep_running {
        progress.say(&report.text);
        progress.say("\nserving until interrupted (Ctrl-C)");
        runtime.block_on(interrupted())?;
        return Ok(Report::done(report.json, ""));
    }
    Ok(report)
}

fn report(stage: &Stage, steps: &Steps, refusals: &[refusals::Refusal], text: String) -> Report {
    let refusals: Vec<Value> =
        refusals.iter().map(|refusal| json!({"case": refusal.case, "reason": refusal.reason})).collect();
    Report::done(json!({"dir": stage.folder, "steps": steps.json(), "refusals": refusals}), text)
}

/// A token from outside with its issuer's key set.
struct Given {
    token: String,
    jwt: Jwt,
    claims: Value,
}

fn given(arguments: &Arguments) -> Result<Option<Given>, Failure> {
    let Some(path) = &arguments.token else { return Ok(None) };
    let token = files::read_text(path, files::JSON_LIMIT)?.trim().to_owned();
    let jwt = Jwt::parse(&token)?;
    let claims = serde_json::from_slice(jwt.compact().payload()).unwrap_or_default();
    let given = Given { token, jwt, claims };
    if let Some(jwks) = &arguments.jwks {
        acceptable(&given, jwks)?;
    }
    Ok(Some(given))
}

/// Refuses a token that the authority would refuse, before circuit keys are made for it and the folder is touched.
fn acceptable(given: &Given, jwks: &Path) -> Result<(), Failure> {
    let keys = KeySet::parse(&files::read(jwks, MAX_KEY_SET_BYTES as u64)?)?;
    let issuer = outside_issuer(given)?;
    let kind =
        Kind::from_name(&issuer.kind).map_err(|error| Failure::new("config-malformed", error.to_string()))?;
    let expectation = Expectation {
        modulus: keys.modulus(given.jwt.key_id())?,
        issuer: &issuer.url,
        audience: &issuer.audience,
        kind,
        time: now(),
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    };
    check(&given.jwt, &expectation)?;
    Ok(())
}

fn prepare(folder: &Path, file: Option<&Path>) -> Result<(), Failure> {
    files::sweep_partial(folder)?;
    files::make_secret_folder(&folder.join("secret"))?;
    files::sweep_partial(&folder.join("secret"))?;
    let artifact = folder.join("artifact");
    match file {
        Some(file) => files::copy(file, &artifact)?,
        None => files::write(&artifact, TEXT.as_bytes())?,
    }
    Ok(())
}

/// The config of the demo's roles, which also stays in the folder for `serve`.
fn config(folder: &Path, given: Option<&Given>, arguments: &Arguments) -> Result<Config, Failure> {
    let mut config = Config::embedded();
    config.store = PathBuf::from(".");
    config.publish = PathBuf::from("..");
    config.ports = Ports { issuer: 0, ca: 0, tsa: 0, rekor: 0, ct: 0, index: 0 };
    if let (Some(given), Some(jwks)) = (given, &arguments.jwks) {
        let copy = folder.join("jwks.json");
        files::copy(jwks, &copy)?;
        config.embedded_issuer = false;
        config.issuers = vec![outside_issuer(given)?];
    }
    config.size_classes = vec![size_class(folder, &config, given)?.bytes()];
    if let (Some(given), Some(jwks)) = (given, &arguments.jwks) {
        let keys = KeySet::parse(&files::read(jwks, MAX_KEY_SET_BYTES as u64)?)?;
        config.modulus_bits = vec![keys.modulus(given.jwt.key_id())?.size().bits()];
    }
    let text =
        toml::to_string(&config).map_err(|error| Failure::new("config-malformed", error.to_string()))?;
    files::write(&folder.join(CONFIG), text.as_bytes())?;
    Config::read(&folder.join(CONFIG))
}

fn outside_issuer(given: &Given) -> Result<IssuerConfig, Failure> {
    let missing = |name: &str| Failure::new("claim-missing", format!("the token has no usable {name}"));
    let claims = &given.claims;
    // The statement takes a string or an array of exactly one.
    let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str());
    let kind = if claims["email"].is_string() { "email" } else { "sub" };
    Ok(IssuerConfig {
        url: claims["iss"].as_str().ok_or_else(|| missing("iss"))?.to_owned(),
        audience: audience.ok_or_else(|| missing("aud"))?.to_owned(),
        kind: kind.to_owned(),
        binding: "none".to_owned(),
        default_profile: "stable".to_owned(),
        profiles: vec!["stable".to_owned(), "epoch".to_owned(), "unlinkable".to_owned()],
        jwks: Some(PathBuf::from("../jwks.json")),
        header: None,
        headers: vec![header_of(&given.jwt)],
    })
}

/// The size class of the demo's token: of the one given, or of one that the embedded issuer would make.
fn size_class(folder: &Path, config: &Config, given: Option<&Given>) -> Result<SizeClass, Failure> {
    if let Some(given) = given {
        return Ok(given.jwt.compact().size_class());
    }
    let key = KeyStore::open(&folder.join("store/keys"))?.issuer()?;
    let probe = Issuer::new(format!("http://{}:65535", config.host), &key)?.token(&request(SIGNER), now())?;
    Ok(Jwt::parse(&probe)?.compact().size_class())
}

fn request(email: &str) -> TokenRequest {
    TokenRequest { email: email.to_owned(), audience: AUDIENCE.to_owned(), nonce: None }
}

fn sign_artifact(
    folder: &Path,
    client: &Client,
    instance: &mut Instance,
    given: Option<&Given>,
    steps: &mut Steps,
) -> Result<(String, Signed), Failure> {
    let services = instance.services();
    let token = steps.run("token", || {
        let token = match (given, &instance.issuer) {
            (Some(given), _) => given.token.clone(),
            (None, Some(issuer)) => {
                files::write(&folder.join("jwks.json"), format!("{:#}\n", issuer.jwks()).as_bytes())?;
                client.token(issuer.url(), SIGNER, AUDIENCE, None)?
            }
            (None, None) => return Err(Failure::new("config-issuer", "no identity provider runs")),
        };
        files::write_secret(&folder.join("token.jwt"), token.as_bytes(), Replace::Always)?;
        Ok(token)
    })?;
    let digest = files::sha256(&folder.join("artifact"))?;
    let trust = &instance.trust;
    let source = TokenSource::Given(&token);
    let signed =
        steps.run("sign", || sign::sign(client, &services, trust, digest, &source, None, &mut |_| {}))?;
    files::write(&folder.join("artifact.sigstore.json"), signed.bundle_json.as_bytes())?;
    let identity =
        json!({"san": signed.certificate.san().to_string(), "issuer": signed.certificate.issuer()});
    files::write(&folder.join("identity.json"), format!("{identity:#}\n").as_bytes())?;
    Ok((token, signed))
}

fn owner(
    folder: &Path,
    client: &Client,
    instance: &Instance,
    token: &str,
    signed: &Signed,
) -> Result<(MonitoringFile, OpeningFile), Failure> {
    let time = signed.certificate.time();
    let (monitoring, opening) = login::login(client, &instance.services(), &instance.trust, token, time)?;
    if !login::is_own_label(signed.certificate.san(), &monitoring.key, &instance.trust, time) {
        return Err(Failure::new("certificate-other-label", "the certificate's label is not this owner's"));
    }
    let secret = folder.join("secret");
    files::write_secret(&secret.join("monitoring.key"), monitoring.to_json().as_bytes(), Replace::Always)?;
    files::write_secret(&secret.join("opening.json"), opening.to_json().as_bytes(), Replace::Always)?;
    Ok((monitoring, opening))
}

impl Stage {
    fn write_companion(&self) -> Result<(), Failure> {
        let companion = sign::companion(&self.client, &self.instance.trust, &self.signed)?;
        Ok(files::write(&self.folder.join("artifact.sigveil.json"), companion.to_json().as_bytes())?)
    }

    fn write_disclosure(&self) -> Result<(), Failure> {
        let artifact = files::sha256(&self.folder.join("artifact"))?;
        let disclosure =
            crate::disclose::open(&self.signed.certificate, artifact, &self.opening, String::new())?;
        let path = self.folder.join("artifact.disclosure.json");
        Ok(files::write_secret(&path, disclosure.to_json().as_bytes(), Replace::Always)?)
    }

    /// As a user would: with the files that were just written.
    fn verify(&self) -> Result<(), Failure> {
        let identity = self.signed.certificate.san().to_string();
        let arguments = [
            "verify",
            "artifact",
            "--bundle=artifact.sigstore.json",
            "--trusted-root=trusted_root.json",
            "--sigveil=artifact.sigveil.json",
            "--require=proof,search,witness=1,reexecutor=1",
            &format!("--identity={identity}"),
            &format!("--issuer={}", self.signed.certificate.issuer()),
        ];
        let (status, answer) = refusals::command(&self.folder, &arguments)?;
        if status == Some(0) {
            return Ok(());
        }
        let reason = answer["reason"].as_str().and_then(crate::failure::known).unwrap_or("demo-step");
        Err(Failure::new(reason, "the demo's own signature does not verify"))
    }

    fn monitor(&self, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
        let indexer = &self.instance.indexer;
        let trust = &self.instance.trust;
        let watched = monitor::watch(&self.monitoring, trust, now());
        let ask = |key, _| async move {
            let answer = indexer.answer(&key, None).await.map_err(InstanceError::from)?;
            Ok::<_, InstanceError>((answer, monitor::grown(None, None)))
        };
        let mut memory = Memory::default();
        let report = runtime.block_on(monitor::check(&watched, trust, &mut memory, ask))?;
        if report.events.is_empty() || !report.alerts.is_empty() {
            return Err(Failure::new("demo-step", "the owner's monitor did not see what it should"));
        }
        Ok(())
    }
}

/// A claim of a token's payload, for telling what its issuer learned.
fn claim(token: &str, name: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims[name].as_str().map(str::to_owned)
}
