//! What came of requests: how many were done, how fast, and what else was answered.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use hdrhistogram::Histogram;

use super::PATIENCE;
use super::connection::Answer;

/// The status of a server that has too much to do.
const BUSY: u16 = 503;
/// Histograms keep this many significant digits of microseconds, up to twice the longest wait.
const DIGITS: u8 = 3;
const LONGEST: u64 = 2 * PATIENCE.as_secs() * 1_000_000;

/// What came of one block of requests.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// Latencies of what was done, microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// How many other answers, by status; 0 stands for none at all.
    pub(crate) failed: BTreeMap<u16, u64>,
    /// Bytes in the bodies of the answers.
    pub(super) bytes: u64,
    /// Seconds from the first request's due time to the last answer.
    pub(super) wall: f64,
    /// Of a closed loop, what each connection did per second until its own last answer, in sum.
    pub(super) rate: f64,
    /// Of an open loop, by what part of all that came those who waited became more, if enough was done to say that.
    pub(super) growth: Option<f64>,
    /// CPU seconds that this process used meanwhile.
    pub(super) own: f64,
    /// Of one client alone, seconds in which it was in no call that sends or receives.
    pub(super) between_calls: f64,
}

impl Observed {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Histogram::new_with_bounds(1, LONGEST, DIGITS)?,
            failed: BTreeMap::new(),
            bytes: 0,
            wall: 0.0,
            rate: 0.0,
            growth: None,
            own: 0.0,
            between_calls: 0.0,
        })
    }

    pub(super) fn add(&mut self, answer: Option<Answer>, success: u16, latency: Duration) {
        let Answer { status, bytes } = answer.unwrap_or(Answer { status: 0, bytes: 0 });
        self.bytes += bytes as u64;
        if status == success {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(micros.max(1));
        } else {
            *self.failed.entry(status).or_default() += 1;
        }
    }

    /// How many were done.
    pub(crate) fn done(&self) -> u64 {
        self.latencies.len()
    }

    /// Seconds from the first request's due time to the last answer.
    pub(crate) fn wall(&self) -> f64 {
        self.wall
    }

    /// CPU seconds of this process for each that was done.
    pub(crate) fn own_cpu(&self) -> f64 {
        self.own / self.done() as f64
    }

    /// Seconds on the wall clock that one client alone added to each that was done: from an answer's last byte to the call that
    /// sends the next request, and between calls that receive. By the clock, as a kernel that counts CPU by ticks does not know
    /// how much of it a process that wakes for some microseconds had outside.
    pub(crate) fn between_calls(&self) -> f64 {
        self.between_calls / self.done() as f64
    }

    /// How many of a closed loop were done, per second: the sum over its connections, each until its own last answer. Until the
    /// last of all it would be less, by as much as one connection waits after the others have ended.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// By what part of all that came in an open loop those who waited became more; `None` where too little was done.
    pub(crate) fn growth(&self) -> Option<f64> {
        self.growth
    }

    /// Ends the loop of one connection so many seconds after it began.
    pub(super) fn end(&mut self, wall: f64) {
        (self.wall, self.rate) = (wall, self.done() as f64 / wall);
    }

    /// Adds another connection of the same closed loop.
    pub(super) fn join(&mut self, other: Self) -> anyhow::Result<()> {
        self.latencies.add(&other.latencies)?;
        self.bytes += other.bytes;
        for (status, count) in other.failed {
            *self.failed.entry(status).or_default() += count;
        }
        (self.wall, self.rate) = (self.wall.max(other.wall), self.rate + other.rate);
        Ok(())
    }

    /// Bytes of an answer's body, on average.
    pub(crate) fn answer_bytes(&self) -> f64 {
        self.bytes as f64 / self.done() as f64
    }

    /// A quantile of latency, seconds.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        self.latencies.value_at_quantile(q) as f64 * 1e-6
    }

    /// Refuses a block in which anything failed but what a server that has too much to do told to come again (503).
    pub(crate) fn ensure_answered(&self) -> anyhow::Result<()> {
        let other = self.failed.keys().any(|status| *status != BUSY);
        ensure!(!other, "requests failed (status: how many): {:?}", self.failed);
        ensure!(self.done() > 0, "no request was answered");
        Ok(())
    }

    /// How many of all were told to come again.
    pub(crate) fn refused(&self) -> f64 {
        let refused = self.failed.get(&BUSY).copied().unwrap_or(0);
        refused as f64 / (self.done() + refused) as f64
    }

    /// Refuses a block in which anything failed.
    pub(crate) fn ensure_whole(&self) -> anyhow::Result<()> {
        ensure!(self.failed.is_empty(), "requests failed (status: how many): {:?}", self.failed);
        ensure!(self.done() > 0, "no request was answered");
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_told_to_come_again_may_be_left_out() {
        let answered = |failed: &[u16]| {
            let mut observed = Observed::new().unwrap();
            for status in [200, 200, 200].iter().chain(failed) {
                observed.add(Some(Answer { status: *status, bytes: 0 }), 200, Duration::from_millis(1));
            }
            (observed.ensure_answered().is_ok(), observed.ensure_whole().is_ok(), observed.refused())
        };
        assert_eq!(answered(&[]), (true, true, 0.0));
        assert_eq!(answered(&[503]), (true, false, 0.25));
        assert_eq!(answered(&[503, 500]), (false, false, 0.25));
        assert!(Observed::new().unwrap().ensure_answered().is_err());
    }

    #[test]
    fn a_connection_that_waits_after_the_others_takes_nothing_of_their_rates() {
        let connection = |done, wall| {
            let mut observed = Observed::new().unwrap();
            for _ in 0..done {
                observed.add(Some(Answer { status: 201, bytes: 1 }), 201, Duration::from_millis(1));
            }
            observed.end(wall);
            observed
        };
        let mut all = Observed::new().unwrap();
        for part in [connection(100, 1.0), connection(5, 10.0)] {
            all.join(part).unwrap();
        }
        assert_eq!((all.done(), all.bytes, all.wall()), (105, 105, 10.0));
        assert_eq!(all.rate(), 100.5);
    }
}
