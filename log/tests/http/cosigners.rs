//! Witnesses elsewhere as a log asks them: what their answers count for, and how many are enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;
use ed25519_dalek::SigningKey;
use sigveil_log::Hash;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::engine::{AppendError, Config, Log, Receipt};
use sigveil_log::note::{NoteKey, NoteSignature, NoteSigner, SignedNote};
use sigveil_log::witness::{AddCheckpoint, CosignError, Cosigner, HttpWitness, Refusal, Witness, router};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::common::*;

// A log is opened by a call that waits for its witnesses, so that where one is opened they have threads of their own.

/// Longer than anything here takes: so that what would wait for ever fails.
const FOR_EVER: Duration = Duration::from_secs(60);

/// A witness that gives the same answer to everything, slowly if there is a delay.
async fn fixed(answer: String, delay: Duration) -> HttpWitness {
    let handler = move || async move {
        tokio::time::sleep(delay).await;
        answer
    };
    let url = serve(Router::new().route("/add-checkpoint", post(handler))).await;
    let key = cosigner().public().clone();
    HttpWitness::new(&url, key, Duration::from_millis(200)).unwrap()
}

fn cosigner() -> NoteSigner {
    NoteSigner::cosignature("witness.example", SigningKey::from_bytes(&[3; 32])).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_over_http_cosigns_and_slow_or_lying_ones_do_not_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let logs = vec![log_signer().public().clone()];
    let url = serve(router(Arc::new(witness(&folder.path().join("witness"), logs)))).await;
    let good = HttpWitness::new(&url, cosigner().public().clone(), Duration::from_secs(5)).unwrap();
    let mut good_config = config(folder.path());
    good_config.witnesses = vec![Arc::new(good)];
    good_config.witness_threshold = 1;
    let log = Log::open(good_config).unwrap();
    for n in 0..3u8 {
        let receipt = log.append_opaque(vec![n]).await.unwrap();
        let known = [cosigner().public().clone()];
        VerifiedCheckpoint::open_witnessed(receipt.checkpoint.as_bytes(), log.key(), &known, 1).unwrap();
    }
    // A cosignature by the right key over another checkpoint is a lie that only verification shows.
    let other = Checkpoint::new(ORIGIN, 9, Hash([9; 32]));
    let lie = fixed(format!("{}\n", cosigner().sign(&other, NOW)), Duration::ZERO).await;
    let endless = fixed("x".repeat(1 << 20), Duration::ZERO).await;
    let slow = fixed(String::new(), Duration::from_secs(3600)).await;
    for (n, bad) in [lie, endless, slow].into_iter().enumerate() {
        let mut bad_config = config(&folder.path().join(n.to_string()));
        bad_config.witnesses = vec![Arc::new(bad)];
        let log = Log::open(bad_config).unwrap();
        let receipt = log.append_opaque(b"entry".to_vec()).await.unwrap();
        assert!(!receipt.checkpoint.contains("witness.example"), "case {n}");
    }
}

/// A witness that answers once it may.
struct Late {
    witness: Witness,
    may: AtomicBool,
    asked: AtomicU64,
    conflicts: AtomicU64,
}

impl Cosigner for Late {
    fn key(&self) -> &NoteKey {
        self.witness.key()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        while !self.may.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let answer = self.witness.cosign(request);
        self.conflicts
            .fetch_add(u64::from(matches!(answer, Err(CosignError::Conflict(_)))), Ordering::SeqCst);
        self.asked.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_answered_too_late_is_next_asked_from_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(&folder.path().join("witness"), vec![log_signer().public().clone()]);
    let (may, asked, conflicts) = (AtomicBool::new(true), AtomicU64::new(0), AtomicU64::new(0));
    let late = Arc::new(Late { witness, may, asked, conflicts });
    let mut late_config = config(folder.path());
    late_config.witnesses = vec![late.clone()];
    let log = Log::open(late_config).unwrap();
    let empty = late.asked.load(Ordering::SeqCst);
    late.may.store(false, Ordering::SeqCst);
    let receipt = log.append_opaque(b"first".to_vec()).await.unwrap();
    assert!(!receipt.checkpoint.contains("witness.example"));
    late.may.store(true, Ordering::SeqCst);
    for n in 0u64.. {
        // While it has not answered, it is not asked again.
        let receipt = log.append_opaque(n.to_be_bytes().to_vec()).await.unwrap();
        if receipt.checkpoint.contains("witness.example") {
            break;
        }
    }
    assert!(late.asked.load(Ordering::SeqCst) >= empty + 2);
    assert_eq!(late.conflicts.load(Ordering::SeqCst), 0);
}

/// The witness of this number.
fn numbered(n: u8) -> NoteSigner {
    let key = SigningKey::from_bytes(&[40 + n; 32]);
    NoteSigner::cosignature(&format!("witness.example/{n}"), key).unwrap()
}

fn asked_at(url: &str, n: u8) -> Arc<dyn Cosigner> {
    Arc::new(HttpWitness::new(url, numbered(n).public().clone(), Duration::from_secs(5)).unwrap())
}

/// One that does what it should.
async fn up(folder: &tempfile::TempDir, n: u8) -> Arc<dyn Cosigner> {
    let (folder, logs) = (folder.path().join(n.to_string()), vec![log_signer().public().clone()]);
    let witness = Witness::open(&folder, numbered(n), logs, Arc::new(|| NOW)).unwrap();
    asked_at(&serve(router(Arc::new(witness))).await, n)
}

/// One that nobody listens for.
async fn down(n: u8) -> Arc<dyn Cosigner> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    asked_at(&format!("http://{}", listener.local_addr().unwrap()), n)
}

