//! The shape of the house: who may know whom, what a verifier is built from, and that the lists readers rely on are
//! the lists the code uses.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sigveil::failure::{REASONS, Status};

use crate::support::files_below;

fn tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--edges", "normal", "--format", "{p}"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn names(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn a_verifier_is_built_without_runtime_network_database_or_prover() {
    let tree = tree(&["--package", "sigveil", "--no-default-features"]);
    let names = names(&tree);
    assert!(names.contains("sigstore-verify"), "the tree was read");
    for unwanted in ["tokio", "axum", "hyper", "reqwest", "ark-groth16", "rayon", "redb", "rusqlite"] {
        assert!(!names.contains(unwanted), "{unwanted} is in the verifier");
    }
}

#[test]
fn the_ground_floor_knows_nobody() {
    for package in ["sigveil-vrf-identity", "sigveil-log"] {
        let tree = tree(&["--package", package, "--all-features"]);
        let ours: Vec<_> = names(&tree).into_iter().filter(|name| name.starts_with("sigveil")).collect();
        assert_eq!(ours, [package]);
    }
}

/// The codes in a table of docs/reasons.md: the first cell of each row, between backquotes.
fn documented() -> Vec<(String, String)> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (code, rest) = row.split_once("` | ").unwrap();
        (code.to_owned(), rest.trim_end_matches(" |").to_owned())
    })
    .collect()
}

#[test]
fn the_documented_reasons_are_the_table() {
    let table: Vec<_> = REASONS
        .iter()
        .map(|row| {
            let status = match row.status {
                Status::Refused => 1,
                Status::Usage => 2,
                Status::Unreachable => 3,
            };
            (row.code.to_owned(), format!("{status} | {}", row.advice))
        })
        .collect();
    let documented = documented();
    let first = documented.iter().zip(&table).find(|(documented, row)| documented != row);
    assert!(first.is_none(), "docs/reasons.md and the table part at {first:?}");
    assert_eq!(documented.len(), table.len());
    assert!(REASONS.windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, nothing twice");
}

/// Codes as the sources write them: string literals in the body of a function named `reason`, and the first argument
/// of a literal failure.
fn in_sources() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["src", "vrf-identity/src", "circuits/src", "zk-ca/src", "log/src", "verifiable-search/src"];
    let mut codes = BTreeSet::new();
    for (path, bytes) in folders.iter().flat_map(|folder| files_below(&root.join(folder))) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = String::from_utf8(bytes).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for start in ["fn reason(&self)", "fn reason(self)", "Failure::new(", "reason: \""] {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at..];
                let end = match start {
                    "Failure::new(" => rest.find([',', ')']),
                    "reason: \"" => rest.find('\n'),
                    _ => rest.find("\n    }"),
                };
                codes.extend(literals(&rest[..end.unwrap_or(rest.len())]));
            }
        }
    }
    codes
}

fn literals(text: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        text.len() > 2 && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"-0123456789".contains(&byte))
    };
    text.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned).collect()
}

#[test]
fn every_reason_in_the_sources_is_in_the_table() {
    let table: BTreeSet<String> = REASONS.iter().map(|row| row.code.to_owned()).collect();
    let sources = in_sources();
    assert!(sources.len() > 20, "the sources were read");
    let missing: Vec<_> = sources.difference(&table).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
}

/// The tests that a text names, as `path::function` between backquotes.
fn tests_named_in(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.split_once("::")).filter(|(path, _)| path.ends_with(".rs")).collect()
}

/// Whether a source has this function, and either marks it a test or it is listed, there or in the file above, among those run
/// on each store.
fn is_test(source: &str, above: &str, name: &str) -> bool {
    let Some(function) = source.find(&format!("fn {name}(")) else { return false };
    // Attributes stand above the function, behind the end of whatever comes before it.
    let before = &source[..function];
    let attributes = &before[before.rfind("\n\n").unwrap_or(0)..];
    let on_each_store = |source: &str| {
        let listed = source.split_once("\non_each_store! {").and_then(|(_, rest)| rest.split_once('}'));
        listed.is_some_and(|(listed, _)| listed.split_whitespace().any(|other| other == name))
    };
    ["#[test]", "#[tokio::test"].iter().any(|mark| attributes.contains(mark))
        || [source, above].into_iter().any(on_each_store)
}

#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("papers/threat-model.md")).unwrap();
    let named = tests_named_in(&text);
    assert!(named.len() > 50, "the paper was read");
    for (path, name) in named {
        let path = root.join(path);
        let source =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let above = path.parent().unwrap().with_extension("rs");
        let above = std::fs::read_to_string(above).unwrap_or_default();
        assert!(is_test(&source, &above, name), "{}: {name} is no test", path.display());
    }
}
