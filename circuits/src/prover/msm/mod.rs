//! Sums Σ sᵢ·Pᵢ with affine buckets.
//!
//! Scalars are brought to magnitudes below r/2 with a sign. Those of magnitude 0 are left out, the points of those
//! of magnitude 1 are summed as they are, and the others are cut into windows of signed digits: the points of a
//! digit are a bucket, and Σ d·(bucket d) is the window's sum. A scalar takes part in the windows up to its own
//! length only, so that queries of bits and bytes cost what they hold. All sums of points are those of
//! [`super::curve::sums`]: trees of affine additions with one inversion for thousands.
//!
//! The time taken depends on the scalars. What is kept of them is wiped.

use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;

use super::curve::{Group, Signed, sums};
use super::lanes::{Line, Path};
use crate::Fr;

mod buckets;
mod recoding;
#[cfg(test)]
mod tests;
mod windows;

use recoding::{Biased, Recoded};
use windows::Windows;

/// Scalars that are recoded together.
const PART: usize = 1 << 16;

/// Σ `scalars[i]`·`points[i]`, on the threads of the current rayon pool.
///
/// # Panics
/// Where there are not as many scalars as points, or more than 2²⁹.
pub fn msm<G: Group>(path: Path, points: &[G], scalars: &[Fr]) -> G::Curve {
    assert_eq!(points.len(), scalars.len(), "a scalar for each point");
    assert!(points.len() <= 1 << 29, "points are counted in 31 bits, and take up to two lines");
    let lines = G::lines(points);
    let parts: Vec<Recoded> = scalars
        .par_chunks(PART)
        .enumerate()
        .map(|(part, scalars)| Recoded::new(scalars, (part * PART * G::LINES) as u32, G::LINES as u32))
        .collect();
    let windows = Windows::choose(&parts);
    let (ones, sums) = rayon::join(
        || parts.par_iter().map(|part| sum::<G>(path, lines, part.ones())).sum::<G::Curve>(),
        || {
            let biased: Vec<Biased> = parts.par_iter().map(|part| part.biased(windows.bias())).collect();
            let tasks = windows.tasks(&parts);
            let sums = tasks.par_iter().map(|task| windows.sums::<G>(path, lines, &biased, task));
            sums.collect::<Vec<Vec<G::Curve>>>()
        },
    );
    let mut result = G::Curve::zero();
    for sum in sums.iter().flatten().rev() {
        for _ in 0..windows.bits() {
            result.double_in_place();
        }
        result += sum;
    }
    result + ones
}

/// The sum of points.
fn sum<G: Group>(path: Path, lines: &[Line], points: &[Signed]) -> G::Curve {
    G::Curve::from(G::sum(&sums::<G>(path, lines, points, &[points.len() as u32])))
}
