//! One module per suite; each returns rows.

use crate::row::{Row, Unit};

pub(crate) mod growth;
pub(crate) mod identity;
pub(crate) mod log;
pub(crate) mod prover;
pub(crate) mod search;
pub(crate) mod sign;
mod sweep;
pub(crate) mod wrk;

/// What is measured in turns, in the order of a round: every other round the other way about, so that nobody always follows
/// the same.
pub(crate) fn in_turn<T>(all: &[T], round: usize) -> Vec<&T> {
    match round % 2 {
        0 => all.iter().collect(),
        _ => all.iter().rev().collect(),
    }
}

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

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn whoever_was_first_is_last_in_the_next_round() {
        assert_eq!(in_turn(&[1, 2, 3], 0), [&1, &2, &3]);
        assert_eq!(in_turn(&[1, 2, 3], 1), [&3, &2, &1]);
        assert_eq!(in_turn(&[1, 2, 3], 2), [&1, &2, &3]);
    }
}
