//! Requests that are made before any is sent.

use anyhow::Context as _;

/// As many, made by all cores: each signs something, which takes a tenth of a millisecond. The first error is that of all.
pub(crate) fn prepared<T: Send>(
    count: usize,
    make: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(cores).max(1);
    let make = &make;
    std::thread::scope(|scope| {
        let begin_at = (0..count).step_by(part);
        let parts = begin_at.map(|begin| {
            let numbers = begin..count.min(begin + part);
            scope.spawn(move || numbers.map(make).collect::<anyhow::Result<Vec<T>>>())
        });
        // All are started before any is waited for.
        let mut all = Vec::with_capacity(count);
        for part in parts.collect::<Vec<_>>() {
            all.extend(part.join().ok().context("what makes requests died")??);
        }
        Ok(all)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_made_once_and_an_error_is_not_lost() {
        for count in [0, 1, 2, 3, 1_000] {
            assert_eq!(prepared(count, Ok).unwrap(), (0..count).collect::<Vec<_>>());
        }
        let failing = |number| if number == 997 { Err(anyhow::anyhow!("no more")) } else { Ok(number) };
        assert_eq!(prepared(1_000, failing).unwrap_err().to_string(), "no more");
    }
}
