//! Reports as a whole, of outcomes in a folder.

use std::collections::BTreeSet;
use std::path::Path;

use super::data::tests::outcome;
use super::*;

fn recorded(folder: &Path) {
    let sign = [
        ("op/issue/zk", "ca_cpu", "s", 0.7),
        ("op/timestamp/sigveil", "tsa_cpu", "s", 0.001),
        ("zk/cosign", "bundle_bytes", "bytes", 7_000.0),
        ("zk/cosign", "wall", "s", 0.9),
    ];
    let log = [("sigveil_r100", "cpu_per_entry", "s", 0.001), ("a,\"b\"", "p50", "s", 0.1)];
    let growth = [("sigveil_n1000", "bytes_per_entry", "bytes", 1_000.0)];
    let all = [("sign", &sign[..]), ("log", &log), ("growth", &growth)];
    write(folder, "full", "abc", all.map(|(suite, rows)| outcome(suite, rows)));
}

fn write<const N: usize>(folder: &Path, workload: &str, commit: &str, outcomes: [serde_json::Value; N]) {
    for mut outcome in outcomes {
        outcome["workload"] = workload.into();
        outcome["commit"] = commit.into();
        let file = folder.join(outcome["suite"].as_str().unwrap()).with_extension("json");
        std::fs::write(file, outcome.to_string()).unwrap();
    }
}

fn arguments(folder: &Path) -> Arguments {
    Arguments { data: Some(folder.to_owned()), to: None, prices: None, paper: None, diff: None }
}

#[test]
fn a_page_holds_every_row_and_nothing_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    make(&arguments(folder.path()), &[], "full").unwrap();
    assert!(std::fs::read(folder.path().join("rows.parquet")).unwrap().starts_with(b"PAR1"));
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    for part in ["zk/cosign", "a million signings, zk", "<svg", "&lt;x&gt;", "rekor2 v2", "</html>"] {
        assert!(page.contains(part), "{part} is missing");
    }
    // Costs of what was not measured are not made up.
    assert!(!page.contains("real servers</td>") && !page.contains("a million look-ups"));
    assert!(page.contains("Not in this report") && page.contains("suite prover") && page.contains("no go"));
    assert!(!page.contains("<script") && !page.contains("src="));
    let csv = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert_eq!(csv.lines().count(), 8);
    assert!(csv.contains("log,\"a,\"\"b\"\"\",p50,s,6,0.1,"));
}

#[test]
fn a_page_says_how_long_a_suite_took_where_its_outcome_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = outcome("log", &[]);
    known["seconds"] = 1_500.0.into();
    write(folder.path(), "full", "abc", [known, outcome("sign", &[])]);
    make(&arguments(folder.path()), &[], "full").unwrap();
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("<h2>Suite log</h2><p>Measured in 25 min.</p>"), "{page}");
    assert!(page.contains("<h2>Suite sign</h2><p>Measured piece by piece"), "{page}");
}

#[test]
fn a_page_names_with_whom_a_suite_was_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut some = outcome("log", &[]);
    some["against"] = ["rekor2", "ct_server"].into();
    write(folder.path(), "full", "abc", [some, outcome("growth", &[])]);
    make(&arguments(folder.path()), &[], "full").unwrap();
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("of suite log: rekor1; of suite log: s3pg; of suite log: no go"), "{page}");
    // It does not say with whom.
    assert!(!page.contains("of suite growth: rekor1"), "{page}");
}

#[test]
fn what_a_model_says_is_beside_what_it_missed_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ("a_model_rss", "model_error", "1", -0.25),
        ("a_model_rss", "at_thousandfold", "bytes", 123.0),
        ("b_model_rss", "model_error", "1", 6.29),
        ("b_model_rss", "at_thousandfold", "bytes", 456.0),
        // It met the largest size, and not the log beyond it.
        ("c_model_rss", "model_error", "1", 0.1),
        ("c_model_rss", "large_error", "1", -0.75),
        ("c_model_rss", "at_thousandfold", "bytes", 789.0),
    ];
    write(folder.path(), "full", "abc", [outcome("growth", &rows)]);
    make(&arguments(folder.path()), &[], "full").unwrap();
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("at_thousandfold (a model that missed by -25 %)<td>123 B"), "{page}");
    assert!(page.contains("at_thousandfold (a model that missed by +629 %)<td>–<td>–<td>–"), "{page}");
    assert!(page.contains("at_thousandfold (a model that missed by -75 %)<td>–<td>–<td>–"), "{page}");
}

#[test]
fn a_text_that_names_a_figure_which_is_not_there_leaves_no_report() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let to = folder.path().join("out");
    let text = to.join("text.md");
    std::fs::create_dir(&to).unwrap();
    let paper = Some(to.join("paper.md"));
    let wanted = Arguments { paper, to: Some(to.clone()), ..arguments(folder.path()) };
    std::fs::write(&text, "It takes {sign zk/python wall}.").unwrap();
    assert!(make(&wanted, &[], "full").is_err());
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
    std::fs::write(&text, "It takes {sign zk/cosign wall}.").unwrap();
    make(&wanted, &[], "full").unwrap();
    assert_eq!(std::fs::read_to_string(to.join("paper.md")).unwrap(), "It takes 900.00 ms.");
    // What was moved is what was recorded.
    let moved = Data::read(&to).unwrap();
    assert_eq!(moved.outcomes[1].checksum, Data::read(folder.path()).unwrap().outcomes[1].checksum);
}

