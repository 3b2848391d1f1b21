//! `sigveil log serve`: signature logs alone, in a folder, in shards, shared by several front ends.

#[path = "../../log/tests/common/servers.rs"]
#[allow(dead_code, reason = "what the log's own tests share is used in part")]
mod servers;

mod configs;
mod witnesses;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sigveil::service::logs::config::{
    BucketConfig, LogConfig, LogsConfig, ShardConfig, SharedConfig, TEMPLATE,
};
use sigveil_log::entry::{HashedRekord, KeyDetails, Signature, Verifier};

use crate::support::{run_json, scratch, sigveil};
use crate::whole_logs::{Running, start, text};

/// A folder for the logs of one test.
fn fresh(test: &str) -> tempfile::TempDir {
    tempfile::tempdir_in(scratch(test)).unwrap()
}

/// Writes the template's config but for what `change` does to it.
fn configure(folder: &Path, change: impl FnOnce(&mut LogsConfig)) -> String {
    let mut config = LogsConfig::from_toml(TEMPLATE).unwrap();
    config.listen = "127.0.0.1:0".into();
    change(&mut config);
    let path = folder.join("logs.toml");
    std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
    text(&path).to_owned()
}

/// Makes what keys are missing; the verifier keys of all.
fn make_keys(config: &str) -> Vec<String> {
    let (status, made) = run_json(["log", "serve", "--make-keys", "--config", config]);
    assert_eq!(status, 0, "{made}");
    let keys = made["keys"].as_array().unwrap().iter();
    keys.map(|key| key["verifierKey"].as_str().unwrap().to_owned()).collect()
}

/// Of the one log.
fn make_key(config: &str) -> String {
    let keys = make_keys(config);
    assert_eq!(keys.len(), 1);
    keys.into_iter().next().unwrap()
}

/// What the environment holds beside a config.
type Environment<'a> = &'a [(&'a str, &'a OsStr)];

/// `log serve` in this environment.
fn log_serve(config: &str, environment: Environment<'_>) -> Command {
    let mut command = sigveil(["log", "serve", "--config", config]);
    for name in ["PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    command
}

/// A process that serves, where its first log answers, and what it says of that log.
fn serve_in(config: &str, environment: Environment<'_>) -> (Running, String, String) {
    let (running, said) = start(&mut log_serve(config, environment));
    let Some((url, log)) = said.trim_end().split_once(" serves ") else {
        panic!("it does not start: {said:?}")
    };
    (running, url.to_owned(), log.to_owned())
}

/// Those of the tests' object store.
fn access_keys() -> [(&'static str, &'static OsStr); 2] {
    let [key, secret] = ["access", "secret"].map(OsStr::new);
    [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)]
}

/// A process that serves, and where its first log answers.
fn serve(config: &str) -> (Running, String) {
    let (running, url, _) = serve_in(config, &access_keys());
    (running, url)
}

