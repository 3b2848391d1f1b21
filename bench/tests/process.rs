//! The harness as a process: what it leaves when it is killed or interrupted, and what it refuses before it measures.

#![allow(clippy::unwrap_used, missing_docs, reason = "a failed expectation is the test's verdict")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder for one harness: caches, records, outcomes.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::write(home.file("workload.toml"), workload(1)).unwrap();
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn harness(&self, arguments: &[&str]) -> Command {
        // Whoever runs the tests by nohup has every child ignore the end of the terminal, unless told otherwise.
        let mut command = Command::new("/usr/bin/env");
        command.arg("--default-signal=HUP").arg(env!("CARGO_BIN_EXE_sigveil-bench"));
        command.args(arguments).arg("--workload").arg(self.file("workload.toml"));
        command.env("XDG_CACHE_HOME", self.0.path()).current_dir(self.0.path());
        command.stdout(Stdio::null());
        command
    }

    /// Suite log, of our log alone.
    fn log(&self) -> Command {
        self.harness(&["log", "--record", "blocks", "--json=outcome.json"])
    }

    /// Waits until so many blocks are kept.
    fn wait_for_blocks(&self, child: &mut Child, count: usize) {
        wait_until("blocks", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            self.blocks().len() > count
        });
    }

    /// The heading, and the blocks that are kept.
    fn blocks(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("blocks")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A row of the outcome.
    fn row(&self, name: &str, metric: &str) -> serde_json::Value {
        let outcome = fs::read(self.file("outcome.json")).unwrap();
        let outcome: serde_json::Value = serde_json::from_slice(&outcome).unwrap();
        let mut rows = outcome["rows"].as_array().unwrap().iter();
        rows.find(|row| row["name"] == name && row["metric"] == metric).unwrap().clone()
    }

    /// The servers that are noted.
    fn servers(&self) -> Vec<i32> {
        let Ok(text) = fs::read(self.file("sigveil/baseline/run/running.json")) else { return Vec::new() };
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let processes = state["processes"].as_array().unwrap();
        processes.iter().map(|process| process["id"].as_i64().unwrap() as i32).collect()
    }
}

fn workload(samples: usize) -> String {
    format!(
        "[identity]\nsamples = {samples}\n[search]\nkeys = 1000\nbatches = 1\nsamples = 1\n\
         [prover]\nproofs = 1\nsmall_proofs = 1\nother_proofs = 1\nsamples = 1\nevery_class = false\ncurve = [15, 15]\n\
         [sign]\nrounds = 1\nsignings = 1\nspan = 1\n\
         [log]\nentries = 20\nrounds = 3\nconnections = [1]\nrates = []\nslow_connections = []\nslow_rates = []\n\
         span = 1\nslow_span = 1\nidle_span = 1\nwrk_span = 1\n\
         [sweep]\nrates = [20]\nissue_rates = []\nprove_rates = []\nspan = 1\n\
         [growth]\nlogs = [100, 200, 400]\nauthorities = [20, 40, 80]\nlarge = 500\nblocks = 1\nrate = 10\nspan = 1\n"
    )
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "no {what} after {PATIENCE:?}");
        sleep(Duration::from_millis(20));
    }
}

