//! What a shell sees: statuses, one object on stdout, typed answers for what is not there.

use crate::support::{run, run_json, scratch, sigveil};

#[test]
fn wrong_calls_have_status_2_and_say_nothing_on_stdout() {
    let loud = vec!["log", "serve", "--print-config", "--log-filter", "sigveil=loud"];
    for call in [vec!["no-such-command"], vec!["verify"], vec!["search"], vec!["demo", "--token", "x"], loud]
    {
        let output = run(&call);
        assert_eq!(output.status.code(), Some(2), "{call:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{call:?}");
    }
}

#[test]
fn what_is_not_built_says_so_by_code() {
    for call in [
        vec!["disclose", "equal"],
        vec!["disclose", "member"],
        vec!["disclose", "claims"],
        vec!["trust", "update"],
        vec!["search", "--dir", ".", "--private", "pir", "label:x"],
    ] {
        let (status, answer) = run_json(&call);
        assert_eq!((status, answer["reason"].as_str()), (1, Some("not-built")), "{call:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_has_status_3() {
    let nowhere = scratch("command-line").join("nothing-here");
    let nowhere = nowhere.to_str().unwrap();
    let (status, answer) = run_json([
        "verify",
        nowhere,
        "--bundle",
        nowhere,
        "--trusted-root",
        nowhere,
        "--identity",
        "x",
        "--issuer",
        "y",
    ]);
    assert_eq!((status, answer["reason"].as_str()), (3, Some("file-unreadable")));
    assert_eq!(answer["verified"], false);
}

#[test]
fn every_shell_gets_its_completions_and_the_manual_names_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(["completions", shell]);
        assert!(output.status.success() && output.stdout.len() > 1_000, "{shell}");
    }
    let page = String::from_utf8(run(["man"]).stdout).unwrap();
    for name in ["demo", "serve", "verify", "redact", "search", "monitor"] {
        assert!(page.contains(&format!("sigveil\\-{name}")), "{name}");
    }
}

#[test]
fn a_switch_may_be_set_by_its_variable_as_people_write_it() {
    for (value, json) in
        [("1", true), ("true", true), ("yes", true), ("0", false), ("false", false), ("", false)]
    {
        let output = sigveil(["trust", "update"]).env("SIGVEIL_JSON", value).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{value:?}");
        assert_eq!(!output.stdout.is_empty(), json, "{value:?}");
    }
}

#[test]
fn a_flag_goes_before_the_variable_of_one_that_it_excludes() {
    let call = ["verify", "x", "--bundle", "x", "--identity", "x", "--issuer", "x", "--json"];
    let status = |flags: &[&str], variables: &[&str]| {
        let mut command = sigveil(call);
        command.args(flags).envs(variables.iter().map(|name| (name, "nowhere")));
        command.output().unwrap().status.code()
    };
    let (root, config) = ("SIGVEIL_TRUSTED_ROOT", "SIGVEIL_TRUST_CONFIG");
    // 3: understood, and then the files are missing. 2: not understood.
    assert_eq!(status(&["--trust-config", "y"], &[root]), Some(3));
    assert_eq!(status(&["--trusted-root", "y"], &[config]), Some(3));
    assert_eq!(status(&[], &[root]), Some(3));
    assert_eq!(status(&[], &[root, config]), Some(2));
    assert_eq!(status(&["--trusted-root", "y", "--trust-config", "y"], &[]), Some(2));
}

#[test]
fn a_demo_refuses_bad_input_before_it_touches_its_folder() {
    use serde_json::json;
    use sigveil::service::issuer::Issuer;
    let folder = tempfile::tempdir_in(scratch("command-line")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let issuer = Issuer::new("https://issuer.example".into(), &Issuer::generate_key().unwrap()).unwrap();
    let claims = json!({
        "iss": "https://issuer.example", "aud": "sigstore", "sub": "1", "iat": 1_000, "exp": 2_000,
        "email": "a@example.com", "email_verified": true,
    });
    std::fs::write(path("token"), issuer.sign(claims.to_string().as_bytes()).unwrap()).unwrap();
    std::fs::write(path("jwks"), issuer.jwks().to_string()).unwrap();
    std::fs::write(path("no-jwks"), "{").unwrap();
    let (token, jwks, broken, missing) = (path("token"), path("jwks"), path("no-jwks"), path("missing"));
    for (extra, status, reason) in [
        (["--token", &token, "--jwks", &jwks].as_slice(), 1, "token-expired"),
        (&["--token", &token, "--jwks", &broken], 1, "jwks-malformed"),
        (&["--file", &missing], 3, "file-unreadable"),
        (&["--file", folder.path().to_str().unwrap()], 3, "file-unreadable"),
    ] {
        let dir = path("demo");
        let (found, answer) = run_json([["demo", "--dir", &dir].as_slice(), extra].concat());
        assert_eq!((found, answer["reason"].as_str()), (status, Some(reason)), "{answer}");
        assert!(!folder.path().join("demo").exists(), "{reason}");
    }
}
