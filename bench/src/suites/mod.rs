//! One module per suite; each returns rows.

use crate::row::{Row, Unit};

pub(crate) mod growth;
pub(crate) mod identity;
pub(crate) mod log;
pub(crate) mod prover;
pub(crate) mod search;
pub(crate) mod sign;
mod sweep;

/// Seconds of one call of `work`, sampled `samples` times over `calls` calls each, after one call to warm up.
pub(crate) fn timed(
    name: &str,
    metric: &'static str,
    samples: usize,
    calls: usize,
    mut work: impl FnMut(),
) -> Row {
    work();
    let seconds: Vec<f64> = (0..samples)
        .map(|_| {
            let start = std::time::Instant::now();
            for _ in 0..calls {
                work();
            }
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    Row::over(name, metric, Unit::Seconds, &seconds)
}
