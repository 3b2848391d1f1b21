//! Two front ends of one log, of which each may think that it publishes.
//!
//! All of it is on one thread but for the witness, which is waited for, and one seed makes the same calls each time: what
//! front ends do by the clock is done every time, or never (lease and `contend` of [`Place::shared`], no patience).
//! Real time is left where it runs out only if something hangs: 20 seconds for a witness that does not answer, and 200 ms
//! for its thread to end once it has.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::sync::oneshot;

use super::client::{BODIES, Run};
use super::disk::{Fault, Memory, Survival};
use super::place::Place;
use super::remote::{MemoryBucket, MemoryOrder};
use super::{Engine, FAULTS, REMOTE_FAULTS, all, is_death, seed};
use crate::checkpoint::VerifiedCheckpoint;
use crate::engine::command::Draft;
use crate::engine::front_end::FrontEnd;
use crate::engine::run::Writer as _;
use crate::engine::{Config, common};
use crate::store::Objects;
use crate::store::bucket::{Bucket, Created, Replaced, Version, ensure_conditional};
use crate::store::files::Files;

/// A bucket that overwrites whatever stands there, asked to create it or to replace another version, or both.
#[derive(Debug)]
struct Careless {
    bucket: MemoryBucket,
    creates: bool,
    replaces: bool,
}

impl Bucket for Careless {
    fn name(&self) -> String {
        self.bucket.name()
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        self.bucket.get(name)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        if self.creates {
            self.bucket.remove(name)?;
        }
        self.bucket.create(name, bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8], version: &Version) -> io::Result<Replaced> {
        if !self.replaces {
            return self.bucket.replace(name, bytes, version);
        }
        self.bucket.remove(name)?;
        Ok(match self.bucket.create(name, bytes)? {
            Created::Now(version) => Replaced::Now(version),
            Created::Before => Replaced::Other,
        })
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.bucket.overwrite(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.bucket.remove(name)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.bucket.list(prefix)
    }
}

#[test]
fn a_store_that_overwrites_is_found_out() {
    let careless = |creates, replaces| Careless { bucket: MemoryBucket::default(), creates, replaces };
    for (creates, replaces, sound) in
        [(false, false, true), (true, false, false), (false, true, false), (true, true, false)]
    {
        let bucket = careless(creates, replaces);
        // Whoever comes later finds what the one before has left.
        for _ in 0..2 {
            assert_eq!(ensure_conditional(&bucket).is_ok(), sound, "{bucket:?}");
        }
    }
}

/// Who takes part, and what all of them share.
struct World {
    place: Place,
    order: MemoryOrder,
    /// What readers see, past everything that goes wrong.
    seen: Objects,
    faults: &'static [(&'static str, Fault)],
    /// Calls within which what is to happen does.
    within: u32,
    /// A folder of which two can have the lock.
    unlocked: Option<Memory>,
    /// The largest tree that was published.
    largest: Arc<AtomicU64>,
}

impl World {
    fn with_bucket(bucket: Arc<dyn Bucket>) -> Self {
        let order = MemoryOrder::default();
        let place = Place::memory().sharing(Arc::new(order.clone()), Some(Arc::clone(&bucket)));
        let largest = Arc::default();
        let seen = Objects::Bucket(bucket, false);
        Self { place, order, seen, faults: &REMOTE_FAULTS, within: 40, unlocked: None, largest }
    }

    fn with_folder() -> Self {
        let order = MemoryOrder::default();
        let place = Place::memory().sharing(Arc::new(order.clone()), None);
        let disk = Files::new(Arc::new(place.memory.clone().unwrap()));
        let seen = Objects::Folder(disk, Run::new(&place).config().folder);
        Self { place, order, seen, faults: &FAULTS, within: 160, unlocked: None, largest: Arc::default() }
    }

    fn with_unlocked_folder() -> Self {
        let world = Self::with_folder();
        Self { unlocked: world.place.memory.clone(), ..world }
    }

    /// What one of them begins with: it looks whether the lease is free each time, or never again.
    fn config(&self, run: &Run, rng: &mut ChaCha20Rng) -> Config {
        let mut config = run.config();
        let contend = Duration::from_secs(if rng.next_u32() & 1 == 0 { 0 } else { 3600 });
        config.shared.iter_mut().for_each(|shared| shared.contend = contend);
        config
    }

    /// Readers see no smaller tree after a larger one.
    fn look(&self) -> Result<(), String> {
        let size = published(&self.seen);
        let before = self.largest.fetch_max(size, Ordering::Relaxed);
        if size < before {
            Err(format!("a tree of {size} was published after one of {before}"))
        } else {
            Ok(())
        }
    }

    /// Both die with the machine, if what they write to is its disk.
    fn lose_power(&self, front_ends: &mut [Option<FrontEnd>; 2], survival: Survival) {
        *front_ends = [None, None];
        if let (Some(memory), Objects::Folder(..)) = (&self.place.memory, &self.seen) {
            memory.lose_power(survival);
            // A checkpoint whose name was not durable yet was seen, and is gone until it is published again.
            self.largest.store(published(&self.seen), Ordering::Relaxed);
        }
    }

