//! Moments at which requests are due.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// The moments of a Poisson process of this rate (per second) within the span, from its beginning. The same seed gives
/// the same moments, so that both sides of a comparison are asked alike.
pub(super) fn poisson(rate: f64, span: Duration, seed: u64) -> Vec<Duration> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut after = 0.0;
    std::iter::from_fn(move || {
        // Uniform in (0, 1], so that its logarithm is finite.
        let uniform = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        after -= (1.0 - uniform).ln() / rate;
        Some(after)
    })
    .take_while(|after| *after < span.as_secs_f64())
    .map(Duration::from_secs_f64)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_rise_have_the_rate_and_are_reproducible() {
        let span = Duration::from_secs(100);
        let due = poisson(50.0, span, 7);
        assert_eq!(due, poisson(50.0, span, 7));
        assert_ne!(due, poisson(50.0, span, 8));
        assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(due.iter().all(|after| *after < span));
        // 5,000 expected; six standard deviations are 424.
        assert!(due.len().abs_diff(5_000) < 424, "{}", due.len());
        // Gaps of a Poisson process vary as much as they last: mean and standard deviation agree.
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.1, "{}", deviation / mean);
    }
}
