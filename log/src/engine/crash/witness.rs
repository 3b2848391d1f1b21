//! A witness that crashes remembers what it cosigned, and one whose storage fails goes on.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::disk::Fault;
use crate::checkpoint::Checkpoint;
use crate::engine::common::{NOW, log_signer, post, serve};
use crate::hash::Hash;
use crate::merkle::{leaf_hash, node_hash};
use crate::note::{NoteSigner, SignedNote};
use crate::witness::{AddCheckpoint, Refusal, Witness, router};

use super::place::Place;
use super::{FAULTS, Survival};

/// Longer than anything here takes: so that what would wait for ever fails.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Another log that the witness knows.
fn other_signer() -> NoteSigner {
    NoteSigner::ed25519("other.example", ed25519_dalek::SigningKey::from_bytes(&[7; 32])).unwrap()
}

fn open(place: &Place) -> Option<Witness> {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let signer = NoteSigner::cosignature("witness.example", key).unwrap();
    let logs = [log_signer(), other_signer()].map(|signer| signer.public().clone()).to_vec();
    Witness::open_on(place.files(), &place.folder.join("witness"), signer, logs, Arc::new(|| NOW)).ok()
}

fn request(old_size: u64, size: u64, root: Hash, proof: Vec<Hash>) -> AddCheckpoint {
    request_of(&log_signer(), old_size, size, root, proof)
}

fn request_of(log: &NoteSigner, old_size: u64, size: u64, root: Hash, proof: Vec<Hash>) -> AddCheckpoint {
    let checkpoint = Checkpoint::new(log.public().name(), size, root);
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log.sign(&checkpoint, NOW));
    AddCheckpoint { old_size, proof, note }
}

/// The trees of one, two and three leaves, each asked for after the one before.
fn requests() -> [AddCheckpoint; 3] {
    let [a, b, c] = [b"a", b"b", b"c"].map(|leaf| leaf_hash(leaf));
    let two = node_hash(&a, &b);
    [request(0, 1, a, vec![]), request(1, 2, two, vec![b]), request(2, 3, node_hash(&two, &c), vec![c])]
}

/// Lets a call go wrong, loses power, and asks for another tree. Returns whether all before it were cosigned.
pub(super) fn remembers(place: &Place, fault: Fault, call: u64, survival: Survival) -> Result<bool, String> {
    place.plan.arm(fault, call, true);
    let mut cosigned = 0;
    if let Some(witness) = open(place) {
        for request in requests() {
            match witness.add_checkpoint(&request) {
                Ok(_) => cosigned += 1,
                Err(_) => break,
            }
        }
    }
    let finished = cosigned == 3;
    place.plan.disarm();
    if let Some(memory) = &place.memory {
        memory.lose_power(survival);
    }
    let witness = open(place).ok_or("it does not open")?;
    let fork = request(0, 1, leaf_hash(b"fork"), vec![]);
    match witness.add_checkpoint(&fork) {
        Err(Refusal::Conflict(size)) if size >= cosigned => Ok(finished),
        Err(Refusal::Conflict(size)) => Err(format!("{fault:?} {call}: at {size}, not {cosigned}")),
        _ if cosigned == 0 => Ok(finished),
        answer => Err(format!("{fault:?} at call {call}: {answer:?}")),
    }
}

#[test]
fn a_witness_never_forgets_what_it_cosigned() {
    for (_, fault) in FAULTS {
        for survival in [Survival::Nothing, Survival::Drawn(1), Survival::Drawn(2), Survival::Everything] {
            let calls = (0..200).find(|call| remembers(&Place::memory(), fault, *call, survival).unwrap());
            assert!(calls.is_some_and(|calls| calls > 5 || matches!(fault, Fault::Full | Fault::Short)));
        }
    }
}

/// After a write that failed either state may stand there, and the log is told from which it goes on.
#[test]
fn a_write_that_fails_stops_no_log() {
    let goes_on = |fault, call| {
        let place = Place::memory();
        let witness = open(&place).unwrap();
        let [first, second, _] = requests();
        witness.add_checkpoint(&first).unwrap();
        place.plan.arm(fault, call, false);
        let failed = witness.add_checkpoint(&second).is_err();
        place.plan.disarm();
        let mut again = witness.add_checkpoint(&second);
        if again == Err(Refusal::Conflict(2)) {
            again = witness.add_checkpoint(&AddCheckpoint { old_size: 2, proof: vec![], ..second });
        }
        assert!(again.is_ok(), "{fault:?} at call {call}: {again:?}");
        failed
    };
    for fault in [Fault::Io, Fault::IoLate, Fault::Full] {
        assert!((0..20).filter(|call| goes_on(fault, *call)).count() > 2, "{fault:?}");
    }
}

/// The next call of storage hangs: it says so, and goes on when it is told to.
fn hang(place: &Place) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((hangs, is_hanging), (go_on, told)) = (mpsc::channel(), mpsc::channel());
    let wait = move || {
        let _ = hangs.send(());
        let _ = told.recv();
    };
    place.late.push(place.plan.calls(), Box::new(wait));
    (is_hanging, go_on)
}

#[test]
fn a_log_whose_storage_hangs_holds_no_other_log_up() {
    let place = Place::memory();
    let witness = Arc::new(open(&place).unwrap());
    let (is_hanging, go_on) = hang(&place);
    let ask = |request: AddCheckpoint| {
        let ((sender, answer), witness) = (mpsc::channel(), Arc::clone(&witness));
        std::thread::spawn(move || sender.send(witness.add_checkpoint(&request).map(drop)));
        answer
    };
    let [first, ..] = requests();
    let held = ask(first);
    is_hanging.recv_timeout(FOR_EVER).unwrap();
    let others = ask(request_of(&other_signer(), 0, 1, leaf_hash(b"other"), vec![]));
    assert_eq!(others.recv_timeout(FOR_EVER), Ok(Ok(())));
    assert_eq!(held.try_recv(), Err(mpsc::TryRecvError::Empty));
    go_on.send(()).unwrap();
    assert_eq!(held.recv_timeout(FOR_EVER), Ok(Ok(())));
}

/// Those who wait for one log's storage do not have all threads.
#[test]
fn a_log_whose_storage_hangs_leaves_threads_for_other_logs() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).max_blocking_threads(2).enable_all().build().unwrap();
    let place = Place::memory();
    let url = runtime.block_on(serve(router(Arc::new(open(&place).unwrap()))));
    let url = format!("{url}/add-checkpoint");
    let (is_hanging, go_on) = hang(&place);
    let ask = |request: &AddCheckpoint| {
        let (url, text) = (url.clone(), request.to_text());
        runtime.spawn(async move { post(&url, text.into_bytes()).await.status() })
    };
    let [first, ..] = requests();
    let mut held = vec![ask(&first)];
    is_hanging.recv_timeout(FOR_EVER).unwrap();
    held.extend((0..4).map(|_| ask(&first)));
    let mut other = request_of(&other_signer(), 0, 1, leaf_hash(b"other"), vec![]);
    // Those before may come later than the first of these.
    for _ in 0..50 {
        let answer = ask(&other);
        let answer = runtime.block_on(async { tokio::time::timeout(FOR_EVER, answer).await });
        assert_eq!(answer.unwrap().unwrap(), 200);
        other.old_size = 1;
    }
    go_on.send(()).unwrap();
    // The others ask from where the first was.
    let told: Vec<_> = held.into_iter().map(|one| runtime.block_on(one).unwrap().as_u16()).collect();
    assert_eq!(told, [200, 409, 409, 409, 409]);
}