/// Cosigns by the first key whatever it is asked, changed so, and says it was the second.
struct Liar(NoteSigner, NoteKey, fn(&mut Checkpoint));

impl Cosigner for Liar {
    fn key(&self) -> &NoteKey {
        &self.1
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        let mut checkpoint = Checkpoint::parse(request.note.text()).unwrap();
        self.2(&mut checkpoint);
        Ok(self.0.sign(&checkpoint, NOW))
    }
}

/// The same at the other end of HTTP, where nobody looks at who signed.
async fn lying(liar: Liar, n: u8) -> Arc<dyn Cosigner> {
    let liar = Arc::new(liar);
    let handler = move |body: Bytes| async move {
        format!("{}\n", liar.cosign(&AddCheckpoint::parse(&body).unwrap()).unwrap())
    };
    asked_at(&serve(Router::new().route("/add-checkpoint", post(handler))).await, n)
}

/// An entry of a log that wants two cosignatures; who gave them.
async fn append(witnesses: Vec<Arc<dyn Cosigner>>) -> Result<Vec<String>, AppendError> {
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<_> = witnesses.iter().map(|witness| witness.key().clone()).collect();
    let log = Log::open(Config { witnesses, witness_threshold: 2, ..config(folder.path()) }).unwrap();
    let appended = log.append_opaque(b"entry".to_vec()).await;
    assert_eq!(log.checkpoint().is_ok(), appended.is_ok(), "what lacks cosignatures is not published");
    let Receipt { checkpoint, .. } = appended?;
    let opened = VerifiedCheckpoint::open_witnessed(checkpoint.as_bytes(), log.key(), &keys, 2).unwrap();
    assert_eq!(opened.note().signatures().len(), 1 + opened.cosignatures().len());
    Ok(opened.cosignatures().iter().map(|cosignature| cosignature.name.clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_witnesses_are_enough_and_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut two = append(vec![up(&folder, 0).await, down(1).await, up(&folder, 2).await]).await.unwrap();
    two.sort();
    assert_eq!(two, ["witness.example/0", "witness.example/2"]);
    let one = append(vec![down(0).await, up(&folder, 1).await, down(2).await]).await;
    assert_eq!(one, Err(AppendError::Unwitnessed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_lies_does_not_count() {
    let own: fn(&mut Checkpoint) = |_| {};
    let other: fn(&mut Checkpoint) = |checkpoint| checkpoint.root = Hash([9; 32]);
    // Its own key over another checkpoint; and over this one another witness's, which is then not counted twice either.
    for (signer, change) in [(1, other), (0, own)] {
        let liar = || Liar(numbered(signer), numbered(1).public().clone(), change);
        let near: Arc<dyn Cosigner> = Arc::new(liar());
        for liar in [near, lying(liar(), 1).await] {
            let folder = tempfile::tempdir().unwrap();
            let alone = append(vec![up(&folder, 0).await, Arc::clone(&liar), down(2).await]).await;
            assert_eq!(alone, Err(AppendError::Unwitnessed));
            let folder = tempfile::tempdir().unwrap();
            let mut two = append(vec![up(&folder, 0).await, liar, up(&folder, 2).await]).await.unwrap();
            two.sort();
            assert_eq!(two, ["witness.example/0", "witness.example/2"]);
        }
    }
}

/// A note that a witness could cosign.
fn asked() -> AddCheckpoint {
    let checkpoint = Checkpoint::new(ORIGIN, 1, Hash([1; 32]));
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log_signer().sign(&checkpoint, NOW));
    AddCheckpoint { old_size: 0, proof: Vec::new(), note }
}

/// Asks on a thread of its own, which is left behind if it hangs.
async fn ask(url: &str, timeout: Duration) -> Result<NoteSignature, CosignError> {
    let witness = HttpWitness::new(url, cosigner().public().clone(), timeout).unwrap();
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(witness.cosign(&asked())));
    tokio::time::timeout(FOR_EVER, answer).await.expect("it is given up").unwrap()
}

/// What is made of this answer.
async fn read(
    answer: impl IntoResponse + Clone + Send + Sync + 'static,
) -> Result<NoteSignature, CosignError> {
    let url = serve(Router::new().route("/add-checkpoint", post(move || async move { answer }))).await;
    ask(&url, FOR_EVER).await
}

#[tokio::test]
async fn each_answer_of_a_witness_is_read_as_what_it_is() {
    let checkpoint = Checkpoint::parse(asked().note.text()).unwrap();
    let line = cosigner().sign(&checkpoint, NOW);
    let by = |name: &str, key: u8| {
        let signer = NoteSigner::cosignature(name, SigningKey::from_bytes(&[key; 32])).unwrap();
        signer.sign(&checkpoint, NOW)
    };
    let (other_key, other_name) = (by("witness.example", 4), by("other.example", 3));
    let other = |text: &str| Err(CosignError::Other(text.to_owned()));
    assert_eq!(read(format!("{line}\n")).await, Ok(line.clone()));
    assert_eq!(read(format!("no line\n{other_key}\n{other_name}\n{line}\n")).await, Ok(line.clone()));
    let none = other("the answer holds no cosignature by its key");
    // A hint is four bytes, and anybody can write the one of another name's key.
    let renamed = NoteSignature { name: "other.example".to_owned(), ..line.clone() };
    let lines = [&other_key, &other_name, &renamed].map(|line| format!("{line}\n"));
    for text in lines.into_iter().chain([format!(" {line}\n"), String::new()]) {
        assert_eq!(read(text.clone()).await, none, "{text}");
    }
    // The largest that is read.
    let filled = |length: usize| format!("{line}\n{}", "x".repeat(length - line.to_string().len() - 1));
    assert_eq!(read(filled(64 << 10)).await, Ok(line.clone()));
    assert_eq!(read(filled((64 << 10) + 1)).await, other("the answer is too large"));
    assert_eq!(read([line.to_string().as_bytes(), b"\n\xff"].concat()).await, other("not text"));

    assert_eq!(read((StatusCode::CONFLICT, "7\n")).await, Err(CosignError::Conflict(7)));
    for size in ["", "\n", "07\n", "+7\n", "seven\n", "7\n7\n", "18446744073709551616\n"] {
        assert_eq!(read((StatusCode::CONFLICT, size)).await, other("conflict without a size"), "{size:?}");
    }
    for (status, refusal) in [
        (StatusCode::FORBIDDEN, Refusal::BadSignature),
        (StatusCode::NOT_FOUND, Refusal::UnknownLog),
        (StatusCode::UNPROCESSABLE_ENTITY, Refusal::BadProof),
    ] {
        assert_eq!(read((status, format!("{line}\n"))).await, Err(CosignError::Refused(refusal)));
    }
    for status in [201, 400, 500, 503] {
        let answer = (StatusCode::from_u16(status).unwrap(), format!("{line}\n"));
        assert_eq!(read(answer).await, other(&format!("status {status}")));
    }
    // Whoever answers elsewhere is not the one who is asked.
    let elsewhere = serve(Router::new().route("/add-checkpoint", post(format!("{line}\n")))).await;
    assert_eq!(ask(&elsewhere, FOR_EVER).await, Ok(line));
    let answer = Redirect::temporary(&format!("{elsewhere}/add-checkpoint"));
    assert_eq!(read(answer).await, other("status 307"));
}

/// Says this, and if it goes on a byte at a time, without end.
async fn unending(beginning: &'static str, goes_on: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        while !goes_on || stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    url
}

#[tokio::test]
async fn a_witness_that_does_not_come_to_an_end_is_given_up() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
    for (beginning, goes_on) in [("", false), (head, false), (head, true)] {
        let answer = ask(&unending(beginning, goes_on).await, Duration::from_millis(200)).await;
        assert_eq!(answer, Err(CosignError::Other("no answer in time".to_owned())), "{beginning:?}");
    }
}

/// One that never answers is not waited for for ever either: once it does, it is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_hung_is_asked_again_once_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let logs = vec![log_signer().public().clone()];
    let witness = Arc::new(witness(&folder.path().join("witness"), logs));
    let hangs = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&hangs);
    let handler = move |body: Bytes| async move {
        if told.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        format!("{}\n", witness.add_checkpoint(&AddCheckpoint::parse(&body).unwrap()).unwrap())
    };
    let url = serve(Router::new().route("/add-checkpoint", post(handler))).await;
    let asked = HttpWitness::new(&url, cosigner().public().clone(), Duration::from_millis(200)).unwrap();
    let log = Log::open(Config {
        witnesses: vec![Arc::new(asked)],
        witness_threshold: 1,
        witness_retry: Duration::from_millis(5),
        ..config(folder.path())
    });
    let log = log.unwrap();
    assert_eq!(log.append_opaque(b"entry".to_vec()).await, Err(AppendError::Unwitnessed));
    hangs.store(false, Ordering::SeqCst);
    let mut published = log.published();
    let answered = tokio::time::timeout(FOR_EVER, published.wait_for(|size| *size == 1)).await;
    answered.expect("it is asked again").unwrap();
}