    /// Another front end takes the lease from its holder, who hangs, and publishes one entry more.
    fn overtake(&self, config: Config) -> impl FnOnce() + Send + use<> {
        let (order, seen, largest) = (self.order.clone(), self.seen.clone(), Arc::clone(&self.largest));
        let unlocked = self.unlocked.clone();
        move || {
            order.expire();
            unlocked.iter().for_each(Memory::break_locks);
            if let Ok(mut front_end) = <FrontEnd as Engine>::open(config) {
                let (answer, _receiver) = oneshot::channel();
                let body = format!("overtaken at {}", published(&seen));
                front_end.process(vec![(Draft::fixed(body.into_bytes(), Vec::new()), answer)]);
            }
            largest.fetch_max(published(&seen), Ordering::Relaxed);
        }
    }
}

/// Size of the published tree.
fn published(seen: &Objects) -> u64 {
    let Some(bytes) = seen.read("checkpoint").unwrap() else { return 0 };
    VerifiedCheckpoint::open(&bytes, common::log_signer().public(), &[]).unwrap().checkpoint().size
}

/// Two front ends take turns at random. The lease is lost without its holder's knowing, between two of its calls or
/// within one; either dies and comes back; and calls go wrong. In the end everything is acknowledged, and there was one
/// tree, of which readers saw no smaller one after a larger.
fn together(rng: &mut ChaCha20Rng, world: &World) -> Result<(), String> {
    let World { place, order, .. } = world;
    let mut run = Run::new(place);
    let mut front_ends: [Option<FrontEnd>; 2] = [None, None];
    for _ in 0..40 {
        let at = rng.next_u32() as usize % 2;
        match rng.next_u32() % 8 {
            0 => order.expire(),
            1 if rng.next_u32().is_multiple_of(4) => {
                world.lose_power(&mut front_ends, Survival::Drawn(rng.next_u64()));
            }
            1 => front_ends[at] = None,
            2 | 3 => {
                let (_, fault) = world.faults[rng.next_u32() as usize % world.faults.len()];
                // What ends one process must not end the other.
                let fault = if is_death(fault) { Fault::IoLate } else { fault };
                place.plan.arm(fault, u64::from(rng.next_u32() % world.within), false);
            }
            4 => {
                let overtake = world.overtake(world.config(&run, rng));
                let calls = place.plan.calls() + u64::from(rng.next_u32() % (world.within / 2));
                place.late.push(calls, Box::new(overtake));
            }
            _ => {}
        }
        let front_end = match front_ends[at].take() {
            Some(front_end) => Some(front_end),
            None => <FrontEnd as Engine>::open(world.config(&run, rng)).ok(),
        };
        if let Some(mut front_end) = front_end {
            // Whoever has not the lease, and does not get it, tells its sender to ask again.
            if front_end.is_failed() {
                let _ = FrontEnd::heal(&mut front_end);
            }
            run.send_next(&mut front_end)?;
            front_ends[at] = Some(front_end);
        }
        world.look()?;
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

fn rounds(new: impl Fn() -> World, rounds: u64) {
    let seed = seed();
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        if let Err(error) = together(&mut ChaCha20Rng::seed_from_u64(seed), &new()) {
            panic!("SIGVEIL_TEST_SEED={seed} round 0: {error}");
        }
    }
}

fn bucket() -> World {
    World::with_bucket(Arc::new(MemoryBucket::default()))
}

#[test]
fn two_that_think_they_publish_make_one_log() {
    rounds(bucket, if all() { 20_000 } else { 300 });
}

#[test]
fn two_that_think_they_publish_make_one_log_in_a_folder() {
    rounds(World::with_folder, if all() { 20_000 } else { 300 });
}

/// Else a seed that is printed would say nothing.
#[test]
fn one_seed_makes_the_same_calls_each_time() {
    let traced = |world: World, seed| {
        world.place.plan.trace();
        let told = together(&mut ChaCha20Rng::seed_from_u64(seed), &world);
        (told, world.place.plan.traced())
    };
    for new in [bucket, World::with_folder] {
        for seed in 0..20 {
            let (first, again) = (traced(new(), seed), traced(new(), seed));
            assert!(first.1.len() > 100, "{seed}");
            assert!(first == again, "{seed}: {:?}", first.1.iter().zip(&again.1).find(|(a, b)| a != b));
        }
        assert_ne!(traced(new(), 0), traced(new(), 1));
    }
}

#[test]
fn a_bucket_that_keeps_no_conditions_is_caught() {
    let careless = || {
        World::with_bucket(Arc::new(Careless {
            bucket: MemoryBucket::default(),
            creates: true,
            replaces: true,
        }))
    };
    assert!((0..200).any(|seed| together(&mut ChaCha20Rng::seed_from_u64(seed), &careless()).is_err()));
}

#[test]
fn a_folder_whose_lock_two_have_is_caught() {
    let unlocked = World::with_unlocked_folder;
    assert!((0..200).any(|seed| together(&mut ChaCha20Rng::seed_from_u64(seed), &unlocked()).is_err()));
}
