//! Two processes serve one log, over real stores, and one of them is killed, or one of those, again and again. What either
//! acknowledged is there, once and in its place, and no size has two trees. `SIGVEIL_TEST_SOAK` has it go on as in `kill`.
#![cfg(all(feature = "postgres", feature = "s3"))]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;
#[path = "front_ends/stores.rs"]
mod stores;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::acknowledged::{self, Acknowledged};
use common::servers::{self, Labelled, Server};
use common::*;
use rand_core::RngCore as _;
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::engine::{AppendError, Config, Log, Shared};
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner, Refusal, Seen, authenticate, decide};

/// The address of a child's stores: folder, database, label, and object store if there is one, one a line. Without it
/// the child's test does nothing.
const STORES: &str = "SIGVEIL_TEST_FRONT_END";
const ROUNDS: u32 = 8;

/// Tasks of a child that write, and the longest time that both work before one is killed, milliseconds.
fn load() -> (u32, u32) {
    if soak().is_some() { (512, 4_000) } else { (8, 200) }
}

/// Where two processes' logs lie.
#[derive(Clone)]
struct Stores {
    folder: String,
    database: String,
    label: String,
    endpoint: Option<String>,
}

impl Stores {
    fn new(folder: &Path, objects: bool) -> Option<Self> {
        let objects = if objects { Some(servers::s3()?) } else { None };
        Some(Self::over(folder, servers::postgres()?, objects))
    }

    fn over(folder: &Path, database: &Server, objects: Option<&Server>) -> Self {
        let (folder, database) = (folder.to_str().unwrap().to_owned(), database.address());
        Self { folder, database, label: servers::fresh(), endpoint: objects.map(Server::endpoint) }
    }

    fn to_text(&self) -> String {
        let endpoint = self.endpoint.clone().unwrap_or_default();
        [&self.folder, &self.database, &self.label, &endpoint].map(String::as_str).join("\n")
    }

    fn from_text(text: &str) -> Self {
        let mut lines = text.split('\n').map(str::to_owned);
        let mut next = || lines.next().unwrap();
        let (folder, database, label) = (next(), next(), next());
        Self { folder, database, label, endpoint: Some(next()).filter(|endpoint| !endpoint.is_empty()) }
    }

    fn config(&self, number: u32) -> Config {
        let journal = Arc::new(Labelled::new(&self.database, &self.label));
        let bucket = self.endpoint.as_ref().map(|url| Arc::new(servers::bucket(url, &self.label)) as Arc<_>);
        let lease = Duration::from_secs(2);
        let shared = Shared { lease, ..Shared::new(journal, bucket) };
        let folder = Path::new(&self.folder);
        let witness: Arc<dyn Cosigner> = Arc::new(Remembering { folder: self.folder.clone(), number });
        Config {
            shared: Some(shared),
            witnesses: vec![witness],
            witness_threshold: 1,
            storage_retry: Duration::from_millis(200),
            batch_size: if soak().is_some() { 512 } else { 64 },
            ..config(folder)
        }
    }
}

/// A witness of several processes: what it has seen is in a file, under a lock.
struct Remembering {
    folder: String,
    number: u32,
}

