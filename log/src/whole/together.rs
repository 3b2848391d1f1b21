//! Reading and checking on several threads, as much at once as may be held.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::Builder;

/// Threads that read and check.
const READERS: usize = 8;
/// Bytes at which no more is begun: what the others are at comes on top.
const BYTES: usize = 32 << 20;

/// What is known to take memory.
pub(super) trait Held {
    fn bytes(&self) -> usize;
}

/// Runs on several threads for the first of these numbers, until they are through or what came of them is large. Gives the
/// results in order, and the number that is next.
pub(super) fn in_parallel<T: Held + Send>(
    numbers: Range<u64>,
    run: impl Fn(u64) -> Vec<T> + Sync,
) -> (Vec<T>, u64) {
    let (next, held) = (AtomicU64::new(numbers.start), AtomicUsize::new(0));
    let some = || {
        let mut done = Vec::new();
        while held.load(Ordering::Relaxed) < BYTES {
            // Whatever is taken is done, so that nothing is left out before the next.
            let Ok(number) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| {
                (number < numbers.end).then_some(number + 1)
            }) else {
                break;
            };
            let came = run(number);
            held.fetch_add(came.iter().map(T::bytes).sum(), Ordering::Relaxed);
            done.push((number, came));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let others = usize::try_from(numbers.end - numbers.start).unwrap_or(READERS).min(READERS);
        // Where no thread can be had, the others do its part.
        let start = |_| Builder::new().spawn_scoped(scope, some).ok();
        let threads: Vec<_> = (1..others).filter_map(start).collect();
        let mut done = some();
        threads.into_iter().for_each(|thread| done.extend(thread.join().expect("it does not panic")));
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    (done.into_iter().flat_map(|(_, came)| came).collect(), next.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Large(u64, usize);

    impl Held for Large {
        fn bytes(&self) -> usize {
            self.1
        }
    }

    /// Numbers by step, where each comes to so many bytes.
    fn steps(numbers: Range<u64>, bytes: usize) -> Vec<Vec<u64>> {
        let (mut first, mut steps) = (numbers.start, Vec::new());
        while first < numbers.end {
            let (came, next) = in_parallel(first..numbers.end, |number| vec![Large(number, bytes)]);
            steps.push(came.iter().map(|large| large.0).collect());
            first = next;
        }
        steps
    }

    #[test]
    fn small_pieces_are_read_together_and_of_large_ones_only_so_many() {
        assert_eq!(steps(10..74, 100 << 10), [(10..74).collect::<Vec<_>>()]);
        for (bytes, most) in [(1 << 20, 32 + READERS), (16 << 20, 2 + READERS), (64 << 20, READERS)] {
            let steps = steps(10..200, bytes);
            assert!(steps.iter().all(|step| step.len() <= most), "{steps:?}");
            assert_eq!(steps.concat(), (10..200).collect::<Vec<_>>(), "each once, and in order");
        }
    }
}
