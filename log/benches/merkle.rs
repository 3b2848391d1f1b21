//! Hashing of leaves, making and verifying of inclusion proofs over tiles.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sigveil_log::Hash;
use sigveil_log::merkle::{inclusion_proof, leaf_hash, root, verify_inclusion};
use sigveil_log::tile::{HashTile, TileError, TileKind, TilePath, TileSource, TileTree};

const SIZE: u64 = 65_536;

/// A tree of `SIZE` equal leaves: all tiles of a level are equal.
struct Uniform(Vec<Hash>);

impl TileSource for Uniform {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        let TileKind::Hashes(level) = path.kind else { unreachable!("trees read hash tiles only") };
        Ok(self.0[usize::from(level)].0.repeat(usize::from(path.width)))
    }
}

fn merkle(criterion: &mut Criterion) {
    let leaf = leaf_hash(b"entry");
    let above = |hash: Hash| HashTile::new(&[hash; 256]).node(8, 0).unwrap();
    let source = Uniform(vec![leaf, above(leaf), above(above(leaf))]);
    let tree = TileTree::new(source, SIZE);
    let root = root(&tree, SIZE).unwrap();
    let proof = inclusion_proof(&tree, 12_345, SIZE).unwrap();
    criterion.bench_function("leaf_hash_1536", |b| b.iter(|| leaf_hash(black_box(&[0; 1536]))));
    criterion.bench_function("tile_256", |b| b.iter(|| HashTile::new(black_box(&[leaf; 256]))));
    criterion.bench_function("inclusion_proof_65536", |b| {
        b.iter(|| inclusion_proof(&tree, black_box(12_345), SIZE))
    });
    criterion.bench_function("verify_inclusion_65536", |b| {
        b.iter(|| verify_inclusion(black_box(&leaf), 12_345, SIZE, &proof, &root))
    });
}

criterion_group!(benches, merkle);
criterion_main!(benches);