impl Cosigner for Remembering {
    fn key(&self) -> &sigveil_log::note::NoteKey {
        static KEY: std::sync::OnceLock<sigveil_log::note::NoteKey> = std::sync::OnceLock::new();
        KEY.get_or_init(log_witness)
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<sigveil_log::note::NoteSignature, CosignError> {
        let lock = std::fs::File::create(Path::new(&self.folder).join("witness.lock")).unwrap();
        lock.lock().unwrap();
        let path = Path::new(&self.folder).join("witness.seen");
        let seen = std::fs::read_to_string(&path).ok().and_then(|text| {
            let (size, root) = text.split_once(' ')?;
            Some(Seen { size: size.parse().ok()?, root: sigveil_log::Hash::from_base64(root)? })
        });
        let decided = authenticate(&[log_signer().public().clone()], request)
            .and_then(|checkpoint| decide(seen, &checkpoint, request).map(|()| checkpoint));
        match decided {
            Ok(checkpoint) => {
                let fresh = Path::new(&self.folder).join(format!("witness.{}", self.number));
                let text = format!("{} {}", checkpoint.size, checkpoint.root.to_base64());
                std::fs::write(&fresh, text).unwrap();
                std::fs::rename(fresh, path).unwrap();
                Ok(witness_signer().sign(&checkpoint, NOW))
            }
            Err(Refusal::Conflict(size)) => Err(CosignError::Conflict(size)),
            Err(refusal) => {
                std::fs::write(Path::new(&self.folder).join("fork"), refusal.to_string()).unwrap();
                Err(CosignError::Refused(refusal))
            }
        }
    }
}

/// Not a test by itself: what a child process runs.
#[test]
fn child() {
    let Ok(stores) = std::env::var(STORES) else { return };
    let number: u32 = std::env::var("SIGVEIL_TEST_NUMBER").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let log = Log::open(Stores::from_text(&stores).config(number)).unwrap();
    let writers: Vec<_> = (0..load().0)
        .map(|writer| {
            let log = log.clone();
            runtime.spawn(async move {
                let mut n = 0u64;
                loop {
                    let body = format!("{number}/{writer}/{n}");
                    match log.append_opaque(body.clone().into_bytes()).await {
                        Ok(receipt) => servers::say(&acknowledged::line(&receipt, &body)),
                        // Acknowledged by another answer than the one that was lost.
                        Err(AppendError::Duplicate(_)) => {}
                        Err(_) => {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            continue;
                        }
                    }
                    n += 1;
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| runtime.block_on(writer).unwrap());
}

/// A running child, and what it says.
struct FrontEnd {
    number: u32,
    child: Child,
    reader: std::thread::JoinHandle<()>,
}

impl FrontEnd {
    fn start(stores: &Stores, number: u32, said: Sender<(u32, Instant, String)>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(STORES, stores.to_text())
            .env("SIGVEIL_TEST_NUMBER", number.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(line) = line.strip_prefix("ack ") {
                    let _ = said.send((number, Instant::now(), line.to_owned()));
                }
            }
        });
        Self { number, child, reader }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.join().unwrap();
    }
}

/// Notes what was said until `enough`, and returns when the last of it was.
fn listen(
    said: &Receiver<(u32, Instant, String)>,
    acknowledged: &mut Acknowledged,
    enough: impl Fn(u32, Instant) -> bool,
) -> Instant {
    loop {
        let (number, at, line) = said.recv_timeout(Duration::from_secs(60)).expect("somebody acknowledges");
        acknowledged.note(&line);
        if enough(number, at) {
            return at;
        }
    }
}

/// Ends both, and holds all that was acknowledged against the log; how much that was, in words.
fn settle(
    both: [FrontEnd; 2],
    said: &Receiver<(u32, Instant, String)>,
    mut acknowledged: Acknowledged,
    stores: &Stores,
) -> String {
    both.into_iter().for_each(FrontEnd::kill);
    said.try_iter().for_each(|(_, _, line)| acknowledged.note(&line));
    let said = acknowledged.check(&Log::open(stores.config(1000)).unwrap());
    assert!(!Path::new(&stores.folder).join("fork").exists(), "no witness was shown a fork");
    said
}

fn killed_in_turn(objects: bool) {
    let folder = tempfile::tempdir().unwrap();
    let Some(stores) = Stores::new(folder.path(), objects) else { return };
    let mut rng = lots();
    let mut acknowledged = Acknowledged::default();
    let (sender, said) = channel();
    let start = |number| FrontEnd::start(&stores, number, sender.clone());
    let mut both = [start(0), start(1)];
    let mut taken = Vec::new();
    let mut round = 2;
    while round < 2 + ROUNDS || acknowledged.bodies.len() < soak().unwrap_or(0) {
        // Both work before one is killed. The older one publishes, unless it was the younger that was killed last.
        for front_end in [both[0].number, both[1].number] {
            listen(&said, &mut acknowledged, |number, _| number == front_end);
        }
        std::thread::sleep(Duration::from_millis(u64::from(rng.next_u32() % load().1)));
        let [older, younger] = both;
        let (gone, left) = if rng.next_u32().is_multiple_of(4) { (younger, older) } else { (older, younger) };
        gone.kill();
        let begun = Instant::now();
        // Of what was ordered after the kill: answers under way are not counted.
        let margin = begun + Duration::from_millis(2);
        let next = listen(&said, &mut acknowledged, |number, at| number == left.number && at > margin);
        taken.push(next - begun);
        both = [left, start(round)];
        round += 1;
    }
    let said = settle(both, &said, acknowledged, &stores);
    taken.sort();
    let (median, longest) = (taken[taken.len() / 2], taken[taken.len() - 1]);
    let store = if objects { "S3 and PostgreSQL" } else { "folder and PostgreSQL" };
    println!("{store}: {said}; until the other acknowledged: median {median:?}, at most {longest:?}");
}

#[test]
fn one_of_two_front_ends_is_killed_over_s3_and_postgres() {
    killed_in_turn(true);
}

#[test]
fn one_of_two_front_ends_is_killed_over_a_folder_and_postgres() {
    killed_in_turn(false);
}

/// Both front ends go on with what is there when the servers below them have died under their writers and come back.
#[test]
fn the_database_and_the_object_store_are_killed_under_two_front_ends() {
    let (Some(mut database), Some(mut objects)) = (Server::postgres(&[]), Server::s3()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::over(folder.path(), &database, Some(&objects));
    let mut rng = lots();
    let mut acknowledged = Acknowledged::default();
    let (sender, said) = channel();
    let both = [0, 1].map(|number| FrontEnd::start(&stores, number, sender.clone()));
    let mut dead = Instant::now();
    for round in 0..=ROUNDS {
        for front_end in [0, 1] {
            listen(&said, &mut acknowledged, |number, at| number == front_end && at > dead);
        }
        if round < ROUNDS {
            std::thread::sleep(Duration::from_millis(u64::from(rng.next_u32() % 200)));
            let server = if round % 2 == 0 { &mut database } else { &mut objects };
            server.crash();
            dead = Instant::now();
        }
    }
    println!("servers killed: {}", settle(both, &said, acknowledged, &stores));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_front_ends_answer_and_know_what_the_other_took() {
    let folder = tempfile::tempdir().unwrap();
    let Some(stores) = Stores::new(folder.path(), true) else { return };
    let logs = [Log::open(stores.config(0)).unwrap(), Log::open(stores.config(1)).unwrap()];
    for n in 0..6u8 {
        let (here, there) = (&logs[usize::from(n % 2)], &logs[usize::from((n + 1) % 2)]);
        let receipt = here.append_opaque(vec![n]).await.unwrap();
        assert_eq!(receipt.index, u64::from(n));
        let opened = VerifiedCheckpoint::open(receipt.checkpoint.as_bytes(), here.key(), &[]).unwrap();
        assert_eq!(opened.checkpoint().root, receipt.root);
        assert_eq!(there.append_opaque(vec![n]).await, Err(AppendError::Duplicate(u64::from(n))));
    }
    // Both tell their followers, the one that publishes and the other.
    for log in &logs {
        assert!(log.published().wait_for(|size| *size == 6).await.is_ok());
    }
    let publishing =
        |log: &Log| log.metrics().to_text("log").contains("sigveil_log_publishing{origin=\"log\"} 1");
    // Gauges are set after answers.
    while logs.iter().filter(|log| publishing(log)).count() != 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Who stops gives the lease up, and the other goes on.
    let [first, second] = &logs;
    first.stop().await;
    assert_eq!(second.append_opaque(b"after".to_vec()).await.unwrap().index, 6);
    while !publishing(second) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
