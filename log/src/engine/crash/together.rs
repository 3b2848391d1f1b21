//! Two front ends of one log, of which each may think that it publishes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::sync::oneshot;

use super::client::{BODIES, Run};
use super::disk::Fault;
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, REMOTE_FAULTS, all, is_death, seed};
use crate::checkpoint::VerifiedCheckpoint;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::engine::sequencer::Draft;
use crate::engine::{Config, common};
use crate::store::bucket::{Bucket, Created, Replaced, Version};

/// A bucket that overwrites whatever stands there.
#[derive(Debug)]
struct Careless(MemoryBucket);

impl Bucket for Careless {
    fn name(&self) -> String {
        self.0.name()
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        self.0.get(name)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        self.0.remove(name)?;
        self.0.create(name, bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8], _: &Version) -> io::Result<Replaced> {
        self.0.remove(name)?;
        Ok(match self.0.create(name, bytes)? {
            Created::Now(version) => Replaced::Now(version),
            Created::Before => Replaced::Other,
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.0.list(prefix)
    }
}

/// Size of the published tree.
fn published(bucket: &dyn Bucket) -> u64 {
    let Some((bytes, _)) = bucket.get("checkpoint").unwrap() else { return 0 };
    VerifiedCheckpoint::open(&bytes, common::log_signer().public(), &[]).unwrap().checkpoint().size
}

/// Another front end takes the lease from its holder, who hangs, and publishes one entry more.
fn overtake(config: Config, order: MemoryOrder, bucket: Arc<dyn Bucket>, largest: Arc<AtomicU64>) {
    order.expire();
    if let Ok(mut front_end) = <FrontEnd as Engine>::open(config) {
        let (answer, _receiver) = oneshot::channel();
        let body = format!("overtaken at {}", published(bucket.as_ref()));
        front_end.process(vec![(Draft::fixed(body.into_bytes(), Vec::new()), answer)]);
    }
    largest.fetch_max(published(bucket.as_ref()), Ordering::Relaxed);
}

/// Two front ends take turns at random. The lease is lost without its holder's knowing, between two of its calls or
/// within one; either dies and comes back; and calls go wrong. In the end everything is acknowledged, and there was one
/// tree, of which readers saw no smaller one after a larger.
fn together(rng: &mut ChaCha20Rng, bucket: Arc<dyn Bucket>) -> Result<(), String> {
    let order = MemoryOrder::default();
    let place = Place::memory().sharing(Arc::new(order.clone()), Some(Arc::clone(&bucket)));
    let mut run = Run::new(&place);
    let largest = Arc::new(AtomicU64::new(0));
    let mut front_ends: [Option<FrontEnd>; 2] = [None, None];
    for _ in 0..40 {
        let at = rng.next_u32() as usize % 2;
        match rng.next_u32() % 8 {
            0 => order.expire(),
            1 => front_ends[at] = None,
            2 | 3 => {
                let (_, fault) = REMOTE_FAULTS[rng.next_u32() as usize % REMOTE_FAULTS.len()];
                // What ends one process must not end the other.
                let fault = if is_death(fault) { Fault::IoLate } else { fault };
                place.plan.arm(fault, u64::from(rng.next_u32() % 40), false);
            }
            4 => {
                let (config, order) = (run.config(), order.clone());
                let (bucket, largest) = (Arc::clone(&bucket), Arc::clone(&largest));
                let overtake = move || overtake(config, order, bucket, largest);
                place.late.push(place.plan.calls() + u64::from(rng.next_u32() % 20), Box::new(overtake));
            }
            _ => {}
        }
        let front_end = match front_ends[at].take() {
            Some(front_end) => Some(front_end),
            None => <FrontEnd as Engine>::open(run.config()).ok(),
        };
        if let Some(mut front_end) = front_end {
            // Whoever has not the lease, and does not get it, tells its sender to ask again.
            if front_end.is_failed() {
                let _ = FrontEnd::heal(&mut front_end);
            }
            run.send_next(&mut front_end)?;
            front_ends[at] = Some(front_end);
        }
        let size = published(bucket.as_ref());
        let before = largest.fetch_max(size, Ordering::Relaxed);
        if size < before {
            return Err(format!("a tree of {size} was published after one of {before}"));
        }
    }
    place.plan.disarm();
    drop(front_ends);
    place.late.deliver_all();
    let mut last =
        <FrontEnd as Engine>::open(run.config()).map_err(|error| format!("refused to start: {error}"))?;
    run.check()?;
    run.send(&mut last)?;
    if run.acknowledged.len() != BODIES {
        return Err(format!("not everything is acknowledged: {:?}", run.refusal));
    }
    run.check()
}

#[test]
fn two_that_think_they_publish_make_one_log() {
    let seed = seed();
    for round in 0..if all() { 20_000 } else { 300 } {
        let seed = seed.wrapping_add(round);
        if let Err(error) = together(&mut ChaCha20Rng::seed_from_u64(seed), Arc::new(MemoryBucket::default()))
        {
            panic!("SIGVEIL_TEST_SEED={seed} round 0: {error}");
        }
    }
}

#[test]
fn a_bucket_that_keeps_no_conditions_is_caught() {
    let careless = || Arc::new(Careless(MemoryBucket::default()));
    assert!((0..200).any(|seed| together(&mut ChaCha20Rng::seed_from_u64(seed), careless()).is_err()));
}
