//! Medians and their intervals.

/// How often an interval covers the median, at least, where there are samples enough.
const COVERAGE: f64 = 0.95;

/// A median and an interval that covers it in at least 95 % of cases: two order statistics, the k-th least and the k-th
/// greatest sample, with the largest k for which the binomial distribution says so. Nothing is assumed of how samples are
/// distributed, but that they are independent and of one distribution.
///
/// It is not the percentile bootstrap, which for a median gives order statistics as well, but of few samples too narrow ones:
/// of seven the second and the sixth, which cover the median in 87.5 % of cases. Of fewer than six samples no pair covers
/// 95 %: the interval is their range then, which covers the median in 1 − 2^(1−n) of cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    /// Summarises samples; of none there is nothing to say, and all three are NaN.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let sorted = sorted(samples);
        let median = between(&sorted, 0.5);
        let rank = rank(sorted.len());
        match (sorted.get(rank), sorted.iter().rev().nth(rank)) {
            (Some(low), Some(high)) => Self { median, low: *low, high: *high },
            _ => Self { median, low: median, high: median },
        }
    }
}

/// How many samples lie below the interval, and as many above it. The k-th least and greatest of n samples leave the median
/// outside if fewer than k of n fair coins fall on one side.
fn rank(samples: usize) -> usize {
    let n = samples as f64;
    // In logarithms, as 2^-n is nothing to a float of some thousand samples.
    let (mut log_chance, mut below, mut rank) = (-n * std::f64::consts::LN_2, 0.0, 0);
    for k in 0..samples / 2 {
        below += log_chance.exp();
        if 1.0 - 2.0 * below < COVERAGE {
            break;
        }
        rank = k;
        log_chance += ((n - k as f64) / (k as f64 + 1.0)).ln();
    }
    rank
}

/// The `q`-quantile, interpolated between neighbours; NaN of nothing.
pub(crate) fn quantile(samples: &[f64], q: f64) -> f64 {
    between(&sorted(samples), q)
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn between(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 1.0), 5.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    /// In how many of 2^n outcomes of n fair coins the interval that leaves out so many at each end covers the median.
    fn covering(n: u32, rank: usize) -> u128 {
        let choose = |k: u128| (0..k).fold(1, |product, i| product * (u128::from(n) - i) / (i + 1));
        (1 << n) - 2 * (0..=rank as u128).map(choose).sum::<u128>()
    }

    #[test]
    fn an_interval_is_the_narrowest_pair_that_covers_by_the_binomial() {
        for n in 6..=100u32 {
            let (rank, all) = (rank(n as usize), 1u128 << n);
            assert!(20 * covering(n, rank) >= 19 * all, "{n} samples, {rank} left out: too narrow");
            assert!(20 * covering(n, rank + 1) < 19 * all, "{n} samples, {rank} left out: too wide");
        }
        // As tables of the sign test have them, from one.
        for (n, least) in [(6, 1), (8, 1), (9, 2), (20, 6), (50, 18), (100, 40)] {
            assert_eq!(rank(n) + 1, least, "of {n}");
        }
        // Far beyond what a float's exponent holds: half of n less 0.98 roots of it.
        assert!(rank(1_000_000).abs_diff(499_020) < 3);
    }

    #[test]
    fn few_samples_have_their_range_and_many_less() {
        let samples = |n: u32| (1..=n).rev().map(f64::from).collect::<Vec<_>>();
        let of = |n| Summary::of(&samples(n));
        assert_eq!(of(5), Summary { median: 3.0, low: 1.0, high: 5.0 });
        // The bootstrap's would be from 2 to 6.
        assert_eq!(of(7), Summary { median: 4.0, low: 1.0, high: 7.0 });
        assert_eq!(of(9), Summary { median: 5.0, low: 2.0, high: 8.0 });
        assert_eq!(of(1), Summary { median: 1.0, low: 1.0, high: 1.0 });
        assert!(Summary::of(&[]).low.is_nan());
        assert_eq!(Summary::of(&[2.0; 10]), Summary { median: 2.0, low: 2.0, high: 2.0 });
    }
}
