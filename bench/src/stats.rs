//! Medians and their bootstrap intervals.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

const RESAMPLES: usize = 2_000;

/// A median and the 95 % percentile-bootstrap interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    /// Summarises samples; of none there is nothing to say, and all three are NaN.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let median = quantile(samples, 0.5);
        if samples.len() < 2 {
            return Self { median, low: median, high: median };
        }
        // A fixed seed: the same samples always give the same interval.
        let mut rng = ChaCha20Rng::seed_from_u64(0x5167_7665_696c);
        let medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let resample: Vec<f64> =
                    samples.iter().map(|_| samples[rng.next_u32() as usize % samples.len()]).collect();
                quantile(&resample, 0.5)
            })
            .collect();
        Self { median, low: quantile(&medians, 0.025), high: quantile(&medians, 0.975) }
    }
}

/// The `q`-quantile, interpolated between neighbours; NaN of nothing.
pub(crate) fn quantile(samples: &[f64], q: f64) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
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

    #[test]
    fn the_interval_holds_the_median_and_narrows_with_samples() {
        let few: Vec<f64> = (0..9).map(|i| f64::from(i % 9)).collect();
        let many: Vec<f64> = (0..900).map(|i| f64::from(i % 9)).collect();
        let (few, many) = (Summary::of(&few), Summary::of(&many));
        assert!(few.low <= few.median && few.median <= few.high);
        assert!(many.high - many.low < few.high - few.low);
    }

    #[test]
    fn constant_samples_have_no_width() {
        assert_eq!(Summary::of(&[2.0; 10]), Summary { median: 2.0, low: 2.0, high: 2.0 });
    }
}
