//! `sigveil log serve`: signature logs alone, in a folder, in shards, shared by several front ends; and an instance that
//! is a witness for one.

#[path = "../../log/tests/common/servers.rs"]
#[allow(dead_code, reason = "what the log's own tests share is used in part")]
mod servers;

use std::path::Path;
use std::time::{Duration, Instant};

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sigveil::service::logs::config::{
    BucketConfig, LogConfig, LogsConfig, ShardConfig, SharedConfig, TEMPLATE, WitnessConfig,
};
use sigveil::trust::Scheme;
use sigveil_log::entry::{HashedRekord, KeyDetails, Signature, Verifier};

use crate::service::Served;
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

/// A process that serves, and where its first log answers.
fn serve(config: &str) -> (Running, String) {
    let mut command = sigveil(["log", "serve", "--config", config]);
    let command = command.env("AWS_ACCESS_KEY_ID", "access").env("AWS_SECRET_ACCESS_KEY", "secret");
    let (running, said) = start(command);
    let url = said.split_once(" serves ").map(|(url, _)| url.to_owned());
    (running, url.unwrap_or_else(|| panic!("it does not start: {said:?}")))
}

/// Why these logs are not served.
fn refusal(config: &str) -> String {
    let (status, answer) = run_json(["log", "serve", "--config", config]);
    assert_ne!(status, 0);
    answer["reason"].as_str().unwrap().to_owned()
}

/// Submits an entry as stock clients do; the status.
fn submit(url: &str, artifact: &str) -> u16 {
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
    answer.unwrap().status().as_u16()
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
    let config = configure(folder.path(), |config| {
        let log = config.logs.remove(0);
        config.logs = vec![in_period("past", begin, now, &log), in_period("present", now, end, &log)];
    });
    let keys = make_keys(&config);
    let (_running, past) = serve(&config);
    let present = past.replace("/past", "/present");
    assert_eq!((submit(&past, "one"), submit(&present, "one")), (410, 201));
    assert_eq!((entries(&past, &keys[0], &[]), entries(&present, &keys[1], &[])), (Ok(0), Ok(1)));
    let list = past.replace("/past", "/shards");
    let frozen = || {
        let shards: Value = reqwest::blocking::get(&list).unwrap().json().unwrap();
        [0, 1].map(|shard| shards[shard]["frozen"] == true)
    };
    until("the past shard is frozen, and that one only", || frozen() == [true, false]);
}

/// What is changed of a config.
type Change<'a> = &'a dyn Fn(&mut LogsConfig);

#[test]
fn configs_that_contradict_themselves_are_refused() {
    let folder = fresh("log-serve-configs");
    let refused = |change: Change<'_>| {
        let config = configure(folder.path(), |config| change(config));
        make_keys(&config);
        let (_, answer) = run_json(["log", "serve", "--config", &config]);
        assert_eq!(answer["reason"], "config-malformed");
        answer["message"].as_str().unwrap().to_owned()
    };
    let shards = |config: &mut LogsConfig, change: &dyn Fn(&mut LogConfig)| {
        let log = |name: &str| LogConfig {
            origin: name.to_owned(),
            folder: folder.path().join(name),
            shard: Some(shard(name, "2020-01-01T00:00:00Z", "2125-01-01T00:00:00Z")),
            ..config.logs[0].clone()
        };
        config.logs = vec![log("a"), log("b")];
        change(&mut config.logs[1]);
    };
    // Each by the words of the one check that refuses it.
    let malformed: [(&str, Change<'_>); 11] = [
        ("there is no [[log]]", &|config| config.logs.clear()),
        ("has no [log.shard]", &|config| config.logs.push(config.logs[0].clone())),
        ("fewer witnesses", &|config| config.logs[0].cosignatures = 1),
        ("PGPASSWORD", &|config| {
            config.logs[0].shared = Some(shared("postgresql://user:word@127.0.0.1/db", None));
        }),
        ("AWS_ACCESS_KEY_ID", &|config| {
            config.logs[0].shared = Some(shared("host=127.0.0.1 user=x", Some(bucket("http://127.0.0.1:1"))));
        }),
        ("ends with a slash", &|config| {
            let bucket = BucketConfig { prefix: "log".to_owned(), ..bucket("http://127.0.0.1:1") };
            config.logs[0].shared = Some(shared("host=127.0.0.1 user=x", Some(bucket)));
        }),
        ("database:", &|config| config.logs[0].shared = Some(shared("port=none", None))),
        ("of another log", &|config| shards(config, &|log| log.origin = "a".to_owned())),
        ("of another log", &|config| shards(config, &|log| log.folder = folder.path().join("a"))),
        ("of another log", &|config| {
            shards(config, &|log| log.shard.as_mut().unwrap().name = "a".to_owned());
        }),
        ("is no shard", &|config| {
            shards(config, &|log| {
                let shard = log.shard.as_mut().unwrap();
                shard.until = shard.from;
            });
        }),
    ];
    for (words, change) in malformed {
        let message = refused(change);
        assert!(message.contains(words), "{words}: {message}");
    }
    let named = configure(folder.path(), |config| config.logs[0].key = "../key".to_owned());
    let (_, answer) = run_json(["log", "serve", "--make-keys", "--config", &named]);
    assert!(answer["message"].as_str().unwrap().contains("cannot name a key"));
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
    until("the other takes over", || submit(&other, "three") == 201);
    assert_eq!(entries(&other, &key, &[]), Ok(3));
    assert!(!folder.path().join("log/tile").exists(), "tiles are in the bucket");
}

#[test]
fn an_instance_is_a_witness_for_the_logs_that_it_is_told() {
    let folder = fresh("log-serve-witness");
    let key = make_key(&configure(folder.path(), |_| {}));
    let known = key.clone().try_into().unwrap();
    let instance = Served::embedded("log-serve-witness", |config| {
        config.scheme = Scheme::Hashed;
        config.witness_for = vec![known];
    });
    let section = instance.json("trusted_root.sigveil.json");
    let witness = section["witnesses"]["keys"][0].as_str().unwrap().to_owned();
    let witnessed = |change: &dyn Fn(&mut LogConfig)| {
        configure(folder.path(), |config| {
            config.logs[0].cosignatures = 1;
            config.logs[0].witnesses = vec![WitnessConfig {
                url: format!("{}/witness", instance.url("rekor")),
                key: witness.clone().try_into().unwrap(),
                timeout_ms: 2_000,
            }];
            change(&mut config.logs[0]);
        })
    };
    let (_running, url) = serve(&witnessed(&|_| {}));
    assert_eq!(submit(&url, "one"), 201);
    assert_eq!(entries(&url, &key, &["--witness-key", &witness]), Ok(1));
    let (_running, url) = serve(&witnessed(&|log| {
        log.origin = "stranger.example".to_owned();
        log.folder = folder.path().join("stranger");
    }));
    assert_eq!(submit(&url, "one"), 503, "it has no cosignature, so it publishes nothing");
}
