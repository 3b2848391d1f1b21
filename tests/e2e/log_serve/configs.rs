//! Configs that are refused, each by the words of the one check that refuses it, and before that its keys are missing.

use std::os::unix::ffi::OsStrExt as _;

use ed25519_dalek::SigningKey;
use sigveil::service::config::WitnessConfig;
use sigveil_log::note::NoteKey;

use super::*;

/// What is changed of a config.
type Change<'a> = &'a dyn Fn(&mut LogsConfig);

/// Why a config so changed is refused, beside what a bucket needs of the environment.
fn refused(folder: &Path, change: Change<'_>) -> (String, String) {
    refusal_in(&configure(folder, |config| change(config)), &access_keys())
}

fn all_refused(folder: &Path, malformed: &[(&str, Change<'_>)]) {
    for (words, change) in malformed {
        let (reason, said) = refused(folder, *change);
        assert!(reason == "config-malformed" && said.contains(words), "{words}: {said}");
    }
}

/// Two shards, of which the second is changed.
fn shards(config: &mut LogsConfig, change: &dyn Fn(&mut LogConfig)) {
    let log = |name: &str| LogConfig {
        origin: name.to_owned(),
        folder: name.into(),
        key: name.to_owned(),
        shard: Some(shard(name, "2020-01-01T00:00:00Z", "2125-01-01T00:00:00Z")),
        ..config.logs[0].clone()
    };
    config.logs = vec![log("a"), log("b")];
    change(&mut config.logs[1]);
}

#[test]
fn logs_that_are_none_or_not_their_own_are_refused() {
    let folder = fresh("log-serve-configs");
    all_refused(
        folder.path(),
        &[
            ("there is no [[log]]", &|config| config.logs.clear()),
            ("has no [log.shard]", &|config| shards(config, &|log| log.shard = None)),
            ("of another log", &|config| shards(config, &|log| log.origin = "a".to_owned())),
            ("of another log", &|config| shards(config, &|log| log.folder = "a".into())),
            ("of another log", &|config| {
                shards(config, &|log| log.shard.as_mut().unwrap().name = "a".to_owned());
            }),
            ("is no shard", &|config| {
                shards(config, &|log| {
                    let shard = log.shard.as_mut().unwrap();
                    shard.until = shard.from;
                });
            }),
            ("is no shard", &|config| {
                shards(config, &|log| log.shard.as_mut().unwrap().name = "A/b".to_owned());
            }),
        ],
    );
    assert_eq!(refused(folder.path(), &|config| shards(config, &|_| {})).0, "file-unreadable");
}

#[test]
fn a_key_is_of_one_log_and_signs_once() {
    let folder = fresh("log-serve-configs-keys");
    let changes: [(&str, Change<'_>); 4] = [
        ("cannot name a key", &|config| config.logs[0].key = "../key".to_owned()),
        ("named before", &|config| config.logs[0].also_signed_by = vec!["log".to_owned()]),
        ("named before", &|config| shards(config, &|log| log.key = "a".to_owned())),
        ("named before", &|config| shards(config, &|log| log.also_signed_by = vec!["a".to_owned()])),
    ];
    all_refused(folder.path(), &changes);
    for (words, change) in changes {
        let config = configure(folder.path(), |config| change(config));
        let (_, answer) = run_json(["log", "serve", "--make-keys", "--config", &config]);
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
}

#[test]
fn witnesses_are_as_many_as_must_cosign_and_each_is_one() {
    let witness = |name: &str| {
        let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
        let key = NoteKey::cosignature(name, key).unwrap().encode().try_into().unwrap();
        WitnessConfig { url: format!("http://127.0.0.1:1/{name}"), key, timeout_ms: 1 }
    };
    let folder = fresh("log-serve-configs-witnesses");
    let asked = |config: &mut LogsConfig, names: [&str; 2]| {
        (config.logs[0].cosignatures, config.logs[0].witnesses) = (2, names.map(witness).to_vec());
        config.logs[0].witnesses[1].url.push_str("/elsewhere");
    };
    all_refused(
        folder.path(),
        &[
            ("fewer witnesses", &|config| config.logs[0].cosignatures = 1),
            ("asks a.example twice", &|config| asked(config, ["a.example", "a.example"])),
        ],
    );
    let two = refused(folder.path(), &|config| asked(config, ["a.example", "b.example"]));
    assert_eq!(two.0, "file-unreadable");
}

#[test]
fn what_is_shared_is_where_something_can_be_and_without_passwords() {
    let folder = fresh("log-serve-configs-shared");
    let with = |config: &mut LogsConfig, database: &str, bucket: Option<BucketConfig>| {
        config.logs[0].shared = Some(shared(database, bucket));
    };
    let database = "host=127.0.0.1 user=x";
    all_refused(
        folder.path(),
        &[
            ("PGPASSWORD", &|config| with(config, "postgresql://user:word@127.0.0.1/db", None)),
            ("invalid value for option `port`", &|config| with(config, "port=none", None)),
            ("bucket: ", &|config| with(config, database, Some(bucket("no address")))),
            ("ends with a slash", &|config| {
                let bucket = BucketConfig { prefix: "log".to_owned(), ..bucket("http://127.0.0.1:1") };
                with(config, database, Some(bucket));
            }),
        ],
    );
    let config =
        configure(folder.path(), |config| with(config, database, Some(bucket("http://127.0.0.1:1"))));
    for one in access_keys() {
        let (reason, said) = refusal_in(&config, &[one]);
        assert!(reason == "config-malformed" && said.contains("needs AWS_ACCESS_KEY_ID and"), "{said}");
    }
    assert_eq!(refusal_in(&config, &access_keys()).0, "file-unreadable");
}

#[test]
fn parts_of_one_bucket_are_apart() {
    let folder = fresh("log-serve-configs-buckets");
    let in_buckets = |first: BucketConfig, second: BucketConfig| {
        refused(folder.path(), &|config| {
            shards(config, &|_| {});
            for (log, bucket) in config.logs.iter_mut().zip([&first, &second]) {
                log.shared = Some(shared("host=127.0.0.1 user=x", Some(bucket.clone())));
            }
        })
    };
    let part = |endpoint: &str, name: &str, prefix: &str| {
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        BucketConfig { name, prefix, ..bucket(endpoint) }
    };
    let (one, first) = ("http://store.example", part("http://store.example", "log", "a/"));
    for second in [
        part(one, "log", "a/"),
        part(one, "log", "a/b/"),
        part(one, "log", ""),
        part("HTTP://store.example:80/", "log", "a/"),
    ] {
        let (reason, said) = in_buckets(first.clone(), second);
        assert!(reason == "config-malformed" && said.contains("part of a bucket"), "{said}");
    }
    for second in
        [part(one, "log", "b/"), part(one, "other", "a/"), part("http://other.example", "log", "a/")]
    {
        assert_eq!(in_buckets(first.clone(), second).0, "file-unreadable");
    }
}

#[test]
fn a_password_in_the_config_is_not_shown() {
    let folder = fresh("log-serve-configs-password");
    let path = folder.path().join("logs.toml");
    let shared = "[log.shared]\ndatabase = \"host=127.0.0.1\"\npassword = \"hunter2\"\n";
    std::fs::write(&path, format!("{TEMPLATE}\n{shared}")).unwrap();
    let (reason, said) = refusal_in(text(&path), &[]);
    let line = format!("line {}: unknown field `password`", TEMPLATE.lines().count() + 4);
    assert!(reason == "config-malformed" && said.contains(&line), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_is_no_text_in_the_environment_is_not_taken_for_nothing() {
    let folder = fresh("log-serve-configs-environment");
    let config = configure(folder.path(), |_| {});
    let (reason, said) = refusal_in(&config, &[("PGPASSWORD", OsStr::from_bytes(&[0xff]))]);
    assert!(reason == "config-malformed" && said.contains("PGPASSWORD"), "{said}");
}
