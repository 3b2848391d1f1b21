//! Instances that are witnesses for others' logs.

use std::path::Path;

use sigveil::service::config::{Config, WitnessConfig};
use sigveil::service::logs::config::LogConfig;
use sigveil::trust::Scheme;

use super::{configure, entries, fresh, make_key, serve, submit};
use crate::service::{Served, demo_classes};
use crate::support::run_json;

/// The verifier key of an instance's own witness.
fn witness_of(instance: &Served) -> String {
    let section = instance.json("trusted_root.sigveil.json");
    section["witnesses"]["keys"][0].as_str().unwrap().to_owned()
}

/// An instance's witness, as others' configs name it.
fn asked(instance: &Served) -> WitnessConfig {
    WitnessConfig {
        url: format!("{}/witness", instance.url("rekor")),
        key: witness_of(instance).try_into().unwrap(),
        timeout_ms: 2_000,
    }
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
    let witness = witness_of(&instance);
    let witnessed = |change: &dyn Fn(&mut LogConfig)| {
        configure(folder.path(), |config| {
            config.logs[0].cosignatures = 1;
            config.logs[0].witnesses = vec![asked(&instance)];
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

/// Changes the config of an instance.
fn change(instance: &Served, change: impl FnOnce(&mut Config)) {
    let path = instance.path("store/serve.toml");
    let mut config = Config::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, toml::to_string(&config).unwrap()).unwrap();
}

/// Signs a file by an instance; the file's name and what it is said to be signed by.
fn signed(instance: &Served, name: &str) -> (String, String) {
    let file = instance.path(name);
    std::fs::write(&file, name).unwrap();
    let config = instance.path("trust_config.json");
    let (status, answer) = run_json(["sign", &file, "--trust-config", &config, "--email", "ada@example.com"]);
    assert_eq!(status, 0, "{answer}");
    (file, answer["signed"][0]["san"].as_str().unwrap().to_owned())
}

/// Why the file is not accepted with so many witnesses of the bundle and of the search, if it is not.
fn refused(instance: &Served, (file, san): &(String, String), witnesses: usize) -> Option<String> {
    let beside = format!("{file}.sigveil.json");
    let demands = format!("search,witness={witnesses}");
    let extra = ["--sigveil", &beside, "--require", &demands];
    let (_, answer) = instance.verify(Path::new(file), san, &instance.url("issuer"), &extra);
    answer["reason"].as_str().map(str::to_owned)
}

#[test]
fn an_instance_has_its_logs_cosigned_by_a_witness_elsewhere() {
    let instance = Served::embedded("log-serve-outside", |config| config.size_classes = demo_classes());
    let before = signed(&instance, "before");
    let section = instance.json("trusted_root.sigveil.json");
    let logs =
        ["signatureLog", "outputLog"].map(|log| section[log]["verifierKey"].as_str().unwrap().to_owned());
    let elsewhere = Served::embedded("log-serve-elsewhere", |config| {
        config.scheme = Scheme::Hashed;
        config.host = "localhost".into();
        config.witness_for = logs.map(|key| key.try_into().unwrap()).to_vec();
    });
    // Asked and not demanded: what it says is in what is published, and who wants it demands it.
    change(&instance, |config| config.witnesses = vec![asked(&elsewhere)]);
    let instance = instance.restart();
    assert_eq!(refused(&instance, &signed(&instance, "asked"), 2), None);
    assert_eq!(refused(&instance, &before, 1), None);
    assert_eq!(refused(&instance, &before, 2).as_deref(), Some("search-output-checkpoint"));
    // Demanded: by everybody, and of what was signed before too.
    change(&instance, |config| config.cosignatures = 2);
    let instance = instance.restart();
    let after = signed(&instance, "after");
    assert_eq!(refused(&instance, &after, 1), None);
    assert_eq!(refused(&instance, &before, 1).as_deref(), Some("search-output-checkpoint"));
    // Without it nothing is published.
    drop(elsewhere);
    assert_eq!(submit(&instance.url("rekor"), "alone"), 503);
}
