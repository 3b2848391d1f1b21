//! A witness that crashes remembers what it cosigned.

use std::sync::Arc;

use super::disk::Fault;
use crate::checkpoint::Checkpoint;
use crate::engine::common::{NOW, ORIGIN, log_signer};
use crate::hash::Hash;
use crate::merkle::{leaf_hash, node_hash};
use crate::note::{NoteSigner, SignedNote};
use crate::witness::{AddCheckpoint, Refusal, Witness};

use super::place::Place;
use super::{FAULTS, Survival};

fn open(place: &Place) -> Option<Witness> {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let signer = NoteSigner::cosignature("witness.example", key).unwrap();
    let logs = vec![log_signer().public().clone()];
    Witness::open_on(place.files(), &place.folder.join("witness"), signer, logs, Arc::new(|| NOW)).ok()
}

fn request(old_size: u64, size: u64, root: Hash, proof: Vec<Hash>) -> AddCheckpoint {
    let checkpoint = Checkpoint::new(ORIGIN, size, root);
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    note.add(log_signer().sign(&checkpoint, NOW));
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
