//! The map at 10^6 keys: batches of 10,000 with root recomputation, proofs made and checked.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may fail loudly; criterion's macros are undocumented"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::map::{Digest, Map};
use std::hint::black_box;

const KEYS: u64 = 1_000_000;
const BATCH: u64 = 10_000;

fn batch(first: u64) -> Vec<(MapKey, Digest)> {
    (first..first + BATCH)
        .map(|i| {
            let key = MapKey::new(KeyKind::Label, &i.to_be_bytes());
            (key, *key.as_bytes())
        })
        .collect()
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn map(c: &mut Criterion) {
    let before = resident_bytes();
    let mut map = Map::new();
    for first in (0..KEYS).step_by(BATCH as usize) {
        map.apply(&mut batch(first)).unwrap();
    }
    eprintln!("resident bytes per key at {KEYS}: {}", (resident_bytes() - before) / KEYS);
    let present = batch(0);
    let bytes: usize = present.iter().map(|(key, _)| map.prove(key).to_bytes().len()).sum();
    let longest = present.iter().map(|(key, _)| map.prove(key).to_bytes().len()).max();
    eprintln!("proof bytes: mean {}, longest of {BATCH} {longest:?}", bytes / present.len());

    let mut group = c.benchmark_group("map_1e6");
    group.sample_size(20);
    group.throughput(Throughput::Elements(BATCH));
    let mut first = KEYS;
    group.bench_function("insert_batch", |b| {
        b.iter_batched(
            || {
                first += BATCH;
                batch(first)
            },
            |mut batch| map.apply(&mut batch).unwrap(),
            BatchSize::PerIteration,
        );
    });
    let mut round = 0u8;
    group.bench_function("update_batch", |b| {
        b.iter_batched(
            || {
                round = round.wrapping_add(1);
                let mut batch = batch(u64::from(round % 100) * BATCH);
                batch.iter_mut().for_each(|(_, value)| value[0] ^= round);
                batch
            },
            |mut batch| map.apply(&mut batch).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(1));
    let mut asked = present.iter().cycle();
    group.bench_function("prove", |b| b.iter(|| map.prove(black_box(&asked.next().unwrap().0))));
    let root = map.root();
    let stored: Vec<_> =
        present.iter().map(|(key, _)| (*key, map.value(key).unwrap(), map.prove(key).to_bytes())).collect();
    let mut checked = stored.iter().cycle();
    group.bench_function("verify", |b| {
        b.iter(|| {
            let (key, value, bytes) = checked.next().unwrap();
            let proof = sigveil_verifiable_search::proof::MapProof::from_bytes(bytes).unwrap();
            proof.verify_presence(key, value, &root).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, map);
criterion_main!(benches);