#[test]
fn what_cannot_be_replaced_whole_has_no_page() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    make(&arguments(folder.path()), &[], "full").unwrap();
    let (rows, page) = (folder.path().join("rows.parquet"), folder.path().join("report.html"));
    std::fs::remove_file(&rows).unwrap();
    std::fs::create_dir_all(rows.join("in the way")).unwrap();
    assert!(page.exists() && make(&arguments(folder.path()), &[], "full").is_err());
    assert!(!page.exists());
}

/// In each only the one thing is amiss.
#[test]
fn no_paper_is_made_of_a_quick_run_or_of_a_tree_with_changes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.md"), "Nothing.").unwrap();
    let paper = folder.path().join("paper.md");
    let wanted = Arguments { paper: Some(paper.clone()), ..arguments(folder.path()) };
    for (workload, commit, made) in [
        ("quick", "abc", false),
        ("0123456789ab", "abc", false),
        ("full", "abc+0123", false),
        ("full", "unknown", false),
        ("full", "abc", true),
    ] {
        write(folder.path(), workload, commit, ["sign", "log"].map(|suite| outcome(suite, &[])));
        let of = make(&wanted, &[], "full");
        assert_eq!((of.is_ok(), paper.exists()), (made, made), "{workload} at {commit}: {of:?}");
    }
}

#[test]
fn a_report_of_which_one_file_cannot_be_written_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let to = folder.path().join("out");
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("text.md"), "Nothing.").unwrap();
    for before in ["report.html", "rows.csv", PDF] {
        std::fs::write(to.join(before), "before").unwrap();
    }
    let names =
        || std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>();
    let was = names();
    // Its folder is a file.
    let paper = Some(to.join("rows.csv").join("paper.md"));
    let wanted = Arguments { paper, to: Some(to.clone()), ..arguments(folder.path()) };
    assert!(make(&wanted, &[], "full").is_err());
    assert_eq!(names(), was);
    assert_eq!(std::fs::read_to_string(to.join("report.html")).unwrap(), "before");
    make(&Arguments { paper: None, ..wanted }, &[], "full").unwrap();
    assert!(std::fs::read_to_string(to.join("report.html")).unwrap().contains("</html>"));
    assert!(!names().iter().any(|name| name.to_string_lossy().ends_with(".new")));
}

#[test]
fn a_page_has_no_older_print_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let printed = folder.path().join(PDF);
    std::fs::write(&printed, "of earlier outcomes").unwrap();
    make(&arguments(folder.path()), &[], "full").unwrap();
    assert!(!printed.exists());
}

/// A full run would find it late: braces are whole, suites are part of a report, and each cost follows from rows.
#[test]
fn the_text_of_the_paper_can_be_filled() {
    let papers = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("papers").join("evaluation");
    let text = std::fs::read_to_string(papers.join("text.md")).unwrap();
    let inside = text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0);
    let named = inside.map(|inside| inside.split_whitespace().collect::<Vec<_>>());
    let named: Vec<Vec<&str>> =
        named.filter(|parts| !["cost", "basis", "machine"].contains(&parts[0])).collect();
    let unnamed = [
        ("op/timestamp/sigveil", "tsa_cpu"),
        ("op/timestamp/tsa", "tsa_cpu"),
        ("op/search/rekor1", "answer_bytes"),
        ("zk/cosign", "verify_cpu"),
        ("zk/sigveil", "verify_cpu"),
        ("zk/sigveil", "bundle_bytes"),
        ("zk/sigveil", "companion_bytes"),
        ("baseline/cosign", "verify_cpu"),
        ("hashed/cosign", "verify_cpu"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for suite in measure::suites() {
        let of_suite = named.iter().filter(|parts| parts[0] == suite);
        let mut rows: Vec<_> = of_suite.map(|parts| (parts[1], parts[2], "s", 1.0)).collect();
        // What costs are made of and no sentence names.
        rows.extend(unnamed.map(|(name, metric)| (name, metric, "s", 1.0)));
        let file = folder.path().join(suite).with_extension("json");
        std::fs::write(file, outcome(suite, &rows).to_string()).unwrap();
    }
    let data = Data::read(folder.path()).unwrap();
    let costs = cost::costs(&data, &Prices::read(None).unwrap());
    let filled = paper::filled(&text, &data, &costs).unwrap();
    assert!(!filled.contains(['{', '}']));
}

/// Every number of ours in the paper is recorded: it is what the command makes of text and data that lie there.
#[test]
fn the_paper_is_what_its_data_make_of_its_text() {
    let papers = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("papers");
    let (folder, paper) = (papers.join("evaluation"), papers.join("evaluation.md"));
    let data = Data::read(&folder).unwrap();
    let text = std::fs::read_to_string(folder.join("text.md")).unwrap();
    let costs = cost::costs(&data, &Prices::read(None).unwrap());
    assert_eq!(paper::filled(&text, &data, &costs).unwrap(), std::fs::read_to_string(paper).unwrap());
}
