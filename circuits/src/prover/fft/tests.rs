#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ark_ff::UniformRand;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;

fn random(size: usize, seed: u64) -> Zeroizing<Vec<Fr>> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut values: Vec<Fr> = (0..size).map(|_| Fr::rand(&mut rng)).collect();
    // The bounds of the field, too.
    values.iter_mut().step_by(3).for_each(|value| *value = -Fr::ONE);
    values.iter_mut().step_by(5).for_each(|value| *value = Fr::from(0u64));
    Zeroizing::new(values)
}

/// The values on the odd coset through each xʲ by itself.
fn naive(domain: Domain, values: &[Fr]) -> Vec<Fr> {
    let points: Vec<Fr> = powers(Fr::ONE, domain.generator()).take(values.len()).collect();
    let size = Fr::from(values.len() as u64).inverse().unwrap();
    let coefficients: Vec<Fr> = (0..values.len())
        .map(|k| {
            let terms = values.iter().enumerate();
            terms.map(|(i, v)| points[(values.len() - i * k % values.len()) % values.len()] * v).sum::<Fr>()
                * size
        })
        .collect();
    let at = |x: Fr| coefficients.iter().rev().fold(Fr::from(0u64), |sum, c| sum * x + c);
    points.iter().map(|point| at(domain.half_generator() * point)).collect()
}

fn products(path: Path, domain: Domain, seed: u64) -> Zeroizing<Vec<Fr>> {
    odd_products(path, domain, [random(domain.size(), seed), random(domain.size(), seed + 1)])
}

#[test]
fn every_domain_is_taken_to_its_odd_coset() {
    for size in [1, 2, 3, 6, 8, 9, 18, 32, 36, 64, 96, 128, 144, 192, 288, 576, 1152] {
        let domain = Domain::of_size(size).unwrap();
        let [a, b] = [1, 2].map(|seed| naive(domain, &random(size, seed)));
        let expected: Vec<Fr> = a.iter().zip(b).map(|(a, b)| *a * b).collect();
        for path in Path::all() {
            assert_eq!(*products(path, domain, 1), expected, "{size} points, {}", path.name());
        }
    }
}

#[test]
fn powers_of_two_are_taken_as_by_arkworks() {
    for log in 6..=14 {
        let domain = Domain::of_size(1 << log).unwrap();
        let theirs = Radix2EvaluationDomain::<Fr>::new(1 << log).unwrap();
        let odd = theirs.get_coset(domain.half_generator()).unwrap();
        let [a, b] = [1, 2].map(|seed| odd.fft(&theirs.ifft(&random(1 << log, seed))));
        let expected: Vec<Fr> = a.iter().zip(b).map(|(a, b)| *a * b).collect();
        for path in Path::all() {
            assert_eq!(*products(path, domain, 1), expected, "2^{log} points, {}", path.name());
        }
    }
}

#[test]
fn large_domains_of_threes_are_taken_as_in_parts() {
    for size in [3 << 11, 9 << 10] {
        let domain = Domain::of_size(size).unwrap();
        let [a, b] = [1, 2].map(|seed| to_odd_coset(domain, random(size, seed)));
        let expected: Vec<Fr> = a.iter().zip(b.iter()).map(|(a, b)| *a * b).collect();
        for path in Path::all() {
            assert_eq!(*products(path, domain, 1), expected, "{size} points, {}", path.name());
        }
    }
}

#[test]
fn the_order_that_splitting_leaves_is_known() {
    assert_eq!(Splits::new(2, 0).order(), [0, 1, 2, 3]);
    assert_eq!(Splits::new(3, 0).order(), [0, 4, 1, 5, 2, 6, 3, 7]);
    assert_eq!(Splits::new(1, 1).order(), [0, 3, 1, 4, 2, 5]);
}
