//! The prover's arithmetic on each path: products, affine additions in batches, and sums of points beside arkworks'.
#![allow(missing_docs, reason = "Criterion's macros make public items")]

use std::hint::black_box;

use ark_bn254::Fq;
use ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, UniformRand};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_circuits::Fr;
use sigveil_circuits::prover::curve::{Group, Signed, sums};
use sigveil_circuits::prover::lanes::{Cpu, Kernel, Lanes, Path};
use sigveil_circuits::prover::msm::msm;
use sigveil_circuits::prover::{PackedG1, PackedG2};

/// Products in a run.
const PRODUCTS: usize = 1 << 16;

/// Independent products, eight vectors at a time.
struct Products(Fq);

impl Kernel for Products {
    type Output = Fq;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Fq {
        let factor = C::Lanes::<Fq>::splat(cpu, self.0);
        let mut values = [factor; 8];
        for _ in 0..PRODUCTS / 8 / C::Lanes::<Fq>::WIDTH {
            for value in &mut values {
                *value = *value * factor;
            }
        }
        let mut sum = values[0];
        for value in &values[1..] {
            sum = sum + *value;
        }
        let mut result = [Fq::ONE; 8];
        sum.store(&mut result);
        result[0]
    }
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("field product");
    group.throughput(Throughput::Elements(PRODUCTS as u64));
    for path in Path::all() {
        group.bench_function(path.name(), |b| b.iter(|| path.run(Products(black_box(Fq::from(7u64))))));
    }
}

/// So many different points.
fn points<G: Group>(count: usize) -> Vec<G::Affine> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut point, step) = (G::Curve::generator(), G::Curve::rand(&mut rng));
    let points: Vec<G::Curve> = (0..count)
        .map(|_| {
            point += step;
            point.double_in_place();
            point
        })
        .collect();
    G::Curve::normalize_batch(&points)
}

fn additions<G: Group>(criterion: &mut Criterion, name: &str) {
    // Groups of sixteen, as the buckets of 2¹⁹ scalars in windows of 16 bits.
    let (count, size) = (1 << 16, 16);
    let points: Vec<G> = points::<G>(count).iter().map(G::pack).collect();
    let members: Vec<Signed> = (0..count).map(|i| Signed::new((i * G::LINES) as u32, i % 3 == 0)).collect();
    let sizes = vec![size; count / size as usize];
    let mut group = criterion.benchmark_group(format!("affine addition in {name}"));
    group.throughput(Throughput::Elements((count - sizes.len()) as u64));
    group.sample_size(20);
    for path in Path::all() {
        group
            .bench_function(path.name(), |b| b.iter(|| sums::<G>(path, G::lines(&points), &members, &sizes)));
    }
}

fn multiplied<G: Group>(criterion: &mut Criterion, name: &str, sizes: &[u32])
where
    G::Curve: VariableBaseMSM<MulBase = G::Affine>,
{
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut group = criterion.benchmark_group(format!("sum of points in {name}"));
    group.sample_size(10);
    for bits in sizes {
        let points = points::<G>(1 << bits);
        let packed: Vec<G> = points.iter().map(G::pack).collect();
        let scalars: Vec<Fr> = points.iter().map(|_| Fr::rand(&mut rng)).collect();
        let size = format!("2^{bits}");
        group.bench_function(BenchmarkId::new("arkworks", &size), |b| {
            b.iter(|| G::Curve::msm_unchecked(&points, &scalars));
        });
        for path in Path::all() {
            group.bench_function(BenchmarkId::new(path.name(), &size), |b| {
                b.iter(|| msm(path, &packed, &scalars));
            });
        }
    }
}

fn g1(criterion: &mut Criterion) {
    additions::<PackedG1>(criterion, "G1");
    multiplied::<PackedG1>(criterion, "G1", &[17, 19]);
}

fn g2(criterion: &mut Criterion) {
    additions::<PackedG2>(criterion, "G2");
    multiplied::<PackedG2>(criterion, "G2", &[15, 17]);
}

criterion_group!(benches, products, g1, g2);
criterion_main!(benches);
