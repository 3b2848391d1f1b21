//! Indexing from entries to output leaves: 20,000 `hashedrekord` entries with a certificate and a label each, in
//! batches of 1,000: parsing, the CA's signature, the keys, the map and its lists, the leaf.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may fail loudly; criterion's macros are undocumented"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Ca, entry, no_records, step_under, trust};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use sha2::{Digest as _, Sha256};
use sigveil_log::entry::Stored;
use sigveil_verifiable_search::index::{Index, LogEntries};

const ENTRIES: u64 = 20_000;
const BATCH: usize = 1_000;

fn labelled(ca: &Ca, number: u64) -> Stored {
    let mut label: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
    label[0] = 0;
    let label = data_encoding::BASE32_NOPAD.encode(&label).to_ascii_lowercase();
    let name = format!("urn:sigveil:open:stable:{label}").into_bytes();
    Stored::Body(entry(ca.certificate(&[(0x86, name)]), number as u8))
}

fn index(c: &mut Criterion) {
    let ca = Ca::new(1);
    let entries: Vec<Stored> = (0..ENTRIES).map(|number| labelled(&ca, number)).collect();
    let trust = trust(b"trust root", &[&ca]);
    let step = |entries: &[Stored]| {
        let (origin, entries) = ("log.example".to_owned(), entries.to_vec());
        step_under(&trust, vec![LogEntries { origin, entries, records: no_records() }])
    };
    let mut group = c.benchmark_group("index_20000");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(ENTRIES));
    group.bench_function("steps_of_1000", |b| {
        b.iter_batched(
            || entries.chunks(BATCH).map(step).collect::<Vec<_>>(),
            |steps| {
                let mut index = Index::new();
                let leaves: Vec<_> = steps.iter().map(|step| index.step(step).unwrap().to_bytes()).collect();
                assert!(index.leaf().unwrap().keys > ENTRIES);
                (index, leaves)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