/// Why these logs are not served in this environment: the reason, and all that is said.
fn refusal_in(config: &str, environment: Environment<'_>) -> (String, String) {
    let output = log_serve(config, environment).arg("--json").output().unwrap();
    assert!(!output.status.success());
    let [answer, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let reason = serde_json::from_str::<Value>(&answer).unwrap()["reason"].as_str().unwrap().to_owned();
    (reason, answer + &said)
}

/// Why these logs are not served.
fn refusal(config: &str) -> String {
    refusal_in(config, &[]).0
}

/// Submits an entry as stock clients do; the status.
fn submit(url: &str, artifact: &str) -> u16 {
    answered(url, artifact).unwrap()
}

/// The same, if there is an answer.
fn answered(url: &str, artifact: &str) -> Option<u16> {
    let key = SigningKey::from_slice(&[4; 32]).unwrap();
    let digest: [u8; 32] = Sha256::digest(artifact).into();
    let content: DerSignature = key.sign_prehash(&digest).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap().into_vec();
    let signature = Signature {
        content: content.as_bytes().to_vec(),
        key_details: KeyDetails::EcdsaP256Sha256,
        verifier: Verifier::PublicKey(spki),
    };
    let body = HashedRekord::new(digest.to_vec(), signature).unwrap().to_request();
    let client = reqwest::blocking::Client::new();
    let answer = client.post(format!("{url}/api/v2/log/entries")).body(body).send();
    Some(answer.ok()?.status().as_u16())
}

/// How many entries a served log has by this key, if it is the log's; otherwise why not.
fn entries(url: &str, key: &str, further: &[&str]) -> Result<u64, String> {
    let tiles = format!("{url}/api/v2");
    let verify = ["log", "verify", "--url", &tiles, "--log-key", key];
    let (status, answer) = run_json([&verify[..], further].concat());
    match status {
        0 => Ok(answer["entries"].as_u64().unwrap()),
        _ => Err(answer["reason"].as_str().unwrap().to_owned()),
    }
}

/// Waits for what comes soon.
fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_logs_key_is_changed_step_by_step_and_in_no_other_way() {
    let folder = fresh("log-serve-keys");
    let signed_by = |first: &str, also: &[&str]| {
        configure(folder.path(), |config| {
            config.logs[0].key = first.to_owned();
            config.logs[0].also_signed_by = also.iter().map(ToString::to_string).collect();
        })
    };
    let old = signed_by("old", &[]);
    assert_eq!(refusal(&old), "file-unreadable", "no key is made unasked");
    assert!(!folder.path().join("keys").exists(), "nor a folder");
    let key = make_key(&old);
    let (running, url) = serve(&old);
    assert_eq!(submit(&url, "one"), 201);
    assert_eq!(entries(&url, &key, &[]), Ok(1));
    drop(running);

    let unknown = signed_by("new", &[]);
    let new = make_key(&unknown);
    assert_eq!(refusal(&unknown), "checkpoint-not-signed-by-log");

    for (first, also) in [("old", "new"), ("new", "old")] {
        let both = signed_by(first, &[also]);
        let made = make_keys(&both);
        assert!(made.contains(&key) && made.contains(&new), "a key that is there is not replaced");
        let (_running, url) = serve(&both);
        assert_eq!(submit(&url, first), 201);
        assert!(entries(&url, &key, &[]).is_ok() && entries(&url, &new, &[]).is_ok());
    }
    let (_running, url) = serve(&signed_by("new", &[]));
    assert_eq!(submit(&url, "last"), 201);
    assert_eq!(entries(&url, &new, &[]), Ok(4));
    assert_eq!(entries(&url, &key, &[]), Err("checkpoint-not-signed-by-log".to_owned()));
}

#[test]
fn keys_are_only_read() {
    let folder = fresh("log-serve-read-only");
    let config = configure(folder.path(), |_| {});
    make_key(&config);
    let keys = folder.path().join("keys");
    // What another process may be writing.
    std::fs::write(keys.join(".sigveil-partial-abc"), "half").unwrap();
    std::fs::set_permissions(&keys, Permissions::from_mode(0o500)).unwrap();
    let (_running, url) = serve(&config);
    assert_eq!(submit(&url, "one"), 201);
    assert_eq!(keys.metadata().unwrap().permissions().mode() & 0o777, 0o500);
    let files: BTreeSet<_> =
        std::fs::read_dir(&keys).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [".sigveil-partial-abc", "log.pem"].map(OsString::from).into());
    std::fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn shards_take_entries_in_their_periods_and_are_read_after() {
    let folder = fresh("log-serve-shards");
    let in_period = |name: &str, from: &str, until: &str, log: &LogConfig| LogConfig {
        origin: format!("log.example/{name}"),
        folder: folder.path().join(name),
        key: name.to_owned(),
        shard: Some(shard(name, from, until)),
        ..log.clone()
    };
    let (begin, now, end) = ("2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2125-01-01T00:00:00Z");
    let ended = |until: &str| {
        configure(folder.path(), |config| {
            let log = config.logs.remove(0);
            config.logs = vec![in_period("past", begin, until, &log), in_period("present", now, end, &log)];
        })
    };
    let config = ended(now);
    let keys = make_keys(&config);
    let (running, past) = serve(&config);
    let present = past.replace("/past", "/present");
    assert_eq!((submit(&past, "one"), submit(&present, "one")), (410, 201));
    assert_eq!((entries(&past, &keys[0], &[]), entries(&present, &keys[1], &[])), (Ok(0), Ok(1)));
    let list = past.replace("/past", "/shards");
    let frozen = || {
        let shards: Value = reqwest::blocking::get(&list).unwrap().json().unwrap();
        [0, 1].map(|shard| shards[shard]["frozen"] == true)
    };
    assert_eq!(frozen(), [false, false], "not at once: the clock may be ahead");
    until("the past shard is frozen, and that one only", || frozen() == [true, false]);
    drop(running);
    let (_running, past, said) = serve_in(&ended(end), &[]);
    assert_eq!(said, "log.example/past, frozen", "for ever, whatever its period is now");
    assert_eq!(submit(&past, "two"), 410);
}

fn shard(name: &str, from: &str, until: &str) -> ShardConfig {
    let [from, until] = [from, until].map(|moment| moment.to_owned().try_into().unwrap());
    ShardConfig { name: name.to_owned(), from, until }
}

fn shared(database: &str, bucket: Option<BucketConfig>) -> SharedConfig {
    SharedConfig { database: database.to_owned(), bucket }
}

/// The bucket of the tests' object store.
fn bucket(endpoint: &str) -> BucketConfig {
    let [region, name, prefix] = ["us-east-1", "log", "log-serve/"].map(str::to_owned);
    BucketConfig { endpoint: endpoint.to_owned(), region, name, prefix }
}

#[test]
fn two_front_ends_serve_one_log_and_one_goes_on_alone() {
    let (Some(database), Some(objects)) = (servers::postgres(), servers::s3()) else { return };
    let folder = fresh("log-serve-front-ends");
    let config = configure(folder.path(), |config| {
        config.logs[0].shared = Some(shared(&database.address(), Some(bucket(&objects.endpoint()))));
    });
    let key = make_key(&config);
    let (first, one) = serve(&config);
    let (_second, other) = serve(&config);
    assert_eq!((submit(&one, "one"), submit(&other, "one"), submit(&other, "two")), (201, 409, 201));
    assert_eq!((entries(&one, &key, &[]), entries(&other, &key, &[])), (Ok(2), Ok(2)));
    drop(first);
    // 409 where a first try was ordered and had no answer in time.
    until("the other takes over", || matches!(submit(&other, "three"), 201 | 409));
    assert_eq!(entries(&other, &key, &[]), Ok(3));
    assert!(!folder.path().join("log/tile").exists(), "tiles are in the bucket");
}

#[test]
fn a_database_that_asks_for_a_password_gets_the_one_in_the_environment() {
    let Some(database) = servers::Server::postgres_with_password("hunter2") else { return };
    let folder = fresh("log-serve-password");
    let config = configure(folder.path(), |config| {
        config.logs[0].shared = Some(shared(&database.address(), None));
    });
    make_key(&config);
    let password = |password| [("PGPASSWORD", OsStr::new(password))];
    assert_eq!(refusal(&config), "log-unreadable");
    let (reason, said) = refusal_in(&config, &password("hunter3"));
    assert_eq!(reason, "log-unreadable");
    assert!(said.contains("authentication failed") && !said.contains("hunter3"), "{said}");
    let (_running, url, _) = serve_in(&config, &password("hunter2"));
    assert_eq!(submit(&url, "one"), 201);
}

/// What was taken is answered when a signal ends the process: no entry is in the log whose sender does not know.
#[test]
fn a_signal_ends_it_once_it_has_answered_what_it_took() {
    let folder = fresh("log-serve-signal");
    let config = configure(folder.path(), |_| {});
    let key = make_key(&config);
    let (running, url) = serve(&config);
    let taken = AtomicU64::new(0);
    let status = std::thread::scope(|scope| {
        for sender in 0..8 {
            let (url, taken) = (&url, &taken);
            scope.spawn(move || {
                for number in 0.. {
                    let Some(status) = answered(url, &format!("{sender} {number}")) else { break };
                    assert_eq!(status, 201);
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        until("entries are taken", || taken.load(Ordering::SeqCst) > 50);
        running.terminate()
    });
    assert!(status.success(), "{status}");
    let log = folder.path().join("log");
    let (status, answer) = run_json(["log", "verify", "--dir", text(&log), "--log-key", &key]);
    assert_eq!((status, answer["entries"].as_u64()), (0, Some(taken.into_inner())), "{answer}");
}
