//! From the sums of a window's buckets to the window's sum.
//!
//! Buckets b = 2^k·h + l, of weight b + 1, make a table of rows h and columns l: the window's sum is
//! 2^k·Σ h·(row h) + Σ (l + 1)·(column l). So a window of n buckets takes 2n additions in batches, and two weighted
//! sums of about √n points, which are taken in the same way.

use ark_ff::{AdditiveGroup, Zero};
use zeroize::Zeroizing;

use super::super::curve::{Group, Signed, sums};
use super::super::lanes::{Line, Path};

/// Buckets that are summed one by one.
const FEW: usize = 12;

/// Σ (b + 1)·P_b over the `buckets` points P_b of each of so many windows, one after the other in `lines`.
pub(super) fn weighted<G: Group>(
    path: Path,
    lines: &[Line],
    buckets: usize,
    windows: usize,
) -> Vec<G::Curve> {
    if buckets <= FEW {
        return lines.chunks_exact(buckets * G::LINES).map(running::<G>).collect();
    }
    let bits = buckets.ilog2().div_ceil(2);
    let columns = 1 << bits;
    let rows = buckets.div_ceil(columns);
    let in_window = |window: usize, bucket: usize| (window * buckets + bucket) * G::LINES;
    let row = |window: usize, row: usize| {
        (row * columns..buckets.min((row + 1) * columns)).map(move |bucket| in_window(window, bucket))
    };
    let column = |window: usize, column: usize| {
        (column..buckets).step_by(columns).map(move |bucket| in_window(window, bucket))
    };
    let of_rows = grouped::<G, _>(path, lines, windows, 1..rows, row);
    let of_columns = grouped::<G, _>(path, lines, windows, 0..columns, column);
    let of_rows = weighted::<G>(path, &of_rows, rows - 1, windows);
    let of_columns = weighted::<G>(path, &of_columns, columns, windows);
    let both = of_rows.into_iter().zip(of_columns);
    both.map(|(mut rows, columns)| {
        for _ in 0..bits {
            rows.double_in_place();
        }
        rows + columns
    })
    .collect()
}

/// The sum of each group of each window, of the points whose first lines `members` names.
fn grouped<G: Group, I: Iterator<Item = usize>>(
    path: Path,
    lines: &[Line],
    windows: usize,
    groups: core::ops::Range<usize>,
    members: impl Fn(usize, usize) -> I,
) -> Zeroizing<Vec<Line>> {
    let mut points = Zeroizing::new(Vec::with_capacity(lines.len()));
    let mut sizes = Zeroizing::new(Vec::with_capacity(windows * groups.len()));
    for window in 0..windows {
        for group in groups.clone() {
            let before = points.len();
            // Empty buckets are left out: they would be exceptions to the formulas.
            let occupied = members(window, group).filter(|line| !lines[*line].is_blank());
            points.extend(occupied.map(|line| Signed::new(line as u32, false)));
            sizes.push((points.len() - before) as u32);
        }
    }
    sums::<G>(path, lines, &points, &sizes)
}

/// Σ (b + 1)·P_b, from the highest: the sum of all sums so far.
fn running<G: Group>(lines: &[Line]) -> G::Curve {
    let (mut sum, mut total) = (G::Curve::zero(), G::Curve::zero());
    for bucket in lines.chunks_exact(G::LINES).rev() {
        sum += G::sum(bucket);
        total += &sum;
    }
    total
}
