//! The Merkle map: publishing in batches, proofs, memory.

use std::hint::black_box;
use std::time::Instant;

use sigveil_verifiable_search::key::{KeyKind, MapKey};
use sigveil_verifiable_search::map::{Digest, Map};
use sigveil_verifiable_search::proof::MapProof;

use super::timed;
use crate::machine;
use crate::row::{Row, Unit};
use crate::workload::Search;

const BATCH: u64 = 10_000;
const PROOFS: u64 = 1_000;

pub(crate) fn run(amount: &Search) -> anyhow::Result<Vec<Row>> {
    let keys = amount.keys;
    let name = &map_name(keys);
    let before = machine::rss();
    let mut map = Map::new();
    for first in (0..keys).step_by(BATCH as usize) {
        map.apply(&mut batch(first, BATCH.min(keys - first)))?;
    }
    let per_key = (machine::rss() - before) / keys as f64;

    // Publishing at that size: new keys, the root recomputed after each batch.
    let mut rates = Vec::new();
    for round in 0..amount.batches {
        let mut pairs = batch(keys + round * BATCH, BATCH);
        let start = Instant::now();
        map.apply(&mut pairs)?;
        black_box(map.root());
        rates.push(BATCH as f64 / start.elapsed().as_secs_f64());
    }

    let root = map.root();
    let asked = batch(0, BATCH.min(keys));
    let proofs =
        asked.iter().take(PROOFS as usize).map(|(key, value)| (key, value, map.prove(key).to_bytes()));
    let proofs: Vec<_> = proofs.collect();
    let bytes: Vec<f64> = proofs.iter().map(|(_, _, bytes)| bytes.len() as f64).collect();
    for (key, value, bytes) in &proofs {
        MapProof::from_bytes(bytes)?.verify_presence(key, value, &root)?;
    }
    let samples = amount.samples;
    let (mut to_prove, mut to_verify) = (asked.iter().cycle(), proofs.iter().cycle());
    Ok(vec![
        Row::over(name, "publish_per_s", Unit::PerSecond, &rates),
        Row::exact(name, "rss_per_key", Unit::Bytes, per_key),
        Row::over(name, "proof_bytes", Unit::Bytes, &bytes),
        timed(name, "prove", samples, 200, || {
            if let Some((key, _)) = to_prove.next() {
                black_box(map.prove(key));
            }
        }),
        timed(name, "verify", samples, 200, || {
            if let Some((key, value, bytes)) = to_verify.next() {
                let checked = MapProof::from_bytes(bytes).map(|p| p.verify_presence(key, value, &root));
                black_box(checked).ok();
            }
        }),
    ])
}

/// `map_1e6`, where the number has such a name.
fn map_name(keys: u64) -> String {
    let zeros = keys.ilog10();
    if keys == 10u64.pow(zeros) { format!("map_1e{zeros}") } else { format!("map_{keys}") }
}

fn batch(first: u64, keys: u64) -> Vec<(MapKey, Digest)> {
    let pair = |i: u64| {
        let key = MapKey::new(KeyKind::Label, &i.to_be_bytes());
        (key, *key.as_bytes())
    };
    (first..first + keys).map(pair).collect()
}
