//! What a shell sees: statuses, one object on stdout, typed answers for what is not there.

use crate::support::{run, run_json, scratch};

#[test]
fn wrong_calls_have_status_2_and_say_nothing_on_stdout() {
    for call in [vec!["no-such-command"], vec!["verify"], vec!["search"], vec!["demo", "--token", "x"]] {
        let output = run(&call);
        assert_eq!(output.status.code(), Some(2), "{call:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{call:?}");
    }
}

#[test]
fn what_is_not_built_says_so_by_code() {
    for call in [
        vec!["ceremony", "init"],
        vec!["ceremony", "contribute"],
        vec!["ceremony", "verify"],
        vec!["ceremony", "finalize"],
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
