//! Fourier transforms of field elements over a domain.

use ark_ff::Field;
use rayon::prelude::*;

use crate::Fr;
use crate::prover::Domain;

/// Butterflies that one task makes.
const CHUNK: usize = 1 << 10;

/// (1/n)·Σ_j x_j·ω^(−ij) for i < n. Of the values of a polynomial on the domain these are its coefficients; of the
/// powers of τ, being the transposed map, they are the Lagrange polynomials at τ.
pub(super) fn inverse(domain: Domain, values: &[Fr]) -> Vec<Fr> {
    debug_assert_eq!(values.len(), domain.size());
    let root = domain.generator().inverse().expect("a root of unity is not zero");
    let roots: Vec<Fr> =
        std::iter::successors(Some(Fr::ONE), |power| Some(*power * root)).take(domain.size()).collect();
    let mut out = vec![Fr::from(0u64); values.len()];
    transform(values, 1, &mut out, &roots);
    let scale = reciprocal(domain.size());
    out.par_chunks_mut(CHUNK).for_each(|out| out.iter_mut().for_each(|value| *value *= scale));
    out
}

/// One over a number.
pub(super) fn reciprocal(number: usize) -> Fr {
    Fr::from(number as u64).inverse().expect("sizes are far below the field's order")
}

/// Decimation in time: `out`_i = Σ_j `values`_(j·step)·ω^(ij) with ω = `roots`_step.
fn transform(values: &[Fr], step: usize, out: &mut [Fr], roots: &[Fr]) {
    let radix = match out.len() {
        1 => {
            out[0] = values[0];
            return;
        }
        even if even.is_multiple_of(2) => 2,
        _ => 3,
    };
    let part = out.len() / radix;
    out.par_chunks_mut(part)
        .enumerate()
        .for_each(|(first, out)| transform(&values[first * step..], step * radix, out, roots));
    let twiddled = |value: Fr, power: usize| match power {
        0 => value,
        _ => value * roots[power * step],
    };
    let (zero, rest) = out.split_at_mut(part);
    if radix == 2 {
        zero.par_iter_mut().zip(rest).enumerate().with_min_len(CHUNK).for_each(|(i, (x, y))| {
            let odd = twiddled(*y, i);
            (*x, *y) = (*x + odd, *x - odd);
        });
    } else {
        let (one, two) = rest.split_at_mut(part);
        // The cube root of one, w, and 1 + w + w² = 0: one product instead of four.
        let cube_root = roots[part * step];
        let both = zero.par_iter_mut().zip(one).zip(two).enumerate().with_min_len(CHUNK);
        both.for_each(|(i, ((x, y), z))| {
            let (a, b) = (twiddled(*y, i), twiddled(*z, 2 * i));
            let turned = (a - b) * cube_root;
            (*x, *y, *z) = (*x + a + b, *x - b + turned, *x - a - turned);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_inverse_of_evaluation() {
        for size in [1, 2, 3, 6, 9, 8, 12, 18, 64, 96, 144] {
            let domain = Domain::of_size(size).expect("of the form 2^k·3^l");
            let coefficients: Vec<Fr> = (0..size as u64).map(|i| Fr::from(i * i + 3)).collect();
            let evaluate = |x: Fr| coefficients.iter().rev().fold(Fr::from(0u64), |sum, c| sum * x + c);
            let values: Vec<Fr> = (0..size as u64).map(|i| evaluate(domain.generator().pow([i]))).collect();
            assert_eq!(inverse(domain, &values), coefficients, "{size}");
        }
    }
}