/// Whether a process is there and has not ended.
fn lives(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn send(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_that_was_killed_goes_on_and_stops_what_it_had_left() {
    let home = Home::new();
    let mut child = home.log().spawn().unwrap();
    home.wait_for_blocks(&mut child, 2);
    send(child.id(), Signal::KILL);
    child.wait().unwrap();
    let (kept, left) = (home.blocks(), home.servers());
    assert!(left.len() == 2 && left.iter().all(|id| lives(*id)), "nobody could stop them");
    assert!(!home.file("outcome.json").exists());

    let again = home.log().output().unwrap();
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("2 servers of a run that was killed are stopped"), "{}", said(&again));
    assert!(!left.iter().any(|id| lives(*id)) && home.servers().is_empty());
    let outcome: serde_json::Value =
        serde_json::from_slice(&fs::read(home.file("outcome.json")).unwrap()).unwrap();
    assert!(outcome.get("seconds").is_none(), "how long a part of it took");
    let blocks = home.blocks();
    assert_eq!(blocks[..kept.len()], kept);
    // A heading; what our log has on disk; three rounds of two sides, anew unless they were whole; of each a sweep of one rate;
    // that the sweeps are whole.
    let before = if kept.len() < 1 + 1 + 6 { kept.len() } else { 1 + 1 };
    assert_eq!(blocks.len(), before + 6 + 2 + 1);
    assert_eq!(home.row("sigveil_c1", "p50")["n"], 3);
    assert_eq!(home.row("sigveil", "tree_size")["median"], 20.0);
    // With the four that warm it up, in the block that a run begins with.
    assert_eq!(home.row("sigveil_c1", "tree_size")["low"], 24.0);
}

#[test]
fn sides_that_grow_take_turns_and_what_did_not_come_to_its_end_is_filled_and_measured_anew() {
    let home = Home::new();
    // Sizes that both have.
    let text = workload(1).replace(
        "authorities = [20, 40, 80]\nlarge = 500\nblocks = 1",
        "authorities = [100, 200, 400]\nlarge = 500\nblocks = 2",
    );
    assert_ne!(text, workload(1));
    fs::write(home.file("workload.toml"), text).unwrap();
    let grow = || home.harness(&["growth", "--record", "blocks", "--json=outcome.json"]).output().unwrap();
    let first = grow();
    assert!(first.status.success(), "{}", said(&first));
    let blocks: Vec<serde_json::Value> =
        home.blocks().iter().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let order: Vec<_> = blocks.iter().map(|block| block["name"].as_str().unwrap()).collect();
    let sides = ["sigveil", "issue_hashed", "sigveil_index"];
    // The index at the largest size alone.
    for (size, at, there) in [("n100", 0, 2), ("n200", 4, 2), ("n400", 8, 3)] {
        let there = &sides[..there];
        let turns: Vec<String> =
            there.iter().chain(there.iter().rev()).map(|side| format!("{side}_{size}")).collect();
        assert_eq!(order[at..at + turns.len()], turns);
    }

    // A model of each metric that has one, held against the log that was filled at its engine.
    for metric in ["cpu_per_entry", "rss"] {
        let missed = home.row(&format!("sigveil_model_{metric}"), "large_error");
        assert!(missed["median"].as_f64().unwrap() > -1.0);
    }
    let is_last = |line: &String| line.contains("\"sigveil_index\"");
    let kept: Vec<String> = home.blocks().into_iter().filter(|line| !is_last(line)).collect();
    assert_eq!(kept.len(), blocks.len());
    fs::write(home.file("blocks"), kept.join("\n") + "\n").unwrap();
    let again = grow();
    assert!(again.status.success(), "{}", said(&again));
    let count =
        |name: &str| home.blocks().iter().filter(|line| line.contains(&format!("\"{name}\""))).count();
    let counts = ["sigveil_n100", "sigveil_n400", "issue_hashed_n100", "issue_hashed_n400"].map(count);
    assert_eq!(counts, [4, 4, 4, 4], "blocks of two fillings");
    assert_eq!(count("sigveil_n500"), 2, "what was whole is measured again");
    // With a certificate where the other has a bare key.
    let body = |side| home.row(side, "body_bytes")["median"].as_f64().unwrap();
    assert!(body("sigveil") > 300.0 && body("sigveil_index") > body("sigveil") + 500.0);
    for name in ["sigveil_n100", "sigveil_n400", "issue_hashed_n400", "sigveil_index_n400"] {
        assert!(home.row(name, "bytes_per_entry")["median"].as_f64().unwrap() > 0.0);
        assert!(home.row(name, "cpu_per_entry")["median"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn an_interrupt_stops_the_servers_and_leaves_no_outcome() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let mut child = home.log().spawn().unwrap();
        home.wait_for_blocks(&mut child, 1);
        let servers = home.servers();
        let second = home.log().output().unwrap();
        assert!(said(&second).contains("another sigveil-bench"), "{}", said(&second));
        assert!(servers.len() == 2 && servers.iter().all(|id| lives(*id)), "the second one stopped them");

        send(child.id(), signal);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(!servers.iter().any(|id| lives(*id)) && home.servers().is_empty());
        assert!(!home.file("outcome.json").exists());
    }
}

#[test]
fn who_calls_it_by_nohup_has_it_go_on_without_a_terminal() {
    let home = Home::new();
    let log = home.log();
    let mut command = Command::new("/usr/bin/env");
    command.arg("--ignore-signal=HUP").args(log.get_args().skip(1)).current_dir(home.0.path());
    command.env("XDG_CACHE_HOME", home.0.path()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    home.wait_for_blocks(&mut child, 1);
    send(child.id(), Signal::HUP);
    assert!(child.wait().unwrap().success());
    assert!(home.file("outcome.json").exists() && home.servers().is_empty());
}

#[test]
fn a_server_that_dies_is_named_and_its_block_is_not_kept() {
    let home = Home::new();
    let mut child = home.log().stderr(Stdio::piped()).spawn().unwrap();
    home.wait_for_blocks(&mut child, 1);
    // Noted in the order of their start: the idle server, then our log.
    let log = home.servers()[1];
    send(log as u32, Signal::KILL);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert!(
        said(&ended).contains("block 0 of sigveil_c1") && said(&ended).contains("has died"),
        "{}",
        said(&ended)
    );
    assert!(home.servers().is_empty() && !home.file("outcome.json").exists());
    assert!(home.blocks().len() < 1 + 6);
}

#[test]
fn a_server_that_dies_in_a_sweep_has_lost_no_rate() {
    let home = Home::new();
    let text = workload(1).replace("prove_rates = []\nspan = 1", "prove_rates = []\nspan = 5");
    assert_ne!(text, workload(1));
    fs::write(home.file("workload.toml"), text).unwrap();
    let mut child = home.log().stderr(Stdio::piped()).spawn().unwrap();
    // The turns are over, and the idle server is swept first.
    home.wait_for_blocks(&mut child, 1 + 6);
    send(home.servers()[0] as u32, Signal::KILL);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.code() == Some(3) && said(&ended).contains("has died"), "{}", said(&ended));
    let swept = home.blocks().iter().any(|line| line.contains("\"harness_s20\""));
    assert!(!swept, "what it took for a lost rate is kept");
}

#[test]
fn a_suite_ends_with_the_report_that_runs_it() {
    let home = Home::new();
    // Takes hours.
    fs::write(home.file("workload.toml"), workload(10_000_000)).unwrap();
    let mut report = home.harness(&["report"]).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", report.id());
    let mut suite = None;
    wait_until("suite", || {
        let text = fs::read_to_string(&children).unwrap_or_default();
        // Git is asked for the commit first.
        let suites = text.split_whitespace().filter_map(|id| id.parse().ok());
        suite = suites.into_iter().find(|id| is_suite(*id));
        suite.is_some()
    });
    send(report.id(), Signal::KILL);
    report.wait().unwrap();
    let suite: i32 = suite.unwrap();
    wait_until("end of the suite", || !lives(suite));
    let reports = walk(&home.file("target/report"));
    assert!(reports.is_empty(), "{reports:?}");
}

/// Whether it has come so far that it was told whose end is its own.
fn is_suite(id: i32) -> bool {
    let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains("--parent=")
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn malformed_files_are_refused_before_anything_is_measured() {
    let home = Home::new();
    fs::write(home.file("prices.toml"), "cpu = 1").unwrap();
    let priced = home.harness(&["report", "--prices", "prices.toml"]).output().unwrap();
    assert!(priced.status.code() == Some(3) && said(&priced).contains("no price file"), "{}", said(&priced));

    let nowhere = home.harness(&["search", "--json=elsewhere/outcome.json"]).output().unwrap();
    assert!(nowhere.status.code() == Some(3) && said(&nowhere).contains("no folder"), "{}", said(&nowhere));

    let kept = home.harness(&["search", "--record=blocks.jsonl"]).output().unwrap();
    assert!(
        kept.status.code() == Some(3) && said(&kept).contains("log, growth and sign alone"),
        "{}",
        said(&kept)
    );

    fs::write(home.file("workload.toml"), "rounds = 1").unwrap();
    let worked = home.harness(&["report"]).output().unwrap();
    assert!(worked.status.code() == Some(3) && said(&worked).contains("no workload"), "{}", said(&worked));
    assert!(!home.file("target").exists());
}

/// As on a disk that is full: a file may have no byte.
#[test]
fn an_outcome_that_cannot_be_written_leaves_the_last_one_and_nothing_of_its_own() {
    let home = Home::new();
    fs::write(home.file("outcome.json"), "the last").unwrap();
    let identity = home.harness(&["identity", "--json=outcome.json"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 0; trap '' XFSZ; exec \"$@\"", "sh"]).arg(identity.get_program());
    let refused = limited.args(identity.get_args()).current_dir(home.0.path()).output().unwrap();
    assert!(refused.status.code() == Some(3) && said(&refused).contains("too large"), "{}", said(&refused));
    assert_eq!(fs::read(home.file("outcome.json")).unwrap(), b"the last");
    assert_eq!(fs::read_dir(home.0.path()).unwrap().count(), 2, "the workload and the last outcome");
}

/// A folder to look for programs in, where `go` says that it is new enough and builds nothing.
fn failing_go(home: &Home) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = home.file("path");
    fs::create_dir(&folder).unwrap();
    let go = folder.join("go");
    let script = "#!/bin/sh\n[ $1 = env ] && echo go1.99 && exit\necho no such module >&2\nexit 1\n";
    fs::write(&go, script).unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn a_build_that_fails_and_a_port_that_is_busy_are_named_and_leave_nothing() {
    let home = Home::new();
    let path = failing_go(&home);
    let bin = home.file("sigveil/baseline/bin");
    // Of a build that was killed.
    fs::create_dir_all(bin.join(".building1")).unwrap();
    let failed = home.harness(&["log", "--against=rekor2"]).env("PATH", &path).output().unwrap();
    assert_eq!(failed.status.code(), Some(3));
    assert!(said(&failed).contains("cannot build rekor2: ") && said(&failed).contains("no such module"));
    assert!(fs::read_dir(&bin).unwrap().next().is_none() && home.servers().is_empty());

    // If somebody else has the port, it is as busy.
    let _listener = std::net::TcpListener::bind("127.0.0.1:2112");
    let busy = home.harness(&["baseline", "run"]).env("PATH", &path).output().unwrap();
    assert!(busy.status.code() == Some(3) && said(&busy).contains("port 2112 is busy"), "{}", said(&busy));
}

#[test]
fn without_go_the_rest_is_measured_and_the_outcome_says_what_is_not() {
    let home = Home::new();
    let nothing = home.file("nothing");
    let alone = home.log().arg("--against=rekor2").env("PATH", nothing).output().unwrap();
    assert!(alone.status.success(), "{}", said(&alone));
    let outcome: serde_json::Value =
        serde_json::from_slice(&fs::read(home.file("outcome.json")).unwrap()).unwrap();
    assert!(outcome["seconds"].as_f64().unwrap() > 0.0);
    assert!(outcome["left_out"][0].as_str().unwrap().contains("Go 1.26 or later is needed"));
    assert!(outcome["rows"].as_array().unwrap().iter().any(|row| row["name"] == "sigveil_c1"));
}
